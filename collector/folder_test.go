package collector

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"millwright/plant"
)

// TestTrustFromAfar: what the HMI does. A server that nobody trusts waits with
// its certificate in the status; trusting it connects at once and is recorded.
func TestTrustFromAfar(t *testing.T) {
	t.Parallel()
	m, pki, srv := securedMill(t, 2)
	if err := os.RemoveAll(filepath.Join(pki, trustedDir)); err != nil {
		t.Fatal(err)
	}
	s := securedSource(m, m.URL(), pki)
	start(t, s, newStore(s))
	eventually(t, 20*time.Second, "refused", refused(s, "not trusted", "millwright pki trust"))
	print := fingerprint(serverCertificate(t, srv))
	i := slices.IndexFunc(s.Status().Certificates, func(c plant.CertificateStatus) bool { return c.Who == "server" })
	if i < 0 {
		t.Fatalf("%+v", s.Status().Certificates)
	}
	if c := s.Status().Certificates[i]; c.State != plant.CertificateRejected || c.Fingerprint != print || !strings.Contains(c.Reason, "not trusted") {
		t.Errorf("%+v", c)
	}
	for _, wrong := range []string{"", print[:20], strings.Repeat("00:", 31) + "00"} {
		if err := s.Trust(wrong, "eva"); err == nil {
			t.Errorf("%q was trusted", wrong)
		}
	}
	if err := s.Trust(print, ""); err == nil {
		t.Error("nobody trusted it")
	}
	if err := s.Trust(print, "eva\tx"); err != nil {
		t.Fatal(err)
	}
	eventually(t, 5*time.Second, "live", live(s))
	for _, c := range s.Status().Certificates {
		if c.State != plant.CertificateTrusted || c.Days < 1000 || c.Reason != "" {
			t.Errorf("%+v", c)
		}
	}
	b, err := os.ReadFile(filepath.Join(pki, auditFile))
	if err != nil || !strings.Contains(string(b), "\teva?x\ttrust\t"+print+"\t") || strings.Count(string(b), "\n") != 1 {
		t.Errorf("%q, %v", b, err)
	}
	if err := Untrust(pki, print, "eva"); err != nil {
		t.Fatal(err)
	}
	eventually(t, 20*time.Second, "refused again", refused(s, "not trusted"))
}

// TestUnrecorded: what cannot be recorded is not done.
func TestUnrecorded(t *testing.T) {
	y := newYard(t)
	y.lay(map[string][]byte{})
	c := issue(t, leafTemplate(), rsaKey(t, "leaf", 2048), nil).cert
	if _, err := keepRejected(y.pki, c); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(y.pki, auditFile), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Trust(y.pki, fingerprint(c.Raw), "eva"); err == nil || !strings.Contains(err.Error(), "nothing was changed") {
		t.Error(err)
	}
	if _, files, err := find(y.pki, rejectedDir, fingerprint(c.Raw)); err != nil || len(files) != 1 {
		t.Error(files, err)
	}
	if _, _, err := Renew(y.pki, "", "eva"); err == nil {
		t.Error("renewed without a record")
	}
}

// TestRemaining: trust alone does not make a certificate good, and a person
// hears what else there is.
func TestRemaining(t *testing.T) {
	y := newYard(t)
	x := leafTemplate()
	x.NotAfter = time.Now().Add(-time.Hour)
	c := issue(t, x, rsaKey(t, "leaf", 2048), nil).cert
	y.lay(map[string][]byte{"rejected/it.der": c.Raw})
	f := func(url string, sec Security, want ...string) {
		t.Helper()
		got, err := Remaining(y.pki, fingerprint(c.Raw), url, sec)
		if err != nil || len(got) != len(want) {
			t.Fatalf("%q, %v", got, err)
		}
		for i := range want {
			if !strings.Contains(got[i], want[i]) {
				t.Errorf("%q, want %q", got[i], want[i])
			}
		}
	}
	f("opc.tcp://elsewhere:4840", Security{}, "has expired", "and not for \"elsewhere\"")
	f("opc.tcp://elsewhere:4840", Security{AnyHost: true}, "has expired")
	if _, err := Remaining(y.pki, strings.Repeat("0", 64), "opc.tcp://x:1", Security{}); err == nil {
		t.Error("of what is not there")
	}
}

// TestListRunsOut: a revocation list that is late is told before the connection
// ends by it.
func TestListRunsOut(t *testing.T) {
	y := newYard(t)
	root := issue(t, caTemplate("Works"), rsaKey(t, "root", 2048), nil)
	leaf := issue(t, leafTemplate(), rsaKey(t, "leaf", 2048), root)
	sec, err := Security{Policy: "Basic256Sha256", PKI: y.pki, box: keptTime}.open()
	if err != nil {
		t.Fatal(err)
	}
	f := func(age, left time.Duration, state string) {
		t.Helper()
		y.lay(map[string][]byte{"trusted/root.der": root.cert.Raw, "trusted/root.crl": crl(t, root, func(l *x509.RevocationList) {
			l.ThisUpdate, l.NextUpdate = time.Now().Add(-age), time.Now().Add(left)
		})})
		e := &engine{src: &Source{}, sec: sec}
		if err := e.trust(&endpoint{url: "opc.tcp://127.0.0.1:4840", applURI: plcURI, certificate: leaf.cert.Raw}); err != nil {
			t.Fatal(err)
		}
		all, _ := e.src.shown(time.Now())
		i := slices.IndexFunc(all, func(c plant.CertificateStatus) bool { return c.Who == "list" })
		if i < 0 || all[i].State != state || all[i].Subject != "Works" {
			t.Errorf("%v of %v left: %+v", left, age+left, all)
		}
	}
	day := 24 * time.Hour
	f(day, 6*day, plant.CertificateTrusted) // a weekly one
	f(6*day, day, plant.CertificateExpiring)
	f(300*day, 8*day, plant.CertificateTrusted)
	f(300*day, 6*day, plant.CertificateExpiring)
}

// TestPolicies speaks every policy with a server of another make.
func TestPolicies(t *testing.T) {
	t.Parallel()
	pki := t.TempDir()
	if _, err := ownIdentity(pki, ""); err != nil {
		t.Fatal(err)
	}
	srv := newNodeServer(t, map[string]any{"nodes": 2, "run": true, "trust": []string{filepath.Join(pki, ownDir, ownName+certSuffix)},
		"users": map[string]string{"op": "secret"}, "policies": policies[1:]})
	accept(t, pki, srv)
	for _, policy := range policies[1:] {
		r, err := Probe(t.Context(), srv.url(), Security{Policy: policy, PKI: pki, User: "op", Password: "secret"})
		if err != nil || r.Login != nil || r.Trusted != nil {
			t.Errorf("%s: %v %v", policy, err, r.Login)
		}
	}
}

func FuzzAuditLine(f *testing.F) {
	f.Add("eva", "CN=PLC\n2030\tx")
	f.Fuzz(func(t *testing.T, by, subject string) {
		dir := t.TempDir()
		if audit(dir, by, "trust", "AA", subject) != nil {
			return
		}
		b, err := os.ReadFile(filepath.Join(dir, auditFile))
		if err != nil || strings.Count(string(b), "\n") != 1 || strings.Count(string(b), "\t") != 4 {
			t.Errorf("%q, %v", b, err)
		}
	})
}
