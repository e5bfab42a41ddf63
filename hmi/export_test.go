package hmi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestExport(t *testing.T) {
	var asked url.Values
	s := run(t, func(s *Server) {
		s.Export = func(ctx context.Context, w http.ResponseWriter, values url.Values) error {
			asked = values
			return exported(ctx, w, values)
		}
	})
	a := s.get("export?format=csv&tags=A/*,B/x&asset=HSM&from=2026-11-22&to=-1d&shape=wide&grid=1s&quality=good&fill=mean&hold=3&manifest=false")
	if a.status != 200 || a.body != "t,v\n1,2\n" || a.header.Get("Content-Type") != "text/csv" || a.header.Get("Millwright-Rows") != "1" ||
		!strings.HasPrefix(a.header.Get("Content-Disposition"), "attachment") {
		t.Errorf("%d %s %s", a.status, a.header, a.body)
	}
	if asked.Get("tags") != "A/*,B/x" || asked.Get("to") != "-1d" || len(asked) != 11 {
		t.Errorf("asked %v", asked)
	}
	s.refused(s.get("export?format=pdf"), 400, "format: csv is all there is")
	s.refused(s.get("export?tag=x"), 400, "tag: unknown parameter; allowed are tags, asset")
	if a := s.ask("HEAD", "/api/v1/export?format=csv", ""); a.status != 405 {
		t.Errorf("HEAD would make a whole file: %d", a.status)
	}
	s = run(t, func(s *Server) {
		s.Export = func(context.Context, http.ResponseWriter, url.Values) error { return fmt.Errorf("export: %w", errBusy) }
	})
	a = s.get("export")
	s.refused(a, 429, "export: two exports run already")
	if a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}

// TestExportBreaksOff holds that a part of a file is not taken for the whole.
func TestExportBreaksOff(t *testing.T) {
	s := run(t, func(s *Server) {
		s.Export = func(_ context.Context, w http.ResponseWriter, _ url.Values) error {
			io.WriteString(w, strings.Repeat("x", 10_000))
			return errors.New("the disk is gone")
		}
	})
	res, err := http.Get(s.url + "/api/v1/export")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err == nil || strings.Contains(string(b), "problem") {
		t.Errorf("%d bytes came, as if they were all: %v", len(b), err)
	}
	if !strings.Contains(s.logged(), "the disk is gone") {
		t.Error("the log does not say why")
	}
}

// TestExportIsLong holds that an export outlives the deadline of other requests,
// and ends with the server.
func TestExportIsLong(t *testing.T) {
	ended := make(chan error, 1)
	begun := make(chan struct{})
	s := run(t, func(s *Server) {
		s.Export = func(ctx context.Context, w http.ResponseWriter, _ url.Values) error {
			if d, ok := ctx.Deadline(); ok {
				t.Errorf("it has to be done by %v", d)
			}
			io.WriteString(w, "begin")
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Errorf("flush: %v", err)
			}
			close(begun)
			<-ctx.Done()
			ended <- ctx.Err()
			return ctx.Err()
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		r, err := http.NewRequestWithContext(ctx, "GET", s.url+"/api/v1/export", nil)
		if err != nil {
			return
		}
		if res, err := http.DefaultClient.Do(r); err == nil {
			io.Copy(io.Discard, res.Body)
			res.Body.Close()
		}
	}()
	<-begun
	cancel()
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	case <-time.After(5 * time.Second):
		t.Error("it goes on for a reader that has gone")
	}
}
