package collector

import (
	"context"
	"sync"
	"time"
)

// pipeline does a long work on n things in parts, several at the same time.
type pipeline struct {
	width    int           // parts under way at once
	interval time.Duration // between the starts of two requests, 0: none
	mu       sync.Mutex
	next     time.Time
}

// wait holds a request back until it is its turn.
func (p *pipeline) wait(ctx context.Context) error {
	if p.interval == 0 {
		return ctx.Err()
	}
	p.mu.Lock()
	now := time.Now()
	p.next = p.next.Add(p.interval)
	if p.next.Before(now) {
		p.next = now
	}
	until := p.next.Sub(now)
	p.mu.Unlock()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(until):
		return nil
	}
}

// inOrder does the parts [from, to) of n things, each of at most size. What do
// returns is handed to take in the order of the parts, by the caller's goroutine.
// No more than p.width parts are held at once. It returns when all that was
// begun has ended.
func inOrder[T any](ctx context.Context, p *pipeline, n, size int, do func(ctx context.Context, from, to int) (T, error), take func(from, to int, result T) error) error {
	type part struct {
		from, to int
		result   T
		err      error
		done     chan struct{}
	}
	ctx, cancel := context.WithCancel(ctx)
	var under sync.WaitGroup
	defer under.Wait()
	defer cancel()
	var queue []*part
	for at := 0; at < n || len(queue) > 0; {
		for at < n && len(queue) < p.width {
			x := &part{from: at, to: min(at+size, n), done: make(chan struct{})}
			at = x.to
			queue = append(queue, x)
			under.Go(func() {
				defer close(x.done)
				x.result, x.err = do(ctx, x.from, x.to)
			})
		}
		x := queue[0]
		queue[0] = nil
		queue = queue[1:]
		<-x.done
		if x.err != nil {
			return x.err
		}
		if err := take(x.from, x.to, x.result); err != nil {
			return err
		}
	}
	return nil
}
