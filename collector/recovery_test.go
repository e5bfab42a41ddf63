package collector

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"millwright/plant"
)

// settled halts the server and waits until all that it offered has arrived.
func settled(t *testing.T, srv *foreign, s *Source, out *store) {
	t.Helper()
	srv.say("halt")
	eventually(t, 30*time.Second, "live in the end", live(s))
	last := -1
	eventually(t, 10*time.Second, "quiet in the end", func() bool {
		n := out.size()
		time.Sleep(700 * time.Millisecond)
		quiet := n == last
		last = n
		return quiet
	})
}

// arrived waits until nothing of what was offered is missing. What is missing after a
// minute is for check to tell.
func arrived(stored func() *store, offered func() map[key]fact) {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(300 * time.Millisecond) {
		if _, lost := stored().account(offered()); len(lost) == 0 {
			return
		}
	}
}

func (a account) check(t *testing.T) {
	t.Helper()
	t.Log(a)
	if a.undeclared != 0 || a.surplus != 0 || a.differing != 0 || a.offered == 0 || a.stored == 0 {
		t.Errorf("loss: %v", a)
	}
}

func TestReadsEverything(t *testing.T) {
	t.Parallel()
	srv := newNodeServer(t, map[string]any{"nodes": 50, "run": true, "text": []int{3, 4}, "still": []int{10, 11}})
	s := &Source{Name: "PLC", URL: srv.url(), Tags: srv.tags(50)}
	s.Tags[3].Kind, s.Tags[4].Kind = plant.Text, plant.Text
	out := newStore(s)
	stop := start(t, s, out)
	eventually(t, 30*time.Second, "live", live(s))
	time.Sleep(3 * time.Second)
	st := s.Status()
	if st.Tags != 50 || len(st.Rejected) != 0 || st.ValuesS < 300 || st.Received == 0 {
		t.Errorf("status %+v", st)
	}
	settled(t, srv, s, out)
	a := out.reckon(t, offeredBy(t, srv.logFile()))
	a.check(t)
	if a.declared > 0 || len(out.gaps) > 0 {
		t.Errorf("gaps without a cause: %v", out.gapReasons())
	}
	stop()
	if s.Status().State != plant.Down {
		t.Errorf("state after the end: %+v", s.Status())
	}
}

// childEnv names the file with the settings of a collector that runs in a process of its own
// so that it can be killed.
const childEnv = "MILLWRIGHT_COLLECTOR_CHILD"

type childSet struct {
	URL   string
	Tags  []plant.Tag
	State string
	Out   string
	Lag   time.Duration

	Security Security
	Alarms   bool // those of the PLC too
	Discard  bool // values are counted as durable and forgotten
}

// child runs a collector whose sink is a file: what is in the file is durable,
// what is in memory dies with the process.
func child() {
	var set childSet
	b, err := os.ReadFile(os.Getenv(childEnv))
	if err == nil {
		err = json.Unmarshal(b, &set)
	}
	if err != nil {
		panic(err)
	}
	// A kill within a write leaves a part of a line, onto which nothing may be written.
	if b, err := os.ReadFile(set.Out); err == nil {
		if err := os.Truncate(set.Out, int64(bytes.LastIndexByte(b, '\n')+1)); err != nil {
			panic(err)
		}
	}
	f, err := os.OpenFile(set.Out, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	s := &Source{Name: "PLC", URL: set.URL, Tags: set.Tags, StateFile: set.State, Conditions: set.Alarms,
		Log: slog.New(slog.NewTextHandler(os.Stdout, nil))}
	type line struct {
		b []byte
		n uint64
	}
	lines := make(chan line, 10000)
	go func() {
		for l := range lines {
			time.Sleep(set.Lag)
			all := l.b
			for more := true; more; {
				select {
				case x := <-lines:
					all, l.n = append(all, x.b...), x.n
				default:
					more = false
				}
			}
			if _, err := f.Write(all); err != nil {
				panic(err)
			}
			s.Committed(l.n)
		}
	}()
	n := uint64(0)
	err = s.Run(context.Background(), plant.SinkFunc(func(_ context.Context, b plant.Batch) error {
		j, err := json.Marshal(b)
		n++
		lines <- line{append(j, '\n'), n}
		return err
	}))
	fmt.Println(err)
}

// killable is that process.
type killable struct {
	t   testing.TB
	set childSet
	cmd *exec.Cmd
	log bytes.Buffer
}

func (k *killable) start() {
	k.t.Helper()
	j, _ := json.Marshal(k.set)
	name := filepath.Join(k.t.TempDir(), "set")
	if err := os.WriteFile(name, j, 0o600); err != nil {
		k.t.Fatal(err)
	}
	k.cmd = exec.Command(os.Args[0])
	k.cmd.Env = append(os.Environ(), childEnv+"="+name)
	k.cmd.Stdout, k.cmd.Stderr = &k.log, &k.log
	if err := k.cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
}

func (k *killable) kill() {
	if k.cmd != nil {
		_ = k.cmd.Process.Kill()
		_ = k.cmd.Wait()
		k.cmd = nil
	}
}

// stored reads what the process made durable.
func (k *killable) stored() *store {
	k.t.Helper()
	b, err := os.ReadFile(k.set.Out)
	if err != nil {
		k.t.Fatal(err)
	}
	s := newStore(nil)
	for l := range bytes.SplitSeq(b, []byte("\n")) {
		var batch plant.Batch
		if len(l) > 0 && json.Unmarshal(l, &batch) == nil {
			s.add(batch)
		}
	}
	return s
}

// TestOwnProcessKilled kills the collector at random moments; what was not
// durable comes again from the server, so nothing is lost and no gap declared.
func TestOwnProcessKilled(t *testing.T) {
	t.Parallel()
	srv := newNodeServer(t, map[string]any{"nodes": 50, "run": true})
	dir := t.TempDir()
	k := &killable{t: t, set: childSet{URL: srv.url(), Tags: srv.tags(50), State: filepath.Join(dir, "state", "plc"), Out: filepath.Join(dir, "out"), Lag: 150 * time.Millisecond}}
	t.Cleanup(k.kill)
	for range 8 {
		k.start()
		time.Sleep(time.Duration(300+rand.IntN(3000)) * time.Millisecond)
		k.kill()
	}
	k.start()
	time.Sleep(3 * time.Second)
	srv.say("halt")
	time.Sleep(time.Second) // its log is written
	arrived(k.stored, func() map[key]fact { return offeredBy(t, srv.logFile()) })
	k.kill()
	out := k.stored()
	a := out.reckon(t, offeredBy(t, srv.logFile()))
	a.check(t)
	if a.declared > 0 || len(out.gaps) > 0 {
		t.Errorf("gaps without a cause: %v", out.gapReasons())
	}
	t.Logf("%d of %d values came twice", out.count.again, out.count.n)
	if t.Failed() {
		t.Log(k.log.String())
	}
}

// TestBothKilled kills the collector and the server, in either order: what was
// lost with the server's queues is declared from the state file.
func TestBothKilled(t *testing.T) {
	t.Parallel()
	srv := newMillServer(t, map[string]any{"nodes": 50, "run": true, "tick": 0})
	dir := t.TempDir()
	k := &killable{t: t, set: childSet{URL: srv.url(), Tags: srv.tags(50), State: filepath.Join(dir, "state", "plc"), Out: filepath.Join(dir, "out"), Lag: 150 * time.Millisecond}}
	t.Cleanup(k.kill)
	for i := range 4 {
		k.start()
		time.Sleep(time.Duration(1500+rand.IntN(3500)) * time.Millisecond)
		if i%2 == 0 {
			k.kill()
			srv.kill()
		} else {
			srv.kill()
			time.Sleep(time.Duration(rand.IntN(600)) * time.Millisecond)
			k.kill()
		}
		srv.set["tick"] = (i + 1) * 10000
		srv.start()
	}
	k.start()
	time.Sleep(4 * time.Second)
	srv.say("halt")
	time.Sleep(time.Second) // its log is written
	arrived(k.stored, func() map[key]fact { return offeredBy(t, srv.logFile()) })
	k.kill()
	out := k.stored()
	a := out.reckon(t, offeredBy(t, srv.logFile()))
	a.check(t)
	t.Logf("gaps %v", out.gapReasons())
	if t.Failed() {
		t.Log(k.log.String())
	}
}

// TestBackPressure: while the sink refuses, the state says so, nothing is
// dropped here, and what the server's queues hold comes afterwards.
func TestBackPressure(t *testing.T) {
	t.Parallel()
	srv := newNodeServer(t, map[string]any{"nodes": 10, "run": true})
	s := &Source{Name: "PLC", URL: srv.url(), Tags: srv.tags(10)}
	out := newStore(s)
	start(t, s, out)
	eventually(t, 30*time.Second, "live", live(s))
	out.refuse(errors.New("queue full"))
	eventually(t, 8*time.Second, "refusal shows", func() bool { return s.Status().State == plant.Stale })
	time.Sleep(time.Second)
	out.refuse(nil)
	eventually(t, 3*time.Second, "live again", live(s))
	settled(t, srv, s, out)
	a := out.reckon(t, offeredBy(t, srv.logFile()))
	a.check(t)
	if a.declared > 0 {
		t.Errorf("queues of 100 must bridge this: %v", out.gapReasons())
	}
}
