package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestR25Twins starts a second box with the identity of the first (R25), with a queue
// of its own and then with a copy of the first one's. The plant says so, and keeps what
// both send.
func TestR25Twins(t *testing.T) {
	n := times(t, 0)
	l := newLine(t)
	l.busy()
	for i := range n {
		name := fmt.Sprintf("edge%d", i)
		if i%2 == 1 { // cloned while it ran
			if err := os.CopyFS(filepath.Join(l.dir, name), os.DirFS(filepath.Join(l.dir, "edge"))); err != nil {
				t.Log("the copy is one of files that change:", err)
			}
		}
		b, err := os.ReadFile(filepath.Join(l.dir, "edge.toml"))
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(l.dir, name+".toml")
		writeFile(t, file, strings.Replace(string(b), `data = "edge"`, fmt.Sprintf("data = %q", name), 1))
		twin := start(t, "twin", binary, "run", "-c", file)
		eventually(t, 60*time.Second, "the plant says that two boxes are one", func() bool {
			return slices.ContainsFunc(l.api.alarms(), func(a alarmJSON) bool { return a.Title == "Two boxes are one edge" })
		})
		time.Sleep(5 * time.Second)
		twin.stop()
		l.waitLive(60 * time.Second)
	}
	l.well(n, 60*time.Second)
}
