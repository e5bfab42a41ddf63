package plant

import (
	"math"
	"testing"
)

// The figures are those of makers' tables, which give three decimals.
func TestBearingOrders(t *testing.T) {
	near := func(a, b float64) bool { return math.Abs(a-b) < 0.005*b }
	for _, c := range []struct {
		b    Bearing
		want BearingOrders
	}{
		{Bearing{Rollers: 9, Pitch: 39.04, Diameter: 7.94}, BearingOrders{BPFO: 3.5848, BPFI: 5.4152, BSF: 2.357, FTF: 0.39828}}, // 6205, drive end of the rig of Case Western Reserve University
		{Bearing{Rollers: 16, Pitch: 71.5, Diameter: 8.4, Angle: 15.17}, BearingOrders{BPFO: 7.092, BPFI: 8.908, BSF: 4.2, FTF: 0.4433}},
		{Bearing{Given: &BearingOrders{BPFO: 1, BPFI: 2, BSF: 3, FTF: 4}, Rollers: 9, Pitch: 39, Diameter: 8}, BearingOrders{1, 2, 3, 4}},
	} {
		got, ok := c.b.Orders()
		if !ok || !near(got.BPFO, c.want.BPFO) || !near(got.BPFI, c.want.BPFI) || !near(got.BSF, c.want.BSF) || !near(got.FTF, c.want.FTF) {
			t.Errorf("%+v: %+v, want %+v", c.b, got, c.want)
		}
	}
	for _, b := range []Bearing{{}, {Designation: "22320 E"}, {Rollers: 9, Pitch: 39}, {Rollers: 9, Pitch: 8, Diameter: 39}, {Pitch: 39, Diameter: 8}} {
		if got, ok := b.Orders(); ok {
			t.Errorf("%+v has orders %+v", b, got)
		}
	}
}

func TestGroup(t *testing.T) {
	for power, want := range map[float64]int{0: 0, 11: 0, 15: 2, 300: 2, 301: 1, 2500: 1} {
		if got := (&Nameplate{Power: power}).Group(); got != want {
			t.Errorf("%v kW: group %d, want %d", power, got, want)
		}
	}
}
