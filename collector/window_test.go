package collector

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"

	"millwright/plant"
	"millwright/simulator/server"
)

// TestFewPublishRequests: a server that takes one Publish request at a time is
// served with one.
func TestFewPublishRequests(t *testing.T) {
	t.Parallel()
	m := newMill(t, 10, func(s *server.Server) { s.Limits.MaxPublish = 1 })
	s := &Source{Name: "PLC", URL: m.URL(), Tags: m.tags()}
	out := newStore(s)
	start(t, s, out)
	eventually(t, 30*time.Second, "live", live(s))
	since := s.Status().Since
	m.run(100*time.Millisecond, 1)
	time.Sleep(3 * time.Second)
	m.halt()
	time.Sleep(time.Second)
	a := out.reckon(t, m.log())
	a.check(t)
	if s.Status().Since != since || a.stored != a.offered {
		t.Errorf("%+v, %v", s.Status(), a)
	}
	if n := m.Counts()["Publish"]; n > 100 {
		t.Errorf("%d Publish requests in 4 s at 100 ms", n)
	}
}

func TestWindow(t *testing.T) {
	f := func(rtt, publishing time.Duration, most, burst, want int) {
		t.Helper()
		w := window{rtt: rtt, most: most, burst: burst}
		if got := w.size(publishing); got != want {
			t.Errorf("round trip %v, publishing %v, at most %d, burst %d: window %d, want %d", rtt, publishing, most, burst, got, want)
		}
	}
	f(0, 100*time.Millisecond, 0, 0, 2)
	f(time.Millisecond, 100*time.Millisecond, 0, 0, 2)
	f(200*time.Millisecond, 50*time.Millisecond, 0, 0, 6)
	f(200*time.Millisecond, 50*time.Millisecond, 3, 0, 3)
	f(200*time.Millisecond, 50*time.Millisecond, 0, 5, 11)
	f(200*time.Millisecond, 50*time.Millisecond, 3, 5, 3)
	f(time.Minute, 10*time.Millisecond, 0, 0, 32)
	f(time.Minute, 10*time.Millisecond, 0, 32, 32)
	f(time.Second, 0, 0, 0, 2)
}

// TestWindowLearns: a server that bears three requests is asked for a fourth ever
// more rarely, and gets it when it bears it.
func TestWindowLearns(t *testing.T) {
	const publishing = 50 * time.Millisecond
	w := window{rtt: 200 * time.Millisecond}
	now := time.Unix(1000, 0)
	for left := 5; left >= 3; left-- {
		w.refused(left, now)
	}
	if w.size(publishing) != 3 || !w.hold.After(now) || w.wait != firstGrow {
		t.Errorf("%+v", w)
	}
	tries := 0
	for end := now.Add(2 * time.Hour); now.Before(end); now = now.Add(tickTime) {
		if w.relax(publishing, now); w.size(publishing) > 3 {
			tries++
			w.refused(3, now)
		}
	}
	if tries < 10 || tries > 25 {
		t.Errorf("%d tries in two hours", tries)
	}
	for end := now.Add(time.Hour); now.Before(end); now = now.Add(tickTime) {
		w.relax(publishing, now)
	}
	if w.size(publishing) != 6 {
		t.Errorf("it bears more again: %+v", w)
	}
	for w = (window{}); w.burst < 100 && w.size(0) < mostWindow; {
		w.answered(true)
	}
	if w.size(0) != mostWindow {
		t.Errorf("a burst: %+v", w)
	}
	for range 10 {
		w.answered(false)
	}
	if w.burst != 0 {
		t.Errorf("no burst any more: %+v", w)
	}
	hold := w.hold
	if w.returned(time.Minute, now); w.hold != hold {
		t.Error("a parked request that comes back is followed by another at once")
	}
	if w.returned(time.Millisecond, now); !w.hold.After(now) {
		t.Error("a server that parks none is asked without end")
	}
}

// TestLowPublishLimit: a foreign server that bears two Publish requests, behind a
// way that needs six, is not pressed, and nothing is lost but what it could not
// hand over in time, which is declared.
func TestLowPublishLimit(t *testing.T) {
	long(t)
	t.Parallel()
	srv := newNodeServer(t, map[string]any{"nodes": 10, "run": true, "every": 50, "good": true, "maxPublish": 2})
	p := newProxy(t, srv.port)
	p.slow(100 * time.Millisecond)
	s := &Source{Name: "PLC", URL: p.url(), Tags: srv.tags(10), Publishing: 50 * time.Millisecond}
	out := newStore(s)
	start(t, s, out)
	eventually(t, patience, "live", live(s))
	time.Sleep(6 * time.Second)
	if n := srv.demand().Services["Publish"]; n > 150 {
		t.Errorf("%d Publish requests for about 60 answers", n)
	}
	if st := s.Status(); st.State != plant.Live {
		t.Errorf("%+v", st)
	}
	settled(t, srv, s, out)
	a := out.reckon(t, offeredBy(t, srv.logFile()))
	a.check(t)
	if a.stored < a.offered/2 {
		t.Errorf("%v", a)
	}
}

// TestSlowLink: many tags over a way that needs seconds for what is sent first.
// That is not silence: one connection is enough, and a cut does not end it for
// good.
func TestSlowLink(t *testing.T) {
	long(t)
	t.Parallel()
	const tags = 3000
	srv := newNodeServer(t, map[string]any{"nodes": tags, "run": true, "good": true, "every": 30_000})
	p := newProxy(t, srv.port)
	p.slow(60 * time.Millisecond)
	p.narrow(25_000)
	s := &Source{Name: "PLC", URL: p.url(), Tags: srv.tags(tags)}
	out := newStore(s)
	start(t, s, out)
	eventually(t, 2*patience, "all values", func() bool { return out.size() >= tags })
	eventually(t, patience, "live", live(s)) // the server's clock comes last
	if st := s.Status(); st.Connects != 1 || st.LastError != "" {
		t.Errorf("%+v", st)
	}
	p.cut()
	eventually(t, patience, "live again", func() bool { return s.Status().State == plant.Live && s.Status().Connects == 2 })
}

// TestChooseToken: a password goes out encrypted or not at all.
func TestChooseToken(t *testing.T) {
	basic := ua.FormatSecurityPolicyURI("Basic256Sha256")
	none := ua.SecurityPolicyURINone
	user := func(id, policy string) *ua.UserTokenPolicy {
		return &ua.UserTokenPolicy{PolicyID: id, TokenType: ua.UserTokenTypeUserName, SecurityPolicyURI: policy}
	}
	anonymous := &ua.UserTokenPolicy{PolicyID: "anon", TokenType: ua.UserTokenTypeAnonymous}
	f := func(name string, s Security, policy string, mode ua.MessageSecurityMode, want string, tokens ...*ua.UserTokenPolicy) {
		t.Helper()
		p, err := s.open()
		if err != nil {
			t.Fatal(err)
		}
		e, err := p.choose("opc.tcp://x", []*ua.EndpointDescription{nil, {Server: &ua.ApplicationDescription{}, SecurityPolicyURI: policy, SecurityMode: mode,
			UserIdentityTokens: tokens}})
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = e.tokenID + " " + policyName(e.tokenPolicy)
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	signed, encrypted, open := ua.MessageSecurityModeSign, ua.MessageSecurityModeSignAndEncrypt, ua.MessageSecurityModeNone
	pki := t.TempDir()
	plain := Security{User: "op", Password: "x"}
	sign := Security{Policy: "Basic256Sha256", Mode: "Sign", PKI: pki, User: "op", Password: "x"}
	full := Security{Policy: "Basic256Sha256", PKI: pki, User: "op", Password: "x"}
	f("encrypted token on an open channel", plain, none, open, "b Basic256Sha256", anonymous, user("a", none), user("b", basic))
	f("plain token on an open channel", plain, none, open, "unencrypted only", user("a", ""), anonymous)
	plain.AllowPlainPassword = true
	f("allowed", plain, none, open, "a None", user("a", ""))
	f("plain token on a signed channel", sign, basic, signed, "unencrypted only", user("a", none))
	f("channel's policy on a signed channel", sign, basic, signed, "a Basic256Sha256", user("a", ""))
	f("plain token inside an encrypted channel", full, basic, encrypted, "a None", user("a", none))
	f("no user names", full, basic, encrypted, "it takes: anonymous", anonymous, nil)
	f("no falling back", full, none, open, "no endpoint Basic256Sha256/SignAndEncrypt", anonymous)
	f("anonymous", Security{}, none, open, "anon None", user("a", none), anonymous)
}

// TestWindowFollowsTheWay: a way that becomes long under a connection gets more
// Publish requests, and no more than before when it is short again. No values flow,
// so that it is the way alone.
func TestWindowFollowsTheWay(t *testing.T) {
	t.Parallel()
	m := newMill(t, 2, nil)
	port, _ := strconv.Atoi(m.URL()[strings.LastIndexByte(m.URL(), ':')+1:])
	p := newProxy(t, port)
	s := &Source{Name: "PLC", URL: p.url(), Tags: m.tags(), Publishing: 50 * time.Millisecond}
	start(t, s, newStore(s))
	eventually(t, patience, "live", live(s))
	few := func() bool { return s.Status().Window <= firstWindow+1 }
	eventually(t, patience, "a short way", few)
	p.slow(200 * time.Millisecond)
	eventually(t, patience, "more of them", func() bool { return s.Status().Window > firstWindow+3 })
	p.slow(0)
	eventually(t, patience, "few again", few)
	if n := s.Status().Connects; n != 1 {
		t.Errorf("%d connections", n)
	}
}
