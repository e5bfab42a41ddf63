package server

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/gopcua/opcua"
	"github.com/gopcua/opcua/ua"
	"go.uber.org/goleak"

	"millwright/plant"
)

func TestMain(m *testing.M) {
	ua.MaxVariantArrayLength = 1 << 20 // one bound for the process, short of a waveform
	// gopcua's client leaves timers of its secure channel behind for the life of
	// their token.
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/gopcua/opcua/uasc.(*SecureChannel).scheduleRenewal"),
		goleak.IgnoreAnyFunction("github.com/gopcua/opcua/uasc.(*SecureChannel).scheduleExpiration"))
}

// start runs a server with n numeric variables T/0, T/1, … unless it names its
// own.
func start(t testing.TB, s *Server, n int) *Server {
	t.Helper()
	for i := len(s.Variables); i < n; i++ {
		s.Variables = append(s.Variables, Variable{Path: path(i)})
	}
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		begun := time.Now()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if d := time.Since(begun); d > 10*time.Second {
			t.Errorf("Close took %v", d)
		}
	})
	return s
}

func path(i int) string {
	return "T/" + string(rune('0'+i/1000%10)) + string(rune('0'+i/100%10)) + string(rune('0'+i/10%10)) + string(rune('0'+i%10))
}

// peer is a client made of gopcua's primitives.
type peer struct {
	t testing.TB
	c *opcua.Client
	s *opcua.Session
}

// dial opens a channel and, with cfg or its default, a session.
func dial(t testing.TB, url string, cfg *uaSession, opts ...opcua.Option) *peer {
	t.Helper()
	p, err := tryDial(t, url, cfg, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

type uaSession struct {
	token   any
	policy  string
	timeout time.Duration
}

func tryDial(t testing.TB, url string, cfg *uaSession, opts ...opcua.Option) (*peer, error) {
	t.Helper()
	p, err := tryChannel(t, url, opts...)
	if err != nil {
		return nil, err
	}
	sc := *opcua.DefaultSessionConfig()
	sc.UserIdentityToken = &ua.AnonymousIdentityToken{PolicyID: policyAnonymous}
	sc.SessionTimeout = time.Minute
	sc.ClientDescription = &ua.ApplicationDescription{
		ApplicationURI: clientURI, ApplicationName: text("test"), ApplicationType: ua.ApplicationTypeClient,
	}
	if cfg != nil {
		if cfg.token != nil {
			sc.UserIdentityToken = cfg.token
		}
		sc.AuthPolicyURI = cfg.policy
		if cfg.timeout > 0 {
			sc.SessionTimeout = cfg.timeout
		}
	}
	if u, ok := sc.UserIdentityToken.(*userPassword); ok {
		sc.UserIdentityToken = &ua.UserNameIdentityToken{PolicyID: policyUserName, UserName: u.name}
		sc.AuthPassword = u.password
		sc.AuthPolicyURI = ua.SecurityPolicyURIBasic256Sha256
	}
	if p.s, err = p.c.CreateSession(t.Context(), &sc); err != nil {
		return nil, err
	}
	if p.s == nil {
		return nil, errors.New("no session")
	}
	return p, p.c.ActivateSession(t.Context(), p.s)
}

type userPassword struct{ name, password string }

func tryChannel(t testing.TB, url string, opts ...opcua.Option) (*peer, error) {
	t.Helper()
	opts = append([]opcua.Option{opcua.AutoReconnect(false), opcua.RequestTimeout(10 * time.Second)}, opts...)
	c, err := opcua.NewClient(url, opts...)
	if err != nil {
		return nil, err
	}
	if err := c.Dial(t.Context()); err != nil {
		return nil, err
	}
	t.Cleanup(func() {
		c.DetachSession(context.Background())
		c.Close(context.Background())
	})
	return &peer{t: t, c: c}, nil
}

// send asks for a service and returns its answer or its fault.
func send[T ua.Response](p *peer, req ua.Request) (T, error) {
	var out T
	err := p.c.Send(p.t.Context(), req, func(r ua.Response) error {
		var ok bool
		if out, ok = r.(T); !ok {
			return errors.New("answer of another type")
		}
		return nil
	})
	return out, err
}

func must[T ua.Response](p *peer, req ua.Request) T {
	p.t.Helper()
	out, err := send[T](p, req)
	if err != nil {
		p.t.Fatalf("%T: %v", req, err)
	}
	return out
}

// subscribe makes a subscription that publishes every interval.
func (p *peer) subscribe(interval time.Duration, change func(*ua.CreateSubscriptionRequest)) uint32 {
	p.t.Helper()
	req := &ua.CreateSubscriptionRequest{
		RequestedPublishingInterval: millis(interval), RequestedLifetimeCount: 3000,
		RequestedMaxKeepAliveCount: 1000, PublishingEnabled: true,
	}
	if change != nil {
		change(req)
	}
	return must[*ua.CreateSubscriptionResponse](p, req).SubscriptionID
}

func valueOf(node string) *ua.ReadValueID {
	return &ua.ReadValueID{NodeID: ua.MustParseNodeID(node), AttributeID: ua.AttributeIDValue, DataEncoding: &ua.QualifiedName{}}
}

// item is what a monitored item is asked to be; its handle is its place.
func itemRequest(path string, handle uint32, queue uint32, change func(*ua.MonitoredItemCreateRequest)) *ua.MonitoredItemCreateRequest {
	r := &ua.MonitoredItemCreateRequest{
		ItemToMonitor:  &ua.ReadValueID{NodeID: ua.NewStringNodeID(1, path), AttributeID: ua.AttributeIDValue, DataEncoding: &ua.QualifiedName{}},
		MonitoringMode: ua.MonitoringModeReporting,
		RequestedParameters: &ua.MonitoringParameters{
			ClientHandle: handle, QueueSize: queue, DiscardOldest: true, Filter: ua.NewExtensionObject(nil),
		},
	}
	if change != nil {
		change(r)
	}
	return r
}

func withFilter(f *ua.DataChangeFilter) func(*ua.MonitoredItemCreateRequest) {
	return func(r *ua.MonitoredItemCreateRequest) { r.RequestedParameters.Filter = ua.NewExtensionObject(f) }
}

func (p *peer) monitor(sub uint32, items ...*ua.MonitoredItemCreateRequest) []*ua.MonitoredItemCreateResult {
	p.t.Helper()
	return must[*ua.CreateMonitoredItemsResponse](p, &ua.CreateMonitoredItemsRequest{
		SubscriptionID: sub, TimestampsToReturn: ua.TimestampsToReturnBoth, ItemsToCreate: items,
	}).Results
}

func (p *peer) publish(acks ...*ua.SubscriptionAcknowledgement) *ua.PublishResponse {
	p.t.Helper()
	return must[*ua.PublishResponse](p, &ua.PublishRequest{SubscriptionAcknowledgements: acks})
}

// changes are the notifications of a message.
func changes(m *ua.NotificationMessage) []*ua.MonitoredItemNotification {
	var all []*ua.MonitoredItemNotification
	for _, x := range m.NotificationData {
		if d, ok := x.Value.(*ua.DataChangeNotification); ok {
			all = append(all, d.MonitoredItems...)
		}
	}
	return all
}

// numbers publishes until it has n values and returns them as numbers.
func (p *peer) numbers(n int) []float64 {
	p.t.Helper()
	var all []float64
	for len(all) < n {
		for _, c := range changes(p.publish().NotificationMessage) {
			if v, ok := c.Value.Value.Value().(float64); ok {
				all = append(all, v)
			}
		}
	}
	return all
}

// stamp is a source time in whole milliseconds.
func stamp(ms int64) int64 { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).UnixNano() + ms*1e6 }

func number(v int, ms int64, x float64) Value {
	return Value{Var: v, Time: stamp(ms), Quality: plant.Good, Number: x}
}

// sendWithToken sends a session service for an authentication token of one's
// own, beside the client's session.
func sendWithToken(p *peer, token *ua.NodeID, req ua.Request) error {
	return p.c.SecureChannel().SendRequest(p.t.Context(), req, token, func(ua.Response) error { return nil })
}
