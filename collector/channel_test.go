package collector

import (
	"testing"
	"time"
)

// TestNoneShowsNoCertificate: a connection without security shows no certificate,
// which a strict server would refuse because it does not know it.
func TestNoneShowsNoCertificate(t *testing.T) {
	t.Parallel()
	srv := newNodeServer(t, map[string]any{"nodes": 1, "run": true})
	s := &Source{Name: "PLC", URL: srv.url(), Tags: srv.tags(1), Security: Security{PKI: t.TempDir()}}
	start(t, s, newStore(s))
	eventually(t, 30*time.Second, "live", live(s))
}
