package queue

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// spaceLeast is what Pebble needs to write by itself: a flush.
const spaceLeast = 8 << 20

// ballastFile takes up room that is let go of when a write finds the disk full:
// findings, audit and deletes go on in it, and Pebble need not end the process.
const ballastFile = "ballast"

const mostBallast = 64 << 20

func (q *Queue) ballast() int64 { return min(mostBallast, q.cfg.Reserve/4) }

func (q *Queue) ballastName() string { return q.fs.PathJoin(q.cfg.Dir, ballastFile) }

// haveBallast is how many bytes the ballast takes, 0 if it is not there.
func (q *Queue) haveBallast() int64 {
	if _, err := q.fs.Stat(q.ballastName()); err != nil {
		return 0
	}
	return q.ballast()
}

// dropBallast makes room and reports whether there was any to be made. It goes
// around the layer that waits while the disk is full.
func (q *Queue) dropBallast() bool {
	return q.cfg.fs.Remove(q.ballastName()) == nil
}

func (q *Queue) layBallast() error {
	f, err := q.fs.Create(q.ballastName(), vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	err = errors.Join(f.Preallocate(0, q.ballast()), f.Close())
	if err != nil {
		return errors.Join(err, q.fs.Remove(q.ballastName()))
	}
	return nil
}

// look asks the file system how much is free and says whether telemetry may be
// taken. It runs once a second, and before all else.
func (q *Queue) look(time.Time) {
	u, err := q.fs.GetDiskUsage(q.cfg.Dir)
	if err != nil {
		return // a file system that cannot say is not full
	}
	ballast := q.haveBallast()
	free := int64(min(u.AvailBytes, 1<<62)) + ballast
	var full error
	if free < q.cfg.Reserve {
		// No figure that changes: whoever tells this tells it once.
		full = fmt.Errorf("%w: %s has less than the %d MiB free that are kept for findings and for draining: free some space", ErrFull, q.cfg.Dir, q.cfg.Reserve>>20)
	}
	q.mu.Lock()
	was := q.diskErr
	q.diskErr = full
	q.mu.Unlock()
	switch {
	case full != nil && was == nil:
		q.note(slog.LevelWarn, "less is free on its disk than is kept in reserve: no telemetry is taken, findings and audit are")
	case full == nil && was != nil:
		q.note(slog.LevelInfo, "there is room on its disk again")
	}
	if full == nil && ballast == 0 {
		if err := q.layBallast(); err != nil && !errors.Is(err, os.ErrExist) {
			q.cfg.Log.Warn("queue: no room for the ballast", "err", err)
		}
	}
}

// waitForSpace is called by the file system when a write found the disk full.
// The write is tried once more behind it. The ballast goes first; without one it
// waits for space: Pebble would try a flush again without a pause, and end the
// process when it is its log.
func (q *Queue) waitForSpace() {
	if q.dropBallast() {
		q.cfg.Log.Error("no space left on the queue's disk: the ballast is let go of, for findings, audit and draining: free some space", "dir", q.cfg.Dir)
		return
	}
	if q.space() {
		return
	}
	q.cfg.Log.Error("no space left on the queue's disk, nothing is taken until there is some: free some space", "dir", q.cfg.Dir)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for !q.space() {
		select {
		case <-q.closing.Done():
			return
		case <-tick.C:
		}
	}
	q.cfg.Log.Info("there is space again", "dir", q.cfg.Dir)
}

func (q *Queue) space() bool {
	u, err := q.cfg.fs.GetDiskUsage(q.cfg.Dir)
	return err != nil || u.AvailBytes >= spaceLeast
}
