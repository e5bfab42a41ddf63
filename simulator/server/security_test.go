package server

import (
	"bytes"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gopcua/opcua"
	"github.com/gopcua/opcua/ua"
	"github.com/gopcua/opcua/uapolicy"
)

const clientURI = "urn:millwright:test:client"

// clientIdentity makes a certificate for a client application.
func clientIdentity(t testing.TB) identity {
	t.Helper()
	own, err := newIdentity(clientURI, "test client", []string{"localhost"})
	if err != nil {
		t.Fatal(err)
	}
	return own
}

func secured(mode Mode, s *Server, own identity) []opcua.Option {
	for _, e := range s.endpoints(s.URL()) {
		if e.SecurityMode == securityMode(mode) {
			return []opcua.Option{
				opcua.Certificate(own.cert), opcua.PrivateKey(own.key),
				opcua.SecurityFromEndpoint(e, ua.UserTokenTypeAnonymous),
			}
		}
	}
	panic("no such endpoint")
}

func TestSecuredSessionDelivers(t *testing.T) {
	own := clientIdentity(t)
	for _, m := range []Mode{Sign, SignAndEncrypt} {
		t.Run(string(m), func(t *testing.T) {
			s := start(t, &Server{Modes: []Mode{None, m}, Users: map[string]string{"mill": "geheim"}}, 50)
			p := dial(t, s.URL(), &uaSession{token: &userPassword{"mill", "geheim"}}, secured(m, s, own)...)
			sub := p.subscribe(20*time.Millisecond, nil)
			var items []*ua.MonitoredItemCreateRequest
			for i := range 50 {
				items = append(items, itemRequest(path(i), uint32(i), 1000, nil))
			}
			p.monitor(sub, items...)
			for k := range 100 { // 5,000 values: several chunks in one message
				vals := make([]Value, 50)
				for i := range vals {
					vals[i] = number(i, int64(k), float64(k))
				}
				s.Write(vals)
			}
			if got := p.numbers(5000); len(got) != 5000 {
				t.Errorf("%d values", len(got))
			}
		})
	}
}

func TestWrongPassword(t *testing.T) {
	s := start(t, &Server{Modes: []Mode{None, SignAndEncrypt}, NoAnonymous: true, Users: map[string]string{"mill": "geheim"}}, 1)
	own := clientIdentity(t)
	f := func(name string, token any, want error, opts ...opcua.Option) {
		t.Helper()
		_, err := tryDial(t, s.URL(), &uaSession{token: token}, opts...)
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	f("right", &userPassword{"mill", "geheim"}, nil, secured(SignAndEncrypt, s, own)...)
	f("wrong password", &userPassword{"mill", "falsch"}, ua.StatusBadUserAccessDenied, secured(SignAndEncrypt, s, own)...)
	f("unknown user", &userPassword{"nobody", "geheim"}, ua.StatusBadUserAccessDenied, secured(SignAndEncrypt, s, own)...)
	f("empty password of unknown user", &userPassword{"nobody", ""}, ua.StatusBadUserAccessDenied, secured(SignAndEncrypt, s, own)...)
	f("anonymous", nil, ua.StatusBadIdentityTokenInvalid, secured(SignAndEncrypt, s, own)...)
	f("another policy", &ua.AnonymousIdentityToken{PolicyID: "x"}, ua.StatusBadIdentityTokenInvalid)
	f("password in the clear", &ua.UserNameIdentityToken{PolicyID: policyUserName, UserName: "mill", Password: []byte("geheim")},
		ua.StatusBadIdentityTokenInvalid)
}

func TestUntrustedClientCertificate(t *testing.T) {
	dir := t.TempDir()
	s := start(t, &Server{Modes: []Mode{SignAndEncrypt}, PKI: dir, RequireTrusted: true}, 1)
	own := clientIdentity(t)
	// The client hides the Error message that it gets (uasc.readChunk turns it
	// into io.EOF), so look on the wire.
	wire := startWire(t, s.URL())
	if _, err := tryDial(t, wire.url, nil, secured(SignAndEncrypt, s, own)...); err == nil {
		t.Fatal("an unknown certificate was let in")
	}
	if code := wire.lastError(); code != ua.StatusBadSecurityChecksFailed {
		t.Errorf("unknown certificate: %v", code)
	}
	names, err := filepath.Glob(filepath.Join(dir, rejectedFolder, "*.der"))
	if err != nil || len(names) != 1 {
		t.Fatalf("rejected: %v %v", names, err)
	}
	// The operator moves it; no restart.
	if err := os.Rename(names[0], filepath.Join(dir, trustedFolder, "client.der")); err != nil {
		t.Fatal(err)
	}
	dial(t, s.URL(), nil, secured(SignAndEncrypt, s, own)...)

	// A session on the discovery channel is refused where None is no endpoint.
	if _, err := tryDial(t, s.URL(), nil); !errors.Is(err, ua.StatusBadSecurityModeRejected) {
		t.Errorf("session without security: %v", err)
	}
}

func TestIdentitySurvivesRestart(t *testing.T) {
	dir := t.TempDir()
	s := start(t, &Server{Modes: []Mode{SignAndEncrypt}, PKI: dir}, 1)
	first := s.own.cert
	c, err := x509.ParseCertificate(first)
	if err != nil || len(c.URIs) != 1 || c.URIs[0].String() != s.applicationURI() {
		t.Fatalf("certificate: %v %v", c.URIs, err)
	}
	s.Close()
	again := start(t, &Server{Modes: []Mode{SignAndEncrypt}, PKI: dir}, 1)
	if string(again.own.cert) != string(first) {
		t.Error("a second start made another certificate")
	}
	again.Close()
	if err := os.WriteFile(filepath.Join(dir, ownFolder, "key.pem"), []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (&Server{Modes: []Mode{SignAndEncrypt}, PKI: dir}).Start(t.Context()); err == nil || !strings.Contains(err.Error(), "key.pem") {
		t.Errorf("broken key: %v", err)
	}
}

func TestCertificateURIMustMatch(t *testing.T) {
	s := start(t, &Server{Modes: []Mode{SignAndEncrypt}}, 1)
	own := clientIdentity(t)
	p, err := tryChannel(t, s.URL(), secured(SignAndEncrypt, s, own)...)
	if err != nil {
		t.Fatal(err)
	}
	_, err = send[*ua.CreateSessionResponse](p, &ua.CreateSessionRequest{
		ClientDescription: &ua.ApplicationDescription{ApplicationURI: "urn:somebody:else", ApplicationName: text("")},
		ClientNonce:       newNonce(), ClientCertificate: own.cert,
	})
	if !errors.Is(err, ua.StatusBadCertificateURIInvalid) {
		t.Errorf("%v", err)
	}
}

func TestCertificateUser(t *testing.T) {
	dir := t.TempDir()
	s := start(t, &Server{Modes: []Mode{SignAndEncrypt}, PKI: dir, NoAnonymous: true}, 1)
	own, user, other := clientIdentity(t), clientIdentity(t), clientIdentity(t)
	token := &ua.X509IdentityToken{PolicyID: policyCertificate, CertificateData: user.cert}
	f := func(name string, signer identity, want error) {
		t.Helper()
		p, err := tryChannel(t, s.URL(), secured(SignAndEncrypt, s, own)...)
		if err != nil {
			t.Fatal(err)
		}
		created := must[*ua.CreateSessionResponse](p, &ua.CreateSessionRequest{
			ClientDescription: &ua.ApplicationDescription{ApplicationURI: clientURI, ApplicationName: text("")},
			EndpointURL:       s.URL(), ClientNonce: newNonce(), ClientCertificate: own.cert,
		})
		serverCert, err := x509.ParseCertificate(created.ServerCertificate)
		if err != nil {
			t.Fatal(err)
		}
		sign := func(k identity) *ua.SignatureData {
			sig, err := (&Server{own: k}).sign(serverCert, created.ServerCertificate, created.ServerNonce)
			if err != nil {
				t.Fatal(err)
			}
			return sig
		}
		err = sendWithToken(p, created.AuthenticationToken, &ua.ActivateSessionRequest{
			ClientSignature: sign(own), UserIdentityToken: ua.NewExtensionObject(token), UserTokenSignature: sign(signer),
		})
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	f("not in the users folder", user, ua.StatusBadIdentityTokenRejected)
	if err := os.WriteFile(filepath.Join(dir, usersFolder, "fitter.der"), user.cert, 0o600); err != nil {
		t.Fatal(err)
	}
	f("trusted", user, nil)
	f("signed by another key", other, ua.StatusBadUserSignatureInvalid)
}

// TestTokenRenewal renews the keys while values flow: neither side may lose or
// garble a message.
func TestTokenRenewal(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 5 s")
	}
	if raceDetector {
		// uasc.SecureChannel.pendingReq is added to while a renewal waits for it.
		t.Skip("gopcua's client races with itself when it renews while it sends; TestNodeOPCUA renews too")
	}
	s := start(t, &Server{Modes: []Mode{SignAndEncrypt}}, 1)
	own := clientIdentity(t)
	p := dial(t, s.URL(), nil, append(secured(SignAndEncrypt, s, own), opcua.Lifetime(2*time.Second))...)
	sub := p.subscribe(10*time.Millisecond, nil)
	p.monitor(sub, itemRequest(path(0), 1, 10000, nil))
	stop := time.After(5 * time.Second)
	sent, got := 0, 0
	for done := false; !done; {
		select {
		case <-stop:
			done = true
		default:
			s.Write([]Value{number(0, int64(sent), float64(sent))})
			sent++
			for _, x := range p.numbers(1) {
				if x != float64(got) {
					t.Fatalf("value %v, want %d", x, got)
				}
				got++
			}
		}
	}
	if n := s.Counts()["OpenSecureChannel"]; n < 3 {
		t.Errorf("%d OpenSecureChannel requests: the token was not renewed", n)
	}
	if sent != got {
		t.Errorf("%d of %d values", got, sent)
	}
}

func TestOldTokenEndsTheChannel(t *testing.T) {
	f := func(name string, until time.Duration, replay bool, want error) {
		t.Helper()
		nonceA, nonceB := newNonce(), newNonce()
		keys := func(local, remote []byte) *uapolicy.EncryptionAlgorithm {
			k, err := uapolicy.Symmetric(ua.SecurityPolicyURIBasic256Sha256, local, remote)
			if err != nil {
				t.Fatal(err)
			}
			return k
		}
		client := &channel{id: 1, mode: ua.MessageSecurityModeSignAndEncrypt}
		client.addToken(&token{id: 5, keys: keys(nonceA, nonceB), until: time.Now().Add(time.Hour)})
		server := &channel{id: 1, mode: ua.MessageSecurityModeSignAndEncrypt}
		server.addToken(&token{id: 5, keys: keys(nonceB, nonceA), until: time.Now().Add(until)})
		chunk, err := client.seal(nil, "MSG", 'F', 9, []byte("hello"))
		if err != nil {
			t.Fatal(err)
		}
		again := bytes.Clone(chunk)
		id, body, err := server.open(chunk)
		if replay {
			if err != nil || id != 9 || string(body) != "hello" {
				t.Fatalf("%s: %d %q %v", name, id, body, err)
			}
			_, _, err = server.open(again)
		}
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	f("valid", time.Hour, false, nil)
	f("expired", -time.Second, false, ua.StatusBadSecureChannelTokenUnknown)
	f("replayed", time.Hour, true, ua.StatusBadSequenceNumberInvalid)
}

// TestRenewedKeysAreUsedOnceTheClientUsesThem is OPC 10000-4, 5.6.2.
func TestRenewedKeysAreUsedOnceTheClientUsesThem(t *testing.T) {
	none, err := uapolicy.Symmetric(ua.SecurityPolicyURINone, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	issue := func(c *channel, id uint32) {
		c.addToken(&token{id: id, keys: none, until: time.Now().Add(time.Hour)})
	}
	server := &channel{id: 1, mode: ua.MessageSecurityModeNone}
	used := func(want uint32) {
		t.Helper()
		b, err := server.seal(nil, "MSG", 'F', 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := binary.LittleEndian.Uint32(b[chunkHeader:]); got != want {
			t.Errorf("sealed with token %d, want %d", got, want)
		}
	}
	receive := func(id uint32) error {
		client := &channel{id: 1, mode: ua.MessageSecurityModeNone}
		issue(client, id)
		client.lastSeq = server.lastSeq + 10
		b, err := client.seal(nil, "MSG", 'F', 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = server.open(b)
		return err
	}
	issue(server, 1)
	used(1)
	issue(server, 2)
	used(1)
	if err := receive(1); err != nil {
		t.Errorf("message under the old token: %v", err)
	}
	used(1)
	if err := receive(2); err != nil {
		t.Fatal(err)
	}
	used(2)
	issue(server, 3)
	if err := receive(1); !errors.Is(err, ua.StatusBadSecureChannelTokenUnknown) {
		t.Errorf("message under a token before the last: %v", err)
	}
}

func TestOpeningIsChecked(t *testing.T) {
	s := start(t, &Server{Modes: []Mode{Sign, SignAndEncrypt}}, 1)
	own := clientIdentity(t)
	h := openHeader{policy: ua.SecurityPolicyURIBasic256Sha256, cert: own.cert, thumbprint: thumbprint(s.own.cert)}
	if _, err := s.admit(h); err != nil {
		t.Error(err)
	}
	f := func(name string, err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	admit := func(change func(*openHeader)) error {
		x := h
		change(&x)
		_, err := s.admit(x)
		return err
	}
	f("for another server", admit(func(h *openHeader) { h.thumbprint = thumbprint(own.cert) }), errSecurity)
	f("no certificate", admit(func(h *openHeader) { h.cert = nil }), errSecurity)
	f("another policy", admit(func(h *openHeader) { h.policy = ua.SecurityPolicyURIBasic256 }), ua.StatusBadSecurityPolicyRejected)

	issue := func(c *conn, h openHeader, kind ua.SecurityTokenRequestType, mode Mode, nonce []byte) error {
		_, _, err := c.issue(h, &ua.OpenSecureChannelRequest{RequestType: kind, SecurityMode: securityMode(mode), ClientNonce: nonce})
		return err
	}
	c := newConn(s, nil)
	f("renewal of nothing", issue(c, h, ua.SecurityTokenRequestTypeRenew, Sign, newNonce()), ua.StatusBadTCPSecureChannelUnknown)
	f("mode that is not offered", issue(c, h, ua.SecurityTokenRequestTypeIssue, None, newNonce()), ua.StatusBadSecurityModeRejected)
	f("issue", issue(c, h, ua.SecurityTokenRequestTypeIssue, SignAndEncrypt, newNonce()), nil)
	f("issue twice", issue(c, h, ua.SecurityTokenRequestTypeIssue, SignAndEncrypt, newNonce()), ua.StatusBadRequestTypeInvalid)
	f("renewal with less security", issue(c, h, ua.SecurityTokenRequestTypeRenew, Sign, newNonce()), errSecurity)
	other := h
	other.cert = clientIdentity(t).cert
	f("renewal by another", issue(c, other, ua.SecurityTokenRequestTypeRenew, SignAndEncrypt, newNonce()), errSecurity)
	f("short nonce", issue(c, h, ua.SecurityTokenRequestTypeRenew, SignAndEncrypt, []byte("x")), ua.StatusBadNonceInvalid)
	f("renewal", issue(c, h, ua.SecurityTokenRequestTypeRenew, SignAndEncrypt, newNonce()), nil)
}

// TestSequenceNumbersGoUp: answers that wait in the queue when keys are renewed
// are sealed before the renewal's own answer. Clients cut a connection whose
// numbers go back.
func TestSequenceNumbersGoUp(t *testing.T) {
	s, _ := deskServer(t)
	ask := encodeRequest(t, &ua.GetEndpointsRequest{})
	in := conversation(t, ask, ask)
	renewal := &ua.OpenSecureChannelRequest{
		RequestType: ua.SecurityTokenRequestTypeRenew, SecurityMode: ua.MessageSecurityModeNone, RequestedLifetime: 60000,
	}
	client := &channel{id: 1, policy: ua.SecurityPolicyURINone, mode: ua.MessageSecurityModeNone, lastSeq: 100}
	open, err := client.sealAsymmetric(50, nil, &openReply{body: encodeRequest(t, renewal)})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	c := newConn(s, &recorder{script: script{in: bytes.NewReader(append(in, open...))}, out: &out})
	if err := c.read(); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	out.Reset() // the acknowledgement of the Hello
	if len(c.out) != 4 {
		t.Fatalf("%d answers", len(c.out))
	}
	for i := range c.out {
		if _, _, err := c.writeOne(&c.out[i], nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	last := uint32(0)
	for b := out.Bytes(); len(b) > 0; {
		size := binary.LittleEndian.Uint32(b[4:])
		at := chunkHeader + tokenHeader
		if string(b[:3]) == "OPN" {
			h, err := parseOpenHeader(b[:size])
			if err != nil {
				t.Fatal(err)
			}
			at = h.end
		}
		seq := binary.LittleEndian.Uint32(b[at:])
		if seq != last+1 {
			t.Errorf("%s has number %d after %d", b[:3], seq, last)
		}
		last = seq
		b = b[size:]
	}
	if last != 4 {
		t.Errorf("last number %d", last)
	}
}

// recorder is a script that keeps what is written.
type recorder struct {
	script
	out *bytes.Buffer
}

func (r *recorder) Write(b []byte) (int, error) { return r.out.Write(b) }

func TestApplicationSignature(t *testing.T) {
	s := start(t, &Server{Modes: []Mode{SignAndEncrypt}}, 1)
	own, other := clientIdentity(t), clientIdentity(t)
	f := func(signer identity, want error) {
		t.Helper()
		p, err := tryChannel(t, s.URL(), secured(SignAndEncrypt, s, own)...)
		if err != nil {
			t.Fatal(err)
		}
		created := must[*ua.CreateSessionResponse](p, &ua.CreateSessionRequest{
			ClientDescription: &ua.ApplicationDescription{ApplicationURI: clientURI, ApplicationName: text("")},
			ClientNonce:       newNonce(), ClientCertificate: own.cert,
		})
		cert, err := x509.ParseCertificate(created.ServerCertificate)
		if err != nil {
			t.Fatal(err)
		}
		sig, err := (&Server{own: signer}).sign(cert, created.ServerCertificate, created.ServerNonce)
		if err != nil {
			t.Fatal(err)
		}
		err = sendWithToken(p, created.AuthenticationToken, &ua.ActivateSessionRequest{
			ClientSignature: sig, UserTokenSignature: &ua.SignatureData{},
			UserIdentityToken: ua.NewExtensionObject(&ua.AnonymousIdentityToken{PolicyID: policyAnonymous}),
		})
		if !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
	f(own, nil)
	f(other, ua.StatusBadApplicationSignatureInvalid)
}

func TestEndpointsNameTheHostTheClientUsed(t *testing.T) {
	s := start(t, &Server{Modes: []Mode{None, Sign, SignAndEncrypt}, Users: map[string]string{"a": "b"}}, 1)
	own, err := url.Parse(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	at := "opc.tcp://localhost:" + own.Port()
	eps, err := opcua.GetEndpoints(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	if len(eps) != 3 {
		t.Fatalf("%d endpoints", len(eps))
	}
	for _, e := range eps {
		if e.EndpointURL != at || len(e.ServerCertificate) == 0 || len(e.UserIdentityTokens) != 2 {
			t.Errorf("%s %s: %d user policies", e.EndpointURL, e.SecurityMode, len(e.UserIdentityTokens))
		}
	}
}
