package collector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"millwright/plant"
)

var _ plant.Source = (*Source)(nil)

// DefaultPublishing is the publishing interval where none is given.
const DefaultPublishing = 100 * time.Millisecond

// Source reads the tags of one OPC UA server. Fill the exported fields, then
// Run it once at a time.
type Source struct {
	Name string // of the PLC, for status and log
	URL  string // opc.tcp://HOST:PORT[/PATH]
	// Standby are the URLs of servers with the same address space that are read
	// when that of URL fails or is in a worse state; StandbyMode is one of
	// StandbyCold, StandbyWarm, StandbyHot, or empty: as they say themselves.
	Standby     []string
	StandbyMode string
	Tags        []plant.Tag // with ID and Node set; IDs are the client handles and must stay the same for a state file
	Security    Security
	Publishing  time.Duration // asked of the server; DefaultPublishing where 0
	Budget      plant.Budget  // of the load that it asks of the server

	// Exception says who allowed what of the security is given up, until when and
	// why, for the status. ExceptionEnds is its last day; zero: there is none.
	Exception     string
	ExceptionEnds time.Time

	// Conditions says to take the alarms of the PLC itself (OPC 10000-9) too, from a
	// severity on (1 … 1000). They become findings of class plant.PLCAlarm; those
	// whose source is at no asset of Tags belong to the asset Home, the Name where
	// empty.
	Conditions        bool
	ConditionSeverity uint16
	Home              string

	// StateFile is where the subscription survives a restart of the process. A
	// second file beside it ends in ".ack", others in ".identity" and ".alarms". Where empty, Run closes the session
	// when it ends, and what happens until the next Run is not known.
	StateFile string
	Log       *slog.Logger // slog.Default() where nil

	committed atomic.Uint64
	identity  atomic.Pointer[identities] // of the tags, while Run runs
	board     board
	certs     certificates
	calm      time.Duration // between two words on one alarm of the PLC; calmTime where 0
	recheck   time.Duration // how often the certificates of a living connection are judged again
	life      time.Duration // asked for a session; sessionLife where 0
	hurry     signal        // do not wait to connect
	servers   servers       // where there are several
	spare     certificates  // of the standby
}

// Run keeps the subscription alive until ctx ends and then returns nil. Any
// other return is a fault of the configuration that no retry mends.
//
// Each notification of the server becomes one out.Write; a notification
// without values becomes none. Values from the server's history come in batches
// of their own, older than what was written before them. An error of Write is back-pressure: the same
// batch is offered again, the server's queues bridge the time.
func (s *Source) Run(ctx context.Context, out plant.Sink) error {
	e, err := newEngine(s, out)
	if err != nil {
		return fmt.Errorf("plc %s: %w", s.Name, err)
	}
	defer e.close()
	var aside sync.WaitGroup
	defer aside.Wait()
	aside.Go(func() { s.attend(ctx, e.selves) })
	e.run(ctx)
	return nil
}

// Committed says that the first n batches that this Run wrote are durable: the
// notifications behind them may be acknowledged, after which the server forgets
// them. Any goroutine may call it; a smaller n than before changes nothing.
func (s *Source) Committed(n uint64) {
	for {
		old := s.committed.Load()
		if n <= old || s.committed.CompareAndSwap(old, n) {
			return
		}
	}
}

// Status is the present state. It is cheap; any goroutine may call it.
func (s *Source) Status() plant.PLCStatus {
	st := s.board.get()
	st.Name, st.URL = s.Name, s.URL
	if st.State == "" {
		st.State = plant.Connecting
	}
	now := time.Now()
	st.Certificates, st.Clock = s.shown(now)
	st.Servers = s.servers.get()
	st.Exception = s.Exception
	st.ExceptionOver = !s.ExceptionEnds.IsZero() && now.After(s.ExceptionEnds)
	return st
}

// Trust trusts the server certificate with this SHA-256 that was rejected, and
// connects at once; by says who wants it. Any goroutine may call it.
func (s *Source) Trust(fingerprint, by string) error {
	if s.Security.PKI == "" {
		return fmt.Errorf("plc %s: it has no folder for certificates", s.Name)
	}
	if len(plainHex(fingerprint)) != 64 {
		return fmt.Errorf("plc %s: %q is no SHA-256 of a certificate: want all 64 hexadecimal digits", s.Name, fingerprint)
	}
	if err := Trust(s.Security.PKI, fingerprint, by); err != nil {
		return fmt.Errorf("plc %s: %w", s.Name, err)
	}
	s.hurry.give()
	return nil
}

// Changed receives after a change of Status that others want to know at once:
// state, reason, refused tags. One that is not taken yet stands for all.
func (s *Source) Changed() <-chan struct{} { return s.board.channel() }

// check finds what no retry mends.
func (s *Source) check() error {
	for _, u := range s.urls() {
		if !strings.HasPrefix(u, "opc.tcp://") {
			return fmt.Errorf("url %q: want opc.tcp://HOST:PORT", u)
		}
	}
	if !slices.Contains([]string{"", StandbyCold, StandbyWarm, StandbyHot}, s.StandbyMode) {
		return fmt.Errorf("standby mode %q: allowed are %s, %s, %s", s.StandbyMode, StandbyCold, StandbyWarm, StandbyHot)
	}
	if s.Publishing < 0 {
		return fmt.Errorf("publishing interval %v is negative", s.Publishing)
	}
	seen := make(map[plant.TagID]string, len(s.Tags))
	var errs []error
	for i := range s.Tags {
		t := &s.Tags[i]
		if other, ok := seen[t.ID]; ok {
			errs = append(errs, fmt.Errorf("tags %s and %s have the same id %d", other, t.Path, t.ID))
		}
		seen[t.ID] = t.Path
		if t.ID == eventHandle || t.ID == pulseHandle {
			errs = append(errs, fmt.Errorf("tag %s has the id %d, which is kept for events", t.Path, t.ID))
		}
	}
	return errors.Join(errs...)
}
