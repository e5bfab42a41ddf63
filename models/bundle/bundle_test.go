package bundle_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"flag"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"millwright/models/bundle"
	"millwright/models/bundle/bundletest"
	"millwright/models/detect"
	"millwright/plant"
)

func gearbox(t testing.TB) *bundle.Bundle {
	return bundletest.New(t, bundletest.Options{
		ID: "HSM.GBX-1", Asset: "HSM/GBX", Class: "gearbox", Tags: []string{"HSM/GBX/VIB_H", "HSM/GBX/VIB_V"}, Seed: 7,
	})
}

func TestWriteAndRead(t *testing.T) {
	b := gearbox(t)
	file := bundletest.File(t, b)
	if !bytes.Equal(file, bundletest.File(t, gearbox(t))) {
		t.Error("the same bundle gives other bytes")
	}
	got, err := bundle.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	b.Format = 1
	if !reflect.DeepEqual(got, b) {
		t.Errorf("read\n%+v, wrote\n%+v", got, b)
	}
	if _, err := got.Replay(); err != nil {
		t.Error(err)
	}
	s := got.Summary()
	if s.ID != "HSM.GBX-1" || len(s.Tags) != 2 || len(s.Modes) != 1 || s.Metrics["alarms_per_week"] != 0.5 {
		t.Errorf("%+v", s)
	}

	// Any unzip reads it.
	z, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
		names = append(names, f.Name)
	}
	if want := "manifest.json 0.network 0.golden report.md loss.svg"; strings.Join(names, " ") != want {
		t.Errorf("holds %v", names)
	}
}

// TestEveryFlippedBitIsRefused: there is no byte of a bundle that does not count.
func TestEveryFlippedBitIsRefused(t *testing.T) {
	file := bundletest.File(t, gearbox(t))
	for i := range file {
		bad := bytes.Clone(file)
		bad[i] ^= 1 << (i % 8)
		if _, err := bundle.Read(bad); !errors.Is(err, bundle.ErrBundle) {
			t.Fatalf("byte %d: %v", i, err)
		}
	}
	for i := range 200 {
		n := len(file) * i / 200
		if _, err := bundle.Read(file[:n]); !errors.Is(err, bundle.ErrBundle) {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
	}
	if _, err := bundle.Read(append(bytes.Clone(file), 0)); !errors.Is(err, bundle.ErrBundle) {
		t.Error("something follows it:", err)
	}
	if _, err := bundle.Read(make([]byte, bundle.MaxSize+1)); !errors.Is(err, bundle.ErrBundle) {
		t.Error("too large:", err)
	}
}

func TestCheck(t *testing.T) {
	f := func(want string, change func(b *bundle.Bundle)) {
		t.Helper()
		b := gearbox(t)
		change(b)
		err := bundle.Write(io.Discard, b)
		if !errors.Is(err, bundle.ErrBundle) || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	mode := func(b *bundle.Bundle) *detect.TrainedMode { return &b.Trained.Modes[0] }
	f("is no ID", func(b *bundle.Bundle) { b.ID = "../root" })
	f("is no ID", func(b *bundle.Bundle) { b.ID = "a..b" })
	f("is no ID", func(b *bundle.Bundle) { b.ID = plant.LearnedModel })
	f("is no ID", func(b *bundle.Bundle) { b.ID = strings.Repeat("a", 121) })
	f("the model is", func(b *bundle.Bundle) { b.ID = "other" })
	f("kind", func(b *bundle.Bundle) { b.Kind = "oracle" })
	f("neither asset nor class", func(b *bundle.Bundle) { b.Asset, b.Class, b.Trained.Asset = "", "", "" })
	f("version 0", func(b *bundle.Bundle) { b.Version = 0 })
	f("budget", func(b *bundle.Bundle) { b.Budget = math.NaN() })
	f("metric", func(b *bundle.Bundle) { b.Metrics["x"] = math.Inf(1) })
	f("trained from", func(b *bundle.Bundle) { b.From = b.To + 1 })
	f("report", func(b *bundle.Bundle) { b.Report = strings.Repeat("x", 1<<20+1) })
	f("no model", func(b *bundle.Bundle) { b.Trained = nil })
	f("grid", func(b *bundle.Bundle) { b.Trained.Grid = 0 })
	f("modes", func(b *bundle.Bundle) { b.Trained.Modes = nil; b.Tags = nil })
	f("named twice", func(b *bundle.Bundle) { b.Tags[1] = b.Tags[0] })
	f("does not name", func(b *bundle.Bundle) { b.Tags = b.Tags[:1] })
	f("no mode uses", func(b *bundle.Bundle) { b.Tags = append(b.Tags, bundle.Tag{Path: "HSM/GBX/SPEED"}) })
	f("golden windows of 0", func(b *bundle.Bundle) { b.Golden = nil })
	f("15 golden windows", func(b *bundle.Bundle) {
		b.Golden[0].Windows, b.Golden[0].Scores = b.Golden[0].Windows[1:], b.Golden[0].Scores[1:]
	})
	f("golden window 3 has", func(b *bundle.Bundle) { b.Golden[0].Windows[3] = b.Golden[0].Windows[3][1:] })
	f("golden score 2", func(b *bundle.Bundle) { b.Golden[0].Scores[2] = math.NaN() })
	f("golden window 1 holds", func(b *bundle.Bundle) { b.Golden[0].Windows[1][0] = float32(math.Inf(1)) })
	f("no network", func(b *bundle.Bundle) { mode(b).Network = nil })
	f("not finite", func(b *bundle.Bundle) { mode(b).Network.Layers[0].W[0] = float32(math.NaN()) })
	f("network of 8 rows", func(b *bundle.Bundle) { b.Window = 9 })
	f("means", func(b *bundle.Bundle) { mode(b).Mean = nil })
	f("scale 0", func(b *bundle.Bundle) { mode(b).Scale[0] = 0 })
	f("reach", func(b *bundle.Bundle) { mode(b).Reach = math.Inf(1) })
	f("limit", func(b *bundle.Bundle) { mode(b).Limit = -1 })
	f("mode", func(b *bundle.Bundle) { mode(b).Mode = "" })
	f("law", func(b *bundle.Bundle) { mode(b).Law = detect.Law{} })
	f("scores of 0", func(b *bundle.Bundle) { b.Scores = nil })
	f("share", func(b *bundle.Bundle) { b.Scores[0].Shares[0] = 2 })
	f("edges", func(b *bundle.Bundle) { b.Scores[0].Edges[1] = b.Scores[0].Edges[0] })
	f("plot", func(b *bundle.Bundle) { b.Plots[0].Name = "loss.png" })
	f("plot", func(b *bundle.Bundle) { b.Plots[0].Name = "../loss.svg" })
	f("plot", func(b *bundle.Bundle) { b.Plots = append(b.Plots, b.Plots[0]) })
}

func TestReplay(t *testing.T) {
	b := gearbox(t)
	b.Trained.Modes[0].Network.Layers[1].W[3] += 0.5
	if _, err := b.Replay(); !errors.Is(err, bundle.ErrGolden) {
		t.Error("other weights:", err)
	}
	b = gearbox(t)
	b.Golden[0].Scores[15] *= 1 + 1e-4
	if _, err := b.Replay(); !errors.Is(err, bundle.ErrGolden) {
		t.Error("another score:", err)
	}
	b = gearbox(t)
	b.Golden[0].Scores[15] *= 1 + 1e-6
	if _, err := b.Replay(); err != nil {
		t.Error("rounding:", err)
	}
}

func TestFor(t *testing.T) {
	b := gearbox(t)
	if got, err := b.For(plant.Asset{Path: "HSM/GBX"}); err != nil || !slices.EqualFunc(got.Modes, b.Trained.Modes, func(a, b detect.TrainedMode) bool { return a.Network == b.Network }) || got.Units["HSM/GBX/VIB_H"] != "mm/s" {
		t.Error(got, err)
	}
	if _, err := b.For(plant.Asset{Path: "HSM/GBX2", Class: "gearbox"}); err == nil {
		t.Error("the bundle of one gearbox runs on another")
	}
	class := bundletest.New(t, bundletest.Options{ID: "gbx-1", Class: "gearbox", Tags: []string{"VIB_H"}})
	got, err := class.For(plant.Asset{Path: "HSM/GBX2", Class: "gearbox"})
	if err != nil {
		t.Fatal(err)
	}
	if got.Asset != "HSM/GBX2" || got.Modes[0].Tags[0] != "HSM/GBX2/VIB_H" || got.Units["HSM/GBX2/VIB_H"] != "mm/s" || class.Trained.Modes[0].Tags[0] != "VIB_H" {
		t.Errorf("%+v", got)
	}
	if _, err := class.For(plant.Asset{Path: "HSM/P1", Class: "pump"}); err == nil {
		t.Error("a gearbox's bundle runs on a pump")
	}
}

// TestScores holds live scores, told as an edge tells them, against the rows of a
// calibration.
func TestScores(t *testing.T) {
	draw := rand.New(rand.NewPCG(3, 1))
	rows := func(n int, factor float64) (out []float64) {
		x := 0.0
		for range n {
			x = 0.95*x + math.Sqrt(1-0.95*0.95)*draw.NormFloat64()
			p := 0.5 * math.Erfc(x/math.Sqrt2)
			out = append(out, min(1, factor*-math.Log10(p)/8))
		}
		return out
	}
	told := func(rows []float64) (values, held []float64) {
		since := 0
		for i, x := range rows {
			x = math.Round(x*1000) / 1000
			if i == 0 || math.Abs(x-values[len(values)-1]) >= 0.02 || i-since >= 10 {
				values, held = append(values, x), append(held, 0)
				since = i
			}
			held[len(held)-1]++
		}
		return values, held
	}
	s := bundle.NewScores(rows(20_000, 1))
	if len(s.Edges) < 2 {
		t.Errorf("%+v", s)
	}
	psi := func(factor float64) float64 {
		values, held := told(rows(20_000, factor))
		return s.PSI(values, held)
	}
	if same, more, other := psi(1), psi(2), psi(3); same > 0.05 || more < 0.1 || other < 0.25 {
		t.Errorf("PSI of the same machine %.3f, a worse one %.3f, another %.3f", same, more, other)
	} else {
		t.Logf("%.3f %.3f %.3f with edges %.3v", same, more, other, s.Edges)
	}
	// A model that mostly says 0 has fewer bins.
	if zero := bundle.NewScores([]float64{0, 0, 0, 0, 0, 0, 0, 0, 0.5, 1}); len(zero.Edges) != 1 || zero.Shares[0] < 0.89 {
		t.Errorf("%+v", zero)
	}
	if one := bundle.NewScores([]float64{1, 1, 1}); len(one.Edges) != 0 || one.Shares[0] < 0.999 || one.PSI(nil, nil) != 0 {
		t.Errorf("%+v", one)
	}
}

func FuzzRead(f *testing.F) {
	file := bundletest.File(f, gearbox(f))
	f.Add(file)
	f.Add(file[:len(file)/2])
	f.Add([]byte("PK\x05\x06"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := bundle.Read(b)
		if err != nil {
			return
		}
		var again bytes.Buffer
		if err := bundle.Write(&again, got); err != nil {
			t.Error(err)
		}
	})
}

func FuzzDecodePlan(f *testing.F) {
	f.Add([]byte(`{"version":2,"assets":[{"asset":"A","running":"x","previous":"learned","change":1,"at":5}],"history":[]}`))
	f.Add([]byte(`{"version":1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := bundle.DecodePlan(b)
		if err != nil {
			return
		}
		for _, a := range p.Assets {
			if got := p.Of(a.Asset); got != a {
				t.Errorf("%+v is found as %+v", a, got)
			}
		}
	})
}

func TestPlan(t *testing.T) {
	p := bundle.Plan{Version: 5}
	assets := []string{"B", "A"}
	check := func(asset, running, shadow, previous string) {
		t.Helper()
		got := p.Of(asset)
		if got.Running != running || got.Shadow != shadow || got.Previous != previous {
			t.Errorf("%+v", got)
		}
	}
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	const learned = plant.LearnedModel
	check("A", learned, "", learned)
	ok(p.Shadow(bundle.Entry{Bundle: "x", Assets: assets}))
	check("A", learned, "x", learned)
	if err := p.Promote(bundle.Entry{Bundle: "x", Assets: assets, Reason: " "}); !errors.Is(err, bundle.ErrReason) {
		t.Error(err)
	}
	ok(p.Promote(bundle.Entry{Bundle: "x", Assets: assets, Reason: "r"}))
	check("B", "x", "", learned)
	if err := p.Shadow(bundle.Entry{Bundle: "x", Assets: assets}); !errors.Is(err, bundle.ErrNothing) {
		t.Error(err)
	}
	ok(p.Promote(bundle.Entry{Bundle: "y", Assets: []string{"A"}, Reason: "r"}))
	check("A", "y", "", "x")
	p.Version = 6
	ok(p.Promote(bundle.Entry{Bundle: "y", Assets: []string{"A"}, Reason: "again"}))
	check("A", "y", "", "x")
	if p.Of("A").Change != 6 || p.Of("B").Change != 5 {
		t.Errorf("%+v", p.Assets)
	}
	ok(p.Rollback(bundle.Entry{Assets: []string{"A"}, Reason: "r"}))
	check("A", "x", "", learned)
	ok(p.Rollback(bundle.Entry{Assets: []string{"A"}, Reason: "r"}))
	check("A", learned, "", learned)
	if err := p.Rollback(bundle.Entry{Assets: []string{"A"}, Reason: "r"}); !errors.Is(err, bundle.ErrNothing) {
		t.Error(err)
	}
	if p.Assets[0].Asset != "A" || p.Assets[1].Asset != "B" || len(p.History) != 6 {
		t.Errorf("%+v", p)
	}
}

var update = flag.Bool("update", false, "write testdata anew")

// TestFormat reads a bundle of the first version and writes it again: another
// format needs another format number.
func TestFormat(t *testing.T) {
	const name = "testdata/gearbox.mwb"
	if *update {
		if err := os.WriteFile(name, bundletest.File(t, gearbox(t)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	b, err := bundle.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Replay(); err != nil {
		t.Error(err)
	}
	if !bytes.Equal(bundletest.File(t, b), file) {
		t.Error("it is written in other bytes now")
	}
}
