package ingest_test

import (
	"testing"
	"time"

	"millwright/plant"
)

func TestLine(t *testing.T) {
	eachBroker(t, func(t *testing.T, b server) {
		m, s := newMemory(), &screen{}
		h := startHost(t, b.url(), m, s, nil)
		e := newBox(t, t.TempDir(), b.url(), two(10))
		for i := range 100 {
			e.sample([]string{"plc", "plc-2"}[i%2])
			if i%10 == 0 {
				e.finding("f" + string(rune('a'+i/10)))
			}
			time.Sleep(5 * time.Millisecond)
		}
		e.empty(10 * time.Second)
		complete(t, m, e)
		if len(m.findings) != 10 {
			t.Errorf("%d findings", len(m.findings))
		}
		c := h.Counts()
		if c.Unreadable+c.Dropped+c.Retries != 0 {
			t.Errorf("%+v", c)
		}
		edges := h.Edges()
		if len(edges) != 1 || edges[0].Name != "e1" || edges[0].State == "down" || edges[0].Version != "test" {
			t.Errorf("%+v", edges)
		}
		if a := h.Assets(); len(a) != 1 || a[0].Path != "F3" {
			t.Errorf("%+v", a)
		}
		for _, tag := range m.Tags() {
			if tag.Unit != "mm/s" || tag.Asset != "F3" || tag.Kind != plant.Analog || tag.High != 20 {
				t.Errorf("%+v", tag)
			}
		}
		if s.shown < 500 {
			t.Errorf("%d values were shown live", s.shown)
		}
		t.Log(e.up.Counts(), c)
	})
}
