package queue

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"millwright/sparkplug"
)

// What the keeper does from time to time.
const (
	keepEvery  = time.Second
	markEvery  = time.Minute
	pressEvery = 10 * time.Second
	idleAfter  = 10 * time.Second // the pack that was read last is let go of

	packAfter = 10 * time.Second // records younger than this are about to be settled
	packBytes = 2 << 20          // of records in one pack: 160,000 samples
	packTail  = 64 << 10         // the same of an earlier opening, to which nothing comes
)

// keep packs, thins, and watches disk and quotas, until Close.
func (q *Queue) keep() {
	defer q.kept.Done()
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	var marked, pressed, read time.Time
	var age ageGuard
	var p packer
	for {
		select {
		case <-q.closing.Done():
			return
		case <-q.tend:
		case <-tick.C:
		}
		now := time.Now()
		q.look(now)
		q.measure(now)
		q.declareBroken()
		for q.closing.Err() == nil {
			did, err := q.packSome(&p, now)
			if err != nil {
				if !errors.Is(err, pebble.ErrClosed) {
					q.cfg.Log.Error("queue: backlog is not packed", "err", err)
				}
				break
			}
			if !did {
				break
			}
		}
		for _, ln := range []Lane{Waveforms, Telemetry} {
			q.thin(ln, age.trusts(now))
		}
		if q.pressed() && now.Sub(pressed) >= pressEvery {
			pressed = now
			q.press()
		}
		if now.Sub(marked) >= markEvery {
			marked = now
			q.mark()
		}
		if now.Sub(read) >= idleAfter {
			read = now
			q.unpacked.forget()
		}
	}
}

// call wakes the keeper.
func (q *Queue) call() {
	select {
	case q.tend <- struct{}{}:
	default:
	}
}

// ageGuard keeps a clock that jumps from making records old.
type ageGuard struct {
	wall, until time.Time
}

const (
	jump  = time.Minute
	trust = time.Hour // for so long after a jump nothing is too old
)

// trusts reports whether the clock has run evenly for a while. The first look
// starts that while: the clock may have been set just before.
func (g *ageGuard) trusts(now time.Time) bool {
	wall := now.Round(0) // without the monotonic reading
	ran := now.Sub(g.wall)
	if !g.wall.IsZero() {
		if d := wall.Sub(g.wall.Round(0)) - ran; d > jump || d < -jump {
			g.until = now.Add(trust)
		}
	} else {
		g.until = now.Add(trust)
	}
	g.wall = now
	return now.After(g.until)
}

// packSome makes one pack of what is due, and reports whether it did.
func (q *Queue) packSome(p *packer, now time.Time) (bool, error) {
	run, ok := q.packRun(now.UnixMilli())
	if !ok {
		return false, nil
	}
	first, last := run[0], run[len(run)-1]
	var records []Record
	samples := 0
	it, err := q.db.NewIter(&pebble.IterOptions{
		LowerBound: recordKey(first.lane, first.opening, first.first),
		UpperBound: recordKey(first.lane, first.opening, last.last+1),
	})
	if err != nil {
		return false, err
	}
	for it.First(); it.Valid(); it.Next() {
		_, _, number, ok := parsePlaceKey(it.Key())
		if !ok {
			continue
		}
		v, err := it.ValueAndErr()
		var r Record
		if err == nil {
			r, err = decodeRecord(v)
		}
		if err != nil {
			return false, errors.Join(err, it.Close(), q.breakRun(run))
		}
		r.Epoch, r.Number, r.Lane = first.epoch, number, first.lane
		if samples += len(r.Batch.Samples); samples > maxPackSamples {
			break
		}
		records = append(records, r)
	}
	if err := errors.Join(it.Error(), it.Close()); err != nil {
		return false, errors.Join(err, q.breakRun(run))
	}
	if len(records) == 0 { // settled meanwhile
		return true, nil
	}
	value, err := p.appendPack(nil, records)
	if err != nil {
		return false, err
	}
	x := indexOf(records, len(value))
	to := x.item()
	b := q.db.NewBatch()
	defer b.Close()
	setPack(b, first.lane, first.opening, &x, value)
	_ = b.DeleteRange(recordKey(first.lane, first.opening, to.first), recordKey(first.lane, first.opening, to.last+1), nil)
	// Not synced: until it is durable the records are there as they were.
	if err := b.Commit(pebble.NoSync); err != nil {
		return false, err
	}
	q.repack(first, to, uint64(len(value)))
	return true, nil
}

// packRun finds neighbours that are old and large enough to be packed.
func (q *Queue) packRun(now int64) ([]place, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.salvage.running { // it may put records between others
		return nil, false
	}
	for _, o := range q.openings {
		l := &o.lanes[Telemetry]
		need := packBytes
		if o.counter != q.opening {
			need = packTail
		}
		var run []place
		bytes := 0
		for _, it := range l.items[l.unpacked():] {
			if it.pack || it.broken {
				run, bytes = run[:0], 0
				continue
			}
			if age := now - it.created; age < packAfter.Milliseconds() && age > -packAfter.Milliseconds() || len(run) == maxPackRecords {
				break
			}
			run = append(run, place{it, Telemetry, o.counter, o.epoch})
			if bytes += int(it.bytes); bytes >= packBytes {
				break
			}
		}
		if len(run) > 1 && bytes >= need {
			return run, true
		}
	}
	return nil, false
}

// repack puts a pack in the place of the records it holds. Some of them may have
// been settled while it was made.
func (q *Queue) repack(at place, to item, size uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, o := range q.openings {
		if o.counter != at.opening {
			continue
		}
		l := &o.lanes[at.lane]
		i := l.from(to.first)
		j := i
		var was uint64
		for j < len(l.items) && l.items[j].last <= to.last {
			was += uint64(l.items[j].bytes)
			j++
		}
		l.bytes -= was
		q.packedIn += was
		q.packed += size
		to.left = uint32(l.left.within(sparkplug.Span{First: to.first, Last: to.last}))
		if to.left == 0 {
			l.items = append(l.items[:i], l.items[j:]...)
			q.inter(dead{lane: at.lane, opening: at.opening, first: to.first, last: to.last, pack: true})
			return
		}
		l.bytes += uint64(to.bytes)
		l.items = append(append(l.items[:i], to), l.items[j:]...)
		return
	}
	q.inter(dead{lane: at.lane, opening: at.opening, first: to.first, last: to.last, pack: true})
}

// breakRun looks for the records of a run that cannot be read, so that the rest
// can be packed without them.
func (q *Queue) breakRun(run []place) error {
	for i := range run {
		p := &run[i]
		if _, err := q.read(p); err != nil && !errors.Is(err, pebble.ErrNotFound) {
			q.breakItem(p)
		}
	}
	return nil
}

// measure follows how fast each lane fills.
func (q *Queue) measure(now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for ln := range q.rates {
		q.rates[ln].at(now, q.stats.Lanes[ln].Queued)
	}
}

// pressed reports whether the disk has less than the reserve.
func (q *Queue) pressed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.diskErr != nil
}

// press gives up the oldest waveforms while the disk is full: they are worth the
// least. Telemetry is not given up for what others have put on the disk; it is not
// taken meanwhile, and the PLC's own queues hold it for a while.
func (q *Queue) press() {
	q.mu.Lock()
	have := q.laneBytes(Waveforms)
	q.mu.Unlock()
	if have > 0 {
		q.thinTo(Waveforms, have-have/10-1, 0, fmt.Sprintf("less than %d MiB are free on its disk", q.cfg.Reserve>>20))
	}
}

// rate is a smoothed count of bytes a second.
type rate struct {
	perSecond float64
	since     time.Time
	count     uint64
}

const rateOver = 5 * time.Minute

func (r *rate) at(now time.Time, count uint64) {
	if r.since.IsZero() {
		r.since, r.count = now, count
		return
	}
	d := now.Sub(r.since)
	if d < keepEvery/2 {
		return
	}
	fresh := float64(count-r.count) / d.Seconds()
	if r.perSecond == 0 {
		r.perSecond = fresh
	}
	r.perSecond += min(1, float64(d)/float64(rateOver)) * (fresh - r.perSecond)
	r.since, r.count = now, count
}

// tell notes that something was given up.
func (q *Queue) tellThinned(ln Lane, records int, values uint64, tags int, why string) {
	q.note(slog.LevelWarn, fmt.Sprintf("%d records of %s, the oldest, with %d values of %d tags, were given up and declared as gaps: %s", records, ln, values, tags, why))
}
