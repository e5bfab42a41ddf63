package main

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"millwright/edge"
	"millwright/edge/queue"
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
		emitBacklog(emit, &q)
		now := time.Now()
		for _, p := range a.Status().PLCs {
			emitPLC(emit, &p, now)
		}
	})
}

// emitBacklog gives what the queue holds, class by class, and how it wears the disk.
func emitBacklog(emit emit, q *queue.Stats) {
	for ln := range q.Lanes {
		x, class := &q.Lanes[ln], queue.Lane(ln).String()
		gauge := func(name, help string, v float64) { emit(name, help, prometheus.GaugeValue, v, "class", class) }
		gauge("edge_backlog_bytes", "Bytes on the edge's disk, by class of records.", float64(x.Bytes))
		gauge("edge_backlog_records", "Records that the plant has not acknowledged.", float64(x.Records))
		gauge("edge_backlog_fill", "Used part of the quota of bytes or of age, whichever is used more. Warn at 0.7 and 0.9.", x.Fill)
		gauge("edge_backlog_hours_left", "Hours until the quota is full with the plant away, at the present rate; -1 while that is not known.", x.Hours)
		emit("edge_backlog_declared_total", "Values given up and declared as gaps.", prometheus.CounterValue, float64(x.Declared), "class", class)
	}
	emit("edge_disk_full", "1 while the disk has less than the reserve: no telemetry is taken.", prometheus.GaugeValue, truth(q.Full))
	emit("edge_queue_lost_total", "Records that could not be read and were declared.", prometheus.CounterValue, float64(q.Lost))
	emit("edge_queue_salvaged_total", "Records that came back from a damaged queue.", prometheus.CounterValue, float64(q.Salvaged))
	emit("edge_disk_queued_bytes_total", "Bytes of records that were committed.", prometheus.CounterValue, float64(q.Queued))
	emit("edge_disk_written_bytes_total", "Bytes written to the disk for them: over those queued it is what flash wears by.", prometheus.CounterValue, float64(q.Written))
	emit("edge_disk_syncs_total", "Syncs of files and folders.", prometheus.CounterValue, float64(q.Syncs))
}

// plcStates are all that a connection may be in: each is a series, of which one
// is 1.
var plcStates = [...]plant.PLCState{plant.Connecting, plant.Live, plant.CatchingUp, plant.Backfilling, plant.Stale, plant.Down}

// emitPLC gives what a collector tells of its connection.
func emitPLC(emit emit, p *plant.PLCStatus, now time.Time) {
	gauge := func(name, help string, v float64, labels ...string) {
		emit(name, help, prometheus.GaugeValue, v, append([]string{"plc", p.Name}, labels...)...)
	}
	count := func(name, help string, v uint64, labels ...string) {
		emit(name, help, prometheus.CounterValue, float64(v), append([]string{"plc", p.Name}, labels...)...)
	}
	emitState(emit, "plc", p, now, "plc", p.Name)
	gauge("plc_values_per_second", "Values received.", p.ValuesS)
	count("plc_values_total", "Values received.", p.Received)
	count("plc_overflows_total", "Queue overflows in the server.", p.Overflows)
	gauge("plc_tags", "Monitored tags.", float64(p.Tags))
	gauge("plc_rejected", "Tags that the server refuses.", float64(len(p.Rejected)))
	gauge("plc_quarantined", "Tags whose node is not what it was.", float64(len(p.Quarantined)+p.QuarantinedMore))
	gauge("plc_stale_tags", "Cyclic tags that are silent on a live connection.", float64(p.Stale))
	gauge("plc_revised_tags", "Tags that the server grants otherwise than asked.", float64(p.RevisedCount))
	gauge("plc_holes", "Spans that are being read from history or not declared yet.", float64(p.Holes))
	count("plc_backfilled_total", "Values that the server's history gave.", p.Backfilled)
	count("plc_sequence_gaps_total", "Times that a notification was missing.", p.SequenceGaps)
	count("plc_republished_total", "Notifications that the server sent again.", p.Republished)
	count("plc_connects_total", "Connections tried.", p.Connects)
	count("plc_thinned_total", "Values within a deadband that the edge did not hand on.", p.Deadbands.Thinned)
	gauge("plc_rtt_seconds", "Round trip to the server.", p.RTTMS/1000)
	gauge("plc_publish_requests", "Publish requests at the server.", float64(p.InFlight))
	gauge("plc_publish_window", "Publish requests that should be there.", float64(p.Window))
	gauge("plc_clock_unknown", "1 while the edge's clock is not known.", truth(p.Clock != ""))
	gauge("plc_exception", "1 where the connection does without security by somebody's leave, 2 where that is over.", truth(p.Exception != "")+truth(p.ExceptionOver))
	gauge("plc_conditions", "Alarms that are active in the PLC itself.", float64(p.Conditions))
	for _, x := range p.Servers {
		gauge("plc_service_level", "Service level of a redundant server, -1 where it is not known.", float64(x.ServiceLevel), "url", x.URL)
		gauge("plc_server_active", "1 for the redundant server that is read.", truth(x.Active), "url", x.URL)
	}
	for service, n := range p.Requests {
		count("plc_requests_total", "Requests sent, by service.", n, "service", service)
	}
	days := map[string]int{} // of the certificate of each role that ends first
	for _, c := range p.Certificates {
		if d, ok := days[c.Who]; !ok || c.Days < d {
			days[c.Who] = c.Days
		}
	}
	for who, d := range days {
		gauge("plc_certificate_days", "Days until the certificate ends.", float64(d), "who", who)
	}
}

// emitState gives the state of a connection, its reason and since when, in a family of
// its own for the edge that has the connection and for the historian that hears of it.
func emitState(emit emit, family string, p *plant.PLCStatus, now time.Time, labels ...string) {
	for _, state := range plcStates {
		emit(family+"_state", "1 for the state that the connection is in.", prometheus.GaugeValue, truth(p.State == state), append(labels, "state", string(state))...)
	}
	emit(family+"_state_info", "1, with the reason of that state.", prometheus.GaugeValue, 1, append(labels, "state", string(p.State), "reason", p.Reason)...)
	emit(family+"_state_since_seconds", "Since when, in Unix time.", prometheus.GaugeValue, float64(p.Since)/1e9, labels...)
	emit(family+"_state_seconds", "For how long it has been in this state.", prometheus.GaugeValue, now.Sub(time.Unix(0, p.Since)).Seconds(), labels...)
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
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
		c := in.Counts()
		for _, x := range []struct {
			name, help string
			n          uint64
		}{
			{"ingest_messages_total", "Messages decoded.", c.Messages},
			{"ingest_forged_total", "Messages without the signature of the edge that they name, or kept back and sent again.", c.Forged},
			{"ingest_unreadable_total", "Messages that could not be read, or not all of them.", c.Unreadable},
			{"ingest_mended_total", "Of those, messages that a birth made readable.", c.Mended},
			{"ingest_dropped_total", "Messages for which there was no room; edges that know the acknowledgement send them again.", c.Dropped},
			{"ingest_repeated_total", "Records that came again and were on disk already.", c.Repeated},
			{"ingest_held_total", "Messages that had to wait for a birth.", c.Held},
			{"ingest_skipped_total", "Values of types that are not stored.", c.Skipped},
			{"ingest_future_total", "Values more than five minutes ahead of this clock.", c.Future},
			{"ingest_rebirths_total", "Births asked for.", c.Rebirths},
			{"ingest_answers_total", "Acknowledgements sent.", c.Answers},
			{"ingest_retries_total", "Commits that failed and were tried again.", c.Retries},
			{"ingest_missing_total", "Records that edges had settled and the historian does not have, declared as gaps.", c.Missing},
		} {
			emit(x.name, x.help, prometheus.CounterValue, float64(x.n))
		}
		for _, e := range in.Edges() {
			emit("edge_live", "1 while the edge is connected and up to date.", prometheus.GaugeValue, truth(e.State == "live"), "edge", e.Name)
			emit("edge_unread_messages", "Messages of the edge that could not be read and are kept: millwright unread shows them.", prometheus.GaugeValue, float64(e.Unread), "edge", e.Name)
			emit("edge_unread_dropped_total", "Such messages that were not kept, or no longer are.", prometheus.CounterValue, float64(e.UnreadDropped), "edge", e.Name)
			emit("edge_clock_offset_seconds", "Historian's clock minus the edge's.", prometheus.GaugeValue, float64(e.ClockMS)/1000, "edge", e.Name)
			for i := range e.PLCs {
				p := &e.PLCs[i]
				emitState(emit, "edge_plc", p, time.Now(), "edge", e.Name, "plc", p.Name)
				emit("edge_plc_values_per_second", "Values received from the PLC.", prometheus.GaugeValue, p.ValuesS, "edge", e.Name, "plc", p.Name)
				emit("edge_plc_stale_tags", "Cyclic tags that are silent on a live connection.", prometheus.GaugeValue, float64(p.Stale), "edge", e.Name, "plc", p.Name)
			}
			if e.Ledger != nil {
				emitLedger(emit, e.Name, e.Ledger)
			}
		}
	})
}

// emitLedger gives what an edge has sent and what is here of it.
func emitLedger(emit emit, edge string, l *plant.EdgeLedger) {
	for i := range l.Classes {
		c := &l.Classes[i]
		gauge := func(name, help string, v float64) {
			emit("ledger_"+name, help, prometheus.GaugeValue, v, "edge", edge, "class", c.Name)
		}
		gauge("sent_values", "Values that the edge has queued, in the epochs that are remembered.", float64(c.Sent))
		gauge("stored_values", "Values of those that are stored.", float64(c.Stored))
		gauge("declared_values", "Values of those that were thinned out and declared as gaps.", float64(c.Declared))
		gauge("under_way_values", "Values of those that are queued or on their way.", float64(c.UnderWay()))
		gauge("lost_values", "Values of those that are neither stored nor declared nor under way, and not explained; below 0: stored and never sent.", float64(c.Lost))
		gauge("explained_values", "Values that were lost, and of which somebody has said why.", float64(c.Explained))
	}
	records := uint64(0)
	if l.Loss != nil {
		records = l.Loss.Records
	}
	emit("ledger_lost_records", "Records that the edge has freed and that are neither stored nor declared.", prometheus.GaugeValue, float64(records), "edge", edge)
	emit("ledger_stated_timestamp_seconds", "When the edge said last what it has sent.", prometheus.GaugeValue, float64(l.At)/1e9, "edge", edge)
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
