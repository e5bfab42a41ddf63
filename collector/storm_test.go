package collector

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"millwright/plant"
)

// TestBudgetHoldsInStorm: while connections are refused, cut and go silent again
// and again, what the server gets stays within the budget, and it never has a
// second session or subscription of ours; then nothing is lost without a word.
// With MILLWRIGHT_FIGURES the storm lasts a minute.
func TestBudgetHoldsInStorm(t *testing.T) {
	long(t)
	t.Parallel()
	storm := 10 * time.Second
	if os.Getenv("MILLWRIGHT_FIGURES") != "" {
		storm = time.Minute
	}
	srv := newNodeServer(t, map[string]any{"nodes": 40, "run": true, "good": true, "perCall": 10})
	p := newProxy(t, srv.port)
	b := plant.Budget{Requests: 10, Connects: 12, OneByOne: true}
	s := &Source{Name: "PLC", URL: p.url(), Tags: srv.tags(40), Budget: b, StateFile: filepath.Join(t.TempDir(), "plc")}
	out := newStore(s)
	start(t, s, out)
	eventually(t, patience, "live", live(s))
	calm := srv.demand()
	begin := time.Now()
	faults := 0
	for time.Since(begin) < storm {
		switch faults++; rand.IntN(4) {
		case 0:
			p.hush(true)
			time.Sleep(300 * time.Millisecond)
			p.cut()
			p.hush(false)
		case 1:
			p.slow(time.Duration(rand.IntN(50)) * time.Millisecond)
			fallthrough
		default:
			p.cut()
		}
		time.Sleep(time.Duration(50+rand.IntN(250)) * time.Millisecond)
	}
	p.slow(0)
	took := time.Since(begin)
	eventually(t, time.Minute, "live in the end", live(s))
	end := srv.demand()
	// Two channels a connection: one that asks for the endpoints, one that is used.
	channels, most := end.Channels-calm.Channels, 2*(1+int(b.Connects/2+b.Connects/2*(time.Since(begin).Seconds()/60)))
	requests := 0
	for service, n := range end.Services {
		switch service {
		case "Publish", "GetEndpoints", "CreateSession", "ActivateSession", "OpenSecureChannel", "CloseSecureChannel":
		default:
			requests += n - calm.Services[service]
		}
	}
	t.Logf("%d faults in %v: %d channels, at most %d sessions and %d subscriptions, %d requests: %v", faults, took.Round(time.Second), channels, end.MostSessions, end.MostSubscriptions, requests, end.Services)
	if channels > most || end.MostSessions > 1 || end.MostSubscriptions > 1 || end.Now != 1 {
		t.Errorf("%d channels, allowed %d; at most %d sessions, %d subscriptions, %d sessions now", channels, most, end.MostSessions, end.MostSubscriptions, end.Now)
	}
	if allowed := int(b.Requests * (time.Since(begin).Seconds() + 1)); requests > allowed {
		t.Errorf("%d requests, allowed %d", requests, allowed)
	}
	if st := s.Status(); st.Connects < 2 || st.LastError == "" || st.LastErrorAt == 0 || st.Requests["Publish"] == 0 || st.Requests["CreateSession"] != uint64(end.Sessions) {
		t.Errorf("%+v", st)
	}
	settled(t, srv, s, out)
	out.reckon(t, offeredBy(t, srv.logFile())).check(t)
}

// TestSessionBudget: the answers to CreateSession are lost again and again, so each
// leaves a session at the server. There are never more of ours than the budget
// has, who waits for that says so, and when their time is over it goes on.
func TestSessionBudget(t *testing.T) {
	long(t)
	t.Parallel()
	srv := newNodeServer(t, map[string]any{"nodes": 1, "run": true})
	p := newProxy(t, srv.port)
	p.lose([]byte{1, 0, 0xd0, 1}) // the type of a CreateSessionResponse, i=464
	const most = 2
	s := &Source{Name: "PLC", URL: p.url(), Tags: srv.tags(1), Budget: plant.Budget{Sessions: most}, life: 8 * time.Second}
	start(t, s, newStore(s))
	eventually(t, patience, "waits", func() bool {
		st := s.Status()
		return st.State == plant.Down && strings.HasPrefix(st.Reason, "waiting for 2 sessions of ours to end at the server until 20")
	})
	eventually(t, patience, "goes on in time", func() bool { return srv.demand().Sessions > most })
	p.lose(nil)
	eventually(t, patience, "live", live(s))
	d := srv.demand()
	t.Logf("%d sessions made, at most %d at a time", d.Sessions, d.MostSessions)
	if d.MostSessions > most {
		t.Errorf("%d sessions of ours at a time, the budget is %d", d.MostSessions, most)
	}
}

// TestSessions: a session counts until its end is known, or its time is over.
func TestSessions(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	s := newSessions(plant.Budget{Sessions: 2}, time.Minute)
	full := func(at time.Time, want string) {
		t.Helper()
		err := s.room(at)
		if (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want) {
			t.Errorf("at %v: %v, want %q", at, err, want)
		}
	}
	full(now, "")
	a := s.begin()
	full(now, "")
	s.begin()
	full(now.Add(30*time.Second), "waiting for 2 sessions of ours to end at the server until 2030-01-01T12:01:05Z")
	full(now.Add(time.Minute+sessionSlack), "") // that of a is over
	s.begin()
	a.end() // twice does no harm
	full(now.Add(time.Minute+sessionSlack), "waiting for 2 sessions of ours to end at the server until 2030-01-01T12:01:35Z")
	s.meet(1)
	s.begin().end()
	full(now.Add(time.Minute+sessionSlack), "waiting for 2 ")
	s.meet(1)
	full(now.Add(time.Minute+sessionSlack), "waiting for 2 ")
	s.meet(2) // the server was restarted
	full(now.Add(time.Minute+sessionSlack), "")
	s.grants(time.Hour)
	s.begin()
	s.begin()
	full(now, "waiting for 2 sessions of ours to end at the server until 2030-01-01T13:00:05Z")
	s = newSessions(plant.Budget{}, time.Minute)
	for range 100 {
		s.begin()
		full(now, "")
	}
	if full(now.Add(time.Hour), ""); len(s.list) != 0 {
		t.Errorf("%d are remembered for ever", len(s.list))
	}
}

// TestRefusedLogin: a session that is not let in does not stay at the server.
func TestRefusedLogin(t *testing.T) {
	t.Parallel()
	pki, srv := trustedPair(t, map[string]any{"nodes": 1, "users": map[string]string{"op": "right"}})
	accept(t, pki, srv)
	s := &Source{Name: "PLC", URL: srv.url(), Tags: srv.tags(1), Security: Security{Policy: "Basic256Sha256", Mode: "SignAndEncrypt", PKI: pki, User: "op", Password: "wrong"}}
	start(t, s, newStore(s))
	eventually(t, patience, "refused", refused(s, "does not let in"))
	if d := srv.demand(); d.Now != 0 || d.Sessions != 1 {
		t.Errorf("%d sessions, of %d that were made", d.Now, d.Sessions)
	}
}

// TestWaitsForBudget: who waits for the budget says so.
func TestWaitsForBudget(t *testing.T) {
	t.Parallel()
	srv := newNodeServer(t, map[string]any{"nodes": 1, "run": true})
	p := newProxy(t, srv.port)
	s := &Source{Name: "PLC", URL: p.url(), Tags: srv.tags(1), Budget: plant.Budget{Connects: 2}}
	start(t, s, newStore(s))
	eventually(t, patience, "live", live(s))
	p.cut()
	eventually(t, patience, "waits", func() bool {
		st := s.Status()
		return st.State == plant.Down && strings.Contains(st.Reason, "the budget of this PLC is 2 a minute; before that: ")
	})
}

// TestFloors: what is faster than the PLC bears is asked for at its floor, and
// what was asked for is shown beside what was granted.
func TestFloors(t *testing.T) {
	long(t)
	t.Parallel()
	srv := newNodeServer(t, map[string]any{"nodes": 2, "run": true, "history": []int{0}})
	s := &Source{Name: "PLC", URL: srv.url(), Tags: srv.tags(2), Publishing: 50 * time.Millisecond,
		Budget: plant.Budget{Sampling: 400 * time.Millisecond, Publishing: 500 * time.Millisecond, NoHistory: true}}
	s.Tags[0].Sampling = 100 * time.Millisecond
	out := newStore(s)
	start(t, s, out)
	eventually(t, patience, "live", live(s))
	st := s.Status()
	if len(st.Revised) == 0 || st.Revised[0].Tag != "T0" {
		t.Errorf("revised: %+v", st.Revised)
	}
	t.Logf("%+v", st.Revised)
	n := out.size()
	time.Sleep(4 * time.Second)
	if got := out.size() - n; got > 2*14 {
		t.Errorf("%d values in 4 s of two tags at most every 400 ms", got)
	}
	srv.say("asked")
	if r := srv.demand().Services["HistoryRead"]; r != 0 {
		t.Errorf("%d reads of a history that the profile says is not there", r)
	}
}
