package collector

import (
	"encoding/binary"
	"hash/crc32"
	"os"
)

// markSuffix names the small file beside the state file that says how far the
// server was told to forget. It is written before each acknowledgement, without
// waiting for the disk: a killed process leaves it in the page cache, and after
// a power cut an older mark only means that a gap is declared too early.
const markSuffix = ".ack"

const markSize = 16

type mark struct {
	file *os.File
}

func openMark(name string) (*mark, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, secretMode)
	if err != nil {
		return nil, err
	}
	return &mark{file: f}, nil
}

// set notes that all notifications of the subscription made at `since` up to
// number n are durable and will be acknowledged. (Servers hand out the same
// subscription ids again after a restart; the time is unique.)
func (m *mark) set(since int64, n uint32) error {
	if m == nil {
		return nil
	}
	var b [markSize]byte
	binary.LittleEndian.PutUint64(b[0:], uint64(since))
	binary.LittleEndian.PutUint32(b[8:], n)
	binary.LittleEndian.PutUint32(b[12:], crc32.Checksum(b[:12], castagnoli))
	_, err := m.file.WriteAt(b[:], 0)
	return err
}

func (m *mark) close() error {
	if m == nil {
		return nil
	}
	return m.file.Close()
}

// readMark gives the number noted for the subscription made at `since`, if
// there is one.
func readMark(name string, since int64) (uint32, bool) {
	b, err := os.ReadFile(name)
	if err != nil || len(b) != markSize || crc32.Checksum(b[:12], castagnoli) != binary.LittleEndian.Uint32(b[12:]) {
		return 0, false
	}
	return binary.LittleEndian.Uint32(b[8:]), binary.LittleEndian.Uint64(b) == uint64(since)
}
