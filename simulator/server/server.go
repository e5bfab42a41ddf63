package server

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gopcua/opcua/ua"
)

// Mode is a way to secure connections. Sign and SignAndEncrypt use
// Basic256Sha256.
type Mode string

// Modes.
const (
	None           Mode = "None"
	Sign           Mode = "Sign"
	SignAndEncrypt Mode = "SignAndEncrypt"
)

// Server is the OPC UA server. Set the fields, then Start; they must not be
// changed after that.
type Server struct {
	// Listen is "host:port" or "opc.tcp://host:port"; port 0 takes a free one.
	// Empty means 127.0.0.1:0.
	Listen         string
	Name           string   // application name, default "Millwright mill"
	ApplicationURI string   // default "urn:millwright:simulator"
	Namespaces     []string // URIs that stand before Namespace and push its index up
	Variables      []Variable

	Modes []Mode // offered; None alone where empty

	// PKI is the folder of certificates: own (made on the first start), trusted,
	// rejected, users. Empty keeps the own certificate in memory.
	PKI            string
	RequireTrusted bool // clients' certificates must be in PKI/trusted; needs PKI

	NoAnonymous bool
	Users       map[string]string // passwords by user name

	Limits Limits

	// Offered gets the values that passed the sampling and the filter of at least
	// one monitored item and entered its queue, and those that entered a history,
	// each written value once, before any of it can be sent. It is called with the server's lock held: it must
	// not call the server, should not take long, and must not keep the slice.
	Offered func([]Value)

	Log *slog.Logger // nil = slog.Default()

	limits Limits
	own    identity
	engine *engine
	space  *space
	begun  time.Time

	mu       sync.Mutex
	listener net.Listener
	url      string
	conns    map[*conn]struct{}
	stop     chan struct{}
	unhook   func() bool
	wg       sync.WaitGroup

	countMu  sync.Mutex
	counts   map[string]uint64
	channels atomic.Uint32
	tokens   atomic.Uint32
}

var errRunning = errors.New("opc ua server: already started")

// Start listens and serves until Close or the end of ctx. After Close the
// server can be started again, with its variables empty.
func (s *Server) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener != nil {
		return errRunning
	}
	if err := s.check(); err != nil {
		return fmt.Errorf("opc ua server: %w", err)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", s.address())
	if err != nil {
		return fmt.Errorf("opc ua server: %w", err)
	}
	host, _, _ := net.SplitHostPort(l.Addr().String()) // an address of the net package is well formed
	if s.needsIdentity() && s.own.cert == nil {
		if s.own, err = loadIdentity(s.PKI, s.applicationURI(), s.name(), []string{"localhost", host}); err != nil {
			l.Close()
			return fmt.Errorf("opc ua server: %w", err)
		}
	}
	s.listener, s.url = l, "opc.tcp://"+l.Addr().String()
	s.begun = time.Now()
	s.conns = map[*conn]struct{}{}
	s.stop = make(chan struct{})
	// Ids that differ from those before a restart, so that an old client is not
	// taken for a new one (OPC 10000-6, 6.7.2.2).
	var seed [8]byte
	rand.Read(seed[:]) // never fails (crypto/rand)
	s.channels.Store(binary.LittleEndian.Uint32(seed[:]) >> 1)
	s.tokens.Store(binary.LittleEndian.Uint32(seed[4:]) >> 1)
	e := newEngine(s.Variables, s.limits, s.Offered)
	e.lastSub = binary.LittleEndian.Uint32(seed[2:]) >> 4
	s.engine, s.space = e, newSpace(s, e)
	s.wg.Add(2)
	go func() { defer s.wg.Done(); e.runClock(s.stop) }()
	go func() { defer s.wg.Done(); s.accept(l) }()
	s.unhook = context.AfterFunc(ctx, func() { s.Close() })
	return nil
}

func (s *Server) check() error {
	for _, m := range s.Modes {
		if m != None && m != Sign && m != SignAndEncrypt {
			return fmt.Errorf("mode %q: None, Sign and SignAndEncrypt are allowed", m)
		}
	}
	if s.RequireTrusted && s.PKI == "" {
		return errors.New("RequireTrusted needs a PKI folder")
	}
	if s.NoAnonymous && len(s.Users) == 0 && s.PKI == "" {
		return errors.New("nobody could log in: no users, no PKI folder, no anonymous users")
	}
	s.limits = s.Limits.withDefaults()
	return checkVariables(s.Variables)
}

func (s *Server) needsIdentity() bool {
	if len(s.Users) > 0 || s.PKI != "" {
		return true
	}
	for _, m := range s.Modes {
		if m != None {
			return true
		}
	}
	return false
}

func (s *Server) address() string {
	a := strings.TrimSuffix(strings.TrimPrefix(s.Listen, "opc.tcp://"), "/")
	if a == "" {
		return "127.0.0.1:0"
	}
	return a
}

func (s *Server) name() string {
	if s.Name != "" {
		return s.Name
	}
	return "Millwright mill"
}

func (s *Server) applicationURI() string {
	if s.ApplicationURI != "" {
		return s.ApplicationURI
	}
	return "urn:millwright:simulator"
}

func (s *Server) log() *slog.Logger {
	if s.Log != nil {
		return s.Log
	}
	return slog.Default()
}

// URL is the endpoint's address, "opc.tcp://host:port". Empty before Start.
func (s *Server) URL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.url
}

// Write sets variables to new values, in order, and offers them to monitored
// items. It never waits for a client. Values for indices beyond Variables are a
// mistake of the caller and panic. Before Start and after Close it does nothing.
func (s *Server) Write(vals []Value) {
	if e := s.running(); e != nil {
		e.write(vals)
	}
}

// Monitored is the number of variables with at least one reporting monitored
// item in a subscription that is alive.
func (s *Server) Monitored() int {
	e := s.running()
	if e == nil {
		return 0
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.monitored
}

func (s *Server) running() *engine {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil {
		return nil
	}
	return s.engine
}

func (s *Server) nextChannel() uint32 { return s.channels.Add(1) }
func (s *Server) nextToken() uint32   { return s.tokens.Add(1) }

// offers reports whether an endpoint has this security. None is always opened,
// for discovery.
func (s *Server) offers(policy string, mode ua.MessageSecurityMode) bool {
	if policy == ua.SecurityPolicyURINone {
		return mode == ua.MessageSecurityModeNone
	}
	for _, m := range s.modes() {
		if m != None && securityMode(m) == mode {
			return true
		}
	}
	return false
}

func (s *Server) modes() []Mode {
	if len(s.Modes) == 0 {
		return []Mode{None}
	}
	return s.Modes
}

func securityMode(m Mode) ua.MessageSecurityMode {
	switch m {
	case Sign:
		return ua.MessageSecurityModeSign
	case SignAndEncrypt:
		return ua.MessageSecurityModeSignAndEncrypt
	}
	return ua.MessageSecurityModeNone
}

// accept serves connections until the listener closes.
func (s *Server) accept(l net.Listener) {
	for {
		nc, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			// Out of file descriptors, most likely: others may close theirs.
			s.log().Warn("opc ua connection not accepted", "err", err)
			select {
			case <-s.stop:
				return
			case <-time.After(100 * time.Millisecond):
			}
			continue
		}
		c := newConn(s, nc)
		if !s.addConn(c) {
			nc.Close()
			continue
		}
		go s.handle(c)
	}
}

func (s *Server) addConn(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil || len(s.conns) >= s.limits.MaxConnections {
		return false
	}
	s.conns[c] = struct{}{}
	s.wg.Add(1)
	return true
}

func (s *Server) handle(c *conn) {
	defer s.wg.Done()
	var writer sync.WaitGroup
	writer.Go(c.write)
	if err := c.read(); err != nil {
		level := slog.LevelDebug // clients come and go
		if errors.Is(err, errSecurity) {
			level = slog.LevelInfo
		}
		s.log().Log(context.Background(), level, "opc ua connection ended", "client", c.net.RemoteAddr(), "why", err)
	}
	c.close()
	writer.Wait()
	s.engine.connGone(c)
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
}

// Close cuts all connections and stops. It is safe to call twice.
func (s *Server) Close() error {
	s.mu.Lock()
	l := s.listener
	s.listener = nil
	if l == nil {
		s.mu.Unlock()
		s.wg.Wait()
		return nil
	}
	s.unhook()
	close(s.stop)
	err := l.Close()
	for c := range s.conns {
		c.close()
	}
	s.mu.Unlock()
	s.wg.Wait()
	if err != nil {
		return fmt.Errorf("opc ua server: %w", err)
	}
	return nil
}
