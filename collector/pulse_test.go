package collector

import (
	"strings"
	"testing"
	"time"

	"millwright/plant"
	"millwright/simulator/server"
)

// pulses is long enough for three values of the server's clock, from when on it is
// seen to beat.
const pulses = 4 * time.Second

// TestPulseBesideKeepAlives: a server that grants keep-alives every ten minutes
// only, whose tags do not change, and which then publishes nothing while it
// answers reads, is noticed within seconds, and a new subscription mends it.
func TestPulseBesideKeepAlives(t *testing.T) {
	t.Parallel()
	m := newMill(t, 3, func(s *server.Server) { s.Limits.MinKeepAlive = 10 * time.Minute })
	s := &Source{Name: "PLC", URL: m.URL(), Tags: m.tags()}
	out := newStore(s)
	start(t, s, out)
	eventually(t, patience, "live", live(s))
	if st := s.Status(); st.KeepAliveMS < 600_000 || st.PublishingMS != inMillis(DefaultPublishing) || st.NoPulse != "" {
		t.Fatalf("keep-alive %v ms, publishing %v ms, no pulse: %q", st.KeepAliveMS, st.PublishingMS, st.NoPulse)
	}
	time.Sleep(2 * pulses)
	if !live(s)() {
		t.Fatalf("a quiet server: %+v", s.Status())
	}
	before := s.Status().LastError
	m.Starve(true)
	// Between two looks it may be live again, but not without the reason.
	took := eventually(t, patience, "the silence is noticed", func() bool { return s.Status().LastError != before })
	if took > pulseDeadline+slack {
		t.Errorf("noticed after %v", took)
	}
	eventually(t, patience, "live again", live(s))
	fresh := grows(out)
	m.Write([]server.Value{{Var: 1, Time: time.Now().UnixNano(), Number: 7}})
	eventually(t, patience, "a value comes", fresh)
}

// steady is a live source of a foreign server whose clock can be told how to go.
func steady(t *testing.T) (*foreign, *Source, *store) {
	t.Helper()
	srv := newNodeServer(t, map[string]any{"nodes": 5, "run": true, "good": true, "tick": 0})
	s := &Source{Name: "PLC", URL: srv.url(), Tags: srv.tags(5)}
	out := newStore(s)
	start(t, s, out)
	eventually(t, patience, "live", live(s))
	return srv, s, out
}

// TestPulseNumb: a foreign server that sends its keep-alives and samples nothing
// any more is not Live, and a new subscription mends it.
func TestPulseNumb(t *testing.T) {
	t.Parallel()
	long(t)
	srv, s, out := steady(t)
	time.Sleep(pulses)
	srv.say("numb")
	took := eventually(t, patience, "it is noticed", func() bool { return s.Status().LastError == errNumb.Error() })
	if took > pulseDeadline+slack {
		t.Errorf("noticed after %v", took)
	}
	eventually(t, patience, "a new subscription is live", live(s))
	eventually(t, patience, "values come", grows(out))
}

// TestPulseBudget: the item counts as one of those that the PLC is asked to bear.
func TestPulseBudget(t *testing.T) {
	t.Parallel()
	m := newMill(t, 2, nil)
	for _, c := range []struct {
		budget plant.Budget
		there  bool
	}{
		{plant.Budget{}, true},
		{plant.Budget{Tags: 3}, true},
		{plant.Budget{Tags: 2}, false},
		{plant.Budget{Values: 20, Sampling: 100 * time.Millisecond}, false},
		{plant.Budget{Values: 21, Sampling: 100 * time.Millisecond}, true},
	} {
		s := &Source{Name: "PLC", URL: m.URL(), Tags: m.tags(), Budget: c.budget}
		stop := start(t, s, newStore(s))
		eventually(t, patience, "live", live(s))
		if why := s.Status().NoPulse; c.there != (why == "") || !c.there && !strings.Contains(why, "budget") {
			t.Errorf("%+v: %q", c.budget, why)
		}
		stop()
	}
}
