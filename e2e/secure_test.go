package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority is a certificate authority of the test's own.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// newAuthority makes one and writes its certificate.
func newAuthority(t *testing.T, file string) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "works CA"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, file, "CERTIFICATE", der)
	return authority{cert, key}
}

// issue writes a server certificate for 127.0.0.1 and its key.
func (a authority) issue(t *testing.T, certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "broker"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, certFile, "CERTIFICATE", der)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, keyFile, "PRIVATE KEY", private)
}

func writePEM(t *testing.T, file, kind string, der []byte) {
	t.Helper()
	writeFile(t, file, string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})))
}

// TestBrokerUsersAndTLS runs the line over a broker that knows its users and
// speaks TLS with a certificate of the plant's own authority. What is wrong with
// a password or an authority is said in one line, and mending it is enough.
func TestBrokerUsersAndTLS(t *testing.T) {
	w := newWorks(t)
	w.broker = fmt.Sprintf("mqtts://127.0.0.1:%d", w.mqtt)
	w.configure()
	file := func(name string) string { return filepath.Join(w.dir, name) }
	newAuthority(t, file("ca.pem")).issue(t, file("broker.pem"), file("broker.key"))
	newAuthority(t, file("other-ca.pem"))
	writeFile(t, file("users.csv"), `name,role,group,node,password
hsm-edge,edge,Works,hsm,file:edge.password
plant,host,,historian,file:plant.password
`)
	writeFile(t, file("edge.password"), "rolling hot strip\n")
	writeFile(t, file("plant.password"), "coffee at six\n")
	writeFile(t, file("wrong.password"), "guess\n")
	demo, err := filepath.Abs("../firmware-configs/demo")
	if err != nil {
		t.Fatal(err)
	}
	edge := func(ca, password string) {
		writeFile(t, file("edge.toml"), fmt.Sprintf(`
[[plc]]
name = "mill"
url = "opc.tcp://127.0.0.1:%d"
tags = %q
[edge]
name = "hsm"
group = "Works"
broker = %q
broker_ca = %q
broker_user = "hsm-edge"
broker_password_file = %q
primary_host = "historian"
data = "edge"
`, w.plcPort, filepath.Join(demo, "tags.csv"), w.broker, ca, password))
	}
	writeFile(t, file("plant.toml"), fmt.Sprintf(`
[broker]
listen = "0.0.0.0:%d"
data = "broker"
users = "users.csv"
tls_certificate = "broker.pem"
tls_key = "broker.key"
[historian]
data = "historian"
broker_ca = "ca.pem"
broker_user = "plant"
broker_password_file = "plant.password"
host_id = "historian"
[hmi]
listen = "127.0.0.1:%d"
data = "hmi"
no_login = true
`, w.mqtt, w.http))

	w.startMill()
	w.startPlant()
	w.plant.find(`historian is online`, 20*time.Second)

	for _, wrong := range []struct{ ca, password, says string }{
		{"ca.pem", "wrong.password", "broker_password_file"},
		{"other-ca.pem", "edge.password", "broker_ca"},
	} {
		edge(wrong.ca, wrong.password)
		w.startEdge()
		w.edge.find(`not connected to the plant, records are kept.*`+wrong.says, 10*time.Second)
		time.Sleep(1500 * time.Millisecond) // it tries again meanwhile
		if n := strings.Count(w.edge.text(), "not connected to the plant"); n != 1 {
			t.Errorf("said %d times, want once", n)
		}
		if d := w.edge.stop(); d > 15*time.Second {
			t.Errorf("stopping took %v", d)
		}
	}
	if n := len(w.api.edges()); n != 0 {
		t.Errorf("%d edges came in with a wrong password", n)
	}

	edge("ca.pem", "edge.password")
	w.startEdge()
	w.waitLive(20 * time.Second)
	w.account().check(t)
}
