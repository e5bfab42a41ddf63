package queue

import (
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"millwright/plant"
	"millwright/sparkplug"
)

// Draft is a record before it has a number.
type Draft struct {
	Lane   Lane
	Device string
	Batch  plant.Batch
}

// append1 is one call of Append on its way to the disk.
type append1 struct {
	records []*Record
	settled []bool // acknowledged before the commit: need not be written
	done    func(error)
}

// Append numbers the drafts and returns them as records, to be sent at once;
// they are committed together meanwhile, and done (which may be nil, and is
// called by the queue's own goroutine, in the order of the Appends) says when.
// The batches are copied. ErrFull: nothing was taken.
func (q *Queue) Append(drafts []Draft, done func(error)) ([]*Record, error) {
	if len(drafts) == 0 {
		return nil, nil
	}
	now := plant.Millis(time.Now().UnixNano())
	a := &append1{records: make([]*Record, len(drafts)), settled: make([]bool, len(drafts)), done: done}
	bulk := false
	for i, d := range drafts {
		a.records[i] = &Record{Epoch: q.epoch, Lane: d.Lane, Device: d.Device, Created: now, Batch: clone(d.Batch)}
		bulk = bulk || d.Lane != Findings
	}

	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return nil, ErrClosed
	}
	if bulk {
		if err := q.room(); err != nil {
			return nil, err
		}
	}
	for _, r := range a.records {
		q.give(r)
	}
	q.stats.Appended += uint64(len(a.records))
	q.pending = append(q.pending, a)
	q.signal()
	return a.records, nil
}

// give numbers a record and notes it as not settled. The caller holds mu.
func (q *Queue) give(r *Record) {
	q.number++
	r.Number = q.number
	l := &q.mine().lanes[r.Lane]
	l.left = l.left.add(r.Number)
}

// room refuses telemetry on a full disk. It asks the file system once a second.
func (q *Queue) room() error {
	if time.Since(q.diskSeen) < time.Second {
		return q.diskErr
	}
	q.diskSeen, q.diskErr = time.Now(), nil
	var st syscall.Statfs_t
	if err := syscall.Statfs(q.cfg.Dir, &st); err != nil {
		return nil // a file system that cannot say is not full
	}
	free := int64(st.Bavail) * int64(st.Bsize)
	if free < q.cfg.Reserve {
		// No figure that changes: whoever tells this tells it once.
		q.diskErr = fmt.Errorf("%w: %s has less than the %d MiB free that are kept for findings and for draining: free some space", ErrFull, q.cfg.Dir, q.cfg.Reserve>>20)
	}
	return q.diskErr
}

func clone(b plant.Batch) plant.Batch {
	return plant.Batch{
		Samples:  slices.Clone(b.Samples),
		States:   slices.Clone(b.States),
		Gaps:     slices.Clone(b.Gaps),
		Findings: slices.Clone(b.Findings),

		Waveforms: slices.Clone(b.Waveforms), // their values are nobody's to change
	}
}

// commitLoop writes what is pending, in groups: while one group is synced the
// next gathers.
func (q *Queue) commitLoop() {
	defer q.committed.Done()
	var buf []byte
	for {
		<-q.wake
		for {
			q.mu.Lock()
			group := q.pending
			q.pending, q.flying = nil, group
			closed := q.closed
			q.mu.Unlock()
			if len(group) == 0 {
				if closed {
					return
				}
				break
			}
			var err error
			buf, err = q.commit(group, buf)
			q.mu.Lock()
			q.flying = nil
			late := q.lateSettled(group)
			q.mu.Unlock()
			if late != nil {
				_ = late.Commit(pebble.NoSync)
			}
			for _, a := range group {
				if a.done != nil {
					a.done(err)
				}
			}
			q.thin(Telemetry, q.cfg.MaxBytes)
			q.thin(Waveforms, q.cfg.MaxBytes/waveShare)
		}
	}
}

// commit writes one group with one sync. Only the committer's goroutine calls
// it, so the byte counts of the lanes do not change meanwhile.
func (q *Queue) commit(group []*append1, buf []byte) ([]byte, error) {
	b := q.db.NewBatch()
	defer b.Close()
	q.mu.Lock()
	var cum [Lanes]uint64
	for ln := range cum {
		cum[ln] = q.mine().lanes[ln].queued
	}
	q.mu.Unlock()
	var first error
	for _, a := range group {
		for i, r := range a.records {
			q.mu.Lock()
			skip := a.settled[i]
			q.mu.Unlock()
			if skip {
				continue
			}
			var err error
			buf, err = appendRecord(buf[:0], r, cum[r.Lane])
			if err != nil {
				first = err
				continue
			}
			cum[r.Lane] += uint64(len(buf))
			if err := b.Set(recordKey(r.Lane, q.opening, r.Number), buf, nil); err != nil {
				return buf, err
			}
		}
	}
	if !b.Empty() {
		if err := b.Commit(pebble.Sync); err != nil {
			return buf, fmt.Errorf("commit records: %w", err)
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for ln := range cum {
		q.mine().lanes[ln].queued = cum[ln]
	}
	return buf, first
}

// lateSettled deletes records that were acknowledged while their commit was
// under way: Settle could not delete what was not there yet. The caller holds mu.
func (q *Queue) lateSettled(group []*append1) *pebble.Batch {
	var b *pebble.Batch
	for _, a := range group {
		for i, r := range a.records {
			if !a.settled[i] {
				continue
			}
			if b == nil {
				b = q.db.NewBatch()
			}
			_ = b.Delete(recordKey(r.Lane, q.opening, r.Number), nil)
		}
	}
	return b
}

// markSettled notes an acknowledgement that overtook the commit. The caller
// holds mu.
func (q *Queue) markSettled(s sparkplug.Span) {
	for _, list := range [][]*append1{q.pending, q.flying} {
		for _, a := range list {
			for i, r := range a.records {
				if r.Number >= s.First && r.Number <= s.Last {
					a.settled[i] = true
				}
			}
		}
	}
}

// Flushed calls done when everything appended so far is durable.
func (q *Queue) Flushed(done func(error)) error {
	if done == nil {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return ErrClosed
	}
	q.pending = append(q.pending, &append1{done: done})
	q.signal()
	return nil
}
