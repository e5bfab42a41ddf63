package bundle

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// entry is a file of the archive.
type entry struct {
	name string
	data []byte
}

// Signatures and sizes of a zip archive (APPNOTE 4.3.7, 4.3.12, 4.3.16).
const (
	sigLocal   = 0x04034b50
	sigCentral = 0x02014b50
	sigEnd     = 0x06054b50
	lenLocal   = 30
	maxEntries = 1 + 2*maxModes + 1 + maxPlots
)

// pack writes a zip archive whose bytes depend on the entries alone: they are
// stored, in their order, without times and without extra fields. The writer of
// the standard library promises no such thing from release to release.
func pack(entries []entry) []byte {
	var out, central []byte
	le := binary.LittleEndian
	for _, e := range entries {
		offset := uint32(len(out))
		common := le.AppendUint16(nil, 10)  // version needed
		common = le.AppendUint16(common, 0) // flags
		common = le.AppendUint16(common, 0) // stored
		common = le.AppendUint32(common, 0x00210000)
		common = le.AppendUint32(common, crc32.ChecksumIEEE(e.data))
		common = le.AppendUint32(common, uint32(len(e.data)))
		common = le.AppendUint32(common, uint32(len(e.data)))
		common = le.AppendUint16(common, uint16(len(e.name)))
		common = le.AppendUint16(common, 0) // extra

		out = le.AppendUint32(out, sigLocal)
		out = append(out, common...)
		out = append(out, e.name...)
		out = append(out, e.data...)

		central = le.AppendUint32(central, sigCentral)
		central = le.AppendUint16(central, 10) // made by
		central = append(central, common...)
		central = append(central, make([]byte, 10)...) // comment, disk, attributes
		central = le.AppendUint32(central, offset)
		central = append(central, e.name...)
	}
	start := uint32(len(out))
	out = append(out, central...)
	out = le.AppendUint32(out, sigEnd)
	out = le.AppendUint32(out, 0) // disks
	out = le.AppendUint16(out, uint16(len(entries)))
	out = le.AppendUint16(out, uint16(len(entries)))
	out = le.AppendUint32(out, uint32(len(central)))
	out = le.AppendUint32(out, start)
	return le.AppendUint16(out, 0) // comment
}

// unpack reads what pack wrote, and nothing else: the entries that the local
// headers name must make the same bytes again. The data are parts of b.
func unpack(b []byte) ([]entry, error) {
	if len(b) > MaxSize {
		return nil, fmt.Errorf("%d bytes: at most %d", len(b), MaxSize)
	}
	var entries []entry
	for rest := b; len(rest) >= lenLocal && binary.LittleEndian.Uint32(rest) == sigLocal; {
		size := uint64(binary.LittleEndian.Uint32(rest[18:]))
		name := uint64(binary.LittleEndian.Uint16(rest[26:]))
		if lenLocal+name+size > uint64(len(rest)) || name > maxName {
			return nil, fmt.Errorf("archive: entry %d is cut off", len(entries))
		}
		if len(entries) == maxEntries {
			return nil, fmt.Errorf("archive: more than %d entries", maxEntries)
		}
		entries = append(entries, entry{
			name: string(rest[lenLocal : lenLocal+name]),
			data: rest[lenLocal+name : lenLocal+name+size : lenLocal+name+size],
		})
		rest = rest[lenLocal+name+size:]
	}
	if len(entries) == 0 {
		return nil, fmt.Errorf("archive: %d bytes that hold no entry", len(b))
	}
	if !bytes.Equal(pack(entries), b) {
		return nil, fmt.Errorf("archive: damaged, or not written by millwright")
	}
	return entries, nil
}
