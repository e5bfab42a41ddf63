package detect

import (
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

func someLaw(seed uint64, n int) Law {
	rng := rand.New(rand.NewPCG(seed, 1))
	x := make([]float64, n)
	for i := range x {
		x[i] = math.Exp(2 * rng.NormFloat64())
	}
	return NewLaw(x)
}

func TestLawSurvivesJSON(t *testing.T) {
	f := func(want Law) {
		t.Helper()
		b, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got Law
		if err := json.Unmarshal(b, &got); err != nil || got != want {
			t.Errorf("%v: read back as %+v, want %+v", err, got, want)
		}
	}
	f(NewLaw(nil))
	f(NewLaw([]float64{3}))
	f(NewLaw([]float64{2, 2, 2, 2}))
	f(NewLaw([]float64{-1e300, 1e-300, 1e300}))
	for seed := range uint64(50) {
		f(someLaw(seed, 10+100*int(seed)))
	}
}

func TestLawRefuses(t *testing.T) {
	good := someLaw(1, 500)
	f := func(want string, change func(*Law)) {
		t.Helper()
		l := good
		change(&l)
		if err := l.Check(); !errors.Is(err, ErrLaw) || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
		if _, err := json.Marshal(l); err == nil {
			t.Errorf("%s: was written", want)
		}
	}
	f("finite", func(l *Law) { l.body[4] = math.NaN() })
	f("finite", func(l *Law) { l.start = math.Inf(1) })
	f("ascend", func(l *Law) { l.body[4] = l.body[9] + 1 })
	f("ascend", func(l *Law) { l.start = l.body[knots-1] - 1 })
	f("share", func(l *Law) { l.above = 0 })
	f("share", func(l *Law) { l.above = 1.5 })
	f("scale", func(l *Law) { l.sigma = -1 })
	f("shape", func(l *Law) { l.gamma = 2 })
	f("rows", func(l *Law) { l.n = -1 })

	for _, text := range []string{"", "null", "{}", "[]", `{"body":[1,2,3],"start":4,"above":0.1,"sigma":1}`} {
		l := good
		if err := l.UnmarshalJSON([]byte(text)); !errors.Is(err, ErrLaw) || l != good {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// FuzzLaw reads any bytes: a law that is taken is sound, says finite decades that
// do not fall, and is written as it was read.
func FuzzLaw(f *testing.F) {
	for seed := range uint64(4) {
		b, err := json.Marshal(someLaw(seed, 300))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"body":[],"start":1e308,"above":1,"sigma":5e-324,"gamma":-0.5}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var l Law
		if l.UnmarshalJSON(b) != nil {
			return
		}
		last := math.Inf(-1)
		for _, x := range []float64{-math.MaxFloat64, -1, 0, l.body[0], l.body[20], l.start, l.start + l.sigma, l.start + 1e6*l.sigma, math.MaxFloat64} {
			if x < l.start && x != l.body[0] && x != l.body[20] {
				continue
			}
			d := l.Decades(x)
			if math.IsNaN(d) || d < 0 || d > farDecades {
				t.Fatalf("%v decades at %v", d, x)
			}
			if x > l.start {
				if d < last {
					t.Fatalf("decades fall to %v at %v", d, x)
				}
				last = d
			}
		}
		again, err := l.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		var m Law
		if err := m.UnmarshalJSON(again); err != nil || m != l {
			t.Fatalf("read back differently: %v", err)
		}
	})
}
