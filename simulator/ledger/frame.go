package ledger

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// magic begins a sample log. The line end shows what a transfer as text does to it.
const magic = "MWSMPL1\n"

// A frame is 4 bytes of length and its check, 4 bytes of CRC-32C, and the body.
const (
	frameHead = 8
	mostBody  = 1<<24 - 1
)

// Kinds of frames: the first byte of the body.
const (
	tableFrame  = 1
	sampleFrame = 2
)

// Kinds of tags in a table.
const (
	numberTag = 0
	textTag   = 1
	burstTag  = 2
)

// Flags of an entry, in the low bits of its head.
const (
	otherwise  = 1 // a value that is no multiple; a text that has changed
	requalify  = 2 // the quality has changed
	entryFlags = 2 // bits
)

// frame appends a frame with the body that fill appends.
func frame(b []byte, kind byte, fill func([]byte) []byte) ([]byte, error) {
	start := len(b)
	b = append(b, make([]byte, frameHead)...)
	b = fill(append(b, kind))
	body := b[start+frameHead:]
	if len(body) > mostBody {
		return b[:start], errors.New("a frame would be larger than 16 MiB: write fewer values at once")
	}
	head := b[start : start+frameHead]
	binary.LittleEndian.PutUint32(head, uint32(len(body)))
	head[3] = lengthCheck(head)
	binary.LittleEndian.PutUint32(head[4:], checksum(body))
	return b, nil
}

// lengthCheck tells a torn frame from a length that has been damaged.
func lengthCheck(head []byte) byte { return 0xA5 ^ head[0] ^ head[1] ^ head[2] }

func checksum(body []byte) uint32 { return crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)) }

// bodyLength reads the head of a frame.
func bodyLength(head []byte) (int, error) {
	n := int(head[0]) | int(head[1])<<8 | int(head[2])<<16
	if head[3] != lengthCheck(head) || n == 0 {
		return 0, errors.New("the length of a frame is damaged")
	}
	return n, nil
}
