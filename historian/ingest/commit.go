package ingest

import (
	"context"
	"errors"
	"sync"
	"time"

	"millwright/historian/store"
	"millwright/plant"
)

const (
	gather     = 20 * time.Millisecond // what arrives within it shares a commit
	enough     = 50_000                // samples for which no commit waits
	maxPending = 400_000               // samples in memory; beyond it records are dropped unanswered
	retryLeast = 100 * time.Millisecond
	retryMost  = 5 * time.Second
	retryTell  = time.Minute
	lastWords  = time.Second // what is given to the last commit of a stop
)

// committer stores what was decoded, in groups.
type committer struct {
	g    *Ingest
	wake chan struct{} // buffered 1

	mu     sync.Mutex // guards what follows
	marked group      // records, with their numbers
	plain  group      // births, and edges that know no numbers
}

// group is what goes into one durable step.
type group struct {
	batch plant.Batch
	marks []store.Mark
}

// size is about how much it holds, in samples.
func (c *group) size() int {
	n := len(c.batch.Samples) + len(c.batch.States) + len(c.batch.Gaps)
	for i := range c.batch.Waveforms {
		n += 1 + len(c.batch.Waveforms[i].Values)/4 // a sample takes more than four values
	}
	return n
}

func (c *group) reset() {
	c.batch.Reset()
	c.marks = c.marks[:0]
}

// add copies a batch, with its record's number if it has one. False: no room.
func (c *committer) add(b *plant.Batch, mark *store.Mark) bool {
	c.mu.Lock()
	if c.marked.size()+c.plain.size() > maxPending {
		c.mu.Unlock()
		return false
	}
	// A store passes over a step whose numbers it all has. So what has no number
	// must not share a step with what has.
	to := &c.plain
	if mark != nil {
		to = &c.marked
		to.marks = append(to.marks, *mark)
	}
	to.batch.Samples = append(to.batch.Samples, b.Samples...)
	to.batch.States = append(to.batch.States, b.States...)
	to.batch.Gaps = append(to.batch.Gaps, b.Gaps...)
	to.batch.Waveforms = append(to.batch.Waveforms, b.Waveforms...)
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
	return true
}

// run commits until ctx ends, and then once more what has gathered: edges that
// know no acknowledgement will not send it again.
func (c *committer) run(ctx context.Context) {
	var marked, plain group
	for ended := false; !ended; {
		select {
		case <-ctx.Done():
			ended = true
			var cancel func()
			ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), lastWords)
			defer cancel()
		case <-c.wake:
			c.gather(ctx)
		}
		c.mu.Lock()
		marked, c.marked = c.marked, marked
		plain, c.plain = c.plain, plain
		c.mu.Unlock()
		if !c.store(ctx, &marked) || !c.store(ctx, &plain) {
			return
		}
		marked.reset()
		plain.reset()
	}
}

// gather waits for more that shares the commit.
func (c *committer) gather(ctx context.Context) {
	t := time.NewTimer(gather)
	defer t.Stop()
	for {
		c.mu.Lock()
		full := c.marked.size()+c.plain.size() >= enough
		c.mu.Unlock()
		if full {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			return
		case <-c.wake:
		}
	}
}

// store commits a group, again and again until it is durable. False: ctx ended.
func (c *committer) store(ctx context.Context, x *group) bool {
	if x.size() == 0 && len(x.marks) == 0 {
		return true
	}
	g := c.g
	ok := retry(ctx, g, "samples are not stored yet, trying again", func() error {
		return g.Store.Append(ctx, x.batch, x.marks)
	})
	if !ok {
		return false
	}
	g.counts.commits.Add(1)
	for _, m := range x.marks {
		g.known.settle(epoch{m.Edge, m.Epoch}, m.Number, true)
	}
	g.answers.durable(x.marks, false)
	return true
}

// retry calls f until it succeeds or ctx ends. It tells of the trouble once, and
// then once a minute.
func retry(ctx context.Context, g *Ingest, trouble string, f func() error) bool {
	pause := retryLeast
	var told time.Time
	for {
		err := f()
		if err == nil {
			return true
		}
		if ctx.Err() != nil || errors.Is(err, context.Canceled) {
			return false
		}
		g.counts.retries.Add(1)
		if now := time.Now(); now.Sub(told) > retryTell {
			g.Log.Error(trouble, "err", err)
			told = now
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(pause):
		}
		pause = min(2*pause, retryMost)
	}
}

// maxJobs findings wait for the alarm book; the rest is dropped unanswered.
const maxJobs = 1024

// finder brings findings into the alarm book, one record at a time, beside the
// committer, so that an alarm never waits for telemetry.
type finder struct {
	g    *Ingest
	jobs chan finding
}

// finding is a record with findings, and what else it holds.
type finding struct {
	mark     store.Mark
	findings []plant.Finding
	rest     plant.Batch
}

// add takes a record. False: no room.
func (f *finder) add(x finding) bool {
	select {
	case f.jobs <- x:
		return true
	default:
		return false
	}
}

// run applies until ctx ends.
func (f *finder) run(ctx context.Context) {
	g := f.g
	for {
		var x finding
		select {
		case <-ctx.Done():
			return
		case x = <-f.jobs:
		}
		// What stands beside the findings goes first and without the number: once
		// the number is durable, all of the record must be.
		ok := retry(ctx, g, "a finding is not stored yet, trying again", func() error {
			if !x.rest.Empty() {
				if err := g.Store.Append(ctx, x.rest, nil); err != nil {
					return err
				}
			}
			return g.Alarms.Apply(ctx, x.mark.Edge, x.mark.Epoch, x.mark.Number, x.findings)
		})
		if !ok {
			return
		}
		g.counts.commits.Add(1)
		g.known.settle(epoch{x.mark.Edge, x.mark.Epoch}, x.mark.Number, true)
		g.answers.durable([]store.Mark{x.mark}, true)
	}
}
