package store

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

const cacheSize = 8 << 20

// options of Pebble. Values are packed already, so nothing is compressed twice;
// caches are small because chunks are read in runs.
func options(fsys vfs.FS, log *slog.Logger) *pebble.Options {
	o := &pebble.Options{
		FS:                          fsys,
		FormatMajorVersion:          pebble.FormatTableFormatV6,
		CacheSize:                   cacheSize,
		MemTableSize:                8 << 20,
		MemTableStopWritesThreshold: 4,
		L0CompactionThreshold:       4,
		L0StopWritesThreshold:       24,
		MaxOpenFiles:                256,
		CompactionConcurrencyRange:  func() (int, int) { return 1, 2 },
		FlushDelayDeleteRange:       30 * time.Second, // or the space of dropped batches never comes back
		Logger:                      logger{log},
	}
	o.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionNone })
	for i := range o.Levels {
		o.Levels[i].BlockSize = 32 << 10
	}
	for i := range o.TargetFileSizes {
		o.TargetFileSizes[i] = 4 << 20 << min(i, 4)
	}
	return o
}

// logger hands Pebble's messages to slog. Pebble calls Fatalf when a commit or
// its manifest could not be written; it cannot go on after that, and a fsync
// that failed is never repeated as if it could heal.
type logger struct{ log *slog.Logger }

func (l logger) Infof(string, ...any) {}

func (l logger) Errorf(format string, args ...any) {
	l.log.Error("store engine", "err", fmt.Sprintf(format, args...))
}

func (l logger) Fatalf(format string, args ...any) {
	l.log.Error("store engine cannot go on, leaving", "err", fmt.Sprintf(format, args...))
	os.Exit(1)
}

// openEngine opens the database in dir, and says in one line why it cannot.
func openEngine(dir string, fsys vfs.FS, log *slog.Logger) (*pebble.DB, error) {
	if err := fsys.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("store: cannot make the folder: %w", err)
	}
	db, err := pebble.Open(dir, options(fsys, log))
	if err == nil {
		return db, nil
	}
	abs, _ := filepath.Abs(dir)
	switch text := err.Error(); {
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EACCES) && strings.Contains(text, "lock"),
		strings.Contains(text, "lock held by current process"):
		return nil, fmt.Errorf("store: %s: %w: stop the other one or use another folder", abs, ErrInUse)
	case strings.Contains(text, "unknown format major version"):
		return nil, fmt.Errorf("store: %s: %w", abs, ErrNewer)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return nil, fmt.Errorf("store: %s: the folder is not writable: %w", abs, err)
	case pebble.IsCorruptionError(err):
		return nil, fmt.Errorf("store: %s: %w: %w; keep the folder aside and restore the last backup", abs, ErrDamaged, err)
	}
	return nil, fmt.Errorf("store: %s: %w", abs, err)
}
