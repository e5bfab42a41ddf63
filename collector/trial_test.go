package collector

import (
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

// TestTrial: a value outside of a deadband that comes in time is no strike, nor
// is one that a silent server has not sent yet.
func TestTrial(t *testing.T) {
	e, err := newEngine(&Source{URL: "opc.tcp://127.0.0.1:1", Log: logger(t), Tags: []plant.Tag{{ID: 1, Path: "a", Node: "ns=1;s=a", Deadband: 2}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.close()
	e.sub.publishing = 100 * time.Millisecond
	e.items.list[0].monitored, e.items.list[0].filtered, e.items.list[0].sampling = true, true, 50*time.Millisecond
	p := &pump{engine: e}
	clock := int64(1_000_000) * oneMilli
	look := func(strikes int, what string, v float64, q ua.StatusCode, ms int64) {
		t.Helper()
		clock += int64(time.Second)
		if err := p.tried(t.Context(), answer{asked: []int{0}, at: clock, values: []*ua.DataValue{{Value: ua.MustVariant(v), Status: q, SourceTimestamp: at(ms)}}}); err != nil {
			t.Fatal(err)
		}
		if got := p.trial.suspects[0].strikes; got != strikes {
			t.Errorf("%s: %d strikes, want %d", what, got, strikes)
		}
	}
	comes := func(v float64, ms int64) {
		e.tr.translate(dataChange(1, value(1, v, 0, at(ms))))
		p.heard.Store(clock + int64(500*time.Millisecond))
	}
	comes(1, 1000)
	look(0, "inside", 2, 0, 1100)
	look(0, "outside", 9, 0, 1500)
	comes(9, 1500)
	look(0, "it came", 9, 0, 1500)
	if len(p.trial.suspects) > 0 {
		t.Error("it is still a suspect")
	}
	look(0, "outside", 20, 0, 2000)
	comes(21, 2050)
	look(0, "another sample came", 21, 0, 2050)
	look(0, "another quality", 21, ua.StatusUncertain, 2100)
	look(0, "nothing was heard", 21, ua.StatusUncertain, 2100)
	p.heard.Store(clock + int64(time.Second))
	look(1, "a keep-alive", 30, 0, 2500)
	comes(40, 2561)
	look(2, "too late", 40, 0, 2561)
	look(2, "inside", 40, 0, 2600)
	look(2, "outside", 50, 0, 2700)
	comes(50, 2700)
	look(0, "it came", 50, 0, 2700)
	if e.items.list[0].plain {
		t.Error("a server that applies the deadband is not believed")
	}
}
