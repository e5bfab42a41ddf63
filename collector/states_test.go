package collector

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"millwright/plant"
)

// states writes down every state that a source goes through, with its reason.
type states struct {
	stop, done chan struct{}
	seen       []string // "State: reason"; read after end
}

func watchStates(s *Source) *states {
	w := &states{stop: make(chan struct{}), done: make(chan struct{})}
	look := func() {
		st := s.Status()
		if line := string(st.State) + ": " + st.Reason; len(w.seen) == 0 || w.seen[len(w.seen)-1] != line {
			w.seen = append(w.seen, line)
		}
	}
	look() // before anything happens
	go func() {
		defer close(w.done)
		for last := false; ; look() {
			if last {
				return
			}
			select {
			case <-w.stop:
				last = true
			case <-time.After(time.Millisecond):
			}
		}
	}()
	return w
}

// end gives what was seen.
func (w *states) end() []string {
	close(w.stop)
	<-w.done
	return w.seen
}

// TestStates walks through all states of a connection, each with the reason that
// people read and the time since when.
func TestStates(t *testing.T) {
	t.Parallel()
	const tags = 30 // each asked for on its own, so that reading the history outlasts the first notification
	history := make([]int, tags)
	for i := range history {
		history[i] = i
	}
	srv := newNodeServer(t, map[string]any{"nodes": tags, "run": true, "good": true, "every": 50, "history": history, "perHistory": 1, "tick": 0})
	p := newProxy(t, srv.port)
	p.slow(20 * time.Millisecond) // so that no state is over before it is seen
	s := &Source{Name: "PLC", URL: p.url(), Tags: srv.tags(tags), StateFile: filepath.Join(t.TempDir(), "plc")}
	out := newStore(s)
	step := func(what string, do func(), until func() bool, want ...string) {
		t.Helper()
		w := watchStates(s)
		begin := time.Now().UnixNano()
		do()
		eventually(t, patience, what, until)
		seen := w.end()
		t.Logf("%s: %s", what, strings.Join(seen, " | "))
		if st := s.Status(); st.Since < begin-int64(time.Millisecond) || st.Since > time.Now().UnixNano() {
			t.Errorf("%s: in %s since %v", what, st.State, time.Unix(0, st.Since))
		}
		next := 0
		for _, line := range seen {
			if next < len(want) && strings.HasPrefix(line, want[next]) {
				next++
			}
		}
		if next < len(want) {
			t.Errorf("%s: %q is missing in %q", what, want[next], seen)
		}
	}
	again := func(since int64) func() bool {
		return func() bool { st := s.Status(); return st.State == plant.Live && st.Since > since }
	}
	step("the first connection", func() { start(t, s, out) }, live(s), "Connecting: for the first time", "Connecting: creating monitored items", "Live: ")
	time.Sleep(2 * time.Second) // the access levels are known
	step("a cut", p.cut, again(s.Status().Since), "Live", "Connecting: ", "Catching-up: resuming the subscription", "Live: ")
	step("a subscription that the server gave up", func() { srv.say("drop") }, func() bool { return s.Status().Backfilled > 0 && live(s)() }, "Live", "Connecting: publish: ",
		"Connecting: creating monitored items", "Backfilling: values are live", "Live: ")
	step("silence", func() { p.hush(true) }, func() bool { return s.Status().State == plant.Connecting || s.Status().State == plant.Down },
		"Live", "Stale: the server is silent")
	since := s.Status().Since
	step("and back", func() { p.hush(false) }, again(since), "Live: ")
	step("a server that is away", func() { p.close(); srv.kill() }, func() bool { return s.Status().State == plant.Down },
		"Live", "Connecting: ", "Down: connecting to "+p.url()+": nobody listens at this port: is the OPC UA server running?")
	st := s.Status()
	if st.LastError != st.Reason || st.Connects < 3 || st.InFlight != 0 || st.Backfilled == 0 {
		t.Errorf("%+v", st)
	}
}
