package simulator

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"millwright/plant"
	"millwright/simulator/server"
)

// Steps that a mill may be moved by.
const (
	ShortestStep = 10 * time.Millisecond
	LongestStep  = time.Second
)

// NewOffline is a mill to be stepped by hand, by a step of ShortestStep to
// LongestStep: no sensor is scanned more often than that. A works that does not
// say when it begins does so with the year 2026.
func NewOffline(w Works, seed uint64, step time.Duration) (*Mill, error) {
	if w.Setting.Start.IsZero() {
		w.Setting.Start = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
	}
	if step < ShortestStep || step > LongestStep {
		return nil, fmt.Errorf("simulator: step %v, allowed is %v to %v", step, ShortestStep, LongestStep)
	}
	return newMill(w, seed, 1, step)
}

// Offline is the scenario's mill, to be stepped by hand: see NewOffline. Another
// seed than the scenario's is as in Mill.
func (s *Scenario) Offline(seed uint64, step time.Duration) (*Mill, error) {
	m, err := NewOffline(s.Works, seed, step)
	if err != nil {
		return nil, err
	}
	return m, m.expect(s.Faults, s.Repairs, s.Random)
}

// Start is the time on the works' own clock at plant time 0.
func (m *Mill) Start() time.Time { return m.works.Setting.Start }

// Offline is a run as fast as the host allows, without a server and a clock: every
// value is offered, as if all tags were monitored. Source times are those of the
// works' own clock.
type Offline struct {
	For  time.Duration // plant time
	Step time.Duration // see NewOffline

	// Progress, where set, is told the plant time that has been run, once an hour of it
	// and at the end.
	Progress func(done time.Duration)
}

// RunOffline writes Ledger and Samples of an offline run. They must not be there
// yet: the same seed gives the same files, bit for bit. It ends early with ctx.
func (s *Simulator) RunOffline(ctx context.Context, o Offline) (err error) {
	w, err := s.works()
	if err != nil {
		return err
	}
	mill, err := NewOffline(w, s.Seed, o.Step)
	if err != nil {
		return err
	}
	if err := mill.expect(s.Faults, s.Repairs, s.Random); err != nil {
		return err
	}
	for _, path := range []string{s.Ledger, s.Samples} {
		if info, err := os.Stat(path); path != "" && err == nil && info.Size() > 0 {
			return fmt.Errorf("%s is there already: remove it or choose another file", path)
		}
	}
	l, err := openLogs(s.Ledger, s.Samples, mill.Tags())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	var vals []server.Value
	var bursts []Burst
	var notes []Truth
	told := time.Duration(0)
	for mill.Now() < o.For && ctx.Err() == nil && !l.broken() {
		mill.Step()
		now := mill.Start().Add(mill.Now()).UnixNano()
		vals, notes = mill.Values(vals[:0]), mill.Truth(notes[:0])
		mill.Stamp(vals, now)
		for _, n := range notes {
			n.Time = plant.Millis(now)
			l.truth(n)
		}
		l.offered(vals)
		if l.samples != nil {
			bursts = mill.Bursts(bursts[:0])
			l.recorded(bursts, now)
		}
		if o.Progress != nil && mill.Now()-told >= time.Hour {
			told = mill.Now()
			o.Progress(told)
		}
	}
	if o.Progress != nil && mill.Now() > told {
		o.Progress(mill.Now())
	}
	return nil
}
