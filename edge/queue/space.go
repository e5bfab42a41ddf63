package queue

import (
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// spaceLeast is what Pebble needs to write by itself: a flush.
const spaceLeast = 8 << 20

// waitForSpace is called by the file system when a write found the disk full.
// The write is tried once more behind it, so it waits for space: Pebble would try
// a flush again without a pause, and end the process when it is its log.
func (q *Queue) waitForSpace() {
	if q.space() {
		return
	}
	q.cfg.Log.Error("no space left on the queue's disk, nothing is taken until there is some: free some space", "dir", q.cfg.Dir)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for !q.space() {
		select {
		case <-q.closing:
			return
		case <-tick.C:
		}
	}
	q.cfg.Log.Info("there is space again", "dir", q.cfg.Dir)
}

func (q *Queue) space() bool {
	u, err := vfs.Default.GetDiskUsage(q.cfg.Dir)
	return err != nil || u.AvailBytes >= spaceLeast
}
