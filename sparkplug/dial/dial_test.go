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
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestCheck(t *testing.T) {
	for _, s := range []string{"tcp://127.0.0.1:1883", "mqtt://broker", "ssl://broker:8883", "mqtts://broker", "tls://[::1]"} {
		if err := Check(s, Access{}); err != nil {
			t.Error(err)
		}
	}
	for _, s := range []string{"", "127.0.0.1:1883", "http://x", "tcp://", "tcp://:1883", "::"} {
		if Check(s, Access{}) == nil {
			t.Errorf("%q passed", s)
		}
	}
	if Check("ssl://x", Access{CA: filepath.Join(t.TempDir(), "absent")}) == nil {
		t.Error("an absent CA file passed")
	}
}

func TestDial(t *testing.T) {
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	t.Setenv("all_proxy", "socks5://127.0.0.1:1") // must not matter
	conn, err := Dial(context.Background(), "tcp://"+strings.TrimPrefix(plain.URL, "http://"), Access{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()

	secure := httptest.NewTLSServer(http.NotFoundHandler())
	defer secure.Close()
	broker := "ssl://" + strings.TrimPrefix(secure.URL, "https://")
	if _, err := Dial(context.Background(), broker, Access{}, 0); err == nil {
		t.Error("an unknown certificate was accepted")
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	conn, err = Dial(context.Background(), broker, Access{CA: ca}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := conn.(*tls.Conn); !ok {
		t.Errorf("%T is no TLS connection", conn)
	}
	conn.Close()

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Dial(ctx, broker, Access{CA: ca}, 0); err == nil {
		t.Error("dialled after the end")
	}
}

// TestFloor: a certificate that begins later than the clock shows is good where it
// is known that the clock is behind.
func TestFloor(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	begins := time.Now().Add(24 * time.Hour)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "broker"}, NotBefore: begins, NotAfter: begins.Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.(*tls.Conn).Handshake()
			_ = c.Close()
		}
	}()
	for floor, want := range map[time.Time]bool{{}: false, begins.Add(time.Hour): true, begins.Add(48 * time.Hour): false} {
		c, err := Dial(t.Context(), "ssl://"+l.Addr().String(), Access{CA: ca, Floor: floor}, 0)
		if (err == nil) != want {
			t.Errorf("floor %v: %v", floor, err)
		}
		if err == nil {
			_ = c.Close()
		}
	}
}
