package influx

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// maxQuarantine bounds the folder.
const maxQuarantine = 256 << 20

// quarantine is the folder of points that the server refused for ever: line
// protocol with the server's words as comments, a file per day. They can be sent
// again by hand once what the server minds is mended.
type quarantine struct {
	dir    string
	log    *slog.Logger
	points atomic.Uint64

	mu     sync.Mutex // guards what follows and the files
	bytes  int64
	limit  int64
	recent map[string]bool // lines written last: a batch that fails elsewhere comes again
}

const maxRecent = 10_000

func openQuarantine(dir string, log *slog.Logger) (*quarantine, error) {
	q := &quarantine{dir: filepath.Join(dir, "quarantine"), log: log, limit: maxQuarantine}
	if err := os.MkdirAll(q.dir, 0o700); err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(q.dir, "*.lp"))
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		q.bytes += int64(len(b))
		for line := range bytes.Lines(b) {
			if line[0] != '#' && line[0] != '\n' {
				q.points.Add(1)
			}
		}
	}
	if n := q.points.Load(); n > 0 {
		log.Warn("points that InfluxDB refused lie in quarantine", "points", n, "dir", q.dir)
	}
	return q, nil
}

// keep writes refused points down, durably.
func (q *quarantine) keep(bad []refusal) error {
	if len(bad) == 0 {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now().UTC()
	var b bytes.Buffer
	reason, fresh := "", uint64(0)
	for _, r := range bad {
		if q.recent[r.line] {
			continue
		}
		fresh++
		if r.reason != reason {
			// Behind a line break, should the last write have been torn.
			fmt.Fprintf(&b, "\n# %s %s\n", now.Format(time.RFC3339), strings.Join(strings.Fields(r.reason), " "))
			reason = r.reason
		}
		b.WriteString(r.line)
		b.WriteByte('\n')
	}
	if fresh == 0 {
		return nil
	}
	if q.bytes+int64(b.Len()) > q.limit {
		return fmt.Errorf("%s: %d MiB of points that InfluxDB refused lie there and no more are taken: see why in the comments of the files, mend it and move them away", q.dir, q.limit>>20)
	}
	name := filepath.Join(q.dir, now.Format(time.DateOnly)+".lp")
	if err := appendSynced(name, b.Bytes()); err != nil {
		return fmt.Errorf("points that InfluxDB refused cannot be kept either: %w", err)
	}
	q.bytes += int64(b.Len())
	q.points.Add(fresh)
	if q.recent == nil || len(q.recent) > maxRecent {
		q.recent = map[string]bool{}
	}
	for _, r := range bad {
		q.recent[r.line] = true
	}
	q.log.Error("InfluxDB refuses points for ever; they are in quarantine", "points", fresh, "file", name, "reason", bad[0].reason, "first", bad[0].line)
	return nil
}

// appendSynced writes to the end of a file and to the disk.
func appendSynced(name string, b []byte) error {
	_, err := os.Stat(name)
	fresh := errors.Is(err, os.ErrNotExist)
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil || !fresh {
		return err
	}
	dir, err := os.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
