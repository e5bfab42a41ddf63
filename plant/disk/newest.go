package disk

import (
	"io/fs"
	"path/filepath"
	"time"
)

// Newest is when a file below the folders was written last, zero where there is
// none. The present is no earlier, whatever a clock shows that has no battery.
func Newest(dirs ...string) (at time.Time) {
	for _, dir := range dirs {
		_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
			if err != nil { // what cannot be read says nothing
				return nil
			}
			if info, err := d.Info(); err == nil && info.Mode().IsRegular() && info.ModTime().After(at) {
				at = info.ModTime()
			}
			return nil
		})
	}
	return at
}

// Passed is Newest where the clock cannot be right, since it shows a year before
// this program. Elsewhere it is zero: a clock that was wrong once leaves files of the
// future, which must not count against one that is right.
func Passed(dirs ...string) time.Time {
	if time.Now().Year() >= born {
		return time.Time{}
	}
	return Newest(dirs...)
}

const born = 2026

// NotBefore is the time now, or the floor where the clock shows an earlier one.
func NotBefore(floor time.Time) time.Time {
	if now := time.Now(); now.After(floor) {
		return now
	}
	return floor
}
