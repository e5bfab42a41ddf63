package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unicode"

	"github.com/nats-io/nats-server/v2/server"

	"millwright/plant/disk"
	"millwright/sparkplug"
)

// Broker is an MQTT 3.1.1 broker. Fill in the fields, then Run.
type Broker struct {
	Listen    string // "host:port"; port 0 takes a free one
	Dir       string // where retained messages and sessions are kept
	Users     []User // none: anonymous, on a loopback address only
	UsersFile string // in place of Users; it is read again when it changes

	// Assign says, again and again, who the users of the file are at present: which
	// spare is which edge, and which edge's box is retired. nil: as the file has them.
	Assign func([]User) []User

	TLSCertificate string // file; empty: no TLS. The files are read again when they change
	TLSKey         string // file
	ClientCA       string // file with the authorities of clients' certificates; empty: none are asked for
	ClientRequired bool   // who shows no certificate does not come in

	Log *slog.Logger // nil = slog.Default()

	once    sync.Once
	started chan struct{}
	url     string // set before started is closed
	guard   *guard // nil: anonymous
	papers  *papers
	told    string // what was wrong when the files were last read again
}

const (
	// Redelivery of a retained death or STATE to a host that came back waits
	// for this, out of order; the default of 30 s would be an eternity.
	ackWait = 5 * time.Second

	// lookEvery is how often users and certificates are read again. What is taken
	// away from a user ends its connection by then.
	lookEvery = 2 * time.Second

	startTimeout = 10 * time.Second
	stopTimeout  = 5 * time.Second
)

// Started is closed when the broker listens.
func (b *Broker) Started() <-chan struct{} {
	b.once.Do(func() { b.started = make(chan struct{}) })
	return b.started
}

// URL is where clients of this machine connect, "tcp://127.0.0.1:1883" or
// "ssl://…". It is empty before Started.
func (b *Broker) URL() string {
	select {
	case <-b.Started():
		return b.url
	default:
		return ""
	}
}

// Run listens until ctx ends. What is wrong with the configuration, the folder
// or the address is returned before anything listens.
func (b *Broker) Run(ctx context.Context) error {
	b.Started()
	if b.Log == nil {
		b.Log = slog.Default()
	}
	opts, err := b.options()
	if err != nil {
		return fmt.Errorf("broker: %w", err)
	}
	lock, err := lockFolder(b.Dir)
	if err != nil {
		return fmt.Errorf("broker: %w", err)
	}
	defer lock.Close()
	srv, err := server.NewServer(opts)
	if err != nil {
		return fmt.Errorf("broker: %w", err)
	}
	log := &logger{log: b.Log, fatal: make(chan error, 1)}
	srv.SetLoggerV2(log, false, false, false)

	running := make(chan struct{})
	go func() {
		defer close(running)
		srv.Start()
	}()
	defer func() {
		<-running
		log.stopping.Store(true)
		srv.Shutdown()
		stopped := make(chan struct{})
		go func() { srv.WaitForShutdown(); close(stopped) }()
		select {
		case <-stopped:
		case <-time.After(stopTimeout):
			b.Log.Warn("broker is slow to stop, leaving it")
		}
	}()
	if err := ready(ctx, srv, running, log); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("broker: %w", err)
	}
	b.url = b.address(opts)
	close(b.started)
	users := 0
	if b.guard != nil {
		users = len(b.guard.accounts.Load().users)
	}
	b.Log.Info("broker listens", "url", b.url, "users", users)
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-log.fatal:
			return fmt.Errorf("broker: %w", err)
		case <-look.C:
			b.look(srv)
		}
	}
}

// look reads users and certificates again. What cannot be read is said once, and
// what was there before goes on.
func (b *Broker) look(srv *server.Server) {
	var errs []error
	if b.guard != nil {
		if b.UsersFile != "" {
			errs = append(errs, b.guard.renew(b.load))
		}
		b.guard.sweep(srv)
	}
	if b.papers != nil {
		changed, err := b.papers.renew()
		errs = append(errs, err)
		if changed {
			b.Log.Info("certificates read again")
		}
	}
	told := ""
	if err := errors.Join(errs...); err != nil {
		told = err.Error()
		if told != b.told {
			b.Log.Error("users and certificates stay as they were", "err", err)
		}
	}
	b.told = told
}

// load reads the users as they are at present.
func (b *Broker) load() ([]User, error) {
	users, err := LoadUsers(b.UsersFile)
	if err == nil && b.Assign != nil {
		users = b.Assign(users)
	}
	return users, err
}

// ready waits until the server listens.
func ready(ctx context.Context, srv *server.Server, running <-chan struct{}, log *logger) error {
	select {
	case <-running:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-log.fatal:
		return err
	default:
	}
	if !srv.ReadyForConnections(startTimeout) {
		return fmt.Errorf("not ready after %v", startTimeout)
	}
	return nil
}

func (b *Broker) options() (*server.Options, error) {
	host, portText, err := net.SplitHostPort(b.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen %q: not host:port", b.Listen)
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("listen %q: port must be 0 to 65535", b.Listen)
	}
	users := b.Users
	if b.UsersFile != "" {
		if users, err = b.load(); err != nil {
			return nil, err
		}
	}
	if len(users) == 0 && !loopback(host) {
		return nil, fmt.Errorf("listen %q: without users only a loopback address such as 127.0.0.1 is allowed", b.Listen)
	}
	accounts, err := newAccounts(users, nil)
	if err != nil {
		return nil, err
	}
	if err := writable(b.Dir); err != nil {
		return nil, err
	}
	// The server reports a port in use after it has started; here it is one
	// clear line before anything runs.
	probe, err := net.Listen("tcp", b.Listen)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s (is another broker running there?): %w", b.Listen, err)
	}
	if err := probe.Close(); err != nil {
		return nil, err
	}
	o := &server.Options{
		ServerName:         "millwright",
		DontListen:         true, // MQTT only
		NoSigs:             true,
		JetStream:          true,
		StoreDir:           b.Dir,
		JetStreamMaxMemory: 64 << 20,
		JetStreamMaxStore:  1 << 30,
		MaxPayload:         sparkplug.MaxPayload,

		DisableJetStreamBanner: true,
	}
	o.MQTT.Host, o.MQTT.Port, o.MQTT.AckWait = host, int(port), ackWait
	if port == 0 {
		o.MQTT.Port = server.RANDOM_PORT
	}
	if len(users) > 0 {
		b.guard = &guard{log: b.Log, there: map[uint64]visitor{}}
		b.guard.set(accounts)
		o.CustomClientAuthentication = b.guard
	}
	if b.TLSCertificate != "" {
		b.papers = &papers{certificate: b.TLSCertificate, key: b.TLSKey, clientCA: b.ClientCA, required: b.ClientRequired, floor: disk.Passed(b.Dir)}
		if _, err := b.papers.renew(); err != nil {
			return nil, err
		}
		o.MQTT.TLSConfig = b.papers.server()
		o.MQTT.TLSTimeout = 5
	}
	return o, nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// writable makes the folder and tries to write in it.
func writable(dir string) error {
	if dir == "" {
		return errors.New("no data folder given")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	probe := filepath.Join(dir, ".writable")
	if err := os.WriteFile(probe, nil, 0o600); err != nil {
		return fmt.Errorf("data folder cannot be written: %w", err)
	}
	return os.Remove(probe)
}

// lockFolder keeps a second broker out of the folder: two would write over each
// other. The lock ends with the file, so a kill leaves none behind.
func lockFolder(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("data folder %s is in use by another broker: stop it or use another folder", dir)
	}
	return f, nil
}

// address is where a client on this machine finds the broker.
func (b *Broker) address(o *server.Options) string {
	host := o.MQTT.Host
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	scheme := "tcp"
	if o.MQTT.TLSConfig != nil {
		scheme = "ssl"
	}
	return scheme + "://" + net.JoinHostPort(host, strconv.Itoa(o.MQTT.Port))
}

// logger hands the server's messages on. What it calls a notice is of interest
// to nobody who runs a mill. A client with a wrong password comes again every
// second: what differs by numbers only is said once a minute.
type logger struct {
	log      *slog.Logger
	fatal    chan error
	stopping atomic.Bool // what a server says of clients that it drops is of no use

	mu   sync.Mutex
	told map[string]time.Time
}

const (
	tellEvery = time.Minute
	tellMost  = 1000 // different messages remembered
)

func (l *logger) Noticef(format string, v ...any) {
	l.log.Debug("broker: " + fmt.Sprintf(format, v...))
}
func (l *logger) Debugf(format string, v ...any) {}
func (l *logger) Tracef(format string, v ...any) {}
func (l *logger) Warnf(format string, v ...any)  { l.tell(slog.LevelWarn, fmt.Sprintf(format, v...)) }
func (l *logger) Errorf(format string, v ...any) { l.tell(slog.LevelError, fmt.Sprintf(format, v...)) }

// maxText of a message: clients choose part of it.
const maxText = 300

func (l *logger) tell(level slog.Level, text string) {
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "") + "…"
	}
	key := strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return -1
		}
		return r
	}, text)
	if l.stopping.Load() {
		level = slog.LevelDebug
	}
	l.mu.Lock()
	now := time.Now()
	again := now.Sub(l.told[key]) < tellEvery
	if !again {
		if l.told == nil || len(l.told) >= tellMost {
			l.told = map[string]time.Time{}
		}
		l.told[key] = now
	}
	l.mu.Unlock()
	if !again {
		l.log.Log(context.Background(), level, "broker: "+text)
	}
}

// Fatalf must not end the process: the server's caller does what is to be done.
func (l *logger) Fatalf(format string, v ...any) {
	select {
	case l.fatal <- fmt.Errorf(format, v...):
	default:
	}
}
