package boxes

import (
	"context"
	"time"

	"millwright/plant"
)

// oldAfter is when a checkpoint is too old: boxes send one every hour.
const oldAfter = 3 * time.Hour

const lookEvery = time.Minute

// Run tells people of live edges whose checkpoint is too old, until ctx ends.
func (b *Book) Run(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		b.look(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// look raises and clears. What the alarm book refuses is said again a minute later.
func (b *Book) look(ctx context.Context) {
	edges, _ := b.All()
	for _, e := range edges {
		s := b.status(e.Edge)
		if s == nil || s.State == "down" { // that is told already
			continue
		}
		name := e.Group + "/" + e.Edge
		old := b.Old(&e)
		b.mu.Lock()
		told, known := b.late[name]
		b.mu.Unlock()
		if told == old && known {
			continue
		}
		f := plant.Finding{
			Asset: name, Key: "checkpoint", Kind: plant.KindCheckpoint, Class: plant.SystemFault, Phase: plant.Clear,
			Detector: "historian", Priority: 3, Time: plant.Millis(b.now()),
		}
		if old {
			f.Phase = plant.Raise
		}
		if b.Tell == nil {
			return
		}
		if err := b.Tell(ctx, f); err != nil {
			if ctx.Err() == nil {
				b.Log.Error("an old checkpoint is not in the alarm book", "edge", name, "err", err)
			}
			continue
		}
		b.mu.Lock()
		b.late[name] = old
		b.mu.Unlock()
	}
}

// Old reports whether an edge's checkpoint is too old to lean on. Its age is that by
// the monotonic clock: one that is set tells nothing.
func (b *Book) Old(e *plant.EdgeBox) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	at, ok := b.heard[e.Group+"/"+e.Edge]
	if !ok {
		at = b.began
	}
	return time.Since(at) > oldAfter
}
