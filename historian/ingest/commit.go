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
	maxPending = 400_000               // samples in memory, shared by the edges; beyond it records are dropped unanswered
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
	size   int        // of both
	edges  map[string]int
}

// group is what goes into one durable step.
type group struct {
	batch plant.Batch
	marks []store.Mark
	done  []func() // to be called when it is durable
}

// sizeOf is about how much memory a batch takes, in samples.
func sizeOf(b *plant.Batch) int {
	n := 1 + len(b.Samples) + len(b.States) + len(b.Gaps)
	for i := range b.States {
		n += len(b.States[i].Value) / 64
	}
	for i := range b.Waveforms {
		n += 1 + len(b.Waveforms[i].Values)/8
	}
	return n
}

func (c *group) reset() {
	c.batch.Reset()
	c.marks = c.marks[:0]
	clear(c.done)
	c.done = c.done[:0]
}

// add copies a batch of an edge, with its record's number if it has one. done is nil or is called when all of it is durable. False: no
// room.
func (c *committer) add(edge string, b *plant.Batch, mark *store.Mark, done func()) bool {
	size := sizeOf(b)
	c.mu.Lock()
	if !room(c.edges[edge], c.size, maxPending, len(c.edges)) {
		c.mu.Unlock()
		return false
	}
	c.size += size
	c.edges[edge] += size
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
	if done != nil {
		to.done = append(to.done, done)
	}
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
		if !c.flush(ctx, &marked, &plain) {
			return
		}
	}
}

// flush commits what has gathered; the groups are empty before and after. False:
// ctx ended.
func (c *committer) flush(ctx context.Context, marked, plain *group) bool {
	c.mu.Lock()
	*marked, c.marked = c.marked, *marked
	*plain, c.plain = c.plain, *plain
	c.size = 0
	clear(c.edges)
	c.mu.Unlock()
	if !c.store(ctx, marked) || !c.store(ctx, plain) {
		return false
	}
	marked.reset()
	plain.reset()
	return true
}

// gather waits for more that shares the commit.
func (c *committer) gather(ctx context.Context) {
	t := time.NewTimer(gather)
	defer t.Stop()
	for {
		c.mu.Lock()
		full := c.size >= enough
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
	if x.batch.Empty() && len(x.marks)+len(x.done) == 0 {
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
	g.known.settle(x.marks)
	g.answers.durable(x.marks, false)
	for _, f := range x.done {
		f()
	}
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

// maxJobs findings wait for the alarm book, shared by the edges; the rest is
// dropped unanswered.
const maxJobs = 1024

// finder brings findings into the alarm book, one record at a time, beside the
// committer, so that an alarm never waits for telemetry, and by turns of the edges,
// so that it does not wait for an edge with too many.
type finder struct {
	g    *Ingest
	jobs *fair[finding]
}

// finding is a record with findings, and what else it holds.
type finding struct {
	mark     store.Mark
	findings []plant.Finding
	rest     plant.Batch
	done     func() // nil, or to be called when all of it is durable
}

// run applies until ctx ends.
func (f *finder) run(ctx context.Context) {
	var list []finding
	for {
		if list = f.jobs.take(list[:0], 4); len(list) == 0 {
			select {
			case <-ctx.Done():
				return
			case <-f.jobs.wake:
			}
		}
		for i := range list {
			if !f.apply(ctx, &list[i]) {
				return
			}
		}
		clear(list)
	}
}

// apply makes a record durable, again and again until it is. False: ctx ended.
func (f *finder) apply(ctx context.Context, x *finding) bool {
	g := f.g
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
		return false
	}
	g.counts.commits.Add(1)
	marks := []store.Mark{x.mark}
	g.known.settle(marks)
	g.answers.durable(marks, true)
	if x.done != nil {
		x.done()
	}
	return true
}
