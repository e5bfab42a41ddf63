package edge

import (
	"slices"
	"time"

	"millwright/edge/queue"
	"millwright/plant"
)

const (
	fullPatience = 10 * time.Second // a server keeps its values for about as long
	forgoneFor   = 30 * time.Second // and so often they are declared, to be few records
)

// forgone are values of a source that a full disk has no room for. They are judged
// and then let go of: whoever fills an edge's disk must not make it blind.
type forgone struct {
	full  time.Time    // since when there is no room; zero: there is
	spans queue.Losses // to be declared; nil: none was let go of since then
	begun time.Time    // when the first of them was let go of
}

// over reports whether the disk has been full for a while: until then the source is
// to keep its values.
func (x *forgone) over() bool {
	if x.full.IsZero() {
		x.full = time.Now()
	}
	return time.Since(x.full) >= fullPatience
}

// forgo judges a batch that the full disk refuses and lets go of its values.
func (f *feed) forgo(b plant.Batch) error {
	a, x := f.agent, &f.forgone
	a.observe(b)
	kept := plant.Batch{
		Findings: slices.Concat(b.Findings, a.derived.Findings),
		Gaps:     slices.Concat(b.Gaps, a.derived.Gaps),
	}
	if len(kept.Findings)+len(kept.Gaps) > 0 {
		if err := a.put(kept, nil); err != nil {
			return err
		}
	}
	if x.spans == nil {
		x.spans = queue.Losses{}
		a.Log.Warn("disk full: values are judged, but not kept", "plc", f.plc.Name)
	}
	if len(x.spans) == 0 {
		x.begun = time.Now()
	}
	x.spans.Add(b, plant.GapDiskFull)
	f.n++
	return nil
}

// declare says what was let go of, when the disk has room again and from time to
// time; the batches count as durable when that is. It reports whether something is
// still to be declared: then nothing may be taken before it.
func (f *feed) declare() (full bool, err error) {
	x := &f.forgone
	if len(x.spans) == 0 {
		return false, nil
	}
	if f.agent.Queue.Stats().Full && time.Since(x.begun) < forgoneFor {
		return true, nil
	}
	last := f.n // nothing was taken since
	err = f.agent.put(plant.Batch{Gaps: x.spans.Gaps()}, func(err error) {
		if err == nil {
			f.plc.Source.Committed(last)
		}
	})
	if err == nil {
		clear(x.spans)
	}
	return false, err
}
