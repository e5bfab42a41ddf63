package collector

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

// pace holds what is sent to one server within its budget, across connections.
// The nil pace holds up nothing. Any goroutine may use it.
type pace struct {
	requests, connects bucket
	sessions           *sessions
	one                chan struct{} // holds a token for the one request at a time; nil: any number

	mu       sync.Mutex
	sent     map[string]uint64 // guarded by mu; requests by service
	attempts uint64            // guarded by mu; connections tried
}

func newPace(b plant.Budget) *pace {
	p := &pace{sent: map[string]uint64{}}
	p.requests.rate, p.requests.most = b.Requests, max(1, b.Requests)
	// With half a minute's worth at once and half of the rate, no minute has more.
	p.connects.rate, p.connects.most = b.Connects/2/60, max(1, b.Connects/2)
	if b.OneByOne {
		p.one = make(chan struct{}, 1)
	}
	return p
}

// held are our sessions at the server.
func (p *pace) held() *sessions {
	if p == nil {
		return nil
	}
	return p.sessions
}

// begin waits until a request may be sent; end is called when it is answered.
func (p *pace) begin(ctx context.Context) (end func(), err error) {
	end = func() {}
	if p == nil {
		return end, nil
	}
	if p.one != nil {
		select {
		case p.one <- struct{}{}:
			end = func() { <-p.one }
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if err := p.requests.wait(ctx, func(time.Duration) {}); err != nil {
		end()
		return nil, err
	}
	return end, nil
}

// connect waits until a connection may be tried; tell hears of a wait that
// people notice.
func (p *pace) connect(ctx context.Context, tell func(wait time.Duration)) error {
	if p == nil {
		return nil
	}
	if err := p.connects.wait(ctx, func(wait time.Duration) {
		if wait > time.Second {
			tell(wait)
		}
	}); err != nil {
		return err
	}
	p.mu.Lock()
	p.attempts++
	p.mu.Unlock()
	return nil
}

// spare gives a connection back that cost the server nothing, because nobody
// was there.
func (p *pace) spare() {
	if p != nil {
		p.connects.give()
	}
}

// count notes a request by its service.
func (p *pace) count(req ua.Request) {
	if p == nil {
		return
	}
	name := strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%T", req), "*ua."), "Request")
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent[name]++
}

// counts gives the requests by service, and the connections tried.
func (p *pace) counts() (map[string]uint64, uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.sent), p.attempts
}

// bucket of tokens. A rate of 0 is no bound.
type bucket struct {
	rate float64 // tokens a second
	most float64 // at once

	mu    sync.Mutex
	spent float64 // guarded by mu; tokens that are out
	at    time.Time
}

// wait takes a token, in the order of the callers, as soon as there is one; tell
// hears in how long.
func (b *bucket) wait(ctx context.Context, tell func(time.Duration)) error {
	if b.rate <= 0 {
		return nil
	}
	wait := b.take(time.Now())
	if wait <= 0 {
		return nil
	}
	tell(wait)
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		b.give()
		return ctx.Err()
	}
}

// take takes a token and says in how long it is there.
func (b *bucket) take(now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.at.IsZero() {
		b.spent = max(0, b.spent-b.rate*now.Sub(b.at).Seconds())
	}
	b.at = now
	b.spent++
	return time.Duration((b.spent - b.most) / b.rate * float64(time.Second))
}

func (b *bucket) give() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.spent = max(0, b.spent-1)
}
