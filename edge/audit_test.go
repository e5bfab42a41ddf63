package edge

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestAuditFollowsFiles: whole lines are read once, a file that was begun anew is read
// to its end under its other name.
func TestAuditFollowsFiles(t *testing.T) {
	name := filepath.Join(t.TempDir(), "audit.log")
	write := func(file, text string) {
		t.Helper()
		f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
	}
	at := int64(0)
	next := func(want ...string) {
		t.Helper()
		lines, to, err := newLines(name, at)
		if err != nil || !slices.Equal(lines, want) {
			t.Fatalf("%q, %v, want %q", lines, err, want)
		}
		at = to
	}
	if _, _, err := newLines(name, 0); err == nil {
		t.Error("a file that is not there was read")
	}
	write(name, "one\ntwo\nthr")
	next("one", "two")
	next()
	write(name, "ee\n")
	next("three")
	write(name, "four\n")
	if err := os.Rename(name, name+".old"); err != nil {
		t.Fatal(err)
	}
	write(name, "a\n")
	next("four")
	next("a")
	write(name, strings.Repeat("x", auditRead+5))
	if lines, to, err := newLines(name, at); err != nil || len(lines) != 1 || to != at+auditRead {
		t.Errorf("%d lines up to %d, %v", len(lines), to, err)
	}
}

func TestStepped(t *testing.T) {
	now := time.Now()
	if d := stepped(now, now.Add(time.Minute)); d != 0 {
		t.Errorf("a minute that passed is a step of %v", d)
	}
}
