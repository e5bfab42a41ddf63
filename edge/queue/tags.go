package queue

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"millwright/plant"
)

// tagTable maps paths to handles. Handles are durable and never reused: queued
// records name tags by them.
type tagTable struct {
	byPath map[string]*tagEntry
	next   uint32
}

type tagEntry struct {
	Device string    `json:"device"`
	Tag    plant.Tag `json:"tag"`
	used   bool      // interned by this opening
}

func (q *Queue) loadTags() error {
	q.tags = tagTable{byPath: map[string]*tagEntry{}, next: 1}
	it, err := q.db.NewIter(&pebble.IterOptions{LowerBound: []byte{tagPrefix}, UpperBound: []byte{tagPrefix + 1}})
	if err != nil {
		return err
	}
	for it.First(); it.Valid(); it.Next() {
		e := &tagEntry{}
		if err := json.Unmarshal(it.Value(), e); err != nil || len(it.Key()) != 5 {
			continue // a handle that cannot be read is given up, never reused
		}
		e.Tag.ID = plant.TagID(binary.BigEndian.Uint32(it.Key()[1:]))
		q.tags.byPath[e.Tag.Path] = e
		q.tags.next = max(q.tags.next, uint32(e.Tag.ID)+1)
	}
	return it.Close()
}

// Intern gives each tag its durable handle (in ID) and remembers its metadata
// and the device that it is sent under.
func (q *Queue) Intern(device string, tags []plant.Tag) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	b := q.db.NewBatch()
	defer b.Close()
	for i := range tags {
		t := &tags[i]
		if t.Path == "" {
			return fmt.Errorf("intern: tag without a path")
		}
		e := q.tags.byPath[t.Path]
		if e == nil {
			e = &tagEntry{}
			e.Tag.ID = plant.TagID(q.tags.next)
			q.tags.next++
			q.tags.byPath[t.Path] = e
		}
		t.ID = e.Tag.ID
		e.used = true
		if e.Tag == *t && e.Device == device {
			continue
		}
		e.Tag, e.Device = *t, device
		js, err := json.Marshal(e)
		if err != nil {
			return fmt.Errorf("intern %s: %w", t.Path, err)
		}
		_ = b.Set(tagKey(uint32(t.ID)), js, nil)
	}
	if b.Empty() {
		return nil
	}
	return b.Commit(pebble.Sync)
}

// Tags is every tag that may still be sent: those interned by this opening and,
// while records of earlier openings are queued, the ones that those knew.
func (q *Queue) Tags() []plant.Tag {
	var out []plant.Tag
	for _, tags := range q.Devices() {
		out = append(out, tags...)
	}
	return out
}

// Devices is Tags by device, each list ascending by path.
func (q *Queue) Devices() map[string][]plant.Tag {
	q.mu.Lock()
	defer q.mu.Unlock()
	old := len(q.openings) > 1
	out := map[string][]plant.Tag{}
	for _, path := range slices.Sorted(maps.Keys(q.tags.byPath)) {
		if e := q.tags.byPath[path]; e.used || old {
			out[e.Device] = append(out[e.Device], e.Tag)
		}
	}
	return out
}

// allTags is every tag that has a handle.
func (q *Queue) allTags() []plant.Tag {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := make([]plant.Tag, 0, len(q.tags.byPath))
	for _, e := range q.tags.byPath {
		out = append(out, e.Tag)
	}
	return out
}

// keepNames has the births go on naming the tags of gaps, whatever becomes of the
// records that held them.
func (q *Queue) keepNames(gaps []plant.Gap) {
	ids := make(map[plant.TagID]bool, len(gaps))
	for i := range gaps {
		ids[gaps[i].Tag] = true
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, e := range q.tags.byPath {
		if ids[e.Tag.ID] {
			e.used = true
		}
	}
}

// adopt gives tags of another queue handles here and returns them by those that
// they had there. A tag that is known keeps what is known of it.
func (q *Queue) adopt(tags map[plant.TagID]tagEntry) (map[plant.TagID]plant.TagID, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := make(map[plant.TagID]plant.TagID, len(tags))
	b := q.db.NewBatch()
	defer b.Close()
	for _, old := range slices.Sorted(maps.Keys(tags)) {
		from := tags[old]
		e := q.tags.byPath[from.Tag.Path]
		if e == nil {
			e = &tagEntry{Device: from.Device, Tag: from.Tag, used: true}
			e.Tag.ID = plant.TagID(q.tags.next)
			q.tags.next++
			q.tags.byPath[e.Tag.Path] = e
			js, err := json.Marshal(e)
			if err != nil {
				return nil, err
			}
			_ = b.Set(tagKey(uint32(e.Tag.ID)), js, nil)
		}
		out[old] = e.Tag.ID
	}
	if b.Empty() {
		return out, nil
	}
	return out, b.Commit(pebble.Sync)
}
