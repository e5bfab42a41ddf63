package export

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
)

// tally counts and hashes what goes through it, and stops at a limit.
type tally struct {
	w     *bufio.Writer
	hash  hash.Hash
	n     int64
	limit int64 // 0: none
}

func newTally(w io.Writer, limit int64) *tally {
	return &tally{w: bufio.NewWriterSize(w, 256<<10), hash: sha256.New(), limit: limit}
}

// Write implements io.Writer.
func (t *tally) Write(b []byte) (int, error) {
	if t.limit > 0 && t.n+int64(len(b)) > t.limit {
		return 0, fmt.Errorf("%w: the file would be larger than %d MiB%s", ErrTooLarge, t.limit>>20, askForLess)
	}
	n, err := t.w.Write(b)
	t.hash.Write(b[:n])
	t.n += int64(n)
	return n, err
}

// sum is the SHA-256 of what was written so far, in hexadecimal.
func (t *tally) sum() string { return hex.EncodeToString(t.hash.Sum(nil)) }

func (t *tally) flush() error { return t.w.Flush() }
