package collector

import (
	"testing"

	"github.com/gopcua/opcua/ua"
	"pgregory.net/rapid"
)

func note(n uint32) message {
	return message{&ua.NotificationMessage{SequenceNumber: n}, 0}
}

// TestSequencerOrder: whatever the order of arrival, with repeats, and around
// the wrap, every message comes out once and in order; what never arrives is
// named as missing and can be given up.
func TestSequencerOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := rapid.SampledFrom([]uint32{1, 2, 1000, 1<<32 - 5, 1<<32 - 1}).Draw(t, "start")
		count := rapid.IntRange(1, 40).Draw(t, "count")
		var all []uint32
		n := start
		for range count {
			all = append(all, n)
			n = after(n)
		}
		lost := map[uint32]bool{}
		var arrive []uint32
		for i, n := range all {
			if i < count-1 && rapid.IntRange(0, 9).Draw(t, "loss") == 0 {
				lost[n] = true
				continue
			}
			for range rapid.IntRange(1, 2).Draw(t, "copies") {
				arrive = append(arrive, n)
			}
		}
		arrive = rapid.Permutation(arrive).Draw(t, "order")
		q := newSequencer(start)
		var got []uint32
		pop := func() {
			for m, ok := q.pop(); ok; m, ok = q.pop() {
				got = append(got, m.SequenceNumber)
			}
		}
		for _, n := range arrive {
			q.add(note(n))
			pop()
		}
		for n, ok := q.missing(); ok; n, ok = q.missing() {
			if !lost[n] {
				t.Fatalf("%d is called missing", n)
			}
			delete(lost, n)
			got = append(got, n)
			q.skip()
			pop()
		}
		if len(lost) > 0 || len(got) != count || q.next != n || q.span() != 0 {
			t.Fatalf("got %v, still lost %v, next %d of %d", got, lost, q.next, n)
		}
		for i := range got {
			if got[i] != all[i] {
				t.Fatalf("got %v, want %v", got, all)
			}
		}
	})
}

func TestSequencerKeepAlive(t *testing.T) {
	q := newSequencer(5)
	q.keepAlive(5)
	if n, ok := q.missing(); ok {
		t.Errorf("nothing is missing, got %d", n)
	}
	q.keepAlive(4) // an old answer that was overtaken
	q.keepAlive(7)
	if n, ok := q.missing(); !ok || n != 5 || q.span() != 2 {
		t.Errorf("a keep-alive of 7 shows 5 and 6: got %d %v, span %d", n, ok, q.span())
	}
	if q.add(note(4)) || q.add(note(0)) || !q.add(note(5)) || q.add(note(5)) {
		t.Error("old or repeated messages taken")
	}
	q.pop()
	q.skip()
	if _, ok := q.missing(); ok || q.next != 7 {
		t.Errorf("next %d", q.next)
	}
}

func TestSequencerJump(t *testing.T) {
	q := newSequencer(1)
	q.add(note(5000))
	q.add(note(5001))
	q.jump()
	if m, ok := q.pop(); !ok || m.SequenceNumber != 5000 {
		t.Errorf("jumped to %d", q.next)
	}
	q = newSequencer(1<<32 - 3)
	q.keepAlive(900)
	q.jump()
	if _, ok := q.missing(); ok || q.next != 900 {
		t.Errorf("jumped to %d", q.next)
	}
}
