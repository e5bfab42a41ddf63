package disk

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

func TestReplace(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	for _, want := range []string{"first, and longer", "second"} {
		if err := Replace(name, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(name)
		if err != nil || string(got) != want {
			t.Errorf("%q, %v", got, err)
		}
	}
	full := errors.New("full")
	if err := ReplaceBy(name, 0o600, func(w io.Writer) error {
		_, _ = w.Write([]byte("half of"))
		return full
	}); !errors.Is(err, full) {
		t.Error(err)
	}
	if got, err := os.ReadFile(name); err != nil || string(got) != "second" {
		t.Errorf("%q, %v after a write that failed", got, err)
	}
	st, err := os.Stat(name)
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Error(st.Mode(), err)
	}
	if left, _ := filepath.Glob(name + ".*"); len(left) != 0 {
		t.Error("left behind:", left)
	}
	if err := Replace(filepath.Join(name, "below a file"), nil, 0o600); err == nil {
		t.Error("written below a file")
	}
	// What cannot be moved into place leaves the old one alone.
	folder := filepath.Join(t.TempDir(), "folder")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Replace(folder, []byte("x"), 0o600); err == nil {
		t.Error("a folder was replaced")
	}
	if left, _ := filepath.Glob(folder + ".*"); len(left) != 0 {
		t.Error("left behind:", left)
	}
}
