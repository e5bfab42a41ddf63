package server

import (
	"crypto/rand"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"
	"github.com/gopcua/opcua/uapolicy"
)

// sink is a network connection that swallows bytes.
type sink struct {
	net.Conn
	bytes int
}

func (s *sink) Write(b []byte) (int, error)      { s.bytes += len(b); return len(b), nil }
func (s *sink) SetWriteDeadline(time.Time) error { return nil }

// busyServer is a server with n reporting items in one subscription and a
// session whose answers go nowhere.
func busyServer(t testing.TB, n int, mode ua.MessageSecurityMode) (*Server, *session, *subscription, *conn) {
	t.Helper()
	s := &Server{Variables: vars(n)}
	s.limits = s.Limits.withDefaults()
	s.engine = newEngine(s.Variables, s.limits, func([]Value) {})
	s.space = newSpace(s, s.engine)
	c := newConn(s, &sink{})
	c.maxMessage, c.sendChunk = maxMessage, maxChunk
	c.ch = &channel{id: 1, mode: mode}
	policy := ua.SecurityPolicyURINone
	if mode != ua.MessageSecurityModeNone {
		policy = ua.SecurityPolicyURIBasic256Sha256
	}
	a, b := make([]byte, nonceSize), make([]byte, nonceSize)
	rand.Read(a)
	rand.Read(b)
	keys, err := uapolicy.Symmetric(policy, a, b)
	if err != nil {
		t.Fatal(err)
	}
	c.ch.addToken(&token{id: 1, keys: keys, until: time.Now().Add(time.Hour)})
	ses := &session{user: anonymousUser, conn: c, timeout: time.Hour, active: time.Now(), subs: map[uint32]*subscription{}}
	resp, code := s.engine.createSubscription(ses, &ua.CreateSubscriptionRequest{PublishingEnabled: true, RequestedLifetimeCount: 1 << 30, RequestedMaxKeepAliveCount: 1000})
	if code != ua.StatusOK {
		t.Fatal(code)
	}
	sub := ses.subs[resp.(*ua.CreateSubscriptionResponse).SubscriptionID]
	for i := range n {
		if _, code := s.createItem(sub, itemRequest(path(i), uint32(i), 10, nil), ua.TimestampsToReturnSource, time.Now()); code != ua.StatusOK {
			t.Fatal(code)
		}
	}
	return s, ses, sub, c
}

// round writes every variable once, publishes all of it and encodes, seals and
// "sends" the answers.
func round(t testing.TB, s *Server, ses *session, sub *subscription, c *conn, vals []Value, scratch, chunk *[]byte) {
	s.engine.write(vals)
	e := s.engine
	e.mu.Lock()
	for i := 0; sub.hasNews(); i++ {
		ses.waiting = append(ses.waiting, publishCall{conn: c, id: 1})
		sub.late = true
		e.serve(ses, time.Now())
	}
	for len(sub.kept) > 0 { // acknowledge
		e.acknowledge(ses, &ua.SubscriptionAcknowledgement{SubscriptionID: sub.id, SequenceNumber: sub.kept[0].seq})
	}
	e.mu.Unlock()
	for i := range c.out {
		var err error
		if *scratch, *chunk, err = c.writeOne(&c.out[i], *scratch, *chunk); err != nil {
			t.Fatal(err)
		}
	}
	c.out = c.out[:0]
}

// BenchmarkPublish is the server's whole work per value, from Write to the
// sealed chunk: 10,000 items, one value each per round.
func BenchmarkPublish(b *testing.B) {
	for _, mode := range []ua.MessageSecurityMode{ua.MessageSecurityModeNone, ua.MessageSecurityModeSignAndEncrypt} {
		b.Run(fmt.Sprint(mode), func(b *testing.B) {
			const n = 10000
			s, ses, sub, c := busyServer(b, n, mode)
			vals := make([]Value, n)
			var scratch, chunk []byte
			k := 0
			b.ReportAllocs()
			for b.Loop() {
				k++
				for i := range vals {
					vals[i] = number(i, int64(k), float64(k))
				}
				round(b, s, ses, sub, c, vals, &scratch, &chunk)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/value")
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "values/s")
		})
	}
}

// BenchmarkSockets is 10,000 items over a socket to the codec's own client in
// the same process, which is the slower end.
func BenchmarkSockets(b *testing.B) {
	for _, mode := range []Mode{None, SignAndEncrypt} {
		b.Run(string(mode), func(b *testing.B) {
			const n = 10000
			s := start(b, &Server{Modes: []Mode{mode}}, n)
			p := dial(b, s.URL(), nil, secured(mode, s, clientIdentity(b))...)
			sub := p.subscribe(20*time.Millisecond, nil)
			for at := 0; at < n; at += 1000 {
				items := make([]*ua.MonitoredItemCreateRequest, 1000)
				for i := range items {
					items[i] = itemRequest(path(at+i), uint32(at+i), 100, nil)
				}
				p.monitor(sub, items...)
			}
			p.numbers(0)
			var got atomic.Int64
			stop := make(chan struct{})
			done := make(chan struct{})
			for range 4 {
				go func() {
					defer func() { done <- struct{}{} }()
					for {
						select {
						case <-stop:
							return
						default:
						}
						r, err := send[*ua.PublishResponse](p, &ua.PublishRequest{})
						if err != nil {
							return
						}
						got.Add(int64(len(changes(r.NotificationMessage))))
					}
				}()
			}
			for got.Load() < n { // BadWaitingForInitialData
				time.Sleep(time.Millisecond)
			}
			got.Store(0)
			vals := make([]Value, n)
			k := 0
			for b.Loop() {
				k++
				for i := range vals {
					vals[i] = number(i, int64(k), float64(k))
				}
				s.Write(vals)
				for got.Load() < int64(k*n)-4*n { // a few rounds ahead of the client
					time.Sleep(100 * time.Microsecond)
				}
			}
			for got.Load() < int64(k*n) {
				time.Sleep(100 * time.Microsecond)
			}
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "values/s")
			close(stop)
			s.Close()
			for range 4 {
				<-done
			}
		})
	}
}

// TestAllocations: a value costs no allocation on its way from Write to the
// wire, only a message does.
func TestAllocations(t *testing.T) {
	const n = 1000
	s, ses, sub, c := busyServer(t, n, ua.MessageSecurityModeNone)
	vals := make([]Value, n)
	var scratch, chunk []byte
	k := 0
	per := testing.AllocsPerRun(50, func() {
		k++
		for i := range vals {
			vals[i] = number(i, int64(k), float64(k))
		}
		round(t, s, ses, sub, c, vals, &scratch, &chunk)
	})
	if per > 20 {
		t.Errorf("%v allocations for %d values in one message", per, n)
	}
}
