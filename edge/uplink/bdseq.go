package uplink

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"millwright/plant/disk"
)

// bdSeq counts connections from 0 to 255 and round again, across restarts of
// the process: host and edge tell the Will of this connection from that of an
// earlier one by it (tck-id-topics-nbirth-bdseq-increment).
type bdSeq struct {
	path string
	last int // -1 before the first
}

// openBdSeq reads the last number. A file that cannot be understood begins the
// count anew: a wrong number does no harm but to look like an earlier Will.
func openBdSeq(dir string) (*bdSeq, error) {
	if dir == "" {
		return nil, errors.New("no folder for the connection number given")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("connection number: %w", err)
	}
	n := &bdSeq{path: filepath.Join(dir, "bdseq"), last: -1}
	b, err := os.ReadFile(n.path)
	if errors.Is(err, os.ErrNotExist) {
		return n, nil
	}
	if err != nil {
		return nil, fmt.Errorf("connection number: %w", err)
	}
	if v, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 8); err == nil {
		n.last = int(v)
	}
	return n, nil
}

// next is the number of the next CONNECT, on disk before it is used.
func (n *bdSeq) next() (uint8, error) {
	v := uint8(n.last + 1)
	if err := disk.Replace(n.path, []byte(strconv.Itoa(int(v))+"\n"), 0o600); err != nil {
		return 0, fmt.Errorf("connection number: %w", err)
	}
	n.last = int(v)
	return v, nil
}
