package influx

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"millwright/plant"
	"millwright/sparkplug"
)

// foldLeast tallies are folded at once: a deletion costs InfluxDB much.
const foldLeast = 4096

// tallied names a tally by its last block.
type tallied struct {
	markSet
	last uint64
}

// appendTallies adds the lines of those that have changed.
func appendTallies(b []byte, tallies map[markSet][]plant.Tally, changed []tallied) []byte {
	slices.SortFunc(changed, func(x, y tallied) int {
		return cmp.Or(cmp.Compare(x.edge, y.edge), cmp.Compare(x.epoch, y.epoch), cmp.Compare(x.last, y.last))
	})
	for _, x := range slices.Compact(changed) {
		list := tallies[x.markSet]
		i, _ := slices.BinarySearchFunc(list, x.last, func(t plant.Tally, last uint64) int { return cmp.Compare(t.Last, last) })
		b = appendTally(b, x.markSet, &list[i])
	}
	return b
}

func appendTally(b []byte, k markSet, t *plant.Tally) []byte {
	if t.Last>>timeBits > 0 {
		return b // no plant makes so many records; what is not counted is not compared
	}
	b = appendTag(append(b, "tally"...), "point", k.point())
	b = fmt.Appendf(b, " v=\"%d %d", t.First, t.Records)
	for _, n := range t.Counts {
		b = append(b, ' ')
		b = strconv.AppendUint(b, n, 10)
	}
	return fmt.Appendf(b, "\" %d\n", t.Last)
}

// point is the name of an epoch's tallies: as a point, so that they can be deleted
// like a tag's values.
func (k markSet) point() string { return k.edge + " " + strconv.FormatUint(k.epoch, 10) }

// Tallies implements store.Store.
func (s *Store) Tallies(edge string, epoch uint64) (list []plant.Tally, of []sparkplug.Span, err error) {
	_, leave, err := s.enter(context.Background())
	if err != nil {
		return nil, nil, err
	}
	defer leave()
	s.mu.RLock()
	defer s.mu.RUnlock()
	k := markSet{edge, epoch}
	return slices.Clone(s.tallies[k]), slices.Clone(s.marks[k]), nil
}

// FoldTallies implements store.Store. The sum is written before what it stands for
// is deleted; where that fails, the next start passes over what lies inside it.
func (s *Store) FoldTallies(edge string, epoch, below uint64) error {
	ctx, leave, err := s.enter(context.Background())
	if err != nil {
		return err
	}
	defer leave()
	s.markMu.Lock()
	defer s.markMu.Unlock()
	k := markSet{edge, epoch}
	s.mu.RLock()
	list := slices.Clone(s.tallies[k])
	s.mu.RUnlock()
	if len(list) < foldLeast || list[foldLeast-1].Last >= below {
		return nil
	}
	rest, gone := plant.FoldTallies(list, below)
	if err := s.server.write(ctx, string(appendTally(nil, k, &rest[0]))); err != nil {
		return fmt.Errorf("influx: fold tallies: %w", err)
	}
	s.mu.Lock()
	s.tallies[k] = rest
	s.mu.Unlock()
	if err := s.server.delete(ctx, "tally", tagValue(k.point()), int64(gone[0].Last)*ms, int64(rest[0].Last)*ms); err != nil {
		return fmt.Errorf("influx: fold tallies: %w", err)
	}
	return nil
}

// loadTallies reads all tallies.
func (s *Store) loadTallies(ctx context.Context) error {
	err := s.server.rows(ctx, &selection{measurement: "tally", from: 0, to: latest}, func(t *table) error {
		at, err := t.time()
		if err != nil {
			return err
		}
		edge, number, _ := cutLast(tagText(string(t.cell("point"))))
		epoch, err := strconv.ParseUint(number, 10, 64)
		if err != nil {
			return fmt.Errorf("%w: tally of %q", errDamaged, t.cell("point"))
		}
		x, err := parseTally(string(t.cell("_value")), uint64(at/ms))
		if err != nil {
			return err
		}
		k := markSet{edge, epoch}
		s.tallies[k] = append(s.tallies[k], x)
		return nil
	})
	if err != nil {
		return err
	}
	for k, list := range s.tallies {
		slices.SortFunc(list, func(a, b plant.Tally) int { return cmp.Compare(a.Last, b.Last) })
		kept := list[:0]
		for _, t := range list {
			for len(kept) > 0 && kept[len(kept)-1].Last >= t.First {
				kept = kept[:len(kept)-1] // inside a sum
			}
			kept = append(kept, t)
		}
		s.tallies[k] = kept
	}
	return nil
}

func cutLast(s string) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, ' ')
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

func parseTally(text string, last uint64) (t plant.Tally, err error) {
	fields := strings.Fields(text)
	if len(fields) != 2+plant.CountClasses {
		return t, fmt.Errorf("%w: tally %q", errDamaged, text)
	}
	var n [2 + plant.CountClasses]uint64
	for i, f := range fields {
		if n[i], err = strconv.ParseUint(f, 10, 64); err != nil {
			return t, fmt.Errorf("%w: tally %q", errDamaged, text)
		}
	}
	if n[0] > last {
		return t, fmt.Errorf("%w: tally %q of block %d", errDamaged, text, last)
	}
	return plant.Tally{First: n[0], Last: last, Records: n[1], Counts: plant.Counts(n[2:])}, nil
}
