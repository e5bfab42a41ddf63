package main

import (
	"context"
	"net/http"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"millwright/edge"
	"millwright/historian/alarm"
	"millwright/historian/ingest"
	"millwright/historian/notify"
	"millwright/historian/store"
	"millwright/plant"
	"millwright/simulator"
)

// gauges turns the counters that each part keeps into Prometheus metrics when
// they are asked for; parts know nothing of Prometheus.
type gauges struct {
	mu    sync.Mutex
	parts []func(emit emit)
}

// emit takes one value with its labels as name, value pairs.
type emit func(name, help string, kind prometheus.ValueType, value float64, labels ...string)

func newGauges() *gauges { return &gauges{} }

func (g *gauges) add(part func(emit)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.parts = append(g.parts, part)
}

func (g *gauges) handler() http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(g, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{})
}

// Describe sends nothing: what there is depends on the roles that run.
func (g *gauges) Describe(chan<- *prometheus.Desc) {}

// Collect asks every part.
func (g *gauges) Collect(out chan<- prometheus.Metric) {
	g.mu.Lock()
	parts := g.parts
	g.mu.Unlock()
	for _, part := range parts {
		part(func(name, help string, kind prometheus.ValueType, value float64, labels ...string) {
			var names, values []string
			for i := 0; i+1 < len(labels); i += 2 {
				names, values = append(names, labels[i]), append(values, labels[i+1])
			}
			desc := prometheus.NewDesc("millwright_"+name, help, names, nil)
			m, err := prometheus.NewConstMetric(desc, kind, value, values...)
			if err == nil {
				out <- m
			}
		})
	}
}

func (g *gauges) edge(a *edge.Agent) {
	g.add(func(emit emit) {
		q := a.Queue.Stats()
		emit("edge_queue_bytes", "Record bytes in the edge's queue.", prometheus.GaugeValue, float64(q.Bytes))
		emit("edge_queue_records", "Records in the edge's queue.", prometheus.GaugeValue, float64(q.Records))
		emit("edge_records_total", "Records made.", prometheus.CounterValue, float64(q.Appended))
		emit("edge_settled_total", "Records settled by the historian's word.", prometheus.CounterValue, float64(q.Settled))
		emit("edge_declared_total", "Samples thinned out and declared as gaps.", prometheus.CounterValue, float64(q.Declared))
		for _, p := range a.Status().PLCs {
			live := 0.0
			if p.State == plant.Live || p.State == plant.CatchingUp || p.State == plant.Backfilling {
				live = 1
			}
			emit("plc_live", "1 while values or keep-alives arrive.", prometheus.GaugeValue, live, "plc", p.Name, "state", string(p.State))
			emit("plc_values_per_second", "Values received.", prometheus.GaugeValue, p.ValuesS, "plc", p.Name)
			emit("plc_values_total", "Values received.", prometheus.CounterValue, float64(p.Received), "plc", p.Name)
			emit("plc_overflows_total", "Queue overflows in the server.", prometheus.CounterValue, float64(p.Overflows), "plc", p.Name)
			emit("plc_tags", "Monitored tags.", prometheus.GaugeValue, float64(p.Tags), "plc", p.Name)
			emit("plc_rejected", "Tags in quarantine.", prometheus.GaugeValue, float64(len(p.Rejected)), "plc", p.Name)
		}
	})
}

func (g *gauges) simulator(s *simulator.Simulator) {
	g.add(func(emit emit) {
		for service, n := range s.Counts() {
			emit("simulator_requests_total", "Requests of OPC UA clients to the simulated PLC.", prometheus.CounterValue, float64(n), "service", service)
		}
	})
}

func (g *gauges) historian(st store.Store, book *alarm.Book, in *ingest.Ingest) {
	g.add(func(emit emit) {
		s := st.Stats()
		emit("store_samples_total", "Samples committed.", prometheus.CounterValue, float64(s.Appended))
		emit("store_chunk_samples_total", "Samples in the chunks that were cut.", prometheus.CounterValue, float64(s.ChunkSamples))
		emit("store_chunk_bytes_total", "Bytes of those chunks, keys included.", prometheus.CounterValue, float64(s.ChunkBytes))
		emit("store_bytes", "Bytes on disk.", prometheus.GaugeValue, float64(s.DiskBytes))
		emit("store_tags", "Known tags.", prometheus.GaugeValue, float64(s.Tags))
		if q, ok := st.(interface{ Quarantined() uint64 }); ok {
			emit("store_quarantined_total", "Points that the plant's database refused for ever.", prometheus.CounterValue, float64(q.Quarantined()))
		}
		for _, e := range in.Edges() {
			live := 0.0
			if e.State == "live" {
				live = 1
			}
			emit("edge_live", "1 while the edge is connected and up to date.", prometheus.GaugeValue, live, "edge", e.Name)
			emit("edge_clock_offset_seconds", "Historian's clock minus the edge's.", prometheus.GaugeValue, float64(e.ClockMS)/1000, "edge", e.Name)
		}
	})
}

func (g *gauges) desk(d *notify.Desk) {
	g.add(func(emit emit) {
		s, err := d.Stats(context.Background())
		if err != nil {
			return // the desk is closed
		}
		for state, n := range map[string]int{
			"pending": s.Pending, "held": s.Held, "sending": s.Sending, "sent": s.Sent, "cancelled": s.Cancelled, "dead": s.Dead,
		} {
			emit("notify_messages", "Messages in the outbox by state.", prometheus.GaugeValue, float64(n), "state", state)
		}
		emit("notify_unrouted_total", "Alarms that no route of the roster leads to anybody.", prometheus.CounterValue, float64(s.Unrouted))
		emit("notify_unreached_total", "Steps of an escalation that found nobody to tell.", prometheus.CounterValue, float64(s.Unreached))
	})
}
