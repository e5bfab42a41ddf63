package collector

import (
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

// doubtful is an engine with two tags of which something is known, and no server.
func doubtful(t *testing.T) (*engine, *store, *Source) {
	t.Helper()
	s := &Source{Name: "PLC", URL: "opc.tcp://127.0.0.1:1", Tags: []plant.Tag{{ID: 1, Path: "a", Node: "i=1"}, {ID: 2, Path: "b", Node: "i=2"}}}
	out := newStore(s)
	e, err := newEngine(s, out)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.close)
	for i := range e.selves.list {
		e.selves.list[i].is = imprint{hasRange: true, high: 100}
		e.back.access[i] = accessNone
		e.items.list[i].monitored = true
	}
	e.seq = newSequencer(1)
	return e, out, s
}

// TestWithheld: what waits is not acknowledged, whatever is durable, and comes in
// order when the node has been looked at; or it does not, and a gap says so.
func TestWithheld(t *testing.T) {
	e, out, _ := doubtful(t)
	p := &pump{engine: e}
	at := time.UnixMilli(1_000_000)
	next := func() time.Time { at = at.Add(10 * time.Millisecond); return at }
	send := func(n uint32, v ...*ua.MonitoredItemNotification) {
		t.Helper()
		if err := e.deliver(t.Context(), dataChange(n, v...)); err != nil {
			t.Fatal(err)
		}
		e.settle()
	}
	see := func(high float64) {
		t.Helper()
		n, _ := e.items.list[0].node.resolve(nil)
		a := answer{questions: []question{{tag: 0, id: n}}, sights: []sight{{is: imprint{hasRange: true, high: high}}}}
		if err := p.sighted(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		e.settle()
	}
	send(1, value(1, 1.0, 0, next()), value(2, 10.0, 0, at))
	if len(e.acks) != 1 {
		t.Fatalf("acknowledged %v", e.acks)
	}
	e.doubt(0)
	send(2, value(1, 2.0, 0, next()), value(2, 11.0, 0, at))
	send(3, value(1, 3.0, 0, next()))
	send(4, value(2, 12.0, 0, next()))
	if len(e.acks) != 1 || out.size() != 4 || e.tr.gate.waiting != 2 {
		t.Fatalf("acknowledged %v, %d values, %d wait", e.acks, out.size(), e.tr.gate.waiting)
	}
	see(100)
	if len(e.acks) != 4 || out.size() != 6 || len(out.gaps) != 0 || e.tr.gate.waiting != 0 {
		t.Fatalf("acknowledged %v, %d values, gaps %v", e.acks, out.size(), out.gaps)
	}

	// The bit is on the value that means something else already.
	bit := value(1, 900.0, 0, next())
	bit.Value.Status = semanticsChanged
	bit.Value.EncodingMask |= ua.DataValueStatusCode
	first := at
	send(5, bit)
	send(6, value(1, 901.0, 0, next()))
	see(500)
	send(7, value(1, 902.0, 0, next()))
	if out.size() != 6 || len(e.acks) != 7 {
		t.Errorf("acknowledged %v, %d values", e.acks, out.size())
	}
	q := e.src.Status().Quarantined
	if len(q) != 1 || q[0].Tag != "a" || q[0].Was != "0 to 100" || q[0].Is != "0 to 500" {
		t.Errorf("quarantined %+v", q)
	}
	if out.gapReasons()[plant.GapQuarantined] != 1 { // models know by it
		t.Errorf("gaps %v", out.gaps)
	}
	send(71, value(1, 902.5, 0, at.Add(time.Minute)))
	if out.gapReasons()[plant.GapQuarantined] != 2 || !within(out.gaps, at.Add(59*time.Second).UnixNano()) {
		t.Errorf("after a minute: gaps %v", out.gaps)
	}
	at = at.Add(time.Minute)
	if err := e.src.Release("a", plant.ReleaseRescaled, "eva"); err != nil {
		t.Fatal(err)
	}
	p.obey()
	send(8, value(1, 903.0, 0, next()))
	if out.size() != 6 {
		t.Error("a value before the node was looked at again")
	}
	see(500)
	if out.size() != 7 || out.gapReasons()[plant.GapRescaled] != 1 {
		t.Errorf("%d values, gaps %v", out.size(), out.gaps)
	}
	for ms := first; ms.Before(at); ms = ms.Add(10 * time.Millisecond) {
		if !within(out.gaps, ms.UnixNano()) {
			t.Errorf("%v is in no gap", ms)
		}
	}
}

// TestOvertaken: when a tag is released its node is read, and the answer may be there
// before notifications of earlier values. What was in these is declared where the server
// dies before it has sent them.
func TestOvertaken(t *testing.T) {
	e, out, _ := doubtful(t)
	p := &pump{engine: e}
	at := time.UnixMilli(1_000_000)
	n, _ := e.items.list[0].node.resolve(nil)
	send := func(seq uint32, v ...*ua.MonitoredItemNotification) {
		t.Helper()
		if err := e.deliver(t.Context(), dataChange(seq, v...)); err != nil {
			t.Fatal(err)
		}
		e.settle()
	}
	see := func(now bool, v *ua.DataValue) {
		t.Helper()
		a := answer{questions: []question{{tag: 0, id: n, now: now}}, sights: []sight{{is: imprint{hasRange: true, high: 500}, value: v}}}
		if err := p.sighted(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		e.settle()
	}
	send(1, value(1, 1.0, 0, at))
	e.doubt(0)
	see(false, nil) // quarantine
	if err := e.src.Release("a", plant.ReleaseSame, "eva"); err != nil {
		t.Fatal(err)
	}
	p.obey()
	second := func(k int) time.Time { return at.Add(time.Duration(k) * time.Second) }
	send(2, value(1, 2.0, 0, second(2)))         // waits for the look
	see(true, value(1, 4.0, 0, second(4)).Value) // read while the third was in the server's queue
	e.tr.open(0, serverDown)
	e.seq = newSequencer(1)
	send(1, value(1, 6.0, 0, second(6)))
	for k := 2; k <= 6; k++ {
		if _, ok := out.facts[key{1, second(k).UnixMilli()}]; !ok && !within(out.gaps, second(k).UnixNano()) {
			t.Errorf("value %d is neither stored nor declared", k)
		}
	}
}

// TestUnseen: a connection that ends while a node is looked at lets nothing
// through; a server that will not say does.
func TestUnseen(t *testing.T) {
	e, out, _ := doubtful(t)
	p := &pump{engine: e}
	at := time.UnixMilli(1_000_000)
	if err := e.deliver(t.Context(), dataChange(1, value(1, 1.0, 0, at), value(2, 1.0, 0, at))); err != nil {
		t.Fatal(err)
	}
	e.doubt(0)
	if err := e.deliver(t.Context(), dataChange(2, value(1, 2.0, 0, at.Add(time.Second)))); err != nil {
		t.Fatal(err)
	}
	n, _ := e.items.list[0].node.resolve(nil)
	ask := []question{{tag: 0, id: n}}
	for range 10 {
		for _, err := range []error{errHangUp, ua.StatusBadSessionIDInvalid, ua.StatusBadSessionClosed} {
			if err := p.sighted(t.Context(), answer{questions: ask, err: err}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if out.size() != 2 || e.tr.gate.guard[0] != gateDoubt {
		t.Fatalf("%d values", out.size())
	}
	if err := p.sighted(t.Context(), answer{questions: ask, err: ua.StatusBadUserAccessDenied}); err != nil || out.size() != 3 {
		t.Errorf("%d values, %v", out.size(), err)
	}
}
