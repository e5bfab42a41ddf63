package store

import (
	"encoding/binary"
	"errors"
	"math"
	"time"

	"millwright/plant"
)

// The samples of a batch as they came, until all their tags are in chunks:
// about 10 bytes a sample, quick to write, in the order of arrival. Texts, gaps
// and record numbers have keys of their own.

const incomingVersion = 1

const ms = int64(time.Millisecond)

var errIncoming = errors.New("damaged batch")

// appendIncoming writes the columns tag, time, quality (runs) and value.
func appendIncoming(dst []byte, samples []plant.Sample) []byte {
	dst = append(dst, incomingVersion)
	dst = binary.AppendUvarint(dst, uint64(len(samples)))
	tag := int64(0)
	for i := range samples {
		dst = appendSmall(dst, int64(samples[i].Tag)-tag)
		tag = int64(samples[i].Tag)
	}
	at := int64(0)
	for i := range samples {
		t := plant.Millis(samples[i].Time) / ms
		dst = appendSmall(dst, t-at)
		at = t
	}
	for i := 0; i < len(samples); {
		j := i + 1
		for j < len(samples) && samples[j].Quality == samples[i].Quality {
			j++
		}
		dst = binary.AppendUvarint(dst, uint64(j-i))
		dst = binary.LittleEndian.AppendUint32(dst, uint32(samples[i].Quality))
		i = j
	}
	for i := range samples {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(samples[i].Value))
	}
	return dst
}

// appendSmall is AppendVarint with the common case in line.
func appendSmall(dst []byte, v int64) []byte {
	if u := uint64(v<<1) ^ uint64(v>>63); u < 0x80 {
		return append(dst, byte(u))
	}
	return binary.AppendVarint(dst, v)
}

// parseIncoming appends the samples of a batch to dst.
func parseIncoming(dst []plant.Sample, b []byte) ([]plant.Sample, error) {
	if len(b) == 0 || b[0] != incomingVersion {
		return dst, errIncoming
	}
	n, k := binary.Uvarint(b[1:])
	if k <= 0 || n > uint64(len(b))/10 { // a sample takes 10 bytes at least
		return dst, errIncoming
	}
	b = b[1+k:]
	start := len(dst)
	tag := int64(0)
	for range n {
		d, k := binary.Varint(b)
		if tag += d; k <= 0 || tag < 0 || tag > math.MaxUint32 {
			return dst[:start], errIncoming
		}
		b = b[k:]
		dst = append(dst, plant.Sample{Tag: plant.TagID(tag)})
	}
	in := dst[start:]
	at := int64(0)
	for i := range in {
		d, k := binary.Varint(b)
		if at += d; k <= 0 || at < math.MinInt64/ms || at > math.MaxInt64/ms {
			return dst[:start], errIncoming
		}
		b = b[k:]
		in[i].Time = at * ms
	}
	for i := 0; i < len(in); {
		run, k := binary.Uvarint(b)
		if k <= 0 || len(b) < k+4 || run == 0 || run > uint64(len(in)-i) {
			return dst[:start], errIncoming
		}
		q := plant.Quality(binary.LittleEndian.Uint32(b[k:]))
		b = b[k+4:]
		for range run {
			in[i].Quality = q
			i++
		}
	}
	if len(b) != 8*len(in) {
		return dst[:start], errIncoming
	}
	for i := range in {
		in[i].Value = math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
	}
	return dst, nil
}
