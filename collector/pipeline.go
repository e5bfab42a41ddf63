package collector

import (
	"context"
	"sync"
)

// inOrder does the parts [from, to) of n things, each of at most size. What do
// returns is handed to take in the order of the parts, by the caller's goroutine.
// No more than width parts are held at once. It returns when all that was
// begun has ended.
func inOrder[T any](ctx context.Context, width, n, size int, do func(ctx context.Context, from, to int) (T, error), take func(from, to int, result T) error) error {
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
		for at < n && len(queue) < width {
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
