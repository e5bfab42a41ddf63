package train

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"millwright/plant"
)

// Reason says why a row is no training row.
type Reason string

// Reasons, the strongest first: a row is counted once, under the first that
// applies.
const (
	Standing  Reason = "standing"         // a mode in which the machine stands: nothing to learn
	Unknown   Reason = "mode unknown"     // nothing names the mode
	Unsettled Reason = "mode not settled" // too soon after a change of mode
	Fault     Reason = "confirmed fault"  // labelled so, with a margin
	Process   Reason = "process change"   // labelled so
	SensorOff Reason = "sensor fault"     // labelled so, no sensor named
	Alarmed   Reason = "alarm, no label"  // nobody has said what it was, with a margin
	OverLimit Reason = "limit exceeded"   // a fixed limit was broken in this row
	InGap     Reason = "declared gap"     // too many tags without data
	Masked    Reason = "too many masked"  // too many tags of bad quality or with a faulty sensor
	Thinned   Reason = "thinned"          // more rows than a training needs
)

// reasons in the order of the report.
var reasons = []Reason{Standing, Unknown, Unsettled, Fault, Process, SensorOff, Alarmed, OverLimit, InGap, Masked, Thinned}

// strength orders the reasons that spans give.
func (r Reason) strength() int { return -slices.Index(reasons, r) }

// Margins about what is left out, plant time. Faults begin before they are seen,
// and a machine that was opened runs itself in.
const (
	DefaultBefore = time.Hour
	DefaultAfter  = 30 * time.Minute
)

// span is half-open, ns UTC.
type span struct{ from, to int64 }

func (s span) holds(t int64) bool { return t >= s.from && t < s.to }

// touches reports whether two spans overlap or meet.
func (s span) touches(o span) bool { return s.from <= o.to && o.from <= s.to }

type barred struct {
	span
	why Reason
}

// exclusions are what labels, alarms and gaps say about an asset's past.
type exclusions struct {
	barred  []barred
	cleared []span            // labelled as no fault: limits do not bar there
	masks   map[string][]span // by tag path
	gaps    map[string][]span
	events  []plant.Label // confirmed faults, ascending
	labels  int           // taken into account
	alarms  int
}

// exclusionsOf reads them for [from, to). before and after are margins in source
// time.
func exclusionsOf(ctx context.Context, src Source, asset string, tags []plant.Tag, from, to int64, before, after time.Duration) (*exclusions, error) {
	wide := span{from - int64(after) - 1, to + int64(before) + 1}
	all, err := labelsOf(ctx, src, asset, wide)
	if err != nil {
		return nil, fmt.Errorf("labels: %w", err)
	}
	alarms, err := src.Alarms(ctx, asset, wide.from, wide.to)
	if err != nil {
		return nil, fmt.Errorf("alarms: %w", err)
	}
	e := &exclusions{masks: map[string][]span{}, gaps: map[string][]span{}}
	bar := func(s span, before, after time.Duration, why Reason) {
		e.barred = append(e.barred, barred{span{s.from - int64(before), s.to + int64(after)}, why})
	}
	byAlarm := map[int64]plant.Label{} // the newest answer counts
	for _, l := range all {
		if l.Asset != asset {
			continue
		}
		if was, ok := byAlarm[l.Alarm]; !ok || l.Alarm == 0 || cmp.Or(cmp.Compare(l.At, was.At), cmp.Compare(l.ID, was.ID)) > 0 {
			byAlarm[l.Alarm] = l
		}
	}
	answered := map[int64]span{}
	for _, l := range all {
		if l.Asset != asset || l.Alarm != 0 && byAlarm[l.Alarm].ID != l.ID {
			continue
		}
		verdict := verdictOf(l, byAlarm)
		s := span{l.From, l.To}
		if l.To == 0 {
			s.to = to
		}
		for _, a := range alarms { // an answer is often given while the alarm is still active
			if one := lasted(&a, to); l.Alarm != 0 && a.ID == l.Alarm && one.touches(s) {
				s.from, s.to = min(s.from, one.from), max(s.to, one.to)
			}
		}
		switch verdict.Verdict {
		case plant.Confirmed:
			bar(s, before, after, Fault)
			if l.Verdict == plant.Confirmed {
				e.events = append(e.events, l)
			}
		case plant.ProcessChange:
			bar(s, 0, 0, Process)
		case plant.SensorWrong:
			if verdict.Tag == "" {
				bar(s, 0, 0, SensorOff)
			} else {
				e.masks[verdict.Tag] = append(e.masks[verdict.Tag], s)
			}
		case plant.NotAFault:
			if l.Detector == string(plant.PLCAlarm) {
				continue // what a PLC's program calls an alarm says nothing about our models
			}
			e.cleared = append(e.cleared, s)
		default: // a duplicate of what has no answer
			continue
		}
		if l.Alarm != 0 {
			answered[l.Alarm] = s
		}
		e.labels++
	}
	for _, a := range alarms {
		s := lasted(&a, to)
		if by, ok := answered[a.ID]; a.Finding.Asset != asset || ok && by.touches(s) {
			continue
		}
		switch a.Finding.Class {
		case plant.SensorFault:
			if a.Finding.Tag != "" {
				e.masks[a.Finding.Tag] = append(e.masks[a.Finding.Tag], s)
			}
		case plant.Advisory, plant.LimitAlarm:
			bar(s, before, after, Alarmed)
			e.alarms++
		}
	}
	for _, t := range tags {
		gaps, err := src.Gaps(ctx, plant.Range{Tag: t.ID, From: from, To: to})
		if err != nil {
			return nil, fmt.Errorf("gaps of %s: %w", t.Path, err)
		}
		for _, g := range gaps {
			e.gaps[t.Path] = append(e.gaps[t.Path], span{g.From, g.To})
		}
	}
	slices.SortFunc(e.events, func(a, b plant.Label) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.ID, b.ID))
	})
	return e, nil
}

// lasted is when an alarm was active: to the end of the period where it still is.
func lasted(a *plant.Alarm, to int64) span {
	s := span{a.Raised, a.Returned}
	if a.Returned == 0 || a.Returned < a.Raised {
		s.to = to
	}
	return s
}

// labelPage is how many labels are asked for at once.
const labelPage = 1000

// labelsOf asks page by page.
func labelsOf(ctx context.Context, src Source, asset string, s span) ([]plant.Label, error) {
	q := plant.LabelQuery{Asset: asset, From: s.from, To: s.to, Limit: labelPage}
	var out []plant.Label
	for {
		got, err := src.Labels(ctx, q)
		if err != nil {
			return nil, err
		}
		out = append(out, got...)
		if len(got) < labelPage || got[labelPage-1].ID == q.Before {
			return out, nil
		}
		q.Before = got[labelPage-1].ID
	}
}

// verdictOf follows duplicates to the answer that stands for them.
func verdictOf(l plant.Label, byAlarm map[int64]plant.Label) plant.Label {
	for range 8 { // duplicates of duplicates end somewhere
		if l.Verdict != plant.Duplicate {
			return l
		}
		of, ok := byAlarm[l.Of]
		if !ok {
			return l
		}
		l = of
	}
	return l
}

// sieve answers for rows whose times do not go backwards.
type sieve struct {
	marks   []mark // ascending; each holds until the next
	at      int
	cleared []span
	masks   []*sweep // by watched tag
	gaps    []*sweep
}

type mark struct {
	from int64
	why  Reason // empty: nothing
}

// sweep follows spans in ascending time.
type sweep struct {
	spans []span
	at    int
}

func newSweep(s []span) *sweep {
	s = slices.Clone(s)
	slices.SortFunc(s, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	joined := s[:0]
	for _, x := range s {
		if n := len(joined); n > 0 && x.from <= joined[n-1].to {
			joined[n-1].to = max(joined[n-1].to, x.to)
			continue
		}
		joined = append(joined, x)
	}
	return &sweep{spans: joined}
}

func (s *sweep) holds(t int64) bool {
	for s.at < len(s.spans) && s.spans[s.at].to <= t {
		s.at++
	}
	return s.at < len(s.spans) && s.spans[s.at].holds(t)
}

func (e *exclusions) sieve(watched []string) *sieve {
	v := &sieve{cleared: e.cleared, marks: []mark{{from: math.MinInt64}}}
	var edges []int64
	for _, b := range e.barred {
		edges = append(edges, b.from, b.to)
	}
	slices.Sort(edges)
	for _, t := range slices.Compact(edges) {
		m := mark{from: t}
		for _, b := range e.barred {
			if b.holds(t) && (m.why == "" || b.why.strength() > m.why.strength()) {
				m.why = b.why
			}
		}
		v.marks = append(v.marks, m)
	}
	for _, path := range watched {
		v.masks = append(v.masks, newSweep(e.masks[path]))
		v.gaps = append(v.gaps, newSweep(e.gaps[path]))
	}
	return v
}

// bars is the reason that speaks against a row at t, or none.
func (v *sieve) bars(t int64) Reason {
	for v.at+1 < len(v.marks) && v.marks[v.at+1].from <= t {
		v.at++
	}
	return v.marks[v.at].why
}

// forgiven reports whether somebody said that there was no fault at t.
func (v *sieve) forgiven(t int64) bool {
	for _, s := range v.cleared {
		if s.holds(t) {
			return true
		}
	}
	return false
}

// mask takes the tags away that labels, alarms and gaps say were wrong. It
// counts what is missing then, and reports whether gaps have a part in it.
func (v *sieve) mask(t int64, ok []bool) (missing int, gap bool) {
	for i := range ok {
		if v.gaps[i].holds(t) {
			ok[i], gap = false, true
		}
		if v.masks[i].holds(t) {
			ok[i] = false
		}
		if !ok[i] {
			missing++
		}
	}
	return missing, gap
}
