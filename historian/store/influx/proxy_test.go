package influx_test

import (
	"bytes"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
	"time"
)

// proxy stands between the store and a real server and makes trouble.
type proxy struct {
	*httptest.Server
	trouble atomic.Pointer[trouble]
	met     atomic.Int64 // requests that met it
}

// trouble answers in place of the server, or not.
type trouble func(w http.ResponseWriter, r *http.Request, forward http.Handler)

func newProxy(t testing.TB, target string) *proxy {
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	forward := httputil.NewSingleHostReverseProxy(u)
	forward.Transport = &http.Transport{DisableKeepAlives: true}
	forward.FlushInterval = -1
	forward.ErrorLog = log.New(io.Discard, "", 0)
	forward.ErrorHandler = func(w http.ResponseWriter, r *http.Request, err error) { panic(http.ErrAbortHandler) } // as if nobody listened
	p := &proxy{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// All of the request first: only then the other side's end is seen.
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		if f := p.trouble.Load(); f != nil {
			p.met.Add(1)
			(*f)(w, r, forward)
			return
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *proxy) make(f trouble) {
	p.met.Store(0)
	p.trouble.Store(&f)
}

func (p *proxy) heal() { p.trouble.Store(nil) }

// refuse answers as influxd does.
func refuse(status int, message string) trouble {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Influxdb-Error", message)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(`{"error":` + `"` + message + `"}`))
	}
}

// slow does what it is asked, and says so too late.
func slow(d time.Duration) trouble {
	return func(w http.ResponseWriter, r *http.Request, forward http.Handler) {
		late := httptest.NewRecorder()
		forward.ServeHTTP(late, r)
		select {
		case <-time.After(d):
		case <-r.Context().Done():
		}
		panic(http.ErrAbortHandler)
	}
}

// cut does what it is asked and drops the connection instead of an answer.
func cut(w http.ResponseWriter, r *http.Request, forward http.Handler) {
	forward.ServeHTTP(httptest.NewRecorder(), r)
	panic(http.ErrAbortHandler)
}

// hang says nothing until the other side gives up.
func hang(w http.ResponseWriter, r *http.Request, _ http.Handler) {
	<-r.Context().Done()
}

// away accepts nothing.
func away(w http.ResponseWriter, r *http.Request, _ http.Handler) { panic(http.ErrAbortHandler) }
