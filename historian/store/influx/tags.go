package influx

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"millwright/plant"
)

// metaTimeout is short: who describes tags and assets is also who shows values.
const metaTimeout = 5 * time.Second

// tagTable is what is known of tags. The entries never move once they are in, so
// that a copy of the slice may be read without the lock.
type tagTable struct {
	byID    []*entry // index is the ID; nil where a number was not taken
	byPath  map[string]plant.TagID
	byPoint map[string]plant.TagID
	sorted  []plant.Tag // by path; nil: to be made
}

// entry is a tag and its series, which stays what it was first.
type entry struct {
	tag    plant.Tag
	point  string // value of the tag "point"
	series string // ",area=…,asset=…,point=…,unit=…" of line protocol
}

// newEntry decides the series of a tag.
func newEntry(tag plant.Tag) *entry {
	steps := strings.Split(tag.Asset, "/")
	if tag.Asset == "" {
		steps = strings.Split(tag.Path, "/")
		steps = steps[:len(steps)-1]
	}
	var area, line string
	if len(steps) > 0 {
		area = steps[0]
	}
	if len(steps) > 2 {
		line = steps[1]
	}
	b := appendTag(nil, "area", area)
	b = appendTag(b, "asset", tag.Asset)
	b = appendTag(b, "line", line)
	b = appendTag(b, "point", tag.Path)
	b = appendTag(b, "unit", tag.Unit)
	return &entry{tag: tag, point: tagValue(tag.Path), series: string(b)}
}

func (t *tagTable) put(entries ...*entry) {
	if t.byPath == nil {
		t.byPath, t.byPoint = map[string]plant.TagID{}, map[string]plant.TagID{}
	}
	t.byID = slices.Clone(t.byID) // others may read the old one
	for _, e := range entries {
		for int(e.tag.ID) >= len(t.byID) {
			t.byID = append(t.byID, nil)
		}
		t.byID[e.tag.ID] = e
		t.byPath[e.tag.Path] = e.tag.ID
		t.byPoint[e.point] = e.tag.ID
	}
	t.sorted = nil
}

func (t *tagTable) get(id plant.TagID) *entry {
	if int(id) < len(t.byID) {
		return t.byID[id]
	}
	return nil
}

// Intern implements store.Store. A path is never empty; nothing is interned
// where one of them is.
func (s *Store) Intern(tags []plant.Tag) error {
	ctx, leave, err := s.enter(context.Background())
	if err != nil {
		return err
	}
	defer leave()
	ctx, cancel := context.WithTimeoutCause(ctx, metaTimeout, fmt.Errorf("no answer within %v", metaTimeout))
	defer cancel()
	for i := range tags {
		if tags[i].Path == "" {
			return fmt.Errorf("influx: tag %d of %d has no path", i+1, len(tags))
		}
	}
	s.metaMu.Lock()
	defer s.metaMu.Unlock()
	ids := make(map[string]plant.TagID)
	changed := map[plant.TagID]*entry{}
	for _, tag := range tags {
		if err := s.intern(tag, ids, changed); err != nil {
			return fmt.Errorf("influx: %w", err)
		}
	}
	entries := make([]*entry, 0, len(changed))
	for _, e := range changed {
		entries = append(entries, e)
	}
	if err := s.writeTags(ctx, entries); err != nil {
		return fmt.Errorf("influx: tags: %w", err)
	}
	if len(entries) > 0 {
		s.mu.Lock()
		s.tags.put(entries...)
		s.mu.Unlock()
	}
	for i := range tags {
		tags[i].ID = ids[tags[i].Path]
	}
	return nil
}

// intern finds the number of a tag, and notes it among the changed ones if its
// description is new.
func (s *Store) intern(tag plant.Tag, ids map[string]plant.TagID, changed map[plant.TagID]*entry) error {
	s.mu.RLock()
	id, known := s.tags.byPath[tag.Path]
	e := s.tags.get(id)
	s.mu.RUnlock()
	if !known {
		id, known = ids[tag.Path]
	}
	if !known {
		if s.given == math.MaxUint32-1 {
			return fmt.Errorf("no more than %d tags", uint32(math.MaxUint32-1))
		}
		s.given++ // for good, even if the write fails: it may have arrived
		id = s.given
	}
	tag.ID = id
	ids[tag.Path] = id
	if c := changed[id]; c != nil {
		e = c
	}
	switch {
	case e == nil:
		changed[id] = newEntry(tag)
	case e.tag != tag:
		changed[id] = &entry{tag: tag, point: e.point, series: e.series}
	}
	return nil
}

// writeTags stores descriptions, each at the time that its number is in ms.
func (s *Store) writeTags(ctx context.Context, entries []*entry) error {
	var b []byte
	for i, e := range entries {
		v, err := json.Marshal(e.tag)
		if err != nil {
			return fmt.Errorf("%s: %w", e.tag.Path, err)
		}
		b = append(b, "meta,kind=tag json="...)
		b = appendString(b, string(v))
		b = append(b, ",series="...)
		b = appendString(b, e.series)
		b = append(b, ' ')
		b = strconv.AppendUint(b, uint64(e.tag.ID), 10)
		b = append(b, '\n')
		if len(b) < requestBytes && i < len(entries)-1 {
			continue
		}
		if err := s.server.write(ctx, string(b)); err != nil {
			return err
		}
		b = b[:0]
	}
	return nil
}

func (s *Store) loadTags(ctx context.Context) error {
	found := map[int64]*entry{}
	err := s.server.rows(ctx, &selection{
		measurement: "meta", tags: [][2]string{{"kind", "tag"}}, from: 0, to: latest,
	}, func(t *table) error {
		at, err := t.time()
		if err != nil {
			return err
		}
		e := found[at]
		if e == nil {
			e = &entry{}
			found[at] = e
		}
		switch string(t.cell("_field")) {
		case "series":
			e.series = string(t.cell("_value"))
		case "json":
			err = json.Unmarshal(t.cell("_value"), &e.tag)
		}
		return err
	})
	if err != nil {
		return err
	}
	entries := make([]*entry, 0, len(found))
	for at, e := range found {
		if id := at / ms; e.tag.Path == "" || int64(e.tag.ID) != id {
			return fmt.Errorf("%w: the description of number %d is of number %d, path %q", errDamaged, id, e.tag.ID, e.tag.Path)
		}
		e.point = tagValue(e.tag.Path)
		entries = append(entries, e)
		s.given = max(s.given, e.tag.ID)
	}
	s.tags.put(entries...)
	return nil
}

// Tags implements store.Store.
func (s *Store) Tags() []plant.Tag {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tags.sorted == nil {
		for _, e := range s.tags.byID {
			if e != nil {
				s.tags.sorted = append(s.tags.sorted, e.tag)
			}
		}
		slices.SortFunc(s.tags.sorted, func(a, b plant.Tag) int { return cmp.Compare(a.Path, b.Path) })
	}
	return slices.Clone(s.tags.sorted)
}
