package queue

import (
	"errors"
	"fmt"
	"slices"
	"time"

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
	weight  int
	done    func(error)
}

const (
	maxWaiting  = 8 << 20 // bytes in memory for the disk, beyond which no telemetry is taken
	mostWaiting = 4 * maxWaiting
)

// ErrClosed says that the queue was closed meanwhile.
var ErrClosed = errors.New("queue is closed")

// ErrFull says that the disk has no room for telemetry; the caller keeps the
// batch and offers it again.
var ErrFull = errors.New("disk full")

// ErrBusy says that the disk does not keep up; the caller keeps the batch and
// offers it again.
var ErrBusy = errors.New("the disk does not keep up")

// Append numbers the drafts and returns them as records, to be sent at once;
// they are committed together meanwhile, and done (which may be nil, and is
// called by the queue's own goroutine, in the order of the Appends) says when.
// The batches are copied. ErrFull, ErrBusy: nothing was taken.
func (q *Queue) Append(drafts []Draft, done func(error)) ([]*Record, error) {
	if len(drafts) == 0 {
		return nil, nil
	}
	now := plant.Millis(time.Now().UnixNano())
	a := &append1{records: make([]*Record, len(drafts)), settled: make([]bool, len(drafts)), done: done}
	made := make([]Record, len(drafts))
	bulk := false
	for i, d := range drafts {
		made[i] = Record{Epoch: q.epoch, Lane: d.Lane, Device: d.Device, Created: now, Batch: clone(d.Batch)}
		a.records[i] = &made[i]
		a.weight += weight(&d.Batch)
		bulk = bulk || d.Lane.mayGo()
	}

	q.mu.Lock()
	defer q.mu.Unlock()
	switch most := maxWaiting; {
	case q.closed:
		return nil, ErrClosed
	case q.failed != nil:
		return nil, q.failed
	case bulk && q.diskErr != nil:
		return nil, q.diskErr
	case !bulk:
		most = mostWaiting
		fallthrough
	default:
		if q.waiting > most {
			return nil, ErrBusy
		}
	}
	for _, r := range a.records {
		q.number++
		r.Number = q.number
		l := &q.mine().lanes[r.Lane]
		l.left = l.left.add(r.Number)
		q.stats.Lanes[r.Lane].Appended++
	}
	q.stats.Appended += uint64(len(a.records))
	q.hold(a, !bulk)
	return a.records, nil
}

// hold leaves an append to the committer. The caller holds mu.
func (q *Queue) hold(a *append1, now bool) {
	q.pending = append(q.pending, a)
	q.waiting += a.weight
	q.gathered += a.weight
	q.urgent = q.urgent || now || q.gathered >= groupBytes
	q.gather()
	if q.urgent {
		q.signal()
	}
}

// weight is about how many bytes a batch takes in the queue.
func weight(b *plant.Batch) int {
	n := 32 + 12*len(b.Samples)
	for i := range b.States {
		n += 12 + len(b.States[i].Value)
	}
	for i := range b.Waveforms {
		n += 24 + 4*len(b.Waveforms[i].Values)
	}
	return n + 32*len(b.Gaps) + 512*len(b.Findings)
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

// markSettled notes an acknowledgement that overtook the commit. The caller
// holds mu.
func (q *Queue) markSettled(s sparkplug.Span) {
	for _, list := range [][]*append1{q.flying, q.pending} {
		for _, a := range list {
			if n := len(a.records); n == 0 || a.records[n-1].Number < s.First || a.records[0].Number > s.Last {
				continue
			}
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
	q.hold(&append1{done: done}, len(q.pending) == 0)
	return nil
}

// declare has gaps of what goes committed, and returns when they are durable.
func (q *Queue) declare(gaps []plant.Gap) error {
	var drafts []Draft
	for part := range slices.Chunk(gaps, gapsPerRecord) {
		drafts = append(drafts, Draft{Lane: Findings, Batch: plant.Batch{Gaps: part}})
	}
	if len(drafts) == 0 {
		return nil
	}
	q.keepNames(gaps)
	done := make(chan error, 1)
	if _, err := q.Append(drafts, func(err error) { done <- err }); err != nil {
		return fmt.Errorf("declare: %w", err)
	}
	return <-done
}
