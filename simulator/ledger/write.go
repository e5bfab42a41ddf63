package ledger

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
	"os"
	"slices"
	"strings"

	"millwright/plant"
)

// Samples is a sample log that is being written. It is safe for many goroutines.
type Samples struct {
	file
	tags []memory
	time int64   // of the last group, ms
	vals []Value // of a group, by tag
}

// OpenSamples opens a sample log to be continued with values of tags. A torn
// last frame is cut off.
func OpenSamples(path string, tags []plant.Tag) (*Samples, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	end, err := lastFrame(f)
	if err == nil {
		err = f.Truncate(end)
	}
	if err == nil {
		_, err = f.Seek(end, io.SeekStart)
	}
	s := &Samples{file: file{f: f}, tags: make([]memory, len(tags))}
	if err == nil {
		s.write(func(b []byte) ([]byte, error) {
			if end == 0 {
				b = append(b, magic...)
			}
			return frame(b, tableFrame, func(b []byte) []byte { return s.table(b, tags) })
		})
		err = s.err
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// lastFrame is the offset behind the last whole frame, 0 of an empty file.
func lastFrame(f *os.File) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	head := make([]byte, frameHead)
	n, err := f.ReadAt(head[:min(info.Size(), frameHead)], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	if !strings.HasPrefix(magic, string(head[:n])) {
		return 0, errors.New("is no sample log of this version: choose another file, or move this one away")
	}
	end := int64(len(magic))
	if n < len(magic) {
		return 0, nil
	}
	for end+frameHead <= info.Size() {
		if _, err := f.ReadAt(head, end); err != nil {
			return 0, err
		}
		body, err := bodyLength(head)
		if err != nil {
			return 0, fmt.Errorf("offset %d: %w: move the file away", end, err)
		}
		if end+frameHead+int64(body) > info.Size() {
			break
		}
		end += frameHead + int64(body)
	}
	return end, nil
}

// table names the tags and forgets what was known of them.
func (s *Samples) table(b []byte, tags []plant.Tag) []byte {
	b = binary.AppendUvarint(b, uint64(len(tags)))
	for i, t := range tags {
		m := memory{scale: scaleOf(t.Resolution), text: t.Kind == plant.Text, burst: t.Kind == plant.Burst}
		s.tags[i] = m
		b = appendText(b, t.Path)
		kind := byte(numberTag)
		switch {
		case m.text:
			kind = textTag
		case m.burst:
			kind = burstTag
		}
		b = append(b, kind)
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(float64(m.scale)))
	}
	return b
}

// mostEntries keeps a frame of numbers well below the largest body.
const mostEntries = 1 << 18

// Write appends values in their order, which the log keeps for each tag.
func (s *Samples) Write(vals []Value) {
	s.write(func(b []byte) ([]byte, error) {
		for part := range slices.Chunk(vals, mostEntries) {
			var err error
			if b, err = frame(b, sampleFrame, func(b []byte) []byte { return s.groups(b, part) }); err != nil {
				return b, err
			}
		}
		return b, nil
	})
}

// groups writes each run of values of one time as a group, by ascending tags.
func (s *Samples) groups(b []byte, vals []Value) []byte {
	for len(vals) > 0 {
		ms := plant.Millis(vals[0].Time) / 1e6
		n := 1
		for n < len(vals) && plant.Millis(vals[n].Time)/1e6 == ms {
			n++
		}
		s.vals = append(s.vals[:0], vals[:n]...)
		vals = vals[n:]
		slices.SortStableFunc(s.vals, func(a, b Value) int { return cmp.Compare(a.Tag, b.Tag) })
		b = binary.AppendVarint(b, ms-s.time)
		s.time = ms
		b = binary.AppendUvarint(b, uint64(n))
		last := 0
		for i := range s.vals {
			v := &s.vals[i]
			b = s.tags[v.Tag].append(b, v.Tag-last, v)
			last = v.Tag
		}
	}
	return b
}

// append writes an entry whose tag is so many behind the one before.
func (m *memory) append(b []byte, behind int, v *Value) []byte {
	head := uint64(behind) << entryFlags
	if v.Quality != m.quality {
		head |= requalify
	}
	k, whole := int64(0), false
	if m.text {
		whole = v.Text == m.last
	} else {
		k, whole = m.scale.multiple(v.Number)
	}
	if !whole {
		head |= otherwise
	}
	b = binary.AppendUvarint(b, head)
	if v.Quality != m.quality {
		b = binary.AppendUvarint(b, uint64(v.Quality))
		m.quality = v.Quality
	}
	switch {
	case m.text && whole:
	case m.text:
		b = appendText(b, v.Text)
		m.last = v.Text
	case whole:
		b = binary.AppendVarint(b, k-m.k)
		m.k = k
	default: // numbers that are near have their first bytes in common
		x := math.Float64bits(v.Number)
		b = binary.AppendUvarint(b, bits.ReverseBytes64(x^m.bits))
		m.bits = x
	}
	return b
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}
