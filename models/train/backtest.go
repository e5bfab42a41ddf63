package train

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"millwright/models/detect"
	"millwright/plant"
)

// together is how far apart, plant time, two alarms may be that are one.
const together = 10 * time.Minute

// Alarm is a finding of the backtest.
type Alarm struct {
	Raised, Cleared int64 // ns UTC; Cleared 0: still open at the end
	Mode            string
	Score           float64  // when it was raised, 0..1
	Tags            []string // with the largest shares
	Of              int      // confirmed fault that it belongs to, from 0; -1 none
}

func (a *Alarm) end(to int64) int64 {
	if a.Cleared == 0 {
		return to
	}
	return a.Cleared
}

// Event is a confirmed fault in the backtest and who found it when.
type Event struct {
	Label   plant.Label
	Trained int64 // first alarm, ns UTC; 0: not found
	Learned int64
}

// Backtest is what the trained model, and the one that the edge learned by
// itself, made of a part of the past that neither has seen.
type Backtest struct {
	From, To int64
	Weeks    float64 // of plant time
	Running  float64 // weeks of rows that the trained model scored
	Own      float64 // weeks of rows that the learned one scored
	Trained  []Alarm
	Learned  []Alarm
	Ready    bool // the edge's own model had learned by then
	Events   []Event
	Appear   []Alarm // of the trained model alone
	Vanish   []Alarm // of the learned model alone
	Rank     float64 // correlation of the scores' ranks; NaN where there are too few
	Rows     int     // scored by the trained model

	trained, learned curve
}

// False counts alarms that belong to no confirmed fault.
func (b *Backtest) False(alarms []Alarm) int {
	n := 0
	for _, a := range alarms {
		if a.Of < 0 {
			n++
		}
	}
	return n
}

// rate is how many a week: of the time in which the machine ran and was judged,
// which is what a budget speaks of. Where nothing was judged it is 0.
func rate(n int, judged float64) float64 {
	if judged == 0 {
		return 0
	}
	return float64(n) / judged
}

// curve is the highest score, and the limit, in slices of time.
type curve struct {
	score []float64 // NaN: nothing scored
	limit []float64
}

// slices of a curve.
const curvePoints = 1200

// side is one of the two models at work.
type side struct {
	set    *detect.Set
	out    plant.Batch
	alarms []Alarm
	curve  curve
	rows   int
	scores []float64 // of the rows of this batch
	begun  bool
}

// side starts a Set as the edge had it when the backtest begins, with a trained
// model in charge or without one.
func (d *dataset) side(t *detect.Trained) (*side, error) {
	s := &side{}
	for _, c := range []*[]float64{&s.curve.score, &s.curve.limit} {
		*c = make([]float64, curvePoints)
		for i := range *c {
			(*c)[i] = math.NaN()
		}
	}
	var err error
	if s.set, err = d.set(func(r detect.Row) { s.take(d, &r) }); err != nil {
		return nil, err
	}
	if err := s.set.UnmarshalBinary(d.state); err != nil {
		return nil, err
	}
	if t == nil {
		return s, nil
	}
	return s, s.set.Promote(t)
}

func (s *side) take(d *dataset, r *detect.Row) {
	s.scores = append(s.scores, r.Score)
	if r.Time < d.split {
		return
	}
	if !s.begun && r.Alarm { // since before the backtest
		s.alarms = append(s.alarms, Alarm{Raised: d.split, Mode: r.Mode, Of: -1})
	}
	s.begun = true
	if math.IsNaN(r.Score) {
		return
	}
	s.rows++
	i := min(curvePoints-1, int(float64(r.Time-d.split)/float64(d.to-d.split)*curvePoints))
	if c := s.curve; !(c.score[i] >= r.Score) {
		c.score[i], c.limit[i] = r.Score, r.Limit
	}
}

// observe takes a batch and notes the machine's findings.
func (s *side) observe(b plant.Batch) {
	s.scores = s.scores[:0]
	s.set.Observe(&s.out, b)
	for i := range s.out.Findings {
		f := &s.out.Findings[i]
		if f.Class != plant.Advisory {
			continue
		}
		n := len(s.alarms)
		switch f.Phase {
		case plant.Raise:
			a := Alarm{Raised: f.Time, Mode: f.Mode, Score: f.Score, Of: -1}
			for _, c := range f.Contributions[:min(3, len(f.Contributions))] {
				a.Tags = append(a.Tags, c.Tag)
			}
			s.alarms = append(s.alarms, a)
		case plant.Clear:
			if n > 0 && s.alarms[n-1].Cleared == 0 {
				s.alarms[n-1].Cleared = f.Time
			}
		}
	}
	s.out.Reset()
}

// backtest replays the last part of the period.
func (d *dataset) backtest(ctx context.Context, src Source, t *detect.Trained, told func(done float64)) (*Backtest, error) {
	b := &Backtest{From: d.split, To: d.to, Weeks: d.weeks(d.split, d.to)}
	learned, err := d.side(nil)
	if err != nil {
		return nil, err
	}
	trained, err := d.side(t)
	if err != nil {
		return nil, err
	}
	for _, s := range learned.set.Summaries() {
		b.Ready = b.Ready || s.Learned
	}
	var pairs [][2]float64
	every := int(float64(d.to-d.split)*d.speed/float64(d.grid)/rankRows) + 1
	n := 0
	err = read(ctx, src, d.tags, d.split, d.to, func(in plant.Batch, until int64) error {
		learned.observe(in)
		trained.observe(in)
		for i, x := range trained.scores { // the same rows on both sides
			y := learned.scores[i]
			if math.IsNaN(x) || math.IsNaN(y) {
				continue
			}
			if n++; n%every == 0 {
				pairs = append(pairs, [2]float64{x, y})
			}
		}
		told(float64(until-d.split) / float64(d.to-d.split))
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, s := range trained.set.Trained() {
		if s.Fallback != nil {
			return nil, fmt.Errorf("the trained model was dropped in the backtest: %s", s.Fallback.Why)
		}
	}
	b.Trained, b.Learned, b.trained, b.learned = trained.alarms, learned.alarms, trained.curve, learned.curve
	b.Rows = trained.rows
	b.Running = float64(trained.rows) * d.grid.Seconds() / week
	b.Own = float64(learned.rows) * d.grid.Seconds() / week
	b.Rank = rank(pairs)
	b.compare(d)
	return b, nil
}

// compare finds which alarms belong to confirmed faults, and which only one side
// has.
func (b *Backtest) compare(d *dataset) {
	before, near := int64(d.source(d.before)), int64(d.source(together))
	for _, l := range d.exclusions.events {
		if l.From >= b.To || l.To != 0 && l.To <= b.From {
			continue
		}
		e := Event{Label: l}
		find := func(alarms []Alarm) (first int64) {
			for i := range alarms {
				a := &alarms[i]
				reaches := l.From
				if a.Of < 0 { // what came and went shortly before belongs to it, unless to another fault
					reaches -= before
				}
				if a.Raised < cmp.Or(l.To, b.To) && a.end(b.To) > reaches {
					a.Of = len(b.Events)
					if first == 0 {
						first = a.Raised
					}
				}
			}
			return first
		}
		e.Trained, e.Learned = find(b.Trained), find(b.Learned)
		b.Events = append(b.Events, e)
	}
	alone := func(a Alarm, others []Alarm) bool {
		return !slices.ContainsFunc(others, func(o Alarm) bool {
			return o.Raised < a.end(b.To)+near && o.end(b.To) > a.Raised-near
		})
	}
	for _, a := range b.Trained {
		if alone(a, b.Learned) {
			b.Appear = append(b.Appear, a)
		}
	}
	for _, a := range b.Learned {
		if alone(a, b.Trained) {
			b.Vanish = append(b.Vanish, a)
		}
	}
}

// rankRows is how many rows the correlation looks at.
const rankRows = 20_000

// rank is Spearman's correlation: that of the ranks.
func rank(pairs [][2]float64) float64 {
	n := len(pairs)
	if n < 30 {
		return math.NaN()
	}
	var r [2][]float64
	order := make([]int, n)
	for k := range r {
		for i := range order {
			order[i] = i
		}
		slices.SortFunc(order, func(a, b int) int { return cmp.Compare(pairs[a][k], pairs[b][k]) })
		r[k] = make([]float64, n)
		for i := 0; i < n; {
			j := i
			for j < n && pairs[order[j]][k] == pairs[order[i]][k] {
				j++
			}
			for _, o := range order[i:j] {
				r[k][o] = float64(i+j-1) / 2 // the mean of equal ones
			}
			i = j
		}
	}
	mid := float64(n-1) / 2
	var xy, xx, yy float64
	for i := range n {
		x, y := r[0][i]-mid, r[1][i]-mid
		xy, xx, yy = xy+x*y, xx+x*x, yy+y*y
	}
	return xy / math.Sqrt(xx*yy)
}
