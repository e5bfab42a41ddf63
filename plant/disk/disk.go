// Package disk writes small files that must survive a kill or a power cut.
package disk

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Replace writes a file so that a crash leaves the old content or the new one:
// the content is written beside it, synced and moved into place, and the folder
// is synced.
func Replace(name string, b []byte, mode fs.FileMode) error {
	return ReplaceBy(name, mode, func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
}

// ReplaceBy is Replace for content that is not in memory as a whole. Where write
// fails, the old content stays.
func ReplaceBy(name string, mode fs.FileMode, write func(io.Writer) error) error {
	tmp := name + ".new"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(tmp, name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	dir, err := os.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
