package disk

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

func TestNewest(t *testing.T) {
	dir := t.TempDir()
	if at := Newest(dir, filepath.Join(dir, "none")); !at.IsZero() {
		t.Errorf("an empty folder is of %v", at)
	}
	want := time.Now().Add(48 * time.Hour).Truncate(time.Second)
	if err := os.Mkdir(filepath.Join(dir, "deep"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, at := range map[string]time.Time{"old": time.Unix(1000, 0), "deep/new": want, "deep/older": want.Add(-time.Hour)} {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(name, at, at); err != nil {
			t.Fatal(err)
		}
	}
	if at := Newest(dir); !at.Equal(want) {
		t.Errorf("%v, want %v", at, want)
	}
	if at := Passed(dir); !at.IsZero() {
		t.Errorf("a clock that is right is doubted: %v", at)
	}
	synctest.Test(t, func(t *testing.T) { // it is the year 2000 here
		if at := Passed(dir); !at.Equal(want) {
			t.Errorf("a clock of 2000 is not doubted: %v", at)
		}
	})
	if now := NotBefore(want); !now.Equal(want) {
		t.Errorf("a clock of the past shows %v", now)
	}
	if now := NotBefore(time.Unix(1000, 0)); time.Since(now) > time.Minute {
		t.Errorf("a right clock shows %v", now)
	}
}
