package export_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"testing"

	"github.com/parquet-go/parquet-go"

	"millwright/historian/export"
	"millwright/historian/store/storetest"
	"millwright/plant"
)

// file exports to a file and opens it.
func (w *works) file(q export.Query) (string, *export.File) {
	w.t.Helper()
	name := filepath.Join(w.t.TempDir(), "x.parquet")
	if _, err := w.job().WriteFile(context.Background(), q, name); err != nil {
		w.t.Fatal(err)
	}
	f, err := export.Open(name)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = f.Close() })
	return name, f
}

func scan(t *testing.T, s export.Source, r plant.Range) plant.Block {
	t.Helper()
	var out plant.Block
	for b, err := range s.Scan(t.Context(), r) {
		if err != nil {
			t.Fatal(err)
		}
		out.Times = append(out.Times, b.Times...)
		out.Values = append(out.Values, b.Values...)
		out.Quality = append(out.Quality, b.Quality...)
	}
	return out
}

// What is read back is what the store has: in every part of the span, with every
// limit.
func TestReadBack(t *testing.T) {
	w := mill(t)
	tags := storetest.Tags(4)
	ids := w.intern(tags...)
	mix := storetest.NewMix(ids, at(0), second/100, 4)
	rounds := 300_000 // more rows than a row group has
	if raceEnabled {
		rounds = 30_000
	}
	var b plant.Batch
	for i := range rounds {
		b.Samples = mix.Next(b.Samples)
		if i%2000 == 1999 {
			w.append(b)
			b.Reset()
		}
	}
	q := export.Query{Tags: []string{"*"}, From: at(0), To: at(10_000)}
	_, f := w.file(q)
	src := w.source()

	known := map[string]plant.Tag{}
	for _, tag := range src.Tags() {
		known[tag.Path] = tag
	}
	rng := rand.New(rand.NewPCG(5, 6))
	for _, tag := range f.Tags() {
		from := known[tag.Path]
		want := from
		want.ID = tag.ID
		want.Node, want.Queue, want.Trigger = "", 0, ""
		if want.Kind == "" {
			want.Kind = plant.Analog
		}
		if tag != want {
			t.Errorf("got %+v, want %+v", tag, want)
		}
		for i := range 12 {
			r := plant.Range{From: q.From, To: q.To}
			if i > 0 {
				r.From, r.To = at(rng.Float64()*3100-50), at(rng.Float64()*3100-50)
				r.Limit = []int{0, 1, 5000}[rng.IntN(3)]
			}
			there := r
			there.Tag, there.From, there.To = from.ID, max(r.From, q.From), min(r.To, q.To)
			r.Tag = tag.ID
			got, want := scan(t, f, r), scan(t, src, there)
			for k, v := range want.Values {
				if math.IsInf(v, 0) {
					want.Values[k] = math.NaN()
				}
			}
			if !same(got, want) {
				t.Fatalf("%s %+v: %d samples, want %d", tag.Path, r, len(got.Times), len(want.Times))
			}
			texts, err := f.States(t.Context(), r)
			wantTexts, err2 := src.States(t.Context(), there)
			for k := range wantTexts {
				wantTexts[k].Tag = tag.ID
			}
			if err != nil || err2 != nil || len(texts)+len(wantTexts) > 0 && !reflect.DeepEqual(texts, wantTexts) {
				t.Fatalf("%s %+v: %v, want %v, %v %v", tag.Path, r, texts, wantTexts, err, err2)
			}
			holes, err := f.Gaps(t.Context(), r)
			wantHoles, err2 := src.Gaps(t.Context(), there)
			for k := range wantHoles {
				wantHoles[k].Tag = tag.ID
			}
			if err != nil || err2 != nil || len(holes)+len(wantHoles) > 0 && r.From >= q.From && r.To > r.From && !reflect.DeepEqual(limited(holes, r.Limit), limited(wantHoles, r.Limit)) {
				t.Fatalf("%s %+v: %v, want %v, %v %v", tag.Path, r, holes, wantHoles, err, err2)
			}
		}
	}
	if got, want := f.Assets(), src.Assets(); !reflect.DeepEqual(got, want) {
		t.Errorf("assets: %+v, want %+v", got, want)
	}
	lq := plant.LabelQuery{Asset: "HSM", From: at(0), To: at(100)}
	got, err := f.Labels(t.Context(), lq)
	want, err2 := src.Labels(t.Context(), lq)
	if err != nil || err2 != nil || len(got) != 2 || !reflect.DeepEqual(got, want) {
		t.Errorf("labels: %+v, want %+v, %v %v", got, want, err, err2)
	}
	lq.Limit = 1
	if got, _ := f.Labels(t.Context(), lq); len(got) != 1 || got[0].ID != want[0].ID {
		t.Errorf("first page: %+v", got)
	}
	lq.Before = want[0].ID
	if got, _ := f.Labels(t.Context(), lq); len(got) != 1 || got[0].ID != want[1].ID {
		t.Errorf("second page: %+v", got)
	}
	alarms, err := f.Alarms(t.Context(), gearbox, at(0), at(100))
	if err != nil || len(alarms) != 3 || alarms[0].Finding.Key != "wpca" || alarms[0].Raised != at(1) || alarms[0].Returned != at(2.001) ||
		alarms[1].Raised != at(4) || alarms[1].Returned != at(7) || alarms[2].Returned != 0 {
		t.Errorf("alarms: %+v, %v", alarms, err)
	}
	if got, _ := f.Alarms(t.Context(), "", at(7), at(8)); len(got) != 2 {
		t.Errorf("alarms at 7 s: %+v", got)
	}

	// It can be exported again, without the modes that only its rows have.
	again := &export.Job{Source: f, Version: "test"}
	q.Tags = []string{"MIX/*"}
	var out bytes.Buffer
	if _, err := again.Write(t.Context(), q, &out); err != nil {
		t.Fatal(err)
	}
	if direct, _ := w.export(q); direct != out.String() {
		t.Error("an export of an export differs")
	}
	if got := scan(t, f, plant.Range{Tag: 99, From: at(0), To: at(1)}); len(got.Times) != 0 {
		t.Error("an unknown tag has samples")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range f.Scan(ctx, plant.Range{Tag: 1, From: at(0), To: at(100)}) {
		if !errors.Is(err, context.Canceled) {
			t.Error("cancelled:", err)
		}
	}
}

func limited[T any](s []T, n int) []T {
	if n > 0 && len(s) > n {
		return s[:n]
	}
	return s
}

func same(a, b plant.Block) bool {
	if len(a.Times) != len(b.Times) {
		return false
	}
	for i := range a.Times {
		if a.Times[i] != b.Times[i] || a.Quality[i] != b.Quality[i] || math.Float64bits(a.Values[i]) != math.Float64bits(b.Values[i]) && (a.Values[i] == a.Values[i] || b.Values[i] == b.Values[i]) {
			return false
		}
	}
	return true
}

// An export of nothing is a file too.
func TestEmpty(t *testing.T) {
	w := mill(t)
	q := span()
	q.From, q.To = at(-9e6), at(-8e6)
	_, f := w.file(q)
	for _, tag := range f.Tags() {
		if b := scan(t, f, plant.Range{Tag: tag.ID, From: math.MinInt64, To: math.MaxInt64}); len(b.Times) != 0 {
			t.Error(tag.Path, b)
		}
	}
	q.Format = export.Arrow
	if text, m := w.export(q); m.Rows != 0 || arrowText(t, text) != "tag,time,value,text,quality,severity,mode,label,finding,gap\n" {
		t.Error(m.Rows)
	}
}

// Files of others and damaged ones are refused, and it is said which they are.
func TestOpenRefuses(t *testing.T) {
	w := mill(t)
	name, _ := w.file(span())
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	refused := func(what string, b []byte, want ...error) {
		t.Helper()
		name := filepath.Join(dir, "f")
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := export.Open(name)
		if err == nil {
			t.Errorf("%s was opened", what)
			_ = f.Close()
			return
		}
		for _, e := range want {
			if errors.Is(err, e) {
				return
			}
		}
		t.Errorf("%s: %v", what, err)
	}
	refused("nothing", nil, export.ErrForeign)
	refused("text", []byte("tag,time\nA,2026-03-01\n"), export.ErrForeign)
	var foreign bytes.Buffer
	pw := parquet.NewGenericWriter[struct{ A int64 }](&foreign)
	if _, err := pw.Write([]struct{ A int64 }{{1}, {2}}); err != nil {
		t.Fatal(err)
	}
	if err := pw.Close(); err != nil {
		t.Fatal(err)
	}
	refused("a file of another program", foreign.Bytes(), export.ErrForeign)
	q := span()
	q.Shape = export.Wide
	wide, _ := w.export(q)
	refused("a wide file", []byte(wide), export.ErrForeign)
	newer := bytes.Replace(whole, []byte(`{"format":1,`), []byte(`{"format":9,`), 1)
	refused("a newer file", newer, export.ErrNewer)
	other := bytes.Replace(whole, []byte(`VIB_H","asset"`), []byte(`VIB_0","asset"`), 1)
	refused("a manifest that does not fit its gaps", other, export.ErrDamaged)
	for n := range 40 {
		refused("a part", whole[:4+(len(whole)-4)*n/40], export.ErrDamaged, export.ErrForeign)
	}
	if _, err := export.Open(dir); err == nil {
		t.Error("a folder was opened")
	}
	if _, err := export.Open(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	// Every byte of the rows is covered by the seal. What says where they are is
	// covered by checks: no row may come out different.
	_, f := w.file(span())
	rng := rand.New(rand.NewPCG(7, 8))
	for range 400 {
		bad := bytes.Clone(whole)
		i := rng.IntN(len(bad))
		bad[i] ^= 1 << rng.IntN(8)
		name := filepath.Join(dir, "f")
		if err := os.WriteFile(name, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		g, err := export.Open(name)
		if err != nil {
			continue
		}
		read(g)
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if err := f.Close(); err != nil {
		t.Error("closed twice:", err)
	}
}

// read reads all that a file has, whatever it is.
func read(f *export.File) (samples, texts int) {
	ctx := context.Background()
	for _, tag := range f.Tags() {
		r := plant.Range{Tag: tag.ID, From: math.MinInt64, To: math.MaxInt64}
		for b, err := range f.Scan(ctx, r) {
			if err != nil {
				break
			}
			samples += len(b.Times)
		}
		r.From = at(3)
		for b, err := range f.Scan(ctx, r) {
			if err != nil {
				break
			}
			samples += len(b.Times)
		}
		found, _ := f.States(ctx, r)
		_, _ = f.Gaps(ctx, r)
		texts += len(found)
	}
	_, _ = f.Labels(ctx, plant.LabelQuery{})
	_, _ = f.Alarms(ctx, "", math.MinInt64, math.MaxInt64)
	return samples, texts
}

// FuzzOpen opens files with patches: each three bytes say where and what. They are
// sealed again, so that damage gets as far into the reader as it can. It never
// panics nor takes much memory, and what it opens can be read or says what is
// wrong.
func FuzzOpen(f *testing.F) {
	w := mill(f)
	name, _ := w.file(span())
	whole, err := os.ReadFile(name)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{})
	f.Add([]byte{0, 0, 'p'})
	f.Add([]byte{0, 40, 255, 1, 44, 0, 2, 200, 127})
	f.Add(patch(len(whole)-5, 0x7f))
	f.Add(patch(len(whole)-700, 0xff))
	for i := range 16 { // the first pages, whose headers say how long they are
		f.Add(patch(4+i, 0x0c))
	}
	f.Fuzz(func(t *testing.T, patches []byte) {
		b := bytes.Clone(whole)
		for ; len(patches) >= 3; patches = patches[3:] {
			if i := int(patches[0])<<8 | int(patches[1]); i < len(b) {
				b[i] = patches[2]
			}
		}
		reseal(b)
		name := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		g, err := export.Open(name)
		if err != nil {
			if !errors.Is(err, export.ErrDamaged) && !errors.Is(err, export.ErrForeign) && !errors.Is(err, export.ErrNewer) {
				t.Error("an error of no kind:", err)
			}
			return
		}
		read(g)
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
}

func patch(at int, v byte) []byte { return []byte{byte(at >> 8), byte(at), v} }

var sealed = regexp.MustCompile(`\{"size":(\d+),"sha256":"([0-9a-f]{64})"\}`)

// reseal writes the hash of the rows as they are now.
func reseal(b []byte) {
	m := sealed.FindSubmatchIndex(b)
	if m == nil {
		return
	}
	n, err := strconv.Atoi(string(b[m[2]:m[3]]))
	if err == nil && n >= 0 && n <= len(b) {
		copy(b[m[4]:m[5]], sha(b[:n]))
	}
}
