package rollout

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"millwright/models/bundle"
	"millwright/plant"
)

// Errors that callers tell apart.
var (
	ErrNotFound = errors.New("no such bundle or asset")
	ErrNotReady = errors.New("no repository of models yet")
	ErrNotFit   = errors.New("not for this asset")
	ErrReason   = bundle.ErrReason
	ErrNothing  = bundle.ErrNothing
)

// Store is what the Book reads of the plant's memory: historian/store.Store.
type Store interface {
	Tags() []plant.Tag
	Assets() []plant.Asset
	Scan(ctx context.Context, r plant.Range) iter.Seq2[plant.Block, error]
	States(ctx context.Context, r plant.Range) ([]plant.State, error)
	LastStates(ctx context.Context, tags []plant.TagID) ([]plant.State, error)
}

// Alarms are the episodes of an asset's alarms: historian/alarm.Book.
type Alarms interface {
	Alarms(ctx context.Context, asset string, from, to int64) ([]plant.Alarm, error)
}

// Book keeps the roll-out of trained models. Its methods may be called from any
// goroutine, and while other processes change the repository.
type Book struct {
	Dir    string                    // of the repository
	Store  Store                     // nil: assets are taken as they are named
	Alarms Alarms                    // nil: nothing to compare with
	Edges  func() []plant.EdgeStatus // nil: no edges
	Now    func() time.Time          // nil: time.Now
	Log    *slog.Logger              // nil: slog.Default()

	mu       sync.Mutex        // guards what follows
	bundles  map[string]*known // by SHA-256
	overview plant.Rollout
	read     time.Time // when overview was made
	judged   map[string]judgement

	signing sync.Mutex // guards signed
	signed  time.Time  // when the signatures were looked at
}

// known is what the Book keeps of a bundle's file.
type known struct {
	summary plant.Bundle
	grid    time.Duration
	modes   []string
	scores  []bundle.Scores
}

// Ages of what is shown: the overview, drift and comparison, and how often the
// server looks whether it has to sign anew.
const (
	overviewAge = 3 * time.Second
	judgedAge   = time.Minute
	signedAge   = 12 * time.Hour
)

func (b *Book) log() *slog.Logger {
	if b.Log != nil {
		return b.Log
	}
	return slog.Default()
}

func (b *Book) now() time.Time {
	if b.Now != nil {
		return b.Now()
	}
	return time.Now()
}

// Open signs anew what would expire before long. There need be no repository.
func (b *Book) Open() error {
	_, err := b.open()
	if errors.Is(err, ErrNotReady) {
		return nil
	}
	return err
}

// open is the repository, with signatures that last.
func (b *Book) open() (*bundle.Repository, error) {
	r, err := bundle.Open(b.Dir)
	if errors.Is(err, bundle.ErrNoRepository) {
		return nil, fmt.Errorf("%w: millwright models init", ErrNotReady)
	}
	if err != nil {
		return nil, err
	}
	r.Now = b.Now
	b.signing.Lock()
	defer b.signing.Unlock()
	if now := b.now(); now.Sub(b.signed) > signedAge || now.Before(b.signed) {
		did, err := r.Refresh()
		if err != nil {
			return nil, err
		}
		if did {
			b.log().Info("models: signed anew")
		}
		b.signed = now
	}
	return r, nil
}

// Overview is all that the page of models shows. It may be some seconds old.
func (b *Book) Overview(ctx context.Context) (plant.Rollout, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if age := b.now().Sub(b.read); age >= 0 && age < overviewAge {
		return b.overview, nil
	}
	out, err := b.look(ctx)
	if err != nil {
		return plant.Rollout{}, err
	}
	b.overview, b.read = out, b.now()
	return out, nil
}

func (b *Book) look(ctx context.Context) (plant.Rollout, error) {
	var out plant.Rollout
	var plan bundle.Plan
	r, err := b.open()
	if err != nil && !errors.Is(err, ErrNotReady) {
		return out, err
	}
	if err == nil {
		out.Ready = true
		var list []bundle.Stored
		if plan, list, err = r.Plan(); err != nil {
			return out, err
		}
		for _, s := range list {
			k, err := b.known(r, s)
			if err != nil {
				b.log().Error("models", "err", err)
				continue
			}
			out.Bundles = append(out.Bundles, k.summary)
		}
		for _, e := range slices.Backward(plan.History) {
			out.History = append(out.History, plant.RolloutEntry(e))
		}
	}
	status, edges := b.edges()
	tags := b.tags(&plan)
	for _, asset := range b.assets(&plan) {
		want := plan.Of(asset)
		a := plant.AssetModels{Asset: asset, Edge: edges[asset], Wanted: want.Running, Shadow: want.Shadow, Status: status[asset]}
		if want.Running != want.Previous {
			a.Previous = want.Previous
		}
		j, err := b.judge(ctx, want, a.Status, tags[asset])
		if err != nil {
			return out, err
		}
		a.Drift, a.Compare = j.drift, j.compare
		out.Assets = append(out.Assets, a)
	}
	return out, nil
}

// known reads a bundle's file once.
func (b *Book) known(r *bundle.Repository, s bundle.Stored) (*known, error) {
	if k := b.bundles[s.SHA256]; k != nil {
		return k, nil
	}
	file, err := r.File(s)
	if err != nil {
		return nil, err
	}
	read, err := bundle.Read(file)
	if err != nil {
		return nil, err
	}
	k := &known{summary: read.Summary(), grid: read.Trained.Grid, modes: read.Summary().Modes, scores: read.Scores}
	k.summary.Size, k.summary.SHA256 = s.Size, s.SHA256
	if b.bundles == nil {
		b.bundles = map[string]*known{}
	}
	b.bundles[s.SHA256] = k
	return k, nil
}

// find is a bundle by its ID; nil where there is none.
func (b *Book) find(r *bundle.Repository, id string) (*known, bundle.Stored, error) {
	_, list, err := r.Plan()
	if err != nil {
		return nil, bundle.Stored{}, err
	}
	for _, s := range list {
		if s.ID == id {
			k, err := b.known(r, s)
			return k, s, err
		}
	}
	return nil, bundle.Stored{}, fmt.Errorf("bundle %.130q: %w", id, ErrNotFound)
}

// assets are those of the plant and those that the plan names, by path.
func (b *Book) assets(plan *bundle.Plan) []string {
	var out []string
	if b.Store != nil {
		for _, a := range b.Store.Assets() {
			out = append(out, a.Path)
		}
	}
	for _, a := range plan.Assets {
		out = append(out, a.Asset)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// edges are what the edges say of each asset, and which edge says it.
func (b *Book) edges() (map[string]*plant.ModelStatus, map[string]string) {
	status, edges := map[string]*plant.ModelStatus{}, map[string]string{}
	if b.Edges == nil {
		return status, edges
	}
	for _, e := range b.Edges() {
		for _, m := range e.Models {
			if have := status[m.Asset]; have == nil || have.Since < m.Since {
				status[m.Asset], edges[m.Asset] = &m, e.Name
			}
		}
	}
	return status, edges
}

// Report is the trainer's report of a bundle, in Markdown; ErrNotFound.
func (b *Book) Report(ctx context.Context, id string) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r, err := b.open()
	if err != nil {
		return "", err
	}
	_, s, err := b.find(r, id)
	if err != nil {
		return "", err
	}
	file, err := r.File(s)
	if err != nil {
		return "", err
	}
	read, err := bundle.Read(file)
	if err != nil {
		return "", err
	}
	return read.Report, nil
}

// Shadow lets a bundle run beside what judges the assets; the empty id ends that.
func (b *Book) Shadow(ctx context.Context, id string, assets []string, who, reason string) error {
	return b.change(id, assets, who, reason, (*bundle.Plan).Shadow)
}

// Promote lets a bundle judge the assets, or again what the edge has learned
// (plant.LearnedModel). A reason is needed.
func (b *Book) Promote(ctx context.Context, id string, assets []string, who, reason string) error {
	if id == "" {
		return fmt.Errorf("bundle \"\": %w", ErrNotFound)
	}
	return b.change(id, assets, who, reason, (*bundle.Plan).Promote)
}

// Rollback brings back what judged the assets before. A reason is needed.
func (b *Book) Rollback(ctx context.Context, assets []string, who, reason string) error {
	return b.change("", assets, who, reason, (*bundle.Plan).Rollback)
}

// change changes the plan. Its history says who did it, and why.
func (b *Book) change(id string, assets []string, who, reason string, change func(*bundle.Plan, bundle.Entry) error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	r, err := b.open()
	if err != nil {
		return err
	}
	assets = slices.Compact(slices.Sorted(slices.Values(assets)))
	e := bundle.Entry{At: b.now().UnixNano(), Who: who, Bundle: id, Assets: assets, Reason: reason}
	if err := b.check(r, id, assets); err != nil {
		return err
	}
	b.read = time.Time{}
	return r.Change(func(p *bundle.Plan) error { return change(p, e) })
}

// check says whether the bundle exists and may run on the assets.
func (b *Book) check(r *bundle.Repository, id string, assets []string) error {
	if len(assets) == 0 {
		return fmt.Errorf("no asset is named: %w", ErrNotFound)
	}
	plan, _, err := r.Plan()
	if err != nil {
		return err
	}
	var k *known
	if id != "" && id != plant.LearnedModel {
		if k, _, err = b.find(r, id); err != nil {
			return err
		}
	}
	classes := map[string]string{}
	if b.Store != nil {
		for _, a := range b.Store.Assets() {
			classes[a.Path] = a.Class
		}
	}
	for _, asset := range assets {
		class, here := classes[asset]
		if b.Store != nil && !here && plan.Of(asset).Change == 0 {
			return fmt.Errorf("asset %.200q: %w", asset, ErrNotFound)
		}
		switch {
		case k == nil:
		case k.summary.Asset != "" && k.summary.Asset != asset:
			return fmt.Errorf("%s is for %s, not for %.200s: %w", id, k.summary.Asset, asset, ErrNotFit)
		case k.summary.Asset == "" && here && k.summary.Class != class:
			return fmt.Errorf("%s is for the class %q, %s is of the class %q: %w", id, k.summary.Class, asset, class, ErrNotFit)
		}
	}
	return nil
}

// Files is the repository that the edges fetch from, read only.
func (b *Book) Files() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r, err := b.open() // also where nobody looks at the page: edges ask day and night
		if err != nil {
			if !errors.Is(err, ErrNotReady) {
				b.log().Error("models", "err", err)
			}
			http.NotFound(w, req)
			return
		}
		r.ServeHTTP(w, req)
	})
}
