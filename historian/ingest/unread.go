package ingest

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"millwright/plant/disk"
)

// Bounds of the messages that are kept although they cannot be read.
const (
	maxUnread        = 64 << 20 // bytes of all files
	maxUnreadOfEdge  = 4 << 20  // and of the two of one edge
	maxUnreadPayload = 1 << 20  // of a message; of a longer one its beginning
	unreadPerMinute  = 100      // messages of an edge; of a flood the first ones are kept
)

// Unread is a message that could not be read, as it stands in the folder: a line
// of JSON each. Payload is its beginning where Bytes is more.
type Unread struct {
	Time    time.Time `json:"time"` // of arrival
	Edge    string    `json:"edge"` // "group/node"; empty: the topic names none
	Topic   string    `json:"topic"`
	Reason  string    `json:"reason"`
	Bytes   int       `json:"bytes"`
	Payload []byte    `json:"payload"`

	// Waits says that a birth may make it readable: one of the connection with
	// this bdSeq, or any where it is -1.
	Waits bool `json:"waits,omitempty"`
	BdSeq int  `json:"bdSeq,omitempty"`
}

// unread is the folder of them. An edge has two files, of which the older one
// goes when the newer one is full. Methods may be called from any goroutine.
type unread struct {
	dir string // empty: nothing is kept
	log *slog.Logger

	mu    sync.Mutex // guards what follows and the files
	edges map[string]*unreadEdge
	total int64
}

// unreadEdge is what is kept of one edge, and what is not.
type unreadEdge struct {
	kept    int   // messages in its files
	bytes   int64 // of them
	dropped uint64
	minute  int64 // of the last message
	of      int   // messages in this minute
	at      time.Time
}

// open counts what is in a folder already. From then on it is kept there.
func (u *unread) open(dir string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("folder of unread messages: %w", err)
	}
	files, err := unreadFiles(dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := closeLine(f); err != nil {
			return fmt.Errorf("unread messages: %w", err)
		}
		size := fileSize(f)
		u.total += size
		err := eachUnread(f, func(x *Unread) {
			e := u.of(x.Edge)
			e.kept++
			e.bytes, size = e.bytes+size, 0
		})
		if err != nil {
			return err
		}
	}
	u.dir = dir
	return nil
}

// closeLine ends the last line of a file that a kill has cut off, so that the next
// one begins anew.
func closeLine(name string) error {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	end, err := f.Seek(0, 2)
	if err != nil || end == 0 {
		return err
	}
	var last [1]byte
	if _, err := f.ReadAt(last[:], end-1); err != nil || last[0] == '\n' {
		return err
	}
	_, err = f.Write([]byte{'\n'})
	return err
}

// ReadUnread gives every message of a folder, those of each edge in their order.
// Lines that a kill has torn are passed over. No folder is an empty one.
func ReadUnread(dir string, f func(*Unread)) error {
	files, err := unreadFiles(dir)
	if err != nil {
		return err
	}
	for _, name := range files {
		if err := eachUnread(name, f); err != nil {
			return err
		}
	}
	return nil
}

// unreadFiles are the files of a folder, the older one of an edge first.
func unreadFiles(dir string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	slices.SortFunc(files, func(a, b string) int {
		x, y := strings.TrimSuffix(a, ".old.jsonl"), strings.TrimSuffix(b, ".old.jsonl")
		if x == y {
			return cmp.Compare(len(b), len(a))
		}
		return cmp.Compare(a, b)
	})
	return files, err
}

func eachUnread(name string, f func(*Unread)) error {
	file, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("unread messages: %w", err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 8*maxUnreadPayload)
	for lines.Scan() {
		if x, ok := parseUnread(lines.Bytes()); ok {
			f(&x)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("unread messages: %s: %w", name, err)
	}
	return nil
}

func parseUnread(line []byte) (x Unread, ok bool) {
	return x, json.Unmarshal(line, &x) == nil && x.Topic != "" && len(x.Payload) <= maxUnreadPayload
}

// files are the two of an edge, the older one first.
func (u *unread) files(edge string) [2]string {
	base := filepath.Join(u.dir, hashed(edge))
	return [2]string{base + ".old.jsonl", base + ".jsonl"}
}

// hashed is the name of an edge as a file's: ids may hold anything.
func hashed(edge string) string {
	sum := sha256.Sum256([]byte(edge))
	return hex.EncodeToString(sum[:8])
}

func (u *unread) of(edge string) *unreadEdge {
	e := u.edges[edge]
	if e == nil {
		e = &unreadEdge{}
		u.edges[edge] = e
	}
	return e
}

// keep writes a message down. With must it is on the disk when nil comes back,
// whatever its edge has sent before; otherwise it is kept as far as that is
// cheap, and counted in any case.
func (u *unread) keep(x Unread, must bool) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.edges[x.Edge] == nil && len(u.edges) >= maxNodes {
		x.Edge = "" // a flood of names
	}
	e := u.of(x.Edge)
	e.at = x.Time
	if m := x.Time.Unix() / 60; m != e.minute {
		e.minute, e.of = m, 0
	}
	if e.of++; u.dir == "" || !must && e.of > unreadPerMinute {
		e.dropped++
		return nil
	}
	x.Bytes = len(x.Payload)
	x.Payload = x.Payload[:min(len(x.Payload), maxUnreadPayload)]
	line, err := json.Marshal(&x)
	if err != nil {
		return fmt.Errorf("unread message: %w", err)
	}
	if err := u.write(e, x.Edge, append(line, '\n'), must); err != nil {
		e.dropped++
		return fmt.Errorf("a message that cannot be read is not kept: %w", err)
	}
	e.kept++
	u.shrink()
	return nil
}

// write puts a line at the end of the newer file of an edge.
func (u *unread) write(e *unreadEdge, edge string, line []byte, sync bool) error {
	files := u.files(edge)
	if have := fileSize(files[1]); have > 0 && have+int64(len(line)) > maxUnreadOfEdge/2 {
		if err := u.drop(e, files[0]); err != nil {
			return err
		}
		if err := os.Rename(files[1], files[0]); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(files[1], os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	n, err := f.Write(line)
	u.total += int64(n)
	e.bytes += int64(n)
	if err == nil && sync {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil || !sync {
		return err
	}
	d, err := os.Open(u.dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func fileSize(name string) int64 {
	s, err := os.Stat(name)
	if err != nil {
		return 0
	}
	return s.Size()
}

// drop removes a file of an edge; what it held is counted.
func (u *unread) drop(e *unreadEdge, name string) error {
	size, n := fileSize(name), 0
	if size == 0 {
		return nil
	}
	if err := eachUnread(name, func(*Unread) { n++ }); err != nil {
		return err
	}
	if err := os.Remove(name); err != nil {
		return err
	}
	u.total -= size
	e.bytes -= size
	e.kept -= n
	e.dropped += uint64(n)
	return nil
}

// shrink keeps the bound of all edges together: what was spoken of longest ago
// goes first.
func (u *unread) shrink() {
	for u.total > maxUnread {
		var oldest string
		for edge, e := range u.edges {
			if e.kept > 0 && (u.edges[oldest] == nil || u.edges[oldest].kept == 0 || e.at.Before(u.edges[oldest].at)) {
				oldest = edge
			}
		}
		e, before := u.edges[oldest], u.total
		for _, f := range u.files(oldest) {
			if u.total > maxUnread {
				if err := u.drop(e, f); err != nil {
					u.log.Error("unread messages", "err", err)
				}
			}
		}
		if u.total == before {
			return
		}
	}
}

// waiting gives the messages of an edge that a birth may make readable.
func (u *unread) waiting(edge string, f func(*Unread)) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if e := u.edges[edge]; u.dir == "" || e == nil || e.kept == 0 {
		return nil
	}
	for _, name := range u.files(edge) {
		err := eachUnread(name, func(x *Unread) {
			if x.Waits && x.Edge == edge && x.Bytes == len(x.Payload) {
				f(x)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// remove drops the messages of an edge for which gone is true.
func (u *unread) remove(edge string, gone func(*Unread) bool) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	e := u.edges[edge]
	for _, name := range u.files(edge) {
		var left bytes.Buffer
		out := json.NewEncoder(&left)
		n := 0
		err := eachUnread(name, func(x *Unread) {
			if gone(x) {
				n++
			} else {
				_ = out.Encode(x) // of a buffer, of what was read
			}
		})
		if err != nil || n == 0 {
			if err != nil {
				return err
			}
			continue
		}
		before := fileSize(name)
		if err := disk.Replace(name, left.Bytes(), 0o600); err != nil {
			return fmt.Errorf("unread messages: %w", err)
		}
		u.total += int64(left.Len()) - before
		e.bytes += int64(left.Len()) - before
		e.kept -= n
	}
	return nil
}

// count is what is kept of an edge, and what was not or no longer is.
func (u *unread) count(edge string) (kept int, dropped uint64, at time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if e := u.edges[edge]; e != nil {
		return e.kept, e.dropped, e.at
	}
	return 0, 0, time.Time{}
}
