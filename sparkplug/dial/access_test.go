package dial

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"millwright/plant"
)

// put writes a file.
func put(t *testing.T, file string, b []byte) {
	t.Helper()
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// pair writes a self-signed certificate for 127.0.0.1 that ends at a time, and its
// key.
func pair(t *testing.T, certificate, key, name string, end time.Time) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: end,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	b, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	put(t, certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	put(t, key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: b}))
}

// A connection shows its certificate, says on what it stands, and says when its
// files are others: once for each content, and whether they can be used.
func TestAccess(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	soon := time.Now().Add(20*24*time.Hour + time.Hour)
	pair(t, file("broker.pem"), file("broker.key"), "broker", time.Now().Add(90*24*time.Hour))
	pair(t, file("own.pem"), file("own.key"), "edge", soon)
	put(t, file("password"), []byte("secret\n"))

	server, err := tls.LoadX509KeyPair(file("broker.pem"), file("broker.key"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{server}, ClientAuth: tls.RequireAnyClientCert})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ended := make(chan bool, 1)
	go func() { ended <- hears(l, true) }()

	a := Access{User: "edge", PasswordFile: file("password"), CA: file("broker.pem"), Certificate: file("own.pem"), Key: file("own.key")}
	link, err := Client{Broker: "ssl://" + l.Addr().String(), Access: a, ID: "c", WillTopic: "w", Will: []byte("gone")}.Connect(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer link.Close()
	got := map[string]plant.CertificateStatus{}
	for _, c := range link.Certificates(time.Now()) {
		got[c.Who] = c
	}
	if c := got["own"]; c.Subject != "edge" || c.Days != 20 || c.State != plant.CertificateExpiring {
		t.Errorf("own certificate: %+v", c)
	}
	if c := got["server"]; c.Subject != "broker" || c.State != plant.CertificateTrusted {
		t.Errorf("server's certificate: %+v", c)
	}

	renewed := func(usable bool) {
		t.Helper()
		select {
		case err := <-link.Renewed():
			if (err == nil) != usable {
				t.Errorf("usable %v: %v", usable, err)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("nothing was said of new files")
		}
	}
	put(t, file("own.pem"), []byte("half a certifica"))
	renewed(false)
	pair(t, file("own.pem"), file("own.key"), "edge", soon)
	for { // the two files are written one after the other: maybe they did not fit yet
		err := <-link.Renewed()
		if err == nil {
			break
		}
	}
	put(t, file("password"), []byte("another\n"))
	renewed(true)
	link.Close()
	if <-ended {
		t.Error("closing said DISCONNECT")
	}
}

// What is wrong with the files is said before anything is dialled.
func TestAccessCheck(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	pair(t, file("own.pem"), file("own.key"), "edge", time.Now().Add(time.Hour))
	pair(t, file("other.pem"), file("other.key"), "edge", time.Now().Add(time.Hour))
	put(t, file("empty"), []byte("\n"))
	for what, a := range map[string]Access{
		"a key of another certificate": {Certificate: file("own.pem"), Key: file("other.key")},
		"an empty password":            {PasswordFile: file("empty")},
		"no password":                  {PasswordFile: file("absent")},
		"a CA without certificates":    {CA: file("empty")},
	} {
		if Check("tcp://x", a) == nil {
			t.Errorf("%s passed", what)
		}
	}
	if err := Check("ssl://x", Access{CA: file("own.pem"), Certificate: file("own.pem"), Key: file("own.key")}); err != nil {
		t.Error(err)
	}
}
