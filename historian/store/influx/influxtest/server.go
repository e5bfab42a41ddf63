// Package influxtest runs a real influxd 1.8 for tests: on loopback only, its
// data in a folder of the test, ended by its process id.
package influxtest

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Options of a server. The zero value is an open one with its data in a
// temporary folder of the test.
type Options struct {
	Dir            string // of its data
	User, Password string // not empty: it wants a login, and has this administrator
}

// Server is an influxd. Its URL stays the same over restarts.
type Server struct {
	URL string

	program, dir   string
	user, password string
	cmd            *exec.Cmd
}

// Program is the influxd to test with: $MILLWRIGHT_INFLUXD, or .ci/bin/influxd
// in the module's root. Where there is none the test is skipped, and fails on
// the build server.
func Program(t testing.TB) string {
	t.Helper()
	path := os.Getenv("MILLWRIGHT_INFLUXD")
	if path == "" {
		path = filepath.Join(root(t), ".ci", "bin", "influxd")
	}
	if path, err := filepath.Abs(path); err == nil {
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			return path
		}
	}
	const hint = "influxd is not at %s: GOBIN=$PWD/.ci/bin go install github.com/influxdata/influxdb/cmd/influxd@v1.8.10"
	if os.Getenv("CI") == "true" {
		t.Fatalf(hint, path)
	}
	t.Skipf(hint, path)
	return ""
}

// root is the folder of go.mod.
func root(t testing.TB) string {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("no go.mod above the test's folder")
		}
		dir = up
	}
}

const conf = `reporting-disabled = true
bind-address = "%[2]s"
[meta]
  dir = "%[1]s/meta"
[data]
  dir = "%[1]s/data"
  wal-dir = "%[1]s/wal"
  index-version = "tsi1"
  max-series-per-database = 0
  max-values-per-tag = 0
  query-log-enabled = false
[http]
  bind-address = "%[3]s"
  flux-enabled = true
  auth-enabled = %[4]t
  log-enabled = false
  pprof-enabled = false
[logging]
  level = "warn"
[monitor]
  store-enabled = false
`

// Start starts a server and waits until it answers. The test's end stops it.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	s := &Server{program: Program(t), dir: o.Dir, user: o.User, password: o.Password}
	if s.dir == "" {
		s.dir = t.TempDir()
	}
	listen := free(t)
	s.URL = "http://" + listen
	text := fmt.Sprintf(conf, s.dir, free(t), listen, o.User != "")
	if err := os.WriteFile(s.config(), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Restart(t)
	t.Cleanup(func() { s.Kill(t) })
	if o.User != "" {
		s.user, s.password = "", "" // the first user is made by nobody
		s.Query(t, "", fmt.Sprintf(`CREATE USER "%s" WITH PASSWORD '%s' WITH ALL PRIVILEGES`, o.User, o.Password))
		s.user, s.password = o.User, o.Password
	}
	return s
}

func (s *Server) config() string { return filepath.Join(s.dir, "influxd.conf") }

// Restart starts the program again after Kill or Stop.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	log, err := os.OpenFile(filepath.Join(s.dir, "influxd.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	s.cmd = exec.Command(s.program, "-config", s.config())
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for end := time.Now().Add(3 * time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		r, err := client.Get(s.URL + "/health")
		if err != nil {
			continue
		}
		_ = r.Body.Close()
		if r.StatusCode == http.StatusOK {
			return
		}
	}
	text, _ := os.ReadFile(log.Name())
	t.Fatalf("influxd does not answer at %s:\n%s", s.URL, text)
}

// Kill ends the program as a crash would.
func (s *Server) Kill(t testing.TB) { s.end(t, syscall.SIGKILL) }

// Stop ends it in good order.
func (s *Server) Stop(t testing.TB) { s.end(t, syscall.SIGTERM) }

func (s *Server) end(t testing.TB, with syscall.Signal) {
	t.Helper()
	if s.cmd == nil {
		return
	}
	if err := s.cmd.Process.Signal(with); err != nil {
		t.Error(err)
	}
	_ = s.cmd.Wait()
	s.cmd = nil
}

// Query runs InfluxQL and returns the rows of all its series as texts.
func (s *Server) Query(t testing.TB, database, q string) [][]string {
	t.Helper()
	form := url.Values{"q": {q}, "db": {database}, "epoch": {"ms"}}
	login := url.Values{}
	if s.user != "" {
		login = url.Values{"u": {s.user}, "p": {s.password}}
	}
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := client.PostForm(s.URL+"/query?"+login.Encode(), form)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Error   string
		Results []struct {
			Error  string
			Series []struct{ Values [][]any }
		}
	}
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.UseNumber()
	if err := d.Decode(&answer); err != nil {
		t.Fatalf("%s: %v: %s", q, err, body)
	}
	var out [][]string
	for _, x := range answer.Results {
		answer.Error += x.Error
		for _, series := range x.Series {
			for _, row := range series.Values {
				texts := make([]string, len(row))
				for i, v := range row {
					texts[i] = fmt.Sprint(v)
				}
				out = append(out, texts)
			}
		}
	}
	if answer.Error != "" {
		t.Fatalf("%s: %s", q, answer.Error)
	}
	return out
}

// free is an address of 127.0.0.1 that nobody listens on. The ports are below
// those that Linux hands out by itself, so that nobody takes one in between.
func free(t testing.TB) string {
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", 20_000+rand.IntN(12_000))
		if l, err := net.Listen("tcp", address); err == nil {
			_ = l.Close()
			return address
		}
	}
	t.Fatal("no free port")
	return ""
}
