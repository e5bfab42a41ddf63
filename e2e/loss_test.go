package e2e

import (
	"fmt"
	"maps"
	"math"
	"os"
	"testing"
	"time"

	"millwright/plant"
	"millwright/simulator/ledger"
)

// account compares what the OPC UA server offered with what the historian has,
// by (tag, source ms). See ARCHITECTURE.md, "Counting loss".
type account struct {
	offered    int // |L|
	stored     int // |H ∩ L|
	declared   int // |D \ H|
	undeclared int // |L \ (H ∪ D)|
	surplus    int // |H \ L|
	differing  int
	examples   []string
}

func (c account) String() string {
	return fmt.Sprintf("|L| %d, |H∩L| %d, |D\\H| %d, undeclared %d, |H\\L| %d, differing %d",
		c.offered, c.stored, c.declared, c.undeclared, c.surplus, c.differing)
}

func (c *account) note(format string, args ...any) {
	if len(c.examples) < 12 {
		c.examples = append(c.examples, fmt.Sprintf(format, args...))
	}
}

// check fails the test on any undeclared loss, surplus or difference.
func (c account) check(t *testing.T) {
	t.Helper()
	t.Log(c)
	if c.offered == 0 {
		t.Error("nothing was offered: the count proves nothing")
	}
	if c.undeclared+c.surplus+c.differing > 0 {
		t.Errorf("undeclared loss %d, surplus %d, differing %d", c.undeclared, c.surplus, c.differing)
		for _, e := range c.examples {
			t.Log(e)
		}
	}
}

type cell struct {
	v float64
	q plant.Quality
}

// offered reads sample logs into tag → source ms → value. The last value of a
// millisecond counts.
func offered(t *testing.T, files ...string) map[string]map[int64]cell {
	t.Helper()
	out := map[string]map[int64]cell{}
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for s, err := range ledger.ReadSamples(file, f) {
			if err != nil {
				t.Fatal(err)
			}
			if s.IsText {
				continue // texts are states, not samples
			}
			tag := out[s.Tag]
			if tag == nil {
				tag = map[int64]cell{}
				out[s.Tag] = tag
			}
			tag[s.Time/int64(time.Millisecond)] = cell{s.Value, s.Quality}
		}
	}
	return out
}

// count asks the historian for every tag of the log and compares what has a
// source time up to until.
func count(t *testing.T, a api, log map[string]map[int64]cell, until time.Time) account {
	t.Helper()
	var c account
	for tag, want := range log {
		maps.DeleteFunc(want, func(ms int64, _ cell) bool { return ms > until.UnixMilli() })
		c.offered += len(want)
		gaps := a.gaps(tag)
		have := map[int64]bool{}
		for _, s := range a.samples(tag) {
			ms := s.T.UnixMilli()
			if ms > until.UnixMilli() {
				break
			}
			if have[ms] {
				c.differing++
				c.note("%s at %d is stored twice", tag, ms)
			}
			have[ms] = true
			w, ok := want[ms]
			if !ok {
				c.surplus++
				c.note("%s at %s was never offered", tag, s.T.Format(time.StampMilli))
				continue
			}
			c.stored++
			v := math.NaN()
			if s.V != nil {
				v = *s.V
			}
			if q := w.q.WithoutInfo().String(); q != s.Q || v != w.v && !(math.IsNaN(v) && math.IsNaN(w.v)) {
				c.differing++
				c.note("%s at %d is %v %s, was %v %s", tag, ms, v, s.Q, w.v, q)
			}
		}
		for ms := range want {
			if have[ms] {
				continue
			}
			if inGap(gaps, ms) {
				c.declared++
				continue
			}
			c.undeclared++
			c.note("%s at %s is lost without a gap; gaps: %v", tag, time.UnixMilli(ms).UTC().Format(time.StampMilli), gaps)
		}
	}
	return c
}

func inGap(gaps []gapJSON, ms int64) bool {
	for _, g := range gaps {
		if g.From.UnixMilli() <= ms && ms < g.To.UnixMilli() {
			return true
		}
	}
	return false
}
