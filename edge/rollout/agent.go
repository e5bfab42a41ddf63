package rollout

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"millwright/models/bundle"
	"millwright/models/detect"
	"millwright/plant"
)

// Models is the asset models of this edge: models/detect.Set, behind the lock
// that guards it.
type Models interface {
	Check(t *detect.Trained) error
	Shadow(t *detect.Trained) error
	Unshadow(asset string)
	Promote(t *detect.Trained) error
	Demote(asset string) error
	Trained() []detect.TrainedStatus
}

var _ Models = (*detect.Set)(nil)

// Agent keeps the models of one edge as the plant's plan says. Fill in the
// fields, call Open before the first sample, then Run.
type Agent struct {
	Edge   string // name, for findings
	URL    string // of the plant's repository: "http://plant:8080/tuf/", or file:///…
	CA     string // PEM file for https; empty: the system's
	Root   []byte // 1.root.json of that repository, given by hand
	Dir    string // of its own
	Assets []plant.Asset
	Models Models

	Every   time.Duration           // between looks at the plan; 10 s where 0, ± 20 %
	Changed func()                  // Status has changed; may be nil
	Tell    func(plant.Finding)     // takes findings about the repository; may be nil
	Obey    func(plant.Order) error // carries out what an engineer has decided; nil: no orders
	Now     func() time.Time        // nil: time.Now
	Log     *slog.Logger            // nil: slog.Default()

	client *bundle.Client
	audit  audit
	record record              // what runs, as on disk
	dirty  bool                // record is not on disk yet
	passed map[string][]string // by asset: bundles that do not fit, not tried again here
	marks  map[string]bool     // of what was refused, so that it is told once
	told   bool                // the finding about the repository is open
	quiet  string              // the last line logged about an absent plant

	mu     sync.Mutex // guards what follows
	status map[string]plant.ModelStatus
	orders plant.OrderStatus // Refused is replaced, never changed
}

const defaultEvery = 10 * time.Second

// lookEvery is how soon a model that was dropped is noticed.
const lookEvery = time.Second

// Open runs what ran before: the bundles on disk, without asking the plant. One
// that is not good any more is refused, with a line in the audit.
func (a *Agent) Open() error {
	if a.Log == nil {
		a.Log = slog.Default()
	}
	for _, dir := range []string{a.Dir, filepath.Join(a.Dir, bundlesDir)} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("models: %w", err)
		}
	}
	a.client = &bundle.Client{URL: a.URL, CA: a.CA, Root: a.Root, Dir: filepath.Join(a.Dir, "trust"), Now: a.Now}
	a.audit.name = filepath.Join(a.Dir, auditFile)
	a.passed, a.status = map[string][]string{}, map[string]plant.ModelStatus{}
	var err error
	if a.record, err = loadRecord(a.Dir); err != nil {
		a.refuse("", "", err)
	}
	if err := a.loadOrders(); err != nil {
		a.refuse("", "", err)
	}
	for asset, is := range a.record {
		if _, here := a.asset(asset); !here { // it has left the configuration
			delete(a.record, asset)
			a.dirty = true
			continue
		}
		a.resume(asset, is)
	}
	return a.save()
}

// resume runs what an asset ran.
func (a *Agent) resume(asset string, is applied) {
	again := func(f *file, run func(*detect.Trained) error) {
		if f.ID == "" {
			return
		}
		raw, err := a.stored(f.SHA256)
		var t *detect.Trained
		if err == nil {
			t, err = a.examine(asset, f.ID, raw)
		}
		if err == nil {
			err = run(t)
		}
		if err != nil {
			is.Refused = a.refuse(f.ID, asset, err)
			*f = file{}
		}
	}
	again(&is.Running, a.Models.Promote)
	again(&is.Shadow, a.Models.Shadow)
	a.set(asset, is)
}

// examine parses a verified bundle and proves it on this machine, for this asset.
func (a *Agent) examine(asset, id string, raw []byte) (*detect.Trained, error) {
	b, err := bundle.Read(raw)
	if err != nil {
		return nil, err
	}
	if b.ID != id {
		return nil, fmt.Errorf("the file of %s holds %s", id, b.ID)
	}
	here, _ := a.asset(asset)
	t, err := b.For(here)
	if err != nil {
		return nil, err
	}
	if err := a.Models.Check(t); err != nil {
		return nil, err
	}
	cost, err := b.Replay()
	a.Log.Debug("models: golden windows replayed", "bundle", id, "window", cost, "err", err)
	return t, err
}

func (a *Agent) asset(path string) (plant.Asset, bool) {
	for _, s := range a.Assets {
		if s.Path == path {
			return s, true
		}
	}
	return plant.Asset{}, false
}

// Run follows the plan until ctx ends.
func (a *Agent) Run(ctx context.Context) error {
	every := a.Every
	if every <= 0 {
		every = defaultEvery
	}
	look := time.NewTicker(min(lookEvery, every))
	defer look.Stop()
	for next := time.Now(); ; {
		a.drop()
		if !time.Now().Before(next) {
			if err := a.poll(ctx); err != nil {
				a.Log.Error("models: will try again", "err", err)
			}
			next = time.Now().Add(time.Duration(float64(every) * (0.8 + 0.4*rand.Float64())))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
		}
	}
}

// poll looks at the plan once and follows it. Its error is this machine's, such
// as a full disk; what is wrong with the plant's word is refused and told.
func (a *Agent) poll(ctx context.Context) error {
	view, err := a.client.Fetch(ctx)
	var refused *bundle.Refused
	switch {
	case ctx.Err() != nil:
		return nil
	case errors.Is(err, bundle.ErrUnreachable), errors.Is(err, bundle.ErrAbsent):
		if text := err.Error(); text != a.quiet {
			a.quiet = text
			a.Log.Info("models: going on with what runs", "reason", err)
		}
		return nil
	case errors.As(err, &refused):
		a.distrust("", "", refused)
		return nil
	case err != nil:
		return err
	}
	a.quiet = ""
	var errs []error
	good := true
	for _, s := range a.Assets {
		ok, err := a.follow(ctx, view, view.Plan.Of(s.Path))
		good = good && ok
		errs = append(errs, err)
	}
	if good {
		a.trust()
	}
	return errors.Join(append(errs, a.save(), a.obey(view.Plan))...)
}

// follow makes one asset run what the plan says. It reports false where the
// repository gave something that must not be trusted.
func (a *Agent) follow(ctx context.Context, view *bundle.View, want bundle.Assignment) (bool, error) {
	is, known := a.record[want.Asset]
	if !known && want.Change == 0 {
		return true, nil
	}
	before := is
	if want.Change != is.Change { // somebody has asked again
		is.Change, is.Dropped, is.Refused = want.Change, nil, ""
		delete(a.passed, want.Asset)
	}
	running := want.Running
	if running == plant.LearnedModel {
		running = ""
	}
	why := reason(view.Plan, want)
	good, errs := true, []error(nil)
	try := func(f *file, id, action string, use func(*detect.Trained) error) {
		if id == f.ID || slices.Contains(is.Dropped, id) || slices.Contains(a.passed[want.Asset], id) {
			return
		}
		got, err := a.bring(ctx, view, want.Asset, id, use)
		var refused *bundle.Refused
		var broken *diskError
		switch {
		case err == nil:
			*f, is.Refused = got, ""
			if action == "promote" {
				is.Fallback = ""
			}
			a.note(action, id, want.Asset, why)
		case ctx.Err() != nil, errors.Is(err, bundle.ErrUnreachable):
			a.Log.Info("models: will try again", "bundle", id, "reason", err)
		case errors.As(err, &broken):
			errs = append(errs, err)
		case errors.As(err, &refused): // on the way: the next time it may be good
			is.Refused = id + ": " + err.Error()
			good = false
			a.distrust(id, want.Asset, refused)
		default:
			is.Refused = a.refuse(id, want.Asset, err)
			a.passed[want.Asset] = append(a.passed[want.Asset], id)
		}
	}
	if is.Shadow.ID != "" && is.Shadow.ID != want.Shadow {
		a.Models.Unshadow(want.Asset)
		a.note("unshadow", is.Shadow.ID, want.Asset, why)
		is.Shadow = file{}
	}
	if running == "" && is.Running.ID != "" {
		if err := a.Models.Demote(want.Asset); err != nil {
			errs = append(errs, err)
		} else {
			a.note("demote", is.Running.ID, want.Asset, why)
			is.Running, is.Fallback = file{}, ""
		}
	}
	if running != "" {
		try(&is.Running, running, "promote", a.Models.Promote)
	}
	if want.Shadow != "" {
		try(&is.Shadow, want.Shadow, "shadow", a.Models.Shadow)
	}
	if is.changed(before) {
		is.Since = a.now().UnixNano()
		a.set(want.Asset, is)
	} else if is.Change != before.Change {
		a.set(want.Asset, is)
	}
	return good, errors.Join(errs...)
}

// bring finds a bundle on disk or fetches it, examines it and hands it over. Its
// file is on disk before anything runs it.
func (a *Agent) bring(ctx context.Context, view *bundle.View, asset, id string, use func(*detect.Trained) error) (file, error) {
	sum, err := view.Sum(id)
	if err != nil {
		return file{}, err
	}
	f := file{ID: id, SHA256: sum}
	raw, err := a.stored(sum)
	if err != nil {
		if raw, err = view.Load(ctx, id); err != nil {
			return file{}, err
		}
	}
	t, err := a.examine(asset, id, raw)
	if err != nil {
		return file{}, err
	}
	if err := a.store(f, raw); err != nil {
		return file{}, err
	}
	return f, use(t)
}

// drop takes note of bundles that the models have dropped by themselves.
func (a *Agent) drop() {
	for _, s := range a.Models.Trained() {
		is, known := a.record[s.Asset]
		if !known || s.Fallback == nil {
			continue
		}
		f, now := &is.Running, s.Running
		if s.Fallback.Shadow {
			f, now = &is.Shadow, s.Shadow
		}
		if f.ID != s.Fallback.ID || now == f.ID {
			continue // noticed before
		}
		is.Dropped = append(slices.Clone(is.Dropped), f.ID)
		is.Fallback = f.ID + ": " + s.Fallback.Why
		is.Since = a.now().UnixNano()
		*f = file{}
		a.note("fallback", s.Fallback.ID, s.Asset, s.Fallback.Why)
		a.set(s.Asset, is)
		if err := a.save(); err != nil {
			a.Log.Error("models", "err", err)
		}
	}
}

// set takes over what an asset runs.
func (a *Agent) set(asset string, is applied) {
	a.record[asset] = is
	a.dirty = true
	st := plant.ModelStatus{
		Asset: asset, Running: plant.LearnedModel, Shadow: is.Shadow.ID, Fallback: is.Fallback, Refused: is.Refused, Since: is.Since,
	}
	if is.Running.ID != "" {
		st.Running = is.Running.ID
	}
	a.mu.Lock()
	changed := a.status[asset] != st
	a.status[asset] = st
	a.mu.Unlock()
	if changed && a.Changed != nil {
		a.Changed()
	}
}

// Status says what runs on the assets that have, or had, a bundle.
func (a *Agent) Status() []plant.ModelStatus {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []plant.ModelStatus
	for _, asset := range slices.Sorted(maps.Keys(a.status)) {
		out = append(out, a.status[asset])
	}
	return out
}

func (a *Agent) now() time.Time {
	if a.Now != nil {
		return a.Now()
	}
	return time.Now()
}

// reason is who asked for an asset's line, and why.
func reason(p bundle.Plan, want bundle.Assignment) string {
	for _, e := range slices.Backward(p.History) {
		if e.At == want.At && slices.Contains(e.Assets, want.Asset) {
			return e.Who + ": " + e.Reason
		}
	}
	return ""
}
