package export_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"millwright/historian/export"
)

// served answers requests and keeps what Serve returned.
func served(t *testing.T, s *export.Service) (get func(values url.Values) (*http.Response, string), err func() error) {
	var mu sync.Mutex
	var last error
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e := s.Serve(r.Context(), w, r.URL.Query())
		mu.Lock()
		defer mu.Unlock()
		if last = e; e != nil {
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	t.Cleanup(srv.Close)
	get = func(values url.Values) (*http.Response, string) {
		t.Helper()
		res, err := http.Get(srv.URL + "/?" + values.Encode())
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res, string(b)
	}
	return get, func() error {
		mu.Lock()
		defer mu.Unlock()
		return last
	}
}

func TestServe(t *testing.T) {
	w := mill(t)
	s := &export.Service{Source: w.source(), Version: "test", Dir: t.TempDir()}
	get, last := served(t, s)
	for format, kind := range map[export.Format]string{export.Parquet: "application/vnd.apache.parquet", export.Arrow: "application/vnd.apache.arrow.file",
		export.CSV: "text/csv; charset=utf-8; header=present"} {
		q := span()
		q.Format, q.Asset = format, "HSM/FM"
		want, m := w.export(q)
		res, got := get(q.Values())
		if res.StatusCode != http.StatusOK || got != want || last() != nil {
			t.Fatalf("%s: %s, %d bytes, want %d, %v", format, res.Status, len(got), len(want), last())
		}
		sum, err := hex.DecodeString(m.File.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		for name, v := range map[string]string{
			"Content-Type": kind, "Content-Length": strconv.Itoa(len(want)), "Millwright-Rows": strconv.FormatInt(m.Rows, 10),
			"Repr-Digest":         "sha-256=:" + base64.StdEncoding.EncodeToString(sum) + ":",
			"Content-Disposition": `attachment; filename="HSM.FM-20260301T060000Z-20260301T060021Z.` + string(format) + `"`,
		} {
			if h := res.Header.Get(name); h != v {
				t.Errorf("%s: %s: %q, want %q", format, name, h, v)
			}
		}
		values := q.Values()
		values.Set("manifest", "true")
		res, got = get(values)
		var about export.Manifest
		if err := json.Unmarshal([]byte(got), &about); err != nil || res.Header.Get("Content-Type") != "application/json" {
			t.Fatal(got, err)
		}
		if *about.File != *m.File || about.Rows != m.Rows {
			t.Errorf("%s: manifest %+v, want %+v", format, about.File, m.File)
		}
	}
	// A manifest alone is of a file that would be sent now.
	q := span()
	q.To = at(4)
	values := q.Values()
	values.Set("manifest", "true")
	_, got := get(values)
	_, m := w.export(q)
	if !strings.Contains(got, m.File.SHA256) {
		t.Errorf("manifest %s, want %+v", got, m.File)
	}
	if left, err := os.ReadDir(s.Dir); err != nil || len(left) != 0 {
		t.Error("left behind:", left, err)
	}

	// What the caller has done wrong.
	var e *export.QueryError
	get(url.Values{"tags": {"A"}, "format": {"xls"}, "colour": {"red"}, "manifest": {"perhaps"}})
	if !errors.As(last(), &e) || len(e.List) != 3 {
		t.Error(last())
	}
	get(url.Values{"tags": {"A"}})
	if !errors.As(last(), &e) || e.List[0].Parameter != "tags" {
		t.Error(last())
	}
	s.Rows = 3
	get(q.Values())
	if err := last(); !errors.Is(err, export.ErrTooLarge) || !strings.Contains(err.Error(), "more than 3 rows; ask for a shorter span") {
		t.Error(err)
	}
	// The rows of a grid are counted before they are made.
	s.Rows = 0
	begun := time.Now()
	get(url.Values{"tags": q.Tags, "from": {"2026-03-01"}, "to": {"2026-03-20"}, "shape": {"wide"}, "grid": {"1ms"}})
	if err := last(); !errors.Is(err, export.ErrTooLarge) || time.Since(begun) > 10*time.Second {
		t.Error(err, time.Since(begun))
	}
	s.Bytes = 2 << 20
	w.append(noise(w, 50_000))
	get(url.Values{"tags": {"NOISE"}, "from": {"2026-03-01"}, "to": {"2026-03-09"}, "format": {"csv"}})
	if err := last(); !errors.Is(err, export.ErrTooLarge) || !strings.Contains(err.Error(), "larger than 2 MiB") {
		t.Error(err)
	}
	if left, err := os.ReadDir(s.Dir); err != nil || len(left) != 0 {
		t.Error("left behind:", left, err)
	}
}

// At most so many exports run at once, and who goes away gives his place up.
func TestServeBusy(t *testing.T) {
	w := mill(t)
	w.append(noise(w, 50_000))
	s := &export.Service{Source: w.source(), Version: "test", Dir: t.TempDir()}
	q := export.Query{Tags: []string{"NOISE"}, From: at(0), To: at(1e6)}
	ctx, cancel := context.WithCancel(t.Context())
	slow := &stuck{here: make(chan struct{}, 2), ctx: ctx}
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			if err := s.Serve(ctx, slow, q.Values()); err == nil {
				t.Error("it was sent to nobody")
			}
		})
	}
	<-slow.here
	<-slow.here
	if err := s.Serve(t.Context(), httptest.NewRecorder(), q.Values()); !errors.Is(err, export.ErrBusy) {
		t.Error("the third:", err)
	}
	cancel()
	wg.Wait()
	rec := httptest.NewRecorder()
	if err := s.Serve(t.Context(), rec, q.Values()); err != nil || rec.Header().Get("Millwright-Rows") != "50000" {
		t.Error("after them:", err, rec.Header())
	}
	if left, err := os.ReadDir(s.Dir); err != nil || len(left) != 0 {
		t.Error("left behind:", left, err)
	}
}

// stuck is a reader that takes nothing until it goes away.
type stuck struct {
	here chan struct{}
	ctx  context.Context
}

func (*stuck) Header() http.Header { return http.Header{} }
func (*stuck) WriteHeader(int)     {}
func (s *stuck) Write([]byte) (int, error) {
	s.here <- struct{}{}
	select {
	case <-s.ctx.Done():
		return 0, s.ctx.Err()
	case <-time.After(20 * time.Second):
		return 0, errors.New("nobody went away")
	}
}
