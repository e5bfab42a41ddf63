package collector

import (
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

// at is a time in ms with µs to cut.
func at(ms int64) time.Time { return time.UnixMilli(ms).Add(789 * time.Microsecond) }

func value(handle uint32, v any, status ua.StatusCode, source time.Time) *ua.MonitoredItemNotification {
	d := &ua.DataValue{Status: status, SourceTimestamp: source}
	if v != nil {
		d.Value = ua.MustVariant(v)
	}
	return &ua.MonitoredItemNotification{ClientHandle: handle, Value: d}
}

func dataChange(n uint32, items ...*ua.MonitoredItemNotification) message {
	return message{&ua.NotificationMessage{SequenceNumber: n, NotificationData: []*ua.ExtensionObject{
		{Value: &ua.DataChangeNotification{MonitoredItems: items}}}}, int64(9_000_000 * oneMilli)}
}

const (
	overflow = ua.StatusCode(0x480)
	noData   = ua.StatusCode(plant.BadNoCommunication)
)

func TestTranslate(t *testing.T) {
	tags := []plant.Tag{{ID: 7, Path: "a"}, {ID: 9, Path: "b", Kind: plant.Text}, {ID: 1 << 31, Path: "c", Kind: plant.Discrete}}
	ms := func(n int64) int64 { return n * oneMilli }
	type want struct {
		samples []plant.Sample
		states  []plant.State
		gaps    []plant.Gap
	}
	cases := []struct {
		name  string
		items []*ua.MonitoredItemNotification
		want  want
	}{
		{"cut to ms", []*ua.MonitoredItemNotification{value(7, 1.5, 0, at(1000))},
			want{samples: []plant.Sample{{Tag: 7, Time: ms(1000), Value: 1.5}}}},
		{"one value per ms, the last", []*ua.MonitoredItemNotification{value(7, 1.0, 0, at(1001)), value(7, 2.0, 0, at(1001)), value(7, 3.0, 0, at(1002))},
			want{samples: []plant.Sample{{Tag: 7, Time: ms(1001), Value: 2}, {Tag: 7, Time: ms(1002), Value: 3}}}},
		{"types", []*ua.MonitoredItemNotification{value(1<<31, true, 0, at(2000)), value(1<<31, int16(-3), 0, at(2001)), value(1<<31, uint64(1<<53), 0, at(2002)),
			value(1<<31, float32(0.5), 0, at(2003))},
			want{samples: []plant.Sample{{Tag: 1 << 31, Time: ms(2000), Value: 1}, {Tag: 1 << 31, Time: ms(2001), Value: -3},
				{Tag: 1 << 31, Time: ms(2002), Value: 1 << 53}, {Tag: 1 << 31, Time: ms(2003), Value: 0.5}}}},
		{"text", []*ua.MonitoredItemNotification{value(9, "rolling", 0, at(1000)), value(9, ua.NewLocalizedText("idle"), 0, at(1001)), value(9, int32(4), 0, at(1002))},
			want{states: []plant.State{{Tag: 9, Time: ms(1000), Value: "rolling"}, {Tag: 9, Time: ms(1001), Value: "idle"}, {Tag: 9, Time: ms(1002), Value: "4"}}}},
		{"overflow is a gap up to the value", []*ua.MonitoredItemNotification{value(7, 4.0, overflow, at(1010)), value(7, 5.0, overflow, at(1011))},
			want{samples: []plant.Sample{{Tag: 7, Time: ms(1010), Value: 4}, {Tag: 7, Time: ms(1011), Value: 5}},
				gaps: []plant.Gap{{Tag: 7, From: ms(1003), To: ms(1010), Reason: plant.GapOverflow}}}},
		{"waiting is no value", []*ua.MonitoredItemNotification{value(7, nil, ua.StatusBadWaitingForInitialData, at(1020))}, want{}},
		{"a stranger", []*ua.MonitoredItemNotification{value(8, 1.0, 0, at(1020)), nil, {ClientHandle: 7}}, want{}},
		{"bad without a value", []*ua.MonitoredItemNotification{value(7, nil, noData, at(1030)), value(9, nil, 0, at(1030))},
			want{samples: []plant.Sample{{Tag: 7, Quality: plant.BadNoCommunication, Time: ms(1030), Value: math.NaN()}},
				states: []plant.State{{Tag: 9, Quality: plant.BadNoData, Time: ms(1030)}}}},
		{"no source time", []*ua.MonitoredItemNotification{{ClientHandle: 7, Value: &ua.DataValue{Value: ua.MustVariant(6.0), ServerTimestamp: at(1040)}}, value(9, "x", 0, time.Time{})},
			want{samples: []plant.Sample{{Tag: 7, Time: ms(1040), Value: 6}}, states: []plant.State{{Tag: 9, Time: ms(9_000_000), Value: "x"}}}},
		{"the wrong type is not taken", []*ua.MonitoredItemNotification{value(7, "oops", 0, at(1050)), value(7, []float64{1}, 0, at(1060)), value(9, []string{"x"}, 0, at(9_000_001))}, want{}},
		{"and declared when the right one comes", []*ua.MonitoredItemNotification{value(7, 7.0, 0, at(1070))},
			want{samples: []plant.Sample{{Tag: 7, Time: ms(1070), Value: 7}}, gaps: []plant.Gap{{Tag: 7, From: ms(1041), To: ms(1070), Reason: GapWrongType}}}},
		{"a time of the year 9999", []*ua.MonitoredItemNotification{{ClientHandle: 7, Value: &ua.DataValue{Value: ua.MustVariant(6.0),
			SourceTimestamp: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), ServerTimestamp: at(1080)}}},
			want{samples: []plant.Sample{{Tag: 7, Time: ms(1080), Value: 6}}}},
	}
	tr := newTranslator(tags)
	for _, c := range cases {
		if lost := tr.translate(dataChange(1, c.items...)); lost != 0 {
			t.Errorf("%s: lost %v", c.name, lost)
		}
		got := want{tr.batch.Samples, tr.batch.States, tr.batch.Gaps}
		if !same(got.samples, c.want.samples) || !same(got.states, c.want.states) || !same(got.gaps, c.want.gaps) {
			t.Errorf("%s:\n got %+v\nwant %+v", c.name, got, c.want)
		}
	}
	if tr.overflows != 2 || tr.merged != 1 || tr.strangers != 1 || tr.mismatched != 3 || len(tr.wrong) != 1 {
		t.Errorf("overflows %d, merged %d, strangers %d, mismatched %d, wrong %v", tr.overflows, tr.merged, tr.strangers, tr.mismatched, tr.wrong)
	}
	m := message{&ua.NotificationMessage{NotificationData: []*ua.ExtensionObject{nil, {Value: &ua.StatusChangeNotification{Status: ua.StatusBadTimeout}}}}, 0}
	if lost := tr.translate(m); lost != ua.StatusBadTimeout {
		t.Errorf("status change: %v", lost)
	}
}

// TestClockSetBack: while nothing was heard the source's clock was set back, so
// what was lost has times of either clock.
func TestClockSetBack(t *testing.T) {
	ms := func(n int64) int64 { return n * oneMilli }
	tr := newTranslator([]plant.Tag{{ID: 7, Path: "a"}, {ID: 8, Path: "unchanged"}})
	tr.translate(dataChange(1, value(7, 1.0, 0, at(8_000_000)), value(8, 1.0, 0, at(7_000_000))))
	tr.open(0, serverDown)
	tr.open(1, serverDown)
	tr.top, tr.quiet = ms(8_000_000), ms(9_000_000)-10*int64(time.Second)
	tr.translate(dataChange(1, value(7, 2.0, 0, at(5_000_000)), value(8, 1.0, 0, at(7_000_000))))
	away := 10*int64(time.Second) + setBackMargin
	want := []plant.Gap{{Tag: 7, From: ms(8_000_001), To: ms(8_000_000) + away, Reason: plant.GapServerDown},
		{Tag: 7, From: ms(5_000_001) - away, To: ms(5_000_000), Reason: plant.GapServerDown}}
	if !same(tr.batch.Gaps, want) {
		t.Errorf("got %+v, want %+v", tr.batch.Gaps, want)
	}
}

// TestFullQueue: as many values at once as the queue holds may be all that is
// left of more.
func TestFullQueue(t *testing.T) {
	tr := newTranslator([]plant.Tag{{ID: 7, Path: "a"}})
	tr.queue[0] = 3
	cycle := func(publish int64, ms ...int64) []plant.Gap {
		m := dataChange(1)
		m.NotificationData = nil
		m.PublishTime = time.UnixMilli(publish)
		for _, x := range ms {
			m.NotificationData = append(m.NotificationData, &ua.ExtensionObject{Value: &ua.DataChangeNotification{
				MonitoredItems: []*ua.MonitoredItemNotification{value(7, 1.0, 0, at(x))}}})
		}
		tr.translate(m)
		return tr.batch.Gaps
	}
	var none []plant.Gap
	gap := func(from, to int64) []plant.Gap {
		return []plant.Gap{{Tag: 7, From: from * oneMilli, To: to * oneMilli, Reason: plant.GapOverflow}}
	}
	for _, c := range []struct {
		publish int64
		values  []int64
		want    []plant.Gap
	}{
		{1000, []int64{1000}, none},
		{1100, []int64{1050, 1090}, none},
		{1200, []int64{1200}, none},
		{1300, []int64{1300, 1400, 1500}, none}, // just long enough
		{9000, []int64{8700, 8800, 8900}, gap(1501, 8700)},
		{9900, []int64{9700}, none}, // a cycle in two messages
		{9900, []int64{9800, 9850}, gap(8901, 9700)},
	} {
		if got := cycle(c.publish, c.values...); !same(got, c.want) {
			t.Errorf("%v: got %v, want %v", c.values, got, c.want)
		}
	}
}

// TestNodeGone: the server's word that a node is no more is no value, and what
// happens until it is back is declared.
func TestNodeGone(t *testing.T) {
	tr := newTranslator([]plant.Tag{{ID: 7, Path: "a"}})
	tr.translate(dataChange(1, value(7, 1.0, 0, at(1000)), value(7, nil, ua.StatusBadNodeIDInvalid, at(1010))))
	if len(tr.batch.Samples) != 1 || len(tr.gone) != 1 || !tr.dirty {
		t.Errorf("%+v, gone %v", tr.batch, tr.gone)
	}
	tr.translate(dataChange(2, value(7, 2.0, 0, at(2000))))
	if want := []plant.Gap{{Tag: 7, From: 1001 * oneMilli, To: 2000 * oneMilli, Reason: GapNodeGone}}; !same(tr.batch.Gaps, want) {
		t.Errorf("got %+v", tr.batch.Gaps)
	}
}

// same compares with NaN equal to NaN and nil equal to empty.
func same[T any](a, b []T) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		x, y := any(a[i]), any(b[i])
		if s, ok := x.(plant.Sample); ok && math.IsNaN(s.Value) {
			z := y.(plant.Sample)
			if !math.IsNaN(z.Value) {
				return false
			}
			s.Value, z.Value = 0, 0
			x, y = s, z
		}
		if !reflect.DeepEqual(x, y) {
			return false
		}
	}
	return true
}

func bigNotification(n int) ([]plant.Tag, message) {
	tags := make([]plant.Tag, n)
	items := make([]*ua.MonitoredItemNotification, n)
	for i := range tags {
		tags[i] = plant.Tag{ID: plant.TagID(i + 1)}
		items[i] = value(uint32(i+1), float64(i), 0, at(int64(i)+1000))
	}
	return tags, dataChange(1, items...)
}

func TestTranslateAllocates(t *testing.T) {
	tags, m := bigNotification(1000)
	tr := newTranslator(tags)
	tr.translate(m)
	if n := testing.AllocsPerRun(100, func() { tr.translate(m) }); n != 0 {
		t.Errorf("%v allocations for 1000 values", n)
	}
}

func BenchmarkTranslate(b *testing.B) {
	tags, m := bigNotification(1000)
	tr := newTranslator(tags)
	b.ReportAllocs()
	for b.Loop() {
		tr.translate(m)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/value")
}

// BenchmarkReceive is the way from the bytes of a Publish answer to a batch.
func BenchmarkReceive(b *testing.B) {
	tags, m := bigNotification(1000)
	for _, x := range m.NotificationData[0].Value.(*ua.DataChangeNotification).MonitoredItems {
		x.Value.ServerTimestamp = x.Value.SourceTimestamp
		x.Value.UpdateMask()
	}
	m.NotificationData[0] = ua.NewExtensionObject(m.NotificationData[0].Value)
	res := &ua.PublishResponse{ResponseHeader: &ua.ResponseHeader{ServiceDiagnostics: &ua.DiagnosticInfo{}, AdditionalHeader: ua.NewExtensionObject(nil)},
		SubscriptionID: 1, NotificationMessage: m.NotificationMessage}
	raw, err := ua.Encode(res)
	if err != nil {
		b.Fatal(err)
	}
	tr := newTranslator(tags)
	b.ReportAllocs()
	for b.Loop() {
		var got ua.PublishResponse
		if _, err := ua.Decode(raw, &got); err != nil {
			b.Fatal(err)
		}
		tr.translate(message{got.NotificationMessage, 0})
	}
	if len(tr.batch.Samples) != 1000 {
		b.Fatalf("%d samples", len(tr.batch.Samples))
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/value")
}
