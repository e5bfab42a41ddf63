package simulator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"millwright/plant"
	"millwright/plant/recording"
	"millwright/simulator/server"
)

// Simulator serves the mill, or a recording in its place, through OPC UA. Set
// the fields, then Run.
type Simulator struct {
	Works   *Works // nil: Demo
	Listen  string // "opc.tcp://host:port" or "host:port"; empty or port 0: a free port of 127.0.0.1
	Seed    uint64
	Speed   float64 // plant time over clock time, 1 where 0
	Faults  []Fault
	Trouble []Trouble // with the server

	Repairs []Repair
	Random  *Random // nil: nothing breaks by chance

	Ledger, Samples string // files that are continued; empty: not written

	Replay *Replay // in place of the mill

	Modes          []server.Mode // security offered: None alone where empty
	PKI            string
	RequireTrusted bool
	NoAnonymous    bool
	Users          map[string]string

	Log *slog.Logger // nil = slog.Default()

	mu      sync.Mutex
	started chan struct{}
	server  *server.Server
	mill    *Mill
	orders  []order // for the mill, taken by Run before its next step
}

// order is what Inject and Repair ask of a running mill.
type order struct {
	repair string
	fault  Fault
}

// Started is closed when the server listens and the first values are there.
func (s *Simulator) Started() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ready()
}

// ready needs s.mu.
func (s *Simulator) ready() chan struct{} {
	if s.started == nil {
		s.started = make(chan struct{})
	}
	return s.started
}

// URL is the server's endpoint, "opc.tcp://host:port", empty before Started.
func (s *Simulator) URL() string {
	if srv := s.running(); srv != nil {
		return srv.URL()
	}
	return ""
}

// Monitored is the number of variables that a client monitors.
func (s *Simulator) Monitored() int {
	if srv := s.running(); srv != nil {
		return srv.Monitored()
	}
	return 0
}

// Counts is how often each OPC UA service was requested.
func (s *Simulator) Counts() map[string]uint64 {
	if srv := s.running(); srv != nil {
		return srv.Counts()
	}
	return nil
}

func (s *Simulator) running() *server.Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.server
}

func (s *Simulator) log() *slog.Logger {
	if s.Log != nil {
		return s.Log
	}
	return slog.Default()
}

func (s *Simulator) speed() float64 {
	if s.Speed > 0 {
		return s.Speed
	}
	return 1
}

// Inject breaks something in the running mill. An offset that has passed means
// now.
func (s *Simulator) Inject(f Fault) error {
	return s.order(order{fault: f})
}

// Repair takes all faults from an asset of the running mill.
func (s *Simulator) Repair(asset string) error { return s.order(order{repair: asset}) }

func (s *Simulator) order(o order) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mill == nil {
		return errors.New("simulator: no mill is running")
	}
	if o.repair == "" {
		if err := s.mill.check(o.fault); err != nil {
			return fmt.Errorf("fault %s: %w", o.fault, err)
		}
	}
	s.orders = append(s.orders, o)
	return nil
}

// Run serves until ctx ends. It returns what no retry mends: a port in use, a
// file that cannot be written, a recording that cannot be read.
func (s *Simulator) Run(ctx context.Context) error {
	if s.Replay != nil {
		return s.runReplay(ctx)
	}
	mill, err := s.build()
	if err != nil {
		return err
	}
	return s.serve(ctx, mill.Tags(), func(srv *server.Server, l *logs) error { return s.runMill(ctx, mill, srv, l) })
}

// Check says what Run would refuse of the faults or the recording, before
// anything listens or is written.
func (s *Simulator) Check() error {
	if s.Replay == nil {
		_, err := s.build()
		return err
	}
	r, err := recording.Open(s.Replay.File)
	if err != nil {
		return err
	}
	return r.Close()
}

// build makes the mill with its faults.
func (s *Simulator) build() (*Mill, error) {
	w, err := s.works()
	if err != nil {
		return nil, err
	}
	mill, err := NewMill(w, s.Seed, s.speed())
	if err != nil {
		return nil, err
	}
	return mill, mill.expect(s.Faults, s.Repairs, s.Random)
}

// works is what is simulated.
func (s *Simulator) works() (Works, error) {
	if s.Works == nil {
		return Demo()
	}
	return *s.Works, nil
}

// serve opens logs and server, and closes them behind work.
func (s *Simulator) serve(ctx context.Context, tags []plant.Tag, work func(*server.Server, *logs) error) (err error) {
	l, err := openLogs(s.Ledger, s.Samples, tags)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	srv := &server.Server{Listen: s.Listen, Variables: variables(tags), Modes: s.Modes, PKI: s.PKI, RequireTrusted: s.RequireTrusted,
		NoAnonymous: s.NoAnonymous, Users: s.Users, Log: s.Log, Offered: l.offered}
	if err := srv.Start(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	s.server = srv
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.server, s.mill = nil, nil
		s.mu.Unlock()
		err = errors.Join(err, srv.Close())
		counts := srv.Counts()
		s.log().Info("what clients asked for", "requests", counts, "of_these_could_change_a_plc", server.Changing(counts))
	}()
	return work(srv, l)
}

// begin tells the waiting that the first values are there.
func (s *Simulator) begin(mill *Mill) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mill = mill
	select {
	case <-s.ready():
	default:
		close(s.started)
	}
}

const (
	tick    = 10 * time.Millisecond // of the clock, between two looks at the mill
	maxLate = 2 * time.Second       // beyond it plant time waits for the host
)

// runMill moves the mill with the clock.
func (s *Simulator) runMill(ctx context.Context, mill *Mill, srv *server.Server, l *logs) error {
	troubles := newDisturber(srv, s.Trouble, s.log())
	start := time.Now()
	clock := pace{wall: start.UnixNano(), speed: s.speed()}
	var vals []server.Value
	var notes []Truth
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for first := true; ; first = false {
		elapsed := time.Since(start)
		if late := elapsed - clock.at(mill.Now()); late > maxLate {
			s.log().Warn("the host is too slow for the mill, plant time waits", "late", late.Round(time.Millisecond))
			clock.waited += late
		}
		s.obey(mill)
		vals, notes = vals[:0], notes[:0]
		for first || clock.at(mill.Now()+mill.StepTime()) <= elapsed {
			first = false
			from := len(vals)
			mill.Step()
			vals = mill.waves(mill.Values(vals))
			now := clock.wall + int64(clock.at(mill.Now()))
			mill.Stamp(vals[from:], now)
			before := len(notes)
			notes = mill.Truth(notes)
			for i := before; i < len(notes); i++ {
				notes[i].Time = plant.Millis(now)
			}
		}
		if err := troubles.at(ctx, mill.Now()); err != nil {
			return err
		}
		s.say(srv, l, vals, notes)
		if l.broken() {
			return nil
		}
		s.begin(mill)
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// pace maps plant time to the clock.
type pace struct {
	wall   int64 // ns UTC at plant time 0
	speed  float64
	waited time.Duration
}

// at is the time on the clock since the start at which it is plant time t.
func (p *pace) at(t time.Duration) time.Duration {
	return time.Duration(float64(t)/p.speed) + p.waited
}

func (s *Simulator) obey(mill *Mill) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.orders {
		if o.repair != "" {
			mill.Repair(o.repair)
			continue
		}
		if err := mill.Inject(o.fault); err != nil { // was checked when it was ordered
			s.log().Error("fault", "err", err)
		}
	}
	s.orders = s.orders[:0]
}

// say writes the ledger first: the truth is known before anybody sees its
// effect.
func (s *Simulator) say(srv *server.Server, l *logs, vals []server.Value, notes []Truth) {
	for i := range notes {
		n := &notes[i]
		s.log().Info("fault", "asset", n.Asset, "fault", n.Fault, "severity", n.Severity, "plant_time", n.PlantTime)
		l.truth(*n)
	}
	if len(vals) > 0 {
		srv.Write(vals)
	}
}
