package edge

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	"millwright/edge/queue"
	"millwright/plant"
	"millwright/plant/disk"
)

const (
	auditEvery = time.Second
	auditMost  = 4 << 10  // bytes of one entry
	auditRead  = 64 << 10 // bytes of a file at a time
	clockStep  = time.Second
)

// audit is what the edge itself did that people must be able to check later: it is a
// tag, EDGE/$AUDIT, whose texts go through a lane of the queue that is never thinned.
type audit struct {
	tag plant.Tag

	mu    sync.Mutex // guards what follows
	at    int64
	waits []entry // a queue that is busy gets them later
}

type entry struct {
	state plant.State
	done  func(error) // nil: nobody asks
}

// Audit keeps an entry: a word for what it is of, and what happened.
func (a *Agent) Audit(what, text string) { a.auditAt(time.Now().UnixNano(), what, text, nil) }

// auditAt keeps an entry of a certain time, and has done told when it is durable.
func (a *Agent) auditAt(at int64, what, text string, done func(error)) {
	x := &a.audit
	text = what + ": " + strings.ToValidUTF8(text, "?")
	if len(text) > auditMost {
		text = strings.ToValidUTF8(text[:auditMost], "")
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	// Each has a time of its own: tag and time are the key in the historian.
	x.at = max(plant.Millis(at), x.at+int64(time.Millisecond))
	x.waits = append(x.waits, entry{plant.State{Tag: x.tag.ID, Time: x.at, Value: text}, done})
	a.flushAudit()
}

// flushAudit queues the entries that wait, each a record. The caller holds audit.mu.
func (a *Agent) flushAudit() {
	x := &a.audit
	if len(x.waits) == 0 {
		return
	}
	list := x.waits
	drafts := make([]queue.Draft, len(list))
	for i := range list {
		drafts[i] = queue.Draft{Lane: queue.Audit, Device: StateDevice, Batch: plant.Batch{States: []plant.State{list[i].state}}}
	}
	records, err := a.Queue.Append(drafts, func(err error) {
		for _, e := range list {
			if e.done != nil {
				e.done(err)
			}
		}
	})
	if err != nil {
		if !errors.Is(err, queue.ErrBusy) {
			a.Log.Error("audit not queued", "err", err)
		}
		return // they wait
	}
	x.waits = nil
	for _, r := range records {
		a.Uplink.Offer(r)
	}
}

// keepAudit gathers what is to be in the audit, until ctx ends.
func (a *Agent) keepAudit(ctx context.Context) {
	a.Audit("start", fmt.Sprintf("version %s, epoch %d", a.Version, a.Queue.Epoch()))
	tick := time.NewTicker(auditEvery)
	defer tick.Stop()
	files := a.auditFiles()
	clock := time.Now()
	for {
		select {
		case <-ctx.Done():
			a.tellQueue()
			a.Audit("stop", "in good order")
			return
		case <-tick.C:
		}
		now := time.Now()
		if d := stepped(clock, now); d > clockStep || d < -clockStep {
			a.Audit("clock", fmt.Sprintf("stepped by %+.1f s", d.Seconds()))
		}
		clock = now
		a.tellQueue()
		files.follow(a)
		a.audit.mu.Lock()
		a.flushAudit()
		a.audit.mu.Unlock()
	}
}

// stepped is by how much the wall clock ran otherwise than time passed.
func stepped(before, now time.Time) time.Duration {
	return now.Round(0).Sub(before.Round(0)) - now.Sub(before)
}

// tellQueue keeps what the queue did by itself.
func (a *Agent) tellQueue() {
	for _, e := range a.Queue.TakeEvents() {
		a.auditAt(e.Time, "queue", e.What, nil)
	}
}

// auditTails follow files of lines that other parts, and people on this box, write:
// which certificates are trusted, which models run, which orders were obeyed. Where it
// has got to is kept when that is durable, so that a line may come twice and is never
// left out.
type auditTails struct {
	state  string
	offset map[string]int64
	busy   bool // lines wait for the disk
	mu     sync.Mutex
}

func (a *Agent) auditFiles() *auditTails {
	t := &auditTails{state: a.AuditState, offset: map[string]int64{}}
	b, err := os.ReadFile(t.state)
	if err == nil {
		err = json.Unmarshal(b, &t.offset)
	}
	if err != nil && t.state != "" && !errors.Is(err, fs.ErrNotExist) {
		a.Log.Warn("the audit's place in its files is not known: all of them are sent again", "err", err)
		t.offset = map[string]int64{}
	}
	return t
}

// follow queues the lines that are new, a piece of one file at a time.
func (t *auditTails) follow(a *Agent) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.busy || t.state == "" {
		return
	}
	for _, name := range a.AuditFiles {
		lines, next, err := newLines(name, t.offset[name])
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				a.Log.Warn("a file of the audit cannot be read", "file", name, "err", err)
			}
			continue
		}
		if next == t.offset[name] {
			continue
		}
		t.busy = true
		for i, line := range lines {
			var done func(error)
			if i == len(lines)-1 {
				done = func(err error) { t.got(a, name, next, err) }
			}
			a.auditAt(time.Now().UnixNano(), "file", line, done)
		}
		if len(lines) == 0 { // it began anew
			t.busy, t.offset[name] = false, next
		}
		return
	}
}

// got notes how far a file is durable.
func (t *auditTails) got(a *Agent, name string, next int64, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.busy = false
	if err != nil {
		return
	}
	t.offset[name] = next
	b, err := json.Marshal(t.offset)
	if err == nil {
		err = disk.Replace(t.state, b, 0o600)
	}
	if err != nil {
		a.Log.Warn("the audit's place in its files is not kept: lines may come twice", "err", err)
	}
}

// newLines reads whole lines behind an offset. A file that is shorter was begun anew:
// what is left of the one before is beside it, under .old.
func newLines(name string, offset int64) (lines []string, next int64, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, offset, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, offset, err
	}
	if st.Size() < offset {
		if b, err := os.ReadFile(name + ".old"); err == nil && int64(len(b)) > offset {
			lines = split(b[offset:])
		}
		return lines, 0, nil
	}
	b, err := io.ReadAll(io.NewSectionReader(f, offset, auditRead))
	if err != nil {
		return nil, offset, err
	}
	end := bytes.LastIndexByte(b, '\n') + 1
	if end == 0 && len(b) == auditRead {
		end = len(b) // a line without an end
	}
	return split(b[:end]), offset + int64(end), nil
}

func split(b []byte) (lines []string) {
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}
