package server

import (
	"slices"
	"testing"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

func instant(ms int64) time.Time { return time.Unix(0, stamp(ms)).UTC() }

// history asks for raw values of paths, from and to in ms of stamp.
func (p *peer) history(d *ua.ReadRawModifiedDetails, points [][]byte, paths ...string) []*ua.HistoryReadResult {
	p.t.Helper()
	req := &ua.HistoryReadRequest{HistoryReadDetails: ua.NewExtensionObject(d), TimestampsToReturn: ua.TimestampsToReturnBoth}
	for i, path := range paths {
		v := &ua.HistoryReadValueID{NodeID: ua.NewStringNodeID(1, path), DataEncoding: &ua.QualifiedName{}}
		if i < len(points) {
			v.ContinuationPoint = points[i]
		}
		req.NodesToRead = append(req.NodesToRead, v)
	}
	return must[*ua.HistoryReadResponse](p, req).Results
}

// told are the numbers of an answer.
func told(r *ua.HistoryReadResult) []float64 {
	var all []float64
	if d, ok := r.HistoryData.Value.(*ua.HistoryData); ok {
		for _, v := range d.DataValues {
			all = append(all, v.Value.Value().(float64))
		}
	}
	return all
}

// TestHistory: a variable that asks for it gives the last values that it was
// given, in the order of their source times, in pieces of any size.
func TestHistory(t *testing.T) {
	s := start(t, &Server{Variables: []Variable{{Path: "A", History: 6}, {Path: "B"}}}, 0)
	p := dial(t, s.URL(), nil)
	for _, ms := range []int64{10, 20, 30, 40, 60, 50, 50, 70} { // the clock was set back; the first two fall out
		s.Write([]Value{number(0, ms, float64(ms)), number(1, ms, 1)})
	}
	s.Write([]Value{{Var: 0, Time: stamp(80), Quality: plant.BadSensorFailure, Number: 80}})
	// 40 60 50 50 70 80
	for _, c := range []struct {
		name string
		d    ua.ReadRawModifiedDetails
		want []float64
	}{
		{"a range, without its end", ua.ReadRawModifiedDetails{StartTime: instant(50), EndTime: instant(70)}, []float64{50, 50, 60}},
		{"all", ua.ReadRawModifiedDetails{StartTime: instant(0), EndTime: instant(1000)}, []float64{40, 50, 50, 60, 70, 80}},
		{"backward", ua.ReadRawModifiedDetails{StartTime: instant(70), EndTime: instant(40)}, []float64{70, 60, 50, 50}},
		{"one time", ua.ReadRawModifiedDetails{StartTime: instant(60), EndTime: instant(60)}, []float64{60}},
		{"three from", ua.ReadRawModifiedDetails{StartTime: instant(50), NumValuesPerNode: 3}, []float64{50, 50, 60}},
		{"two up to", ua.ReadRawModifiedDetails{EndTime: instant(70), NumValuesPerNode: 2}, []float64{70, 60}},
		{"what has fallen out", ua.ReadRawModifiedDetails{StartTime: instant(0), EndTime: instant(40)}, nil},
	} {
		wanted := c.d.NumValuesPerNode
		for _, n := range []uint32{0, 1, 2, 100} {
			if wanted == 0 {
				c.d.NumValuesPerNode = n
			}
			var got []float64
			var point []byte
			for more := true; more; more = len(point) > 0 {
				r := p.history(&c.d, [][]byte{point}, "A")[0]
				some := told(r)
				if r.StatusCode != ua.StatusOK && (r.StatusCode != ua.StatusGoodNoData || len(c.want) > 0) || len(got) > 10 || n > 0 && len(some) > int(c.d.NumValuesPerNode) {
					t.Fatalf("%s, by %d: %v, %d values", c.name, n, r.StatusCode, len(some))
				}
				got, point = append(got, some...), r.ContinuationPoint
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%s, by %d: got %v, want %v", c.name, n, got, c.want)
			}
		}
	}
	last := p.history(&ua.ReadRawModifiedDetails{EndTime: instant(80), NumValuesPerNode: 1}, nil, "A")[0].HistoryData.Value.(*ua.HistoryData).DataValues[0]
	if last.Status != ua.StatusCode(plant.BadSensorFailure) || !last.SourceTimestamp.Equal(instant(80)) || time.Since(last.ServerTimestamp) > time.Minute {
		t.Errorf("the last value is %+v", last)
	}
	attributes := must[*ua.ReadResponse](p, &ua.ReadRequest{TimestampsToReturn: ua.TimestampsToReturnNeither, NodesToRead: []*ua.ReadValueID{
		{NodeID: ua.NewStringNodeID(1, "A"), AttributeID: ua.AttributeIDHistorizing, DataEncoding: &ua.QualifiedName{}},
		{NodeID: ua.NewStringNodeID(1, "A"), AttributeID: ua.AttributeIDUserAccessLevel, DataEncoding: &ua.QualifiedName{}},
		{NodeID: ua.NewStringNodeID(1, "B"), AttributeID: ua.AttributeIDHistorizing, DataEncoding: &ua.QualifiedName{}},
		{NodeID: ua.NewStringNodeID(1, "B"), AttributeID: ua.AttributeIDAccessLevel, DataEncoding: &ua.QualifiedName{}},
	}}).Results
	for i, want := range []any{true, uint8(5), false, uint8(1)} {
		if got := attributes[i].Value.Value(); got != want {
			t.Errorf("attribute %d is %v, want %v", i, got, want)
		}
	}
}

// TestHistoryWhileWritten: what is written between two answers neither repeats
// nor skips anything that stays.
func TestHistoryWhileWritten(t *testing.T) {
	s := start(t, &Server{Variables: []Variable{{Path: "A", History: 4}}}, 0)
	p := dial(t, s.URL(), nil)
	write := func(list ...int64) {
		for _, ms := range list {
			s.Write([]Value{number(0, ms, float64(ms))})
		}
	}
	write(10, 20, 30, 40)
	d := &ua.ReadRawModifiedDetails{StartTime: instant(0), EndTime: instant(1000), NumValuesPerNode: 2}
	first := p.history(d, nil, "A")[0]
	write(50) // 10 falls out
	second := p.history(d, [][]byte{first.ContinuationPoint}, "A")[0]
	write(60, 70)
	third := p.history(d, [][]byte{second.ContinuationPoint}, "A")[0]
	got := append(append(told(first), told(second)...), told(third)...)
	if want := []float64{10, 20, 30, 40, 50, 60}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestHistoryOffered: what only the history has is offered too, and all of it once.
func TestHistoryOffered(t *testing.T) {
	var offered []float64
	s := start(t, &Server{Variables: []Variable{{Path: "A", History: 4}}, Offered: func(v []Value) {
		for _, x := range v {
			offered = append(offered, x.Number)
		}
	}}, 0)
	p := dial(t, s.URL(), nil)
	s.Write([]Value{number(0, 10, 1), number(0, 20, 2)}) // no item ever has the first
	p.monitor(p.subscribe(50*time.Millisecond, nil), itemRequest("A", 1, 10, nil))
	s.Write([]Value{number(0, 30, 3)})
	if got := p.numbers(2); !slices.Equal(got, []float64{2, 3}) || !slices.Equal(offered, []float64{1, 2, 3}) {
		t.Errorf("sent %v, offered %v", got, offered)
	}
}

func TestHistoryRefused(t *testing.T) {
	s := start(t, &Server{Limits: Limits{MaxNodesPerHistoryRead: 3, MaxHistoryValues: 6},
		Variables: []Variable{{Path: "A", History: 10}, {Path: "B", History: 10}, {Path: "C"}}}, 0)
	p := dial(t, s.URL(), nil)
	for ms := range int64(10) {
		s.Write([]Value{number(0, ms, float64(ms)), number(1, ms, float64(ms))})
	}
	all := &ua.ReadRawModifiedDetails{StartTime: instant(0), EndTime: instant(1000)}
	node := func(path string) *ua.HistoryReadValueID {
		return &ua.HistoryReadValueID{NodeID: ua.NewStringNodeID(1, path), DataEncoding: &ua.QualifiedName{}}
	}
	for _, c := range []struct {
		change func(*ua.HistoryReadRequest)
		want   ua.StatusCode
	}{
		{func(r *ua.HistoryReadRequest) { r.NodesToRead = nil }, ua.StatusBadNothingToDo},
		{func(r *ua.HistoryReadRequest) {
			r.NodesToRead = []*ua.HistoryReadValueID{node("A"), node("A"), node("A"), node("A")}
		}, ua.StatusBadTooManyOperations},
		{func(r *ua.HistoryReadRequest) { r.TimestampsToReturn = ua.TimestampsToReturnNeither }, ua.StatusBadTimestampsToReturnInvalid},
		{func(r *ua.HistoryReadRequest) { r.HistoryReadDetails = ua.NewExtensionObject(nil) }, ua.StatusBadHistoryOperationInvalid},
		{func(r *ua.HistoryReadRequest) {
			r.HistoryReadDetails = ua.NewExtensionObject(&ua.ReadRawModifiedDetails{IsReadModified: true, StartTime: instant(0), EndTime: instant(9)})
		}, ua.StatusBadHistoryOperationUnsupported},
		{func(r *ua.HistoryReadRequest) {
			r.HistoryReadDetails = ua.NewExtensionObject(&ua.ReadRawModifiedDetails{ReturnBounds: true, StartTime: instant(0), EndTime: instant(9)})
		}, ua.StatusBadBoundNotSupported},
		{func(r *ua.HistoryReadRequest) {
			r.HistoryReadDetails = ua.NewExtensionObject(&ua.ReadAtTimeDetails{ReqTimes: []time.Time{instant(1)}})
		}, ua.StatusBadHistoryOperationUnsupported},
	} {
		r := &ua.HistoryReadRequest{HistoryReadDetails: ua.NewExtensionObject(all), NodesToRead: []*ua.HistoryReadValueID{node("A")}}
		c.change(r)
		if _, err := send[*ua.HistoryReadResponse](p, r); err != c.want {
			t.Errorf("got %v, want %v", err, c.want)
		}
	}
	for i, r := range p.history(all, [][]byte{nil, nil, []byte("zz")}, "C", "D", "A") {
		if want := []ua.StatusCode{ua.StatusBadHistoryOperationUnsupported, ua.StatusBadNodeIDUnknown, ua.StatusBadContinuationPointInvalid}[i]; r.StatusCode != want {
			t.Errorf("got %v, want %v", r.StatusCode, want)
		}
	}
	if r := p.history(&ua.ReadRawModifiedDetails{StartTime: instant(0)}, nil, "A")[0]; r.StatusCode != ua.StatusBadHistoryOperationInvalid {
		t.Errorf("neither an end nor a number: %v", r.StatusCode)
	}
	// Of an object there is none.
	folder := must[*ua.HistoryReadResponse](p, &ua.HistoryReadRequest{HistoryReadDetails: ua.NewExtensionObject(all),
		NodesToRead: []*ua.HistoryReadValueID{{NodeID: ua.NewNumericNodeID(0, id.ObjectsFolder), DataEncoding: &ua.QualifiedName{}}}}).Results[0]
	if folder.StatusCode != ua.StatusBadHistoryOperationUnsupported {
		t.Errorf("of a folder: %v", folder.StatusCode)
	}

	// An answer has so many values, however many are asked for.
	both := p.history(all, nil, "A", "B")
	if len(told(both[0])) != 3 || len(told(both[1])) != 3 {
		t.Errorf("answers of %v and %v", told(both[0]), told(both[1]))
	}
	if r := p.history(all, [][]byte{both[0].ContinuationPoint}, "B")[0]; r.StatusCode != ua.StatusBadContinuationPointInvalid {
		t.Errorf("the point of another node: %v", r.StatusCode)
	}
	// A point holds until it is released, and so many are held.
	release := func(point []byte) ua.StatusCode {
		v := node("B")
		v.ContinuationPoint = point
		return must[*ua.HistoryReadResponse](p, &ua.HistoryReadRequest{HistoryReadDetails: ua.NewExtensionObject(all),
			ReleaseContinuationPoints: true, NodesToRead: []*ua.HistoryReadValueID{v}}).Results[0].StatusCode
	}
	held := both[1].ContinuationPoint
	for range maxQueries - 1 {
		if r := p.history(all, nil, "A")[0]; r.StatusCode != ua.StatusOK {
			t.Fatal(r.StatusCode)
		}
	}
	if r := p.history(all, nil, "A")[0]; r.StatusCode != ua.StatusBadNoContinuationPoints || len(told(r)) > 0 {
		t.Errorf("one too many: %v", r.StatusCode)
	}
	if a, b := release(held), release(held); a != ua.StatusOK || b != ua.StatusBadContinuationPointInvalid {
		t.Errorf("released: %v, again: %v", a, b)
	}
	if r := p.history(all, nil, "A")[0]; r.StatusCode != ua.StatusOK {
		t.Errorf("after a release: %v", r.StatusCode)
	}
	if n := s.Counts()["HistoryRead"]; n < maxQueries || len(Changing(s.Counts())) > 0 {
		t.Errorf("counted %v", s.Counts())
	}
}

// TestHistoryCosts: a variable without history remembers nothing.
func TestHistoryCosts(t *testing.T) {
	s, _ := deskServer(t)
	vals := []Value{{Var: 1, Text: "x"}}
	if n := testing.AllocsPerRun(1000, func() { s.engine.write(vals) }); n > 0 || s.engine.vars[1].past != nil {
		t.Errorf("%v allocations a write without a history", n)
	}
	vals[0].Var = 0
	for range 1000 {
		s.engine.write(vals)
	}
	if n := len(s.engine.vars[0].past.buf); n > 4 {
		t.Errorf("a history of 3 values takes the room of %d", n)
	}
}
