package queue

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"

	"millwright/plant"
	"millwright/plant/chunk"
)

// A pack holds the records of one lane and epoch that are still unsettled after a
// while, written anew column by column: all samples of one tag stand together, in
// the columns of plant/chunk. The records keep their numbers, their bounds and the
// order of their samples. FORMAT.md draws the bytes.

const (
	packVersion  = 1
	indexVersion = 1

	maxPackRecords = 1 << 16
	maxPackSamples = 1 << 19
	maxPackBytes   = 255 * partBytes
)

// How the times of a tag are written.
const (
	timesSame   = 0 // those of the tag before
	timesAscend = 1
	timesAny    = 2
)

// packer makes packs and keeps its memory between them.
type packer struct {
	enc     chunk.Encoder
	ints    []int64
	times   []int64
	values  []float64
	quality []plant.Quality
	starts  map[plant.TagID]int // where the samples of a tag begin in the columns
	shapes  map[string]int
	shape   []byte
}

// appendPack encodes records of one lane and epoch, ascending by number, behind dst.
func (p *packer) appendPack(dst []byte, records []Record) ([]byte, error) {
	if len(records) == 0 || len(records) > maxPackRecords {
		return dst, fmt.Errorf("pack of %d records", len(records))
	}
	start := len(dst)
	total := 0
	var raw [][]byte
	for i := range records {
		r := &records[i]
		total += len(columns(r))
		if rest := withoutColumns(r); rest != nil {
			b, err := appendRecord(nil, rest)
			if err != nil {
				return dst, err
			}
			raw = append(raw, b)
		} else {
			raw = append(raw, nil)
		}
	}
	if total > maxPackSamples {
		return dst, fmt.Errorf("pack of %d samples", total)
	}
	base := records[0].Created / msec
	dst = append(dst, packVersion)
	dst = binary.AppendUvarint(dst, uint64(len(records)))
	dst = binary.AppendUvarint(dst, uint64(total))
	dst = binary.AppendVarint(dst, base)
	dst = p.appendDevices(dst, records)
	dst = p.column(dst, len(records), func(i int) int64 { // numbers, as steps
		if i == 0 {
			return int64(records[0].Number)
		}
		return int64(records[i].Number - records[i-1].Number)
	})
	dst = p.column(dst, len(records), func(i int) int64 { // creation, as steps
		if i == 0 {
			return 0
		}
		return (records[i].Created - records[i-1].Created) / msec
	})
	dst = p.column(dst, len(records), func(i int) int64 { return int64(len(raw[i])) })
	for _, b := range raw {
		dst = append(dst, b...)
	}
	dst = p.appendShapes(dst, records)
	if total > 0 {
		dst = p.appendColumns(dst, records, total, base)
	}
	if len(dst)-start > maxPackBytes {
		return dst[:start], fmt.Errorf("pack of %d bytes", len(dst)-start)
	}
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli)), nil
}

// columns are the samples of a record that go into columns: all, but of a record
// that holds other things too.
func columns(r *Record) []plant.Sample {
	b := &r.Batch
	if len(b.States)+len(b.Gaps)+len(b.Findings)+len(b.Waveforms) > 0 {
		return nil
	}
	return b.Samples
}

func withoutColumns(r *Record) *Record {
	if len(columns(r)) > 0 {
		return nil
	}
	return r
}

func (p *packer) column(dst []byte, n int, at func(int) int64) []byte {
	p.ints = slices.Grow(p.ints[:0], n)[:n]
	for i := range p.ints {
		p.ints[i] = at(i)
	}
	return chunk.AppendInts(dst, p.ints)
}

// appendDevices writes the names of the devices, and for each record which.
func (p *packer) appendDevices(dst []byte, records []Record) []byte {
	index := map[string]int{}
	var names []string
	for i := range records {
		if _, ok := index[records[i].Device]; !ok {
			index[records[i].Device] = len(names)
			names = append(names, records[i].Device)
		}
	}
	dst = binary.AppendUvarint(dst, uint64(len(names)))
	for _, name := range names {
		dst = appendText(dst, name)
	}
	return p.column(dst, len(records), func(i int) int64 { return int64(index[records[i].Device]) })
}

// appendShapes writes which tags the samples of each record have, in order: most
// records have the list of one before.
func (p *packer) appendShapes(dst []byte, records []Record) []byte {
	p.shapes = map[string]int{}
	which := make([]int64, len(records))
	var lists [][]plant.Sample
	for i := range records {
		s := columns(&records[i])
		p.shape = p.shape[:0]
		for j := range s {
			p.shape = binary.LittleEndian.AppendUint32(p.shape, uint32(s[j].Tag))
		}
		k, ok := p.shapes[string(p.shape)]
		if !ok {
			k = len(lists)
			p.shapes[string(p.shape)] = k
			lists = append(lists, s)
		}
		which[i] = int64(k)
	}
	dst = binary.AppendUvarint(dst, uint64(len(lists)))
	dst = p.column(dst, len(lists), func(i int) int64 { return int64(len(lists[i])) })
	for _, s := range lists {
		if len(s) == 0 {
			continue
		}
		dst = p.column(dst, len(s), func(i int) int64 {
			if i == 0 {
				return int64(s[0].Tag)
			}
			return int64(s[i].Tag) - int64(s[i-1].Tag)
		})
	}
	return p.column(dst, len(records), func(i int) int64 { return which[i] })
}

// appendColumns writes times, values and quality tag by tag, ascending.
func (p *packer) appendColumns(dst []byte, records []Record, total int, base int64) []byte {
	count := map[plant.TagID]int{}
	for i := range records {
		for _, s := range columns(&records[i]) {
			count[s.Tag]++
		}
	}
	tags := slices.Sorted(maps.Keys(count))
	p.starts = make(map[plant.TagID]int, len(tags))
	at := 0
	for _, tag := range tags {
		p.starts[tag] = at
		at += count[tag]
	}
	p.times = slices.Grow(p.times[:0], total)[:total]
	p.values = slices.Grow(p.values[:0], total)[:total]
	p.quality = slices.Grow(p.quality[:0], total)[:total]
	for i := range records {
		for _, s := range columns(&records[i]) {
			k := p.starts[s.Tag]
			p.times[k], p.values[k], p.quality[k] = s.Time/msec, s.Value, s.Quality
			p.starts[s.Tag] = k + 1
		}
	}
	dst = chunk.AppendQuality(dst, p.quality)
	at = 0
	var before []int64
	for _, tag := range tags {
		n := count[tag]
		times := p.times[at : at+n]
		switch {
		case slices.Equal(times, before):
			dst = append(dst, timesSame)
		case ascending(times):
			dst = append(dst, timesAscend)
			dst = binary.AppendVarint(dst, times[0]-base)
			dst = p.enc.AppendTimes(dst, times)
		default:
			dst = append(dst, timesAny)
			dst = p.column(dst, n, func(i int) int64 { return times[i] - base })
		}
		before = times
		dst = p.enc.AppendValues(dst, p.values[at:at+n])
		at += n
	}
	return dst
}

func ascending(times []int64) bool {
	for i := 1; i < len(times); i++ {
		if times[i] <= times[i-1] {
			return false
		}
	}
	return times[len(times)-1]-times[0] >= 0
}

// decodePack reads what appendPack wrote; epoch and lane come from the key.
func decodePack(b []byte) ([]Record, error) {
	if len(b) < 5 || b[0] != packVersion {
		return nil, fmt.Errorf("%w: version of a pack", ErrDamaged)
	}
	body, sum := b[:len(b)-4], binary.LittleEndian.Uint32(b[len(b)-4:])
	if crc32.Checksum(body, castagnoli) != sum {
		return nil, fmt.Errorf("%w: checksum of a pack", ErrDamaged)
	}
	u := &unpacker{}
	u.c.Reset(body[1:])
	records := u.pack()
	if u.bad || !u.c.OK() || u.c.Rest() != 0 {
		return nil, fmt.Errorf("%w: pack", ErrDamaged)
	}
	return records, nil
}

// unpacker reads packs. Anything that does not fit makes it bad.
type unpacker struct {
	c     chunk.Columns
	bad   bool
	alone []bool // records that stand by themselves
}

func (u *unpacker) fail() []Record {
	u.bad = true
	return nil
}

// ints reads a column of numbers that lie in [low, high].
func (u *unpacker) ints(n int, low, high int64) []int64 {
	out := make([]int64, n)
	u.c.Ints(out)
	for _, v := range out {
		if v < low || v > high {
			u.bad = true
		}
	}
	return out
}

func (u *unpacker) pack() []Record {
	n, total := u.c.Uvarint(), u.c.Uvarint()
	base := u.c.Varint()
	if n == 0 || n > maxPackRecords || total > maxPackSamples || !u.c.OK() {
		return u.fail()
	}
	records := make([]Record, n)
	if !u.heads(records, base) {
		return u.fail()
	}
	count := u.shapes(records, int(total))
	if u.bad || !u.c.OK() || total == 0 {
		return records
	}
	u.columns(records, count, int(total), base)
	return records
}

// heads reads devices, numbers and times of creation, and the records that stand
// by themselves.
func (u *unpacker) heads(records []Record, base int64) bool {
	n := len(records)
	devices := u.c.Uvarint()
	if devices == 0 || devices > uint64(n) {
		return false
	}
	names := make([]string, devices)
	for i := range names {
		names[i] = string(u.c.Bytes(int(min(u.c.Uvarint(), maxPackSamples))))
	}
	device := u.ints(n, 0, int64(devices)-1)
	numbers := u.ints(n, 1, 1<<53-1)
	created := u.ints(n, -1<<53, 1<<53)
	raw := u.ints(n, 0, 1<<30)
	if u.bad || !u.c.OK() {
		return false
	}
	var number, at int64 = 0, base
	u.alone = make([]bool, n)
	for i := range records {
		number += numbers[i]
		at += created[i]
		body := u.c.Bytes(int(raw[i]))
		if len(body) > 0 {
			r, err := decodeRecord(body)
			if err != nil {
				return false
			}
			records[i], u.alone[i] = r, true
		}
		if number > 1<<53-1 {
			return false
		}
		records[i].Number, records[i].Device, records[i].Created = uint64(number), names[device[i]], at*msec
	}
	return u.c.OK()
}

// shapes gives each record its samples with their tags, and counts those of each tag.
func (u *unpacker) shapes(records []Record, total int) map[plant.TagID]int {
	n := u.c.Uvarint()
	if n == 0 || n > uint64(len(records)) {
		u.bad = true
		return nil
	}
	lengths := u.ints(int(n), 0, int64(total))
	sum := int64(0)
	for _, l := range lengths {
		sum += l
	}
	if u.bad || !u.c.OK() || sum > int64(total) {
		u.bad = true
		return nil
	}
	lists := make([][]int64, n)
	for i := range lists {
		if lengths[i] == 0 {
			continue
		}
		lists[i] = make([]int64, lengths[i])
		u.c.Ints(lists[i])
		tag := int64(0)
		for j, step := range lists[i] {
			tag += step
			if tag < 0 || tag > 1<<32-1 {
				u.bad = true
				return nil
			}
			lists[i][j] = tag
		}
	}
	which := u.ints(len(records), 0, int64(n)-1)
	if u.bad || !u.c.OK() {
		return nil
	}
	uses := make([]int, n)
	sum = 0
	for _, k := range which {
		uses[k]++
		sum += lengths[k]
	}
	if sum != int64(total) {
		u.bad = true
		return nil
	}
	count := map[plant.TagID]int{}
	slab := make([]plant.Sample, total)
	for k, list := range lists {
		for _, tag := range list {
			count[plant.TagID(tag)] += uses[k]
		}
	}
	for i := range records {
		list := lists[which[i]]
		if u.alone[i] != (len(list) == 0) {
			u.bad = true
			return nil
		}
		if u.alone[i] {
			continue
		}
		s := slab[:len(list):len(list)]
		slab = slab[len(list):]
		for j, tag := range list {
			s[j].Tag = plant.TagID(tag)
		}
		records[i].Batch.Samples = s
	}
	return count
}

// columns reads times, values and quality, and deals them out.
func (u *unpacker) columns(records []Record, count map[plant.TagID]int, total int, base int64) {
	quality := make([]plant.Quality, total)
	u.c.Quality(quality)
	times, values := make([]int64, total), make([]float64, total)
	starts := make(map[plant.TagID]int, len(count))
	at := 0
	var before []int64
	for _, tag := range slices.Sorted(maps.Keys(count)) {
		n := count[tag]
		if n == 0 { // of a list that no record has
			u.bad = true
			return
		}
		t := times[at : at+n]
		how := u.c.Bytes(1)
		if !u.c.OK() {
			return
		}
		switch how[0] {
		case timesSame:
			if len(before) != n {
				u.bad = true
				return
			}
			copy(t, before)
		case timesAscend:
			u.c.Times(t, base+u.c.Varint())
		case timesAny:
			u.c.Ints(t)
			for i := range t {
				t[i] += base
			}
		default:
			u.bad = true
			return
		}
		before = t
		u.c.Values(values[at : at+n])
		if !u.c.OK() {
			return
		}
		starts[tag] = at
		at += n
	}
	for i := range records {
		s := records[i].Batch.Samples
		if u.alone[i] {
			continue
		}
		for j := range s {
			k := starts[s[j].Tag]
			s[j].Time, s[j].Value, s[j].Quality = times[k]*msec, values[k], quality[k]
			starts[s[j].Tag] = k + 1
		}
	}
}

// index is what is known of a pack without reading it: so that opening a queue
// reads no packs, and the loss of one can be declared tag by tag.
type index struct {
	numbers  spans
	bytes    uint32 // of the pack
	created  int64  // ms, of the first record
	newest   int64  // ms, of the last one
	from, to int64  // ms: times of its values, both included
	samples  uint64
	tags     []plant.TagID
}

// indexOf describes records that are packed in so many bytes.
func indexOf(records []Record, bytes int) index {
	x := index{bytes: uint32(bytes), created: records[0].Created / msec, newest: records[0].Created / msec}
	lost := Losses{}
	for i := range records {
		r := &records[i]
		x.numbers = x.numbers.add(r.Number)
		x.created, x.newest = min(x.created, r.Created/msec), max(x.newest, r.Created/msec)
		lost.Add(r.Batch, plant.GapQueueFull)
	}
	x.samples = lost.samples()
	first := true
	for _, g := range lost.Gaps() {
		x.tags = append(x.tags, g.Tag)
		if first || g.From/msec < x.from {
			x.from = g.From / msec
		}
		if first || g.To/msec-1 > x.to {
			x.to = g.To/msec - 1
		}
		first = false
	}
	return x
}

func (x *index) item() item {
	n := x.numbers.count()
	return item{first: x.numbers[0].First, last: x.numbers[len(x.numbers)-1].Last, left: uint32(n), bytes: x.bytes, created: x.created, newest: x.newest, pack: true}
}

func (x *index) append(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, indexVersion)
	dst = binary.AppendUvarint(dst, uint64(len(x.numbers)))
	at := uint64(0)
	for _, s := range x.numbers {
		dst = binary.AppendUvarint(dst, s.First-at)
		dst = binary.AppendUvarint(dst, s.Last-s.First)
		at = s.Last
	}
	dst = binary.AppendUvarint(dst, uint64(x.bytes))
	dst = binary.AppendVarint(dst, x.created)
	dst = binary.AppendVarint(dst, x.newest-x.created)
	dst = binary.AppendVarint(dst, x.from-x.created)
	dst = binary.AppendVarint(dst, x.to-x.created)
	dst = binary.AppendUvarint(dst, x.samples)
	dst = binary.AppendUvarint(dst, uint64(len(x.tags)))
	before := plant.TagID(0)
	for _, tag := range x.tags {
		dst = binary.AppendUvarint(dst, uint64(tag-before))
		before = tag
	}
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
}

func decodeIndex(b []byte) (x index, err error) {
	return decodeIndexOf(b, true)
}

// decodeIndexOf leaves the tags out where nobody asks for them: opening a queue
// reads thousands of indexes.
func decodeIndexOf(b []byte, tags bool) (x index, err error) {
	if len(b) < 5 || b[0] != indexVersion {
		return x, fmt.Errorf("%w: version of an index", ErrDamaged)
	}
	body, sum := b[:len(b)-4], binary.LittleEndian.Uint32(b[len(b)-4:])
	if crc32.Checksum(body, castagnoli) != sum {
		return x, fmt.Errorf("%w: checksum of an index", ErrDamaged)
	}
	d := decoder{b: body[1:]}
	at := uint64(0)
	for range d.count(2) {
		var s = one(at + d.uvarint())
		s.Last += d.uvarint()
		if s.First <= at || s.Last < s.First || s.Last > 1<<53-1 {
			d.bad = true
			break
		}
		at = s.Last
		x.numbers = append(x.numbers, s)
	}
	bytes := d.uvarint()
	x.bytes = uint32(bytes)
	x.created = d.varint()
	x.newest = x.created + d.varint()
	x.from, x.to = x.created+d.varint(), x.created+d.varint()
	x.samples = d.uvarint()
	tag, n := uint64(0), d.count(1)
	if !tags {
		n, d.b = 0, nil
	}
	if n > 0 {
		x.tags = make([]plant.TagID, 0, n)
	}
	for range n {
		tag += d.uvarint()
		if tag > 1<<32-1 {
			d.bad = true
			break
		}
		x.tags = append(x.tags, plant.TagID(tag))
	}
	if !d.ok() || len(d.b) != 0 || len(x.numbers) == 0 || bytes > 1<<32-1 || x.numbers.count() > maxPackRecords {
		return index{}, fmt.Errorf("%w: index", ErrDamaged)
	}
	return x, nil
}
