// Package boxes keeps, on the plant's side, which box is which edge, the
// checkpoints that boxes send, and the spares that wait to take their place.
package boxes

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"millwright/plant"
	"millwright/plant/checkpoint"
	"millwright/plant/disk"
)

// Errors that callers tell apart.
var (
	// ErrRetired: another box has taken the place of the one that speaks.
	ErrRetired = errors.New("retired")
	// ErrOther: the edge is another box.
	ErrOther = errors.New("another box")
	// ErrUnknown: no checkpoint of such an edge.
	ErrUnknown = errors.New("no such edge")
	// ErrAlive: the edge whose place is to be taken delivers.
	ErrAlive = errors.New("alive")
	// ErrBad: what was sent cannot be read.
	ErrBad = errors.New("refused")
)

// kept is how many checkpoints of an edge are kept.
const kept = 5

// inStep is how old the oldest record of an edge may be that is not catching up: its
// status may be half a minute old, and its death is noticed some seconds late.
const inStep = time.Minute

// mostEdges bounds what a box that makes up names can fill.
const mostEdges = 1000

// Memory is what Adopt reads of the plant's store.
type Memory interface {
	Tags() []plant.Tag
	Last(ctx context.Context, tags []plant.TagID) ([]plant.Sample, error)
	LastStates(ctx context.Context, tags []plant.TagID) ([]plant.State, error)
}

// Book is the record of boxes. Fill in the fields, then Open. Its methods may be
// called from any goroutine.
type Book struct {
	Dir    string
	Memory Memory                                     // nil: none
	Edges  func() []plant.EdgeStatus                  // as they are heard; nil: none
	BdSeq  func(edge string) (int, bool)              // of "group/edge", as it was born last; nil: unknown
	Tell   func(context.Context, plant.Finding) error // into the alarm book; nil: nobody
	Log    *slog.Logger                               // nil: slog.Default()
	Now    func() time.Time                           // nil: time.Now

	mu     sync.Mutex // guards what follows
	record record
	late   map[string]bool      // edges whose old checkpoint is told
	heard  map[string]time.Time // of this process, by its monotonic clock
	began  time.Time
}

// record is what is on disk.
type record struct {
	Edges  map[string]*plant.EdgeBox  `json:"edges"` // by "group/edge"
	Spares map[string]*plant.SpareBox `json:"spares"`
}

const recordFile = "boxes.json"

// Open reads what was kept. A damaged record is an error: without it nobody would
// know which box is retired.
func (b *Book) Open() error {
	if b.Log == nil {
		b.Log = slog.Default()
	}
	b.late, b.heard, b.began = map[string]bool{}, map[string]time.Time{}, time.Now()
	b.record = record{Edges: map[string]*plant.EdgeBox{}, Spares: map[string]*plant.SpareBox{}}
	if err := os.MkdirAll(b.Dir, 0o700); err != nil {
		return fmt.Errorf("boxes: %w", err)
	}
	name := filepath.Join(b.Dir, recordFile)
	raw, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &b.record)
	}
	if err != nil {
		return fmt.Errorf("boxes: %s: %w: restore it from a backup, or move it away: then no box is known to be retired", name, err)
	}
	return nil
}

func (b *Book) now() int64 {
	if b.Now != nil {
		return b.Now().UnixNano()
	}
	return time.Now().UnixNano()
}

// save writes the record. The caller holds mu.
func (b *Book) save() error {
	raw, err := json.MarshalIndent(b.record, "", " ")
	if err == nil {
		err = disk.Replace(filepath.Join(b.Dir, recordFile), raw, 0o600)
	}
	if err != nil {
		return fmt.Errorf("boxes: %w", err)
	}
	return nil
}

// Attend gives the book what it asks and whom it tells, once they run: the store,
// the edges as they are heard, and the alarm book.
func (b *Book) Attend(m Memory, edges func() []plant.EdgeStatus, tell func(context.Context, plant.Finding) error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.Memory, b.Edges, b.Tell = m, edges, tell
}

// Save keeps a checkpoint that a box has sent. It is on disk when Save returns
// nil. ErrRetired, ErrOther, ErrBad.
func (b *Book) Save(_ context.Context, box string, raw []byte) (plant.EdgeBox, error) {
	c, err := checkpoint.Decode(raw)
	if err != nil {
		return plant.EdgeBox{}, fmt.Errorf("%w: %w", ErrBad, err)
	}
	edge := c.Group + "/" + c.Edge
	switch {
	case !named(c.Group) || !named(c.Edge):
		return plant.EdgeBox{}, fmt.Errorf("%w: the edge %.100q has no usable name", ErrBad, edge)
	case c.Box != box:
		return plant.EdgeBox{}, fmt.Errorf("%w: the checkpoint is of the box %.100q, the account is %.100q: key box of [edge]", ErrBad, c.Box, box)
	}
	sum := sha256.Sum256(raw)
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.record.Edges[edge]
	if e == nil {
		if len(b.record.Edges) >= mostEdges {
			return plant.EdgeBox{}, fmt.Errorf("%w: %d edges have checkpoints already", ErrBad, mostEdges)
		}
		e = &plant.EdgeBox{Group: c.Group, Edge: c.Edge}
	}
	if err := b.may(e, box); err != nil {
		return plant.EdgeBox{}, err
	}
	next := *e
	if next.Box == "" {
		next.Box, next.Since = box, b.now()
	}
	next.Saved, next.Size, next.Epoch, next.Oldest = b.now(), int64(len(raw)), c.Epoch, 0
	if c.Oldest != 0 && c.Created-c.Oldest > int64(inStep) {
		next.Oldest = c.Oldest
	}
	if is := hex.EncodeToString(sum[:]); is != next.SHA256 {
		next.Number, next.SHA256 = e.Number+1, is
		if err := os.MkdirAll(b.folder(&next), 0o700); err != nil {
			return plant.EdgeBox{}, err
		}
		if err := disk.Replace(b.file(&next), raw, 0o600); err != nil {
			return plant.EdgeBox{}, err
		}
	}
	before := b.record.Edges[edge]
	b.record.Edges[edge] = &next
	if err := b.save(); err != nil {
		b.record.Edges[edge] = before
		if before == nil {
			delete(b.record.Edges, edge)
		}
		return plant.EdgeBox{}, err
	}
	b.heard[edge] = time.Now()
	b.prune(&next)
	return next, nil
}

// may says whether a box is the edge. The caller holds mu.
func (b *Book) may(e *plant.EdgeBox, box string) error {
	if e.Box == "" || e.Box == box {
		return nil
	}
	if i := slices.IndexFunc(e.Retired, func(r plant.RetiredBox) bool { return r.Box == box }); i >= 0 {
		r := e.Retired[i]
		return fmt.Errorf("%w: the box %s took the place of %s as edge %s at %s; this one must not be it any more. Its unsent records: millwright edge recover, on %s. To use this box again: give it a [spare] section and an empty data folder",
			ErrRetired, r.By, box, e.Edge, time.Unix(0, r.At).UTC().Format(time.RFC3339), r.By)
	}
	return fmt.Errorf("%w: the edge %s is the box %s, not %s: millwright edge adopt %s on this one makes it the edge", ErrOther, e.Edge, e.Box, box, e.Edge)
}

// May says whether a box may be an edge: nil, ErrRetired or ErrOther. An edge that
// nobody has heard of may be anybody.
func (b *Book) May(group, edge, box string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.record.Edges[group+"/"+edge]; e != nil {
		return b.may(e, box)
	}
	return nil
}

// named reports whether a name can be one of a folder.
func named(s string) bool {
	return s != "" && len(s) <= 100 && !strings.ContainsAny(s, "/\\\x00+#") && s != "." && s != ".."
}

func (b *Book) folder(e *plant.EdgeBox) string { return filepath.Join(b.Dir, e.Group, e.Edge) }

func (b *Book) file(e *plant.EdgeBox) string {
	return filepath.Join(b.folder(e), fmt.Sprintf("%012d.mwc", e.Number))
}

// prune removes the oldest checkpoints of an edge. What stays too long does no harm.
func (b *Book) prune(e *plant.EdgeBox) {
	files, err := filepath.Glob(filepath.Join(b.folder(e), "*.mwc"))
	if err != nil {
		return
	}
	slices.Sort(files)
	for _, f := range files[:max(0, len(files)-kept)] {
		if err := os.Remove(f); err != nil {
			b.Log.Warn("old checkpoint not removed", "err", err)
		}
	}
}

// Load returns the last checkpoint of an edge, named "edge" or "group/edge":
// verified, the last one that can be read. ErrUnknown.
func (b *Book) Load(_ context.Context, edge string) ([]byte, plant.EdgeBox, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e, err := b.find(edge)
	if err != nil {
		return nil, plant.EdgeBox{}, err
	}
	files, err := filepath.Glob(filepath.Join(b.folder(e), "*.mwc"))
	if err != nil {
		return nil, *e, err
	}
	slices.Sort(files)
	for _, f := range slices.Backward(files) {
		raw, err := os.ReadFile(f)
		if err == nil {
			_, err = checkpoint.Decode(raw)
		}
		if err == nil {
			return raw, *e, nil
		}
		b.Log.Error("checkpoint cannot be read, taking the one before", "file", f, "err", err)
	}
	return nil, *e, fmt.Errorf("%w: no checkpoint of %s can be read", ErrUnknown, edge)
}

// find finds an edge by name. The caller holds mu.
func (b *Book) find(edge string) (*plant.EdgeBox, error) {
	if e := b.record.Edges[edge]; e != nil {
		return e, nil
	}
	var found []*plant.EdgeBox
	for _, e := range b.record.Edges {
		if e.Edge == edge {
			found = append(found, e)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return nil, fmt.Errorf("%w: %.100q: checkpoints are of %s", ErrUnknown, edge, b.names())
	}
	return nil, fmt.Errorf("%w: %.100q is a name in %d groups: say GROUP/EDGE", ErrUnknown, edge, len(found))
}

// names are those of all edges, for people. The caller holds mu.
func (b *Book) names() string {
	if len(b.record.Edges) == 0 {
		return "no edge yet (key plant of [edge])"
	}
	var out []string
	for _, e := range b.record.Edges {
		out = append(out, e.Edge)
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// Report takes what a spare says of itself.
func (b *Book) Report(_ context.Context, s plant.SpareBox) error {
	if !named(s.Name) || len(s.Ready) > mostEdges {
		return fmt.Errorf("%w: spare %.100q", ErrBad, s.Name)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s.Seen, s.Edge = b.now(), ""
	for name, e := range b.record.Edges {
		if e.Box == s.Name {
			s.Edge = name
		}
	}
	b.record.Spares[s.Name] = &s
	return b.save()
}

// Adopt makes a box the edge and retires the one that was. Alive edges are refused
// unless force is set: the name may be the wrong one.
func (b *Book) Adopt(ctx context.Context, edge, box string, force bool) (plant.Adoption, error) {
	b.mu.Lock()
	e, err := b.find(edge)
	if err == nil {
		err = b.adoptable(e, box, force)
	}
	if err != nil {
		b.mu.Unlock()
		return plant.Adoption{}, err
	}
	next, name := *e, e.Group+"/"+e.Edge
	next.Retired = slices.DeleteFunc(slices.Clone(e.Retired), func(r plant.RetiredBox) bool { return r.Box == box || r.Box == e.Box })
	a := plant.Adoption{Group: e.Group, Edge: e.Edge, Number: e.Number}
	if e.Box != "" && e.Box != box {
		a.Box = e.Box
		next.Retired = append(next.Retired, plant.RetiredBox{Box: e.Box, At: b.now(), By: box, Epoch: e.Epoch})
	}
	next.Box, next.Since = box, b.now()
	b.record.Edges[name] = &next
	if s := b.record.Spares[box]; s != nil {
		s.Edge = name
	}
	if err := b.save(); err != nil {
		b.record.Edges[name] = e
		b.mu.Unlock()
		return plant.Adoption{}, err
	}
	b.mu.Unlock()
	b.Log.Warn("a box has taken the place of another", "edge", name, "box", box, "retired", a.Box)
	a.Behind = next.Oldest
	if s := b.status(e.Edge); s != nil {
		if a.Behind = 0; s.Oldest != 0 && s.Since-s.Oldest > int64(inStep) {
			a.Behind = s.Oldest
		}
	}
	a.Last, err = b.last(ctx, name)
	return a, err
}

// adoptable says why a box may not become the edge. The caller holds mu.
func (b *Book) adoptable(e *plant.EdgeBox, box string, force bool) error {
	if e.Number == 0 {
		return fmt.Errorf("%w: %s has sent no checkpoint", ErrUnknown, e.Edge)
	}
	for name, other := range b.record.Edges {
		if other.Box == box && other != e {
			return fmt.Errorf("%w: this box is %s already: millwright edge release gives that back", ErrOther, name)
		}
	}
	if s := b.status(e.Edge); e.Box != box && s != nil && s.State != "down" && !force {
		return fmt.Errorf("%w: %s delivers, its box %s is not dead: is it the right name? Checkpoints are of %s. Switch the box off first, or say --alive", ErrAlive, e.Edge, e.Box, b.names())
	}
	return nil
}

func (b *Book) status(edge string) *plant.EdgeStatus {
	if b.Edges == nil {
		return nil
	}
	for _, s := range b.Edges() {
		if s.Name == edge {
			return &s
		}
	}
	return nil
}

// last is the newest source time that is stored of each tag of an edge.
func (b *Book) last(ctx context.Context, edge string) (map[string]int64, error) {
	out := map[string]int64{}
	if b.Memory == nil {
		return out, nil
	}
	raw, _, err := b.Load(ctx, edge)
	if err != nil {
		return nil, err
	}
	c, err := checkpoint.Decode(raw)
	if err != nil {
		return nil, err
	}
	paths := map[string]bool{}
	for i := range c.Tags {
		paths[c.Tags[i].Tag.Path] = true
	}
	path := map[plant.TagID]string{}
	for _, t := range b.Memory.Tags() {
		if paths[t.Path] {
			path[t.ID] = t.Path
		}
	}
	ids := slices.Collect(maps.Keys(path))
	samples, err := b.Memory.Last(ctx, ids)
	if err != nil {
		return nil, err
	}
	for _, s := range samples {
		out[path[s.Tag]] = max(out[path[s.Tag]], s.Time)
	}
	states, err := b.Memory.LastStates(ctx, ids)
	for _, s := range states {
		out[path[s.Tag]] = max(out[path[s.Tag]], s.Time)
	}
	return out, err
}

// Release undoes Adopt: the box that was retired last may be the edge again.
func (b *Book) Release(_ context.Context, edge, box string) (plant.EdgeBox, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e, err := b.find(edge)
	if err != nil {
		return plant.EdgeBox{}, err
	}
	if e.Box != box {
		return plant.EdgeBox{}, fmt.Errorf("%w: %s is the box %s, not %s", ErrOther, e.Edge, e.Box, box)
	}
	next, name := *e, e.Group+"/"+e.Edge
	next.Box, next.Since, next.Retired = "", b.now(), slices.Clone(e.Retired)
	if n := len(next.Retired); n > 0 && next.Retired[n-1].By == box {
		next.Box, next.Retired = next.Retired[n-1].Box, next.Retired[:n-1]
	}
	b.record.Edges[name] = &next
	if s := b.record.Spares[box]; s != nil {
		s.Edge = ""
	}
	if err := b.save(); err != nil {
		b.record.Edges[name] = e
		return plant.EdgeBox{}, err
	}
	b.Log.Warn("a box has given an edge back", "edge", name, "box", box, "again", next.Box)
	return next, nil
}

// All is everything, by name.
func (b *Book) All() (edges []plant.EdgeBox, spares []plant.SpareBox) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(b.record.Edges)) {
		edges = append(edges, *b.record.Edges[name])
	}
	for _, name := range slices.Sorted(maps.Keys(b.record.Spares)) {
		spares = append(spares, *b.record.Spares[name])
	}
	return edges, spares
}

// Accounts says which accounts of the broker are which edges now: the nodes of
// boxes that took a place, and the boxes that are retired from theirs.
func (b *Book) Accounts() (nodes map[string]string, retired map[string]string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	nodes, retired = map[string]string{}, map[string]string{}
	for name, e := range b.record.Edges {
		if e.Box != "" {
			nodes[e.Box] = name
		}
		for _, r := range e.Retired {
			retired[r.Box] = name
		}
	}
	for box := range nodes {
		delete(retired, box)
	}
	return nodes, retired
}
