package store

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"millwright/plant"

	"github.com/cockroachdb/pebble/v2"
)

// tagTable is what is known of tags. IDs count from 1.
type tagTable struct {
	byID   []plant.Tag // byID[i] has the ID i+1
	byPath map[string]plant.TagID
	sorted []plant.Tag // by path; nil: to be made
}

func (t *tagTable) put(tag plant.Tag) {
	if t.byPath == nil {
		t.byPath = map[string]plant.TagID{}
	}
	if int(tag.ID) <= len(t.byID) {
		t.byID[tag.ID-1] = tag
	} else {
		t.byID = append(t.byID, tag)
	}
	t.byPath[tag.Path] = tag.ID
	t.sorted = nil
}

// Intern implements Store. A path is never empty; nothing is interned where one
// of them is.
func (s *Pebble) Intern(tags []plant.Tag) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed != nil {
		return s.failed
	}
	for i := range tags {
		if tags[i].Path == "" {
			return fmt.Errorf("store: tag %d of %d has no path", i+1, len(tags))
		}
	}
	commit := s.db.NewBatch()
	defer commit.Close()
	ids := make(map[string]plant.TagID)
	next := plant.TagID(len(s.tags.byID) + 1)
	var changed []plant.Tag
	for _, tag := range tags {
		id, ok := s.tags.byPath[tag.Path]
		if !ok {
			id, ok = ids[tag.Path]
		}
		if !ok {
			if next == math.MaxUint32 {
				return fmt.Errorf("store: no more than %d tags", uint32(math.MaxUint32-1))
			}
			id, next = next, next+1
		}
		tag.ID = id
		ids[tag.Path] = id
		if int(id) <= len(s.tags.byID) && s.tags.byID[id-1] == tag {
			continue
		}
		v, err := json.Marshal(tag)
		if err != nil {
			return fmt.Errorf("store: tag %s: %w", tag.Path, err)
		}
		s.key = tagKey(s.key, prefixTag, id)
		if err := commit.Set(s.key, v, nil); err != nil {
			return fmt.Errorf("store: %w", err)
		}
		changed = append(changed, tag)
	}
	if len(changed) > 0 {
		if err := s.db.Apply(commit, pebble.Sync); err != nil {
			s.failed = fmt.Errorf("store: commit: %w", err)
			return s.failed
		}
	}
	for _, tag := range changed {
		s.tags.put(tag)
	}
	s.grow()
	for i := range tags {
		tags[i].ID = ids[tags[i].Path]
	}
	return nil
}

// grow makes room for every interned tag.
func (s *Pebble) grow() {
	n := len(s.tags.byID) + 1
	for id := len(s.heads); id < n; id++ {
		// Fibonacci hashing spreads the first cuts over half a head.
		early := int(uint32(id)*2654435769>>16) % (headLen / 2)
		s.heads = append(s.heads, head{limit: headLen - early})
		s.last = append(s.last, plant.Sample{})
	}
}

// Tags implements Store.
func (s *Pebble) Tags() []plant.Tag {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tags.sorted == nil {
		s.tags.sorted = slices.Clone(s.tags.byID)
		slices.SortFunc(s.tags.sorted, func(a, b plant.Tag) int { return cmp.Compare(a.Path, b.Path) })
	}
	return slices.Clone(s.tags.sorted)
}

// SetAssets implements Store.
func (s *Pebble) SetAssets(edge string, assets []plant.Asset) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	v, err := json.Marshal(assets)
	if err != nil {
		return fmt.Errorf("store: assets of %s: %w", edge, err)
	}
	// A copy that shares nothing with the caller's.
	var own []plant.Asset
	if err := json.Unmarshal(v, &own); err != nil {
		return fmt.Errorf("store: assets of %s: %w", edge, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed != nil {
		return s.failed
	}
	if err := s.db.Set(append([]byte{prefixAssets}, edge...), v, pebble.Sync); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	s.assets[edge] = own
	return nil
}

// Assets implements Store. Where two edges serve a path, the one whose name
// comes first has it.
func (s *Pebble) Assets() []plant.Asset {
	s.mu.RLock()
	defer s.mu.RUnlock()
	edges := make([]string, 0, len(s.assets))
	for e := range s.assets {
		edges = append(edges, e)
	}
	slices.Sort(edges)
	var out []plant.Asset
	for _, e := range edges {
		out = append(out, s.assets[e]...)
	}
	slices.SortStableFunc(out, func(a, b plant.Asset) int { return cmp.Compare(a.Path, b.Path) })
	return slices.CompactFunc(out, func(a, b plant.Asset) bool { return a.Path == b.Path })
}
