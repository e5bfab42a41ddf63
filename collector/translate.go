package collector

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

// translator makes one batch of each notification. It is used by one goroutine
// and allocates nothing per value once its batch has grown.
type translator struct {
	tags  []plant.Tag
	index map[uint32]int // client handle (the TagID) → position in tags
	tracks
	unpacker
	batch plant.Batch
	made  uint64 // number of the batch in the making
	slots []slot
	queue []uint32 // that the server granted; 0 or 1: not known, or nothing to be seen by it
	runs  []run
	bands []*band // by position, nil without a deadband
	// Since another server took over: whether its queue went back to the last
	// value, by position, and its time then, ns UTC.
	overlap []bool
	present int64
	names   []texts   // by position, nil where numbers have none
	cycle   uint64    // number of the server's publishing cycle
	cycAt   time.Time // PublishTime of its messages

	cyclic []int   // positions of the cyclic tags
	heard  []int64 // when the newest value of a tag arrived, ns UTC, 0 never

	received   uint64 // values handed on, or within a deadband
	overflows  uint64 // values with the overflow bit
	merged     uint64 // values that gave way to a later one of the same tag and ms
	mismatched uint64 // values of a type that the tag cannot hold
	strangers  uint64 // values for a handle that is none of ours
	thinned    uint64 // values within their tag's deadband, not handed on

	spilled []uint64 // overflows by position

	wrong  map[int]string                                               // position → what came instead, while it does
	gone   map[int]plant.Quality                                        // positions whose nodes the server has no more, until they are dealt with
	dirty  bool                                                         // a gap was opened that the state file does not know
	missed func(i int, from, to int64, why reason) bool                 // takes what the server's history may give; nil: none has any
	events func(list []*ua.EventFieldList, cycle uint64, arrived int64) // takes events; may add findings to the batch; nil: nobody wants them
	beat   func(v *ua.DataValue)                                        // takes a value of the server's clock; nil: nobody asked for it
	quiet  int64                                                        // when the last notification arrived before the gaps were opened, ns UTC, 0 unknown
	top    int64                                                        // newest source time then

	gate gate
}

// maxText bounds a text, in bytes: 200 of them go into one message of the edge, and
// one that is too large for the broker would hold up all after it.
const maxText = 32 << 10

// slot is where the newest value of a tag stands in the batch in the making.
type slot struct {
	made uint64
	pos  int
	at   int64 // its source time
}

// run is what one publishing cycle brought of a tag.
type run struct {
	cycle  uint64
	n      uint32
	before int64 // last value before the cycle
	first  int64
	told   bool // the overflow bit was set
}

func newTranslator(tags []plant.Tag) *translator {
	t := &translator{tags: tags, index: make(map[uint32]int, len(tags)), tracks: newTracks(len(tags)),
		slots: make([]slot, len(tags)), queue: make([]uint32, len(tags)), runs: make([]run, len(tags)), overlap: make([]bool, len(tags)),
		bands: newBands(tags), names: make([]texts, len(tags)), heard: make([]int64, len(tags)), spilled: make([]uint64, len(tags)), wrong: map[int]string{}, gone: map[int]plant.Quality{}, top: noTime,
		gate: newGate(len(tags))}
	for i := range tags {
		t.index[uint32(tags[i].ID)] = i
		if tags[i].Cyclic {
			t.cyclic = append(t.cyclic, i)
		}
	}
	t.unpacker = newUnpacker(tags)
	return t
}

// translate fills t.batch with the values of m. lost is a bad status with which
// the server ended the subscription (StatusChangeNotification), else 0.
func (t *translator) translate(m message) (lost ua.StatusCode) {
	t.begin()
	if m.PublishTime.IsZero() || !m.PublishTime.Equal(t.cycAt) {
		t.cycle++
		t.cycAt = m.PublishTime
	}
	for _, x := range m.NotificationData {
		if x == nil {
			continue
		}
		switch n := x.Value.(type) {
		case *ua.DataChangeNotification:
			for _, item := range n.MonitoredItems {
				t.value(item, m.at)
			}
		case *ua.EventNotificationList:
			if t.events != nil {
				t.events(n.Events, t.cycle, m.at)
			}
		case *ua.StatusChangeNotification:
			lost = n.Status
		}
	}
	return lost
}

// begin starts an empty batch.
func (t *translator) begin() {
	t.batch.Reset()
	t.made++
}

func (t *translator) value(item *ua.MonitoredItemNotification, arrived int64) {
	if item == nil || item.Value == nil {
		return
	}
	i, ok := t.index[item.ClientHandle]
	switch {
	case ok:
	case item.ClientHandle == pulseHandle && t.beat != nil:
		t.beat(item.Value)
		return
	default:
		t.strangers++
		return
	}
	if p := t.plans[i]; p != nil {
		t.structure(p, item.Value, arrived)
		return
	}
	t.take(i, item.Value, arrived)
}

// take translates a value of tag i.
func (t *translator) take(i int, v *ua.DataValue, arrived int64) {
	t.heard[i] = arrived
	q := plant.Quality(v.Status)
	overflow := q.Overflow()
	q = q.WithoutInfo()
	if q == plant.BadWaitingForInitialData {
		return // the state of an item that has no value yet, not a value
	}
	if q == plant.Quality(ua.StatusBadNodeIDInvalid) || q == plant.Quality(ua.StatusBadNodeIDUnknown) {
		// The state of an item that is dead from now on.
		t.gone[i] = q
		if t.open(i, nodeGone) {
			t.dirty = true
		}
		return
	}
	if t.stop(i, v, arrived) {
		return
	}
	at := sourceTime(v, arrived)
	if t.repeated(i, at, q.IsGood()) {
		return
	}
	tag := t.tags[i].ID
	if t.tags[i].Kind == plant.Text {
		s, ok := t.names[i].text(v.Value)
		if !ok {
			t.mismatch(i, v.Value)
			return
		}
		if len(s) > maxText {
			t.unfit(i, fmt.Sprintf("sends a text of %d bytes, allowed are %d", len(s), maxText))
			return
		}
		t.gaps(tag, i, at, arrived, overflow)
		t.state(i, plant.State{Tag: tag, Quality: nullQuality(q, v.Value), Time: at, Value: s})
		return
	}
	if t.tags[i].Kind == plant.Burst {
		w, why := toWaveform(&t.tags[i], v.Value)
		if why != "" {
			t.unfit(i, why)
			return
		}
		if w.Time, w.Quality = at, q; len(w.Values) == 0 && q.IsGood() {
			w.Quality = plant.BadNoData
		}
		t.gaps(tag, i, at, arrived, overflow)
		t.waveform(i, w)
		return
	}
	f, ok := number(v.Value)
	if !ok {
		t.mismatch(i, v.Value)
		return
	}
	q = nullQuality(q, v.Value)
	fresh := overflow || t.reason[i] != noGap
	t.gaps(tag, i, at, arrived, overflow)
	if b := t.bands[i]; b != nil && b.holds(f, q, at, fresh) {
		t.thinned++
		return
	}
	t.sample(i, plant.Sample{Tag: tag, Quality: q, Time: at, Value: scaled(&t.tags[i], v.Value, f)})
}

// gaps closes what was open before this value, or declares what the server's
// queue dropped: the bit stands on the first value after the hole.
func (t *translator) gaps(tag plant.TagID, i int, at, arrived int64, overflow bool) {
	if len(t.wrong) > 0 {
		delete(t.wrong, i)
	}
	if t.reason[i] == failedOver && t.overlap[i] {
		t.reason[i] = noGap // the queue of this server went back to the last value
	}
	if overflow {
		t.overflows++
		t.spilled[i]++
		if t.reason[i] == noGap {
			t.lose(i, at, overflowed)
		}
	}
	if t.reason[i] != noGap && at < t.last[i] {
		t.setBack(tag, i, at, arrived)
	}
	t.close(i, at)
	t.full(i, at, overflow)
	t.last[i] = at
	t.received++
	if b := t.bands[i]; b != nil && b.remade && t.open(i, heldBack) {
		t.dirty = true
	}
}

// full finds queues that ran over without a sign, as those of some servers do:
// when as many values of a tag come at once as its queue holds, and the first of
// them comes later than they follow each other, there may have been more. Where
// there were not, the gap has no sample in it.
func (t *translator) full(i int, at int64, overflow bool) {
	r := &t.runs[i]
	if r.cycle != t.cycle {
		*r = run{cycle: t.cycle, before: t.last[i], first: at}
	}
	r.n++
	r.told = r.told || overflow
	if r.n != t.queue[i] || r.n < 2 || r.told {
		return
	}
	if t.tags[i].Discard == plant.DiscardNewest && r.n > 2 {
		// The hole lies before the last value, if the server heeds that.
		if pace := (t.last[i] - r.first) / int64(r.n-2); at-t.last[i] > pace+pace/4 {
			t.lose(i, at, overflowed)
			return
		}
	}
	if pace := (at - r.first) / int64(r.n-1); r.first-r.before <= pace+pace/4 {
		return // a queue that is just long enough
	}
	now := t.last[i]
	t.last[i] = r.before
	t.lose(i, r.first, overflowed)
	t.last[i] = now
}

// close ends the open gap of tag i before the source time `to`.
func (t *translator) close(i int, to int64) {
	why := t.reason[i]
	t.reason[i] = noGap
	t.lose(i, to, why)
}

// lose says that what lies between the last value of tag i and `to` is missing.
func (t *translator) lose(i int, to int64, why reason) {
	from := t.last[i] + oneMilli
	if why == noGap || t.last[i] == noTime || from >= to || t.missed != nil && t.missed(i, from, to, why) {
		return
	}
	t.batch.Gaps = append(t.batch.Gaps, plant.Gap{Tag: t.tags[i].ID, From: from, To: to, Reason: why.String()})
}

// setBack declares what was lost while the clock of the source was set back: it
// has the times of the old clock after the last value and those of the new one
// before this value, each at most as long as nothing was heard.
func (t *translator) setBack(tag plant.TagID, i int, at, arrived int64) {
	quiet := t.quiet
	if quiet == 0 {
		quiet = min(t.top, arrived) // a process before this one heard it
	}
	away := plant.Millis(max(0, arrived-quiet)) + setBackMargin
	why := t.reason[i].String()
	t.batch.Gaps = appendGap(t.batch.Gaps, tag, t.last[i], max(t.last[i], t.top)+away, why)
	t.batch.Gaps = appendGap(t.batch.Gaps, tag, at-away, at, why)
}

// place says where a value of tag i goes in a list of n: to the end, or in place
// of the one of the same ms, which it replaces.
func (t *translator) place(i int, at int64, n int) (pos int, again bool) {
	p := &t.slots[i]
	if p.made == t.made && p.at == at {
		t.merged++
		return p.pos, true
	}
	*p = slot{t.made, n, at}
	return n, false
}

func (t *translator) sample(i int, s plant.Sample) {
	if pos, again := t.place(i, s.Time, len(t.batch.Samples)); again {
		t.batch.Samples[pos] = s
		return
	}
	t.batch.Samples = append(t.batch.Samples, s)
}

func (t *translator) state(i int, s plant.State) {
	if pos, again := t.place(i, s.Time, len(t.batch.States)); again {
		t.batch.States[pos] = s
		return
	}
	t.batch.States = append(t.batch.States, s)
}

func (t *translator) mismatch(i int, v *ua.Variant) {
	what := ""
	if _, known := t.wrong[i]; !known {
		what = fmt.Sprintf("sends %s, the tag is %s", variantName(v), kindName(t.tags[i].Kind))
	}
	t.unfit(i, what)
}

// unfit says that what came is no value of tag i.
func (t *translator) unfit(i int, what string) {
	t.mismatched++
	if _, known := t.wrong[i]; !known {
		t.wrong[i] = what
	}
	if t.open(i, wrongType) {
		t.dirty = true
	}
}

// sourceTime is the time of a value in whole ms: the source's, where that is
// missing or absurd the server's, at last that of arrival.
func sourceTime(v *ua.DataValue, arrived int64) int64 {
	for _, t := range [...]time.Time{v.SourceTimestamp, v.ServerTimestamp} {
		if ns := instant(t); ns > 0 && !tooFar(ns, arrived) {
			return plant.Millis(ns)
		}
	}
	return plant.Millis(arrived)
}

// number converts what a numeric tag may hold. A null value, which goes with a
// bad status, is NaN.
func number(v *ua.Variant) (float64, bool) {
	if v == nil {
		return math.NaN(), true
	}
	switch x := v.Value().(type) {
	case nil:
		return math.NaN(), true
	case float64:
		return x, true
	case float32:
		return float64(x), true
	case bool:
		if x {
			return 1, true
		}
		return 0, true
	case int8:
		return float64(x), true
	case uint8:
		return float64(x), true
	case int16:
		return float64(x), true
	case uint16:
		return float64(x), true
	case int32:
		return float64(x), true
	case uint32:
		return float64(x), true
	case int64:
		return float64(x), true
	case uint64:
		return float64(x), true
	}
	return 0, false
}

// text converts what a text tag may hold: strings as they are, numbers by their
// names, those without one in decimal.
func (t texts) text(v *ua.Variant) (string, bool) {
	if v == nil {
		return "", true
	}
	switch x := v.Value().(type) {
	case nil:
		return "", true
	case string:
		return x, true
	case *ua.LocalizedText:
		if x == nil {
			return "", true
		}
		return x.Text, true
	}
	if s, ok := t.name(v); ok {
		return s, true
	}
	if f, ok := number(v); ok {
		return strconv.FormatFloat(f, 'g', -1, 64), true
	}
	return "", false
}

// nullQuality makes a null value that the server calls good say that it is none.
func nullQuality(q plant.Quality, v *ua.Variant) plant.Quality {
	if q.IsGood() && (v == nil || v.Value() == nil) {
		return plant.BadNoData
	}
	return q
}

func variantName(v *ua.Variant) string {
	if v == nil {
		return "nothing"
	}
	if _, ok := v.Value().(*ua.ExtensionObject); ok {
		return "a structure, of which the column field names a part"
	}
	if v.Has(ua.VariantArrayValues) {
		return fmt.Sprintf("an array of %d", v.ArrayLength())
	}
	return fmt.Sprintf("%T", v.Value())
}

func kindName(k plant.Kind) string {
	if k == "" {
		return string(plant.Analog)
	}
	return string(k)
}
