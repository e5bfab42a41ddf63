package collector

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"
)

// TestBatch: what a server says of its limits, what it shows of them, and
// operations that fail the whole call.
func TestBatch(t *testing.T) {
	t.Parallel()
	type outcome struct{ calls, taken, refused, left int }
	run := func(b *batch, n, most int, bad func(i int) bool, large, poison error) (o outcome, largest int) {
		t.Helper()
		done := make([]bool, n)
		err := b.each(n, func(from, to int) error {
			o.calls++
			largest = max(largest, to-from)
			if to-from > most {
				return large
			}
			for i := from; i < to; i++ {
				if bad != nil && bad(i) {
					return poison
				}
			}
			for i := from; i < to; i++ {
				if done[i] {
					t.Errorf("%d was taken twice", i)
				}
				done[i] = true
				o.taken++
			}
			return nil
		}, func(i int, err error, asked bool) {
			if bad != nil && !bad(i) && asked || err == nil {
				t.Errorf("%d is refused with %v", i, err)
			}
			if o.refused++; !asked {
				o.left++
			}
		})
		if err != nil {
			t.Error(err)
		}
		return o, largest
	}
	for _, code := range []ua.StatusCode{ua.StatusBadTooManyOperations, ua.StatusBadRequestTooLarge, ua.StatusBadTCPMessageTooLarge} {
		var b batch
		if o, _ := run(&b, 10_000, 70, nil, code, nil); o.taken != 10_000 || o.calls > 4+10_000/62+1 {
			t.Errorf("%v: %+v", code, o)
		}
		// What worked is remembered, and the server's own word counts as well.
		if o, largest := run(&b, 1000, 70, nil, code, nil); o.calls != 17 || largest != 62 {
			t.Errorf("%v, again: %+v, %d", code, o, largest)
		}
		b.declare(50)
		if _, largest := run(&b, 1000, 70, nil, code, nil); largest != 50 {
			t.Errorf("declared: %d", largest)
		}
		b.declare(0)
		if _, largest := run(&b, 1000, 70, nil, code, nil); largest != 62 {
			t.Errorf("declared no more: %d", largest)
		}
	}
	for _, code := range []ua.StatusCode{ua.StatusBadOutOfMemory, ua.StatusBadInternalError} {
		var b batch
		if o, _ := run(&b, 10_000, 1000, func(i int) bool { return i == 7777 }, nil, code); o.taken != 9999 || o.refused != 1 || o.calls > 50 {
			t.Errorf("one of 10,000: %+v", o)
		}
		if b.size() != mostPerCall {
			t.Errorf("and then %d in a call", b.size())
		}
		if o, _ := run(&b, 10_000, 1000, func(int) bool { return true }, nil, code); o.taken != 0 || o.refused != 10_000 || o.left != 10_000-mostAlone || o.calls > 30 {
			t.Errorf("all: %+v", o)
		}
		if o, _ := run(&b, 100, 1000, func(i int) bool { return i%2 == 0 }, nil, code); o.taken != 50 || o.refused != 50 {
			t.Errorf("every other: %+v", o)
		}
	}
	var b batch
	for i, want := range []int{1000, 1000, 500, 500, 250} {
		if n := b.size(); n != want {
			t.Errorf("after %d hang-ups at this size %d in a call, want %d", i, n, want)
		}
		if v := b.judge(b.size(), fmt.Errorf("x: %w", errHangUp)); v != broken {
			t.Error(v)
		}
	}
	if v := b.judge(100, fmt.Errorf("%w: %w", errHangUp, ua.StatusBadTCPMessageTooLarge)); v != broken || b.size() != 50 {
		t.Errorf("%v, %d: the server has said why it hangs up", v, b.size())
	}
	for range 5 {
		b.judge(8, errHangUp)
	}
	if b.size() != 50 {
		t.Errorf("a small call that breaks leaves %d", b.size())
	}
	if v := b.judge(3, errors.New("x")); v != broken {
		t.Error(v)
	}
}

// demand is what a foreign server was asked for.
type demand struct {
	Services                                                 map[string]int
	Channels, Sessions, MostSessions, MostSubscriptions, Now int
}

func (s *foreign) demand() demand {
	s.t.Helper()
	s.say("load")
	b, err := os.ReadFile(filepath.Join(s.dir, "load"))
	var l demand
	if err == nil {
		err = json.Unmarshal(b, &l)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return l
}

// TestOneBadOfMany: a node that makes the server fail every call that names it,
// to be monitored or to be read, is found, named and left out, and the others are
// monitored; when it is mended it is taken.
func TestOneBadOfMany(t *testing.T) {
	long(t)
	t.Parallel()
	const tags = 1200
	srv := newNodeServer(t, map[string]any{"nodes": tags, "every": 1000, "run": true, "poison": []int{777}, "good": true})
	s := &Source{Name: "PLC", URL: srv.url(), Tags: srv.tags(tags)}
	out := newStore(s)
	start(t, s, out)
	eventually(t, patience, "live", live(s))
	st := s.Status()
	if st.Tags != tags-1 || len(st.Rejected) != 1 || st.Rejected[0] != "T777: BadOutOfMemory" {
		t.Errorf("%d monitored, refused %v", st.Tags, st.Rejected)
	}
	if n := srv.demand().Services["CreateMonitoredItems"]; n > 40 {
		t.Errorf("%d calls to find it", n)
	}
	eventually(t, patience, "all others have values", func() bool { return out.size() >= tags-1 })
	srv.say("cure 777")
	eventually(t, patience, "it is monitored when it is mended", func() bool { return s.Status().Tags == tags })
	if r := s.Status().Rejected; len(r) > 0 {
		t.Errorf("still refused: %v", r)
	}
}

// TestAllBad: where every node fails, few calls are spent on it, each is named,
// and the connection lives.
func TestAllBad(t *testing.T) {
	long(t)
	t.Parallel()
	const tags = 300
	all := make([]int, tags)
	for i := range all {
		all[i] = i
	}
	srv := newNodeServer(t, map[string]any{"nodes": tags, "run": true, "poison": all, "poisonCode": "BadInternalError"})
	s := &Source{Name: "PLC", URL: srv.url(), Tags: srv.tags(tags)}
	start(t, s, newStore(s))
	eventually(t, patience, "live", live(s))
	time.Sleep(3 * time.Second)
	st := s.Status()
	if st.Tags != 0 || len(st.Rejected) != tags || !slices.Contains(st.Rejected, "T0: BadInternalError") || !strings.Contains(st.Rejected[tags-1], "BadInternalError") {
		t.Errorf("%d monitored, refused %d: %v", st.Tags, len(st.Rejected), st.Rejected[:3])
	}
	if n := srv.demand().Services["CreateMonitoredItems"]; n > 100 {
		t.Errorf("%d calls within 3 s", n)
	}
}

// TestSmallReads: a server that reads one node at a time is known as well as any,
// and so are its histories.
func TestSmallReads(t *testing.T) {
	t.Parallel()
	srv := newNodeServer(t, map[string]any{"nodes": 5, "run": true, "perRead": 1, "perCall": 2, "history": []int{0, 1}})
	r, err := Probe(t.Context(), srv.url(), Security{})
	if err != nil || r.Login != nil || r.MaxNodesPerRead != 1 || r.MaxMonitoredItemsPerCall != 2 || len(r.Namespaces) == 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	log, said := listen(t)
	s := &Source{Name: "PLC", URL: srv.url(), Tags: srv.tags(5), Log: log}
	start(t, s, newStore(s))
	eventually(t, patience, "live", live(s))
	if st := s.Status(); st.Tags != 5 {
		t.Errorf("%+v", st)
	}
	time.Sleep(time.Second)
	if said("does not say which tags have history") > 0 {
		t.Error("the access levels were not read")
	}
}

// TestReadAroundBad: a node for which the server fails every Read that names it
// costs a few calls, and its neighbours nothing.
func TestReadAroundBad(t *testing.T) {
	long(t)
	t.Parallel()
	const nodes = 100
	srv := newNodeServer(t, map[string]any{"nodes": nodes, "run": true, "poison": []int{42}, "poisonCode": "BadInternalError"})
	l, peer, err := dialOnce(t.Context(), srv.url(), Security{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.leave(t.Context())
	var ids []*ua.NodeID
	for _, tag := range srv.tags(nodes) {
		n, err := parseNode(tag.Node)
		if err != nil {
			t.Fatal(err)
		}
		id, err := n.resolve(peer.namespaces)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	before := srv.demand().Services["Read"]
	v, err := l.read(t.Context(), requestTimeout, ua.AttributeIDAccessLevel, ids...)
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range v {
		if _, ok := good[uint8](x); ok == (i == 42) {
			t.Errorf("T%d: %v", i, x.Status)
		}
	}
	if v[42].Status != ua.StatusBadInternalError {
		t.Errorf("T42: %v", v[42].Status)
	}
	if n := srv.demand().Services["Read"] - before; n > 25 {
		t.Errorf("%d calls", n)
	}
}
