package collector

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"math"
	"os"
	"slices"
	"strings"

	"millwright/plant"
)

// keptSelf is the entry of one tag in the file. FORMAT.md has the bytes.
type keptSelf struct {
	id  plant.TagID
	tag string // path; only with shut
	self
}

const (
	identityMagic   = "MWOPCID1"
	maxIdentityText = 8192
	maxIdentityBits = 1<<6 - 1

	hasTypeFlag  = 0x01
	hasRankFlag  = 0x02
	hasUnitFlag  = 0x04
	hasRangeFlag = 0x08
	hasVoidFlag  = 0x10
	hasShutFlag  = 0x20
)

// vocabulary writes texts that come often once; later ones are numbers.
type vocabulary struct {
	number map[string]uint64
}

func (w *vocabulary) append(b []byte, s string) []byte {
	if n, ok := w.number[s]; ok {
		return binary.AppendUvarint(b, n)
	}
	b = binary.AppendUvarint(b, 0)
	w.number[s] = uint64(len(w.number)) + 1
	return appendBlob(b, []byte(s))
}

// appendIdentity encodes entries, which ascend by id.
func appendIdentity(b []byte, kept []keptSelf) []byte {
	slices.SortFunc(kept, func(x, y keptSelf) int { return int(int64(x.id) - int64(y.id)) })
	w := &vocabulary{number: map[string]uint64{}}
	b = append(b, identityMagic...)
	b = binary.AppendUvarint(b, uint64(len(kept)))
	id, path := int64(0), ""
	for i := range kept {
		k := &kept[i]
		b = binary.AppendVarint(b, int64(k.id)-id)
		id = int64(k.id)
		b = binary.LittleEndian.AppendUint64(b, k.hash)
		extra := byte(0)
		if k.void != "" {
			extra |= hasVoidFlag
		}
		if k.shut != nil {
			extra |= hasShutFlag
		}
		b = k.is.append(b, w, extra)
		own := plant.FormatBrowse(k.path)
		same := shared(path, own)
		b = binary.AppendUvarint(b, uint64(same))
		b = appendBlob(b, []byte(own[same:]))
		path = own
		b = w.append(b, k.node)
		b = w.append(b, k.description)
		if k.void != "" {
			b = w.append(b, string(k.void))
		}
		if q := k.shut; q != nil {
			b = appendBlob(b, []byte(k.tag))
			b = binary.AppendVarint(b, q.since)
			b = q.is.append(b, w, 0)
			b = appendBlob(b, []byte(plant.FormatBrowse(q.path)))
			b = w.append(b, strings.Join(q.what, " "))
		}
	}
	return appendSum(b)
}

func (f *imprint) append(b []byte, w *vocabulary, flags byte) []byte {
	for i, has := range [...]bool{f.hasType, f.hasRank, f.hasUnit, f.hasRange} {
		if has {
			flags |= 1 << i
		}
	}
	b = append(b, flags)
	if f.hasType {
		b = w.append(b, f.dataType)
	}
	if f.hasRank {
		b = binary.AppendVarint(b, int64(f.rank))
	}
	if f.hasUnit {
		b = w.append(b, f.unit.space)
		b = binary.AppendVarint(b, int64(f.unit.id))
		b = w.append(b, f.unit.name)
	}
	if f.hasRange {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(f.low))
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(f.high))
	}
	return b
}

// shared is the length of the common beginning.
func shared(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// wordReader reads what a vocabulary wrote.
type wordReader struct {
	*reader
	list []string
}

func (w *wordReader) word() string {
	n := w.uvarint()
	if n == 0 {
		s := string(w.blob())
		if w.err == nil {
			w.list = append(w.list, s)
		}
		return s
	}
	if n > uint64(len(w.list)) {
		w.fail("a text is not there")
		return ""
	}
	return w.list[n-1]
}

func (w *wordReader) fail(why string) {
	if w.err == nil {
		w.err = errors.New(why)
	}
}

func (w *wordReader) int32() int32 {
	v := w.varint()
	if v < math.MinInt32 || v > math.MaxInt32 {
		w.fail("a number is out of range")
	}
	return int32(v)
}

func (w *wordReader) path(s string) []plant.BrowseName {
	p, err := plant.ParseBrowse(s)
	if err != nil {
		w.fail(err.Error())
	}
	return p
}

func (w *wordReader) imprint() (f imprint, flags byte) {
	flags = w.byte()
	if flags > maxIdentityBits {
		w.fail("flags of a later version")
		return f, 0
	}
	f.hasType, f.hasRank = flags&hasTypeFlag != 0, flags&hasRankFlag != 0
	f.hasUnit, f.hasRange = flags&hasUnitFlag != 0, flags&hasRangeFlag != 0
	if f.hasType {
		f.dataType = w.word()
	}
	if f.hasRank {
		f.rank = w.int32()
	}
	if f.hasUnit {
		f.unit = unit{space: w.word(), id: w.int32(), name: w.word()}
	}
	if f.hasRange {
		f.low, f.high = math.Float64frombits(w.u64()), math.Float64frombits(w.u64())
	}
	return f, flags
}

// decodeIdentity reads what appendIdentity wrote.
func decodeIdentity(b []byte) ([]keptSelf, error) {
	if len(b) < len(identityMagic)+4 || string(b[:len(identityMagic)]) != identityMagic {
		return nil, errors.New("not a file of this version")
	}
	body, sum := b[:len(b)-4], binary.LittleEndian.Uint32(b[len(b)-4:])
	if crc32.Checksum(body, castagnoli) != sum {
		return nil, errors.New("checksum wrong")
	}
	w := &wordReader{reader: &reader{b: body[len(identityMagic):]}}
	n := w.uvarint()
	if n > maxStateTags || n > uint64(len(w.b)) {
		return nil, fmt.Errorf("%d tags do not fit into %d bytes", n, len(w.b))
	}
	kept := make([]keptSelf, 0, n)
	id, path := int64(0), ""
	for range n {
		var k keptSelf
		if id += w.varint(); id < 0 || id > math.MaxUint32 {
			return nil, errors.New("a tag's id makes no sense")
		}
		k.id = plant.TagID(id)
		k.hash = w.u64()
		var flags byte
		k.is, flags = w.imprint()
		same, rest := w.uvarint(), string(w.blob())
		if same > uint64(len(path)) || same+uint64(len(rest)) > maxIdentityText {
			return nil, errors.New("a browse path makes no sense")
		}
		path = path[:same] + rest
		k.path = w.path(path)
		k.node = w.word()
		if k.node != "" {
			if _, err := parseNode(k.node); err != nil {
				return nil, err
			}
		}
		k.description = w.word()
		if flags&hasVoidFlag != 0 {
			if k.void = plant.Release(w.word()); k.void.Check() != nil || k.void == plant.ReleaseSame {
				return nil, errors.New("a release makes no sense")
			}
		}
		if flags&hasShutFlag != 0 {
			k.tag = string(w.blob())
			k.shut = &shut{since: w.varint()}
			k.shut.is, _ = w.imprint()
			k.shut.path = w.path(string(w.blob()))
			k.shut.what = strings.Fields(w.word())
		}
		if w.err != nil {
			return nil, w.err
		}
		kept = append(kept, k)
	}
	if len(w.b) > 0 {
		return nil, fmt.Errorf("%d bytes too many", len(w.b))
	}
	return kept, w.err
}

// readIdentity reads the file; nil without error where there is none.
func readIdentity(name string) ([]keptSelf, error) {
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	kept, err := decodeIdentity(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return kept, nil
}

// quarantinedIn lists the tags that a file has in quarantine.
func quarantinedIn(name string) ([]plant.QuarantinedTag, error) {
	kept, err := readIdentity(name)
	var list []plant.QuarantinedTag
	for i := range kept {
		if kept[i].shut != nil {
			list = append(list, kept[i].tell(kept[i].tag))
		}
	}
	return list, err
}
