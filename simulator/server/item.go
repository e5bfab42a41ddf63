package server

import (
	"math"
	"time"

	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

// filter is a DataChangeFilter (OPC 10000-4, 7.22.2). A percent deadband is
// kept as the absolute one that it amounts to.
type filter struct {
	trigger  ua.DataChangeTrigger
	deadband float64 // 0 none
}

// passes compares a value with the last one that passed.
func (f filter) passes(last, v *entry) bool {
	if last.status != v.status {
		return true
	}
	if f.trigger == ua.DataChangeTriggerStatus {
		return false
	}
	if f.deadband > 0 {
		if math.IsNaN(last.number) || math.IsNaN(v.number) {
			return !last.sameValue(v)
		}
		return math.Abs(last.number-v.number) > f.deadband || last.null != v.null
	}
	if !last.sameValue(v) {
		return true
	}
	return f.trigger == ua.DataChangeTriggerStatusValueTimestamp && last.source != v.source
}

// ring is a queue that grows to what it needs.
type ring struct {
	buf     []entry
	head, n int
}

const ringKept = 256 // a larger ring gives its memory back when it is empty

func (r *ring) at(i int) *entry { return &r.buf[(r.head+i)%len(r.buf)] }

func (r *ring) push(v entry) {
	if r.n == len(r.buf) {
		grown := make([]entry, max(1, 2*r.n))
		for i := range r.n {
			grown[i] = *r.at(i)
		}
		r.buf, r.head = grown, 0
	}
	r.n++
	*r.at(r.n - 1) = v
}

func (r *ring) drop() {
	*r.at(0) = entry{}
	r.head = (r.head + 1) % len(r.buf)
	r.n--
	if r.n == 0 && len(r.buf) > ringKept {
		r.buf, r.head = nil, 0
	}
}

// item is a monitored item. The engine's lock guards it.
type item struct {
	id       uint32
	handle   uint32
	sub      *subscription
	variable int                       // index, or -1
	read     func(now time.Time) entry // value of a standard node, where variable is -1
	typ      DataType                  // how entries are encoded
	mode     ua.MonitoringMode
	stamps   ua.TimestampsToReturn
	sampling time.Duration // revised; 0 = every Write
	static   bool          // the value never changes: no sampling
	attr     ua.AttributeID
	filter   filter
	size     int  // revised queue size
	oldest   bool // discardOldest

	queue   ring
	last    entry // last value that passed the filter
	hasLast bool
	seen    uint64 // version of the variable last looked at
	ready   bool   // in sub.ready
	slot    int    // index in the list of its variable or sampler, -1 none
	sampler *sampler
}

// sampler looks at its items once per period.
type sampler struct {
	timer *timer
	items []*item
}

// offer applies the filter to the variable's present value.
func (e *engine) offer(it *item, v *entry) {
	if it.variable >= 0 {
		it.seen = e.vars[it.variable].version
	}
	if it.hasLast && !it.filter.passes(&it.last, v) {
		return
	}
	e.accept(it, v)
}

// accept puts a value into the item's queue and, once per written value, into
// the log of what was offered.
func (e *engine) accept(it *item, v *entry) {
	it.last, it.hasLast = *v, true
	e.enqueue(it, v)
	if e.spoil&Duplicates != 0 {
		e.enqueue(it, v)
	}
	if it.variable >= 0 {
		e.log(it.variable, v)
	}
}

// log notes that a client can get to know the value v of a variable.
func (e *engine) log(index int, v *entry) {
	x := &e.vars[index]
	if e.offered == nil || x.logged == x.version || x.version == 0 {
		return
	}
	x.logged = x.version
	x.seq++
	e.batch = append(e.batch, Value{
		Var: index, Time: v.source, Quality: v.status, Number: v.number, Text: v.text, Wave: v.wave, Seq: x.seq,
	})
}

// enqueue applies the discard policy of OPC 10000-4, 5.13.1.5: the overflow bit
// goes to the value beside the hole, and never with a queue of one.
func (e *engine) enqueue(it *item, v *entry) {
	q := &it.queue
	switch {
	case q.n < it.size && (q.n == 0 || e.queued < e.limits.MaxQueued):
		q.push(*v)
		e.queued++
	case it.oldest || it.size == 1:
		q.drop()
		q.push(*v)
		if it.size > 1 {
			q.at(0).status = q.at(0).status.WithOverflow()
		}
	default:
		*q.at(q.n - 1) = *v
		q.at(q.n - 1).status = v.status.WithOverflow()
	}
	if it.mode == ua.MonitoringModeReporting && !it.ready {
		it.ready = true
		it.sub.ready = append(it.sub.ready, it)
	}
}

// pop takes the oldest value; the queue must not be empty.
func (e *engine) pop(it *item) { it.queue.drop(); e.queued-- }

// resize changes the queue size and discards what no longer fits.
func (e *engine) resize(it *item, size int) {
	it.size = size
	q := &it.queue
	if q.n <= size {
		return
	}
	var newest entry
	if !it.oldest {
		newest = *q.at(q.n - 1)
		for q.n > size {
			q.n--
			e.queued--
		}
		*q.at(q.n - 1) = newest
		if size > 1 {
			q.at(q.n - 1).status = newest.status.WithOverflow()
		}
		return
	}
	for q.n > size {
		e.pop(it)
	}
	if size > 1 {
		q.at(0).status = q.at(0).status.WithOverflow()
	}
}

func (e *engine) clearQueue(it *item) {
	e.queued -= it.queue.n
	it.queue = ring{}
}

// current is what the item reads now.
func (e *engine) current(it *item, now time.Time) entry {
	if it.variable < 0 {
		return it.read(now)
	}
	x := &e.vars[it.variable]
	if x.version == 0 {
		ns := e.stamp(now).UnixNano()
		return entry{null: true, status: plant.BadWaitingForInitialData, source: ns, server: ns}
	}
	v := x.last
	v.server = e.stamp(now).UnixNano()
	return v
}

// watch connects an item that is not disabled to its source of values.
func (e *engine) watch(it *item) {
	if it.slot >= 0 || it.mode == ua.MonitoringModeDisabled || it.static {
		return
	}
	if it.sampling == 0 {
		x := &e.vars[it.variable]
		it.slot = len(x.items)
		x.items = append(x.items, it)
		return
	}
	s := e.samplers[it.sampling]
	if s == nil {
		s = &sampler{}
		s.timer = e.every(it.sampling, func(now time.Time) { e.sample(s, now) })
		e.samplers[it.sampling] = s
	}
	it.sampler, it.slot = s, len(s.items)
	s.items = append(s.items, it)
}

func (e *engine) unwatch(it *item) {
	if it.slot < 0 {
		return
	}
	list := &e.noItems
	switch {
	case it.sampler != nil:
		list = &it.sampler.items
	case it.variable >= 0:
		list = &e.vars[it.variable].items
	}
	last := len(*list) - 1
	(*list)[it.slot] = (*list)[last]
	(*list)[it.slot].slot = it.slot
	(*list)[last] = nil
	*list = (*list)[:last]
	it.slot = -1
	if s := it.sampler; s != nil {
		it.sampler = nil
		if len(s.items) == 0 {
			e.stopTimer(s.timer)
			delete(e.samplers, it.sampling)
		}
	}
}

func (e *engine) sample(s *sampler, now time.Time) {
	for _, it := range s.items {
		if it.variable >= 0 && (e.vars[it.variable].version == it.seen) {
			continue
		}
		v := e.current(it, now)
		e.offer(it, &v)
	}
	e.flush()
}

// setMode changes the monitoring mode (OPC 10000-4, 5.13.1.3): disabling
// empties the queue, enabling takes a first value, reporting releases what was
// sampled.
func (e *engine) setMode(it *item, mode ua.MonitoringMode, now time.Time) {
	was := it.mode
	if was == mode {
		return
	}
	it.mode = mode
	if it.variable >= 0 {
		e.countReporting(it.variable, was, mode)
	}
	switch {
	case mode == ua.MonitoringModeDisabled:
		e.unwatch(it)
		e.clearQueue(it)
		it.hasLast = false
	case was == ua.MonitoringModeDisabled:
		e.watch(it)
		e.first(it, now)
	case mode == ua.MonitoringModeReporting && it.queue.n > 0 && !it.ready:
		it.ready = true
		it.sub.ready = append(it.sub.ready, it)
	}
}

// first takes the value that a new or newly enabled item starts with.
func (e *engine) first(it *item, now time.Time) {
	v := e.current(it, now)
	it.hasLast = false
	e.offer(it, &v)
}

func (e *engine) countReporting(variable int, was, is ua.MonitoringMode) {
	n := &e.vars[variable].reporting
	if was == ua.MonitoringModeReporting {
		if *n--; *n == 0 {
			e.monitored--
		}
	}
	if is == ua.MonitoringModeReporting {
		if *n++; *n == 1 {
			e.monitored++
		}
	}
}

// removeItem forgets an item and what it had queued.
func (e *engine) removeItem(it *item) {
	e.unwatch(it)
	e.clearQueue(it)
	if it.variable >= 0 {
		e.countReporting(it.variable, it.mode, ua.MonitoringModeDisabled)
	}
	it.mode = ua.MonitoringModeDisabled
	delete(it.sub.items, it.id)
	e.items--
}
