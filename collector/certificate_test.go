package collector

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/md5"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"millwright/simulator/server"
)

const plcURI = "urn:mill:plc"

// rsaKey makes a key once for all tests: RSA keys are slow.
var keys = struct {
	sync.Mutex
	made map[string]*rsa.PrivateKey
}{made: map[string]*rsa.PrivateKey{}}

func rsaKey(t testing.TB, name string, bits int) *rsa.PrivateKey {
	t.Helper()
	keys.Lock()
	defer keys.Unlock()
	k, ok := keys.made[name]
	if !ok {
		var err error
		if k, err = rsa.GenerateKey(rand.Reader, bits); err != nil {
			t.Fatal(err)
		}
		keys.made[name] = k
	}
	return k
}

// party is a certificate with what it takes to issue more.
type party struct {
	cert *x509.Certificate
	key  crypto.Signer
}

var serials = func() func() *big.Int {
	var mu sync.Mutex
	n := int64(1000)
	return func() *big.Int { mu.Lock(); defer mu.Unlock(); n++; return big.NewInt(n) }
}()

// issue makes a certificate for pub after t, signed by by; itself where by is nil.
func issue(tb testing.TB, t *x509.Certificate, k crypto.Signer, by *party) *party {
	tb.Helper()
	return issueFor(tb, t, k.Public(), k, by)
}

func issueFor(tb testing.TB, t *x509.Certificate, pub any, k crypto.Signer, by *party) *party {
	tb.Helper()
	if t.SerialNumber == nil {
		t.SerialNumber = serials()
	}
	parent, signer := t, k
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, t, parent, pub, signer)
	if err != nil {
		tb.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	return &party{c, k}
}

// leafTemplate is a good server's certificate for the host 127.0.0.1.
func leafTemplate() *x509.Certificate {
	u, _ := url.Parse(plcURI)
	return &x509.Certificate{
		Subject:   pkix.Name{CommonName: "plc"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment | x509.KeyUsageKeyEncipherment | x509.KeyUsageDataEncipherment,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
		URIs: []*url.URL{u}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"plc.mill"},
	}
}

func caTemplate(name string) *x509.Certificate {
	return &x509.Certificate{
		Subject:   pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, BasicConstraintsValid: true, IsCA: true,
	}
}

// crl is a list of what by has revoked.
func crl(t testing.TB, by *party, set func(*x509.RevocationList), revoked ...*party) []byte {
	t.Helper()
	l := &x509.RevocationList{Number: serials(), ThisUpdate: time.Now().Add(-time.Hour), NextUpdate: time.Now().Add(time.Hour)}
	for _, r := range revoked {
		l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, x509.RevocationListEntry{
			SerialNumber: r.cert.SerialNumber, RevocationTime: time.Now().Add(-time.Minute), ReasonCode: 1})
	}
	if set != nil {
		set(l)
	}
	der, err := x509.CreateRevocationList(rand.Reader, l, by.cert, by.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// resign changes a certificate's signed part and signs it again, for what the
// library does not make.
func resign(t testing.TB, c *x509.Certificate, by *rsa.PrivateKey, hash crypto.Hash, sum func([]byte) []byte, change func([]byte) []byte) *x509.Certificate {
	t.Helper()
	var outer struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}
	if _, err := asn1.Unmarshal(c.Raw, &outer); err != nil {
		t.Fatal(err)
	}
	outer.TBS.FullBytes = change(slices.Clone(outer.TBS.FullBytes))
	if hash == crypto.MD5 {
		outer.Algorithm.Algorithm = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 4}
	}
	sig, err := rsa.SignPKCS1v15(nil, by, hash, sum(outer.TBS.FullBytes))
	if err != nil {
		t.Fatal(err)
	}
	outer.Signature = asn1.BitString{Bytes: sig, BitLength: 8 * len(sig)}
	der, err := asn1.Marshal(outer)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// endless is a revocation list without its next update.
func endless(t testing.TB, der []byte, by *rsa.PrivateKey) []byte {
	t.Helper()
	var outer struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}
	var parts []asn1.RawValue
	if _, err := asn1.Unmarshal(der, &outer); err != nil {
		t.Fatal(err)
	}
	if _, err := asn1.Unmarshal(outer.TBS.FullBytes, &parts); err != nil {
		t.Fatal(err)
	}
	tbs, err := asn1.Marshal(slices.Delete(parts, 4, 5)) // version, algorithm, issuer, this update, next update
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(tbs)
	sig, err := rsa.SignPKCS1v15(nil, by, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	outer.TBS.FullBytes, outer.Signature = tbs, asn1.BitString{Bytes: sig, BitLength: 8 * len(sig)}
	if der, err = asn1.Marshal(outer); err != nil {
		t.Fatal(err)
	}
	return der
}

// damaged is c with another signature.
func damaged(t testing.TB, c *x509.Certificate) *x509.Certificate {
	t.Helper()
	der := slices.Clone(c.Raw)
	der[len(der)-5] ^= 1
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// yard is a PKI folder with a server that shows what it is given.
type yard struct {
	t   *testing.T
	pki string
	own []byte // our certificate
	key []byte
}

func newYard(t *testing.T) *yard {
	y := &yard{t: t, pki: t.TempDir()}
	u := rsaKey(t, "own", 2048)
	der, err := ownCertificate(u, "urn:test:edge", "edge")
	if err != nil {
		t.Fatal(err)
	}
	y.own, y.key = der, pkcs8(t, u)
	return y
}

func pkcs8(t testing.TB, k *rsa.PrivateKey) []byte {
	t.Helper()
	b, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: b})
}

// lay fills the folder: names are paths in it.
func (y *yard) lay(files map[string][]byte) {
	y.t.Helper()
	for _, d := range []string{ownDir, trustedDir, issuersDir, rejectedDir} {
		if err := errors.Join(os.RemoveAll(filepath.Join(y.pki, d)), os.MkdirAll(filepath.Join(y.pki, d), 0o700)); err != nil {
			y.t.Fatal(err)
		}
	}
	if err := os.RemoveAll(filepath.Join(y.pki, clockFile)); err != nil {
		y.t.Fatal(err)
	}
	files[ownDir+"/"+ownName+certSuffix], files[ownDir+"/"+ownName+keySuffix] = y.own, y.key
	for name, b := range files {
		if err := errors.Join(os.MkdirAll(filepath.Dir(filepath.Join(y.pki, name)), 0o700), os.WriteFile(filepath.Join(y.pki, name), b, 0o600)); err != nil {
			y.t.Fatal(err)
		}
	}
}

// show runs our own server with the certificate and probes it; it returns the
// verdict and whether anything came after it.
func (y *yard) show(p *party, sec Security) (verdict error, asked bool) {
	y.t.Helper()
	dir := y.t.TempDir()
	if err := errors.Join(os.MkdirAll(filepath.Join(dir, "own"), 0o700),
		os.WriteFile(filepath.Join(dir, "own", "cert.der"), p.cert.Raw, 0o600),
		os.WriteFile(filepath.Join(dir, "own", "key.pem"), pkcs8(y.t, p.key.(*rsa.PrivateKey)), 0o600)); err != nil {
		y.t.Fatal(err)
	}
	s := &server.Server{Modes: []server.Mode{server.SignAndEncrypt}, PKI: dir, ApplicationURI: plcURI,
		Users: map[string]string{"op": "secret"}, Log: logger(y.t)}
	if err := s.Start(y.t.Context()); err != nil {
		y.t.Fatal(err)
	}
	defer s.Close()
	sec.Policy, sec.PKI, sec.User, sec.Password = "Basic256Sha256", y.pki, "op", "secret"
	r, err := Probe(y.t.Context(), s.URL(), sec)
	if err != nil {
		y.t.Fatal(err)
	}
	n := s.Counts()
	asked = n["CreateSession"]+n["ActivateSession"] > 0
	if r.Trusted == nil && r.Login != nil {
		y.t.Errorf("trusted, but %v", r.Login)
	}
	return r.Trusted, asked
}

// TestCertificates: what a server may show, and what is said about it.
func TestCertificates(t *testing.T) {
	y := newYard(t)
	leafKey, rootKey, midKey, weak := rsaKey(t, "leaf", 2048), rsaKey(t, "root", 2048), rsaKey(t, "middle", 2048), rsaKey(t, "weak", 1024)
	self := func(set func(*x509.Certificate)) *party {
		c := leafTemplate()
		if set != nil {
			set(c)
		}
		return issue(t, c, leafKey, nil)
	}
	root := issue(t, caTemplate("Mill root"), rootKey, nil)
	mid := issue(t, caTemplate("Mill works"), midKey, root)
	from := func(by *party, set func(*x509.Certificate)) *party {
		c := leafTemplate()
		if set != nil {
			set(c)
		}
		return issue(t, c, leafKey, by)
	}
	ca := func(k crypto.Signer, by *party, set func(*x509.Certificate)) *party {
		c := caTemplate("Another issuer")
		if set != nil {
			set(c)
		}
		return issue(t, c, k, by)
	}
	type files = map[string][]byte
	// pinned trusts p itself; under trusts the root and gives its list.
	pinned := func(p *party) files { return files{"trusted/p.der": p.cert.Raw} }
	under := func(r *party) files {
		return files{"trusted/root.der": r.cert.Raw, "trusted/root.crl": crl(t, r, nil)}
	}
	plus := func(f files, name string, b []byte) files { f[name] = b; return f }
	two := func() files { // root and middle, each with its list
		return plus(plus(under(root), "issuers/mid.der", mid.cert.Raw), "issuers/mid.crl", crl(t, mid, nil))
	}
	critical := []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 9999, 1}, Critical: true, Value: []byte{5, 0}}}
	past, soon := time.Now().Add(-time.Minute), time.Now().Add(time.Minute)

	// Special certificates.
	cut := func(c *x509.Certificate) { c.NotAfter = c.NotBefore.Add(-time.Hour) }
	md5Leaf := func() *party {
		p := self(nil)
		c := resign(t, p.cert, leafKey, crypto.MD5, func(b []byte) []byte { s := md5.Sum(b); return s[:] }, func(tbs []byte) []byte {
			sha256 := []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11}
			i := strings.Index(string(tbs), string(sha256))
			tbs[i+len(sha256)-1] = 4
			return tbs
		})
		return &party{c, leafKey}
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ecRoot, weakRoot := ca(ecKey, nil, nil), ca(weak, nil, nil)
	//lint:ignore SA1019 a real key of this size takes minutes
	huge, err := rsa.GenerateMultiPrimeKey(rand.Reader, 8, mostKeyBits+16)
	if err != nil {
		t.Fatal(err)
	}
	hugeRoot := ca(huge, nil, nil)
	wide := new(big.Int).SetBit(big.NewInt(1), mostKeyBits+7, 1)
	stranger := issue(t, caTemplate("Mill root"), rsaKey(t, "stranger", 2048), nil) // same name, another key
	var deep []*party
	for i := range mostChain {
		by := root
		if i > 0 {
			by = deep[i-1]
		}
		deep = append(deep, issue(t, caTemplate(fmt.Sprintf("Mill level %d", i)), midKey, by))
	}
	deepFiles := under(root)
	for i, d := range deep {
		deepFiles[fmt.Sprintf("issuers/%d.der", i)] = d.cert.Raw
		deepFiles[fmt.Sprintf("issuers/%d.crl", i)] = crl(t, d, nil)
	}
	noCA := ca(midKey, root, func(c *x509.Certificate) { c.IsCA = false })
	noSign := ca(midKey, root, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign })
	flat := ca(rootKey, nil, func(c *x509.Certificate) { c.MaxPathLenZero = true })
	midOfFlat := issue(t, caTemplate("Mill works"), midKey, flat)
	confined := ca(rootKey, nil, func(c *x509.Certificate) {
		c.PermittedDNSDomainsCritical, c.PermittedDNSDomains = true, []string{"other.mill"}
	})
	oldMid := issue(t, func() *x509.Certificate { c := caTemplate("Mill works"); c.NotAfter = past; return c }(), midKey, root)
	youngMid := issue(t, func() *x509.Certificate { c := caTemplate("Mill works"); c.NotBefore = soon; return c }(), midKey, root)
	sha1Mid := issue(t, func() *x509.Certificate {
		c := caTemplate("Mill works")
		c.SignatureAlgorithm = x509.SHA1WithRSA
		return c
	}(), midKey, root)
	oddMid := issue(t, func() *x509.Certificate { c := caTemplate("Mill works"); c.ExtraExtensions = critical; return c }(), midKey, root)
	withMid := func(m *party) files {
		return plus(plus(under(root), "issuers/mid.der", m.cert.Raw), "issuers/mid.crl", crl(t, m, nil))
	}
	fromRoot := from(root, nil)
	list := func(set func(*x509.RevocationList), revoked ...*party) files {
		return files{"trusted/root.der": root.cert.Raw, "trusted/root.crl": crl(t, root, set, revoked...)}
	}

	sha1 := Security{AllowSHA1: true}
	present := Security{Revocation: RevocationIfPresent}
	text, refused := map[string]string{}, 0 // what was said, and where
	bad := func(name string, p *party, f files, code, want string, sec ...Security) {
		t.Helper()
		y.lay(f)
		s := Security{}
		if len(sec) > 0 {
			s = sec[0]
		}
		var err error
		asked := false
		if k, ok := p.key.(*rsa.PrivateKey); ok && k.PublicKey.Equal(p.cert.PublicKey) {
			err, asked = y.show(p, s)
		} else { // our server cannot show it
			c := &conditions{now: time.Now(), host: "127.0.0.1", applURI: plcURI, sha1: s.AllowSHA1, missing: s.Revocation == RevocationIfPresent}
			_, err = verifyServer(y.pki, p.cert.Raw, c)
		}
		var e *certificateError
		if !errors.As(err, &e) {
			t.Errorf("%s: %v", name, err)
			return
		}
		if asked {
			t.Errorf("%s: a session was asked for", name)
		}
		if _, err := os.Stat(filepath.Join(y.pki, clockFile)); err == nil {
			t.Errorf("%s: the time was kept", name)
		}
		if len(e.faults) != 1 || e.faults[0].code != code || !strings.Contains(e.faults[0].text, want) || !strings.Contains(err.Error(), fingerprint(p.cert.Raw)) {
			t.Errorf("%s:\n got %v\nwant %s, %s", name, err, code, want)
			return
		}
		says := e.faults[0].text
		if other, ok := text[says]; ok && other != want {
			t.Errorf("%s: said before where %q was wanted: %s", name, other, says)
		}
		text[says] = want
		refused++
		t.Logf("%-28s %s", name, err)
	}
	good := func(name string, p *party, f files, sec ...Security) {
		t.Helper()
		y.lay(f)
		s := Security{}
		if len(sec) > 0 {
			s = sec[0]
		}
		if err, asked := y.show(p, s); err != nil || !asked {
			t.Errorf("%s: %v", name, err)
		}
		if left, _ := os.ReadDir(filepath.Join(y.pki, rejectedDir)); len(left) > 0 {
			t.Errorf("%s: %d files in rejected/", name, len(left))
		}
	}
	set := func(f func(*x509.Certificate)) *party { return self(f) }
	refuse := func(name string, f func(*x509.Certificate), code, want string) {
		t.Helper()
		p := set(f)
		bad(name, p, pinned(p), code, want)
	}

	// Trust, chain and signature.
	bad("unknown", self(nil), files{}, codeUntrusted, "not trusted: compare the SHA-256")
	bad("unknown, issuer known", fromRoot, files{"issuers/root.der": root.cert.Raw, "issuers/root.crl": crl(t, root, nil)}, codeUntrusted, `or put the certificate of its issuer "CN=Mill root" there`)
	p := fromRoot
	bad("issuer missing", p, pinned(p), codeIncomplete, `certificate of the issuer "CN=Mill root" is missing`)
	p = from(mid, nil)
	bad("issuer's issuer missing", p, plus(plus(pinned(p), "issuers/mid.der", mid.cert.Raw), "issuers/mid.crl", crl(t, mid, nil)), codeIncomplete, `certificate of the issuer "CN=Mill root" is missing`)
	p = &party{damaged(t, fromRoot.cert), leafKey}
	bad("damaged signature", p, plus(under(root), "trusted/p.der", p.cert.Raw), codeInvalid, `it was not signed by "CN=Mill root"`)
	p = &party{damaged(t, self(nil).cert), leafKey}
	bad("damaged own signature", p, pinned(p), codeInvalid, `it was not signed by "CN=plc"`)
	p = from(stranger, func(c *x509.Certificate) { c.Subject.CommonName = "forger" })
	bad("issuer of the same name", p, plus(under(root), "trusted/p.der", p.cert.Raw), codeInvalid, `it was not signed by "CN=Mill root"`)
	p = from(&party{damaged(t, mid.cert), midKey}, nil)
	bad("issuer damaged", p, plus(withMid(&party{damaged(t, mid.cert), midKey}), "trusted/p.der", p.cert.Raw), codeInvalid, `its issuer "CN=Mill works" was not signed by`)
	bad("chain too long", from(deep[mostChain-1], nil), plus(deepFiles, "trusted/deep.der", deep[mostChain-1].cert.Raw), codeIncomplete, "more than 6 certificates")

	// Keys and hashes.
	p = issue(t, leafTemplate(), ecKey, root)
	bad("elliptic curve", p, under(root), codePolicy, "its key is ECDSA")
	p = issue(t, leafTemplate(), edKey, root)
	bad("Ed25519", p, under(root), codePolicy, "its key is Ed25519")
	p = issue(t, leafTemplate(), weak, root)
	bad("short key", p, under(root), codePolicy, "its RSA key has 1024 bits and is too short")
	p = issueFor(t, leafTemplate(), &rsa.PublicKey{N: wide, E: 65537}, leafKey, root)
	bad("long key", p, under(root), codePolicy, "its RSA key has 4104 bits")
	p = issueFor(t, leafTemplate(), &rsa.PublicKey{N: leafKey.N, E: 1}, leafKey, root)
	bad("exponent 1", p, under(root), codePolicy, "exponent 1,")
	p = issueFor(t, leafTemplate(), &rsa.PublicKey{N: leafKey.N, E: 65536}, leafKey, root)
	bad("even exponent", p, under(root), codePolicy, "exponent 65536,")
	refuse("SHA-1", func(c *x509.Certificate) { c.SignatureAlgorithm = x509.SHA1WithRSA }, codePolicy, "it is signed with SHA-1")
	p = md5Leaf()
	bad("MD5", p, pinned(p), codePolicy, "it is signed with MD5-RSA", sha1)
	both := func(err error, codes ...string) {
		t.Helper()
		var e *certificateError
		if !errors.As(err, &e) {
			t.Errorf("%v, want %v", err, codes)
			return
		}
		var got []string
		for _, f := range e.faults {
			got = append(got, f.code)
		}
		if !slices.Equal(got, codes) {
			t.Errorf("%v, want %v", err, codes)
		}
	}
	p = from(ecRoot, nil)
	y.lay(under(ecRoot))
	err, _ = y.show(p, Security{})
	both(err, codePolicy, codePolicy) // the hash of the one, the key of the other
	if err == nil || !strings.Contains(err.Error(), "ECDSA-SHA256") || !strings.Contains(err.Error(), `the key of its issuer "CN=Another issuer" is ECDSA`) {
		t.Errorf("issuer with ECDSA: %v", err)
	}
	p = from(root, func(c *x509.Certificate) { c.Subject.CommonName = "of nobody" })
	y.lay(files{})
	err, _ = y.show(p, Security{})
	both(err, codeUntrusted, codeIncomplete)
	bad("issuer's key short", from(weakRoot, nil), under(weakRoot), codePolicy, `the RSA key of its issuer "CN=Another issuer" has 1024 bits`)
	bad("issuer's key long", from(hugeRoot, nil), under(hugeRoot), codePolicy, `the RSA key of its issuer "CN=Another issuer" has 4112 bits`)
	bad("issuer SHA-1", from(sha1Mid, nil), withMid(sha1Mid), codePolicy, `its issuer "CN=Mill works" is signed with SHA-1`)

	// Time.
	refuse("expired", func(c *x509.Certificate) { c.NotAfter = past }, codeTime, "has expired")
	refuse("not yet valid", func(c *x509.Certificate) { c.NotBefore = soon }, codeTime, "it is valid from")
	refuse("ends before it begins", cut, codeTime, "before it begins")
	bad("issuer expired", from(oldMid, nil), withMid(oldMid), codeIssuerTime, "expired on")
	bad("issuer not yet valid", from(youngMid, nil), withMid(youngMid), codeIssuerTime, "is valid from")

	// Host and application.
	refuse("other host", func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 2)} }, codeHost, `hosts plc.mill, 127.0.0.2 and not for "127.0.0.1"`)
	refuse("no host", func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, nil }, codeHost, "hosts (none)")
	refuse("wildcard", func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, []string{"*.0.0.1", "*"} }, codeHost, "*.0.0.1, *")
	refuse("other application", func(c *x509.Certificate) { c.URIs = []*url.URL{{Scheme: "urn", Opaque: "mill:plc2"}} }, codeURI, `for the application "urn:mill:plc2" and not for the application "urn:mill:plc"`)
	refuse("no application", func(c *x509.Certificate) { c.URIs = nil }, codeURI, "names no application")

	// Use.
	refuse("no key usage", func(c *x509.Certificate) { c.KeyUsage = 0 }, codeUse, "(key usage)")
	refuse("no digitalSignature", func(c *x509.Certificate) { c.KeyUsage &^= x509.KeyUsageDigitalSignature }, codeUse, "digitalSignature")
	refuse("no keyEncipherment", func(c *x509.Certificate) { c.KeyUsage &^= x509.KeyUsageKeyEncipherment }, codeUse, "keyEncipherment")
	refuse("no dataEncipherment", func(c *x509.Certificate) { c.KeyUsage &^= x509.KeyUsageDataEncipherment }, codeUse, "dataEncipherment")
	refuse("no extended key usage", func(c *x509.Certificate) { c.ExtKeyUsage = nil }, codeUse, "does not say that it is a server's")
	refuse("a client's", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }, codeUse, "it is not a server's")
	refuse("unknown extended key usage", func(c *x509.Certificate) {
		c.ExtKeyUsage, c.UnknownExtKeyUsage = nil, []asn1.ObjectIdentifier{{1, 3, 9999, 2}}
		c.Subject.CommonName = "odd"
	}, codeUse, "it is not a server's")
	refuse("critical extension", func(c *x509.Certificate) { c.ExtraExtensions = critical }, codeInvalid, "it has the critical extension 1.3.9999.1")
	bad("issuer as server", from(root, func(c *x509.Certificate) { c.IsCA = true }), under(root), codeUse, "it is an issuer's certificate")

	// Issuers.
	bad("issuer is none", from(noCA, nil), plus(under(root), "issuers/mid.der", noCA.cert.Raw), codeIssuerUse, "is no certificate authority", present)
	bad("issuer may not sign", from(noSign, nil), withMid(noSign), codeIssuerUse, "keyCertSign")
	bad("path length", from(midOfFlat, nil), plus(plus(under(flat), "issuers/mid.der", midOfFlat.cert.Raw), "issuers/mid.crl", crl(t, midOfFlat, nil)), codeIssuerUse, "at most 0 issuers below it, here are 1")
	bad("name constraints", from(confined, nil), under(confined), codeIssuerUse, "may not issue for its names")
	bad("name constraints, SHA-1", from(confined, func(c *x509.Certificate) {
		c.SignatureAlgorithm, c.DNSNames = x509.SHA1WithRSA, []string{"a.other.mill"}
	}), under(confined), codeIssuerUse, "cannot be checked", sha1)
	bad("issuer's critical extension", from(oddMid, nil), withMid(oddMid), codeInvalid, `its issuer "CN=Mill works" has the critical extension`)

	// Revocation.
	bad("revoked", fromRoot, list(nil, fromRoot), codeRevoked, "because the key was stolen")
	bad("issuer revoked", from(mid, nil), plus(plus(list(nil, mid), "issuers/mid.der", mid.cert.Raw), "issuers/mid.crl", crl(t, mid, nil)), codeIssuerRevoked, `its issuer "CN=Mill works" was revoked`)
	bad("no list", fromRoot, files{"trusted/root.der": root.cert.Raw}, codeRevocation, `whether it was revoked is not known: the revocation list of "CN=Mill root" is missing`)
	bad("no list of the issuer", from(mid, nil), files{"trusted/root.der": root.cert.Raw, "issuers/mid.der": mid.cert.Raw, "issuers/mid.crl": crl(t, mid, nil)}, codeIssuerRevocation, `whether its issuer "CN=Mill works" was revoked`)
	bad("list out of date", fromRoot, list(func(l *x509.RevocationList) { l.NextUpdate = past }), codeRevocation, "is out of date since")
	bad("list of tomorrow", fromRoot, list(func(l *x509.RevocationList) { l.ThisUpdate = soon }), codeRevocation, "and now it is")
	bad("list without an end", fromRoot, files{"trusted/root.der": root.cert.Raw, "trusted/root.crl": endless(t, crl(t, root, nil), rootKey)}, codeRevocation, "until when")
	bad("list of another", fromRoot, files{"trusted/root.der": root.cert.Raw, "trusted/root.crl": crl(t, stranger, nil)}, codeRevocation, "was not signed by it")
	bad("list of another with its key", fromRoot, files{"trusted/root.der": root.cert.Raw, "trusted/root.crl": crl(t, ca(rootKey, nil, nil), nil)}, codeRevocation, `whether it was revoked is not known: the revocation list of "CN=Mill root" is missing`)
	part := func(l *x509.RevocationList) {
		l.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 28}, Critical: true, Value: []byte{0x30, 0}}}
	}
	bad("list of a part", fromRoot, list(part), codeRevocation, "only a part of one")
	bad("list with SHA-1", fromRoot, list(func(l *x509.RevocationList) { l.SignatureAlgorithm = x509.SHA1WithRSA }), codeRevocation, "signed with SHA-1")
	bad("revoked, list out of date", fromRoot, list(func(l *x509.RevocationList) { l.NextUpdate = past }, fromRoot), codeRevoked, "because the key was stolen", present)
	bad("revoked in a part", fromRoot, list(part, fromRoot), codeRevoked, "because the key was stolen", present)
	t.Logf("%d bad certificates refused in %d ways", refused, len(text))

	// Good ones.
	p = self(nil)
	good("trusted itself", p, pinned(p))
	p = self(func(c *x509.Certificate) { c.IsCA, c.KeyUsage = true, c.KeyUsage|x509.KeyUsageCertSign })
	good("trusted itself, and an issuer", p, pinned(p))
	good("of a trusted issuer", fromRoot, under(root))
	good("of an issuer below", from(mid, nil), two())
	good("itself trusted, issuer known", fromRoot, files{"trusted/p.der": fromRoot.cert.Raw, "issuers/root.der": root.cert.Raw, "issuers/root.crl": crl(t, root, nil)})
	good("other software's folders, PEM", fromRoot, files{
		"trusted/certs/root.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.cert.Raw}),
		"trusted/crl/root.pem":   pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: crl(t, root, nil)})})
	good("another revoked", fromRoot, list(nil, self(nil)))
	good("old list, new list", from(root, func(c *x509.Certificate) { c.Subject.CommonName = "again" }), plus(list(nil), "trusted/old.crl", crl(t, root, func(l *x509.RevocationList) { l.ThisUpdate, l.NextUpdate = past.Add(-time.Hour), past })))
	good("new list, old list", from(root, func(c *x509.Certificate) { c.Subject.CommonName = "and again" }), plus(list(nil), "trusted/z.crl", crl(t, root, func(l *x509.RevocationList) { l.ThisUpdate, l.NextUpdate = past.Add(-time.Hour), past })))
	good("no list, allowed", fromRoot, files{"trusted/root.der": root.cert.Raw}, present)
	good("list out of date, allowed", fromRoot, list(func(l *x509.RevocationList) { l.NextUpdate = past }), present)
	p = self(func(c *x509.Certificate) { c.SignatureAlgorithm = x509.SHA1WithRSA })
	good("SHA-1, allowed", p, pinned(p), sha1)
	p = from(root, func(c *x509.Certificate) { c.SignatureAlgorithm = x509.SHA1WithRSA })
	good("SHA-1 of an issuer, allowed", p, under(root), sha1)
	p = self(func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, nil })
	good("no host, allowed", p, pinned(p), Security{AnyHost: true})
	p = self(func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, []string{"127.0.0.1"} })
	good("address as a name", p, pinned(p))
	good("issuer renewed, the old one left", from(mid, nil), plus(two(), "issuers/a.der", oldMid.cert.Raw))
}
