package queue

import (
	"encoding/binary"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"millwright/sparkplug"
)

// Keys: see FORMAT.md.
var (
	metaFormat  = []byte("mformat")
	metaOpening = []byte("mopening")
)

// First bytes of keys.
const (
	epochPrefix  = 'e'
	tagPrefix    = 't'
	recordPrefix = 'r'
	packPrefix   = 'p'
	indexPrefix  = 'x'
	bookPrefix   = 'b'
	rowPrefix    = 'k'
)

func epochKey(opening uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{epochPrefix}, opening)
}

func tagKey(id uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{tagPrefix}, id)
}

// placeKey is the key of a record, or of a pack or its index by the last of its
// records.
func placeKey(prefix byte, lane Lane, opening uint32, number uint64) []byte {
	k := make([]byte, 0, 14)
	k = append(k, prefix, byte(lane))
	k = binary.BigEndian.AppendUint32(k, opening)
	return binary.BigEndian.AppendUint64(k, number)
}

// partBytes of a pack stand under one key: looking for the bit that turned in a
// damaged block costs Pebble the square of its size.
const partBytes = 32 << 10

func partKey(lane Lane, opening uint32, last uint64, part int) []byte {
	return append(placeKey(packPrefix, lane, opening, last), byte(part))
}

// setPack puts a pack and its index into a batch.
func setPack(b *pebble.Batch, lane Lane, opening uint32, x *index, pack []byte) {
	last := x.numbers[len(x.numbers)-1].Last
	i := 0
	for part := range slices.Chunk(pack, partBytes) {
		_ = b.Set(partKey(lane, opening, last, i), part, nil)
		i++
	}
	_ = b.Set(placeKey(indexPrefix, lane, opening, last), x.append(nil), nil)
}

func recordKey(lane Lane, opening uint32, number uint64) []byte {
	return placeKey(recordPrefix, lane, opening, number)
}

func parsePlaceKey(k []byte) (lane Lane, opening uint32, number uint64, ok bool) {
	if len(k) != 14 || k[1] >= Lanes {
		return 0, 0, 0, false
	}
	return Lane(k[1]), binary.BigEndian.Uint32(k[2:]), binary.BigEndian.Uint64(k[6:]), true
}

func one(n uint64) sparkplug.Span { return sparkplug.Span{First: n, Last: n} }
