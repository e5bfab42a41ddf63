package edge

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"sync"
	"time"

	"millwright/models/detect"
	"millwright/plant"
	"millwright/plant/disk"
)

// saveEvery bounds what a crash costs of a model that is still learning. Open
// findings are saved at once, so that a restart knows what it has to clear.
const saveEvery = time.Minute

// restorer is a detector whose learned state survives a restart: models/detect.Set.
type restorer interface {
	Saved() iter.Seq[[]byte]
	Restore(b []byte) (detect.Report, error)
}

// Load restores what the detector had learned. A file that it refuses is set
// aside, and it learns afresh: a broken file must not stop the edge.
func (a *Agent) Load() error {
	a.fresh = nil
	for _, asset := range a.Assets {
		a.fresh = append(a.fresh, asset.Path)
	}
	model, ok := a.Detector.(restorer)
	if !ok || a.StateFile == "" {
		return nil
	}
	b, err := os.ReadFile(a.StateFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("learned state: %w", err)
	}
	report, err := model.Restore(b)
	if err != nil {
		aside := a.StateFile + ".refused"
		return errors.Join(
			fmt.Errorf("learned state is refused and kept as %s, learning afresh: %w", aside, err),
			os.Rename(a.StateFile, aside))
	}
	a.fresh = nil
	for _, f := range report.Fresh {
		a.Log.Warn("learning afresh", "asset", f.Asset, "reason", f.Reason)
		a.fresh = append(a.fresh, f.Asset)
	}
	return nil
}

// begin ends the alarms of assets that are learned afresh: nobody knows any more
// what they were about, and nobody would ever clear them.
func (a *Agent) begin() {
	for _, asset := range a.fresh {
		a.Tell(plant.Finding{
			Asset: asset, Key: plant.AnyKey, Kind: plant.KindAnomaly, Class: plant.Advisory,
			Phase: plant.Clear, Detector: "edge", Priority: 4,
		})
	}
}

// keep saves the learned state from time to time.
func (a *Agent) keep(ctx context.Context) {
	tick := time.NewTicker(saveEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-a.keepNow:
		}
		if err := a.save(); err != nil {
			a.Log.Error("learned state not saved", "err", err)
		}
	}
}

// save writes the learned state so that a crash leaves the old or the new file. No
// value waits for the disk meanwhile.
func (a *Agent) save() error {
	model, ok := a.Detector.(restorer)
	if !ok || a.StateFile == "" {
		return nil
	}
	err := disk.ReplaceBy(a.StateFile, 0o600, func(w io.Writer) error {
		out := bufio.NewWriterSize(unlocked{w, &a.mu}, 64<<10)
		a.mu.Lock()
		defer a.mu.Unlock()
		for part := range model.Saved() {
			if _, err := out.Write(part); err != nil {
				return err
			}
		}
		return out.Flush()
	})
	if err != nil {
		return fmt.Errorf("learned state: %w", err)
	}
	return nil
}

// unlocked writes while the lock is free.
type unlocked struct {
	w  io.Writer
	mu *sync.Mutex
}

func (u unlocked) Write(b []byte) (int, error) {
	u.mu.Unlock()
	defer u.mu.Lock()
	return u.w.Write(b)
}
