package collector

import (
	"math"
	"testing"

	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

// TestScale: numbers are scaled, live and from history; what is none stays.
func TestScale(t *testing.T) {
	tags := []plant.Tag{{ID: 1, Path: "a", Scale: 0.1, Offset: -40}, {ID: 2, Path: "b", Scale: -1}, {ID: 3, Path: "c"}, {ID: 4, Path: "d", Offset: 1}}
	tr := newTranslator(tags)
	tr.translate(dataChange(1,
		value(1, int16(500), 0, at(1000)), value(1, true, 0, at(1001)), value(1, nil, noData, at(1002)), value(1, math.NaN(), 0, at(1003)),
		value(2, float32(0.5), ua.StatusUncertain, at(1000)), value(3, math.Copysign(0, -1), 0, at(1000)), value(4, uint8(1), 0, at(1000))))
	want := []plant.Sample{
		{Tag: 1, Time: 1000 * oneMilli, Value: 10}, {Tag: 1, Time: 1001 * oneMilli, Value: 1},
		{Tag: 1, Time: 1002 * oneMilli, Quality: plant.BadNoCommunication, Value: math.NaN()}, {Tag: 1, Time: 1003 * oneMilli, Value: math.NaN()},
		{Tag: 2, Time: 1000 * oneMilli, Quality: plant.Uncertain, Value: -0.5}, {Tag: 3, Time: 1000 * oneMilli, Value: math.Copysign(0, -1)},
		{Tag: 4, Time: 1000 * oneMilli, Value: 2}}
	if !same(tr.batch.Samples, want) {
		t.Errorf("got %+v, want %+v", tr.batch.Samples, want)
	}
	if z := tr.batch.Samples[5].Value; !math.Signbit(z) {
		t.Error("a tag without scaling is not handed on bit by bit")
	}

	e := &engine{src: &Source{Tags: tags}}
	p := &pump{engine: e}
	h := newHole(0, 1000*oneMilli, 2000*oneMilli, linkDown, 0)
	p.receive(newSlice(h, nil, h.from), []*ua.DataValue{{Value: ua.MustVariant(int16(500)), SourceTimestamp: at(1500)}}, 0)
	if got := e.back.batch.Samples; !same(got, []plant.Sample{{Tag: 1, Time: 1500 * oneMilli, Value: 10}}) {
		t.Errorf("history: %+v", got)
	}
}
