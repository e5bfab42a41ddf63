package train

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"millwright/models/detect"
	"millwright/plant"
)

func TestThinningIsEven(t *testing.T) {
	r := newRows(2, 1)
	r.limit = 8 * chunk
	const offered = 100 * chunk
	for i := range offered {
		r.add(int64(i), []float64{1e6 + float64(i), -float64(i)}, []bool{true, i%7 != 0})
	}
	if r.n() > r.limit || r.n() < r.limit/2 {
		t.Fatalf("%d rows kept, limit %d", r.n(), r.limit)
	}
	for i := range r.n() {
		want := float64(r.times[i])
		if got := r.value(i, 0); math.Abs(got-1e6-want) > 0.01 {
			t.Fatalf("row %d is %v", i, got)
		}
		if masked := math.IsNaN(r.value(i, 1)); masked != (r.times[i]%7 == 0) {
			t.Fatalf("row of %v: masked %v", r.times[i], masked)
		}
		if i > 0 && !r.starts[i] && r.times[i] != r.times[i-1]+1 {
			t.Fatalf("rows %d and %d are not neighbours", i-1, i)
		}
	}
	if first, last := r.times[0], r.times[r.n()-1]; first != 0 || last < offered*8/10 {
		t.Errorf("rows from %d to %d of %d", first, last, offered)
	}
}

// TestSplit keeps the pieces apart: all rows are in one of them.
func TestSplit(t *testing.T) {
	r := &rows{starts: make([]bool, 1000)}
	fit, calibration, stop := r.split()
	seen := make([]int, 1000)
	for _, p := range append(append(fit, calibration...), stop) {
		for i := p.from; i < p.to; i++ {
			seen[i]++
		}
	}
	if slices.Max(seen) != 1 || slices.Min(seen) != 1 {
		t.Error("a row is in no piece or in two")
	}
	if stop.to != 1000 || len(calibration) != 4 {
		t.Errorf("stop %v, calibration %v", stop, calibration)
	}
}

func TestWindowFollowsTheRuns(t *testing.T) {
	f := func(want int, lengths ...int) {
		t.Helper()
		r := &rows{}
		for range 20 {
			for _, n := range lengths {
				for i := range n {
					r.starts = append(r.starts, i == 0)
				}
			}
		}
		if got := windowFor([]*rows{r}); got != want {
			t.Errorf("runs of %v rows: window %d, want %d", lengths, got, want)
		}
	}
	f(60, 1000)
	f(60, 3, 5, 400)
	f(20, 56)
	f(30, 75)
	f(10, 8)
}

// TestDecisive holds what decides against the detector's rule, counted plainly.
func TestDecisive(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	decades := make([]float64, 300)
	for i := range decades {
		decades[i] = 4 * rng.Float64()
	}
	runs := []int{100, 5, 195}
	got := decisive(decades, runs)
	for _, limit := range []float64{0.3, 0.8, 1.5, 3} {
		i := 0
		for _, n := range runs {
			for k := range n {
				over := 0
				for back := range min(k+1, raiseOf) {
					if decades[i-back] > limit {
						over++
					}
				}
				if raised := got[i] > limit; raised != (over >= raiseAt) {
					t.Fatalf("limit %v, score %d: raised %v with %d of %d rows beyond", limit, i, raised, over, raiseOf)
				}
				i++
			}
		}
	}
}

// TestLimitKeepsTheBudget calibrates on scores of a known law and counts the
// alarms of five weeks.
func TestLimitKeepsTheBudget(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	draw := func(n int) []float64 { // squared errors that follow each other, as those of windows do
		out := make([]float64, n)
		x := 0.0
		for i := range out {
			x = 0.9*x + math.Sqrt(1-0.81)*rng.NormFloat64()
			out[i] = math.Exp(0.3 * x)
		}
		return out
	}
	const n = 40_000 // 11 h
	scores := draw(n)
	c := &calibration{law: detect.NewLaw(scores), scores: scores, block: 60}
	c.set([]int{n}, 60, 10)
	const weeks = 5
	later := draw(weeks * week)
	for i, s := range later {
		later[i] = c.law.Decades(s)
	}
	per := float64(raises(decisive(later, []int{len(later)}), c.limit)) / weeks
	t.Logf("limit %.2f decades, %.2f alarms a week for a budget of 10", c.limit, per)
	if per > 20 || per < 0.5 {
		t.Errorf("%v alarms a week for a budget of 10", per)
	}
}

func TestRank(t *testing.T) {
	f := func(want float64, y func(int) float64) {
		t.Helper()
		var pairs [][2]float64
		for i := range 200 {
			pairs = append(pairs, [2]float64{float64(i), y(i)})
		}
		if got := rank(pairs); math.Abs(got-want) > 0.01 {
			t.Errorf("rank correlation %v, want %v", got, want)
		}
	}
	f(1, func(i int) float64 { return math.Exp(float64(i) / 20) })
	f(-1, func(i int) float64 { return -float64(i * i) })
	f(0, func(i int) float64 { return math.Abs(float64(i) - 99.5) })
	f(0.87, func(i int) float64 { return float64(i / 100) }) // √0.75, ties in the middle
	if !math.IsNaN(rank(nil)) {
		t.Error("nothing is correlated")
	}
}

// TestReadInOrder reads samples, states and gaps of several tags: no time goes
// back, a state comes before the samples of its time, and the state that holds at
// the begin is there.
func TestReadInOrder(t *testing.T) {
	tags := []plant.Tag{{Path: "A/X", Asset: "A"}, {Path: "A/Y", Asset: "A"}, {Path: "A/MODE", Asset: "A", Kind: plant.Text}}
	p := newPast(tags, nil)
	for i := range 5000 {
		p.sample(1, at(time.Duration(i)*time.Second), float64(i), plant.Good)
		if i%3 == 0 {
			p.sample(2, at(time.Duration(i)*time.Second), float64(i), plant.Good)
		}
	}
	p.states[3] = []plant.State{{Tag: 3, Time: at(-time.Hour * 5), Value: "old"}, {Tag: 3, Time: at(-time.Hour * 3), Value: "held"}, {Tag: 3, Time: at(100 * time.Second), Value: "new"}}
	p.gaps = []plant.Gap{{Tag: 2, From: at(200 * time.Second), To: at(300 * time.Second)}}
	n, last, until := 0, int64(0), int64(0)
	var states []string
	mode := ""
	err := read(t.Context(), p, p.tags, begin, p.end, func(b plant.Batch, done int64) error {
		for _, s := range b.States {
			mode = s.Value
			states = append(states, s.Value)
		}
		for _, g := range b.Gaps {
			if last >= g.From {
				t.Error("a gap is told after it has begun")
			}
		}
		for _, s := range b.Samples {
			if s.Time < last {
				t.Fatal("time goes back")
			}
			last = s.Time
			if want := s.Time >= at(100*time.Second); (mode == "new") != want {
				t.Fatalf("mode %q at %v", mode, time.Duration(s.Time-begin))
			}
			n++
		}
		if done < until {
			t.Error("progress goes back")
		}
		until = done
		return nil
	})
	if err != nil || n != 5000+1667 || until != p.end {
		t.Errorf("%d samples, until %v, %v", n, until-begin, err)
	}
	if !slices.Equal(states, []string{"held", "new"}) {
		t.Errorf("states %v", states)
	}
}
