package ledger

import (
	"time"

	"millwright/plant"
	"millwright/sparkplug"
)

const (
	ms      = int64(time.Millisecond)
	mostHad = 16 // ranges
)

// entry is one epoch of an edge.
type entry struct {
	Account sparkplug.Account `json:"account"` // as last stated
	At      int64             `json:"at"`      // ns UTC of that
	Stored  plant.Counts      `json:"stored"`  // all that is committed of it

	// Differences that count no more: somebody has said why, or the historian has
	// declared the records. Negative: values were stored although the edge declared
	// them, or had forgotten that it had sent them.
	Explained [plant.CountClasses]int64 `json:"explained"`
	Excused   []sparkplug.Span          `json:"excused,omitempty"` // records
	// Owed says of a class up to which number there are records that are known to be
	// lost, or declared, and not yet what was in them.
	Owed plant.Counts `json:"owed"`

	// When everything was as it should be last, and what had been settled then.
	Agreed int64            `json:"agreed"` // ns UTC
	Had    []sparkplug.Span `json:"had,omitempty"`

	// By class: sent − declared − stored, as compared last, and through which number.
	// What an edge has compared may move back to the start of a block when the next
	// record comes; nothing is compared until it is past that again.
	Values  [plant.CountClasses]int64 `json:"values"`
	Through plant.Counts              `json:"through"`

	missing  []sparkplug.Span
	compared bool
	current  bool   // the edge's present epoch: more will come
	gone     bool   // the edge says nothing of it any more, and had records of it
	changed  bool   // to be compared again
	dirty    bool   // to be written
	folded   uint64 // blocks
}

func (x *entry) clone() *entry {
	c := *x
	c.Excused = append([]sparkplug.Span(nil), x.Excused...)
	return &c
}

// fine reports whether nothing is wrong.
func (x *entry) fine() bool { return len(x.missing) == 0 && x.net() == [plant.CountClasses]int64{} }

// net is what is not explained, by class.
func (x *entry) net() (n [plant.CountClasses]int64) {
	for c := range n {
		n[c] = x.Values[c] - x.Explained[c]
	}
	return n
}

// underway is what of a class was sent and is not here yet, without what is lost.
func (x *entry) underway(c int) uint64 {
	n := int64(x.Account.Total[c]) - int64(x.Account.TotalDeclared[c]) - int64(x.Stored[c]) - x.Values[c]
	return uint64(max(0, n))
}

// compare holds what the edge has said against what is committed.
func (x *entry) compare(e *edge, sources []Source, now time.Time) error {
	var have []sparkplug.Span
	var tallies [][]plant.Tally
	counted := true
	for _, s := range sources {
		list, of, err := s.Tallies(e.name, x.Account.Epoch)
		if err != nil {
			return err
		}
		counted = counted && plant.CountTallies(list) == sparkplug.CountSpans(of)
		have = sparkplug.AddSpans(have, of)
		tallies = append(tallies, list)
	}
	x.gone = e.whole && x.At < e.at && x.Account.Queued != "" && now.UnixNano()-x.At > int64(goneFor)
	must := x.Account.Settled()
	if x.gone {
		must = sparkplug.AddSpans(must, x.Account.Open())
	}
	x.missing = sparkplug.CutSpans(sparkplug.CutSpans(must, have), x.Excused)
	x.Stored = plant.Counts{}
	for _, list := range tallies {
		for i := range list {
			x.Stored.Add(list[i].Counts)
		}
	}
	if counted { // else records are from before there were tallies
		x.compareValues(tallies, have)
	}
	x.compared = true
	if x.fine() {
		x.Agreed = x.At
		x.Had = sparkplug.CoarseSpans(sparkplug.CutSpans(must, x.Excused), mostHad)
	}
	return nil
}

// compareValues does so class by class, up to where everything has left the queue.
func (x *entry) compareValues(tallies [][]plant.Tally, have []sparkplug.Span) {
	// Records that are here and of which the edge does not know, or which it
	// declared: they were on the wire when it was killed, or when they were thinned
	// out.
	known := x.Account.Settled()
	beyond := !x.current && sparkplug.CountSpans(sparkplug.CutSpans(have, sparkplug.AddSpans(known, x.Account.Open()))) > 0
	for c := range plant.CountClasses {
		through, sent, declared := x.Account.Through[c], x.Account.Sent[c], x.Account.Declared[c]
		if x.gone { // of what it had queued nothing will come
			through, sent, declared = x.Account.Last, x.Account.Total[c], x.Account.TotalDeclared[c]
		}
		below := through / plant.TallyBlock
		if through%plant.TallyBlock != 0 {
			// Within a block, of which there is only one sum: nothing may be behind
			// it that is still to be counted.
			if below++; x.current && contains(have, through+1, below*plant.TallyBlock) {
				continue
			}
		}
		if through < x.Through[c] {
			continue
		}
		var stored uint64
		whole := true
		for _, list := range tallies {
			sum, ok := plant.SumTallies(list, below)
			stored, whole = stored+sum.Counts[c], whole && ok
		}
		if !whole {
			continue
		}
		d := int64(sent) - int64(declared) - int64(stored)
		switch was := x.Explained[c]; {
		case d < 0 && (beyond || uint64(-d) <= declared):
			x.Explained[c] = d
		case was > 0 && d < was: // what was lost has come after all
			x.Explained[c] = max(0, d)
		case x.Owed[c] > 0 && len(x.missing) == 0 && d > was:
			x.Explained[c] = d
		}
		if through >= x.Owed[c] {
			x.Owed[c] = 0
		}
		x.Values[c], x.Through[c] = d, through
	}
}

// resume takes back what was held for forgotten by the edge when its opening seemed to
// be over.
func (x *entry) resume() {
	for c := range x.Explained {
		x.Explained[c] = max(0, x.Explained[c])
	}
	x.Through = plant.Counts{}
	x.changed = true
}

// contains reports whether any number from first to last is in spans.
func contains(spans []sparkplug.Span, first, last uint64) bool {
	for _, s := range spans {
		if s.First <= last && first <= s.Last {
			return true
		}
	}
	return false
}

func lastOf(spans []sparkplug.Span) uint64 {
	if len(spans) == 0 {
		return 0
	}
	return spans[len(spans)-1].Last
}

// difference is what is wrong, nil where nothing is.
func (x *entry) difference() *plant.Loss {
	if !x.compared || x.fine() {
		return nil
	}
	a := &x.Account
	d := &plant.Loss{Epoch: a.Epoch, Records: sparkplug.CountSpans(x.missing), Values: x.net()}
	if len(x.missing) > 0 {
		d.Numbers = sparkplug.FormatSpans(x.missing[:min(len(x.missing), 5)])
	}
	d.From, d.To = max(a.Began*ms, x.Agreed), a.Ended*ms
	switch {
	case x.gone:
		d.Reason, d.From = plant.LossGone, a.Began*ms
	case len(x.missing) > 0 && contains(x.Had, x.missing[0].First, x.missing[0].Last):
		d.Reason, d.From = plant.LossStore, a.Began*ms
	case len(x.missing) > 0:
		d.Reason = plant.LossMissing
	case d.Lost() < 0:
		d.Reason = plant.LossSurplus
	default:
		d.Reason = plant.LossContent
	}
	d.To = max(d.To, d.From)
	return d
}

// explain makes what is wrong now count no more.
func (x *entry) explain() {
	if x.fine() {
		return
	}
	if len(x.missing) > 0 {
		x.excuse(x.missing)
	}
	x.Explained = x.Values
	x.missing, x.dirty = nil, true
}

// excuse takes records as known to be lost. What was in them may not be known yet.
func (x *entry) excuse(numbers []sparkplug.Span) {
	x.Excused = sparkplug.AddSpans(x.Excused, numbers)
	x.owe(lastOf(x.Excused))
}

// owe takes what records up to a number carry, and is not known, as no difference.
func (x *entry) owe(through uint64) {
	for c := range x.Owed {
		x.Owed[c] = max(x.Owed[c], through)
	}
}
