package collector

import (
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

// TestOverflow: whichever value a full queue gives up, the hole lies before the
// value with the overflow bit (OPC 10000-4, 5.13.1.5): the first of the queue, or
// the last. It is declared there and nowhere else, and counted by tag.
func TestOverflow(t *testing.T) {
	t.Parallel()
	f := func(srv interface{ tags(int) []plant.Tag }, url string, wait func(s *Source, out *store) map[key]fact) {
		t.Helper()
		tags := srv.tags(3)
		s := &Source{Name: "PLC", URL: url, Tags: tags, Publishing: 500 * time.Millisecond}
		s.Tags[0].Queue, s.Tags[1].Queue, s.Tags[1].Discard = 4, 4, plant.DiscardNewest
		out := newStore(s)
		start(t, s, out)
		offered := wait(s, out)
		out.reckon(t, offered).check(t)
		st := s.Status()
		if len(st.Overflowing) != 2 || st.Overflowing[0].Count+st.Overflowing[1].Count != st.Overflows || st.Overflows < 6 {
			t.Errorf("%d overflows: %v", st.Overflows, st.Overflowing)
		}
		for _, g := range out.gaps {
			if g.Reason != plant.GapOverflow || g.Tag > 2 {
				t.Errorf("gap %+v", g)
			}
			for k := range out.facts {
				if at := k.ms * oneMilli; k.tag == g.Tag && g.From <= at && at < g.To {
					t.Errorf("tag %d: a gap over a value that is here", k.tag)
				}
			}
		}
		// The oldest values of a cycle are there with one policy, the newest with both.
		if n := len(out.gaps); n < 6 {
			t.Errorf("%d gaps", n)
		}
	}
	t.Run("foreign", func(t *testing.T) {
		t.Parallel()
		srv := newNodeServer(t, map[string]any{"nodes": 3, "run": true, "every": 50, "good": true})
		f(srv, srv.url(), func(s *Source, out *store) map[key]fact {
			eventually(t, 30*time.Second, "live", live(s))
			time.Sleep(3 * time.Second)
			settled(t, srv, s, out)
			return offeredBy(t, srv.logFile())
		})
	})
	t.Run("ours", func(t *testing.T) {
		t.Parallel()
		m := newMill(t, 3, nil)
		f(mine{m}, m.URL(), func(s *Source, out *store) map[key]fact {
			eventually(t, 30*time.Second, "live", live(s))
			m.run(50*time.Millisecond, 1)
			time.Sleep(3 * time.Second)
			m.halt()
			time.Sleep(1500 * time.Millisecond)
			return m.log()
		})
	})
}

type mine struct{ *mill }

func (m mine) tags(int) []plant.Tag { return m.mill.tags() }

// TestFullQueueNewest: a queue that ran over without a sign and gave up its
// last value for a newer one.
func TestFullQueueNewest(t *testing.T) {
	tr := newTranslator([]plant.Tag{{ID: 7, Path: "a", Discard: plant.DiscardNewest}})
	tr.queue[0] = 3
	for _, c := range []struct {
		values []int64
		want   []plant.Gap
	}{
		{[]int64{1000}, nil},
		{[]int64{1100, 1200, 1300}, nil},
		{[]int64{1400, 1500, 2900}, []plant.Gap{{Tag: 7, From: 1501 * oneMilli, To: 2900 * oneMilli, Reason: plant.GapOverflow}}},
		{[]int64{3000, 3100, 3200}, nil},
		{[]int64{3300, 3400}, nil},
	} {
		m := dataChange(1)
		m.PublishTime = time.UnixMilli(c.values[len(c.values)-1])
		items := make([]*ua.MonitoredItemNotification, len(c.values))
		for i, x := range c.values {
			items[i] = value(7, 1.0, 0, at(x))
		}
		m.NotificationData = dataChange(1, items...).NotificationData
		tr.translate(m)
		if !same(tr.batch.Gaps, c.want) {
			t.Errorf("%v: got %v, want %v", c.values, tr.batch.Gaps, c.want)
		}
	}
}
