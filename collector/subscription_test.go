package collector

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"

	"millwright/plant"
	"millwright/plant/disk"
)

// heard is a log that can be asked.
type heard struct {
	slog.Handler
	mu    *sync.Mutex
	lines *[]string
}

func listen(t testing.TB) (*slog.Logger, func(part string) int) {
	h := heard{logger(t).Handler(), new(sync.Mutex), new([]string)}
	return slog.New(h), func(part string) int {
		h.mu.Lock()
		defer h.mu.Unlock()
		n := 0
		for _, l := range *h.lines {
			if strings.Contains(l, part) {
				n++
			}
		}
		return n
	}
}

func (h heard) WithAttrs(a []slog.Attr) slog.Handler {
	h.Handler = h.Handler.WithAttrs(a)
	return h
}

func (h heard) Handle(ctx context.Context, r slog.Record) error {
	line := r.Message
	r.Attrs(func(a slog.Attr) bool {
		line += fmt.Sprintf(" %s=%v", a.Key, a.Value)
		return true
	})
	h.mu.Lock()
	*h.lines = append(*h.lines, line)
	h.mu.Unlock()
	return h.Handler.Handle(ctx, r)
}

// TestUnknownNodes: one bad node does not hold up the others, is named, and is
// taken when it appears; limits that the server does not declare are found.
func TestUnknownNodes(t *testing.T) {
	t.Parallel()
	srv := newNodeServer(t, map[string]any{"nodes": 60, "run": true, "absent": []int{5}, "perCall": 7, "hideLimits": true})
	s := &Source{Name: "PLC", URL: srv.url(), Tags: srv.tags(63)}
	s.Tags[60].Node = "nsu=urn:nobody;i=1"
	s.Tags[61].Node = "ns=x;i=1"
	s.Tags[62].Node = "nsu=urn:test:mill;s=Array"
	out := newStore(s)
	start(t, s, out)
	eventually(t, 30*time.Second, "live", live(s))
	st := s.Status()
	all := strings.Join(st.Rejected, "\n")
	if st.Tags != 60 || len(st.Rejected) != 3 || !strings.Contains(all, "T5: BadNodeIDUnknown") ||
		!strings.Contains(all, "T60: the server has no namespace of this URI: urn:nobody") || !strings.Contains(all, `T61: node "ns=x;i=1"`) {
		t.Errorf("%d monitored, refused:\n%s", st.Tags, all)
	}
	// An array is monitored, but what it sends fits no tag.
	eventually(t, 3*time.Second, "array named", func() bool {
		return strings.Contains(strings.Join(s.Status().Rejected, "\n"), "T62: sends an array of 3, the tag is analog")
	})
	srv.say("add 5")
	eventually(t, 15*time.Second, "the node is monitored when it is there", func() bool { return s.Status().Tags == 61 })
	settled(t, srv, s, out)
	out.reckon(t, offeredBy(t, srv.logFile())).check(t)
}

// TestMissedMessage: a notification that the server no longer holds becomes a
// gap of every tag, also of those that stay silent afterwards.
func TestMissedMessage(t *testing.T) {
	t.Parallel()
	srv := newNodeServer(t, map[string]any{"nodes": 20, "run": true, "still": []int{7, 8}})
	p := newProxy(t, srv.port)
	log, said := listen(t)
	s := &Source{Name: "PLC", URL: p.url(), Tags: srv.tags(20), Log: log}
	out := newStore(s)
	start(t, s, out)
	eventually(t, 30*time.Second, "live", live(s))
	time.Sleep(time.Second)
	p.hush(true) // the server's answers stay on the way
	time.Sleep(500 * time.Millisecond)
	p.cut()
	srv.say("forget")
	p.hush(false)
	eventually(t, 5*time.Second, "the hole is found", func() bool { return said("a notification is lost") > 0 })
	eventually(t, 5*time.Second, "live", live(s))
	if n := out.gapReasons()[plant.GapMissedMessage]; n < 18 {
		t.Errorf("%d gaps for 18 tags that move", n)
	}
	settled(t, srv, s, out)
	a := out.reckon(t, offeredBy(t, srv.logFile()))
	a.check(t)
	if a.declared == 0 {
		t.Error("nothing was lost: the test does not test")
	}
	if st := s.Status(); st.SequenceGaps == 0 || st.RTTMS <= 0 || st.Window < firstWindow || st.InFlight < 1 || st.LastError == "" {
		t.Errorf("%+v", st)
	}
}

// TestMissedMessageOfSilentTags: a gap does not stay open for ever on a tag that
// does not change again.
func TestMissedMessageOfSilentTags(t *testing.T) {
	s := &Source{Name: "PLC", URL: "opc.tcp://127.0.0.1:1", Tags: []plant.Tag{{ID: 1, Path: "a"}, {ID: 2, Path: "b"}, {ID: 3, Path: "never heard"}}}
	out := newStore(s)
	e, err := newEngine(s, out)
	if err != nil {
		t.Fatal(err)
	}
	defer e.close()
	now := time.UnixMilli(1_000_000)
	e.seq = newSequencer(1)
	for i := range e.back.access {
		e.back.access[i] = accessNone
	}
	if err := e.deliver(t.Context(), dataChange(1, value(1, 1.0, 0, now), value(2, 2.0, 0, now))); err != nil {
		t.Fatal(err)
	}
	e.openGaps(missedMessage)
	e.missedAt, e.missedTo = now, now.UnixNano()+3*oneMilli
	if err := e.closeMissed(t.Context(), now.Add(time.Second)); err != nil || len(out.gaps) > 0 {
		t.Errorf("too early: %v, %v", out.gaps, err)
	}
	if err := e.closeMissed(t.Context(), now.Add(missedTime)); err != nil || e.wrote != 2 {
		t.Errorf("%d writes, %v", e.wrote, err)
	}
	want := []plant.Gap{{Tag: 1, From: now.UnixNano() + oneMilli, To: now.UnixNano() + 3*oneMilli, Reason: plant.GapMissedMessage},
		{Tag: 2, From: now.UnixNano() + oneMilli, To: now.UnixNano() + 3*oneMilli, Reason: plant.GapMissedMessage}}
	if !same(out.gaps, want) {
		t.Errorf("got %v, want %v", out.gaps, want)
	}
	if err := e.closeMissed(t.Context(), now.Add(time.Hour)); err != nil || e.wrote != 2 {
		t.Errorf("twice: %d writes, %v", e.wrote, err)
	}
}

// TestTransfer: where the old session cannot be used again, a new one takes the
// subscription over.
func TestTransfer(t *testing.T) {
	t.Parallel()
	srv := newNodeServer(t, map[string]any{"nodes": 20, "run": true})
	file := filepath.Join(t.TempDir(), "plc")
	s := &Source{Name: "PLC", URL: srv.url(), Tags: srv.tags(20), StateFile: file}
	out := newStore(s)
	stop := start(t, s, out)
	eventually(t, 30*time.Second, "live", live(s))
	time.Sleep(time.Second)
	stop()
	st, err := readState(file)
	if err != nil || st == nil || st.subscription == 0 || len(st.token) == 0 {
		t.Fatalf("state %+v, %v", st, err)
	}
	if st.token, err = ua.NewStringNodeID(1, "nobody").Encode(); err != nil {
		t.Fatal(err)
	}
	if err := disk.Replace(file, st.append(nil), 0o600); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * time.Second)
	log, said := listen(t)
	again := &Source{Name: "PLC", URL: srv.url(), Tags: s.Tags, StateFile: file, Log: log}
	out.source, out.writes = again, 0
	start(t, again, out)
	eventually(t, 30*time.Second, "live", live(again))
	if said("subscription resumed by=transfer") != 1 {
		t.Error("not by transfer")
	}
	settled(t, srv, again, out)
	a := out.reckon(t, offeredBy(t, srv.logFile()))
	a.check(t)
	if a.declared > 0 || len(out.gaps) > 0 {
		t.Errorf("a transfer loses nothing: %v", out.gapReasons())
	}
}

// TestStopAndStart: a stop in order leaves the subscription at the server, and
// what happened meanwhile comes at the next start. Other tags, another
// subscription: then the time between is declared.
func TestStopAndStart(t *testing.T) {
	t.Parallel()
	srv := newNodeServer(t, map[string]any{"nodes": 20, "run": true})
	file := filepath.Join(t.TempDir(), "plc")
	tags := srv.tags(20)
	out := newStore(nil)
	for i := range 3 {
		s := &Source{Name: "PLC", URL: srv.url(), Tags: tags[:18], StateFile: file}
		if i == 2 {
			s.Tags = tags
		}
		out.source, out.writes = s, 0
		stop := start(t, s, out)
		eventually(t, 30*time.Second, "live", live(s))
		eventually(t, 3*time.Second, "values", grows(out))
		if i < 2 {
			time.Sleep(time.Second)
			stop()
			if n := len(out.gaps); n > 0 {
				t.Errorf("%d gaps after %d restarts", n, i)
			}
			time.Sleep(2 * time.Second)
			continue
		}
		settled(t, srv, s, out)
	}
	out.reckon(t, offeredBy(t, srv.logFile())).check(t)
	if r := out.gapReasons(); r[plant.GapEdgeRestart] != 18 || len(r) > 1 {
		t.Errorf("gaps by reason: %v", r)
	}
}

// TestLongWay: with a round trip of several publishing intervals one request in
// flight would lose most values.
func TestLongWay(t *testing.T) {
	long(t)
	t.Parallel()
	srv := newNodeServer(t, map[string]any{"nodes": 20, "run": true, "every": 25, "good": true})
	p := newProxy(t, srv.port)
	s := &Source{Name: "PLC", URL: p.url(), Tags: srv.tags(20), Publishing: 50 * time.Millisecond}
	for i := range s.Tags {
		s.Tags[i].Queue = 6
	}
	p.slow(100 * time.Millisecond)
	out := newStore(s)
	start(t, s, out)
	eventually(t, 15*time.Second, "live", live(s))
	time.Sleep(time.Second) // the window grows
	before := s.Status().Overflows
	time.Sleep(4 * time.Second)
	if st := s.Status(); st.Overflows > before+20 {
		t.Errorf("%d overflows", st.Overflows-before)
	}
	settled(t, srv, s, out)
	out.reckon(t, offeredBy(t, srv.logFile())).check(t)
}
