// Package spare lets another box take the place of an edge: a Keeper sends
// checkpoints of a running edge to the plant; a box that waits takes one over
// (Adopt), gives it back (Release), or takes in what the disk of a dead one still
// holds (Recover).
package spare

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"millwright/plant/checkpoint"
)

// How often a checkpoint is sent, and how soon a change is.
const (
	keepEvery = time.Hour
	lookEvery = 30 * time.Second
)

// Keeper keeps the checkpoint of an edge at the plant.
type Keeper struct {
	Plant *Plant
	Take  func() (*checkpoint.Checkpoint, error)
	Found func() uint64 // grows with what the models find, which a checkpoint should know; may be nil
	Log   *slog.Logger  // nil: slog.Default()

	Every, Look time.Duration // 0: an hour, 30 s

	kept atomic.Int64 // ns UTC
}

// Kept is when the plant said last that it has a checkpoint on its disk, ns UTC; 0
// not since the start.
func (k *Keeper) Kept() int64 { return k.kept.Load() }

// Run sends a checkpoint at once, every hour, and within a minute of a change that
// lasts. It ends with ErrRetired, or ErrRefused where another box is the edge.
func (k *Keeper) Run(ctx context.Context) error {
	log := k.Log
	if log == nil {
		log = slog.Default()
	}
	every, look := k.Every, k.Look
	if every <= 0 {
		every = keepEvery
	}
	if look <= 0 {
		look = lookEvery
	}
	tick := time.NewTicker(look)
	defer tick.Stop()
	var sent time.Time
	var sum [sha256.Size]byte
	var found uint64
	told := ""
	for {
		now, changes := time.Now(), uint64(0)
		if k.Found != nil {
			changes = k.Found()
		}
		raw, is, err := k.take()
		if err == nil && (sent.IsZero() || now.Sub(sent) >= every || is != sum || changes != found) {
			if err = k.Plant.Save(ctx, raw); err == nil {
				sent, sum, found = now, is, changes
				k.kept.Store(time.Now().UnixNano())
				log.Debug("checkpoint is at the plant", "bytes", len(raw))
			}
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, ErrRetired):
			return err
		case err != nil && err.Error() != told:
			told = err.Error()
			log.Warn("no checkpoint at the plant, will try again", "err", err)
		case err == nil && told != "":
			told = ""
			log.Info("checkpoints reach the plant again")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (k *Keeper) take() ([]byte, [sha256.Size]byte, error) {
	c, err := k.Take()
	if err != nil {
		return nil, [sha256.Size]byte{}, err
	}
	raw, err := c.Encode()
	return raw, lasting(c), err
}
