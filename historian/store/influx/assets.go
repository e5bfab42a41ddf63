package influx

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"unicode/utf8"

	"millwright/plant"
)

// An edge's assets are one JSON text, cut into pieces that any server takes as a
// field. Every change writes new pieces beside the old ones, and then the head
// that names them: a crash leaves the old assets or the new ones.

const (
	pieceBytes = 32 << 10
	maxPieces  = 1000
)

type assetList struct {
	text       []byte // JSON
	assets     []plant.Asset
	generation int64
}

// SetAssets implements store.Store.
func (s *Store) SetAssets(edge string, assets []plant.Asset) error {
	ctx, leave, err := s.enter(context.Background())
	if err != nil {
		return err
	}
	defer leave()
	ctx, cancel := context.WithTimeoutCause(ctx, metaTimeout, fmt.Errorf("no answer within %v", metaTimeout))
	defer cancel()
	next := assetList{}
	if next.text, err = json.Marshal(assets); err == nil {
		// A copy that shares nothing with the caller's.
		err = json.Unmarshal(next.text, &next.assets)
	}
	if err != nil {
		return fmt.Errorf("influx: assets of %s: %w", edge, err)
	}
	s.metaMu.Lock()
	defer s.metaMu.Unlock()
	s.mu.RLock()
	old, known := s.assets[edge]
	s.mu.RUnlock()
	if known && bytes.Equal(old.text, next.text) {
		return nil
	}
	next.generation = old.generation + 1
	if err := s.writeAssets(ctx, edge, &next); err != nil {
		return fmt.Errorf("influx: assets of %s: %w", edge, err)
	}
	s.mu.Lock()
	s.assets[edge] = next
	s.mu.Unlock()
	return nil
}

func (s *Store) writeAssets(ctx context.Context, edge string, l *assetList) error {
	rest, n := l.text, 0
	for ; len(rest) > 0; n++ {
		if n == maxPieces {
			return fmt.Errorf("more than %d bytes of description", maxPieces*pieceBytes)
		}
		cut := min(pieceBytes, len(rest))
		for cut < len(rest) && !utf8.RuneStart(rest[cut]) {
			cut--
		}
		b := appendTag([]byte("meta"), "edge", edge)
		b = append(b, ",kind=asset json="...)
		b = appendString(b, string(rest[:cut]))
		b = append(b, ' ')
		b = strconv.AppendInt(b, l.generation*maxPieces+int64(n), 10)
		if err := s.server.write(ctx, string(b)); err != nil {
			return err
		}
		rest = rest[cut:]
	}
	b := appendTag([]byte("meta"), "edge", edge)
	b = fmt.Appendf(b, ",kind=assets generation=%di,pieces=%di 0", l.generation, n)
	return s.server.write(ctx, string(b))
}

func (s *Store) loadAssets(ctx context.Context) error {
	type head struct{ generation, pieces int64 }
	heads := map[string]head{}
	err := s.server.rows(ctx, &selection{
		measurement: "meta", tags: [][2]string{{"kind", "assets"}}, from: 0, to: ms,
	}, func(t *table) error {
		edge := tagText(string(t.cell("edge")))
		n, err := strconv.ParseInt(string(t.cell("_value")), 10, 64)
		h := heads[edge]
		switch string(t.cell("_field")) {
		case "generation":
			h.generation = n
		case "pieces":
			h.pieces = n
		}
		heads[edge] = h
		return err
	})
	if err != nil {
		return err
	}
	for edge, h := range heads {
		l := assetList{generation: h.generation}
		first := h.generation * maxPieces * ms
		n := int64(0)
		err := s.server.rows(ctx, &selection{
			measurement: "meta", tags: [][2]string{{"kind", "asset"}, {"edge", tagValue(edge)}},
			from: first, to: first + h.pieces*ms,
		}, func(t *table) error {
			l.text = append(l.text, t.cell("_value")...)
			n++
			return nil
		})
		if err != nil {
			return err
		}
		if n != h.pieces {
			return fmt.Errorf("%w: %d pieces of the assets of %s, expected %d", errDamaged, n, edge, h.pieces)
		}
		if err := json.Unmarshal(l.text, &l.assets); err != nil {
			return fmt.Errorf("%w: the assets of %s: %w", errDamaged, edge, err)
		}
		s.assets[edge] = l
	}
	return nil
}

// Assets implements store.Store. Where two edges serve a path, the one whose
// name comes first has it.
func (s *Store) Assets() []plant.Asset {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []plant.Asset
	for _, edge := range slices.Sorted(maps.Keys(s.assets)) {
		out = append(out, s.assets[edge].assets...)
	}
	slices.SortStableFunc(out, func(a, b plant.Asset) int { return cmp.Compare(a.Path, b.Path) })
	return slices.CompactFunc(out, func(a, b plant.Asset) bool { return a.Path == b.Path })
}
