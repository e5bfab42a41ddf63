package hmi

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"millwright/hmi/account"
	"millwright/plant"
)

// History is the part of the historian's store that the HMI reads.
type History interface {
	Tags() []plant.Tag
	Assets() []plant.Asset
	Last(ctx context.Context, tags []plant.TagID) ([]plant.Sample, error)
	LastStates(ctx context.Context, tags []plant.TagID) ([]plant.State, error)
	Scan(ctx context.Context, r plant.Range) iter.Seq2[plant.Block, error]
	Trend(ctx context.Context, q plant.TrendQuery) ([]plant.Bucket, error)
	Gaps(ctx context.Context, r plant.Range) ([]plant.Gap, error)
	States(ctx context.Context, r plant.Range) ([]plant.State, error)
	Waveforms(ctx context.Context, r plant.Range) iter.Seq2[plant.Waveform, error]
	LastWaveform(ctx context.Context, tag plant.TagID) (plant.Waveform, error)
}

// Alarms is the alarm book.
type Alarms interface {
	List(ctx context.Context, q plant.AlarmQuery) (alarms []plant.Alarm, next string, err error)
	Get(ctx context.Context, id int64) (plant.Alarm, error)
	// Ack acknowledges; ifState, where not empty, is the state that the alarm
	// must still be in.
	Ack(ctx context.Context, id int64, who, note string, ifState plant.AlarmState) (plant.Alarm, error)
	// Events is the journal after number after, ascending by Seq.
	Events(ctx context.Context, after uint64, max int) ([]plant.Alarm, error)
	// Changed gives a channel that is closed, or gets a value, when the journal
	// grows after the call. Only one goroutine of the server waits on it.
	Changed() <-chan struct{}
}

// Plant knows the edges.
type Plant interface {
	Edges() []plant.EdgeStatus
}

// Role is a part of this process, as `health` shows it.
type Role struct {
	Name   string
	State  string // "running", or a word for what it is instead
	Reason string
}

// Server serves the HMI. Set the exported fields, then call Run once.
type Server struct {
	Listen         string // "127.0.0.1:8080"; port 0 takes a free one
	TLSCertificate string // PEM files; both or none
	TLSKey         string
	NoLogin        bool   // everybody is an admin named demo; loopback only
	Data           string // folder of the accounts; not used with NoLogin

	History History
	Alarms  Alarms
	Plant   Plant
	Hub     *Hub
	Metrics http.Handler  // GET /metrics; may be nil
	Roles   func() []Role // may be nil
	Version string
	Zone    *time.Location // of times on the server's own pages; nil: time.Local
	Log     *slog.Logger   // nil: slog.Default

	// Parts that a works may lack: nil, and their routes answer 404.
	Labels Labels
	Alerts Alerts
	Models Models
	Orders Orders
	Ledger Ledger
	Export Export
	Boxes  Boxes

	// Causes are the failure modes that a finding may come from, the likeliest
	// first: empty where none fits, nil where there is nothing to compare. May be nil.
	Causes func(*plant.Asset, plant.Finding) []plant.Cause

	// Refusals are the errors of the parts that are the caller's doing, with the
	// status of their answer; their text is told to the caller.
	Refusals map[error]int

	once      sync.Once
	started   chan struct{}
	url       string
	setup     *setupCode
	accounts  *account.Book
	attempts  account.Attempts // at passwords and the setup code
	guesses   account.Attempts // at the links of messages
	directory directory
	bell      bell
	streams   gate
	stopping  context.Context // done when streams are to end
}

// Limits of the server. A browser holds at most six connections (HTTP/1.1), two
// of them for good: live values and events.
const (
	maxConnections = 2048
	maxStreams     = 512 // of each kind
	maxBody        = 64 << 10
	maxRoster      = 1 << 20 // the body of a roster, which is saved as a whole
	requestTime    = 30 * time.Second
)

func (s *Server) ready() {
	s.once.Do(func() { s.started = make(chan struct{}) })
}

func (s *Server) log() *slog.Logger {
	if s.Log != nil {
		return s.Log
	}
	return slog.Default()
}

// Started is closed when the server listens; URL and SetupCode are valid then.
func (s *Server) Started() <-chan struct{} {
	s.ready()
	return s.started
}

// URL is the address for a browser: "http://127.0.0.1:8080".
func (s *Server) URL() string { return s.url }

// SetupCode is the one-time code that the page for the first account asks for,
// "" when there is an account already. It is to be printed in the terminal: who
// reads that may be the admin.
func (s *Server) SetupCode() string {
	if s.setup == nil {
		return ""
	}
	return s.setup.text()
}

// Run serves until ctx ends, then ends all connections in less than a second.
func (s *Server) Run(ctx context.Context) error {
	s.ready()
	if err := s.open(); err != nil {
		return err
	}
	defer s.shut()
	l, err := s.listen()
	if err != nil {
		return err
	}
	var background sync.WaitGroup
	defer background.Wait()
	stopping, stop := context.WithCancel(ctx)
	defer stop()
	s.stopping = stopping
	background.Go(func() { s.ringBell(stopping) })

	srv := &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       time.Minute,
		IdleTimeout:       90 * time.Second,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(s.log().Handler(), slog.LevelDebug),
	}
	if !s.NoLogin && !s.tls() && !loopback(l.Addr().String()) {
		s.log().Warn("passwords go over the network in plain: set tls_certificate and tls_key", "listen", l.Addr().String())
	}
	served := make(chan error, 1)
	background.Go(func() {
		if s.tls() {
			served <- srv.ServeTLS(l, s.TLSCertificate, s.TLSKey)
		} else {
			served <- srv.Serve(l)
		}
	})
	close(s.started)

	select {
	case err := <-served:
		return fmt.Errorf("hmi: %w", err)
	case <-ctx.Done():
	}
	// Streams end by themselves with stopping; what is still at work then is cut.
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 700*time.Millisecond)
	defer cancel()
	s.streams.close(grace)
	if err := srv.Shutdown(grace); err != nil {
		srv.Close()
	}
	return nil
}

func (s *Server) tls() bool { return s.TLSCertificate != "" || s.TLSKey != "" }

// open checks the fields and opens the accounts.
func (s *Server) open() error {
	if s.History == nil || s.Alarms == nil || s.Plant == nil || s.Hub == nil {
		return errors.New("hmi: History, Alarms, Plant and Hub must be set")
	}
	if s.tls() {
		if _, err := tls.LoadX509KeyPair(s.TLSCertificate, s.TLSKey); err != nil {
			return fmt.Errorf("hmi: tls_certificate and tls_key: %w", err)
		}
	}
	s.directory.history = s.History
	s.attempts.Free, s.attempts.First, s.attempts.Max = 5, 30*time.Second, 15*time.Minute
	// A whole shift may sit behind one address.
	s.guesses.Free, s.guesses.First, s.guesses.Max = 30, 30*time.Second, 15*time.Minute
	if s.stopping == nil {
		s.stopping = context.Background()
	}
	if s.NoLogin {
		if !loopback(s.Listen) {
			return fmt.Errorf("hmi: no_login is allowed on loopback only, not on %s: listen on 127.0.0.1, or drop no_login", s.Listen)
		}
		return nil
	}
	book, err := account.Open(s.Data)
	if err != nil {
		return fmt.Errorf("hmi: %w", err)
	}
	s.accounts = book
	empty, err := book.Empty(context.Background())
	if err != nil {
		return errors.Join(fmt.Errorf("hmi: %w", err), book.Close())
	}
	if empty {
		s.setup = newSetupCode()
	}
	return nil
}

func (s *Server) shut() {
	if s.accounts == nil {
		return
	}
	if err := s.accounts.Close(); err != nil {
		s.log().Error("closing the accounts", "error", err)
	}
}

func (s *Server) listen() (net.Listener, error) {
	l, err := net.Listen("tcp", s.Listen)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("hmi: %s is in use: stop the other program or choose another address", s.Listen)
	}
	if err != nil {
		return nil, fmt.Errorf("hmi: cannot listen on %s: %w", s.Listen, err)
	}
	scheme := "http://"
	if s.tls() {
		scheme = "https://"
	}
	s.url = scheme + l.Addr().String()
	return &limited{Listener: l, slots: make(chan struct{}, maxConnections), closed: make(chan struct{})}, nil
}

// loopback reports whether only this machine can reach the address.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
