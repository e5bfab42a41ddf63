package dial

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
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
