package collector

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"

	"millwright/plant"
	"millwright/simulator/server"
)

// securedMill is our own server with a PKI folder, which trusts the collector
// of the other folder and is trusted by it.
func securedMill(t *testing.T, vars int) (m *mill, pki, srv string) {
	t.Helper()
	y := newYard(t)
	y.lay(map[string][]byte{})
	srv = t.TempDir()
	allow(t, srv, y.own)
	m = newMill(t, vars, func(s *server.Server) {
		s.PKI, s.Modes, s.RequireTrusted = srv, []server.Mode{server.Sign, server.SignAndEncrypt}, true
		s.Users = map[string]string{"op": "secret"}
	})
	allow(t, y.pki, serverCertificate(t, srv))
	return m, y.pki, srv
}

func allow(t testing.TB, pki string, der []byte) {
	t.Helper()
	name := filepath.Join(pki, trustedDir, strings.ReplaceAll(fingerprint(der), ":", "")+".der")
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, der, 0o600)); err != nil {
		t.Fatal(err)
	}
}

func serverCertificate(t *testing.T, srv string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(srv, "own", "cert.der"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func securedSource(m *mill, url, pki string) *Source {
	return &Source{Name: "PLC", URL: url, Tags: m.tags(), recheck: 10 * time.Millisecond,
		Security: Security{Policy: "Basic256Sha256", PKI: pki, User: "op", Password: "secret", box: keptTime}}
}

// keptTime is a box whose clock runs on while it is off, whatever box the test
// runs on.
func keptTime() (battery, synchronised bool) { return true, false }

// TestOwnRotation renews our certificate under a connection that delivers: the
// session cannot go on, its subscription does, and nothing is lost.
func TestOwnRotation(t *testing.T) {
	t.Parallel()
	m, pki, srv := securedMill(t, 20)
	s := securedSource(m, m.URL(), pki)
	out := newStore(s)
	start(t, s, out)
	eventually(t, 20*time.Second, "live", live(s))
	m.run(100*time.Millisecond, 1)
	before := m.Counts()
	eventually(t, 10*time.Second, "values", func() bool { return out.size() > 40 })

	file, print, err := Renew(pki, "", "test")
	if err != nil {
		t.Fatal(err)
	}
	if _, again, err := Renew(pki, "", "test"); err != nil || again != print {
		t.Fatalf("a second call: %s, %v", again, err)
	}
	der, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	allow(t, srv, der)
	if own := s.Certificates(time.Now()).List[0]; own.Role != "own" || own.Fingerprint == print {
		t.Fatalf("%+v", own)
	}
	if err := UseNew(pki, "test"); err != nil {
		t.Fatal(err)
	}
	eventually(t, 20*time.Second, "the new one in use", func() bool {
		all := s.Certificates(time.Now()).List
		return len(all) == 2 && all[0].Fingerprint == print && live(s)()
	})
	eventually(t, 10*time.Second, "values", grows(out))
	m.halt()
	time.Sleep(time.Second)
	a := out.reckon(t, m.log())
	a.check(t)
	if a.stored != a.offered {
		t.Errorf("lost by the rotation: %v", a)
	}
	n := m.Counts()
	if n["CreateSubscription"] != 1 || n["TransferSubscriptions"] != 1 || n["CreateSession"] != before["CreateSession"]+1 {
		t.Errorf("%v", n)
	}
}

// TestOwnRotationForeign does it to a server of another make, with a user, so
// that the next session may take the subscription over.
func TestOwnRotationForeign(t *testing.T) {
	t.Parallel()
	pki := t.TempDir()
	if _, err := ownIdentity(pki, ""); err != nil {
		t.Fatal(err)
	}
	file, print, err := Renew(pki, "", "test")
	if err != nil {
		t.Fatal(err)
	}
	srv := newNodeServer(t, map[string]any{"nodes": 10, "run": true, "users": map[string]string{"op": "secret"},
		"trust": []string{filepath.Join(pki, ownDir, ownName+certSuffix), file}})
	accept(t, pki, srv)
	s := &Source{Name: "PLC", URL: srv.url(), Tags: srv.tags(10), recheck: 10 * time.Millisecond,
		Security: Security{Policy: "Basic256Sha256", PKI: pki, User: "op", Password: "secret"}}
	out := newStore(s)
	start(t, s, out)
	eventually(t, 20*time.Second, "live", live(s))
	eventually(t, 10*time.Second, "values", func() bool { return out.size() > 20 })
	if err := UseNew(pki, "test"); err != nil {
		t.Fatal(err)
	}
	eventually(t, 20*time.Second, "the new one in use", func() bool {
		all := s.Certificates(time.Now()).List
		return len(all) == 2 && all[0].Fingerprint == print && live(s)()
	})
	eventually(t, 10*time.Second, "values", grows(out))
	settled(t, srv, s, out)
	a := out.reckon(t, offeredBy(t, srv.logFile()))
	a.check(t)
	if a.stored != a.offered {
		t.Errorf("lost by the rotation: %v", a)
	}
}

// TestTrustEnds: what a person takes out of trusted/ ends the connection that
// lives on it, and what comes back is taken up.
func TestTrustEnds(t *testing.T) {
	t.Parallel()
	m, pki, srv := securedMill(t, 2)
	s := securedSource(m, m.URL(), pki)
	start(t, s, newStore(s))
	eventually(t, 20*time.Second, "live", live(s))
	if err := os.RemoveAll(filepath.Join(pki, trustedDir)); err != nil {
		t.Fatal(err)
	}
	eventually(t, 20*time.Second, "refused", refused(s, "not trusted"))
	if err := Trust(pki, fingerprint(serverCertificate(t, srv)), "test"); err != nil {
		t.Fatal(err)
	}
	eventually(t, 20*time.Second, "live again", live(s))
}

// TestServerRotation restarts the server with another certificate while values
// flow. The next one is trusted beforehand, or by its issuer: what the restart
// cost is declared. A third is not trusted.
func TestServerRotation(t *testing.T) {
	t.Parallel()
	m, pki, srv := securedMill(t, 5)
	s := securedSource(m, m.URL(), pki)
	out := newStore(s)
	start(t, s, out)
	m.run(100*time.Millisecond, 1)
	eventually(t, 20*time.Second, "live", live(s))
	eventually(t, 10*time.Second, "values", func() bool { return out.size() > 10 })

	next := func(by *party) *party {
		c := leafTemplate()
		c.URIs[0].Opaque = "millwright:simulator"
		return issue(t, c, rsaKey(t, "leaf", 2048), by)
	}
	issuer := issue(t, caTemplate("Works"), rsaKey(t, "root", 2048), nil)
	for i, p := range []*party{next(nil), next(issuer), next(nil)} {
		if i == 2 { // no values any more: what is refused for good declares nothing until it is trusted
			m.halt()
			time.Sleep(time.Second)
			a := out.reckon(t, m.log())
			a.check(t)
			for why := range out.gapReasons() {
				if why != plant.GapServerDown {
					t.Errorf("a gap by %s", why)
				}
			}
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		switch i {
		case 0:
			allow(t, pki, p.cert.Raw)
		case 1:
			allow(t, pki, issuer.cert.Raw)
			if err := os.WriteFile(filepath.Join(pki, trustedDir, "works.crl"), crl(t, issuer, nil), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(os.WriteFile(filepath.Join(srv, "own", "cert.der"), p.cert.Raw, 0o600),
			os.WriteFile(filepath.Join(srv, "own", "key.pem"), pkcs8(t, p.key.(*rsa.PrivateKey)), 0o600)); err != nil {
			t.Fatal(err)
		}
		old := m.Server
		next := &server.Server{Listen: s.URL, Variables: old.Variables, Modes: old.Modes, PKI: srv,
			RequireTrusted: true, Users: old.Users, Offered: old.Offered, Log: old.Log}
		if err := next.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		m.become(next)
		if i == 2 {
			eventually(t, 20*time.Second, "refused", refused(s, "not trusted", fingerprint(p.cert.Raw)))
			return
		}
		eventually(t, 20*time.Second, "live", func() bool {
			all := s.Certificates(time.Now()).List
			return live(s)() && len(all) > 1 && all[1].Fingerprint == fingerprint(p.cert.Raw)
		})
		eventually(t, 20*time.Second, "values", grows(out))
	}
}

// TestDowngrade lets somebody on the way answer for the server until the
// secure channel is opened: fewer endpoints, or other user tokens.
func TestDowngrade(t *testing.T) {
	t.Parallel()
	m, pki, srv := securedMill(t, 2)
	f := func(name string, again bool, modes []server.Mode, anonymous bool, want string) {
		t.Helper()
		fake := &server.Server{PKI: srv, Modes: modes, NoAnonymous: anonymous, Users: m.Users, Log: logger(t)}
		if err := fake.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer fake.Close()
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		var n atomic.Int32
		var wg sync.WaitGroup
		defer wg.Wait()
		defer l.Close()
		wg.Go(func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				to := m.URL()
				if n.Add(1) == 1 { // the first connection asks for the endpoints
					to = fake.URL()
				}
				wg.Go(func() {
					d, err := net.Dial("tcp", strings.TrimPrefix(to, "opc.tcp://"))
					if err != nil {
						c.Close()
						return
					}
					wg.Go(func() { _, _ = io.Copy(c, d); c.Close(); d.Close() })
					_, _ = io.Copy(d, c)
					c.Close()
					d.Close()
				})
			}
		})
		// Probe asks for the endpoints twice; a source does once for each connection.
		sec, err := securedSource(m, "", pki).Security.open()
		if err != nil {
			t.Fatal(err)
		}
		e := &engine{src: &Source{URL: m.URL()}, sec: sec, log: logger(t)}
		if again { // the session is there already
			link, _, err := e.reach(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			link.close()
		}
		e.src.URL = "opc.tcp://" + l.Addr().String()
		before := m.Counts()["ActivateSession"]
		link, same, err := e.reach(t.Context())
		if link != nil {
			link.leave(t.Context())
		}
		if want == "" && (err != nil || same != again) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
		if sent := m.Counts()["ActivateSession"] - before; want != "" && sent > 0 {
			t.Errorf("%s: the password was sent", name)
		}
	}
	f("the same", false, []server.Mode{server.Sign, server.SignAndEncrypt}, false, "")
	f("another order", false, []server.Mode{server.SignAndEncrypt, server.Sign}, false, "")
	f("one left out", false, []server.Mode{server.SignAndEncrypt}, false, "endpoints differ")
	f("one put in", false, []server.Mode{server.None, server.Sign, server.SignAndEncrypt}, false, "endpoints differ")
	f("no anonymous users", false, []server.Mode{server.Sign, server.SignAndEncrypt}, true, "endpoints differ")
	f("the same session", true, []server.Mode{server.Sign, server.SignAndEncrypt}, false, "")
	f("one left out later", true, []server.Mode{server.SignAndEncrypt}, false, "endpoints differ")
}

// TestOffers: each thing that is compared, alone.
func TestOffers(t *testing.T) {
	list := func(set func(*ua.EndpointDescription)) []*ua.EndpointDescription {
		o := &ua.EndpointDescription{EndpointURL: "opc.tcp://a", Server: &ua.ApplicationDescription{ApplicationURI: "urn:a"}, SecurityMode: ua.MessageSecurityModeSign,
			SecurityPolicyURI: "p", TransportProfileURI: "t", SecurityLevel: 3, UserIdentityTokens: []*ua.UserTokenPolicy{
				{PolicyID: "1", TokenType: ua.UserTokenTypeUserName, SecurityPolicyURI: "q", IssuedTokenType: "i", IssuerEndpointURL: "e"}, {PolicyID: "2"}}}
		set(o)
		return []*ua.EndpointDescription{o, nil, {Server: &ua.ApplicationDescription{}, TransportProfileURI: "https"}}
	}
	none := func(*ua.EndpointDescription) {}
	sec := &security{mode: ua.MessageSecurityModeSign}
	f := func(name string, same bool, set func(*ua.EndpointDescription)) {
		t.Helper()
		if err := sec.checkOffers(&endpoint{offered: offered(list(none))}, list(set)); (err == nil) != same {
			t.Errorf("%s: %v", name, err)
		}
	}
	f("same", true, none)
	f("url", true, func(o *ua.EndpointDescription) { o.EndpointURL = "opc.tcp://b" })
	f("certificate left out", true, func(o *ua.EndpointDescription) { o.ServerCertificate = []byte("x") })
	f("tokens in another order", true, func(o *ua.EndpointDescription) {
		o.UserIdentityTokens[0], o.UserIdentityTokens[1] = o.UserIdentityTokens[1], o.UserIdentityTokens[0]
	})
	f("application", false, func(o *ua.EndpointDescription) { o.Server.ApplicationURI = "urn:b" })
	f("mode", false, func(o *ua.EndpointDescription) { o.SecurityMode = ua.MessageSecurityModeNone })
	f("policy", false, func(o *ua.EndpointDescription) { o.SecurityPolicyURI = "None" })
	f("transport", false, func(o *ua.EndpointDescription) { o.TransportProfileURI = "u" })
	f("level", false, func(o *ua.EndpointDescription) { o.SecurityLevel = 0 })
	f("token id", false, func(o *ua.EndpointDescription) { o.UserIdentityTokens[0].PolicyID = "x" })
	f("token type", false, func(o *ua.EndpointDescription) { o.UserIdentityTokens[0].TokenType = 0 })
	f("token policy", false, func(o *ua.EndpointDescription) { o.UserIdentityTokens[0].SecurityPolicyURI = "" })
	f("token kind", false, func(o *ua.EndpointDescription) { o.UserIdentityTokens[0].IssuedTokenType = "" })
	f("token issuer", false, func(o *ua.EndpointDescription) { o.UserIdentityTokens[0].IssuerEndpointURL = "" })
	f("token left out", false, func(o *ua.EndpointDescription) { o.UserIdentityTokens = o.UserIdentityTokens[:1] })
	if err := sec.checkOffers(&endpoint{offered: offered(list(none))}, nil); err == nil || !strings.Contains(err.Error(), "does not repeat") {
		t.Errorf("no list at all: %v", err)
	}
	if err := (&security{mode: ua.MessageSecurityModeNone}).checkOffers(&endpoint{}, list(none)); err != nil {
		t.Error(err)
	}
}

// TestClock: a clock that shows a time that has been is not believed.
func TestClock(t *testing.T) {
	pki := t.TempDir()
	tell := func(s string) { t.Error(s) }
	now := time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	c := openClock(pki, keptTime, tell)
	if at, unknown := c.judge(now); !at.Equal(now) || unknown != "" {
		t.Errorf("no file: %v %q", at, unknown)
	}
	if err := c.passed(now); err != nil {
		t.Fatal(err)
	}
	if err := c.passed(now.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	c = openClock(pki, keptTime, tell)
	f := func(system, want time.Time, unknown bool) {
		t.Helper()
		at, why := c.judge(system)
		if !at.Equal(want) || (why != "") != unknown {
			t.Errorf("system %v: judged at %v, %q", system, at, why)
		}
	}
	f(now.Add(time.Hour), now.Add(time.Hour), false)
	f(now.Add(-time.Second), now, false) // put right a little
	f(now.Add(-clockSlack), now, false)
	f(now.Add(-clockSlack-1), now, true)
	f(time.Unix(0, 0), now, true)
	if err := c.passed(now.Add(clockStep)); err != nil {
		t.Fatal(err)
	}
	f(now, now.Add(clockStep), true)
	if err := c.passed(now); err != nil { // never back
		t.Fatal(err)
	}
	f(now, now.Add(clockStep), true)
	if err := os.WriteFile(filepath.Join(pki, clockFile), []byte("yesterday"), 0o600); err != nil {
		t.Fatal(err)
	}
	told := ""
	c = openClock(pki, keptTime, func(s string) { told = s })
	if !strings.Contains(told, `"yesterday" is no time`) {
		t.Errorf("told %q", told)
	}
	if err := c.passed(now); err != nil {
		t.Fatal(err)
	}
	c = openClock(pki, keptTime, tell)
	f(time.Unix(0, 0), now, true)
}

// TestClockOfABox: an expired certificate is not good again because the box has
// forgotten the time, and a time is kept only where certificates were good.
func TestClockOfABox(t *testing.T) {
	t.Parallel()
	m, pki, _ := securedMill(t, 1)
	probe := func() (Report, time.Time) {
		t.Helper()
		r, err := Probe(t.Context(), m.URL(), Security{Policy: "Basic256Sha256", PKI: pki, User: "op", Password: "secret", box: keptTime})
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(pki, clockFile))
		if err != nil {
			t.Fatal(err)
		}
		at, err := parseClock(b)
		if err != nil {
			t.Fatal(err)
		}
		return r, at
	}
	r, kept := probe()
	if r.Login != nil || time.Since(kept).Abs() > time.Minute {
		t.Fatalf("%v, kept %v", r.Login, kept)
	}
	if c := r.Certificates; c.ClockUnknown != "" || len(c.List) != 2 || c.List[0].Role != "own" || c.List[1].Role != "server" || c.List[1].Days < 3600 {
		t.Errorf("%+v", c)
	}
	// The server's certificate lasts ten years; the box has been on after that.
	later := time.Now().Add(11 * 365 * 24 * time.Hour).UTC().Truncate(time.Second)
	if err := os.WriteFile(filepath.Join(pki, clockFile), []byte(later.Format(time.RFC3339)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, kept = probe()
	if r.Trusted == nil || !strings.Contains(r.Trusted.Error(), "has expired") || !kept.Equal(later) {
		t.Errorf("%v, kept %v", r.Trusted, kept)
	}
	s := securedSource(m, m.URL(), pki)
	start(t, s, newStore(s))
	eventually(t, 20*time.Second, "refused", refused(s, "has expired"))
	if u := s.Certificates(time.Now()).ClockUnknown; !strings.Contains(u, "clock unknown") || !strings.Contains(u, clockFile) {
		t.Errorf("%q", u)
	}
	if c := s.Status().Clock; !strings.HasPrefix(c, "unknown: it shows ") {
		t.Errorf("%q", c)
	}
	if b, err := os.ReadFile(filepath.Join(pki, auditFile)); err != nil || !strings.Contains(string(b), "\tclock\tclock-unknown\t\tcertificates are judged at "+later.Format(time.RFC3339)) {
		t.Errorf("%q, %v", b, err)
	}
}

// TestClockThatNothingSet: a box without a real-time clock may come up with a time
// that looks right; nobody vouches for it before a time source has answered. From
// then on the clock runs, also when that source is silent.
func TestClockThatNothingSet(t *testing.T) {
	now := time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	var battery, synchronised bool
	pki := t.TempDir()
	c := openClock(pki, func() (bool, bool) { return battery, synchronised }, func(s string) { t.Error(s) })
	if err := c.passed(now); err != nil {
		t.Fatal(err)
	}
	f := func(has, set bool, system, want time.Time, unknown bool) {
		t.Helper()
		battery, synchronised = has, set
		at, why := c.judge(system)
		if !at.Equal(want) || (why != "") != unknown {
			t.Errorf("real-time clock %v, synchronised %v, system %v: judged at %v, %q", has, set, system, at, why)
		}
	}
	later := now.Add(time.Hour)
	f(false, false, later, later, true)
	f(false, false, now.Add(-time.Second), now, true)
	f(true, false, later, later, false)
	f(false, false, later, later, true)
	f(false, true, later, later, false)
	f(false, false, later, later, false)
	f(false, false, now.Add(-time.Hour), now, true) // whoever set it
}

// TestClockBecomesKnown: the clock is unknown in the status and in the record
// until the kernel says that it is synchronised, while values come; then that is
// recorded too. Each is recorded once.
func TestClockBecomesKnown(t *testing.T) {
	t.Parallel()
	m, pki, _ := securedMill(t, 1)
	var synchronised atomic.Bool
	s := securedSource(m, m.URL(), pki)
	s.Security.box = func() (bool, bool) { return false, synchronised.Load() }
	start(t, s, newStore(s))
	eventually(t, 20*time.Second, "live", live(s))
	if c := s.Status().Clock; !strings.HasPrefix(c, "unknown: this box has no real-time clock") {
		t.Errorf("%q", c)
	}
	synchronised.Store(true)
	eventually(t, 20*time.Second, "known", func() bool { return s.Status().Clock == "" })
	b, err := os.ReadFile(filepath.Join(pki, auditFile))
	if err != nil {
		t.Fatal(err)
	}
	var turns []string
	for line := range strings.Lines(string(b)) {
		if f := strings.Split(line, "\t"); f[1] == "clock" {
			turns = append(turns, f[2])
		}
	}
	if !slices.Equal(turns, []string{"clock-unknown", "clock-known"}) {
		t.Errorf("recorded: %q", b)
	}
}

// TestExpiry: one warning at each step, for each certificate.
func TestExpiry(t *testing.T) {
	var b bytes.Buffer
	log := slog.New(slog.NewTextHandler(&b, nil))
	end := time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	day := 24 * time.Hour
	s := &Source{}
	own := []CertificateStatus{{Role: "own", Name: "edge", Fingerprint: "AA", NotAfter: end}}
	srv := []CertificateStatus{{Role: "server", Name: "plc", Fingerprint: "BB", NotAfter: end.Add(1000 * day)}}
	s.certs.set(own, srv, "")
	f := func(left time.Duration, days, warn int, want string) {
		t.Helper()
		at := end.Add(-left)
		if x := s.Certificates(at).List[0]; x.Days != days || x.Warn != warn {
			t.Errorf("%v before: %+v", left, x)
		}
		b.Reset()
		s.certs.warn(at, log)
		s.certs.warn(at, log)
		switch got := b.String(); {
		case want == "" && got != "":
			t.Errorf("%v before: %s", left, got)
		case want != "" && (strings.Count(got, "\n") != 1 || !strings.Contains(got, want) || !strings.Contains(got, "days="+strconv.Itoa(days)+" ")):
			t.Errorf("%v before: %q, want %s", left, got, want)
		}
	}
	f(91*day, 91, 0, "")
	f(90*day+1, 90, 0, "")
	f(90*day, 90, 90, "level=WARN")
	f(60*day, 60, 90, "")
	f(30*day, 30, 30, "the own certificate expires soon")
	f(7*day+1, 7, 30, "")
	f(7*day, 7, 7, "level=WARN")
	f(0, 0, 7, "")
	f(-time.Second, -1, -1, "level=ERROR")
	f(-day-time.Second, -2, -1, "")

	// Another one comes close too, and a new one begins anew.
	srv[0].NotAfter = end
	s.certs.set([]CertificateStatus{{Role: "own", Fingerprint: "CC", NotAfter: end.Add(29 * day)}}, srv, "")
	b.Reset()
	s.certs.warn(end.Add(-29*day), log)
	if got := b.String(); strings.Count(got, "\n") != 2 || !strings.Contains(got, "the server certificate expires soon") || !strings.Contains(got, "days=58") {
		t.Errorf("%q", got)
	}
}

// TestExpiryIsTold by a connection, of its server's certificate and of the
// issuer's.
func TestExpiryIsTold(t *testing.T) {
	y := newYard(t)
	root := issue(t, func() *x509.Certificate {
		c := caTemplate("Works")
		c.NotAfter = time.Now().Add(20 * 24 * time.Hour)
		return c
	}(), rsaKey(t, "root", 2048), nil)
	leaf := issue(t, func() *x509.Certificate { c := leafTemplate(); c.NotAfter = time.Now().Add(100 * time.Hour); return c }(), rsaKey(t, "leaf", 2048), root)
	y.lay(map[string][]byte{"trusted/root.der": root.cert.Raw, "trusted/root.crl": crl(t, root, nil)})
	sec, err := Security{Policy: "Basic256Sha256", PKI: y.pki, box: keptTime}.open()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	e := &engine{src: &Source{}, sec: sec, log: slog.New(slog.NewTextHandler(&b, nil))}
	if err := e.trust(&endpoint{url: "opc.tcp://127.0.0.1:4840", applURI: plcURI, certificate: leaf.cert.Raw}); err != nil {
		t.Fatal(err)
	}
	if got := b.String(); !strings.Contains(got, "server certificate expires soon") || !strings.Contains(got, "days=4 ") ||
		!strings.Contains(got, "issuer certificate expires soon") || !strings.Contains(got, "days=19 ") || strings.Count(got, "\n") != 2 {
		t.Error(got)
	}
	list := e.src.Certificates(time.Now()).List
	if len(list) != 4 || list[3].Role != "list" || list[0].Role != "own" || list[1].Role != "server" || list[2].Role != "issuer" || list[1].Warn != 7 {
		t.Errorf("%+v", list)
	}
}

// TestOwnMadeOnce: readers of one folder that start together agree on one
// certificate, and a start that was cut off is finished by the next.
func TestOwnMadeOnce(t *testing.T) {
	t.Parallel()
	pki := t.TempDir()
	var wg sync.WaitGroup
	made := make([]*identity, 4)
	for i := range made {
		wg.Go(func() {
			var err error
			if made[i], err = ownIdentity(pki, "urn:test:edge"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, m := range made {
		if m == nil || !bytes.Equal(m.der, made[0].der) || !m.key.Equal(made[0].key) {
			t.Fatal("several certificates")
		}
	}
	key := filepath.Join(pki, ownDir, ownName+keySuffix)
	if st, err := os.Stat(key); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", st.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(pki, ownDir, ".new-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	c, err := leafOf(made[0].der)
	if err != nil {
		t.Fatal(err)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	if c.URIs[0].String() != "urn:test:edge" || !namesHost(c, host) || made[0].key.N.BitLen() < 2048 || c.SignatureAlgorithm != x509.SHA256WithRSA ||
		c.NotAfter.Sub(c.NotBefore) > 6*365*24*time.Hour {
		t.Errorf("%v %v", c.URIs, c.DNSNames)
	}
	// Held against our own measure, but for the use as a server.
	if f := (&conditions{now: time.Now(), host: host, applURI: "urn:test:edge"}).checkLeaf(c); len(f) > 0 {
		t.Error(f)
	}
	// Cut off after the key.
	if err := os.Remove(filepath.Join(pki, ownDir, ownName+certSuffix)); err != nil {
		t.Fatal(err)
	}
	if id, err := ownIdentity(pki, ""); err != nil || !id.key.Equal(made[0].key) {
		t.Errorf("the key was made anew: %v", err)
	}
	if _, err := ownCertificate(made[0].key, "no uri", host); err == nil {
		t.Error("made for what is no URI")
	}
}

// TestRenewCutOff stops a renewal after each of its steps.
func TestRenewCutOff(t *testing.T) {
	pki := t.TempDir()
	old, err := ownIdentity(pki, "urn:test:edge")
	if err != nil {
		t.Fatal(err)
	}
	at := func(name string) string { return filepath.Join(pki, ownDir, name) }
	if err := UseNew(pki, "test"); err == nil {
		t.Error("nothing new to use")
	}
	if _, _, err := Renew(pki, "", "test"); err != nil {
		t.Fatal(err)
	}
	// Only the key of the new one is there.
	if err := os.Remove(at(nextName + certSuffix)); err != nil {
		t.Fatal(err)
	}
	if err := UseNew(pki, "test"); err == nil {
		t.Error("half of a new one used")
	}
	_, print, err := Renew(pki, "", "test")
	if err != nil {
		t.Fatal(err)
	}
	if id, err := ownIdentity(pki, ""); err != nil || !bytes.Equal(id.der, old.der) {
		t.Fatalf("the present one: %v", err)
	}
	// The certificate is in its place, the key is not.
	if err := os.Rename(at(nextName+certSuffix), at(ownName+certSuffix)); err != nil {
		t.Fatal(err)
	}
	id, err := ownIdentity(pki, "")
	if err != nil || fingerprint(id.der) != print || id.uri != "urn:test:edge" {
		t.Fatalf("between the two: %v", err)
	}
	_, third, err := Renew(pki, "", "test")
	if err != nil || third == print {
		t.Fatalf("%v", err)
	}
	if id, err = ownIdentity(pki, ""); err != nil || fingerprint(id.der) != print {
		t.Fatalf("the present one: %v", err)
	}
	if err := UseNew(pki, "test"); err != nil {
		t.Fatal(err)
	}
	second := id.key
	if id, err = ownIdentity(pki, ""); err != nil || fingerprint(id.der) != third || id.key.Equal(second) {
		t.Fatalf("the third: %v", err)
	}
	if files, _ := os.ReadDir(filepath.Join(pki, ownDir)); len(files) != 2 {
		t.Errorf("%d files in own/", len(files))
	}
}

// TestHalfCopied: while somebody copies a new certificate and its key, the
// present ones stay in use.
func TestHalfCopied(t *testing.T) {
	dir := t.TempDir()
	old, next := rsaKey(t, "own", 2048), rsaKey(t, "leaf", 2048)
	file := func(name string, b []byte) string {
		t.Helper()
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, b, 0o644); err != nil {
			t.Fatal(err)
		}
		return name
	}
	der := func(k *rsa.PrivateKey) []byte {
		t.Helper()
		b, err := ownCertificate(k, "urn:test:edge", "edge")
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	cert, key := file("c.der", der(old)), file("k.pem", pkcs8(t, old))
	sec, err := Security{Policy: "Basic256Sha256", PKI: dir, Certificate: cert, Key: key}.open()
	if err != nil {
		t.Fatal(err)
	}
	if len(sec.notes) != 1 || !strings.Contains(sec.notes[0], "chmod 600 "+key) {
		t.Errorf("%q", sec.notes)
	}
	f := func(name string, want bool) {
		t.Helper()
		if own, _, changed := sec.renewed(); changed != want || own == nil {
			t.Errorf("%s: changed %v", name, changed)
		}
	}
	f("nothing", false)
	file("c.der", der(next))
	f("certificate without its key", false)
	file("k.pem", []byte("-----BEGIN PRIVATE KEY-----\nMIIE"))
	f("half a key", false)
	file("k.pem", pkcs8(t, next))
	f("both", true)
	var b bytes.Buffer
	e := &engine{src: &Source{}, sec: sec, session: &session{}, log: slog.New(slog.NewTextHandler(&b, nil))}
	e.takeRenewed()
	if e.session != nil || !sec.own.key.Equal(next) || !strings.Contains(b.String(), "renewed") {
		t.Errorf("not taken: %s", &b)
	}
	e.session = &session{}
	e.takeRenewed()
	if e.session == nil {
		t.Error("taken twice")
	}
}

// TestShown: what is no certificate at all.
func TestShown(t *testing.T) {
	y := newYard(t)
	y.lay(map[string][]byte{})
	one := issue(t, leafTemplate(), rsaKey(t, "leaf", 2048), nil).cert.Raw
	f := func(name string, der []byte, want string) {
		t.Helper()
		_, err := verifyServer(y.pki, der, &conditions{now: time.Now(), applURI: plcURI})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), codeInvalid) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	f("nothing", nil, "no readable certificate")
	f("nonsense", []byte("nonsense"), "no readable certificate")
	f("cut off", one[:len(one)-1], "no readable certificate")
	f("followed by more", append(bytes.Clone(one), 0), "no readable certificate")
	f("nine", bytes.Repeat(one, mostSent+1), "a chain of 9 certificates")
	f("very many", bytes.Repeat(one, mostShown/len(one)+1), "at most 65536 are read")
	if files, _ := os.ReadDir(filepath.Join(y.pki, rejectedDir)); len(files) > 0 {
		t.Errorf("%d kept", len(files))
	}

	// What cannot be read in the folder is named where it may matter.
	y.lay(map[string][]byte{"trusted/torn.pem": []byte("-----BEGIN CERTIFICATE-----\nMIIE"), "trusted/notes.txt": []byte("x")})
	_, err := verifyServer(y.pki, one, &conditions{now: time.Now(), applURI: plcURI})
	if err == nil || !strings.Contains(err.Error(), "not read: "+filepath.Join(y.pki, "trusted/torn.pem")) || strings.Contains(err.Error(), "notes.txt") {
		t.Error(err)
	}
	// Strangers do not fill the disk.
	for i := range maxRejected {
		if err := os.WriteFile(filepath.Join(y.pki, rejectedDir, strconv.Itoa(i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	other := issue(t, leafTemplate(), rsaKey(t, "leaf", 2048), nil).cert.Raw
	if _, err := verifyServer(y.pki, other, &conditions{now: time.Now(), applURI: plcURI}); err == nil || !strings.Contains(err.Error(), "files already: delete them") || !errors.Is(err, ErrUntrusted) {
		t.Error(err)
	}
}

// FuzzPKI: files in the folder, and what a server shows.
func FuzzPKI(f *testing.F) {
	k := rsaKey(f, "leaf", 2048)
	root := issue(f, caTemplate("Mill root"), rsaKey(f, "root", 2048), nil)
	leaf := issue(f, leafTemplate(), k, root)
	list := crl(f, root, nil, leaf)
	for _, b := range [][]byte{
		root.cert.Raw, leaf.cert.Raw, append(bytes.Clone(leaf.cert.Raw), root.cert.Raw...), list, pkcs8(f, k), x509.MarshalPKCS1PrivateKey(k),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.cert.Raw}), pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: list}),
		[]byte("2030-01-01T00:00:00Z\n"), nil,
	} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		certs, lists, err := parseCertificates(b)
		if err == nil && len(certs)+len(lists) == 0 {
			t.Error("neither certificates nor lists, and no error")
		}
		if k, err := parseKey(b); err == nil && k.N == nil {
			t.Error("an empty key")
		}
		if at, err := parseClock(b); err == nil && at.Format(time.RFC3339) == "" {
			t.Error("no time")
		}
		// Nothing that is not in trusted/ is trusted, whatever it is.
		s := &stock{issuers: append(certs, root.cert), lists: lists}
		for _, c := range append(certs, leaf.cert) {
			if chain, faults := s.best(&conditions{now: time.Now(), applURI: plcURI}, c, certs); len(faults) == 0 {
				t.Errorf("%d certificates accepted", len(chain))
			}
		}
		// A list that the issuer has not signed says nothing.
		signed := slices.ContainsFunc(lists, func(l *x509.RevocationList) bool { return l.CheckSignatureFrom(root.cert) == nil })
		s = &stock{trusted: []*x509.Certificate{root.cert}, lists: lists}
		_, faults := s.best(&conditions{now: leaf.cert.NotBefore, applURI: plcURI, missing: true}, leaf.cert, certs)
		if (len(faults) > 0) != signed {
			t.Errorf("signed %v: %v", signed, faults)
		}
	})
}
