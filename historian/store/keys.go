package store

import (
	"encoding/binary"
	"time"

	"millwright/plant"
)

// First byte of every key; FORMAT.md has the rest. Numbers in keys are
// big-endian, signed ones with the sign bit flipped, so that they sort.
const (
	prefixFormat   = '!' // version of this layout
	prefixAssets   = 'a'
	prefixChunk    = 'c' // chunks of a tag and day that follow each other in time
	prefixGap      = 'g'
	prefixTally    = 'k' // what the records of some blocks carried
	prefixIncoming = 'i' // batches not yet in chunks
	prefixLate     = 'l' // chunks that came behind the end of those
	prefixMark     = 'm' // committed record numbers
	prefixMarkDay  = 'n' // per epoch: day of its last record
	prefixState    = 's'
	prefixTag      = 't'
	prefixWaveform = 'v'
	prefixCut      = 'w' // per tag: through which batch it is in chunks, and its last sample
)

// classRaw is the only retention class so far.
const classRaw = 0

const day = int64(24 * time.Hour)

// dayOf is the UTC day of a time; days before 1970 are negative.
func dayOf(t int64) int32 {
	d := t / day
	if t%day < 0 {
		d--
	}
	return int32(d)
}

func appendTime(k []byte, t int64) []byte {
	return binary.BigEndian.AppendUint64(k, uint64(t)^1<<63)
}

func keyTime(k []byte) int64 { return int64(binary.BigEndian.Uint64(k) ^ 1<<63) }

// chunkPrefix is that of the chunks of one tag and day.
func chunkPrefix(k []byte, prefix byte, d int32, tag plant.TagID) []byte {
	k = append(k[:0], prefix, classRaw)
	k = binary.BigEndian.AppendUint32(k, uint32(d)^1<<31)
	return binary.BigEndian.AppendUint32(k, uint32(tag))
}

const chunkPrefixLen = 1 + 1 + 4 + 4

func chunkKey(k []byte, prefix byte, tag plant.TagID, first int64, seq uint64) []byte {
	k = chunkPrefix(k, prefix, dayOf(first), tag)
	k = appendTime(k, first)
	return binary.BigEndian.AppendUint64(k, seq)
}

// parseChunkKey takes a key of either chunk prefix apart.
func parseChunkKey(k []byte) (d int32, tag plant.TagID, first int64, seq uint64, ok bool) {
	if len(k) != chunkPrefixLen+16 {
		return 0, 0, 0, 0, false
	}
	return int32(binary.BigEndian.Uint32(k[2:]) ^ 1<<31), plant.TagID(binary.BigEndian.Uint32(k[6:])),
		keyTime(k[10:]), binary.BigEndian.Uint64(k[18:]), true
}

// tagKey is a prefix and a tag: states and gaps continue it, metadata and cut
// records end there.
func tagKey(k []byte, prefix byte, tag plant.TagID) []byte {
	return binary.BigEndian.AppendUint32(append(k[:0], prefix), uint32(tag))
}

func stateKey(k []byte, tag plant.TagID, t int64) []byte {
	return appendTime(tagKey(k, prefixState, tag), t)
}

func waveformKey(k []byte, tag plant.TagID, t int64) []byte {
	return appendTime(tagKey(k, prefixWaveform, tag), t)
}

func gapKey(k []byte, g *plant.Gap) []byte {
	k = appendTime(tagKey(k, prefixGap, g.Tag), g.From)
	k = appendTime(k, g.To)
	return append(k, g.Reason...)
}

func incomingKey(k []byte, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(append(k[:0], prefixIncoming), seq)
}

// markKey is that of the range of record numbers that starts at first.
func markKey(k []byte, edge string, epoch, first uint64) []byte {
	k = append(append(k[:0], prefixMark, byte(len(edge))), edge...)
	k = binary.BigEndian.AppendUint64(k, epoch)
	return binary.BigEndian.AppendUint64(k, first)
}

func parseMarkKey(k []byte) (edge string, epoch, first uint64, ok bool) {
	if len(k) < 2 || len(k) != 2+int(k[1])+16 {
		return "", 0, 0, false
	}
	n := 2 + int(k[1])
	return string(k[2:n]), binary.BigEndian.Uint64(k[n:]), binary.BigEndian.Uint64(k[n+8:]), true
}

// markDayKey is that of the day of an epoch's last record.
func markDayKey(k []byte, edge string, epoch uint64) []byte {
	k = append(append(k[:0], prefixMarkDay, byte(len(edge))), edge...)
	return binary.BigEndian.AppendUint64(k, epoch)
}

func parseMarkDayKey(k []byte) (edge string, epoch uint64, ok bool) {
	if len(k) < 2 || len(k) != 2+int(k[1])+8 {
		return "", 0, false
	}
	n := 2 + int(k[1])
	return string(k[2:n]), binary.BigEndian.Uint64(k[n:]), true
}

// after is the first key behind all that start with k.
func after(k []byte) []byte {
	for i := len(k) - 1; i >= 0; i-- {
		if k[i] != 0xFF {
			out := append([]byte(nil), k[:i+1]...)
			out[i]++
			return out
		}
	}
	return nil
}
