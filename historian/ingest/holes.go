package ingest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"millwright/plant"
	"millwright/plant/disk"
	"millwright/sparkplug"
)

// A hole is what an edge has settled and this host does not have: numbers below
// its Oldest that are neither committed nor stood for by a gap. It is so when this
// host was restored from an older backup. The samples are nowhere any more, so
// that all there is to do is to say so: a gap in every tag of the edge, from what
// was stored last to what came first afterwards.
type hole struct {
	Edge  string `json:"edge"`
	Epoch uint64 `json:"epoch"`
	Above uint64 `json:"above"` // what is missing below it was declared before
	Below uint64 `json:"below"` // Oldest
	Seen  int64  `json:"seen"`  // ns UTC
	// From is the time of the last value stored before, by tag; ns UTC. It is
	// written to the disk before anything newer is stored.
	From map[plant.TagID]int64 `json:"from"`
	// To is where the gaps end, 0: at the first value stored behind From.
	To int64 `json:"to,omitempty"`

	// Done says that it is declared: what is missing below it stays missing.
	Done bool `json:"done,omitempty"`

	declared bool // on its way to the disk
}

const (
	// A hole is declared when this many records above it are stored, which is when
	// the first new samples are there,
	holeRecords = 64
	// not before a gap that explains it had time to come,
	holeLeast = 10 * time.Second
	// and after this long in any case.
	holeMost = time.Minute
)

// holes are the last ones of each edge. They belong to the decoder.
type holes struct {
	g   *Ingest
	dir string // empty: they do not survive a restart

	mu   sync.Mutex // guards open and Done: a commit ends a hole
	open map[string]*hole
}

// load reads the holes that were found before a restart.
func (h *holes) load(dir string) error {
	h.dir = dir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("folder of holes: %w", err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return err
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			return fmt.Errorf("holes: %w", err)
		}
		x, err := parseHole(b)
		if err != nil {
			return fmt.Errorf("%s: %w: move it away, and declare by hand what is missing", f, err)
		}
		h.open[x.Edge] = &x
		if x.Done { // the ledger may not have written it down
			h.account(&x, h.g.known.missing(epoch{x.Edge, x.Epoch}, x.Below, time.Now()))
		}
	}
	return nil
}

func parseHole(b []byte) (x hole, err error) {
	if err := json.Unmarshal(b, &x); err != nil {
		return x, fmt.Errorf("hole: %w", err)
	}
	if x.Edge == "" || x.Epoch == 0 || x.Epoch > sparkplug.MaxNumber || x.Below < 2 || x.Below > sparkplug.MaxNumber || x.From == nil {
		return x, errors.New("hole: not complete")
	}
	return x, nil
}

func (h *holes) file(edge string) string {
	return filepath.Join(h.dir, hashed(edge)+".json")
}

func (h *holes) of(edge string) (x *hole, done bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	x = h.open[edge]
	return x, x != nil && x.Done
}

// look compares what an edge says of its Oldest with what is stored.
func (h *holes) look(n *node, e epoch, oldest uint64, now int64) {
	if oldest == 0 {
		return
	}
	p := n.pastOf(e.number)
	first := !p.looked
	p.looked = true
	missing := h.g.known.missing(e, oldest, time.Unix(0, now))
	if len(missing) == 0 {
		p.complete = now
		return
	}
	above := uint64(1)
	if x, done := h.of(e.edge); x != nil {
		if !done && x.Epoch == e.number && !x.declared && oldest > x.Below {
			if more := sparkplug.SpansFrom(missing, x.Below); len(more) > 0 {
				// Among records that were not settled: those come again and would end the
				// gaps too soon.
				x.To = n.bornAt
				if p.live != 0 && more[len(more)-1].Last >= p.live {
					x.To = now
				}
			}
			x.Below = oldest
			h.save(x)
		}
		if !done {
			return // one after the other
		}
		if x.Epoch == e.number { // and each one once
			above = x.Below
		}
	}
	if missing = sparkplug.SpansFrom(missing, above); len(missing) == 0 {
		return
	}
	x := &hole{Edge: e.edge, Epoch: e.number, Above: above, Below: oldest, Seen: now, From: maps.Clone(n.before)}
	if x.From == nil {
		x.From = map[plant.TagID]int64{}
	}
	switch {
	case first: // what is not settled is newer than what is missing
	case p.live == 0 || missing[0].First < p.live:
		// Made before this host ran, and among records that were not settled.
		x.To = n.bornAt
	default: // it came about while this host ran: nothing was missing until then
		x.To = now
		for id := range x.From {
			x.From[id] = p.complete
		}
	}
	h.g.Log.Warn("the edge has settled records that are not here; if no gap explains them, one is declared",
		"edge", e.edge, "epoch", e.number, "records", sparkplug.FormatSpans(missing[:min(len(missing), 10)]))
	h.mu.Lock()
	h.open[e.edge] = x
	h.mu.Unlock()
	h.save(x)
}

// note remembers what is stored of the tags of a birth, before its values are. It
// does so once for each tag and run of this host: a backup is restored before.
func (h *holes) note(n *node, ids []plant.TagID) {
	var fresh []plant.TagID
	for _, id := range ids {
		if _, ok := n.before[id]; !ok {
			fresh = append(fresh, id)
		}
	}
	if len(fresh) == 0 {
		return
	}
	if n.before == nil {
		n.before = make(map[plant.TagID]int64, len(fresh))
	}
	for _, id := range fresh {
		n.before[id] = 0 // nothing stored
	}
	ctx := context.Background()
	samples, err := h.g.Store.Last(ctx, fresh)
	if err != nil {
		h.g.Log.Error("last values cannot be read", "edge", n.edge, "err", err)
	}
	for _, s := range samples {
		n.before[s.Tag] = max(n.before[s.Tag], s.Time)
	}
	states, err := h.g.Store.LastStates(ctx, fresh)
	if err != nil {
		h.g.Log.Error("last texts cannot be read", "edge", n.edge, "err", err)
	}
	for _, s := range states {
		n.before[s.Tag] = max(n.before[s.Tag], s.Time)
	}
	if x, done := h.of(n.edge); x != nil && !done && !x.declared {
		changed := false
		for _, id := range fresh {
			if _, ok := x.From[id]; !ok {
				x.From[id], changed = n.before[id], true
			}
		}
		if changed {
			h.save(x)
		}
	}
}

func (h *holes) save(x *hole) {
	if h.dir == "" {
		return
	}
	b, err := json.Marshal(x)
	if err == nil {
		err = disk.Replace(h.file(x.Edge), b, 0o600)
	}
	if err != nil {
		h.g.Log.Error("a hole is not written down: a restart would forget it", "edge", x.Edge, "err", err)
	}
}

// tick declares the hole of an edge when it is time.
func (h *holes) tick(n *node, now int64) {
	x, done := h.of(n.edge)
	if x == nil || done || x.declared || now-x.Seen < int64(holeLeast) {
		return
	}
	e, at := epoch{x.Edge, x.Epoch}, time.Unix(0, now)
	missing := sparkplug.SpansFrom(h.g.known.missing(e, x.Below, at), x.Above)
	if len(missing) > 0 && now-x.Seen < int64(holeMost) {
		above := h.g.known.from(e, x.Below, at)
		if len(above) == 0 || above[0].First != x.Below || above[0].Last-x.Below < holeRecords {
			return
		}
	}
	if len(missing) == 0 { // they have come
		h.undo(x)
		return
	}
	h.declare(n, x, missing, now)
}

// declare stores the gaps of a hole.
func (h *holes) declare(n *node, x *hole, missing []sparkplug.Span, now int64) {
	b := plant.Batch{}
	latest := int64(0)
	for _, at := range x.From {
		latest = max(latest, at)
	}
	for _, id := range slices.Sorted(maps.Keys(x.From)) {
		from := cmp.Or(x.From[id], latest)
		if from == 0 {
			continue // the edge has no past here
		}
		to := x.To
		if to == 0 {
			var err error
			if to, err = h.first(id, from); err != nil {
				h.g.Log.Error("the end of a hole cannot be read, trying again", "edge", x.Edge, "err", err)
				return
			}
		}
		if to == 0 {
			to = x.Seen
		}
		b.Gaps = append(b.Gaps, plant.Gap{Tag: id, From: from + int64(time.Millisecond), To: to, Reason: plant.GapNotStored})
	}
	if n.gaveUp > x.Seen-int64(holeMost) {
		// The edge has given up records because its queue was full, and has declared
		// that itself.
		b.Gaps = nil
	}
	count := sparkplug.CountSpans(missing)
	x.declared = h.g.commit.add(x.Edge, &b, nil, func() {
		h.mu.Lock()
		x.Done = true
		h.mu.Unlock()
		h.save(x)
		if len(b.Gaps) == 0 {
			h.g.Log.Info("records that the edge had settled before are not here: they went to another historian, or their gaps are declared", "edge", x.Edge, "records", count)
			return
		}
		h.g.counts.missing.Add(count)
		h.account(x, missing)
		h.g.view.holed(x.Edge, now)
		h.g.Log.Error("records are missing in the historian that the edge no longer has: declared as gaps; was it restored from a backup?",
			"edge", x.Edge, "records", count, "tags", len(b.Gaps))
	})
}

// account tells the ledger which records are known to be missing.
func (h *holes) account(x *hole, missing []sparkplug.Span) {
	if h.g.Ledger != nil && len(missing) > 0 {
		h.g.Ledger.Declared(x.Edge, x.Epoch, missing)
	}
}

// first is the time of the first value of a tag behind one, or 0.
func (h *holes) first(id plant.TagID, behind int64) (int64, error) {
	r := plant.Range{Tag: id, From: behind + int64(time.Millisecond), To: math.MaxInt64, Limit: 1}
	var first int64
	for b, err := range h.g.Store.Scan(context.Background(), r) {
		if err != nil {
			return 0, err
		}
		if len(b.Times) > 0 {
			first = b.Times[0]
			break
		}
	}
	states, err := h.g.Store.States(context.Background(), r)
	if err != nil {
		return 0, err
	}
	if len(states) > 0 && (first == 0 || states[0].Time < first) {
		first = states[0].Time
	}
	return first, nil
}

// undo takes back a hole that was none, but for what was declared before it.
func (h *holes) undo(x *hole) {
	h.mu.Lock()
	if x.Above > 1 {
		x.Below, x.Done = x.Above, true
		h.mu.Unlock()
		h.save(x)
		return
	}
	delete(h.open, x.Edge)
	h.mu.Unlock()
	if h.dir == "" {
		return
	}
	if err := os.Remove(h.file(x.Edge)); err != nil && !errors.Is(err, os.ErrNotExist) {
		h.g.Log.Error("a hole that is declared is not forgotten: it is declared again after a restart, which changes nothing", "err", err)
	}
}
