package hmi

import (
	"encoding/binary"
	"math"
	"sync"
	"time"

	"millwright/plant"
)

// Hub holds the latest value of every tag and wakes those who watch. The zero
// value is ready. Its methods never wait for a browser.
//
// Whoever calls Values gives live values in the order in which they are to be
// shown: the hub does not compare source times, because a PLC's clock may be set
// back.
type Hub struct {
	mu       sync.RWMutex // guards all below
	version  int64        // counts calls that changed something
	cells    []cell       // by plant.TagID
	watchers []*watcher
}

// cell is the latest value of a tag.
type cell struct {
	version int64 // of the Hub, when it changed last; 0: never
	time    int64
	value   float64 // NaN for texts
	text    string
	quality plant.Quality
	held    held
	stale   bool
}

// held says what a cell holds.
type held uint8

const (
	heldNothing held = iota
	heldNumber
	heldText
)

// status is the quality that people see.
func (c *cell) status() plant.Quality {
	switch {
	case c.stale:
		return plant.StaleValue
	case c.held == heldNothing:
		return plant.BadWaitingForInitialData
	}
	return c.quality.WithoutInfo()
}

// Values takes samples and states; each makes its tag live. It keeps nothing of
// b but the texts.
func (h *Hub) Values(b plant.Batch) {
	if len(b.Samples) == 0 && len(b.States) == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.version++
	for i := range b.Samples {
		s := &b.Samples[i]
		c := h.cell(s.Tag)
		c.version, c.held, c.stale = h.version, heldNumber, false
		c.time, c.value, c.quality = s.Time, s.Value, s.Quality
	}
	for i := range b.States {
		s := &b.States[i]
		c := h.cell(s.Tag)
		c.version, c.held, c.stale = h.version, heldText, false
		c.time, c.value, c.text, c.quality = s.Time, math.NaN(), s.Value, s.Quality
	}
	h.wake()
}

// Stale marks tags whose source is away: they keep their last value with its time,
// and are no longer live until Values brings a new one.
func (h *Hub) Stale(tags []plant.TagID, _ int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.version++
	for _, id := range tags {
		if c := h.cell(id); !c.stale {
			c.version, c.stale = h.version, true
		}
	}
	h.wake()
}

// remember fills in what the store knows of tags that nobody has spoken of
// since the start. It is shown as stale until Values confirms it.
func (h *Hub) remember(samples []plant.Sample, states []plant.State) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.version++
	for _, s := range samples {
		if c := h.cell(s.Tag); c.held == heldNothing {
			*c = cell{version: h.version, time: s.Time, value: s.Value, quality: s.Quality, held: heldNumber, stale: true}
		}
	}
	for _, s := range states {
		if c := h.cell(s.Tag); c.held == heldNothing {
			*c = cell{version: h.version, time: s.Time, value: math.NaN(), text: s.Value, quality: s.Quality, held: heldText, stale: true}
		}
	}
	h.wake()
}

// look copies the cells of tags to dst, which it returns.
func (h *Hub) look(dst []cell, tags []plant.TagID) []cell {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for _, id := range tags {
		var c cell
		if int(id) < len(h.cells) {
			c = h.cells[id]
		}
		dst = append(dst, c)
	}
	return dst
}

// cell finds or makes the cell of a tag. h.mu is held.
func (h *Hub) cell(id plant.TagID) *cell {
	if int(id) >= len(h.cells) {
		grown := make([]cell, max(int(id)+1, 2*len(h.cells)))
		copy(grown, h.cells)
		h.cells = grown
	}
	return &h.cells[id]
}

// watcher is woken by changes.
type watcher struct{ woken chan struct{} }

func (h *Hub) watch() *watcher {
	w := &watcher{woken: make(chan struct{}, 1)}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.watchers = append(h.watchers, w)
	return w
}

func (h *Hub) unwatch(w *watcher) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, x := range h.watchers {
		if x == w {
			last := len(h.watchers) - 1
			h.watchers[i] = h.watchers[last]
			h.watchers[last] = nil
			h.watchers = h.watchers[:last]
			return
		}
	}
}

// wake tells every watcher that something changed, unless it has been told and
// not looked yet. h.mu is held.
func (h *Hub) wake() {
	for _, w := range h.watchers {
		select {
		case w.woken <- struct{}{}:
		default:
		}
	}
}

// Sizes of a live frame: a count, then the values.
const (
	frameHead  = 2
	frameValue = 12
	ageUnknown = math.MaxUint16
)

// everything as a version asks for all tags, changed or not.
const everything = -1

// frame appends to dst the live frame of those tags that changed after version
// since; the wire id of tags[i] is i+1. It returns the version up to which the
// frame is complete. now is ns UTC.
func (h *Hub) frame(dst []byte, tags []plant.TagID, since, now int64) ([]byte, int64) {
	start := len(dst)
	dst = append(dst, 0, 0)
	h.mu.RLock()
	defer h.mu.RUnlock()
	var none cell
	for i, id := range tags {
		c := &none
		if int(id) < len(h.cells) {
			c = &h.cells[id]
		}
		if c.version <= since {
			continue
		}
		dst = binary.LittleEndian.AppendUint16(dst, uint16(i+1))
		dst = binary.LittleEndian.AppendUint16(dst, c.age(now))
		dst = binary.LittleEndian.AppendUint32(dst, uint32(c.status()))
		dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(c.single()))
	}
	binary.LittleEndian.PutUint16(dst[start:], uint16((len(dst)-start-frameHead)/frameValue))
	return dst, h.version
}

// age is the time since the source time in units of 10 ms.
func (c *cell) age(now int64) uint16 {
	if c.held == heldNothing {
		return ageUnknown
	}
	// A source clock ahead of ours gives a negative age.
	d := max(0, (now-c.time)/int64(10*time.Millisecond))
	return uint16(min(d, ageUnknown))
}

// single is the value as it goes to the page, NaN where there is none.
func (c *cell) single() float32 {
	v := float32(c.value)
	if c.held != heldNumber || math.IsInf(float64(v), 0) {
		return float32(math.NaN())
	}
	return v
}

// texts appends to dst the texts among tags that changed after version since.
func (h *Hub) texts(dst []textChange, tags []plant.TagID, since int64) []textChange {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for i, id := range tags {
		if int(id) >= len(h.cells) {
			continue
		}
		if c := &h.cells[id]; c.held == heldText && c.version > since {
			dst = append(dst, textChange{ID: i + 1, Time: stamp(c.time), Value: c.text, Quality: c.status().String()})
		}
	}
	return dst
}

// textChange is one text in a text frame.
type textChange struct {
	ID      int    `json:"id"`
	Time    stamp  `json:"t"`
	Value   string `json:"v"`
	Quality string `json:"q"`
}
