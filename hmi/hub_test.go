package hmi

import (
	"encoding/binary"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"millwright/plant"
)

// value is one value of a live frame.
type value struct {
	age    uint16
	status plant.Quality
	value  float32
}

// decode reads a live frame as a browser would.
func decode(t *testing.T, b []byte) map[uint16]value {
	t.Helper()
	if len(b) < 2 || len(b) != 2+12*int(binary.LittleEndian.Uint16(b)) {
		t.Fatalf("frame of %d bytes: % x", len(b), b)
	}
	out := map[uint16]value{}
	for b = b[2:]; len(b) > 0; b = b[12:] {
		id := binary.LittleEndian.Uint16(b)
		if _, twice := out[id]; twice {
			t.Errorf("id %d twice in a frame", id)
		}
		out[id] = value{binary.LittleEndian.Uint16(b[2:]), plant.Quality(binary.LittleEndian.Uint32(b[4:])), math.Float32frombits(binary.LittleEndian.Uint32(b[8:]))}
	}
	return out
}

func same(a, b value) bool {
	return a.age == b.age && a.status == b.status && (a.value == b.value || a.value != a.value && b.value != b.value)
}

func TestFrame(t *testing.T) {
	nan := float32(math.NaN())
	now := epoch
	for _, c := range []struct {
		name string
		do   func(*Hub)
		want value
	}{
		{"nothing yet", func(h *Hub) {}, value{65535, plant.BadWaitingForInitialData, nan}},
		{"a value", func(h *Hub) { h.put(plant.Sample{Tag: 3, Time: now - 120e6, Value: 1.8}) }, value{12, 0, 1.8}},
		{"just now", func(h *Hub) { h.put(plant.Sample{Tag: 3, Time: now - 9e6, Value: 1}) }, value{0, 0, 1}},
		{"source clock ahead", func(h *Hub) { h.put(plant.Sample{Tag: 3, Time: now + 5e9, Value: 1}) }, value{0, 0, 1}},
		{"old", func(h *Hub) { h.put(plant.Sample{Tag: 3, Time: now - 655340e6, Value: 1}) }, value{65534, 0, 1}},
		{"very old", func(h *Hub) { h.put(plant.Sample{Tag: 3, Time: now - 655350e6, Value: 1}) }, value{65535, 0, 1}},
		{"1970", func(h *Hub) { h.put(plant.Sample{Tag: 3, Time: 0, Value: 1}) }, value{65535, 0, 1}},
		{"bad", func(h *Hub) {
			h.put(plant.Sample{Tag: 3, Time: now, Value: math.NaN(), Quality: plant.BadSensorFailure})
		}, value{0, plant.BadSensorFailure, nan}},
		{"info bits", func(h *Hub) {
			h.put(plant.Sample{Tag: 3, Time: now, Value: 1, Quality: plant.Uncertain.WithOverflow()})
		}, value{0, plant.Uncertain, 1}},
		{"infinite", func(h *Hub) { h.put(plant.Sample{Tag: 3, Time: now, Value: math.Inf(1)}) }, value{0, 0, nan}},
		{"beyond f32", func(h *Hub) { h.put(plant.Sample{Tag: 3, Time: now, Value: 1e39}) }, value{0, 0, nan}},
		{"text", func(h *Hub) { h.Values(plant.Batch{States: []plant.State{{Tag: 3, Time: now - 1e9, Value: "x"}}}) }, value{100, 0, nan}},
		{"stale", func(h *Hub) {
			h.put(plant.Sample{Tag: 3, Time: now - 1e9, Value: 7, Quality: plant.BadSensorFailure})
			h.Stale([]plant.TagID{3}, 0)
		}, value{100, 0x408F0000, 7}},
		{"stale before any value", func(h *Hub) { h.Stale([]plant.TagID{3}, 0) }, value{65535, 0x408F0000, nan}},
		{"live again", func(h *Hub) { h.Stale([]plant.TagID{3}, 0); h.put(plant.Sample{Tag: 3, Time: now, Value: 7}) }, value{0, 0, 7}},
		{"remembered", func(h *Hub) { h.remember([]plant.Sample{{Tag: 3, Time: now - 1e9, Value: 7}}, nil) }, value{100, 0x408F0000, 7}},
		{"remembered too late", func(h *Hub) {
			h.put(plant.Sample{Tag: 3, Time: now, Value: 8})
			h.remember([]plant.Sample{{Tag: 3, Time: now, Value: 7}}, nil)
		}, value{0, 0, 8}},
		{"confirmed", func(h *Hub) {
			h.remember([]plant.Sample{{Tag: 3, Time: now, Value: 7}}, nil)
			h.put(plant.Sample{Tag: 3, Time: now, Value: 7})
		}, value{0, 0, 7}},
		{"clock set back", func(h *Hub) {
			h.put(plant.Sample{Tag: 3, Time: now, Value: 7})
			h.put(plant.Sample{Tag: 3, Time: now - 1e9, Value: 8})
		}, value{100, 0, 8}},
	} {
		h := &Hub{}
		c.do(h)
		b, _ := h.frame(nil, []plant.TagID{9, 3}, everything, now)
		got := decode(t, b)
		if len(got) != 2 || !same(got[2], c.want) || !same(got[1], value{65535, plant.BadWaitingForInitialData, nan}) {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

func (h *Hub) put(s plant.Sample) { h.Values(plant.Batch{Samples: []plant.Sample{s}}) }

// TestFrameOnlyChanges holds that a change is in the next frame and in no other.
func TestFrameOnlyChanges(t *testing.T) {
	h := &Hub{}
	tags := []plant.TagID{1, 2, 3}
	since := int64(everything)
	next := func(want ...uint16) {
		t.Helper()
		var b []byte
		b, since = h.frame(b, tags, since, epoch)
		got := decode(t, b)
		for _, id := range want {
			if _, ok := got[id]; !ok {
				t.Errorf("id %d is missing in %v", id, got)
			}
		}
		if len(got) != len(want) {
			t.Errorf("frame %v, want ids %v", got, want)
		}
	}
	next(1, 2, 3)
	next()
	h.put(plant.Sample{Tag: 2, Time: epoch, Value: 1})
	next(2)
	next()
	h.put(plant.Sample{Tag: 1, Time: epoch, Value: 1})
	h.put(plant.Sample{Tag: 77, Time: epoch, Value: 1})
	h.put(plant.Sample{Tag: 3, Time: epoch, Value: 1})
	next(1, 3)
	h.Stale([]plant.TagID{2}, 0)
	next(2)
	h.Stale([]plant.TagID{2}, 0)
	next() // it was stale already
	h.Values(plant.Batch{})
	next()
}

// TestNoChangeIsLost lets a reader look while a writer writes: what the reader
// has at the end is what was written last.
func TestNoChangeIsLost(t *testing.T) {
	const tags, rounds = 50, 2000
	h := &Hub{}
	ids := make([]plant.TagID, tags)
	for i := range ids {
		ids[i] = plant.TagID(i)
	}
	w := h.watch()
	var wg sync.WaitGroup
	wg.Go(func() {
		b := plant.Batch{Samples: make([]plant.Sample, 1)}
		for r := range rounds {
			b.Samples[0] = plant.Sample{Tag: ids[r%tags], Time: epoch, Value: float64(r)}
			h.Values(b)
		}
	})
	seen := map[uint16]float32{}
	since := int64(everything)
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	for over := false; !over; {
		select {
		case <-w.woken:
		case <-done:
			over = true
		}
		var b []byte
		b, since = h.frame(b, ids, since, epoch)
		for id, v := range decode(t, b) {
			if v.value < seen[id] {
				t.Fatalf("id %d went back from %v to %v", id, seen[id], v.value)
			}
			seen[id] = v.value
		}
	}
	h.unwatch(w)
	if len(h.watchers) != 0 {
		t.Error("a watcher stays")
	}
	for i := range tags {
		if want := float32(rounds - tags + i); seen[uint16(i+1)] != want {
			t.Errorf("tag %d: %v, want %v", i, seen[uint16(i+1)], want)
		}
	}
}

// TestHubAllocates nothing once every tag has been seen.
func TestHubAllocates(t *testing.T) {
	h := &Hub{}
	b, ids := tick(500)
	h.Values(b)
	w := h.watch()
	defer h.unwatch(w)
	frame := make([]byte, 0, 2+12*len(ids))
	since := int64(everything)
	n := testing.AllocsPerRun(100, func() {
		h.Values(b)
		frame, since = h.frame(frame[:0], ids, since, epoch)
		h.Stale(ids, 0)
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// tick is a batch of n tags, and the tags.
func tick(n int) (plant.Batch, []plant.TagID) {
	var b plant.Batch
	var ids []plant.TagID
	for i := range n {
		b.Samples = append(b.Samples, plant.Sample{Tag: plant.TagID(i), Time: epoch, Value: float64(i)})
		ids = append(ids, plant.TagID(i))
	}
	return b, ids
}

// BenchmarkHub is one tick of 500 tags and the frames of 50 browsers, without
// the sockets.
func BenchmarkHub(b *testing.B) {
	for _, viewers := range []int{1, 50} {
		b.Run(fmt.Sprintf("500tags/%dviewers", viewers), func(b *testing.B) {
			h := &Hub{}
			batch, ids := tick(500)
			frame := make([]byte, 0, 2+12*len(ids))
			since := make([]int64, viewers)
			for range viewers {
				h.watch()
			}
			b.ReportAllocs()
			for b.Loop() {
				h.Values(batch)
				for v := range viewers {
					frame, since[v] = h.frame(frame[:0], ids, since[v], time.Now().UnixNano())
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*viewers*len(ids)), "ns/value")
		})
	}
}
