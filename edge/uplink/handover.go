package uplink

import (
	"sync"
	"time"

	"millwright/edge/queue"
	"millwright/plant"
)

// Bounds of what waits for the sender in memory. More comes from the backlog.
const (
	maxFindings    = 256
	maxLive        = 4096
	maxLiveSamples = 200_000
	maxWaves       = 16 // waveforms, of up to 256 KiB
)

// handover is where the agent leaves new records and the sender takes them. It
// also keeps the last value of every tag, for births.
type handover struct {
	wake chan struct{} // buffered 1: something was offered

	mu       sync.Mutex // guards what follows
	open     bool       // a session takes records
	findings fifo
	live     fifo
	waves    fifo
	samples  int  // in live
	missed   bool // records were not taken: the backlog has them
	last     []last
	rate     rate
}

// last is the newest value of a tag.
type last struct {
	time    int64
	quality plant.Quality
	number  float64
	text    string
	set     bool
	isText  bool
}

// fifo is a queue of records that reuses its memory.
type fifo struct {
	list []*queue.Record
	head int
}

func (f *fifo) len() int { return len(f.list) - f.head }

func (f *fifo) push(r *queue.Record) {
	if f.head == len(f.list) {
		f.list, f.head = f.list[:0], 0
	}
	f.list = append(f.list, r)
}

func (f *fifo) pop() *queue.Record {
	r := f.list[f.head]
	f.list[f.head] = nil
	f.head++
	return r
}

func (h *handover) offer(r *queue.Record) {
	h.mu.Lock()
	h.remember(&r.Batch)
	n := len(r.Batch.Samples) + len(r.Batch.States)
	h.rate.add(n, time.Now())
	switch {
	case !h.open, r.Lane == queue.Audit: // few, and in no hurry: the sweep takes them
		h.missed = true
	case r.Lane == queue.Findings:
		if h.findings.len() < maxFindings {
			h.findings.push(r)
		} else {
			h.missed = true
		}
	case r.Lane == queue.Waveforms:
		if h.waves.len() < maxWaves {
			h.waves.push(r)
		} else {
			h.missed = true
		}
	case h.live.len() < maxLive && h.samples+n <= maxLiveSamples:
		h.live.push(r)
		h.samples += n
	default:
		h.missed = true
	}
	h.mu.Unlock()
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// remember notes the newest values. The caller holds mu.
func (h *handover) remember(b *plant.Batch) {
	for i := range b.Samples {
		s := &b.Samples[i]
		if l := h.of(s.Tag); !l.set || s.Time >= l.time {
			*l = last{time: s.Time, quality: s.Quality, number: s.Value, set: true}
		}
	}
	for i := range b.States {
		s := &b.States[i]
		if l := h.of(s.Tag); !l.set || s.Time >= l.time {
			*l = last{time: s.Time, quality: s.Quality, text: s.Value, set: true, isText: true}
		}
	}
}

// of is the place of a tag. Handles are small: the queue counts them from 1.
func (h *handover) of(tag plant.TagID) *last {
	for int(tag) >= len(h.last) {
		h.last = append(h.last, make([]last, int(tag)+1-len(h.last))...)
	}
	return &h.last[tag]
}

// lastOf returns the newest value of a tag.
func (h *handover) lastOf(tag plant.TagID) last {
	h.mu.Lock()
	defer h.mu.Unlock()
	if int(tag) >= len(h.last) {
		return last{}
	}
	return h.last[tag]
}

// begin lets records in; what came before is in the backlog.
func (h *handover) begin() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open, h.missed = true, false
}

// close lets no record in and forgets those that wait: the backlog has them.
func (h *handover) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open = false
	h.findings, h.live, h.waves, h.samples = fifo{}, fifo{}, fifo{}, 0
}

// take returns the next record of a lane, or nil.
func (h *handover) take(lane queue.Lane) *queue.Record {
	h.mu.Lock()
	defer h.mu.Unlock()
	from := &h.live
	switch lane {
	case queue.Findings:
		from = &h.findings
	case queue.Waveforms:
		from = &h.waves
	}
	if from.len() == 0 {
		return nil
	}
	r := from.pop()
	h.samples -= len(r.Batch.Samples) + len(r.Batch.States)
	return r
}

// takeMissed reports, once, that a record was not taken.
func (h *handover) takeMissed() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	missed := h.missed
	h.missed = false
	return missed
}

// liveRate is about how many samples a second are offered.
func (h *handover) liveRate(now time.Time) float64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.rate.at(now)
}

// rate is a count per second. It follows a rise within seconds and a fall within
// minutes: when a PLC falls silent, what is queued of it must still drain.
type rate struct {
	perSecond float64
	since     time.Time
	count     int
}

const (
	rateStep = time.Second
	rateRise = 2 * time.Second
	rateFall = 2 * time.Minute
)

func (r *rate) add(n int, now time.Time) {
	r.at(now)
	r.count += n
}

func (r *rate) at(now time.Time) float64 {
	if r.since.IsZero() {
		r.since = now
	}
	d := now.Sub(r.since)
	if d < rateStep {
		return r.perSecond
	}
	fresh, over := float64(r.count)/d.Seconds(), rateFall
	if fresh > r.perSecond {
		over = rateRise
	}
	r.perSecond += min(1, float64(d)/float64(over)) * (fresh - r.perSecond)
	r.since, r.count = now, 0
	return r.perSecond
}
