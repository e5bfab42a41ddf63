package e2e

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"millwright/simulator/server"
)

// binary is the program under test, built once.
var binary string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	if os.Getenv(offerEnv) != "" {
		if err := offerProcess(os.Args[1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return 0
	}
	// Tests that are parallel here wait most of their time: one takes a sixth of a core, and
	// much more as it starts.
	flag.Parse()
	if err := flag.Set("test.parallel", "4"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if binary = os.Getenv("MILLWRIGHT_BINARY"); binary == "" {
		dir, err := os.MkdirTemp("", "millwright-e2e")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "millwright")
		build := exec.Command("go", "build", "-trimpath", "-o", binary, "millwright") // as package.sh does: one build serves both
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
			return 1
		}
	}
	return m.Run()
}

// process is one running program whose output is kept for failing tests.
type process struct {
	t    *testing.T
	name string
	cmd  *exec.Cmd
	in   io.Writer
	mu   sync.Mutex
	out  bytes.Buffer
	gone chan struct{}
}

// start runs a program until the test ends.
func start(t *testing.T, name, path string, args ...string) *process {
	t.Helper()
	return run(t, name, exec.Command(path, args...))
}

// run is start for a command that is not only a path and arguments.
func run(t *testing.T, name string, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{t: t, name: name, cmd: cmd, gone: make(chan struct{})}
	pipe, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stderr = p.cmd.Stdout
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	// A child must not outlive a test binary that is killed.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	go func() {
		defer close(p.gone)
		lines := bufio.NewReader(pipe)
		for {
			line, err := lines.ReadString('\n')
			p.mu.Lock()
			p.out.WriteString(line)
			p.mu.Unlock()
			if err != nil {
				break
			}
		}
		_ = p.cmd.Wait()
	}()
	t.Cleanup(func() {
		p.kill()
		if strings.Contains(p.text(), server.Changed) {
			t.Errorf("%s: %s", name, server.Changed)
		}
		if t.Failed() {
			t.Logf("--- output of %s ---\n%s", name, tail(p.text(), 60))
		}
	})
	return p
}

func (p *process) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// say gives a program that takes commands a line.
func (p *process) say(line string) {
	p.t.Helper()
	if _, err := io.WriteString(p.in, line+"\n"); err != nil {
		p.t.Fatal(err)
	}
}

// kill is SIGKILL, as a power cut would be for the process.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.gone
}

// freeze stops every thread where it is; one that is in the kernel does not come back
// from there.
func (p *process) freeze() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		p.t.Fatal(err)
	}
	eventually(p.t, 10*time.Second, p.name+" stands still", func() bool {
		states, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", p.cmd.Process.Pid))
		for _, name := range states {
			b, _ := os.ReadFile(name)
			_, rest, _ := bytes.Cut(b, []byte(") "))
			if len(rest) > 0 && rest[0] != 'T' && rest[0] != 'D' {
				return false
			}
		}
		return err == nil && len(states) > 0
	})
}

// thaw lets them go on.
func (p *process) thaw() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		p.t.Fatal(err)
	}
}

// stop is Ctrl-C and returns how long it took.
func (p *process) stop() time.Duration {
	p.t.Helper()
	begin := time.Now()
	_ = p.cmd.Process.Signal(os.Interrupt)
	select {
	case <-p.gone:
	case <-time.After(15 * time.Second):
		p.t.Errorf("%s did not stop", p.name)
		p.kill()
	}
	return time.Since(begin)
}

// find waits until the output matches and returns the first group.
func (p *process) find(pattern string, within time.Duration) string {
	p.t.Helper()
	re := regexp.MustCompile(pattern)
	var got string
	eventually(p.t, within, fmt.Sprintf("%s prints %q", p.name, pattern), func() bool {
		m := re.FindStringSubmatch(p.text())
		if m == nil {
			return false
		}
		got = m[len(m)-1]
		return true
	})
	return got
}

// eventually polls until ok, or fails the test.
func eventually(t *testing.T, within time.Duration, what string, ok func() bool) {
	t.Helper()
	within = max(within, time.Minute) // other works want the processors, too
	deadline := time.Now().Add(within)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", within, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func tail(s string, lines int) string {
	all := strings.Split(strings.TrimRight(s, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// proxy is a TCP relay that can cut its connections or fall silent, which is
// what a half-open link looks like, and be as bad as a link can be.
type proxy struct {
	listener net.Listener
	target   string
	mu       sync.Mutex
	silent   bool
	down     bool // connections are closed as they come
	rough    rough
	carried  int64 // bytes towards the target
	conns    map[net.Conn]bool
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	return newProxyAt(t, "127.0.0.1:0", target)
}

func newProxyAt(t *testing.T, listen, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", listen)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, target: target, conns: map[net.Conn]bool{}}
	go p.accept()
	t.Cleanup(func() { _ = l.Close(); p.cut() })
	return p
}

func (p *proxy) addr() string { return p.listener.Addr().String() }

func (p *proxy) accept() {
	for {
		in, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		down := p.down
		p.mu.Unlock()
		if down {
			_ = in.Close()
			continue
		}
		var d net.Dialer
		out, err := d.DialContext(context.Background(), "tcp", p.target)
		if err != nil {
			_ = in.Close()
			continue
		}
		p.mu.Lock()
		p.conns[in], p.conns[out] = true, true
		p.mu.Unlock()
		go p.relay(p.through(out), in, true)
		go p.relay(p.through(in), out, false)
	}
}

func (p *proxy) relay(dst io.WriteCloser, src net.Conn, onward bool) {
	defer dst.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := src.Read(buf)
		if err != nil {
			return
		}
		p.mu.Lock()
		silent := p.silent
		if onward {
			p.carried += int64(n)
		}
		p.mu.Unlock()
		if silent {
			continue // swallowed: the bytes never arrive, the connection stays
		}
		if _, err := dst.Write(buf[:n]); err != nil {
			return
		}
	}
}

func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
		delete(p.conns, c)
	}
}

// bytes is how many went towards the target so far.
func (p *proxy) bytes() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.carried
}

// close takes the link away, or gives it back.
func (p *proxy) close(on bool) {
	p.mu.Lock()
	p.down = on
	p.mu.Unlock()
	p.cut()
}

// hush makes the proxy swallow everything, or carry again. Connections that
// swallowed bytes are of no more use and are cut when it carries again.
func (p *proxy) hush(on bool) {
	p.mu.Lock()
	p.silent = on
	p.mu.Unlock()
	if !on {
		p.cut()
	}
}
