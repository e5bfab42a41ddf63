package collector

import (
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"
)

// TestClockWithoutBattery: the PLC's time counts whatever year the edge's clock
// shows, and a time that cannot be is still told from one that can.
func TestClockWithoutBattery(t *testing.T) {
	plc := time.Date(2026, 11, 30, 13, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		source, arrived, want time.Time
	}{
		{plc, plc.Add(time.Second), plc},
		{plc, time.Unix(3600, 0), plc},
		{plc, time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC), plc},
		{plc.AddDate(2, 0, 0), plc, plc},
		{time.Date(2199, 1, 1, 0, 0, 0, 0, time.UTC), plc, plc},
	} {
		v := &ua.DataValue{SourceTimestamp: c.source}
		if got := sourceTime(v, c.arrived.UnixNano()); got != c.want.UnixNano() {
			t.Errorf("%v arrived at %v counts as of %v", c.source, c.arrived, time.Unix(0, got).UTC())
		}
	}
}
