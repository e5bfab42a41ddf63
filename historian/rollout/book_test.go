package rollout

import (
	"errors"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"millwright/historian/alarm"
	"millwright/historian/store"
	"millwright/hmi"
	"millwright/models/bundle"
	"millwright/models/bundle/bundletest"
	"millwright/plant"
)

var _ hmi.Models = (*Book)(nil)

const gbx = "HSM/GBX"

// works is a plant with a real store, alarm book and repository, at a time that
// the test sets.
type works struct {
	*Book
	t     *testing.T
	repo  *bundle.Repository
	keys  string
	store *store.Pebble
	alarm *alarm.Book
	now   time.Time
	rec   uint64
	edges []plant.EdgeStatus
	ids   map[string]plant.TagID
}

func newWorks(t *testing.T) *works {
	t.Helper()
	dir := t.TempDir()
	w := &works{t: t, keys: filepath.Join(dir, "stick"), now: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC), ids: map[string]plant.TagID{}}
	quiet := slog.New(slog.DiscardHandler)
	var err error
	if w.store, err = store.Open(store.Config{Dir: filepath.Join(dir, "store"), Log: quiet}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.store.Close() })
	if w.alarm, err = alarm.Open(filepath.Join(dir, "alarms")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.alarm.Close() })
	w.Book = &Book{
		Dir: filepath.Join(dir, "models"), Store: w.store, Alarms: w.alarm, Log: quiet,
		Edges: func() []plant.EdgeStatus { return w.edges }, Now: func() time.Time { return w.now },
	}
	err = w.store.SetAssets("edge-1", []plant.Asset{{Path: gbx, Class: "gearbox"}, {Path: "HSM/GBX2", Class: "gearbox"}, {Path: "HSM/P1", Class: "pump"}})
	if err != nil {
		t.Fatal(err)
	}
	tags := []plant.Tag{{Path: gbx + "/$SCORE", Derived: true}, {Path: gbx + "/$MODE", Derived: true, Kind: plant.Text}, {Path: gbx + "/$WOULD", Derived: true}}
	if err := w.store.Intern(tags); err != nil {
		t.Fatal(err)
	}
	for _, tag := range tags {
		w.ids[tag.Path] = tag.ID
	}
	return w
}

func (w *works) init() {
	w.t.Helper()
	var err error
	if w.repo, err = bundle.Init(w.Dir, w.keys, "eva"); err != nil {
		w.t.Fatal(err)
	}
}

func (w *works) push(o bundletest.Options) *bundle.Bundle {
	w.t.Helper()
	b := bundletest.New(w.t, o)
	if _, err := w.repo.Push(bundletest.File(w.t, b), o.ID, w.keys, "eva", ""); err != nil {
		w.t.Fatal(err)
	}
	return b
}

func (w *works) append(b plant.Batch) {
	w.t.Helper()
	if err := w.store.Append(w.t.Context(), b, nil); err != nil {
		w.t.Fatal(err)
	}
}

// alarmed is an alarm from one time to another.
func (w *works) alarmed(asset, key, detector string, from, to time.Time) {
	w.t.Helper()
	for _, f := range []plant.Finding{
		{Asset: asset, Key: key, Detector: detector, Kind: plant.KindAnomaly, Class: plant.Advisory, Priority: 3, Phase: plant.Raise, Time: from.UnixNano()},
		{Asset: asset, Key: key, Detector: detector, Kind: plant.KindAnomaly, Class: plant.Advisory, Priority: 3, Phase: plant.Clear, Time: to.UnixNano()},
	} {
		w.rec++
		if err := w.alarm.Apply(w.t.Context(), "edge-1", 1, w.rec, []plant.Finding{f}); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *works) look1() plant.AssetModels {
	w.t.Helper()
	w.now = w.now.Add(2 * judgedAge) // past what it remembers
	all, err := w.Overview(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	for _, a := range all.Assets {
		if a.Asset == gbx {
			return a
		}
	}
	w.t.Fatal("the asset is not listed")
	return plant.AssetModels{}
}

var gearbox = bundletest.Options{ID: "gbx-1", Asset: gbx, Class: "gearbox", Tags: []string{"HSM/GBX/A"}}

func TestNotReady(t *testing.T) {
	w := newWorks(t)
	if err := w.Open(); err != nil {
		t.Fatal(err)
	}
	all, err := w.Overview(t.Context())
	if err != nil || all.Ready || len(all.Assets) != 3 || all.Assets[0].Wanted != plant.LearnedModel {
		t.Errorf("%+v, %v", all, err)
	}
	if err := w.Promote(t.Context(), "gbx-1", []string{gbx}, "eva", "r"); !errors.Is(err, ErrNotReady) {
		t.Error(err)
	}
	if _, err := w.Report(t.Context(), "gbx-1"); !errors.Is(err, ErrNotReady) {
		t.Error(err)
	}
	res := httptest.NewRecorder()
	w.Files().ServeHTTP(res, httptest.NewRequest(http.MethodGet, "http://plant/timestamp.json", nil))
	if res.Code != 404 {
		t.Error(res.Code)
	}
	// A repository that is made while the plant runs is there at once.
	w.init()
	w.now = w.now.Add(time.Minute)
	if all, err = w.Overview(t.Context()); err != nil || !all.Ready {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestChangesOfThePlan(t *testing.T) {
	w := newWorks(t)
	w.init()
	w.push(gearbox)
	w.push(bundletest.Options{ID: "class-1", Class: "gearbox", Tags: []string{"A"}})
	ctx := t.Context()
	if err := w.Shadow(ctx, "gbx-1", []string{gbx}, "eva", "a try"); err != nil {
		t.Fatal(err)
	}
	w.edges = []plant.EdgeStatus{{Name: "edge-1", Models: []plant.ModelStatus{{Asset: gbx, Running: plant.LearnedModel, Shadow: "gbx-1", Since: 7}}}}
	if a := w.look1(); a.Shadow != "gbx-1" || a.Wanted != plant.LearnedModel || a.Previous != "" || a.Edge != "edge-1" || a.Status.Since != 7 {
		t.Errorf("%+v", a)
	}
	if err := w.Promote(ctx, "gbx-1", []string{gbx}, "eva", "good"); err != nil {
		t.Fatal(err)
	}
	if a := w.look1(); a.Shadow != "" || a.Wanted != "gbx-1" || a.Previous != plant.LearnedModel {
		t.Errorf("%+v", a)
	}
	if err := w.Promote(ctx, "class-1", []string{"HSM/GBX2", gbx, gbx}, "eva", "all of them"); err != nil {
		t.Fatal(err)
	}
	if a := w.look1(); a.Wanted != "class-1" || a.Previous != "gbx-1" {
		t.Errorf("%+v", a)
	}
	if err := w.Rollback(ctx, []string{gbx}, "tom", "too many alarms"); err != nil {
		t.Fatal(err)
	}
	if a := w.look1(); a.Wanted != "gbx-1" {
		t.Errorf("%+v", a)
	}
	if err := w.Promote(ctx, plant.LearnedModel, []string{gbx}, "tom", "none of it"); err != nil {
		t.Fatal(err)
	}
	all, err := w.Overview(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(all.Bundles) != 2 || all.Bundles[1].ID != "gbx-1" || all.Bundles[1].Size == 0 || len(all.Bundles[1].SHA256) != 64 {
		t.Errorf("%+v", all.Bundles)
	}
	want := []string{"promote learned", "rollback gbx-1", "promote class-1", "promote gbx-1", "shadow gbx-1", "push class-1", "push gbx-1", "init "}
	for i, e := range all.History {
		if got := e.Action + " " + e.Bundle; i >= len(want) || got != want[i] {
			t.Errorf("history %d: %s", i, got)
		}
	}
	if e := all.History[1]; e.Who != "tom" || e.Reason != "too many alarms" || len(e.Assets) != 1 || e.At == 0 {
		t.Errorf("%+v", e)
	}
	if text, err := w.Report(ctx, "gbx-1"); err != nil || text != "# gbx-1\n\n![loss](loss.svg)\n" {
		t.Error(text, err)
	}

	f := func(want, err error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
	f(ErrNotFound, w.Promote(ctx, "gbx-9", []string{gbx}, "eva", "r"))
	f(ErrNotFound, w.Promote(ctx, "", []string{gbx}, "eva", "r"))
	f(ErrNotFound, w.Promote(ctx, "gbx-1", nil, "eva", "r"))
	f(ErrNotFound, w.Promote(ctx, "gbx-1", []string{"HSM/NOWHERE"}, "eva", "r"))
	f(ErrNotFit, w.Promote(ctx, "gbx-1", []string{gbx, "HSM/GBX2"}, "eva", "r"))
	f(ErrNotFit, w.Shadow(ctx, "class-1", []string{"HSM/P1"}, "eva", "r"))
	f(ErrReason, w.Promote(ctx, "gbx-1", []string{gbx}, "eva", " "))
	f(ErrReason, w.Rollback(ctx, []string{gbx}, "eva", ""))
	f(ErrNothing, w.Rollback(ctx, []string{"HSM/P1"}, "eva", "r"))
	_, err = w.Report(ctx, "gbx-9")
	f(ErrNotFound, err)
	if after, _ := w.Overview(ctx); len(after.History) != len(all.History) {
		t.Error("a refused change has changed the plan")
	}
}

func TestFilesAreWhatAnEdgeFetches(t *testing.T) {
	w := newWorks(t)
	w.init()
	w.push(gearbox)
	mux := http.NewServeMux()
	mux.Handle("/tuf/", http.StripPrefix("/tuf", w.Files()))
	server := httptest.NewServer(mux)
	defer server.Close()
	root, err := w.repo.Root()
	if err != nil {
		t.Fatal(err)
	}
	c := &bundle.Client{URL: server.URL + "/tuf/", Root: root, Dir: t.TempDir()}
	v, err := c.Fetch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if b, err := v.Load(t.Context(), "gbx-1"); err != nil || len(b) == 0 {
		t.Error(len(b), err)
	}
	res, err := http.Get(server.URL + "/tuf/../keys/")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if b, _ := io.ReadAll(res.Body); res.StatusCode != 404 {
		t.Errorf("%d %s", res.StatusCode, b)
	}
}

// TestDrift tells scores of a day as an edge does: as in calibration, and worse.
func TestDrift(t *testing.T) {
	w := newWorks(t)
	w.init()
	b := w.push(gearbox)
	law := &b.Trained.Modes[0].Law
	start := w.now
	if err := w.Promote(t.Context(), "gbx-1", []string{gbx}, "eva", "good"); err != nil {
		t.Fatal(err)
	}
	if a := w.look1(); a.Drift != nil {
		t.Errorf("without a score: %+v", a.Drift)
	}
	w.append(plant.Batch{States: []plant.State{{Tag: w.ids[gbx+"/$MODE"], Time: start.Add(-time.Hour).UnixNano(), Value: "running"}}})
	draw := rand.New(rand.NewPCG(1, 1))
	// The score of a window of the network is near chi-squared with 8 degrees.
	day := func(from time.Time, factor float64) {
		var batch plant.Batch
		last, rows := -1.0, 0
		for i := range 20_000 {
			sum := 0.0
			for range 8 {
				x := draw.NormFloat64()
				sum += x * x
			}
			v := math.Round(1000*min(1, law.Decades(factor*sum/8)/8)) / 1000
			if rows++; math.Abs(v-last) < 0.02 && rows < 10 {
				continue
			}
			last, rows = v, 0
			batch.Samples = append(batch.Samples, plant.Sample{Tag: w.ids[gbx+"/$SCORE"], Time: from.Add(time.Duration(i) * time.Second).UnixNano(), Value: v})
		}
		w.append(batch)
	}
	day(start.Add(time.Minute), 1)
	w.now = start.Add(6 * time.Hour)
	a := w.look1()
	if a.Drift == nil || a.Drift.State != "ok" || a.Drift.Rows < 19_000 || a.Drift.Rows > 20_100 {
		t.Errorf("%+v", a.Drift)
	}
	day(start.Add(48*time.Hour), 1.6)
	w.now = start.Add(54 * time.Hour)
	if a = w.look1(); a.Drift == nil || a.Drift.State != "act" {
		t.Errorf("%+v", a.Drift)
	}
	// A mode that the bundle does not know says nothing of it.
	w.append(plant.Batch{States: []plant.State{{Tag: w.ids[gbx+"/$MODE"], Time: start.Add(47 * time.Hour).UnixNano(), Value: "idle"}}})
	if a = w.look1(); a.Drift != nil {
		t.Errorf("%+v", a.Drift)
	}
	// Nor does an edge that runs something else.
	w.edges = []plant.EdgeStatus{{Name: "edge-1", Models: []plant.ModelStatus{{Asset: gbx, Running: plant.LearnedModel}}}}
	w.now = start.Add(6 * time.Hour)
	if a = w.look1(); a.Drift != nil {
		t.Errorf("%+v", a.Drift)
	}
}

func TestComparison(t *testing.T) {
	w := newWorks(t)
	w.init()
	w.push(gearbox)
	start := w.now
	if err := w.Shadow(t.Context(), "gbx-1", []string{gbx}, "eva", "a try"); err != nil {
		t.Fatal(err)
	}
	if a := w.look1(); a.Compare != nil {
		t.Errorf("before the shadow has said anything: %+v", a.Compare)
	}
	at := func(hours float64) time.Time { return start.Add(time.Duration(hours * float64(time.Hour))) }
	// The shadow would have told at 10 h, 20 h (twice, with a minute in between) and 40 h.
	open := func(h float64) bool {
		return h >= 10 && h < 10.5 || h >= 20 && h < 20.2 || h >= 20.25 && h < 20.4 || h >= 40 && h < 41
	}
	var batch plant.Batch
	for i := range 72 * 60 {
		h := float64(i) / 60
		v := 0.0
		if open(h) {
			v = 1
		}
		batch.Samples = append(batch.Samples, plant.Sample{Tag: w.ids[gbx+"/$WOULD"], Time: at(h).UnixNano(), Value: v})
	}
	w.append(batch)
	w.alarmed(gbx, "wpca", "wpca", at(-5), at(-4))        // before the shadow ran
	w.alarmed(gbx, "wpca", "wpca", at(9.95), at(10.2))    // both
	w.alarmed(gbx, "wpca", "autoencoder", at(30), at(31)) // only active
	w.alarmed(gbx, "wpca", "wpca", at(41.05), at(41.1))   // both: three minutes later
	w.alarmed(gbx, "limit/x", "limit", at(50), at(51))    // no model's
	w.alarmed("HSM/GBX2", "wpca", "wpca", at(20), at(21)) // another machine
	w.now = at(72)
	c := w.look1().Compare
	if c == nil || c.Both != 2 || c.OnlyActive != 1 || c.OnlyShadow != 2 {
		t.Fatalf("%+v", c)
	}
	if c.From != at(0).UnixNano() || math.Abs(c.PerWeek-4/(72.0/168)) > 0.1 {
		t.Errorf("%+v", c)
	}
	// Only the last week counts.
	w.now = at(24*7 + 25)
	if c = w.look1().Compare; c == nil || c.Both != 1 || c.OnlyActive != 1 || c.OnlyShadow != 0 {
		t.Errorf("%+v", c)
	}
}

func TestSignedAnewAtStart(t *testing.T) {
	w := newWorks(t)
	w.now = time.Now()
	w.init()
	before, _, err := w.repo.Plan()
	if err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(200 * 24 * time.Hour)
	if err := w.Open(); err != nil {
		t.Fatal(err)
	}
	root, err := w.repo.Root()
	if err != nil {
		t.Fatal(err)
	}
	c := &bundle.Client{URL: "file://" + filepath.Join(w.Dir, "repository"), Root: root, Dir: t.TempDir(),
		Now: func() time.Time { return w.now.Add(360 * 24 * time.Hour) }}
	if v, err := c.Fetch(t.Context()); err != nil || v.Plan.Version != before.Version {
		t.Error(err)
	}
}

func TestGive(t *testing.T) {
	w := newWorks(t)
	o := plant.Order{Who: "eva", Reason: "seen on site", Edge: "edge-1", PLC: "plc1", Tag: gbx + "/A", As: plant.ReleaseSame}
	if err := w.Give(t.Context(), o); !errors.Is(err, ErrNotReady) {
		t.Errorf("without a repository: %v", err)
	}
	if got, err := w.Orders(t.Context()); err != nil || got != nil {
		t.Errorf("without a repository: %v, %v", got, err)
	}
	w.init()
	for range 2 {
		if err := w.Give(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	got, err := w.Orders(t.Context())
	if err != nil || len(got) != 2 || got[0].Number >= got[1].Number || got[1].At != w.now.UnixNano() || got[1].Tag != o.Tag {
		t.Errorf("%+v, %v", got, err)
	}
	o.As = "write"
	if err := w.Give(t.Context(), o); err == nil {
		t.Error("an order that says nothing was signed")
	}
}
