package collector

import (
	"strings"
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"

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
	eventually(t, 10*time.Second, "live", live(s))
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
	f := func(rtt, publishing time.Duration, most, want int) {
		t.Helper()
		p := &pump{engine: &engine{sub: subscription{publishing: publishing}}, rtt: rtt, most: most}
		if got := p.window(); got != want {
			t.Errorf("round trip %v, publishing %v, at most %d: window %d, want %d", rtt, publishing, most, got, want)
		}
	}
	f(0, 100*time.Millisecond, 32, 2)
	f(time.Millisecond, 100*time.Millisecond, 32, 2)
	f(200*time.Millisecond, 50*time.Millisecond, 32, 6)
	f(200*time.Millisecond, 50*time.Millisecond, 3, 3)
	f(time.Minute, 10*time.Millisecond, 32, 32)
	f(time.Second, 0, 32, 2)
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
