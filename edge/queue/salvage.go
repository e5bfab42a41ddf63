package queue

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/batchrepr"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/wal"

	"millwright/plant"
)

// A folder that was set aside is read file by file, without Pebble's book of which
// file counts: what is readable in tables and logs comes back under the epochs and
// numbers it had. What was deleted and cannot be seen to be is sent again, which
// the historian recognises.

// salvageState is how that goes.
type salvageState struct {
	running bool
	folders []string
}

// aside lists the folders set aside whose rest has not been read.
func (q *Queue) aside() []string {
	parent, base := q.fs.PathDir(q.cfg.Dir), q.fs.PathBase(q.cfg.Dir)
	names, err := q.fs.List(parent)
	if err != nil {
		return nil
	}
	var out []string
	for _, name := range names {
		if !strings.HasPrefix(name, base+".damaged-") {
			continue
		}
		dir := q.fs.PathJoin(parent, name)
		if _, err := q.fs.Stat(q.fs.PathJoin(dir, salvagedFile)); err != nil {
			out = append(out, dir)
		}
	}
	slices.Sort(out)
	return out
}

// salvageAll reads the folders set aside, in the background.
func (q *Queue) salvageAll() {
	folders := q.aside()
	if len(folders) == 0 {
		return
	}
	q.mu.Lock()
	q.salvage = salvageState{running: true, folders: folders}
	q.mu.Unlock()
	q.kept.Add(1)
	go func() {
		defer q.kept.Done()
		defer func() {
			q.mu.Lock()
			q.salvage.running = false
			for _, o := range slices.Clone(q.openings) { // those of which all was settled meanwhile
				q.forget(o)
			}
			q.mu.Unlock()
		}()
		for _, dir := range folders {
			s := &salvager{q: q, dir: dir, points: map[string]point{}, epochs: map[uint32]uint64{}, tags: map[plant.TagID]tagEntry{}, unnamed: map[plant.TagID]uint64{}}
			if err := s.run(); err != nil {
				if q.closing.Err() == nil {
					q.cfg.Log.Error("queue: salvage stops, the next start goes on", "folder", dir, "err", err)
				}
				return
			}
		}
	}()
}

// salvager reads one folder.
type salvager struct {
	q      *Queue
	dir    string
	points map[string]point // newest of every key, but for packs
	ranges []deleted
	epochs map[uint32]uint64
	tags   map[plant.TagID]tagEntry
	remap  map[plant.TagID]plant.TagID // handles there to handles here
	faults []string                    // what could not be read and may have held anything

	found   uint64 // records
	values  uint64
	lost    Losses                 // of packs whose index was found
	unnamed map[plant.TagID]uint64 // values of tags that have no name
}

// point is the newest that was seen of a key.
type point struct {
	seq   uint64
	live  bool
	value []byte // small ones only: not of packs
}

// deleted is a range of keys that was deleted.
type deleted struct {
	from, to string
	seq      uint64
}

func (s *salvager) fault(format string, args ...any) {
	s.faults = append(s.faults, fmt.Sprintf(format, args...))
	s.q.cfg.Log.Warn("queue: damage in the folder set aside", "what", fmt.Sprintf(format, args...))
}

func (s *salvager) run() error {
	q := s.q
	done := make(chan error, 1)
	if err := q.Flushed(func(err error) { done <- err }); err != nil {
		return err
	}
	if err := <-done; err != nil { // now no delete of an opening is under way
		return err
	}
	names, err := q.fs.List(s.dir)
	if err != nil {
		return err
	}
	slices.Sort(names)
	var tables []string
	for _, name := range names {
		if strings.HasSuffix(name, ".sst") {
			tables = append(tables, name)
		}
	}
	packs := map[string][]byte{} // parts of packs in the logs: at most what a few memtables hold
	for _, name := range tables {
		s.table(name, s.heads)
	}
	s.logs(packs)
	s.bury()
	if err := s.meta(); err != nil {
		return err
	}
	indexes := s.indexes()
	if err := s.packs(tables, packs, indexes); err != nil {
		return err
	}
	if err := s.records(); err != nil {
		return err
	}
	for _, x := range indexes {
		s.lost.index(x)
	}
	return s.finish(len(indexes))
}

// table opens a table and has it read.
func (s *salvager) table(name string, read func(string, *sstable.Reader)) {
	if r := s.open(name); r != nil {
		read(name, r)
		_ = r.Close()
	}
}

// open opens a table, nil if it cannot be read.
func (s *salvager) open(name string) *sstable.Reader {
	f, err := s.q.fs.Open(s.q.fs.PathJoin(s.dir, name))
	if err != nil {
		s.fault("%s: %v", name, err)
		return nil
	}
	readable, err := sstable.NewSimpleReadable(f)
	if err != nil {
		s.fault("%s: %v", name, errors.Join(err, f.Close()))
		return nil
	}
	r, err := sstable.NewReader(context.Background(), readable, sstable.ReaderOptions{Comparer: pebble.DefaultComparer})
	if err != nil {
		s.fault("%s: %v", name, err)
		return nil
	}
	return r
}

// heads reads all of a table but its packs.
func (s *salvager) heads(name string, r *sstable.Reader) {
	for _, from := range []byte{epochPrefix, recordPrefix, tagPrefix, indexPrefix} {
		s.scan(name, r, from)
	}
	if err := s.rangeDeletes(r); err != nil {
		s.fault("%s: range deletes: %v", name, err)
	}
}

func (s *salvager) rangeDeletes(r *sstable.Reader) error {
	it, err := r.NewRawRangeDelIter(context.Background(), sstable.FragmentIterTransforms{}, sstable.NoReadEnv)
	if err != nil || it == nil {
		return err
	}
	defer it.Close()
	span, err := it.First()
	for ; span != nil && err == nil; span, err = it.Next() {
		for i := range span.Keys {
			s.ranges = append(s.ranges, deleted{string(span.Start), string(span.End), uint64(span.Keys[i].SeqNum())})
		}
	}
	return err
}

// mostProbes bounds how often reading goes on behind damage in a table.
const mostProbes = 64

// scan reads the keys of a table that begin with a byte. Behind a block that
// cannot be read it goes on.
func (s *salvager) scan(name string, r *sstable.Reader, first byte) {
	from, to := []byte{first}, []byte{first + 1}
	step := uint64(1)
	for probe := 0; probe < mostProbes; probe++ {
		it, err := r.NewIter(sstable.NoTransforms, from, to, sstable.AssertNoBlobHandles)
		if err != nil {
			s.fault("%s: %v", name, err)
			return
		}
		last := slices.Clone(from)
		read := 0
		for kv := it.SeekGE(from, 0); kv != nil; kv = it.Next() {
			v, _, verr := kv.Value(nil)
			if verr != nil {
				err = verr
				break
			}
			live := kv.K.Kind() == pebble.InternalKeyKindSet || kv.K.Kind() == pebble.InternalKeyKindSetWithDelete
			s.note(kv.K.UserKey, uint64(kv.K.SeqNum()), live, v)
			last = append(last[:0], kv.K.UserKey...)
			read++
		}
		if err = errors.Join(err, it.Error()); err == nil {
			_ = it.Close()
			return
		}
		_ = it.Close()
		if probe == 0 {
			s.fault("%s: keys of %q: %v", name, first, err)
		}
		if read > 0 {
			step = 1
		}
		if from = stepped(last, step); from == nil {
			return
		}
		step *= 2
	}
}

// stepped is a key so many numbers behind another one, nil where there is none.
func stepped(key []byte, step uint64) []byte {
	k := make([]byte, 0, 14)
	k = append(k, key...)
	size := 14
	if len(key) > 0 && (key[0] == epochPrefix || key[0] == tagPrefix) {
		size = 5
	}
	for len(k) < size {
		k = append(k, 0)
	}
	k = k[:size]
	for i := len(k) - 1; i > 0 && step > 0; i-- { // add, with carry
		step += uint64(k[i])
		k[i] = byte(step)
		step >>= 8
	}
	if step > 0 {
		return nil
	}
	return k
}

// note keeps the newest of a key.
func (s *salvager) note(key []byte, seq uint64, live bool, value []byte) {
	have, ok := s.points[string(key)]
	if ok && have.seq > seq {
		return
	}
	s.points[string(key)] = point{seq: seq, live: live, value: slices.Clone(value)}
}

// logs reads what was written last. Packs are few there: they are kept.
func (s *salvager) logs(packs map[string][]byte) {
	list, err := wal.Scan(wal.Dir{FS: s.q.fs, Dirname: s.dir})
	if err != nil {
		s.fault("logs: %v", err)
		return
	}
	for i, l := range list {
		r := l.OpenForRead()
		err := s.log(r, packs)
		_ = r.Close()
		// An unclean end of the newest log is that of a power cut: what was called
		// durable lies before it.
		if err != nil && (i < len(list)-1 || !errors.Is(err, io.ErrUnexpectedEOF)) {
			s.fault("log %v: %v", l.Num, err)
		}
	}
}

func (s *salvager) log(r wal.Reader, packs map[string][]byte) error {
	for {
		rec, _, err := r.NextRecord()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		b, err := io.ReadAll(rec)
		if err != nil {
			return err
		}
		if len(b) < batchrepr.HeaderLen {
			return fmt.Errorf("%w: batch", ErrDamaged)
		}
		seq := uint64(batchrepr.ReadSeqNum(b))
		for br := batchrepr.Read(b); len(br) > 0; seq++ {
			kind, key, value, ok, err := br.Next()
			if err != nil {
				return err
			}
			if !ok {
				break
			}
			switch {
			case kind == pebble.InternalKeyKindRangeDelete:
				s.ranges = append(s.ranges, deleted{string(key), string(value), seq})
			case kind == pebble.InternalKeyKindLogData:
				seq--
			case len(key) > 0 && key[0] == packPrefix:
				if kind == pebble.InternalKeyKindSet {
					packs[string(key)] = slices.Clone(value)
				}
			default:
				s.note(key, seq, kind == pebble.InternalKeyKindSet, value)
			}
		}
	}
}

// bury forgets what was deleted.
func (s *salvager) bury() {
	slices.SortFunc(s.ranges, func(a, b deleted) int { return strings.Compare(a.from, b.from) })
	keys := slices.Sorted(maps.Keys(s.points))
	at := 0
	var over []deleted
	for _, key := range keys {
		for at < len(s.ranges) && s.ranges[at].from <= key {
			over = append(over, s.ranges[at])
			at++
		}
		over = slices.DeleteFunc(over, func(d deleted) bool { return d.to <= key })
		p := s.points[key]
		gone := !p.live || slices.ContainsFunc(over, func(d deleted) bool { return d.seq > p.seq })
		if gone {
			delete(s.points, key)
		}
	}
}

// keys of what is left, with a first byte, ascending.
func (s *salvager) keys(first byte) []string {
	var out []string
	for key := range s.points {
		if key[0] == first {
			out = append(out, key)
		}
	}
	slices.Sort(out)
	return out
}

// meta reads epochs and tags, and gives the tags handles here.
func (s *salvager) meta() error {
	for _, key := range s.keys(epochPrefix) {
		if v := s.points[key].value; len(key) == 5 && len(v) == 8 {
			s.epochs[binary.BigEndian.Uint32([]byte(key[1:]))] = binary.BigEndian.Uint64(v)
		}
	}
	s.tags = s.q.copiedTags(s.dir)
	for _, key := range s.keys(tagPrefix) {
		var e tagEntry
		if len(key) != 5 || json.Unmarshal(s.points[key].value, &e) != nil || e.Tag == nil || e.Tag.Path == "" {
			s.fault("a tag cannot be read")
			continue
		}
		e.Tag.ID = plant.TagID(binary.BigEndian.Uint32([]byte(key[1:])))
		s.tags[e.Tag.ID] = e
	}
	var err error
	s.remap, err = s.q.adopt(s.tags)
	s.lost = Losses{}
	s.q.copyTags()
	return err
}

// indexes are those of the packs that should be there, by the packs' keys, with
// their tags' handles here.
func (s *salvager) indexes() map[string]*index {
	out := map[string]*index{}
	for _, key := range s.keys(indexPrefix) {
		x, err := decodeIndex(s.points[key].value)
		if err != nil {
			s.fault("index of a pack: %v", err)
			continue
		}
		known := x.tags[:0]
		for _, tag := range x.tags {
			if id, ok := s.remap[tag]; ok {
				known = append(known, id)
			}
		}
		x.tags = known
		out[string(packPrefix)+key[1:]] = &x
	}
	return out
}

// packTable is a table that has parts of packs: those between two keys.
type packTable struct {
	r         *sstable.Reader
	low, high string
}

// packs takes over the packs whose indexes say that they count, from the logs and
// the tables.
func (s *salvager) packs(names []string, parts map[string][]byte, indexes map[string]*index) error {
	var tables []packTable
	defer func() {
		for i := range tables {
			_ = tables[i].r.Close()
		}
	}()
	for _, name := range names {
		r := s.open(name) // one that cannot be opened was noted before
		if r == nil {
			continue
		}
		x := packTable{r: r, low: string(packPrefix), high: string(rune(packPrefix + 1))}
		it, err := r.NewIter(sstable.NoTransforms, []byte{packPrefix}, []byte{packPrefix + 1}, sstable.AssertNoBlobHandles)
		if err == nil {
			if kv := it.SeekGE([]byte{packPrefix}, 0); kv != nil {
				x.low = string(kv.K.UserKey)
			} else if it.Error() == nil {
				x.low = x.high // none at all
			}
			if kv := it.SeekLT([]byte{packPrefix + 1}, 0); kv != nil {
				x.high = string(kv.K.UserKey)
			}
			_ = it.Close()
		}
		tables = append(tables, x)
	}
	for _, key := range slices.Sorted(maps.Keys(indexes)) {
		var pack []byte
		for part := 0; len(pack) < int(indexes[key].bytes); part++ {
			k := key + string([]byte{byte(part)})
			v := parts[k]
			for i := 0; i < len(tables) && v == nil; i++ {
				v = tables[i].get(k)
			}
			if v == nil {
				pack = nil
				break
			}
			pack = append(pack, v...)
		}
		if pack == nil {
			continue
		}
		if err := s.pack(indexes, key, pack); err != nil {
			return err
		}
	}
	return nil
}

// get reads one value, nil if it is not there or cannot be read.
func (x *packTable) get(key string) []byte {
	if key < x.low || key > x.high {
		return nil
	}
	// A fresh iterator each: one that has met damage says no more.
	it, err := x.r.NewIter(sstable.NoTransforms, []byte{packPrefix}, []byte{packPrefix + 1}, sstable.AssertNoBlobHandles)
	if err != nil {
		return nil
	}
	defer it.Close()
	kv := it.SeekGE([]byte(key), 0)
	if kv == nil || string(kv.K.UserKey) != key || kv.K.Kind() != pebble.InternalKeyKindSet && kv.K.Kind() != pebble.InternalKeyKindSetWithDelete {
		return nil
	}
	v, _, err := kv.Value(nil)
	if err != nil {
		return nil
	}
	return slices.Clone(v)
}

// pack takes one pack over, if its index says that it counts.
func (s *salvager) pack(indexes map[string]*index, key string, value []byte) error {
	if indexes[key] == nil {
		return nil
	}
	ln, counter, _, ok := parsePlaceKey([]byte(key))
	if !ok {
		return nil
	}
	records, err := decodePack(value)
	if err != nil {
		return nil // its index is declared
	}
	if slices.ContainsFunc(indexOf(records, 0).tags, func(tag plant.TagID) bool { return s.remap[tag] != tag }) {
		kept := records[:0]
		for i := range records {
			if s.rename(&records[i]) {
				kept = append(kept, records[i])
			}
		}
		records = kept
		if len(records) == 0 {
			delete(indexes, key)
			return nil
		}
		var p packer
		if value, err = p.appendPack(nil, records); err != nil {
			return err
		}
	}
	x := indexOf(records, len(value))
	if err := s.store(ln, counter, x.item(), x.numbers, func(b *pebble.Batch, to uint32) {
		setPack(b, ln, to, &x, value)
	}); err != nil {
		return err
	}
	delete(indexes, key)
	s.found += x.numbers.count()
	s.values += x.samples
	return nil
}

// records takes over those that are in no pack.
func (s *salvager) records() error {
	for _, key := range s.keys(recordPrefix) {
		ln, counter, number, ok := parsePlaceKey([]byte(key))
		if !ok {
			continue
		}
		r, err := decodeRecord(s.points[key].value)
		if err != nil {
			s.fault("record %d: %v", number, err)
			continue
		}
		r.Number, r.Lane = number, ln
		if !s.rename(&r) {
			continue
		}
		value, err := appendRecord(nil, &r)
		if err != nil {
			return err
		}
		it := item{first: number, last: number, left: 1, bytes: uint32(len(value)), created: r.Created / msec, newest: r.Created / msec}
		if err := s.store(ln, counter, it, spans{one(number)}, func(b *pebble.Batch, to uint32) {
			_ = b.Set(recordKey(ln, to, number), value, nil)
		}); err != nil {
			return err
		}
		s.found++
		s.values += uint64(len(r.Batch.Samples) + len(r.Batch.States) + len(r.Batch.Waveforms))
	}
	return nil
}

// rename gives the tags of a record their handles here. What has no name there
// cannot be sent, and is counted; false: nothing is left.
func (s *salvager) rename(r *Record) bool {
	to := func(tag plant.TagID) (plant.TagID, bool) {
		id, ok := s.remap[tag]
		if !ok {
			s.unnamed[tag]++
		}
		return id, ok
	}
	b := &r.Batch
	b.Samples = slices.DeleteFunc(b.Samples, func(x plant.Sample) bool { _, ok := to(x.Tag); return !ok })
	b.States = slices.DeleteFunc(b.States, func(x plant.State) bool { _, ok := to(x.Tag); return !ok })
	b.Gaps = slices.DeleteFunc(b.Gaps, func(x plant.Gap) bool { _, ok := to(x.Tag); return !ok })
	b.Waveforms = slices.DeleteFunc(b.Waveforms, func(x plant.Waveform) bool { _, ok := to(x.Tag); return !ok })
	for i := range b.Samples {
		b.Samples[i].Tag = s.remap[b.Samples[i].Tag]
	}
	for i := range b.States {
		b.States[i].Tag = s.remap[b.States[i].Tag]
	}
	for i := range b.Gaps {
		b.Gaps[i].Tag = s.remap[b.Gaps[i].Tag]
	}
	for i := range b.Waveforms {
		b.Waveforms[i].Tag = s.remap[b.Waveforms[i].Tag]
	}
	return !b.Empty()
}

// store puts a value into the queue, durable when it returns, under the epoch that
// it had. A number that is there already, or lies in a pack, is passed over.
func (s *salvager) store(ln Lane, counter uint32, it item, numbers spans, put func(*pebble.Batch, uint32)) error {
	q := s.q
	for { // the disk's room is for what comes in
		q.mu.Lock()
		full := q.diskErr != nil
		q.mu.Unlock()
		if !full {
			break
		}
		select {
		case <-q.closing.Done():
			return ErrClosed
		case <-time.After(keepEvery):
		}
	}
	if q.closing.Err() != nil {
		return ErrClosed
	}
	o, made, err := s.opening(counter)
	if err != nil {
		return err
	}
	l := &o.lanes[ln]
	q.mu.Lock()
	i := l.from(it.first)
	there := i < len(l.items) && l.items[i].first <= it.last
	q.mu.Unlock()
	if there {
		return nil
	}
	b := q.db.NewBatch()
	defer b.Close()
	if made {
		_ = b.Set(epochKey(o.counter), binary.BigEndian.AppendUint64(nil, o.epoch), nil)
	}
	put(b, o.counter)
	if err := b.Commit(pebble.Sync); err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, n := range numbers {
		l.left = l.left.insert(n)
	}
	l.add(it)
	q.stats.Salvaged += numbers.count()
	return nil
}

// opening finds the opening of an epoch, or makes one before all others that are
// not salvaged. An epoch that cannot be read becomes a new one: the historian tells
// its values by tag and time.
func (s *salvager) opening(counter uint32) (o *opening, made bool, err error) {
	q := s.q
	epoch, ok := s.epochs[counter]
	if !ok {
		epoch = newEpoch()
		s.epochs[counter] = epoch
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	free := uint32(1)
	for _, o := range q.openings {
		if o.epoch == epoch {
			return o, false, nil
		}
		if o.counter >= free && o.counter < min(firstAfterDamage, q.opening) {
			free = o.counter + 1
		}
	}
	if free >= q.opening {
		return nil, false, errors.New("no opening is free for what is salvaged")
	}
	o = &opening{counter: free, epoch: epoch}
	i, _ := slices.BinarySearchFunc(q.openings, free, func(o *opening, c uint32) int { return cmp.Compare(o.counter, c) })
	q.openings = slices.Insert(q.openings, i, o)
	return o, true, nil
}

// finish declares what is lost and says how it went.
func (s *salvager) finish(lostPacks int) error {
	q := s.q
	if len(s.faults) > 0 {
		// Anything that was not settled may have been there: every tag that is
		// known, from the oldest record that was left to the last moment.
		from, to := q.oldestIn(s.dir), s.setAsideAt()
		for _, id := range s.remap {
			s.lost.note(id, min(from, to-1), to, plant.GapQueueDamaged, 0)
		}
		for _, t := range q.allTags() {
			s.lost.note(t.ID, min(from, to-1), to, plant.GapQueueDamaged, 0)
		}
	}
	gaps := s.lost.Gaps()
	if err := q.declare(gaps); err != nil {
		return err
	}
	unnamed := uint64(0)
	for _, n := range s.unnamed {
		unnamed += n
	}
	text := fmt.Sprintf("%d records with %d values came back from %s; %d packs and %d other parts could not be read, gaps of %d tags are declared",
		s.found, s.values, s.dir, lostPacks, len(s.faults), len(gaps))
	if unnamed > 0 {
		text += fmt.Sprintf("; %d values of %d tags have no name any more and are lost", unnamed, len(s.unnamed))
	}
	if len(s.faults) > 0 {
		text += "; whether findings or entries of the audit were among it cannot be known"
	}
	q.note(slog.LevelWarn, text)
	q.mu.Lock()
	q.stats.Declared += s.lost.samples()
	q.mu.Unlock()
	if len(s.faults)+lostPacks == 0 {
		return q.fs.RemoveAll(s.dir) // nothing is in it that is not here
	}
	return q.writeFile(s.dir, salvagedFile, []byte(text+"\n"))
}

// setAsideAt is when the folder was set aside: its name says so.
func (s *salvager) setAsideAt() int64 {
	at := time.Now().UnixNano()
	_, text, _ := strings.Cut(s.q.fs.PathBase(s.dir), ".damaged-")
	var unix int64
	if _, err := fmt.Sscanf(text, "%d", &unix); err == nil {
		at = min(at, (unix+1)*int64(time.Second))
	}
	return plant.Millis(at)
}
