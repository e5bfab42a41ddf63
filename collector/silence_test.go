package collector

import (
	"slices"
	"testing"
	"time"

	"millwright/plant"
)

// TestSilence: a cyclic tag is stale after three intervals of silence, ten
// seconds at least, while the connection lives and the tag is monitored.
func TestSilence(t *testing.T) {
	s := &Source{Name: "PLC", URL: "opc.tcp://127.0.0.1:1", Tags: []plant.Tag{
		{ID: 1, Path: "fast", Cyclic: true, Sampling: 100 * time.Millisecond},
		{ID: 2, Path: "slow", Cyclic: true, Sampling: time.Minute},
		{ID: 3, Path: "on change"},
		{ID: 4, Path: "refused", Cyclic: true},
		{ID: 5, Path: "never heard", Cyclic: true},
	}}
	e, err := newEngine(s, newStore(s))
	if err != nil {
		t.Fatal(err)
	}
	defer e.close()
	began := time.Unix(1_800_000_000, 0)
	p := &pump{engine: e, began: began}
	for i := range e.items.list {
		e.items.list[i].monitored = s.Tags[i].Path != "refused"
	}
	heard := began.Add(time.Minute)
	for i := range 4 {
		m := dataChange(uint32(i+1), value(uint32(i+1), 1.0, 0, heard))
		m.at = heard.UnixNano()
		e.tr.translate(m)
	}
	f := func(state plant.PLCState, after time.Duration, want ...string) {
		t.Helper()
		s.board.set(state, "")
		n, first := p.stale(heard.Add(after))
		if n != len(want) || !slices.Equal(first, want) {
			t.Errorf("%s, %v after: %d, %v, want %v", state, after, n, first, want)
		}
	}
	f(plant.Live, 10*time.Second, "never heard")
	f(plant.Live, 11*time.Second, "fast", "never heard")
	f(plant.Live, 4*time.Minute, "fast", "slow", "never heard")
	f(plant.Backfilling, 11*time.Second, "fast", "never heard")
	f(plant.Stale, 11*time.Second)
	f(plant.Down, 11*time.Second)
	p.began = heard.Add(8 * time.Second) // a new connection: nobody could have said anything
	f(plant.Live, 11*time.Second)
	f(plant.Live, 19*time.Second, "fast", "never heard")
}
