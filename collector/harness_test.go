package collector

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"millwright/plant"
)

// What the tests of this package share: a foreign server in a process of its
// own, a proxy that can fail in the ways of a network, a sink that forgets like
// a process that is killed, and the account of what was lost.

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

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// nodeServer is a node-opcua server in a process.
type nodeServer struct {
	t    testing.TB
	set  map[string]any
	dir  string
	port int
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  chan string
}

func newNodeServer(t testing.TB, set map[string]any) *nodeServer {
	t.Helper()
	s := &nodeServer{t: t, dir: t.TempDir(), port: freePort(t), set: map[string]any{}}
	for k, v := range set {
		s.set[k] = v
	}
	s.set["modules"], s.set["dir"], s.set["port"], s.set["log"] = modules(t), s.dir, s.port, s.logFile()
	s.start()
	t.Cleanup(s.kill)
	return s
}

func (s *nodeServer) logFile() string { return filepath.Join(s.dir, "offered.log") }
func (s *nodeServer) url() string     { return fmt.Sprintf("opc.tcp://127.0.0.1:%d", s.port) }

func (s *nodeServer) start() {
	s.t.Helper()
	arg, _ := json.Marshal(s.set)
	cmd := exec.Command("node", "testdata/server.mjs", string(arg))
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

func (s *nodeServer) await(word string) {
	s.t.Helper()
	timeout := time.After(60 * time.Second)
	for {
		select {
		case line, ok := <-s.out:
			if !ok {
				b, _ := os.ReadFile(filepath.Join(s.dir, "stderr"))
				s.t.Fatalf("the foreign server has ended: %s", b)
			}
			if strings.HasPrefix(line, word) {
				return
			}
		case <-timeout:
			s.t.Fatalf("the foreign server does not say %q", word)
		}
	}
}

func (s *nodeServer) say(cmd string) {
	s.t.Helper()
	if _, err := io.WriteString(s.in, cmd+"\n"); err != nil {
		s.t.Fatal(err)
	}
	s.await("ok " + cmd)
}

func (s *nodeServer) kill() {
	if s.cmd == nil {
		return
	}
	if s.t.Failed() {
		b, _ := os.ReadFile(filepath.Join(s.dir, "stderr"))
		s.t.Logf("the foreign server said: %s", b)
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	for range s.out {
	}
	s.cmd = nil
}

// tags lists n tags of the server.
func (s *nodeServer) tags(n int) []plant.Tag {
	tags := make([]plant.Tag, n)
	for i := range tags {
		tags[i] = plant.Tag{ID: plant.TagID(i + 1), Path: fmt.Sprintf("T%d", i), Node: fmt.Sprintf("nsu=urn:test:mill;s=T%d", i)}
	}
	return tags
}

// proxy forwards TCP connections and can fail.
type proxy struct {
	t      testing.TB
	l      net.Listener
	target string
	mu     sync.Mutex
	cond   *sync.Cond
	silent bool
	closed bool
	delay  time.Duration
	conns  map[net.Conn]bool
	wg     sync.WaitGroup
}

func newProxy(t testing.TB, port int) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, l: l, target: fmt.Sprintf("127.0.0.1:%d", port), conns: map[net.Conn]bool{}}
	p.cond = sync.NewCond(&p.mu)
	p.wg.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

func (p *proxy) url() string { return "opc.tcp://" + p.l.Addr().String() }

func (p *proxy) accept() {
	for {
		c, err := p.l.Accept()
		if err != nil {
			return
		}
		p.wg.Go(func() {
			p.mu.Lock()
			for p.silent && !p.closed {
				p.cond.Wait() // accepted by the kernel, then nothing
			}
			p.mu.Unlock()
			d, err := net.Dial("tcp", p.target)
			if err != nil {
				c.Close()
				return
			}
			p.mu.Lock()
			p.conns[c], p.conns[d] = true, true
			if p.closed {
				c.Close()
				d.Close()
			}
			p.mu.Unlock()
			p.wg.Go(func() { p.pipe(c, d) })
			p.pipe(d, c)
		})
	}
}

// chunk is what was read at a time.
type chunk struct {
	b  []byte
	at time.Time
}

func (p *proxy) pipe(from, to net.Conn) {
	ch := make(chan chunk, 1000)
	p.wg.Go(func() {
		for k := range ch {
			p.mu.Lock()
			for p.silent && !p.closed {
				p.cond.Wait()
			}
			delay := p.delay
			p.mu.Unlock()
			time.Sleep(time.Until(k.at.Add(delay)))
			if _, err := to.Write(k.b); err != nil {
				break
			}
		}
		from.Close()
		to.Close()
		for range ch {
		}
	})
	for {
		b := make([]byte, 64<<10)
		n, err := from.Read(b)
		if n > 0 {
			ch <- chunk{b[:n], time.Now()}
		}
		if err != nil {
			break
		}
	}
	close(ch)
	p.mu.Lock()
	delete(p.conns, from)
	delete(p.conns, to)
	p.mu.Unlock()
}

// cut ends all connections at once.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		if tc, ok := c.(*net.TCPConn); ok {
			_ = tc.SetLinger(0)
		}
		c.Close()
	}
}

// hush makes the proxy go silent, or lets what it has kept go on.
func (p *proxy) hush(on bool) {
	p.mu.Lock()
	p.silent = on
	p.mu.Unlock()
	p.cond.Broadcast()
}

func (p *proxy) slow(d time.Duration) {
	p.mu.Lock()
	p.delay = d
	p.mu.Unlock()
}

func (p *proxy) close() {
	p.l.Close()
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.cond.Broadcast()
	p.cut()
	p.wg.Wait()
}

type key struct {
	tag plant.TagID
	ms  int64
}

type fact struct {
	value   float64
	text    string
	quality plant.Quality
}

// store is a sink that remembers everything.
type store struct {
	mu     sync.Mutex
	facts  map[key]fact
	gaps   []plant.Gap
	writes uint64
	fail   error // while set, Write refuses
	source *Source
	lag    time.Duration // until Committed; 0 at once
	count  atomicCount
}

type atomicCount struct{ n, again int }

func newStore(s *Source) *store { return &store{facts: map[key]fact{}, source: s} }

func (s *store) Write(_ context.Context, b plant.Batch) error {
	s.mu.Lock()
	if s.fail != nil {
		defer s.mu.Unlock()
		return s.fail
	}
	s.add(b)
	s.writes++
	n := s.writes
	s.mu.Unlock()
	if s.lag == 0 {
		s.source.Committed(n)
		return nil
	}
	time.AfterFunc(s.lag, func() { s.source.Committed(n) })
	return nil
}

func (s *store) add(b plant.Batch) {
	for _, x := range b.Samples {
		s.count.n++
		k := key{x.Tag, x.Time / oneMilli}
		if _, ok := s.facts[k]; ok {
			s.count.again++
		}
		s.facts[k] = fact{value: x.Value, quality: x.Quality}
	}
	for _, x := range b.States {
		s.count.n++
		s.facts[key{x.Tag, x.Time / oneMilli}] = fact{text: x.Value, quality: x.Quality}
	}
	s.gaps = append(s.gaps, b.Gaps...)
}

func (s *store) refuse(err error) {
	s.mu.Lock()
	s.fail = err
	s.mu.Unlock()
}

func (s *store) size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.facts)
}

// account counts loss as the product defines it.
type account struct {
	offered, stored, declared, undeclared, surplus, differing int
}

func (a account) String() string {
	return fmt.Sprintf("offered %d, stored %d, declared and not stored %d, UNDECLARED %d, surplus %d, differing %d",
		a.offered, a.stored, a.declared, a.undeclared, a.surplus, a.differing)
}

// offeredBy reads a server's log.
func offeredBy(t testing.TB, name string) map[key]fact {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all := map[key]fact{}
	for sc := bufio.NewScanner(f); sc.Scan(); {
		var row [4]any
		if err := json.Unmarshal(sc.Bytes(), &row); err != nil {
			continue // the last line of a killed server
		}
		k := key{plant.TagID(row[0].(float64)) + 1, int64(row[1].(float64))}
		x := fact{quality: plant.Quality(row[3].(float64))}
		switch v := row[2].(type) {
		case float64:
			x.value = v
		case string:
			x.text = v
		}
		all[k] = x
	}
	return all
}

// reckon compares what was offered since a tag was first stored with what is
// stored and declared.
func (s *store) reckon(t testing.TB, offered map[key]fact) account {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	first := map[plant.TagID]int64{}
	for k := range s.facts {
		if v, ok := first[k.tag]; !ok || k.ms < v {
			first[k.tag] = k.ms
		}
	}
	gaps := map[plant.TagID][]plant.Gap{}
	for _, g := range s.gaps {
		if g.From >= g.To || g.From%oneMilli != 0 || g.To%oneMilli != 0 || g.Reason == "" {
			t.Errorf("malformed gap %+v", g)
		}
		gaps[g.Tag] = append(gaps[g.Tag], g)
	}
	var a account
	for k, want := range offered {
		since, ok := first[k.tag]
		if !ok || k.ms < since {
			continue
		}
		a.offered++
		got, ok := s.facts[k]
		switch {
		case ok:
			a.stored++
			if got != want && !(math.IsNaN(got.value) && math.IsNaN(want.value)) {
				a.differing++
			}
		case within(gaps[k.tag], k.ms*oneMilli):
			a.declared++
		default:
			if a.undeclared++; a.undeclared < 5 {
				t.Errorf("undeclared: tag %d at %s", k.tag, time.UnixMilli(k.ms).UTC().Format("05.000"))
			}
		}
	}
	for k := range s.facts {
		if _, ok := offered[k]; !ok {
			a.surplus++
		}
	}
	return a
}

func within(gaps []plant.Gap, at int64) bool {
	for _, g := range gaps {
		if g.From <= at && at < g.To {
			return true
		}
	}
	return false
}

// gapReasons counts the gaps by reason.
func (s *store) gapReasons() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := map[string]int{}
	for _, g := range s.gaps {
		n[g.Reason]++
	}
	return n
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
