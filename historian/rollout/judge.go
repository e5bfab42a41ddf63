package rollout

import (
	"context"
	"slices"
	"time"

	"millwright/models/bundle"
	"millwright/plant"
)

// judgement is what the plant's memory says of an asset's models.
type judgement struct {
	want    bundle.Assignment
	at      time.Time
	drift   *plant.Drift
	compare *plant.Comparison
}

// How far back the judgement looks, and what it needs.
const (
	driftSpan   = 24 * time.Hour
	driftRows   = 1800
	compareSpan = 7 * 24 * time.Hour
	together    = 5 * time.Minute  // alarms that lie no farther apart are one
	lull        = 10 * time.Minute // a tag that is silent for longer says nothing any more
	shortest    = 24 * time.Hour   // of what a rate per week is reckoned from
	lookBack    = 30 * 24 * time.Hour
)

// derived are the tags that an asset's models write.
type derived struct {
	score, mode, would plant.TagID
}

// tags finds the derived tags of the assets that the plan names.
func (b *Book) tags(plan *bundle.Plan) map[string]derived {
	out := map[string]derived{}
	if b.Store == nil || len(plan.Assets) == 0 {
		return out
	}
	ids := map[string]plant.TagID{}
	for _, t := range b.Store.Tags() {
		if t.Derived {
			ids[t.Path] = t.ID
		}
	}
	for _, a := range plan.Assets {
		out[a.Asset] = derived{ids[a.Asset+"/"+plant.TagScore], ids[a.Asset+"/"+plant.TagMode], ids[a.Asset+"/"+plant.TagWould]}
	}
	return out
}

// judge reckons drift and comparison, or remembers them for a minute.
func (b *Book) judge(ctx context.Context, want bundle.Assignment, status *plant.ModelStatus, tags derived) (judgement, error) {
	now := b.now()
	j := b.judged[want.Asset]
	if age := now.Sub(j.at); j.want == want && age >= 0 && age < judgedAge {
		return j, nil
	}
	j = judgement{want: want, at: now}
	var err error
	if want.Running != plant.LearnedModel && (status == nil || status.Running == want.Running) {
		if j.drift, err = b.drift(ctx, want, tags, now); err != nil {
			return j, err
		}
	}
	if want.Shadow != "" {
		if j.compare, err = b.compare(ctx, want, tags, now); err != nil {
			return j, err
		}
	}
	if b.judged == nil {
		b.judged = map[string]judgement{}
	}
	b.judged[want.Asset] = j
	return j, nil
}

// drift holds the scores of the last day against the calibration, mode by mode,
// and tells the worst.
func (b *Book) drift(ctx context.Context, want bundle.Assignment, tags derived, now time.Time) (*plant.Drift, error) {
	var k *known
	for _, one := range b.bundles {
		if one.summary.ID == want.Running {
			k = one
		}
	}
	if k == nil || tags.score == 0 {
		return nil, nil
	}
	from, to := max(now.Add(-driftSpan).UnixNano(), want.At), now.UnixNano()
	at, err := b.modes(ctx, tags.mode, from, to)
	if err != nil {
		return nil, err
	}
	// A score holds until the next one: unchanged ones are repeated every ten rows.
	hold := int64(30 * k.grid)
	values, held := make([][]float64, len(k.modes)), make([][]float64, len(k.modes))
	last, lastTime := 0.0, int64(0)
	put := func(until int64) {
		i := slices.Index(k.modes, at(lastTime))
		if lastTime == 0 || i < 0 {
			return
		}
		values[i] = append(values[i], last)
		held[i] = append(held[i], float64(min(hold, until-lastTime))/float64(k.grid))
	}
	for block, err := range b.Store.Scan(ctx, plant.Range{Tag: tags.score, From: from, To: to}) {
		if err != nil {
			return nil, err
		}
		for i, t := range block.Times {
			put(t)
			if last, lastTime = block.Values[i], t; !block.Quality[i].IsGood() {
				lastTime = 0
			}
		}
	}
	put(to)
	d := &plant.Drift{State: "ok"}
	for i := range k.modes {
		rows := 0.0
		for _, h := range held[i] {
			rows += h
		}
		if rows < driftRows {
			continue
		}
		d.Rows += int(rows)
		d.PSI = max(d.PSI, k.scores[i].PSI(values[i], held[i]))
	}
	switch {
	case d.Rows == 0:
		return nil, nil
	case d.PSI >= 0.25:
		d.State = "act"
	case d.PSI >= 0.1:
		d.State = "watch"
	}
	return d, nil
}

// modes returns the mode at a time of the span.
func (b *Book) modes(ctx context.Context, tag plant.TagID, from, to int64) (func(t int64) string, error) {
	if tag == 0 {
		return func(int64) string { return "" }, nil
	}
	states, err := b.Store.States(ctx, plant.Range{Tag: tag, From: from - int64(lookBack), To: to})
	if err != nil {
		return nil, err
	}
	if len(states) == 0 { // it has not changed for long
		if states, err = b.Store.LastStates(ctx, []plant.TagID{tag}); err != nil {
			return nil, err
		}
	}
	return func(t int64) string {
		i, _ := slices.BinarySearchFunc(states, t+1, func(s plant.State, t int64) int {
			if s.Time < t {
				return -1
			}
			return 1
		})
		if i == 0 {
			return ""
		}
		return states[i-1].Value
	}, nil
}

// span is an alarm, or what would have been one.
type span struct{ from, to int64 }

func (s span) near(o span) bool {
	return s.from <= o.to+int64(together) && o.from <= s.to+int64(together)
}

// compare counts what the running model told and the shadow would have told.
func (b *Book) compare(ctx context.Context, want bundle.Assignment, tags derived, now time.Time) (*plant.Comparison, error) {
	if tags.would == 0 {
		return nil, nil
	}
	from, to := max(now.Add(-compareSpan).UnixNano(), want.At), now.UnixNano()
	shadow, first, last, err := b.would(ctx, tags.would, from, to)
	if err != nil || first == 0 {
		return nil, err
	}
	active, err := b.active(ctx, want.Asset, first, to)
	if err != nil {
		return nil, err
	}
	c := &plant.Comparison{From: first, To: last}
	for _, a := range active {
		if slices.ContainsFunc(shadow, a.near) {
			c.Both++
		} else {
			c.OnlyActive++
		}
	}
	for _, s := range shadow {
		if !slices.ContainsFunc(active, s.near) {
			c.OnlyShadow++
		}
	}
	weeks := float64(max(int64(shortest), last-first)) / float64(7*24*time.Hour)
	c.PerWeek = float64(len(shadow)) / weeks
	return c, nil
}

// would are the spans in which the shadow would have had a finding open, and the
// first and last time that it said anything.
func (b *Book) would(ctx context.Context, tag plant.TagID, from, to int64) (out []span, first, last int64, err error) {
	open := false
	for block, err := range b.Store.Scan(ctx, plant.Range{Tag: tag, From: from, To: to}) {
		if err != nil {
			return nil, 0, 0, err
		}
		for i, t := range block.Times {
			if first == 0 {
				first = t
			}
			if open && t-last > int64(lull) {
				open = false
			}
			if open {
				out[len(out)-1].to = t
			}
			switch is := block.Values[i] >= 0.5; {
			case is && !open:
				out = append(out, span{t, t})
				open = true
			case !is:
				open = false
			}
			last = t
		}
	}
	return out, first, last, nil
}

// active are the spans in which an alarm of the running model was open.
func (b *Book) active(ctx context.Context, asset string, from, to int64) ([]span, error) {
	if b.Alarms == nil {
		return nil, nil
	}
	list, err := b.Alarms.Alarms(ctx, asset, from, to)
	if err != nil {
		return nil, err
	}
	var out []span
	for _, a := range list {
		if a.Finding.Asset != asset || a.Finding.Detector != "wpca" && a.Finding.Detector != "autoencoder" {
			continue
		}
		s := span{a.Raised, to}
		if a.Returned != 0 {
			s.to = a.Returned
		}
		out = append(out, s)
	}
	return out, nil
}
