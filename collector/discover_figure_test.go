package collector

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"testing"
	"time"

	"millwright/plant"
)

// discoverProcess discovers a server once, and says "NODES TAGS SECONDS".
func discoverProcess(arg string) error {
	var set struct {
		URL      string
		Requests float64 // a second, 0: as many as it answers
	}
	if err := json.Unmarshal([]byte(arg), &set); err != nil {
		return err
	}
	debug.SetGCPercent(50) // as the verb does
	begin := time.Now()
	d := &Discovery{URL: set.URL, Manners: func(Product) plant.Budget { return plant.Budget{Requests: set.Requests} }}
	draft, err := d.Run(context.Background())
	if err != nil {
		return err
	}
	took := time.Since(begin).Seconds()
	fmt.Println("ready")
	obey(func(string, string) string { return fmt.Sprint(draft.Nodes, len(draft.Tags), took) })
	return nil
}

// TestFigureDiscover discovers servers of 100,000 and of 20,000 variables, in a
// process of its own.
func TestFigureDiscover(t *testing.T) {
	figures(t)
	f := func(name string, srv *foreign, variables int, requests float64) {
		d := newOwn(t, "discover", map[string]any{"url": srv.url(), "requests": requests})
		var nodes, tags int
		var seconds float64
		if _, err := fmt.Sscan(d.say("figures"), &nodes, &tags, &seconds); err != nil || tags < variables {
			t.Fatalf("%d nodes, %d tags: %v", nodes, tags, err)
		}
		figure(name+"_nodes", float64(nodes), "nodes")
		figure(name+"_nodes_s", float64(nodes)/seconds, "nodes/s")
		figure(name+"_rss_mb", memoryOf(t, d.cmd.Process.Pid, "VmHWM:"), "MB")
		d.kill()
		srv.kill()
	}
	f("discover", newMillServer(t, map[string]any{"nodes": 100_000, "quiet": true, "orchard": true}), 100_000, 0)
	f("discover_50", newMillServer(t, map[string]any{"nodes": 100_000, "quiet": true, "orchard": true}), 100_000, 50) // the pace for servers of which nothing is known
	f("discover_flat", newMillServer(t, map[string]any{"nodes": 100_000, "quiet": true}), 100_000, 0)
	f("discover_node_opcua", newNodeServer(t, map[string]any{"nodes": 20_000}), 20_000, 0)
}
