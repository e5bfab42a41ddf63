package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"millwright/historian/alarm"
	"millwright/historian/export"
	"millwright/historian/store"
	"millwright/models/bundle"
	"millwright/plant"
)

// trainData is the data folder of a stopped works: a bench of three sensors, for
// some hours.
func trainData(t *testing.T, length time.Duration) (dir string, from, to int64) {
	t.Helper()
	dir = t.TempDir()
	st, err := store.Open(store.Config{Dir: filepath.Join(dir, "historian", "store"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	var tags []plant.Tag
	for _, name := range []string{"FLOW", "PRESSURE", "CURRENT"} {
		tags = append(tags, plant.Tag{Path: "LAB/BENCH/" + name, Asset: "LAB/BENCH", Kind: plant.Analog, Unit: "1", Resolution: 0.001})
	}
	err = errors.Join(st.Intern(tags), st.SetAssets("edge", []plant.Asset{{Path: "LAB/BENCH", Name: "Bench", Class: "bench"}}))
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(4, 5))
	begin := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	rows := int(length / time.Second)
	var b plant.Batch
	load := 0.0
	for i := range rows {
		load += 0.1*(math.Sin(float64(i)/40)-load) + 0.1*rng.NormFloat64()
		for j, v := range []float64{80 + 10*load, 4 + load, 12 + 3*load} {
			b.Samples = append(b.Samples, plant.Sample{Tag: tags[j].ID, Time: begin.Add(time.Duration(i) * time.Second).UnixNano(),
				Value: math.Round(1000*(v+[]float64{0.5, 0.05, 0.2}[j]*rng.NormFloat64())) / 1000})
		}
		if len(b.Samples) > 3000 || i == rows-1 {
			if err := st.Append(t.Context(), b, nil); err != nil {
				t.Fatal(err)
			}
			b.Reset()
		}
	}
	book, err := alarm.Open(filepath.Join(dir, "historian", "alarms"))
	if err := errors.Join(err, book.Close(), st.Close()); err != nil {
		t.Fatal(err)
	}
	return dir, begin.UnixNano(), begin.Add(length).UnixNano()
}

// TestTrainVerb trains from a data folder, an export and a running plant: the
// bundle is the same, but for the time of its making.
func TestTrainVerb(t *testing.T) {
	data, from, to := trainData(t, 90*time.Minute)
	stamp := func(ns int64) string { return time.Unix(0, ns).UTC().Format(time.RFC3339) }
	src, err := (&trainCmd{Data: data}).open(nil, from, to)
	if err != nil {
		t.Fatal(err)
	}
	works := src.Source.(export.Works)
	file := filepath.Join(t.TempDir(), "bench.parquet")
	job := export.Job{Source: works, Version: "test"}
	if _, err := job.WriteFile(t.Context(), export.Query{Asset: "LAB/BENCH", From: from, To: to}, file); err != nil {
		t.Fatal(err)
	}
	service := &export.Service{Source: works, Version: "test"}
	asked := ""
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.Path + " " + r.Header.Get("Authorization")
		if err := service.Serve(r.Context(), w, r.URL.Query()); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	}))
	defer page.Close()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := func(args ...string) (*bundle.Bundle, string) {
		t.Helper()
		out := t.TempDir()
		var stdout, stderr bytes.Buffer
		args = append([]string{"train", "--asset", "LAB/BENCH", "--window", "20", "--epochs", "2", "--nets", "1", "--backtest", "0.15", "--who", "eva", "-o", out}, args...)
		if code := run(args, strings.NewReader(""), &stdout, &stderr); code != 0 {
			t.Fatalf("%q: exit %d: %s", args, code, stderr.String())
		}
		if !strings.Contains(stderr.String(), "training ") || !strings.Contains(stderr.String(), "validation") || strings.ContainsAny(stderr.String(), "\r\x1b") {
			t.Errorf("progress is\n%s", stderr.String())
		}
		if !strings.Contains(stdout.String(), "millwright models push ") {
			t.Errorf("says\n%s", stdout.String())
		}
		names, _ := filepath.Glob(filepath.Join(out, "*.mwb"))
		if len(names) != 1 {
			t.Fatalf("bundles %v", names)
		}
		raw, err := os.ReadFile(names[0])
		if err != nil {
			t.Fatal(err)
		}
		b, err := bundle.Read(raw)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"report.md", "backtest.svg", "calibration.svg", "loss.svg", "rows.svg"} {
			if _, err := os.Stat(filepath.Join(out, b.ID, name)); err != nil {
				t.Error(err)
			}
		}
		if b.Author != "eva" || b.Version != 1 || b.Created == 0 {
			t.Errorf("author %q, version %d, created %d", b.Author, b.Version, b.Created)
		}
		return b, out
	}
	byURL, _ := f("--url", page.URL, "--token-file", token, "--from", stamp(from), "--to", stamp(to))
	if asked != "/api/v1/export Bearer secret" {
		t.Errorf("asked %q", asked)
	}
	if err := src.close(); err != nil {
		t.Fatal(err)
	}
	byFile, out := f("--in", file)
	byData, _ := f("--data", data, "--from", stamp(from), "--to", stamp(to))
	for _, b := range []*bundle.Bundle{byFile, byData} {
		if b.ID != byURL.ID || b.Hash != byURL.Hash || b.Report != byURL.Report {
			t.Errorf("%s, %s and %s were trained on the same data", byURL.ID, byFile.ID, byData.ID)
		}
	}
	if n, err := nextVersion(out, "LAB/BENCH"); n != 2 || err != nil {
		t.Errorf("next version %d, %v", n, err)
	}
}

// TestTrainStops ends the verb in the middle: nothing is left.
func TestTrainStops(t *testing.T) {
	data, from, to := trainData(t, 90*time.Minute)
	out := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	c := &trainCmd{Asset: "LAB/BENCH", Data: data, From: time.Unix(0, from).UTC().Format(time.RFC3339), To: time.Unix(0, to).UTC().Format(time.RFC3339),
		Budget: 1, Backtest: 0.15, Seed: 1, Window: 20, Epochs: 60, Speed: 1, Out: out}
	stop := writer(func(b []byte) (int, error) {
		if bytes.Contains(b, []byte("epoch  2")) {
			cancel()
		}
		return len(b), nil
	})
	var stdout bytes.Buffer
	err := c.Run(&env{ctx: ctx, stdout: &stdout, stderr: stop})
	if err == nil || err.Error() != "stopped; nothing was written" || stdout.Len() > 0 {
		t.Errorf("%v, says %q", err, stdout.String())
	}
	left, err := os.ReadDir(out)
	if err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

type writer func(b []byte) (int, error)

func (w writer) Write(b []byte) (int, error) { return w(b) }
