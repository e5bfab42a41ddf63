package server

import (
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gopcua/opcua"
	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

// An array is computed when somebody reads it or is sent it, never for nothing, and
// passes whole through a message larger than a request may be.
func TestArray(t *testing.T) {
	const length = 65_536
	s := start(t, &Server{Variables: []Variable{{Path: "T/W", Kind: plant.Burst, Length: length, Unit: "m/s²", Low: -490, High: 490}}}, 1)
	var made atomic.Int32
	wave := func(first float32) []Value {
		return []Value{{Time: stamp(int64(first)), Wave: &Wave{Length: length, Fill: func(dst []float32) {
			made.Add(1)
			for i := range dst {
				dst[i] = first + float32(i)
			}
		}}}}
	}
	check := func(what string, v *ua.Variant, first float32) {
		t.Helper()
		got, ok := v.Value().([]float32)
		if !ok || len(got) != length || got[0] != first || got[length-1] != first+length-1 {
			t.Errorf("%s: %T of %d", what, v.Value(), len(got))
		}
	}
	p := dial(t, s.URL(), nil, opcua.MaxMessageSize(1<<20))
	read := func(a ua.AttributeID) *ua.DataValue {
		return must[*ua.ReadResponse](p, &ua.ReadRequest{NodesToRead: []*ua.ReadValueID{{
			NodeID: ua.NewStringNodeID(1, "T/W"), AttributeID: a, DataEncoding: &ua.QualifiedName{}}}}).Results[0]
	}
	if v := read(ua.AttributeIDValue); v.Status != ua.StatusBadWaitingForInitialData {
		t.Errorf("before the first burst: %v", v.Status)
	}
	if d, _ := read(ua.AttributeIDArrayDimensions).Value.Value().([]uint32); !slices.Equal(d, []uint32{length}) || read(ua.AttributeIDValueRank).Value.Value() != int32(1) {
		t.Errorf("dimensions %v", d)
	}
	s.Write(wave(1))
	s.Write(wave(2))
	if made.Load() != 0 {
		t.Error("made for nobody")
	}
	check("read", read(ua.AttributeIDValue).Value, 2)

	sub := p.subscribe(20*time.Millisecond, nil)
	p.monitor(sub, itemRequest("T/W", 7, 10, nil))
	s.Write(wave(3))
	for first := float32(2); first < 4; {
		for _, c := range changes(p.publish().NotificationMessage) {
			check("published", c.Value.Value, first)
			if want := time.Unix(0, stamp(int64(first))).UTC(); !c.Value.SourceTimestamp.Equal(want) {
				t.Errorf("source time %v, want %v", c.Value.SourceTimestamp, want)
			}
			first++
		}
	}
	if n := made.Load(); n != 3 {
		t.Errorf("made %d times, want one read and two notifications", n)
	}
	dead := &ua.DataChangeFilter{Trigger: ua.DataChangeTriggerStatusValue, DeadbandType: uint32(ua.DeadbandTypeAbsolute), DeadbandValue: 1}
	if r := p.monitor(sub, itemRequest("T/W", 8, 1, withFilter(dead))); !errors.Is(r[0].StatusCode, ua.StatusBadFilterNotAllowed) {
		t.Errorf("a deadband on an array: %v", r[0].StatusCode)
	}
	if err := checkVariables([]Variable{{Path: "x", Kind: plant.Burst}}); err == nil {
		t.Error("an array without a length is taken")
	}
}
