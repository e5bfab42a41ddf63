package spare

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"millwright/plant/disk"
)

// retiredFile says, in the data folder of an edge, that another box is that edge.
const retiredFile = "retired"

// Retire keeps that this box is retired, so that it does not start without having
// asked the plant.
func Retire(data, why string) error {
	if err := os.MkdirAll(data, 0o700); err != nil {
		return err
	}
	return disk.Replace(filepath.Join(data, retiredFile), []byte(why+"\n"), 0o600)
}

// Retired says why this box is retired, or nothing.
func Retired(data string) (string, error) {
	b, err := os.ReadFile(filepath.Join(data, retiredFile))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(b)), err
}

// Unretire forgets it: the plant takes the box for the edge again.
func Unretire(data string) error {
	err := os.Remove(filepath.Join(data, retiredFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
