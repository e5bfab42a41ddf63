package collector

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"millwright/plant"
	"millwright/simulator/server"
)

// What runs in a process of its own, made of this test binary: our own server,
// with the settings and commands of the foreign ones, and a collector that is
// measured.

const processEnv = "MILLWRIGHT_COLLECTOR_PROCESS"

// newMillServer is our own server in a process.
func newMillServer(t testing.TB, set map[string]any) *foreign {
	t.Helper()
	return newOwn(t, "mill", set)
}

// newReader is a collector in a process, which counts what it gets from one of
// our own servers.
func newReader(t testing.TB, set readerSet) *foreign {
	t.Helper()
	return newOwn(t, "reader", map[string]any{"reader": set})
}

func newOwn(t testing.TB, what string, set map[string]any) *foreign {
	t.Helper()
	s := newForeign(t, []string{"env", processEnv + "=" + what, os.Args[0]}, set)
	s.ns = server.Namespace
	return s
}

func process(what string) {
	var err error
	switch what {
	case "mill":
		err = millProcess(os.Args[1])
	case "reader":
		err = readerProcess(os.Args[1])
	case "discover":
		err = discoverProcess(os.Args[1])
	default:
		err = errors.New("unknown process " + what)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// obey runs the commands that come in as lines and confirms them.
func obey(do func(word, arg string) string) {
	for sc := bufio.NewScanner(os.Stdin); sc.Scan(); {
		word, arg, _ := strings.Cut(sc.Text(), " ")
		fmt.Printf("ok %s %s\n", sc.Text(), do(word, arg))
	}
}

type millSet struct {
	Dir                      string
	Port, Nodes              int
	Log                      string
	Quiet                    bool // only count what is offered
	Every, Parts             int  // ms in which all are written, in so many steps
	Tick, Shift, Step        int
	PerCall, PerHistory      int
	Absent                   []int
	History                  []int // variables that have one
	Secure, Run, WholeValues bool
	Orchard                  bool
	Users                    map[string]string
	Trust                    []string
}

// millProcess serves until stdin ends.
func millProcess(arg string) error {
	set := millSet{Every: 100, Parts: 1}
	if err := json.Unmarshal([]byte(arg), &set); err != nil {
		return err
	}
	s := &server.Server{Listen: fmt.Sprintf("127.0.0.1:%d", set.Port), Users: set.Users,
		Limits: server.Limits{MaxMonitoredItemsPerCall: set.PerCall, MaxNodesPerHistoryRead: set.PerHistory}, Log: slog.New(slog.NewTextHandler(notes(set.Dir), nil))}
	for i := range set.Shift {
		s.Namespaces = append(s.Namespaces, fmt.Sprintf("urn:test:shift%d", i))
	}
	for i := range set.Nodes {
		v := server.Variable{Path: fmt.Sprintf("T%d", i)}
		if set.Orchard { // machines of ten tags with units
			v = server.Variable{Path: fmt.Sprintf("A/L%d/M%d/T%d", i/10%20, i/10, i), Unit: "mm/s", Low: 0, High: 20, Description: "a test tag"}
		}
		if slices.Contains(set.History, i) {
			v.History = 10_000
		}
		s.Variables = append(s.Variables, v)
	}
	if set.Secure {
		s.Modes, s.PKI, s.RequireTrusted = []server.Mode{server.SignAndEncrypt}, filepath.Join(set.Dir, "pki"), true
	}
	trust := func(file string) error {
		b, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		name := filepath.Join(s.PKI, "trusted", filepath.Base(filepath.Dir(file))+"_"+filepath.Base(file))
		return errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, b, 0o600))
	}
	for _, f := range set.Trust {
		if err := trust(f); err != nil {
			return err
		}
	}
	var log *os.File
	if !set.Quiet {
		var err error
		if log, err = os.OpenFile(set.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
			return err
		}
	}
	var offered atomic.Uint64
	var lines []byte
	s.Offered = func(vals []server.Value) {
		offered.Add(uint64(len(vals)))
		if log != nil {
			lines = lines[:0]
			for _, v := range vals {
				lines = fmt.Appendf(lines, "[%d,%d,%s,%d]\n", v.Var, v.Time/oneMilli, strconv.FormatFloat(v.Number, 'g', -1, 64), v.Quality)
			}
			if _, err := log.Write(lines); err != nil {
				panic(err)
			}
		}
	}
	if err := s.Start(context.Background()); err != nil {
		return err
	}
	defer s.Close()
	for _, i := range set.Absent {
		s.Remove(i)
	}
	if set.Secure {
		b, err := os.ReadFile(filepath.Join(s.PKI, "own", "cert.der"))
		if err == nil {
			err = os.WriteFile(filepath.Join(set.Dir, "server.der"), b, 0o600)
		}
		if err != nil {
			return err
		}
	}
	w := &writer{set: &set, srv: s}
	w.shift(set.Step)
	w.run(set.Run)
	defer w.run(false)
	fmt.Println("ready")
	obey(func(word, arg string) string {
		n, _ := strconv.Atoi(arg)
		switch word {
		case "run", "halt":
			w.run(word == "run")
		case "del":
			s.Remove(n)
		case "add":
			s.Restore(n)
		case "step":
			w.shift(n)
		case "block":
			s.Block(time.Duration(n) * time.Millisecond)
		case "starve":
			s.Starve(true)
			if n > 0 {
				time.AfterFunc(time.Duration(n)*time.Millisecond, func() { s.Starve(false) })
			}
		case "drop":
			s.Drop()
		case "expel":
			s.Expel()
		case "forget":
			s.Forget()
		case "trust":
			if err := trust(arg); err != nil {
				return err.Error()
			}
		case "monitored":
			return strconv.Itoa(s.Monitored())
		case "count":
			return strconv.FormatUint(offered.Load(), 10)
		}
		return ""
	})
	return nil
}

// notes is the folder of a server, where it notes what a client could change it
// by, as the foreign servers do.
type notes string

func (dir notes) Write(b []byte) (int, error) {
	if !strings.Contains(string(b), server.Changed) {
		return len(b), nil
	}
	return len(b), os.WriteFile(filepath.Join(string(dir), "changing"), b, 0o600)
}

// writer writes all variables in turn: in `parts` steps within `every`. The
// source time of a value is when it was due, so that the rate is kept by
// whatever a busy machine makes of the steps.
type writer struct {
	set  *millSet
	srv  *server.Server
	off  atomic.Int64 // ms that the clock of the values is off
	stop chan struct{}
	wg   sync.WaitGroup
	n    int
}

func (w *writer) shift(ms int) {
	w.off.Add(int64(ms))
	w.srv.Step(time.Duration(ms) * time.Millisecond)
}

func (w *writer) run(on bool) {
	if on == (w.stop != nil) {
		return
	}
	if !on {
		close(w.stop)
		w.wg.Wait()
		w.stop = nil
		return
	}
	w.stop = make(chan struct{})
	step := time.Duration(w.set.Every) * time.Millisecond / time.Duration(w.set.Parts)
	w.wg.Go(func() {
		vals := make([]server.Value, 0, w.set.Nodes/w.set.Parts+1)
		for due := time.Now(); ; due = due.Add(step) {
			if time.Since(due) > 2*time.Second {
				due = time.Now() // after a pause of the process
			}
			select {
			case <-w.stop:
				return
			case <-time.After(time.Until(due)):
			}
			vals = vals[:0]
			at, tick := due.UnixNano()+w.off.Load()*oneMilli, w.set.Tick+w.n/w.set.Parts
			for i := w.n % w.set.Parts; i < w.set.Nodes; i += w.set.Parts {
				v := float64(tick)
				if !w.set.WholeValues {
					v += float64(i) / 1000
				}
				vals = append(vals, server.Value{Var: i, Time: at, Number: v})
			}
			w.srv.Write(vals)
			w.n++
		}
	})
}

type readerSet struct {
	URL        string
	Namespace  string
	Tags       int
	Publishing time.Duration
	Security   Security
	Kept       bool // in a state file
}

// readerStats is what a reader says about itself.
type readerStats struct {
	State      plant.PLCState
	Tags       int
	Received   uint64 // different values
	Again      uint64
	Declared   uint64 // missing values in gaps that the batch declared
	Undeclared uint64 // missing values that nobody declared
	Gaps       uint64
	Bytes      uint64 // allocated so far
	Objects    uint64
	Goroutines int
	Files      int
	HeapMB     float64
}

// readerProcess collects until stdin ends. The values of each tag must count up
// by one.
func readerProcess(arg string) error {
	var all struct {
		Reader readerSet
		Dir    string
	}
	if err := json.Unmarshal([]byte(arg), &all); err != nil {
		return err
	}
	set := all.Reader
	s := &Source{Name: "PLC", URL: set.URL, Tags: (&foreign{ns: set.Namespace}).tags(set.Tags), Publishing: set.Publishing, Security: set.Security,
		Log: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	if set.Kept {
		s.StateFile = filepath.Join(all.Dir, "plc")
	}
	var mu sync.Mutex
	var st readerStats
	last := make([]float64, set.Tags+1)
	for i := range last {
		last[i] = -1
	}
	gapOf := map[plant.TagID]bool{}
	n := uint64(0)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- s.Run(ctx, plant.SinkFunc(func(_ context.Context, b plant.Batch) error {
			mu.Lock()
			defer mu.Unlock()
			clear(gapOf)
			for i := range b.Gaps {
				gapOf[b.Gaps[i].Tag] = true
			}
			st.Gaps += uint64(len(b.Gaps))
			for i := range b.Samples {
				x := &b.Samples[i]
				was := last[x.Tag]
				if x.Value <= was {
					st.Again++
					continue
				}
				st.Received++
				last[x.Tag] = x.Value
				missing := uint64(x.Value - was - 1)
				switch {
				case was < 0 || missing == 0:
				case gapOf[x.Tag]:
					st.Declared += missing
				default:
					st.Undeclared += missing
				}
			}
			n++
			s.Committed(n)
			return nil
		}))
	}()
	fmt.Println("ready")
	obey(func(word, _ string) string {
		if word != "stats" {
			return ""
		}
		mu.Lock()
		defer mu.Unlock()
		now := st
		status := s.Status()
		now.State, now.Tags = status.State, status.Tags
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		now.Bytes, now.Objects, now.HeapMB = m.TotalAlloc, m.Mallocs, float64(m.HeapAlloc)/1e6
		now.Goroutines = runtime.NumGoroutine()
		if fds, err := os.ReadDir("/proc/self/fd"); err == nil {
			now.Files = len(fds)
		}
		b, err := json.Marshal(now)
		if err != nil {
			return err.Error()
		}
		return string(b)
	})
	cancel()
	return <-done
}

// stats asks a reader.
func (s *foreign) stats() readerStats {
	s.t.Helper()
	var st readerStats
	if said := s.say("stats"); json.Unmarshal([]byte(said), &st) != nil {
		s.t.Fatalf("the reader said %q", said)
	}
	return st
}

// number asks one of our own servers.
func (s *foreign) number(cmd string) uint64 {
	s.t.Helper()
	n, err := strconv.ParseUint(strings.TrimSpace(s.say(cmd)), 10, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}
