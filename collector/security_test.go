package collector

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"millwright/plant"
)

// trustedPair makes a PKI folder of ours, and a server that trusts it.
func trustedPair(t *testing.T, set map[string]any) (string, *foreign) {
	t.Helper()
	pki := t.TempDir()
	if _, err := ownIdentity(pki, ""); err != nil {
		t.Fatal(err)
	}
	set["trust"] = []string{filepath.Join(pki, ownDir, ownName+".der")}
	return pki, newNodeServer(t, set)
}

// accept puts the server's certificate into our trusted folder.
func accept(t testing.TB, pki string, srv *foreign) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(srv.dir, "server.der"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(pki, trustedDir, "server.der"), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func refused(s *Source, words ...string) func() bool {
	return func() bool {
		st := s.Status()
		for _, w := range words {
			if !strings.Contains(st.Reason, w) {
				return false
			}
		}
		return st.State == plant.Down
	}
}

func TestSecureWithUser(t *testing.T) {
	if raceDetector {
		t.Skip("gopcua waits for requests under way with a WaitGroup that others add to: a race of its own at each renewal of keys. make test runs this apart")
	}
	t.Parallel()
	pki, srv := trustedPair(t, map[string]any{"nodes": 20, "run": true, "anonymous": false, "users": map[string]string{"op": "secret"}, "tokenLife": 5000})
	s := &Source{Name: "PLC", URL: srv.url(), Tags: srv.tags(20), Security: Security{
		Policy: "Basic256Sha256", Mode: "SignAndEncrypt", User: "op", Password: "secret", PKI: pki}}
	out := newStore(s)
	start(t, s, out)

	// Nobody has trusted the server yet.
	eventually(t, 10*time.Second, "untrusted", refused(s, "not trusted", "SHA-256", rejectedDir, trustedDir))
	files, err := os.ReadDir(filepath.Join(pki, rejectedDir))
	if err != nil || len(files) != 1 {
		t.Fatalf("rejected/: %v, %v", files, err)
	}
	certs, err := readCertificates(filepath.Join(pki, rejectedDir, files[0].Name()))
	if err != nil {
		t.Fatal(err)
	}
	if err := Trust(pki, fingerprint(certs[0].Raw), "test"); err != nil {
		t.Fatal(err)
	}
	eventually(t, 8*time.Second, "live after the approval", live(s))

	// Longer than two lives of the channel's keys.
	time.Sleep(12 * time.Second)
	if st := s.Status(); st.State != plant.Live || time.Since(time.Unix(0, st.Since)) < 12*time.Second {
		t.Errorf("the renewal of the keys disturbed: %+v", st)
	}
	srv.kill()
	srv.set["tick"] = 10000
	srv.start()
	eventually(t, patience, "live after the restart", live(s))
	settled(t, srv, s, out)
	out.reckon(t, offeredBy(t, srv.logFile())).check(t)
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	pki, srv := trustedPair(t, map[string]any{"nodes": 2, "run": true, "users": map[string]string{"op": "secret"}})
	accept(t, pki, srv)
	stranger := t.TempDir()
	if _, err := ownIdentity(stranger, ""); err != nil {
		t.Fatal(err)
	}
	accept(t, stranger, srv)
	secure := Security{Policy: "Basic256Sha256", Mode: "SignAndEncrypt", PKI: pki}
	cases := []struct {
		name  string
		sec   func(*Security)
		words []string
	}{
		{"wrong password", func(s *Security) { s.User, s.Password = "op", "wrong" }, []string{"login refused", `"op"`, "BadUserAccessDenied"}},
		{"our certificate unknown to the server", func(s *Security) { s.PKI = stranger }, []string{"certificate"}},
		{"policy not offered", func(s *Security) { s.Policy = "Aes256_Sha256_RsaPss" }, []string{"no endpoint Aes256_Sha256_RsaPss/SignAndEncrypt", "Basic256Sha256/Sign"}},
		{"password without trust", func(s *Security) { *s = Security{User: "op", Password: "secret"} }, []string{"trusted server certificate"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := &Source{Name: "PLC", URL: srv.url(), Tags: srv.tags(2), Security: secure}
			c.sec(&s.Security)
			stop := start(t, s, newStore(s))
			eventually(t, 10*time.Second, strings.Join(c.words, " "), refused(s, c.words...))
			t.Log(s.Status().Reason)
			stop()
		})
	}
}

func TestCertificateUser(t *testing.T) {
	t.Parallel()
	user := t.TempDir()
	id, err := newIdentity("urn:test:operator", "operator")
	if err != nil {
		t.Fatal(err)
	}
	writeIdentity(t, user, id.der, id.key)
	pki, srv := trustedPair(t, map[string]any{"nodes": 5, "run": true, "anonymous": false, "trustUsers": []string{filepath.Join(user, "user.der")}})
	accept(t, pki, srv)
	for _, mode := range []string{"Sign", "SignAndEncrypt"} {
		s := &Source{Name: "PLC", URL: srv.url(), Tags: srv.tags(5), Security: Security{Policy: "Basic256Sha256", Mode: mode, PKI: pki,
			UserCertificate: filepath.Join(user, "user.der"), UserKey: filepath.Join(user, "user.pem")}}
		out := newStore(s)
		stop := start(t, s, out)
		eventually(t, 30*time.Second, "live with "+mode, live(s))
		eventually(t, 5*time.Second, "values", func() bool { return out.size() > 0 })
		stop()
	}
}

func writeIdentity(t *testing.T, dir string, der []byte, key *rsa.PrivateKey) {
	t.Helper()
	b := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "user.der"), der, 0o600), os.WriteFile(filepath.Join(dir, "user.pem"), b, 0o600)); err != nil {
		t.Fatal(err)
	}
}

func TestVerifyServer(t *testing.T) {
	pki := t.TempDir()
	if err := os.MkdirAll(filepath.Join(pki, trustedDir), 0o700); err != nil {
		t.Fatal(err)
	}
	id, err := newIdentity("urn:mill:plc", "plc")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	verify := func(der []byte, uri string, at time.Time) error {
		_, err := verifyServer(pki, der, &conditions{now: at, applURI: uri})
		return err
	}
	check := func(name, uri string, at time.Time, want string) {
		t.Helper()
		err := verify(id.der, uri, at)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	check("unknown", "urn:mill:plc", now, "not trusted")
	check("unknown again", "urn:mill:plc", now, "not trusted")
	if files, _ := os.ReadDir(filepath.Join(pki, rejectedDir)); len(files) != 1 {
		t.Errorf("%d files in rejected/", len(files))
	}
	if !errors.Is(verify(id.der, "urn:mill:plc", now), ErrUntrusted) {
		t.Error("not ErrUntrusted")
	}
	if err := Trust(pki, "00:11", "test"); err == nil {
		t.Error("trusted what is not there")
	}
	if err := Trust(pki, fingerprint(id.der), "test"); err != nil {
		t.Fatal(err)
	}
	check("trusted", "urn:mill:plc", now, "")
	check("another application", "urn:mill:other", now, "not for the application")
	check("expired", "urn:mill:plc", now.Add(2*ownValid), "has expired")
	check("not yet valid", "urn:mill:plc", now.Add(-48*time.Hour), "valid from")
	if err := verify([]byte("nonsense"), "urn:mill:plc", now); err == nil {
		t.Error("nonsense is no certificate")
	}
}

func TestSecurityChecks(t *testing.T) {
	f := func(s Security, want string) {
		t.Helper()
		_, err := s.open()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", s, err, want)
		}
	}
	f(Security{Policy: "Basic128Rsa15"}, "allowed are")
	f(Security{Policy: "Basic256"}, "folder")
	f(Security{Policy: "Basic256Sha256", Mode: "Encrypt"}, "allowed are")
	f(Security{Policy: "Basic256Sha256", Mode: "None", PKI: "x"}, "None goes with None")
	f(Security{Mode: "Sign"}, "None goes with None")
	f(Security{Policy: "Basic256Sha256"}, "folder")
	f(Security{Revocation: "sometimes"}, "required, if-present")
	f(Security{User: "a", UserCertificate: "b"}, "choose one")
	f(Security{UserCertificate: "/does/not/exist", UserKey: "x"}, "user certificate")

	s := &Source{URL: "http://x", Tags: []plant.Tag{{ID: 1, Path: "a"}, {ID: 1, Path: "b"}}}
	if err := s.Run(context.Background(), newStore(s)); err == nil {
		t.Error("a wrong URL runs")
	}
	s.URL = "opc.tcp://127.0.0.1:1"
	if err := s.Run(context.Background(), newStore(s)); err == nil || !strings.Contains(err.Error(), "same id") {
		t.Errorf("double ids: %v", err)
	}
}
