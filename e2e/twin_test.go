package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestR25Twins starts a second box with the identity of the first (R25), in turns with
// a queue of its own and with a copy of the first one's. The plant says so, and keeps
// what both send.
func TestR25Twins(t *testing.T) {
	for i := range times(t, 0) {
		t.Run([]string{"box", "clone"}[i%2], func(t *testing.T) { twins(t, i%2 == 1) })
	}
}

func twins(t *testing.T, cloned bool) {
	l := newLine(t)
	l.busy()
	if cloned { // the image of a disk, not files that change while they are copied
		l.works.edge.freeze()
		if err := os.CopyFS(filepath.Join(l.dir, "twin"), os.DirFS(filepath.Join(l.dir, "edge"))); err != nil {
			t.Fatal(err)
		}
		l.works.edge.thaw()
	}
	file := filepath.Join(l.dir, "twin.toml")
	writeFile(t, file, strings.Replace(mustRead(t, filepath.Join(l.dir, "edge.toml")), `data = "edge"`, `data = "twin"`, 1))
	twin := start(t, "twin", binary, "run", "-c", file)
	eventually(t, 60*time.Second, "the plant says that two boxes are one", func() bool {
		return slices.ContainsFunc(l.api.alarms(), func(a alarmJSON) bool { return a.Title == "Two boxes are one edge" })
	})
	time.Sleep(5 * time.Second)
	if n := twin.lines("damage"); n > 0 {
		t.Errorf("the clone began with a damaged queue: nothing was cloned\n%s", twin.text())
	}
	twin.stop()
	l.waitLive(60 * time.Second)
	l.well(1, 60*time.Second)
}
