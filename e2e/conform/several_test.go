package conform

import (
	"errors"
	"fmt"
	"testing"

	"millwright/edge/uplink"
	"millwright/historian/ingest"
	"millwright/plant"
)

// several is what was on the wires of an edge and a host that have two brokers.
type several struct {
	edge [2][]session // at the first broker and at the second
	host [2][]session
}

// walkOn lets the host vanish from the first of two brokers, so that the edge walks
// on to the second, and come back.
func walkOn(t *testing.T, start func(testing.TB) string) (s several) {
	urls := [2]string{start(t), start(t)}
	var edges, hosts [2]*tap
	for i, url := range urls {
		edges[i], hosts[i] = newTap(t, url), newTap(t, url)
	}
	h := startHost(t, t.TempDir(), hosts[0].url(), func(g *ingest.Ingest) { g.Others = []string{hosts[1].url()} })
	online := func(i int) bool { return len(own(hosts[i].last(), true)) > 0 }
	await(t, "the host is online at both brokers", func() bool { return online(0) && online(1) })
	e := startEdge(t, edges[0].url(), "e1", -1, tagsOf("e1"), func(u *uplink.Uplink) { u.Standby = []string{edges[1].url()} })
	e.born(1)
	speed := e.tags["plc"][0].ID
	e.put(draft("plc", plant.Sample{Tag: speed, Time: now(), Value: 1}))
	e.settled()
	hosts[0].refuse(true)
	hosts[0].cut()
	e.born(2)
	e.put(draft("plc", plant.Sample{Tag: speed, Time: now(), Value: 2}))
	e.settled()
	before := len(hosts[0].sessions())
	hosts[0].refuse(false)
	await(t, "the host is online at the first broker again", func() bool { return len(hosts[0].sessions()) > before && online(0) })
	e.put(draft("plc", plant.Sample{Tag: speed, Time: now(), Value: 3}))
	e.settled()
	e.stop()
	h.stop()
	for i := range urls {
		s.edge[i], s.host[i] = edges[i].sessions(), hosts[i].sessions()
	}
	return s
}

// severalChecks are the assertions about edges and hosts of several brokers.
func severalChecks() map[string]check {
	on := func(f func(s several) error) check {
		return func(t judge, ev *evidence) {
			if err := f(ev.several); err != nil {
				t.Error(err)
			}
		}
	}
	walk := on(func(s several) error {
		first, second := s.edge[0], s.edge[1]
		if len(first) != 1 || len(second) != 1 {
			return fmt.Errorf("%d connections to the first broker, %d to the second", len(first), len(second))
		}
		if first[0].goodbye < 0 || heard(first[0], "NDEATH", true) != 1 || heard(second[0], "NBIRTH", true) != 1 || heard(second[0], "DDATA", true) == 0 {
			return errors.New("not NDEATH, DISCONNECT, and then births and data at the second broker")
		}
		a, err1 := will(first[0].connect).payload.bdSeq()
		b, err2 := will(second[0].connect).payload.bdSeq()
		if err1 != nil || err2 != nil || b != a+1 {
			return fmt.Errorf("bdSeq %d and %d", a, b)
		}
		return nil
	})
	return map[string]check{
		"operational-behavior-primary-application-state-with-multiple-servers-walk": walk,
		"operational-behavior-edge-node-termination-host-offline-reconnect":         walk,
		"operational-behavior-primary-application-state-with-multiple-servers-single-server": both(oneAtATime, on(func(s several) error {
			if left, came := s.edge[0][0].stopped, s.edge[1][0].started; left.After(came) {
				return fmt.Errorf("at the second broker from %v on, at the first until %v", came, left)
			}
			return nil
		})),
		"operational-behavior-host-application-multi-server-timestamp": on(func(s several) error {
			if len(s.host[1]) != 1 {
				return fmt.Errorf("%d connections to the second broker", len(s.host[1]))
			}
			var last int64
			for i, list := range s.host {
				for _, x := range list {
					if x.connect == nil || x.accepted < 0 {
						continue
					}
					for _, m := range own(x, true) {
						if err := asWill(x, m); err != nil {
							return err
						}
						if last = m.state.time; i == 1 && last >= own(s.host[0][len(s.host[0])-1], true)[0].state.time {
							return errors.New("a new connection to the first broker has no newer time than that to the second")
						}
					}
				}
			}
			return nil
		}),
	}
}
