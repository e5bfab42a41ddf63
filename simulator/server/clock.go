package server

import (
	"container/heap"
	"time"
)

// timer calls run at its time and then every period, with the engine's lock
// held.
type timer struct {
	at     time.Time
	period time.Duration
	run    func(now time.Time)
	index  int // in the heap, -1 when stopped
}

// timers is a heap by time.
type timers []*timer

func (t timers) Len() int           { return len(t) }
func (t timers) Less(i, j int) bool { return t[i].at.Before(t[j].at) }
func (t timers) Swap(i, j int)      { t[i], t[j] = t[j], t[i]; t[i].index = i; t[j].index = j }
func (t *timers) Push(x any)        { x.(*timer).index = len(*t); *t = append(*t, x.(*timer)) }
func (t *timers) Pop() any {
	last := len(*t) - 1
	x := (*t)[last]
	(*t)[last] = nil
	*t = (*t)[:last]
	x.index = -1
	return x
}

// every starts a timer. The engine's lock must be held.
func (e *engine) every(period time.Duration, run func(now time.Time)) *timer {
	t := &timer{at: time.Now().Add(period), period: period, run: run}
	heap.Push(&e.timers, t)
	if t.index == 0 {
		e.wakeClock()
	}
	return t
}

// stopTimer is safe on a timer that was stopped, also from within its run.
func (e *engine) stopTimer(t *timer) {
	if t != nil && t.index >= 0 {
		heap.Remove(&e.timers, t.index)
	}
}

func (e *engine) wakeClock() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// runClock runs the timers until stop is closed. One goroutine serves all
// subscriptions, samplers and sessions: their number is small, their work short,
// and nothing that they call waits for a client.
func (e *engine) runClock(stop <-chan struct{}) {
	sleep := time.NewTimer(time.Hour)
	defer sleep.Stop()
	for {
		sleep.Reset(e.runDue())
		select {
		case <-stop:
			return
		case <-e.wake:
		case <-sleep.C:
		}
	}
}

// runDue runs what is due and says how long to sleep.
func (e *engine) runDue() time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := time.Now()
	for len(e.timers) > 0 && !e.timers[0].at.After(now) {
		t := e.timers[0]
		// Keep the phase; after a pause of the process skip what was missed.
		t.at = t.at.Add(t.period)
		if t.at.Before(now) {
			t.at = now.Add(t.period)
		}
		heap.Fix(&e.timers, 0)
		t.run(now)
	}
	if len(e.timers) == 0 {
		return time.Hour
	}
	return time.Until(e.timers[0].at)
}
