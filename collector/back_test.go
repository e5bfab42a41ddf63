package collector

import (
	"strings"
	"testing"
	"time"
)

// TestNodeBack: a node that a server loses, whose monitored items then stay dead
// without a word, and has again seconds later, or after its tag was in quarantine,
// delivers values again, and what is missing is declared.
func TestNodeBack(t *testing.T) {
	t.Parallel()
	long(t)
	for name, away := range map[string]func(s *Source) bool{
		"soon": func(*Source) bool { return true },
		"late": func(s *Source) bool {
			st := s.Status()
			return len(st.Quarantined) == 1 || strings.HasPrefix(strings.Join(st.Rejected, ";"), "T3: ")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newAsyncua(t, map[string]any{"nodes": 5, "run": true, "every": 50})
			s := &Source{Name: "PLC", URL: srv.url(), Tags: srv.tags(5)}
			out := newStore(s)
			start(t, s, out)
			eventually(t, patience, "live", live(s))
			time.Sleep(3 * time.Second) // its nodes are looked at
			srv.say("del 3")
			time.Sleep(1500 * time.Millisecond) // the event is heard, and the node looked at
			eventually(t, patience, "its loss is told", func() bool { return away(s) })
			srv.say("add 3")
			back := time.Now().UnixMilli()
			count := func() (n int) {
				out.mu.Lock()
				defer out.mu.Unlock()
				for k := range out.facts {
					if k.tag == 4 && k.ms > back {
						n++
					}
				}
				return n
			}
			eventually(t, patience, "twenty values after it is back", func() bool { return count() > 20 })
			settled(t, srv, s, out)
			out.reckon(t, offeredBy(t, srv.logFile())).check(t)
		})
	}
}
