package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"millwright/hmi"
)

// role is one part of the works that runs until its context ends.
type role struct {
	name    string
	run     func(ctx context.Context) error
	started <-chan struct{} // nil: it counts as started at once
	close   func() error    // after run has returned; may be nil

	cancel context.CancelFunc
	done   chan struct{}
	mu     sync.Mutex
	state  string // "starting", "running", "stopped", "failed"
	err    error
}

// crew runs roles: each starts when those before it have started, and all stop
// in the reverse order, so that an edge says goodbye to a broker that still
// listens.
type crew struct {
	log    *slog.Logger
	mu     sync.Mutex // guards roles
	roles  []*role
	failed chan error // buffered 1: the first role that failed by itself
}

func newCrew(log *slog.Logger) *crew {
	return &crew{log: log, failed: make(chan error, 1)}
}

// start runs a role and waits until it has started.
func (c *crew) start(ctx context.Context, r *role) error {
	runCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r.cancel, r.done, r.state = cancel, make(chan struct{}), "starting"
	c.mu.Lock()
	c.roles = append(c.roles, r)
	c.mu.Unlock()
	go func() {
		defer close(r.done)
		err := r.run(runCtx)
		if runCtx.Err() != nil {
			r.set("stopped", nil)
			if err != nil && !errors.Is(err, context.Canceled) {
				c.log.Warn("role stopped with an error", "role", r.name, "err", err)
			}
			return
		}
		if err == nil {
			err = errors.New("ended by itself")
		}
		if !strings.HasPrefix(err.Error(), r.name+":") { // most say who they are
			err = fmt.Errorf("%s: %w", r.name, err)
		}
		r.set("failed", err)
		select {
		case c.failed <- err:
		default:
		}
	}()
	if r.started == nil {
		r.set("running", nil)
		return nil
	}
	select {
	case <-r.started:
		r.set("running", nil)
		return nil
	case <-r.done:
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// finish works until the process is told to stop or a role fails, and stops
// all of them. It takes the error of starting them: not all may have.
func (c *crew) finish(ctx context.Context, err error) error {
	if err == nil {
		select {
		case <-ctx.Done():
		case err = <-c.failed:
		}
	}
	if ctx.Err() != nil {
		err = nil // told to stop
	}
	if stopped := c.stop(); err == nil {
		err = stopped
	}
	return err
}

// grace bounds how long a role may take to stop before the next one is told.
const grace = 2 * time.Second

// stop ends all roles, the last one first, and closes what they held.
func (c *crew) stop() error {
	var errs []error
	for i := len(c.roles) - 1; i >= 0; i-- {
		r := c.roles[i]
		begin := time.Now()
		r.cancel()
		select {
		case <-r.done:
			if r.close != nil {
				if err := r.close(); err != nil {
					errs = append(errs, fmt.Errorf("close %s: %w", r.name, err))
				}
			}
			c.log.Debug("role stopped", "role", r.name, "after", time.Since(begin).Round(time.Millisecond))
		case <-time.After(grace):
			c.log.Warn("role does not stop, leaving it", "role", r.name)
		}
	}
	c.mu.Lock()
	c.roles = nil
	c.mu.Unlock()
	return errors.Join(errs...)
}

func (r *role) set(state string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state, r.err = state, err
}

// health is the state of the roles as the HMI shows it.
func (c *crew) health() []hmi.Role {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]hmi.Role, 0, len(c.roles))
	for _, r := range c.roles {
		r.mu.Lock()
		h := hmi.Role{Name: r.name, State: r.state}
		if r.err != nil {
			h.Reason = r.err.Error()
		}
		r.mu.Unlock()
		out = append(out, h)
	}
	return out
}

func (c *crew) names() []string {
	var out []string
	for _, r := range c.health() {
		out = append(out, r.Name)
	}
	return out
}
