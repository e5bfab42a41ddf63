package collector

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"millwright/simulator/server"
)

// TestFigureIdentity: what knowing 10,000 tags costs at the first start, and what
// looking at them costs after a restart of the server, values flowing.
func TestFigureIdentity(t *testing.T) {
	figures(t)
	const tags = 10_000
	m := newMill(t, 0, func(s *server.Server) {
		for i := range tags {
			s.Variables = append(s.Variables, server.Variable{Path: fmt.Sprintf("Line%d/Machine%d/V%d", i/1000, i/20%50, i%20), Unit: "mm/s", High: 20})
		}
	})
	file := filepath.Join(t.TempDir(), "plc")
	s := &Source{Name: "PLC", URL: m.URL(), Tags: m.tags(), StateFile: file}
	for i := range s.Tags {
		s.Tags[i].Queue = 100
	}
	out := newStore(s)
	m.run(time.Second, 10)
	begin := time.Now()
	stop := start(t, s, out)
	eventually(t, time.Minute, "live", live(s))
	figure("identity_first_live_s", time.Since(begin).Seconds(), "s")
	connected := requests(s)
	knowsWithin(t, 3*time.Minute, s, tags)
	figure("identity_learned_s", time.Since(begin).Seconds(), "s")
	figure("identity_learned_requests", float64(requests(s)-connected), "")
	stop()
	st, err := os.Stat(file + identitySuffix)
	if err != nil {
		t.Fatal(err)
	}
	figure("identity_file_bytes", float64(st.Size()), "B")

	// Another run of the server: every node is in doubt.
	m.halt()
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	again := &mill{Server: &server.Server{Listen: m.Listen, Variables: m.Variables, Log: m.Log}, t: t, offered: map[key]fact{}, stop: make(chan struct{})}
	again.Offered = m.Offered
	if err := again.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		again.halt()
		_ = again.Close()
	})
	again.run(time.Second, 10)
	s = &Source{Name: "PLC", URL: s.URL, Tags: s.Tags, StateFile: file}
	out = newStore(s)
	begin = time.Now()
	start(t, s, out)
	eventually(t, time.Minute, "live", live(s))
	figure("identity_again_live_s", time.Since(begin).Seconds(), "s")
	connected = requests(s)
	eventually(t, time.Minute, "a value", func() bool { return out.size() > 0 })
	figure("identity_again_first_value_s", time.Since(begin).Seconds(), "s")
	fresh := out.mark()
	eventually(t, time.Minute, "values of all tags", func() bool { return fresh() == tags })
	figure("identity_again_all_values_s", time.Since(begin).Seconds(), "s")
	figure("identity_again_requests", float64(requests(s)-connected), "")
}

// requests counts those sent but Publish.
func requests(s *Source) (n uint64) {
	for name, k := range s.Status().Requests {
		if name != "Publish" {
			n += k
		}
	}
	return n
}

func knowsWithin(t testing.TB, within time.Duration, s *Source, n int) {
	t.Helper()
	eventually(t, within, "all tags are known", func() bool {
		d := s.identity.Load()
		if d == nil {
			return false
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		k := 0
		for i := range d.list {
			if s := &d.list[i]; s.is.known() && len(s.path) > 0 {
				k++
			}
		}
		return k == n
	})
}
