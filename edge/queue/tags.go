package queue

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	"millwright/plant"
)

// tagTable maps paths to handles. Handles are durable and never reused: queued
// records name tags by them.
type tagTable struct {
	byPath  map[string]*tagEntry
	next    uint32
	derived []bool // by handle: a tag of the edge's own
}

// know notes what class a tag's values are counted in.
func (t *tagTable) know(tag *plant.Tag) {
	for len(t.derived) <= int(tag.ID) {
		t.derived = append(t.derived, false)
	}
	t.derived[tag.ID] = plant.IsDerived(tag.Path)
}

type tagEntry struct {
	Device string     `json:"device"`
	Tag    *plant.Tag `json:"tag"` // never changed, only replaced: others hold it too
	used   bool       // interned by this opening
}

func (q *Queue) loadTags() error {
	q.tags = tagTable{byPath: map[string]*tagEntry{}, next: 1}
	it, err := q.db.NewIter(&pebble.IterOptions{LowerBound: []byte{tagPrefix}, UpperBound: []byte{tagPrefix + 1}})
	if err != nil {
		return err
	}
	for it.First(); it.Valid(); it.Next() {
		e := &tagEntry{}
		if err := json.Unmarshal(it.Value(), e); err != nil || e.Tag == nil || len(it.Key()) != 5 {
			continue // a handle that cannot be read is given up, never reused
		}
		e.Tag.ID = plant.TagID(binary.BigEndian.Uint32(it.Key()[1:]))
		q.tags.byPath[e.Tag.Path] = e
		q.tags.know(e.Tag)
		q.tags.next = max(q.tags.next, uint32(e.Tag.ID)+1)
	}
	return it.Close()
}

// Intern gives each tag its durable handle (in ID) and remembers its metadata
// and the device that it is sent under. The queue keeps the tags, which must not
// change any more.
func (q *Queue) Intern(device string, tags []plant.Tag) error {
	changed, err := q.intern(device, tags)
	if err == nil && changed {
		q.copyTags()
	}
	return err
}

func (q *Queue) intern(device string, tags []plant.Tag) (changed bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	b := q.db.NewBatch()
	defer b.Close()
	for i := range tags {
		t := &tags[i]
		if t.Path == "" {
			return false, fmt.Errorf("intern: tag without a path")
		}
		e := q.tags.byPath[t.Path]
		known := e != nil
		if known {
			t.ID = e.Tag.ID
		} else {
			e = &tagEntry{}
			t.ID = plant.TagID(q.tags.next)
			q.tags.next++
			q.tags.byPath[t.Path] = e
		}
		q.tags.know(t)
		same := known && *e.Tag == *t && e.Device == device
		e.Tag, e.Device, e.used = t, device, true
		if same {
			continue
		}
		js, err := json.Marshal(e)
		if err != nil {
			return false, fmt.Errorf("intern %s: %w", t.Path, err)
		}
		_ = b.Set(tagKey(uint32(t.ID)), js, nil)
	}
	if b.Empty() {
		return false, nil
	}
	return true, b.Commit(pebble.Sync)
}

// Tags is every tag that may still be sent: those interned by this opening and,
// while records of earlier openings are queued, the ones that those knew.
func (q *Queue) Tags() []*plant.Tag {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := make([]*plant.Tag, 0, len(q.tags.byPath))
	for _, e := range q.sendable() {
		out = append(out, e.Tag)
	}
	return out
}

// Devices is Tags by device, each list ascending by path.
func (q *Queue) Devices() map[string][]plant.Tag {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := map[string][]plant.Tag{}
	for _, e := range q.sendable() {
		out[e.Device] = append(out[e.Device], *e.Tag)
	}
	return out
}

// Handles is Devices without what tags mean, which is most of it.
func (q *Queue) Handles() map[string][]plant.TagID {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := map[string][]plant.TagID{}
	for _, e := range q.sendable() {
		out[e.Device] = append(out[e.Device], e.Tag.ID)
	}
	return out
}

// sendable is the entries of Tags, ascending by path. The caller holds mu.
func (q *Queue) sendable() []*tagEntry {
	old := len(q.openings) > 1
	out := make([]*tagEntry, 0, len(q.tags.byPath))
	for _, e := range q.tags.byPath {
		if e.used || old {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b *tagEntry) int { return strings.Compare(a.Tag.Path, b.Tag.Path) })
	return out
}

// allTags is every tag that has a handle.
func (q *Queue) allTags() []*plant.Tag {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := make([]*plant.Tag, 0, len(q.tags.byPath))
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
			t := *from.Tag
			t.ID = plant.TagID(q.tags.next)
			e = &tagEntry{Device: from.Device, Tag: &t, used: true}
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

// tagsFile is a second copy of the tags: without their names the values of a damaged
// queue are worth nothing.
const tagsFile = "TAGS"

// copyTags writes the second copy: CRC32C, 4 bytes LE, of the JSON behind it.
func (q *Queue) copyTags() {
	q.mu.Lock()
	list := make(map[uint32]tagEntry, len(q.tags.byPath))
	for _, e := range q.tags.byPath {
		list[uint32(e.Tag.ID)] = *e
	}
	q.mu.Unlock()
	js, err := json.Marshal(list)
	if err == nil {
		b := binary.LittleEndian.AppendUint32(nil, crc32.Checksum(js, castagnoli))
		err = q.writeFile(q.cfg.Dir, tagsFile, append(b, js...))
	}
	if err != nil {
		q.cfg.Log.Warn("queue: the second copy of the tags is not written", "err", err)
	}
}

// copiedTags reads the second copy in a folder.
func (q *Queue) copiedTags(dir string) map[plant.TagID]tagEntry {
	out := map[plant.TagID]tagEntry{}
	f, err := q.fs.Open(q.fs.PathJoin(dir, tagsFile))
	if err != nil {
		return out
	}
	b, err := io.ReadAll(f)
	if err := errors.Join(err, f.Close()); err != nil || len(b) < 4 || crc32.Checksum(b[4:], castagnoli) != binary.LittleEndian.Uint32(b) {
		return out
	}
	var list map[uint32]tagEntry
	if json.Unmarshal(b[4:], &list) != nil {
		return out
	}
	for id, e := range list {
		if e.Tag == nil {
			continue
		}
		e.Tag.ID = plant.TagID(id)
		out[e.Tag.ID] = e
	}
	return out
}
