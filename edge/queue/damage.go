package queue

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"millwright/plant"
)

// Small files of our own in the folder, beside Pebble's.
const (
	damagedFile  = "DAMAGED"  // a damaged block was found: set the folder aside at the next opening
	salvagedFile = "SALVAGED" // of a folder set aside: what could be read was taken over
	oldestFile   = "OLDEST"   // creation time in ms before which nothing is left, written once a minute
)

// isDamage tells bytes that cannot be read from a system that says no: the first
// has the folder set aside, the second is for people, or for the next start.
func isDamage(err error) bool {
	switch {
	case err == nil, errors.Is(err, errNewer), errors.Is(err, fs.ErrPermission):
		return false
	case pebble.IsCorruptionError(err), errors.Is(err, ErrDamaged), errors.Is(err, fs.ErrNotExist):
		return true
	}
	_, system := errors.AsType[syscall.Errno](err)
	return !system
}

// setAside moves the damaged folder out of the way and makes a fresh one.
func (q *Queue) setAside(why error) error {
	aside := fmt.Sprintf("%s.damaged-%d", strings.TrimRight(q.cfg.Dir, "/"), time.Now().Unix())
	for _, err := q.fs.Stat(aside); err == nil; _, err = q.fs.Stat(aside) {
		aside += "a"
	}
	if err := q.fs.Rename(q.cfg.Dir, aside); err != nil {
		return fmt.Errorf("set damaged queue aside: %w", err)
	}
	if err := q.fs.MkdirAll(q.cfg.Dir, 0o700); err != nil {
		return fmt.Errorf("set damaged queue aside: %w", err)
	}
	q.damaged = aside
	q.note(slog.LevelError, fmt.Sprintf("it was damaged (%v): set aside as %s, a fresh one is opened, and what can be read comes back", why, aside))
	return q.syncFolder(q.fs.PathDir(q.cfg.Dir))
}

func (q *Queue) syncFolder(name string) error {
	d, err := q.fs.OpenDir(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (q *Queue) isMarkedDamaged() bool {
	_, err := q.fs.Stat(q.fs.PathJoin(q.cfg.Dir, damagedFile))
	return err == nil
}

// backgroundError is Pebble's: a flush or a compaction has failed. One that met a
// damaged block would meet it again until no write is taken, so a restart sets
// the folder aside.
func (q *Queue) backgroundError(err error) {
	q.cfg.Log.Error("queue: in the background", "err", err.Error())
	if !pebble.IsCorruptionError(err) {
		return
	}
	if err := q.writeFile(q.cfg.Dir, damagedFile, nil); err != nil {
		q.cfg.Log.Error("queue: not marked as damaged", "err", err)
		return
	}
	q.logger().Fatalf("a damaged block stands in the way: at the next start what can be read is taken into a fresh queue: %v", err)
}

// writeFile makes a small file that survives a power cut, whole or not at all.
func (q *Queue) writeFile(dir, name string, b []byte) error {
	to := q.fs.PathJoin(dir, name)
	f, err := q.fs.Create(to+".new", vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	if len(b) > 0 {
		_, err = f.Write(b)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = q.fs.Rename(to+".new", to)
	}
	if err != nil {
		return errors.Join(err, q.fs.Remove(to+".new"))
	}
	return q.syncFolder(dir)
}

// mark writes down how old the oldest record is. It only grows, so that what is
// read after damage is early enough.
func (q *Queue) mark() {
	oldest := q.Stats().Oldest
	if oldest == 0 {
		oldest = time.Now().UnixNano()
	}
	if err := q.writeFile(q.cfg.Dir, oldestFile, strconv.AppendInt(nil, oldest/msec, 10)); err != nil {
		q.cfg.Log.Warn("queue: its oldest record is not written down", "err", err)
	}
}

// oldestIn is what mark wrote in a folder; without it, when the first of its
// files was written.
func (q *Queue) oldestIn(dir string) int64 {
	if f, err := q.fs.Open(q.fs.PathJoin(dir, oldestFile)); err == nil {
		b, err := io.ReadAll(io.LimitReader(f, 32))
		if err = errors.Join(err, f.Close()); err == nil {
			if ms, err := strconv.ParseInt(string(b), 10, 64); err == nil {
				return ms * msec
			}
		}
	}
	oldest := time.Now().UnixNano()
	names, _ := q.fs.List(dir)
	for _, name := range names {
		if st, err := q.fs.Stat(q.fs.PathJoin(dir, name)); err == nil {
			oldest = min(oldest, st.ModTime().UnixNano())
		}
	}
	return plant.Millis(oldest)
}

// breakItem notes that a value cannot be read. The keeper declares it.
func (q *Queue) breakItem(p *place) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, o := range q.openings {
		if o.counter != p.opening {
			continue
		}
		l := &o.lanes[p.lane]
		if i := l.from(p.first); i < len(l.items) && l.items[i].last == p.last && l.items[i].pack == p.pack {
			l.items[i].broken = true
			q.call()
		}
	}
}

// declareBroken declares what cannot be read, and lets go of it.
func (q *Queue) declareBroken() {
	var list []place
	q.mu.Lock()
	for _, o := range q.openings {
		for ln := range o.lanes {
			for _, it := range o.lanes[ln].items {
				if it.broken && len(list) < thinItems {
					list = append(list, place{it, Lane(ln), o.counter, o.epoch})
				}
			}
		}
	}
	q.mu.Unlock()
	if len(list) == 0 {
		return
	}
	lost := Losses{}
	for i := range list {
		lost.unknown(q, &list[i])
	}
	n, ok := q.giveUp(list, lost, nil)
	if !ok {
		return
	}
	q.mu.Lock()
	q.stats.Lost += uint64(n)
	q.mu.Unlock()
	for i := range list {
		if p := &list[i]; !p.lane.mayGo() {
			q.note(slog.LevelError, fmt.Sprintf("record %d of epoch %d, one of %s, cannot be read and is lost: what it said is not known", p.last, p.epoch, p.lane))
		}
	}
	q.note(slog.LevelError, fmt.Sprintf("%d records cannot be read: gaps of %d tags are declared", n, len(lost)))
}

// recordSpan is more than the values of one record span, before and after its
// creation.
const recordSpan = 10 * time.Second

// unknown notes the loss of an item that cannot be read: of a pack the tags and
// times that its index has, of a record all tags around the time of its creation.
// Times that lie elsewhere, of values that came late, cannot be known.
func (l Losses) unknown(q *Queue, p *place) {
	if !p.lane.mayGo() {
		return
	}
	if p.pack {
		v, err := q.get(placeKey(indexPrefix, p.lane, p.opening, p.last))
		if err == nil {
			if x, err := decodeIndex(v); err == nil {
				l.index(&x)
				return
			}
		}
	}
	from, to := p.created*msec-int64(recordSpan), p.newest*msec+int64(recordSpan)
	if p.created == 0 { // not even its head can be read
		from, to = q.oldestIn(q.cfg.Dir), plant.Millis(time.Now().UnixNano())
	}
	for _, t := range q.allTags() {
		l.note(t.ID, from, to, plant.GapQueueDamaged, 0)
	}
}

// index notes the loss of a pack whose index is known.
func (l Losses) index(x *index) {
	for i, tag := range x.tags {
		samples := uint64(0)
		if i == 0 {
			samples = x.samples
		}
		l.note(tag, x.from*msec, (x.to+1)*msec, plant.GapQueueDamaged, samples)
	}
}
