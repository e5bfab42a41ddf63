package queue

import (
	"slices"

	"millwright/sparkplug"
)

// dead is what is to be deleted: one value, or a run of records.
type dead struct {
	lane        Lane
	opening     uint32
	first, last uint64
	pack        bool
	epoch       bool // the opening itself: nothing is left of it
}

// Settle frees the records of an epoch that the historian has on disk and
// returns how many there were. Numbers that are not queued are ignored. It waits
// for no disk: the deletes go with the next group and are not synced, since a lost
// one only causes a second send.
func (q *Queue) Settle(epoch uint64, acked []sparkplug.Span) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return 0, ErrClosed
	}
	var by [Lanes]uint64
	n := q.remove(epoch, acked, &by)
	q.stats.Settled += uint64(n)
	for ln := range by {
		q.stats.Lanes[ln].Settled += by[ln]
	}
	return n, nil
}

// remove takes numbers off the queue and adds to by how many of each lane. The
// caller holds mu.
func (q *Queue) remove(epoch uint64, numbers []sparkplug.Span, by *[Lanes]uint64) (n int) {
	i := slices.IndexFunc(q.openings, func(o *opening) bool { return o.epoch == epoch })
	if i < 0 {
		return 0
	}
	for _, s := range numbers {
		for ln := range Lane(Lanes) {
			count := q.cut(q.openings[i], ln, s)
			n += int(count)
			by[ln] += count
		}
	}
	q.forget(q.openings[i])
	return n
}

// cut takes numbers of one lane off the queue. The caller holds mu.
func (q *Queue) cut(o *opening, ln Lane, s sparkplug.Span) (n uint64) {
	l := &o.lanes[ln]
	var gone []sparkplug.Span
	l.left, gone = l.left.cut(s)
	for _, g := range gone {
		n += g.Last - g.First + 1
		q.bury(o, ln, l.drop(g))
		if o.counter == q.opening {
			q.markSettled(g)
		}
	}
	return n
}

// forget lets go of an earlier opening of which nothing is left. The caller holds mu.
func (q *Queue) forget(o *opening) {
	if o.lowest() != 0 || o.counter == q.opening || q.salvage.running {
		return
	}
	q.openings = slices.DeleteFunc(q.openings, func(x *opening) bool { return x == o })
	q.inter(dead{opening: o.counter, epoch: true})
}

// bury notes neighbours for deletion. The caller holds mu.
func (q *Queue) bury(o *opening, ln Lane, items []item) {
	for i, it := range items {
		// A run of records is one range; where records are salvaged one may come to
		// lie between two others, so there each goes by itself.
		if k := len(q.dead); i > 0 && !it.pack && !items[i-1].pack && o.counter == q.opening {
			q.dead[k-1].last = it.last
			continue
		}
		q.inter(dead{lane: ln, opening: o.counter, first: it.first, last: it.last, pack: it.pack})
	}
}

func (q *Queue) inter(d dead) {
	q.dead = append(q.dead, d)
	q.gather()
}

// Oldest is the lowest number of an epoch that is not settled; everything below
// it will never be sent again. With nothing left it is the next number.
func (q *Queue) Oldest(epoch uint64) uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, o := range q.openings {
		if o.epoch != epoch {
			continue
		}
		if n := o.lowest(); n > 0 {
			return n
		}
		return q.number + 1
	}
	return 0
}
