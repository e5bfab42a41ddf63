package collector

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/fnv"
	"io/fs"
	"os"
	"time"

	"millwright/plant"
)

// state is what the state file holds: enough to take up the subscription after
// a restart of the process, or to declare what was lost with it. FORMAT.md has
// the bytes.
type state struct {
	items   uint64 // itemsHash of the tags that are monitored
	started int64  // start time of the server, ns UTC, 0 unknown

	token []byte // authentication token of the session, as OPC UA encodes it
	nonce []byte // the server's last nonce

	subscription uint32 // 0: none
	next         uint32 // lowest notification that may not be durable yet
	publishing   time.Duration
	keepAlive    uint32 // publishing intervals
	since        int64  // when the subscription was made, ns UTC on the server's clock

	tags  []tagState // ascending by id
	holes []holeState
}

// holeState is a span that is still to be read from the server's history.
type holeState struct {
	id  plant.TagID
	why reason
	span
}

// tagState is the part of one tag.
type tagState struct {
	id       plant.TagID
	last     int64 // source time of the newest durable value, noTime none
	reason   reason
	rejected bool // the server does not monitor it
}

const (
	stateMagic   = "MWOPCUA1"
	maxStateBlob = 8192
	maxStateTags = 1 << 22
	maxStateTime = 1 << 42 // ms since 1970
	maxStateSpan = 1 << 40 // ms
	rejectedFlag = 0x80
	unseenFlag   = 0x40
	openFlag     = 0x80
	cutFlag      = 0x40
)

var (
	castagnoli    = crc32.MakeTable(crc32.Castagnoli)
	errStateShort = errors.New("cut short")
)

// append encodes s into the empty slice b.
func (s *state) append(b []byte) []byte {
	b = append(b, stateMagic...)
	b = binary.LittleEndian.AppendUint64(b, s.items)
	b = binary.AppendVarint(b, s.started)
	b = appendBlob(b, s.token)
	b = appendBlob(b, s.nonce)
	b = binary.LittleEndian.AppendUint32(b, s.subscription)
	b = binary.LittleEndian.AppendUint32(b, s.next)
	b = binary.AppendVarint(b, int64(s.publishing))
	b = binary.LittleEndian.AppendUint32(b, s.keepAlive)
	b = binary.AppendVarint(b, s.since)
	b = binary.AppendUvarint(b, uint64(len(s.tags)))
	id, ms := int64(0), int64(0)
	for _, t := range s.tags {
		flags := byte(t.reason)
		if t.rejected {
			flags |= rejectedFlag
		}
		if t.last == noTime {
			flags |= unseenFlag
		}
		b = binary.AppendVarint(b, int64(t.id)-id)
		b = append(b, flags)
		if t.last != noTime {
			b = binary.AppendVarint(b, t.last/oneMilli-ms)
			ms = t.last / oneMilli
		}
		id = int64(t.id)
	}
	b = binary.AppendUvarint(b, uint64(len(s.holes)))
	for _, h := range s.holes {
		flags := byte(h.why)
		if h.open {
			flags |= openFlag
		}
		if h.cut != 0 {
			flags |= cutFlag
		}
		b = binary.AppendUvarint(b, uint64(h.id))
		b = append(b, flags)
		b = binary.AppendVarint(b, h.from/oneMilli)
		for _, d := range []int64{h.to - h.from, h.next - h.to} {
			b = binary.AppendVarint(b, d/oneMilli)
		}
		if h.cut != 0 {
			b = binary.AppendVarint(b, (h.cut-h.from)/oneMilli)
		}
	}
	return appendSum(b)
}

func appendBlob(b, blob []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(blob)))
	return append(b, blob...)
}

// decodeState reads what append wrote. The slices of the result are its own.
func decodeState(b []byte) (*state, error) {
	if len(b) < len(stateMagic)+4 || string(b[:len(stateMagic)]) != stateMagic {
		return nil, errors.New("not a state file of this version")
	}
	body, sum := b[:len(b)-4], binary.LittleEndian.Uint32(b[len(b)-4:])
	if crc32.Checksum(body, castagnoli) != sum {
		return nil, errors.New("checksum wrong")
	}
	r := reader{b: body[len(stateMagic):]}
	s := &state{items: r.u64(), started: r.varint(), token: r.blob(), nonce: r.blob(), subscription: r.u32(), next: r.u32(),
		publishing: time.Duration(r.varint()), keepAlive: r.u32(), since: r.varint()}
	n := r.uvarint()
	if n > maxStateTags || n > uint64(len(r.b)) {
		return nil, fmt.Errorf("%d tags do not fit into %d bytes", n, len(r.b))
	}
	s.tags = make([]tagState, 0, n)
	id, ms := int64(0), int64(0)
	for range n {
		t := tagState{last: noTime}
		id += r.varint()
		flags := r.byte()
		if flags&unseenFlag == 0 {
			ms += r.varint()
			t.last = ms * oneMilli
		}
		t.rejected = flags&rejectedFlag != 0
		t.reason = reason(flags &^ (rejectedFlag | unseenFlag))
		if id < 0 || id > 1<<32-1 || t.reason > lastReason || t.last/oneMilli != ms && t.last != noTime {
			return nil, errors.New("a tag's entry makes no sense")
		}
		t.id = plant.TagID(id)
		s.tags = append(s.tags, t)
	}
	if r.err == nil && len(r.b) > 0 { // files of before there was history have none
		if err := s.decodeHoles(&r); err != nil {
			return nil, err
		}
	}
	if r.err == nil && len(r.b) > 0 {
		return nil, fmt.Errorf("%d bytes too many", len(r.b))
	}
	return s, r.err
}

func (s *state) decodeHoles(r *reader) error {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		return fmt.Errorf("%d holes do not fit into %d bytes", n, len(r.b))
	}
	for range n {
		id, flags := r.uvarint(), r.byte()
		ms := [4]int64{r.varint(), r.varint(), r.varint(), 0}
		if flags&cutFlag != 0 {
			ms[3] = r.varint()
		}
		for i, v := range ms {
			if most := int64(maxStateSpan); v < -maxStateTime || v > maxStateTime || i > 0 && (v > most || v < 0) {
				return errors.New("a hole's time makes no sense")
			}
		}
		h := holeState{id: plant.TagID(id), why: reason(flags &^ (openFlag | cutFlag))}
		h.from = ms[0] * oneMilli
		h.to = h.from + ms[1]*oneMilli
		h.next, h.open = h.to+ms[2]*oneMilli, flags&openFlag != 0
		if flags&cutFlag != 0 {
			h.cut = h.from + ms[3]*oneMilli
		}
		if id > 1<<32-1 || h.why == noGap || h.why > lastReason {
			return errors.New("a hole's entry makes no sense")
		}
		s.holes = append(s.holes, h)
	}
	return r.err
}

// reader takes values off the front of b; after the first error all are zero.
type reader struct {
	b   []byte
	err error
}

func (r *reader) take(n int) []byte {
	if r.err != nil || n < 0 || n > len(r.b) {
		r.err = errStateShort
		return nil
	}
	p := r.b[:n]
	r.b = r.b[n:]
	return p
}

func (r *reader) byte() byte {
	if p := r.take(1); p != nil {
		return p[0]
	}
	return 0
}

func (r *reader) u32() uint32 {
	if p := r.take(4); p != nil {
		return binary.LittleEndian.Uint32(p)
	}
	return 0
}

func (r *reader) u64() uint64 {
	if p := r.take(8); p != nil {
		return binary.LittleEndian.Uint64(p)
	}
	return 0
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		n = -1
	}
	if r.take(n) == nil {
		return 0
	}
	return v
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		n = -1
	}
	if r.take(n) == nil {
		return 0
	}
	return v
}

func (r *reader) blob() []byte {
	n := r.uvarint()
	if n > maxStateBlob {
		r.err = errStateShort
		return nil
	}
	return append([]byte(nil), r.take(int(n))...)
}

// readState reads the state file; nil without error where there is none.
func readState(name string) (*state, error) {
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	s, err := decodeState(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if n, ok := readMark(name+markSuffix, s.since); ok && older(s.next, after(n)) {
		s.next = after(n)
	}
	return s, nil
}

// itemsHash changes with everything that makes other monitored items.
func itemsHash(url string, publishing time.Duration, tags []plant.Tag) uint64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s|%d|%d", url, publishing, len(tags))
	for i := range tags {
		t := &tags[i]
		fmt.Fprintf(h, "|%d %q %s %d %d %s", t.ID, t.Node, t.Kind, t.Sampling, t.Queue, t.Trigger)
		if t.Discard == plant.DiscardNewest || t.Deadband != 0 { // as before there were these, where they are not used
			fmt.Fprintf(h, " %s %v %v %v", t.Discard, t.Deadband, t.DeadbandPercent, t.Scale)
		}
		if t.Field != "" {
			fmt.Fprintf(h, " %q", t.Field)
		}
	}
	return h.Sum64()
}

// appendSum ends a body with its checksum.
func appendSum(b []byte) []byte {
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}
