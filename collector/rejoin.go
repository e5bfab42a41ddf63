package collector

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"millwright/plant"
	"millwright/plant/disk"
)

// Margins: what the values of a record may be older than the record, and how long a
// message that was lost on its way may go unnoticed, so that later ones are stored
// and it is not.
const (
	behindMargin = time.Minute
	flightMargin = 15 * time.Second
)

// Rejoin makes the state file of a PLC that another box wrote one of this box,
// before the first connection. The session and the subscription are that box's and
// are left to it; what the other box read last of a tag is what the plant has of
// it (ns UTC, by handle), so that the gap begins there, or shortly before. What the other box had
// made since behind (ns UTC, 0: nothing) may be missing in between, and is declared
// as well. Without a file nothing is done: the other box had not read the PLC.
func Rejoin(file string, last map[plant.TagID]int64, behind int64) error {
	s, err := readState(file)
	if s == nil || err != nil {
		return err
	}
	s.items, s.token, s.nonce, s.subscription, s.next, s.since = 0, nil, nil, 0, 0, 0
	for i := range s.tags {
		t := &s.tags[i]
		at, ok := last[t.id]
		if !ok {
			continue
		}
		at -= int64(flightMargin)
		if behind != 0 {
			at = min(at, behind-int64(behindMargin))
		}
		t.last = plant.Millis(at)
	}
	if err := os.Remove(file + markSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return disk.Replace(file, s.append(nil), secretMode)
}

// Own makes the certificate of a box that has none yet, in the folder of its
// certificates, and returns its file and SHA-256.
func Own(pki string) (file, sha256 string, err error) {
	id, err := ownIdentity(pki, "")
	if err != nil {
		return "", "", err
	}
	return filepath.Join(pki, ownDir, ownName+certSuffix), fingerprint(id.leaf()), nil
}
