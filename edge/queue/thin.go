package queue

import (
	"maps"
	"slices"
	"time"

	"millwright/plant"
	"millwright/sparkplug"
)

// waveShare of MaxBytes, on top of it, is what waveforms may take.
const waveShare = 4

// gapsPerRecord keeps a gap record below 64 KiB.
const gapsPerRecord = 1500

// thin keeps a lane within its bound: its oldest records, a tenth of the bound,
// are taken off, and gap records in the findings lane name what went, tag by tag.
// It runs on the committer's goroutine, so nothing is
// committed meanwhile.
func (q *Queue) thin(ln Lane, most int64) {
	have := q.laneBytes(ln)
	if have <= uint64(most) {
		return
	}
	cut := have - uint64(most)/10*9
	var (
		pos     Pos
		size    uint64
		records []Record // without their batches
		lost    = losses{}
	)
	for size < cut {
		old, next, err := q.Backlog(ln, pos, 64)
		if err != nil || len(old) == 0 {
			break
		}
		pos = next
		for _, r := range old {
			if size >= cut {
				break
			}
			size += lost.add(r.Batch)
			r.Batch = plant.Batch{}
			records = append(records, r)
		}
	}
	// The gaps are committed before the records go: a crash in between declares
	// too much, never too little.
	for gaps := range slices.Chunk(lost.gaps(), gapsPerRecord) {
		if err := q.declare(gaps); err != nil {
			q.cfg.Log.Error("queue is full and the gap cannot be declared, keeping the data", "err", err)
			return
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stats.Declared += lost.samples()
	for _, r := range records {
		if _, err := q.remove(r.Epoch, []sparkplug.Span{one(r.Number)}); err != nil {
			q.cfg.Log.Error("thin out", "err", err)
		}
	}
	q.cfg.Log.Warn("queue is full: its oldest records are thinned out and declared as gaps", "waveforms", ln == Waveforms,
		"records", len(records), "samples", lost.samples(), "tags", len(lost))
}

// laneBytes is how much is queued in a lane.
func (q *Queue) laneBytes(ln Lane) (n uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, o := range q.openings {
		cum, _ := q.oldest(o, ln)
		n += o.lanes[ln].queued - min(cum, o.lanes[ln].queued)
	}
	return n
}

// declare commits one gap record at once, outside the group commit.
func (q *Queue) declare(gaps []plant.Gap) error {
	q.mu.Lock()
	r := &Record{Epoch: q.epoch, Lane: Findings, Created: plant.Millis(time.Now().UnixNano()), Batch: plant.Batch{Gaps: gaps}}
	q.give(r)
	q.mu.Unlock()
	_, err := q.commit([]*append1{{records: []*Record{r}, settled: []bool{false}}}, nil)
	return err
}

// losses is what thinned records held, by tag.
type losses map[plant.TagID]*loss

type loss struct {
	gap     plant.Gap
	samples uint64
}

// add notes a batch and returns about how many bytes it takes in the queue.
func (l losses) add(b plant.Batch) (size uint64) {
	for _, s := range b.Samples {
		l.note(s.Tag, s.Time)
	}
	for _, s := range b.States {
		l.note(s.Tag, s.Time)
		size += uint64(len(s.Value))
	}
	for i := range b.Waveforms {
		w := &b.Waveforms[i]
		l.note(w.Tag, w.Time)
		size += 24 + 4*uint64(len(w.Values))
	}
	return size + 12*uint64(len(b.Samples)+len(b.States))
}

func (l losses) note(tag plant.TagID, t int64) {
	have := l[tag]
	if have == nil {
		have = &loss{gap: plant.Gap{Tag: tag, From: t, To: t, Reason: plant.GapQueueFull}}
		l[tag] = have
	}
	have.samples++
	have.gap.From, have.gap.To = min(have.gap.From, t), max(have.gap.To, t+msec)
}

// gaps is one gap per tag, from its first to just behind its last sample.
func (l losses) gaps() []plant.Gap {
	out := make([]plant.Gap, 0, len(l))
	for _, tag := range slices.Sorted(maps.Keys(l)) {
		out = append(out, l[tag].gap)
	}
	return out
}

func (l losses) samples() (n uint64) {
	for _, x := range l {
		n += x.samples
	}
	return n
}
