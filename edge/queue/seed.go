package queue

import (
	"encoding/binary"
	"encoding/json"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"millwright/plant"
)

// Seed gives tags the handles that they had in the queue of another box, whose
// place this one takes: what the other box kept names tags by them. A handle or a
// path that is taken already by another is an error, and nothing is changed.
func (q *Queue) Seed(device string, tags []plant.Tag) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	taken := make(map[plant.TagID]string, len(q.tags.byPath))
	for path, e := range q.tags.byPath {
		taken[e.Tag.ID] = path
	}
	b := q.db.NewBatch()
	defer b.Close()
	// What the disk of the other box still holds comes later, under openings below.
	_ = b.Set(metaOpening, binary.BigEndian.AppendUint32(nil, max(q.opening, firstAfterDamage)), nil)
	fresh := map[string]*tagEntry{}
	for _, t := range tags {
		have := q.tags.byPath[t.Path]
		if path, ok := taken[t.ID]; t.ID == 0 || t.Path == "" || have != nil && have.Tag.ID != t.ID || ok && path != t.Path {
			return fmt.Errorf("seed: the tag %q cannot have the handle %d", t.Path, t.ID)
		}
		taken[t.ID] = t.Path
		e := &tagEntry{Device: device, Tag: &t}
		js, err := json.Marshal(e)
		if err != nil {
			return fmt.Errorf("seed %s: %w", t.Path, err)
		}
		_ = b.Set(tagKey(uint32(t.ID)), js, nil)
		fresh[t.Path] = e
	}
	if err := b.Commit(pebble.Sync); err != nil {
		return err
	}
	for path, e := range fresh {
		q.tags.byPath[path] = e
		q.tags.next = max(q.tags.next, uint32(e.Tag.ID)+1)
	}
	return nil
}

// Salvage takes in what can be read of folders that were put beside the queue since
// it was opened (NAME.damaged-UNIX), in the background, as Open does. It reports
// whether there is anything to be done.
func (q *Queue) Salvage() bool {
	q.mu.Lock()
	busy := q.salvage.running || q.closed
	q.mu.Unlock()
	if busy || len(q.aside()) == 0 {
		return busy
	}
	q.salvageAll()
	return true
}
