package collector

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"millwright/e2e/port"
	"millwright/plant"
)

// What the tests of this package share: a foreign server in a process of its
// own, a proxy that can fail in the ways of a network, a sink that forgets like
// a process that is killed, and the account of what was lost.

// long leaves a test to the run without the race detector, where it has servers of
// other makes to start that cost seconds each. The Makefile must name it.
func long(t *testing.T) {
	t.Helper()
	if !raceDetector {
		return
	}
	b, err := os.ReadFile("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	apart := regexp.MustCompile(`(?m)^LONG := (.*)$`).FindSubmatch(b)
	if apart == nil || !regexp.MustCompile(strings.ReplaceAll(string(apart[1]), "$$", "$")).MatchString(t.Name()) {
		t.Fatal("make test runs it neither with the race detector nor without: LONG in the Makefile does not name it")
	}
	t.Skip("runs without the race detector, as LONG of the Makefile says")
}

// modules finds the foreign servers; without them the test is skipped, which
// CI does not accept.
func modules(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("MILLWRIGHT_NODE_MODULES")
	if dir == "" {
		dir, _ = filepath.Abs("../.ci/node/node_modules")
	}
	_, err := os.Stat(filepath.Join(dir, "node-opcua"))
	if _, node := exec.LookPath("node"); err == nil {
		err = node
	}
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no foreign OPC UA server: ", err)
		}
		t.Skip("no foreign OPC UA server: ", err)
	}
	return dir
}

// foreign is a server of another make in a process.
type foreign struct {
	t    testing.TB
	args []string
	set  map[string]any
	ns   string // of its tags
	dir  string
	port int
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  chan string
}

func newNodeServer(t testing.TB, set map[string]any) *foreign {
	t.Helper()
	set["modules"] = modules(t)
	return newForeign(t, []string{"node", "testdata/nodeopcua_server.mjs"}, set)
}

// newAsyncua is an asyncua server in a process.
func newAsyncua(t testing.TB, set map[string]any) *foreign {
	t.Helper()
	return newPython(t, "testdata/asyncua_server.py", set)
}

func newPython(t testing.TB, script string, set map[string]any) *foreign {
	t.Helper()
	python := os.Getenv("MILLWRIGHT_PYTHON")
	if python == "" {
		python, _ = filepath.Abs("../.ci/venv/bin/python")
	}
	if err := exec.Command(python, "-c", "import asyncua").Run(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no asyncua: ", err)
		}
		t.Skip("no asyncua: ", err)
	}
	return newForeign(t, []string{python, script}, set)
}

func newForeign(t testing.TB, args []string, set map[string]any) *foreign {
	t.Helper()
	s := &foreign{t: t, args: args, dir: t.TempDir(), port: port.Free(t), set: set, ns: "urn:test:mill"}
	set["dir"], set["port"], set["log"] = s.dir, s.port, s.logFile()
	s.start()
	t.Cleanup(func() {
		s.kill()
		if b, err := os.ReadFile(filepath.Join(s.dir, "changing")); err == nil {
			t.Errorf("a reader asked for changes: %s", b)
		}
	})
	return s
}

func (s *foreign) logFile() string { return filepath.Join(s.dir, "offered.log") }
func (s *foreign) url() string     { return fmt.Sprintf("opc.tcp://127.0.0.1:%d", s.port) }

func (s *foreign) start() {
	s.t.Helper()
	arg, _ := json.Marshal(s.set)
	cmd := exec.Command(s.args[0], append(s.args[1:len(s.args):len(s.args)], string(arg))...)
	in, err := cmd.StdinPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	logs, err := os.OpenFile(filepath.Join(s.dir, "stderr"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer logs.Close()
	cmd.Stderr = logs
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.cmd, s.in, s.out = cmd, in, make(chan string, 100)
	go func(ch chan string) {
		defer close(ch)
		for sc := bufio.NewScanner(out); sc.Scan(); {
			ch <- sc.Text()
		}
	}(s.out)
	s.await("ready")
}

// await gives what follows the word.
func (s *foreign) await(word string) string {
	s.t.Helper()
	timeout := time.After(2 * time.Minute)
	for {
		select {
		case line, ok := <-s.out:
			if !ok {
				b, _ := os.ReadFile(filepath.Join(s.dir, "stderr"))
				s.t.Fatalf("the foreign server has ended: %s", b)
			}
			if rest, ok := strings.CutPrefix(line, word); ok {
				return rest
			}
		case <-timeout:
			s.t.Fatalf("the foreign server does not say %q", word)
		}
	}
}

func (s *foreign) say(cmd string) string {
	s.t.Helper()
	if _, err := io.WriteString(s.in, cmd+"\n"); err != nil {
		s.t.Fatal(err)
	}
	return s.await("ok " + cmd)
}

func (s *foreign) kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	err := s.cmd.Wait()
	if s.t.Failed() {
		b, _ := os.ReadFile(filepath.Join(s.dir, "stderr"))
		s.t.Logf("the foreign server said: %s (%v)", b, err)
	}
	for range s.out {
	}
	s.cmd = nil
}

// tags lists n tags of the server.
func (s *foreign) tags(n int) []plant.Tag {
	tags := make([]plant.Tag, n)
	for i := range tags {
		tags[i] = plant.Tag{ID: plant.TagID(i + 1), Path: fmt.Sprintf("T%d", i), Node: fmt.Sprintf("nsu=%s;s=T%d", s.ns, i)}
	}
	return tags
}

// start runs a source until the returned stop is called, which waits.
func start(t testing.TB, s *Source, out plant.Sink) (stop func()) {
	t.Helper()
	if s.Log == nil {
		s.Log = logger(t)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, out) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			select {
			case err := <-done:
				if err != nil {
					t.Errorf("Run: %v", err)
				}
			case <-time.After(10 * time.Second):
				t.Error("Run does not end")
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

// logger writes to the test's log.
func logger(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.String("t", time.Now().Format("05.000"))
		}
		return a
	}}))
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

// eventually waits for a condition and says how long it took.
func eventually(t testing.TB, within time.Duration, what string, ok func() bool) time.Duration {
	t.Helper()
	within = max(within, patience) // other tests want the processors, too
	begin := time.Now()
	for !ok() {
		if time.Since(begin) > within {
			t.Fatalf("not within %v: %s", within, what)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return time.Since(begin)
}

func live(s *Source) func() bool {
	return func() bool { return s.Status().State == plant.Live }
}

// grows reports true once the store has more values than when grows was called.
func grows(s *store) func() bool {
	n := s.size()
	return func() bool { return s.size() > n }
}
