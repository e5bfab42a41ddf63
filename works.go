package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"millwright/collector"
	"millwright/edge"
	"millwright/edge/queue"
	follow "millwright/edge/rollout"
	"millwright/edge/uplink"
	"millwright/historian/alarm"
	"millwright/historian/boxes"
	"millwright/historian/broker"
	"millwright/historian/export"
	"millwright/historian/ingest"
	"millwright/historian/ledger"
	"millwright/historian/notify"
	"millwright/historian/rollout"
	"millwright/historian/store"
	"millwright/historian/store/influx"
	"millwright/hmi"
	"millwright/models/detect"
	"millwright/models/diagnose"
	"millwright/plant"
	"millwright/plant/config"
	"millwright/plant/disk"
	"millwright/simulator"
	"millwright/sparkplug/dial"
)

// works puts the roles of one process together as its configuration says.
type works struct {
	log   *slog.Logger
	crew  *crew
	gauge *gauges

	boxes     *boxes.Book // which box is which edge; nil: this process does not know
	floor     time.Time   // a time that has been, as the data folders say
	brokerURL string      // of the embedded broker, once it runs
	page      string      // URL of the HMI, once it runs
	setupCode string      // for the first account, while there is none
	simulator *simulator.Simulator
	trained   *follow.Agent // of the edge, where it follows a plant's models
}

func newWorks(log *slog.Logger) *works {
	return &works{log: log, crew: newCrew(log), gauge: newGauges()}
}

// startSimulator runs the simulated mill.
func (w *works) startSimulator(ctx context.Context, s *simulator.Simulator) error {
	s.Log = w.log.With("role", "simulator")
	w.simulator = s
	w.gauge.simulator(s)
	return w.crew.start(ctx, &role{name: "simulator", run: s.Run, started: s.Started()})
}

// startBroker runs the embedded MQTT broker.
func (w *works) startBroker(ctx context.Context, c *config.Broker) error {
	b := &broker.Broker{
		Listen: c.Listen, Dir: c.Data, UsersFile: c.UsersFile,
		TLSCertificate: c.TLSCertificate, TLSKey: c.TLSKey, ClientCA: c.ClientCA, ClientRequired: c.ClientRequired,
		Log: w.log.With("role", "broker"),
	}
	if w.boxes != nil {
		b.Assign = w.assign
	}
	if err := w.crew.start(ctx, &role{name: "broker", run: b.Run, started: b.Started()}); err != nil {
		return err
	}
	w.brokerURL = b.URL()
	return nil
}

// startHistorian runs ingest over the store and the alarm book, the HMI where
// there is a section for it, and the alert desk.
func (w *works) startHistorian(ctx context.Context, c *config.Historian, web *config.HMI, tell *config.Notify) error {
	w.passed(c.Data)
	st, err := w.openStore(c)
	if err != nil {
		return fmt.Errorf("historian: %w", err)
	}
	book, err := alarm.Open(filepath.Join(c.Data, "alarms"))
	if err != nil {
		_ = st.Close()
		return fmt.Errorf("historian: %w", err)
	}
	m := memory{dir: c.Data, store: st, book: book, hub: &hmi.Hub{}}
	first, more, access := w.reach(c.Access)
	m.ingest = &ingest.Ingest{
		Broker: first, Access: access,
		HostID: c.HostID, Reorder: c.Reorder, Dir: filepath.Join(c.Data, ingestFolder), Store: st, Alarms: book, Live: m.hub, Log: w.log.With("role", "historian"),
	}
	m.ingest.Keys = c.Seal.Edges
	if m.ingest.Key, err = sealKey(c.Seal.Sign, c.Data); err != nil {
		return err
	}
	if c.Cluster {
		m.ingest.Nodes = more
	} else {
		m.ingest.Others = more
	}
	m.ledger, err = ledger.Open(ledger.Config{
		Dir: filepath.Join(c.Data, "ledger"), Sources: []ledger.Source{st, book}, Fold: st.FoldTallies,
		Alarms: book, HostID: c.HostID, Log: w.log.With("role", "historian"),
	})
	if err != nil {
		return errors.Join(fmt.Errorf("historian: %w", err), book.Close(), st.Close())
	}
	m.ingest.Ledger = m.ledger
	w.gauge.historian(st, book, m.ingest)
	err = w.crew.start(ctx, &role{name: "historian", run: m.run, close: func() error {
		return errors.Join(m.ledger.Close(), book.Close(), st.Close())
	}})
	if err != nil {
		return err
	}
	if m.desk, err = w.openDesk(tell, &m); err != nil {
		return fmt.Errorf("notify: %w", err)
	}
	if web != nil {
		if err := w.startHMI(ctx, web, &m); err != nil {
			return err
		}
	}
	if m.desk == nil {
		return nil
	}
	w.gauge.desk(m.desk)
	return w.crew.start(ctx, &role{name: "notify", run: m.desk.Run, close: m.desk.Close})
}

// passed takes note of the newest time that a data folder has seen, before anything
// is written to it.
func (w *works) passed(data string) {
	if at := disk.Passed(data); at.After(w.floor) {
		w.floor = at
	}
}

// now is the time by which certificates and signatures of others are judged.
func (w *works) now() time.Time { return disk.NotBefore(w.floor) }

// reach is the first broker, the ones beside it, and what is shown to them.
func (w *works) reach(c config.Access) (first string, more []string, access dial.Access) {
	access = dial.Access{User: c.User, PasswordFile: c.PasswordFile, CA: c.CA, Certificate: c.Certificate, Key: c.Key, Floor: w.floor}
	if len(c.Brokers) == 0 {
		return w.brokerURL, nil, access
	}
	return c.Brokers[0], c.Brokers[1:], access
}

// ingestFolder is where in the historian's data the host keeps its own.
const ingestFolder = "ingest"

// memory is what the roles of the plant's side share.
type memory struct {
	dir    string // the historian's data folder
	store  store.Store
	book   *alarm.Book
	ingest *ingest.Ingest
	hub    *hmi.Hub
	ledger *ledger.Ledger
	desk   *notify.Desk // nil: nobody is told of alarms
}

// run takes what the edges send and holds it against what they say that they sent.
func (m *memory) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return m.ingest.Run(ctx) })
	g.Go(func() error { return m.ledger.Run(ctx) })
	return g.Wait()
}

// startHMI runs the web server over what the historian has.
func (w *works) startHMI(ctx context.Context, web *config.HMI, m *memory) error {
	models, err := w.openModels(m)
	if err != nil {
		return err
	}
	library, err := config.Classes(web.ClassFiles...)
	if err != nil {
		return err
	}
	box, err := w.openBoxes(m.dir)
	if err != nil {
		return err
	}
	box.Attend(m.store, m.ingest.Edges, (&teller{host: m.ingest.HostID, book: m.book}).tell)
	w.gauge.boxes(box)
	if err := w.crew.start(ctx, &role{name: "boxes", run: box.Run}); err != nil {
		return err
	}
	exports := &export.Service{Source: export.Works{Store: m.store, Book: m.book}, Version: version, Dir: m.dir}
	server := &hmi.Server{
		Listen: web.Listen, TLSCertificate: web.TLSCertificate, TLSKey: web.TLSKey, NoLogin: web.NoLogin, Data: web.Data,
		History: m.store, Alarms: m.book, Plant: m.ingest, Hub: m.hub, Metrics: w.gauge.handler(), Roles: w.crew.health,
		Version: version, Log: w.log.With("role", "hmi"),
		Labels: m.book, Models: models, Orders: models, Ledger: m.ledger, Export: exports.Serve, Boxes: box, Refusals: refusals(),
		Causes: func(a *plant.Asset, f plant.Finding) []plant.Cause { return diagnose.Rank(library.Find(a.Class), a, f) },
	}
	if m.desk != nil {
		server.Alerts, server.Zone = m.desk, m.desk.Zone
	}
	if err := w.crew.start(ctx, &role{name: "hmi", run: server.Run, started: server.Started()}); err != nil {
		return err
	}
	w.page, w.setupCode = server.URL(), server.SetupCode()
	return nil
}

// openStore opens the store that the plant has chosen.
func (w *works) openStore(c *config.Historian) (store.Store, error) {
	log := w.log.With("role", "store")
	if x := c.Influx; x != nil {
		return influx.Open(influx.Config{
			URL: x.URL, Database: x.Database, Org: x.Org, Token: x.Token, CA: x.CA, Timeout: x.Timeout,
			Dir: filepath.Join(c.Data, "influx"), Log: log,
		})
	}
	return store.Open(store.Config{Dir: filepath.Join(c.Data, "store"), Reserve: c.Reserve, Log: log})
}

// refusals are what is the caller's doing, with the status of HTTP.
func refusals() map[error]int {
	return map[error]int{
		alarm.ErrNotFound: http.StatusNotFound, alarm.ErrChanged: http.StatusConflict, alarm.ErrCursor: http.StatusBadRequest,
		notify.ErrNotFound: http.StatusNotFound, notify.ErrChanged: http.StatusConflict, notify.ErrState: http.StatusConflict,
		notify.ErrCursor:    http.StatusBadRequest,
		ledger.ErrNothing:   http.StatusConflict,
		ledger.ErrUnknown:   http.StatusNotFound,
		ledger.ErrNote:      http.StatusBadRequest,
		rollout.ErrNotFound: http.StatusNotFound,
		rollout.ErrNotReady: http.StatusConflict,
		rollout.ErrNotFit:   http.StatusConflict,
		rollout.ErrReason:   http.StatusBadRequest,
		rollout.ErrNothing:  http.StatusConflict,
		boxes.ErrUnknown:    http.StatusNotFound, boxes.ErrRetired: http.StatusGone, boxes.ErrOther: http.StatusConflict,
		boxes.ErrAlive: http.StatusConflict, boxes.ErrBad: http.StatusBadRequest,
		export.ErrTooLarge: http.StatusRequestEntityTooLarge,
		export.ErrBusy:     http.StatusServiceUnavailable,
	}
}

// stateFile is what the models of an edge have learned, in its data folder.
const stateFile = "models.state"

// startEdge runs the agent: PLCs → models → queue → uplink.
func (w *works) startEdge(ctx context.Context, cfg *config.Config) error {
	c, plcs := cfg.Edge, cfg.PLCs
	w.passed(c.Data)
	log := w.log.With("role", "edge")
	if c.Plant != "" {
		if err := w.awaitPlace(ctx, w.plantOf(c), c, log); err != nil {
			return fmt.Errorf("edge: %w", err)
		}
	}
	q, err := queue.Open(queue.Config{Dir: filepath.Join(c.Data, "queue"), Quotas: quotas(c), Reserve: c.Reserve, Log: log})
	if err != nil {
		return fmt.Errorf("edge: %w", err)
	}
	a := &edge.Agent{
		Name: c.Name, Version: version, Queue: q, Assets: c.Assets, Derived: detect.Derived(c.Assets),
		StateFile: filepath.Join(c.Data, stateFile), Log: log,
		SmallRecords: c.LinkKbit > 0 && c.LinkKbit < edge.ThinLink,
	}
	if err := w.outfit(ctx, a, c, plcs); err != nil {
		_ = q.Close()
		return fmt.Errorf("edge: %w", err)
	}
	w.gauge.edge(a)
	if err := w.crew.start(ctx, &role{name: "edge", run: a.Run, close: q.Close}); err != nil {
		return err
	}
	err = w.crew.start(ctx, &role{name: "recovery", run: func(ctx context.Context) error {
		return takeRecovered(ctx, q, filepath.Join(c.Data, "queue"))
	}})
	if err != nil {
		return err
	}
	if k := w.keeper(a, cfg); k != nil {
		w.gauge.keeper(k)
		if err := w.crew.start(ctx, &role{name: "checkpoints", run: k.Run}); err != nil {
			return err
		}
	}
	if w.trained == nil {
		return nil
	}
	return w.crew.start(ctx, &role{name: "edge models", run: w.trained.Run})
}

// quotas are what the edge's queue may hold, by lane.
func quotas(c *config.Edge) *queue.Quotas {
	x := &c.Queue
	return &queue.Quotas{
		queue.Findings:  {Bytes: x.Findings, Age: x.FindingsAge},
		queue.Telemetry: {Bytes: c.QueueMax, Age: x.TelemetryAge},
		queue.Waveforms: {Bytes: x.Waveforms, Age: x.WaveformsAge},
		queue.Audit:     {Bytes: x.AuditBytes, Age: x.AuditAge},
	}
}

// outfit gives the agent its sources, models and uplink.
func (w *works) outfit(ctx context.Context, a *edge.Agent, c *config.Edge, plcs []config.PLC) error {
	sources := make([]*collector.Source, len(plcs))
	for i, p := range plcs {
		s := newSource(p, c.Data, a.Log)
		s.Home = c.Name + "/" + p.Name
		tags := p.Tags
		if p.Discover {
			d := &collector.Discovery{URL: p.URL, Security: s.Security, Root: p.DiscoverRoot,
				Manners: func(collector.Product) plant.Budget { return p.Budget }}
			found, err := find(ctx, d, &p, c.Data, a.Log)
			if err != nil {
				return err
			}
			config.Assign(found, c.Assets)
			tags = found
		}
		sources[i] = s
		a.PLCs = append(a.PLCs, edge.PLC{Name: p.Name, Tags: tags, Source: s})
	}
	if err := a.Intern(); err != nil {
		return err
	}
	var all []plant.Tag
	for i := range a.PLCs {
		sources[i].Tags = hasten(a.PLCs[i].Tags, c.Speed)
		all = append(all, a.PLCs[i].Tags...)
	}
	set, err := detect.New(detect.Config{
		Assets: c.Assets, Tags: append(all, a.Derived...), Speed: c.Speed, Clock: monotonic(), Log: a.Log,
	})
	if err != nil {
		return err
	}
	a.Detector = set
	if err := a.Load(); err != nil {
		a.Log.Warn("models", "err", err)
	}
	first, more, access := w.reach(c.Access)
	up := &uplink.Uplink{
		Broker: first, Standby: more, Access: access, PrimaryKeepAlive: c.PrimaryKeepAlive, LinkKbit: c.LinkKbit, NewestFirst: c.NewestFirst,
		Group: c.Group, Node: c.Name, PrimaryHost: c.PrimaryHost, Version: version,
		StateDir: c.Data, Queue: a.Queue, Devices: a.Devices, Status: a.Status, Assets: c.Assets, Log: a.Log,
	}
	up.Compress, up.HostKey = c.Seal.Compress, c.Seal.HostKey
	if up.Key, err = sealKey(c.Seal.Sign, c.Data); err != nil {
		return err
	}
	if c.Delivery == config.DeliverState {
		up.Delivery = uplink.ByState
	}
	a.Uplink, a.Connection = up, up.Connection
	a.AuditFiles, a.AuditState = auditFiles(c, plcs), filepath.Join(c.Data, "audit.state")
	if w.trained, err = w.followModels(a, set, c, obey(sources)); err != nil {
		return err
	}
	if b := c.Beacon; b != nil {
		a.Beacon = &edge.Beacon{
			After: b.After, On: b.On, Off: b.Off, Heard: up.Heard,
			Waiting: func() int64 { return a.Queue.Stats().Oldest }, Log: a.Log,
		}
	}
	return nil
}

// fastMotion is the shortest interval that a works in fast motion is sampled at: half
// of that at which it has new values.
const fastMotion = 10 * time.Millisecond

// hasten gives tags the intervals of the clock by which their PLC is sampled, where
// its plant time runs faster or slower.
func hasten(tags []plant.Tag, speed float64) []plant.Tag {
	if speed == 0 || speed == 1 {
		return tags
	}
	tags = slices.Clone(tags)
	for i := range tags {
		if t := &tags[i]; t.Sampling > 0 {
			t.Sampling = max(time.Duration(float64(t.Sampling)/speed), min(t.Sampling, fastMotion))
		}
	}
	return tags
}

// auditFiles are what other parts of an edge, and people on its box, write down:
// whom it trusts, and what it did with the plant's models and orders.
func auditFiles(c *config.Edge, plcs []config.PLC) []string {
	files := []string{filepath.Join(c.Data, modelsFolder, "audit.jsonl")}
	for _, p := range plcs {
		name := filepath.Join(securityOf(p, c.Data).PKI, "audit.log")
		if !slices.Contains(files, name) {
			files = append(files, name)
		}
	}
	return files
}

// newSource is the reader of one PLC. Its certificates and its memory of the
// subscription lie in the edge's data folder.
func newSource(p config.PLC, data string, log *slog.Logger) *collector.Source {
	s := &collector.Source{
		Name: p.Name, URL: p.URL, Standby: p.Standby, StandbyMode: p.StandbyMode, Publishing: p.Publishing, Budget: p.Budget,
		Security:   securityOf(p, data),
		StateFile:  collector.StateFileOf(data, p.Name),
		Conditions: p.Conditions, ConditionSeverity: p.ConditionSeverity,
		Log: log,
	}
	if x := p.Exception; x != nil {
		s.Exception, s.ExceptionEnds = x.Text(&p), x.Until
	}
	return s
}

// securityOf says how a PLC is met by an edge that keeps its data in a folder.
func securityOf(p config.PLC, data string) collector.Security {
	return collector.Security{
		Policy: p.SecurityPolicy, Mode: p.SecurityMode, User: p.User, Password: p.Password,
		UserCertificate: p.UserCertificate, UserKey: p.UserKey,
		PKI: cmp.Or(p.Trust, filepath.Join(data, "pki")), Certificate: p.Certificate, Key: p.Key,
		AnyHost: p.AnyHost, Revocation: p.Revocation, AllowSHA1: p.AllowSHA1,
	}
}

// makeFolder makes a data folder that only its owner may read.
func makeFolder(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(abs, 0o700); err != nil {
		return "", fmt.Errorf("data folder: %w: choose another one with --data", err)
	}
	probe, err := os.CreateTemp(abs, ".writable-")
	if err != nil {
		return "", fmt.Errorf("data folder %s cannot be written: %w: choose another one with --data", abs, err)
	}
	_ = probe.Close()
	return abs, os.Remove(probe.Name())
}
