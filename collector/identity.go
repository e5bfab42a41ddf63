package collector

import (
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"os"
	"slices"
	"sync"

	"millwright/plant"
	"millwright/plant/disk"
)

// self is what is kept of a tag: what its node is, and where.
type self struct {
	hash uint64             // of node and browse path as the tag list has them: others, another self
	path []plant.BrowseName // from the tag list, or found; nil: not known
	node string             // where the path leads to, when that is not the node of the tag list
	is   imprint
	void plant.Release // released so, and no value has come since
	shut *shut         // in quarantine; nil: it is not

	description string
}

// shut is why a tag is in quarantine.
type shut struct {
	since int64 // ns UTC
	is    imprint
	path  []plant.BrowseName // where the node is now; nil: unknown, or where it was
	what  []string
}

func (s *self) known() bool { return s.is.known() || len(s.path) > 0 }

// hashOf is of what the tag list says about the place of a tag.
func hashOf(t *plant.Tag) uint64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%q %q", t.Node, t.Browse)
	return h.Sum64()
}

// identities are who the tags of a source are. Methods are safe for any goroutine.
type identities struct {
	file  string // empty: nothing is kept
	log   *slog.Logger
	tags  []plant.Tag
	index map[string]int
	show  func() // the list of tags in quarantine has changed; nil: nobody shows it

	mu       sync.Mutex
	list     []self    // guarded by mu; by position of the tag
	dirty    bool      // guarded by mu; list is not in the file
	released []release // guarded by mu; for the goroutine of Run
	told     uint64    // guarded by mu; counts changes of metadata

	writing sync.Mutex // held while the file is written
	failing bool       // guarded by writing
}

// release is what an engineer has said of a tag.
type release struct {
	tag int
	as  plant.Release
}

const identitySuffix = ".identity"

// openIdentity reads what was kept beside the state file. A file that cannot be
// read is set aside, and the tags are taken as they are now: the error says so.
func openIdentity(stateFile string, tags []plant.Tag, log *slog.Logger) (*identities, error) {
	d := &identities{log: log, tags: tags, index: make(map[string]int, len(tags)), list: make([]self, len(tags))}
	byID := make(map[plant.TagID]int, len(tags))
	for i := range tags {
		t := &tags[i]
		d.index[t.Path], byID[t.ID] = i, i
		d.list[i].hash = hashOf(t)
		d.list[i].path, _ = plant.ParseBrowse(t.Browse)
	}
	if stateFile == "" {
		return d, nil
	}
	d.file = stateFile + identitySuffix
	kept, err := readIdentity(d.file)
	if err != nil {
		aside := d.file + ".refused"
		return d, errors.Join(fmt.Errorf("what the tags were is not known any more, the file is kept as %s: %w", aside, err), os.Rename(d.file, aside))
	}
	for _, k := range kept {
		i, ok := byID[k.id]
		if !ok || k.hash != d.list[i].hash {
			continue
		}
		d.list[i] = k.self
		d.told = 1
	}
	return d, nil
}

// write brings the file up to date.
func (d *identities) write() error {
	if d.file == "" {
		return nil
	}
	d.writing.Lock()
	defer d.writing.Unlock()
	d.mu.Lock()
	kept := make([]keptSelf, 0, len(d.list))
	for i := range d.list {
		if s := &d.list[i]; s.known() || s.shut != nil {
			kept = append(kept, keptSelf{id: d.tags[i].ID, tag: d.tags[i].Path, self: *s})
		}
	}
	b := appendIdentity(nil, kept)
	d.dirty = false
	d.mu.Unlock()
	err := disk.Replace(d.file, b, secretMode)
	if err != nil {
		d.mu.Lock()
		d.dirty = true
		d.mu.Unlock()
		if !d.failing {
			d.log.Error("what the tags are could not be written; it is tried again", "file", d.file, "err", err)
		}
	}
	d.failing = err != nil
	return err
}

// quarantined lists the tags in quarantine, at most `most` of them, and counts
// the others.
func (d *identities) quarantined(most int) (list []plant.QuarantinedTag, more int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range d.list {
		s := &d.list[i]
		if s.shut == nil {
			continue
		}
		if len(list) == most {
			more++
			continue
		}
		list = append(list, s.tell(d.tags[i].Path))
	}
	return list, more
}

// tell is the quarantine of a tag for people.
func (s *self) tell(tag string) plant.QuarantinedTag {
	q := plant.QuarantinedTag{Tag: tag, Since: s.shut.since, Was: s.is.String(), Is: s.shut.is.String(), What: slices.Clone(s.shut.what)}
	if slices.Contains(q.What, changedPath) {
		q.Was += " at " + plant.FormatBrowse(s.path)
		if len(s.shut.path) > 0 {
			q.Is += " at " + plant.FormatBrowse(s.shut.path)
		} else {
			q.Is += " at no place below the Objects folder"
		}
	}
	return q
}

// release takes a tag out of quarantine and makes that durable.
func (d *identities) release(tag string, as plant.Release, by string) error {
	if err := as.Check(); err != nil {
		return fmt.Errorf("release %w", err)
	}
	if by == "" {
		return errors.New("release: nobody is named who says so")
	}
	i, ok := d.index[tag]
	if !ok {
		return fmt.Errorf("release: there is no tag %q on this PLC", tag)
	}
	d.mu.Lock()
	before := d.list[i]
	if before.shut == nil {
		d.mu.Unlock()
		return fmt.Errorf("release: tag %s is not in quarantine", tag)
	}
	q := before.tell(tag)
	s := &d.list[i]
	s.is.adopt(&s.shut.is)
	if slices.Contains(s.shut.what, changedPath) {
		s.path = s.shut.path
	}
	s.shut = nil
	if as != plant.ReleaseSame {
		s.void = as
	}
	d.mu.Unlock()
	if err := d.write(); err != nil {
		d.mu.Lock()
		d.list[i] = before
		d.mu.Unlock()
		return fmt.Errorf("release of %s is not kept, the tag stays in quarantine: %w", tag, err)
	}
	d.mu.Lock()
	d.released = append(d.released, release{i, as})
	d.mu.Unlock()
	if d.show != nil {
		d.show()
	}
	d.log.Info("tag released from quarantine", "tag", tag, "as", string(as), "by", by, "what", q.What, "was", q.Was, "is", q.Is)
	return nil
}

// Release says what a tag in quarantine is, after which it is read again: the same
// as before, the same quantity in another unit or range, or another quantity. Of
// the latter two the gap says so (plant.GapRescaled, plant.GapReplaced), by which
// models learn the asset afresh. It is durable when Release returns, and in the
// log with who has said so. Any goroutine may call it while Run runs.
func (s *Source) Release(tag string, as plant.Release, by string) error {
	d := s.identity.Load()
	if d == nil {
		return errors.New("release: this PLC is not being read")
	}
	return d.release(tag, as, by)
}

// Described gives the tags with what the server says of them where the tag list
// says nothing: unit, range and description. With version, which is 0 at first,
// it gives nil while nothing is new. Any goroutine may call it.
func (s *Source) Described(version uint64) ([]plant.Tag, uint64) {
	d := s.identity.Load()
	if d == nil {
		return nil, version
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.told == version {
		return nil, version
	}
	tags := slices.Clone(d.tags)
	for i := range tags {
		t, s := &tags[i], &d.list[i]
		if t.Unit == "" && s.is.hasUnit && t.Scale == 0 {
			t.Unit = s.is.unit.name
		}
		if t.Low == t.High && s.is.hasRange && t.Scale == 0 {
			t.Low, t.High = s.is.low, s.is.high
		}
		if t.Description == "" {
			t.Description = s.description
		}
	}
	return tags, d.told
}
