package influx

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"millwright/historian/store"
	"millwright/plant"
)

const (
	requestPoints = 5000    // of a request
	requestBytes  = 4 << 20 // and of its text, far below the 25 MB that a server takes
	lanes         = 3       // requests at once
)

// Append implements store.Store. The points go first and the record numbers
// last. Times are cut to whole milliseconds; empty gaps are left out.
func (s *Store) Append(ctx context.Context, b plant.Batch, marks []store.Mark) error {
	ctx, leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if err := checkMarks(marks); err != nil {
		return fmt.Errorf("influx: %w", err)
	}
	s.declareWaveforms(&b)
	if len(b.Samples)+len(b.States)+len(b.Gaps)+len(marks) == 0 {
		return nil
	}
	s.mu.RLock()
	tags := s.tags.byID
	s.mu.RUnlock()
	if err := known(tags, &b); err != nil {
		return fmt.Errorf("influx: %w", err)
	}
	if len(marks) > 0 && s.committed(marks) {
		s.stats.repeated.Add(1)
		return nil
	}
	if err := s.store(ctx, tags, &b, marks); err != nil {
		if errors.Is(err, store.ErrDiskFull) {
			s.stats.refused.Add(1)
		}
		return fmt.Errorf("influx: %w", err)
	}
	s.stats.appended.Add(uint64(len(b.Samples)))
	s.stats.commits.Add(1)
	return nil
}

// known refuses a batch with a tag that was never interned.
func known(tags []*entry, b *plant.Batch) error {
	is := func(id plant.TagID) bool { return int(id) < len(tags) && tags[id] != nil }
	for i := range b.Samples {
		if id := b.Samples[i].Tag; !is(id) {
			return fmt.Errorf("sample of tag %d: %w", id, store.ErrUnknownTag)
		}
	}
	for i := range b.States {
		if id := b.States[i].Tag; !is(id) {
			return fmt.Errorf("state of tag %d: %w", id, store.ErrUnknownTag)
		}
	}
	for i := range b.Gaps {
		if id := b.Gaps[i].Tag; !is(id) {
			return fmt.Errorf("gap of tag %d: %w", id, store.ErrUnknownTag)
		}
	}
	return nil
}

func (s *Store) store(ctx context.Context, tags []*entry, b *plant.Batch, marks []store.Mark) error {
	n := 1
	if len(b.Samples)+len(b.States) > requestPoints {
		n = lanes
	}
	var refused atomic.Int64
	g, gctx := errgroup.WithContext(ctx)
	for k := range n {
		g.Go(func() error {
			l := lane{s: s, ctx: gctx, tags: tags}
			if err := l.run(b, k, n); err != nil {
				return err
			}
			refused.Add(int64(l.refused))
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if err := s.storeGaps(ctx, tags, b.Gaps); err != nil {
		return fmt.Errorf("gaps: %w", err)
	}
	if refused.Load() > 0 {
		// What is in quarantine is not in the database: ask it for the last values.
		if err := s.refresh(ctx, b); err != nil {
			return err
		}
	}
	if len(marks) > 0 {
		if err := s.commit(ctx, marks, newest(b)); err != nil {
			return err
		}
	}
	if refused.Load() == 0 {
		s.see(b)
	}
	return nil
}

// newest is the latest source time of a batch, 0 where it has none.
func newest(b *plant.Batch) (at int64) {
	for i := range b.Samples {
		at = max(at, b.Samples[i].Time)
	}
	for i := range b.States {
		at = max(at, b.States[i].Time)
	}
	return at
}

// lane writes all there is of some of the tags, one request after the other: of
// two values of one key the later one in the batch wins.
type lane struct {
	s       *Store
	ctx     context.Context
	tags    []*entry
	text    []byte
	points  int
	start   int // of the present line
	bad     []refusal
	refused int
}

func (l *lane) run(b *plant.Batch, k, n int) error {
	for i := range b.Samples {
		x := &b.Samples[i]
		if int(x.Tag)%n != k {
			continue
		}
		l.sample(x)
		if err := l.full(); err != nil {
			return err
		}
	}
	for i := range b.States {
		x := &b.States[i]
		if int(x.Tag)%n != k {
			continue
		}
		l.state(x)
		if err := l.full(); err != nil {
			return err
		}
	}
	if err := l.send(); err != nil {
		return err
	}
	l.refused += len(l.bad)
	return l.s.quarantine.keep(l.bad)
}

func (l *lane) sample(x *plant.Sample) {
	q, bits := packQuality(x.Value, x.Quality)
	l.start = len(l.text)
	b := append(l.text, "sensor"...)
	b = append(b, l.tags[x.Tag].series...)
	b = append(b, " q="...)
	b = strconv.AppendInt(b, q, 10)
	b = append(b, 'i')
	switch {
	case x.Value-x.Value == 0:
		b = append(b, ",v="...)
		b = strconv.AppendFloat(b, x.Value, 'g', -1, 64)
	case bits:
		b = append(b, ",x="...)
		b = strconv.AppendInt(b, int64(math.Float64bits(x.Value)), 10)
		b = append(b, 'i')
	}
	l.end(b, x.Time)
}

func (l *lane) state(x *plant.State) {
	v, q := packText(x.Value, x.Quality)
	l.start = len(l.text)
	b := append(l.text, "sensor_str"...)
	b = append(b, l.tags[x.Tag].series...)
	b = append(b, " q="...)
	b = strconv.AppendInt(b, q, 10)
	b = append(b, "i,v="...)
	b = appendString(b, v)
	l.end(b, x.Time)
}

// end puts the time behind a line. With one that Influx cannot say the line is as
// good as refused.
func (l *lane) end(b []byte, ns int64) {
	b = append(b, ' ')
	b = strconv.AppendInt(b, floorMillis(ns), 10)
	if ns < earliest || ns >= latest {
		l.bad = append(l.bad, refusal{string(b[l.start:]), "no time between " + moment(earliest) + " and " + moment(latest)})
		l.text = b[:l.start]
		return
	}
	l.text = append(b, '\n')
	l.points++
}

// floorMillis is a time in whole milliseconds, cut towards the past.
func floorMillis(ns int64) int64 {
	n := ns / ms
	if ns%ms < 0 {
		n--
	}
	return n
}

func (l *lane) full() error {
	if l.points < requestPoints && len(l.text) < requestBytes {
		return nil
	}
	return l.send()
}

func (l *lane) send() error {
	if l.points == 0 {
		return nil
	}
	lines := string(l.text) // the client may look at it after a failure
	l.text, l.points = l.text[:0], 0
	err := l.s.server.write(l.ctx, lines)
	if err == nil {
		l.s.faults.clear()
		return nil
	}
	if !errors.Is(err, errRefused) {
		return err
	}
	n, err := l.s.sift(l.ctx, lines, err)
	l.refused += n
	return err
}
