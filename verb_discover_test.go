package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"millwright/collector"
	"millwright/simulator/server"
)

// TestDiscoverInterrupted: Ctrl-C leaves no file, not even a part of one.
func TestDiscoverInterrupted(t *testing.T) {
	t.Parallel()
	srv := &server.Server{Log: slog.New(slog.DiscardHandler), Limits: server.Limits{MaxNodesPerBrowse: 2, MaxNodesPerRead: 20}}
	for i := range 20_000 {
		srv.Variables = append(srv.Variables, server.Variable{Path: fmt.Sprintf("A/M%d/T%d", i/10, i)})
	}
	if err := srv.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(200*time.Millisecond, cancel)
	c := &discoverCmd{Out: filepath.Join(dir, "tags.csv"), Assets: filepath.Join(dir, "assets.toml")}
	c.URL, c.Policy = srv.URL(), "None"
	err := c.Run(&env{ctx: ctx, stdout: io.Discard, stderr: io.Discard, log: slog.New(slog.DiscardHandler)})
	if err == nil || err.Error() != "stopped: nothing was written" {
		t.Errorf("error %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestProgress(t *testing.T) {
	var b bytes.Buffer
	p := &progress{w: &b, terminal: true, begun: time.Now().Add(-2 * time.Second)}
	p.show(collector.Progress{Nodes: 1000, Variables: 900})
	p.show(collector.Progress{Nodes: 1001, Variables: 900}) // too soon
	p.show(collector.Progress{Nodes: 2000, Variables: 1800, Read: 1800, Done: true})
	p.end()
	if s := b.String(); strings.Count(s, "\r") != 2 || !strings.Contains(s, "\r1000 nodes, 900 variables, 0 read, 5") || !strings.HasSuffix(s, "\x1b[K\n") {
		t.Errorf("%q", s)
	}
	b.Reset()
	p = &progress{w: &b, begun: time.Now()}
	p.show(collector.Progress{Nodes: 1000})
	p.end()
	if b.Len() != 0 {
		t.Errorf("a short discovery without a terminal says %q", b.String())
	}
	p = &progress{w: &b, begun: time.Now().Add(-10 * time.Second)}
	p.show(collector.Progress{Nodes: 1000, Variables: 900})
	p.end()
	if s := b.String(); strings.ContainsAny(s, "\r\x1b") || strings.Count(s, "\n") != 2 {
		t.Errorf("%q", s)
	}
}
