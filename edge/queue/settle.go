package queue

import (
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"millwright/sparkplug"
)

// Settle frees the records of an epoch that the historian has on disk and
// returns how many there were. Numbers that are not queued are ignored. The
// delete is not synced: a lost one only causes a second send.
func (q *Queue) Settle(epoch uint64, acked []sparkplug.Span) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return 0, ErrClosed
	}
	n, err := q.remove(epoch, acked)
	q.stats.Settled += uint64(n)
	return n, err
}

// remove takes numbers off the queue. The caller holds mu.
func (q *Queue) remove(epoch uint64, numbers []sparkplug.Span) (n int, err error) {
	i := slices.IndexFunc(q.openings, func(o *opening) bool { return o.epoch == epoch })
	if i < 0 {
		return 0, nil
	}
	o := q.openings[i]
	b := q.db.NewBatch()
	defer b.Close()
	for _, s := range numbers {
		for ln := range o.lanes {
			var gone []sparkplug.Span
			o.lanes[ln].left, gone = o.lanes[ln].left.cut(s)
			for _, g := range gone {
				n += int(g.Last - g.First + 1)
				from := recordKey(Lane(ln), o.counter, g.First)
				if g.First == g.Last {
					_ = b.Delete(from, nil)
				} else {
					_ = b.DeleteRange(from, recordKey(Lane(ln), o.counter, g.Last+1), nil)
				}
				if o.counter == q.opening {
					q.markSettled(g)
				}
			}
		}
	}
	if o.lowest() == 0 && o.counter != q.opening {
		q.openings = slices.Delete(q.openings, i, i+1)
		_ = b.Delete(epochKey(o.counter), nil)
	}
	if b.Empty() {
		return n, nil
	}
	return n, b.Commit(pebble.NoSync)
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

// Stats describes the queue now.
func (q *Queue) Stats() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.stats
	for _, o := range q.openings {
		for ln := range o.lanes {
			l := &o.lanes[ln]
			s.Records += l.left.count()
			cum, created := q.oldest(o, Lane(ln))
			s.Bytes += l.queued - min(cum, l.queued)
			if created != 0 && (s.Oldest == 0 || created < s.Oldest) {
				s.Oldest = created
			}
		}
	}
	return s
}

// oldest is what the header of the oldest unsettled record of a lane says:
// bytes queued before it, creation time. The caller holds mu.
func (q *Queue) oldest(o *opening, ln Lane) (cum uint64, created int64) {
	l := &o.lanes[ln]
	if len(l.left) == 0 {
		return l.queued, 0
	}
	n := l.left[0].First
	if l.oldest.number == n {
		return l.oldest.cum, l.oldest.created
	}
	if o.counter == q.opening {
		if r := q.waiting(n); r != nil {
			return l.queued, r.Created // not on disk yet, so nothing is queued before it
		}
	}
	cum, _, created, err := q.header(ln, o.counter, n)
	if err != nil {
		return l.queued, 0
	}
	l.oldest.number, l.oldest.cum, l.oldest.created = n, cum, created
	return cum, created
}

// waiting finds a record that is not committed yet. The caller holds mu.
func (q *Queue) waiting(number uint64) *Record {
	for _, list := range [][]*append1{q.flying, q.pending} {
		for _, a := range list {
			if len(a.records) > 0 && a.records[0].Number <= number && number <= a.records[len(a.records)-1].Number {
				return a.records[number-a.records[0].Number]
			}
		}
	}
	return nil
}
