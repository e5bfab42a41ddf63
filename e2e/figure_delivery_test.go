package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Figures of delivery are printed by `make bench-delivery`, each with the load of
// the machine at its time.
func deliveryFigure(name string, value float64, unit string) {
	b, _ := os.ReadFile("/proc/loadavg")
	load, _, _ := strings.Cut(string(b), " ")
	fmt.Printf("FIGURE delivery.%s %s %s (load %s)\n", name, strconv.FormatFloat(value, 'g', 4, 64), unit, load)
}

// TestFigureDeliveryEdge runs an edge of its own process against 10,000 tags × 5 Hz,
// SignAndEncrypt: OPC UA in → durable queue → Sparkplug out → acknowledged; first
// without models, then with them on 1,250 machines.
func TestFigureDeliveryEdge(t *testing.T) {
	figures(t)
	t.Run("plain", func(t *testing.T) {
		l := newLine(t)
		o := startOffer(t, l.works, offerSet{Tags: 10_000, Every: 200, Parts: 20, PKI: filepath.Join(l.dir, "pki")}, false)
		each, peak, wire := l.carry(o, 15*time.Second)
		deliveryFigure("edge_us_per_value", each, "us")
		deliveryFigure("edge_rss_mb", peak, "MB")
		deliveryFigure("wire_bytes_per_sample", wire, "B")
		deliveryFigure("edge_lost", l.lost(o), "values")
	})
	t.Run("compressed", func(t *testing.T) {
		l := newLine(t)
		l.edgeKeys = "compress = true\n"
		o := startOffer(t, l.works, offerSet{Tags: 10_000, Every: 200, Parts: 20, PKI: filepath.Join(l.dir, "pki")}, false)
		each, _, wire := l.carry(o, 15*time.Second)
		deliveryFigure("edge_compressed_us_per_value", each, "us")
		deliveryFigure("wire_compressed_bytes_per_sample", wire, "B")
	})
	t.Run("models", func(t *testing.T) {
		l := newLine(t)
		o := startOffer(t, l.works, offerSet{Tags: 10_000, Every: 200, Parts: 20, PKI: filepath.Join(l.dir, "pki")}, true)
		each, peak, _ := l.carry(o, 60*time.Second) // through learning
		deliveryFigure("edge_models_us_per_value", each, "us")
		deliveryFigure("edge_models_rss_mb", peak, "MB")
		deliveryFigure("edge_models_lost", l.lost(o), "values")
	})
}

// carry brings the line up, lets it carry the load and measures the edge for half a
// minute: CPU in µs a value, peak of the resident set in MB, bytes to the broker a
// value.
func (l *line) carry(o *offer, warm time.Duration) (each, peak, wire float64) {
	l.t.Helper()
	l.startBroker()
	l.startPlant()
	l.startEdge()
	eventually(l.t, 60*time.Second, "all is monitored", func() bool { return o.ask("monitored") == fmt.Sprint(o.set.Tags) })
	o.ask("run")
	l.waitLive(60 * time.Second)
	time.Sleep(warm)
	pid, values := l.edge.cmd.Process.Pid, func() float64 {
		n, err := strconv.ParseFloat(o.ask("count"), 64)
		if err != nil {
			l.t.Fatal(err)
		}
		return n
	}
	n, cpu, bytes, begin := values(), cpuSeconds(l.t, pid), l.edgeWire.bytes(), time.Now()
	time.Sleep(30 * time.Second)
	n, cpu, bytes = values()-n, cpuSeconds(l.t, pid)-cpu, l.edgeWire.bytes()-bytes
	l.t.Logf("%.0f values/s for %.0f s, %.1f s of CPU", n/time.Since(begin).Seconds(), time.Since(begin).Seconds(), cpu)
	return 1e6 * cpu / n, peakMB(l.t, pid), float64(bytes) / n
}

// lost ends the load and counts.
func (l *line) lost(o *offer) float64 {
	l.t.Helper()
	o.ask("halt")
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(time.Second) {
		begun := time.Now() // a count takes minutes on a busy machine, and what was on its way at its start is not lost
		c := o.account(l.api)
		if c.undeclared > 0 && begun.Before(end) {
			continue
		}
		c.check(l.t)
		return float64(c.undeclared)
	}
}
