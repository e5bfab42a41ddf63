package collector

import (
	"bufio"
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

func TestBurst(t *testing.T) {
	tags := []plant.Tag{{ID: 7, Path: "a", Kind: plant.Burst, Rate: 100}, {ID: 8, Path: "b", Kind: plant.Burst, Rate: 10, Scale: 2, Offset: -1}}
	tr := newTranslator(tags)
	odd := []float32{1.5, float32(math.Copysign(0, -1)), float32(math.Inf(1)), math.SmallestNonzeroFloat32}
	for _, c := range []struct {
		value any
		tag   uint32
		want  []float32
		wrong string
	}{
		{odd, 7, odd, ""},
		{[]float64{0.1, -2}, 7, []float32{0.1, -2}, ""},
		{[]int16{-3, 4}, 8, []float32{-7, 7}, ""},
		{ua.ByteArray{1, 255}, 7, []float32{1, 255}, ""},
		{[]uint64{1 << 40}, 7, []float32{1 << 40}, ""},
		{[]float32{}, 7, []float32{}, ""},
		{nil, 7, nil, ""},
		{2.5, 7, nil, "sends float64, the tag is a waveform: an array of numbers"},
		{[]string{"x"}, 7, nil, "sends an array of 1, the tag is a waveform"},
		{[][]float32{{1, 2}, {3, 4}}, 7, nil, "sends an array of 2 dimensions"},
		{make([]float32, plant.MaxWaveform+1), 7, nil, "sends an array of 65537 values, allowed are 65536"},
	} {
		tr.translate(dataChange(1, value(c.tag, c.value, 0, at(1000))))
		i := int(c.tag - 7)
		if c.wrong != "" {
			if len(tr.batch.Waveforms) > 0 || !strings.HasPrefix(tr.wrong[i], c.wrong) {
				t.Errorf("%T: %v, %q", c.value, tr.batch.Waveforms, tr.wrong[i])
			}
			delete(tr.wrong, i)
			continue
		}
		if len(tr.batch.Waveforms) != 1 {
			t.Fatalf("%T: %d waveforms, %v", c.value, len(tr.batch.Waveforms), tr.wrong)
		}
		w := tr.batch.Waveforms[0]
		if !slices.EqualFunc(w.Values, c.want, func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }) ||
			w.Tag != plant.TagID(c.tag) || w.Time != 1000*oneMilli || w.Rate != tags[i].Rate || (w.Quality == plant.BadNoData) != (len(c.want) == 0) {
			t.Errorf("%T: %+v, want %v", c.value, w, c.want)
		}
	}
	// An overflow is a gap as with any other tag, and a millisecond has one waveform.
	tr.translate(dataChange(2, value(7, odd, 0, at(2000)), value(7, odd[:1], 0, at(2000)), value(7, odd, overflow, at(3000))))
	if n := len(tr.batch.Waveforms); n != 2 || len(tr.batch.Waveforms[0].Values) != 1 {
		t.Errorf("%d waveforms", n)
	}
	if want := []plant.Gap{{Tag: 7, From: 1001 * oneMilli, To: 2000 * oneMilli, Reason: GapWrongType}, {Tag: 7, From: 2001 * oneMilli, To: 3000 * oneMilli, Reason: plant.GapOverflow}}; !same(tr.batch.Gaps, want) {
		t.Errorf("gaps %v", tr.batch.Gaps)
	}
}

// waves is a sink that keeps waveforms.
type waves struct {
	*store
	mu   sync.Mutex
	list map[key]plant.Waveform
}

func (w *waves) Write(ctx context.Context, b plant.Batch) error {
	if err := w.store.Write(ctx, b); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, x := range b.Waveforms {
		w.list[key{x.Tag, x.Time / oneMilli}] = x
	}
	return nil
}

func (w *waves) size() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.list)
}

// TestBursts: arrays of a foreign server are waveforms, each value of each as the
// server's log has it; one that is too long is refused and named, and holds up none
// of the others.
func TestBursts(t *testing.T) {
	t.Parallel()
	srv := newStructureServer(t, map[string]any{"long": true, "burstEvery": 300})
	var tags []plant.Tag
	for i, name := range []string{"Single", "Real", "Whole", "Longest", "TooLong"} {
		tags = append(tags, plant.Tag{ID: plant.TagID(i + 1), Path: name, Node: "nsu=urn:test:mill;s=" + name, Kind: plant.Burst, Rate: 25_600})
	}
	tags = append(tags, plant.Tag{ID: 99, Path: "speed", Node: "nsu=urn:test:mill;s=Motor", Field: "Speed"})
	s := &Source{Name: "PLC", URL: srv.url(), Tags: tags}
	out := &waves{store: newStore(s), list: map[key]plant.Waveform{}}
	start(t, s, out)
	eventually(t, 30*time.Second, "live", live(s))
	eventually(t, 20*time.Second, "waveforms", func() bool { return out.size() > 30 && out.store.size() >= 10 })
	if r := s.Status().Rejected; len(r) != 1 || !strings.HasPrefix(r[0], "TooLong: its array has 65537 values, a waveform has at most 65536") {
		t.Errorf("refused: %v", r)
	}
	srv.say("halt")
	n := -1
	eventually(t, 5*time.Second, "no more waveforms", func() bool {
		was := n
		time.Sleep(400 * time.Millisecond)
		n = out.size()
		return n == was
	})
	offered := offeredBursts(t, filepath.Join(srv.dir, "bursts.log"))
	seen := map[plant.TagID]int{}
	first := map[plant.TagID]int64{}
	for k := range out.list {
		if at, ok := first[k.tag]; !ok || k.ms < at {
			first[k.tag] = k.ms
		}
	}
	for k, want := range offered {
		got, ok := out.list[k]
		switch since, any := first[k.tag]; {
		case k.tag == 5 || !any || k.ms < since:
		case !ok:
			t.Errorf("tag %d at %d is lost, gaps %v", k.tag, k.ms, out.gaps)
		case !slices.Equal(got.Values, want):
			t.Errorf("tag %d at %d differs", k.tag, k.ms)
		default:
			seen[k.tag]++
		}
	}
	if seen[1] < 5 || seen[2] < 5 || seen[3] < 5 || seen[4] < 5 || len(out.facts) < 10 {
		t.Errorf("equal waveforms by tag %v, %d samples", seen, len(out.facts))
	}
	t.Logf("equal waveforms by tag: %v", seen)
}

// offeredBursts reads the log of a server, in single precision.
func offeredBursts(t *testing.T, name string) map[key][]float32 {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all := map[key][]float32{}
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 8<<20)
	for sc.Scan() {
		var row [3]json.RawMessage
		var tag, ms int64
		var values []float64
		if json.Unmarshal(sc.Bytes(), &row) != nil || json.Unmarshal(row[0], &tag) != nil || json.Unmarshal(row[1], &ms) != nil || json.Unmarshal(row[2], &values) != nil {
			t.Fatal("a line of the log cannot be read")
		}
		single := make([]float32, len(values))
		for i, v := range values {
			single[i] = float32(v)
		}
		all[key{plant.TagID(tag) + 1, ms}] = single
	}
	return all
}
