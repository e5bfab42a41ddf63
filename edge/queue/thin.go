package queue

import (
	"fmt"
	"time"

	"millwright/plant"
	"millwright/sparkplug"
)

// gapsPerRecord keeps a gap record below 64 KiB.
const gapsPerRecord = 1500

// thinStep of a quota is given up at once.
const thinStep = 50

// thin keeps a lane within its quota: its oldest records go, and gap records in
// the findings lane name what went, tag by tag.
func (q *Queue) thin(ln Lane, aged bool) {
	quota := q.quotas[ln]
	if quota.Bytes > 0 {
		q.mu.Lock()
		over := q.laneBytes(ln) > uint64(quota.Bytes)
		q.mu.Unlock()
		if over {
			q.thinTo(ln, uint64(quota.Bytes-quota.Bytes/thinStep), 0, fmt.Sprintf("more than the quota of %d MB", quota.Bytes/1e6))
		}
	}
	if quota.Age > 0 && aged {
		before := time.Now().Add(-quota.Age).UnixMilli()
		for q.closing.Err() == nil && q.thinTo(ln, 1<<62, before, fmt.Sprintf("older than the quota of %d h", int(quota.Age.Hours()))) {
		}
	}
}

const (
	thinItems = 256 // at a time, so that memory stays small
	// Times before this are those of a box that did not know the time yet.
	aClock = 1_577_836_800_000 // 2020-01-01 in ms
)

// thinTo gives up the oldest items of a lane until it has at most so many bytes
// and nothing older than before (ms). It reports whether there is more to do.
func (q *Queue) thinTo(ln Lane, most uint64, before int64, why string) (more bool) {
	q.mu.Lock()
	have := q.laneBytes(ln)
	var out []place
scan:
	for _, o := range q.openings {
		for _, it := range o.lanes[ln].items {
			old := it.newest < before && it.newest > aClock
			if it.broken || have <= most && !old {
				if it.broken {
					continue
				}
				break scan
			}
			if len(out) == thinItems {
				more = true
				break scan
			}
			have -= min(have, uint64(it.bytes))
			out = append(out, place{it, ln, o.counter, o.epoch})
		}
	}
	q.mu.Unlock()
	if len(out) == 0 {
		return false
	}
	lost, counts := Losses{}, counted{}
	for i := range out {
		p := &out[i]
		records, err := q.read(p)
		if err != nil {
			lost.unknown(q, p)
			continue
		}
		for j := range records {
			if q.isLeft(p, records[j].Number) {
				lost.Add(records[j].Batch, plant.GapQueueFull)
				counts[key{p.epoch, records[j].Number}] = q.countOf(&records[j].Batch)
			}
		}
	}
	n, ok := q.giveUp(out, lost, counts)
	if ok {
		q.tellThinned(ln, n, lost.samples(), len(lost), why)
	}
	return more && ok
}

// giveUp declares what items hold and takes them off the queue. The gaps are
// committed before the records go: a crash in between declares too much, never
// too little. counts is what the records hold that could be read.
func (q *Queue) giveUp(list []place, lost Losses, counts counted) (records int, ok bool) {
	if err := q.declare(lost.Gaps()); err != nil {
		q.cfg.Log.Error("queue: a gap cannot be declared, keeping the data", "err", err)
		return 0, false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.enterDeclared(list, counts); err != nil {
		q.cfg.Log.Error("queue: what was declared is not in the books, keeping the data", "err", err)
		return 0, false
	}
	q.stats.Declared += lost.samples()
	for i := range list {
		p := &list[i]
		for _, o := range q.openings {
			if o.counter == p.opening {
				n := q.cut(o, p.lane, sparkplug.Span{First: p.first, Last: p.last})
				q.stats.Lanes[p.lane].GivenUp += n
				records += int(n)
				q.forget(o)
				break
			}
		}
	}
	q.stats.Lanes[list[0].lane].Declared += lost.samples()
	return records, true
}

// laneBytes is how much is queued in a lane. The caller holds mu.
func (q *Queue) laneBytes(ln Lane) (n uint64) {
	for _, o := range q.openings {
		n += o.lanes[ln].bytes
	}
	return n
}
