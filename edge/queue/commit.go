package queue

import (
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// A group is committed when the oldest in it has waited so long, when it is so
// large, or at once when it holds a finding or an entry of the audit.
const (
	groupFor   = 100 * time.Millisecond
	groupBytes = 64 << 10
)

// gather starts the clock of the group that gathers. The caller holds mu.
func (q *Queue) gather() {
	if q.since.IsZero() {
		q.since = time.Now()
		q.signal()
	}
}

func (q *Queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// group is what is committed in one step.
type group struct {
	appends []*append1
	dead    []dead
}

// commitLoop writes what is pending, in groups: while one group is synced the
// next gathers.
func (q *Queue) commitLoop() {
	defer q.committed.Done()
	var buf []byte
	clock := time.NewTimer(time.Hour)
	defer clock.Stop()
	for {
		select {
		case <-q.wake:
		case <-clock.C:
		}
		for {
			g, wait, closed := q.take()
			if wait > 0 {
				clock.Reset(wait)
				break
			}
			if len(g.appends)+len(g.dead) == 0 {
				if closed {
					return
				}
				break
			}
			var err error
			buf, err = q.commit(g, buf)
			for _, a := range g.appends {
				if a.done != nil {
					a.done(err)
				}
			}
		}
	}
}

// take returns the group that is due, or for how long to wait for it.
func (q *Queue) take() (g group, wait time.Duration, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.since.IsZero() {
		return g, 0, q.closed
	}
	if wait = groupFor - time.Since(q.since); wait > 0 && !q.urgent && !q.closed {
		return g, wait, false
	}
	g = group{appends: q.pending, dead: q.dead}
	q.pending, q.flying, q.dead = nil, g.appends, nil
	q.since, q.urgent, q.gathered = time.Time{}, false, 0
	return g, 0, q.closed
}

// written is a record of a group that went to the disk.
type written struct {
	r       *Record
	bytes   int
	settled *bool
}

// commit writes one group with one sync. Only the committer's goroutine calls it.
func (q *Queue) commit(g group, buf []byte) ([]byte, error) {
	b := q.db.NewBatch()
	defer b.Close()
	for _, d := range g.dead {
		d.from(b)
	}
	var bad error
	var list []written
	var entered []*Record
	for _, a := range g.appends {
		for i, r := range a.records {
			q.mu.Lock()
			skip := a.settled[i]
			q.mu.Unlock()
			if skip {
				entered = append(entered, r) // the plant has it
				continue
			}
			var err error
			if buf, err = appendRecord(buf[:0], r); err != nil {
				bad = err // a value that no encoder of ours takes: it is not kept, and said so
				list = append(list, written{r: r, settled: &a.settled[i]})
				continue
			}
			_ = b.Set(recordKey(r.Lane, q.opening, r.Number), buf, nil)
			list = append(list, written{r, len(buf), &a.settled[i]})
			entered = append(entered, r)
		}
	}
	q.enter(b, entered)
	sync := pebble.NoSync
	if len(list) > 0 {
		sync = pebble.Sync
	}
	if !b.Empty() {
		if err := b.Commit(sync); err != nil {
			err = fmt.Errorf("commit records: %w", err)
			q.fail(err)
			return buf, err
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	mine := q.mine()
	for _, w := range list {
		l := &mine.lanes[w.r.Lane]
		q.stats.Queued += uint64(w.bytes)
		q.stats.Lanes[w.r.Lane].Queued += uint64(w.bytes)
		it := item{first: w.r.Number, last: w.r.Number, left: 1, bytes: uint32(w.bytes), created: w.r.Created / msec, newest: w.r.Created / msec}
		switch {
		case w.bytes == 0:
			l.left, _ = l.left.cut(one(w.r.Number))
		case *w.settled: // while its commit was under way
			q.inter(dead{lane: w.r.Lane, opening: q.opening, first: it.first, last: it.last})
		default:
			l.add(it)
		}
	}
	for _, a := range g.appends {
		q.waiting -= a.weight
	}
	q.flying = nil
	return buf, bad
}

// from deletes from the database what need not be there.
func (d dead) from(b *pebble.Batch) {
	switch {
	case d.epoch:
		_ = b.Delete(epochKey(d.opening), nil)
	case d.pack:
		_ = b.DeleteRange(placeKey(packPrefix, d.lane, d.opening, d.last), placeKey(packPrefix, d.lane, d.opening, d.last+1), nil)
		_ = b.Delete(placeKey(indexPrefix, d.lane, d.opening, d.last), nil)
	case d.first == d.last:
		_ = b.Delete(recordKey(d.lane, d.opening, d.last), nil)
	default:
		_ = b.DeleteRange(recordKey(d.lane, d.opening, d.first), recordKey(d.lane, d.opening, d.last+1), nil)
	}
}

// fail ends the use of a database whose log could not be written: what an fsync
// that failed has left on the disk is not known, and another one says nothing. A
// restart reads what is there.
func (q *Queue) fail(err error) {
	q.mu.Lock()
	q.failed = err
	q.mu.Unlock()
	q.logger().Fatalf("%v", err)
}
