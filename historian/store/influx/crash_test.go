package influx_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"millwright/historian/store"
	"millwright/historian/store/influx"
	"millwright/historian/store/influx/influxtest"
	"millwright/plant"
)

// patience is for machines that do much else.
const patience = 3 * time.Minute

// writers append without a pause, each to a tag of its own, and remember what
// was confirmed. What fails is given again, as ingest does.
type writers struct {
	store *influx.Store
	ids   []plant.TagID
	mu    sync.Mutex
	kept  [][]plant.Sample // confirmed
	fails []error
	count int // appends confirmed

	end context.CancelFunc
	wg  sync.WaitGroup
}

// start runs two writers of batches that make several requests at once.
func start(t testing.TB, s *influx.Store) *writers {
	const n, tags, each = 2, 6, 1200
	w := &writers{store: s}
	list := make([]plant.Tag, n*tags)
	for i := range list {
		list[i] = plant.Tag{Path: fmt.Sprintf("K/%d", i)}
	}
	w.ids = intern(t, s, list...)
	w.kept = make([][]plant.Sample, len(w.ids))
	ctx, cancel := context.WithCancel(context.Background())
	w.end = cancel
	for k := range n {
		w.wg.Go(func() {
			at := base
			for number := uint64(1); ctx.Err() == nil; number++ {
				var b plant.Batch
				for range each {
					at += ms
					for i := range tags {
						b.Samples = append(b.Samples, plant.Sample{Tag: w.ids[k*tags+i], Time: at, Value: float64(at/ms*2654435761%1e9) / 7})
					}
				}
				mark := store.Mark{Edge: fmt.Sprint("e", k), Epoch: 1, Number: number}
				for {
					err := s.Append(context.Background(), b, []store.Mark{mark})
					w.mu.Lock()
					if err == nil {
						w.count++
						for _, x := range b.Samples {
							w.kept[x.Tag-w.ids[0]] = append(w.kept[x.Tag-w.ids[0]], x)
						}
						w.mu.Unlock()
						break
					}
					w.fails = append(w.fails, err)
					w.mu.Unlock()
					if ctx.Err() != nil {
						return
					}
					time.Sleep(20 * time.Millisecond)
				}
			}
		})
	}
	return w
}

// more waits until so many appends more are confirmed.
func (w *writers) more(t testing.TB, n int) {
	t.Helper()
	w.mu.Lock()
	from := w.count
	w.mu.Unlock()
	eventually(t, "appends are confirmed", patience, func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.count >= from+n
	})
}

func (w *writers) stop() {
	w.end()
	w.wg.Wait()
}

// complete holds what was confirmed against what is there. What is there beyond
// it was given and not confirmed.
func (w *writers) complete(t testing.TB, s *influx.Store) {
	t.Helper()
	lost, kept := 0, 0
	for i, id := range w.ids {
		there := map[int64]plant.Sample{}
		for _, x := range scan(t, s, id) {
			there[x.Time] = x
		}
		for _, x := range w.kept[i] {
			kept++
			if there[x.Time] != x {
				lost++
			}
		}
	}
	if lost > 0 {
		t.Errorf("%d of %d confirmed samples are not there", lost, kept)
	}
	t.Logf("%d samples confirmed and there, %d appends failed", kept, len(w.fails))
}

// A server that is killed in the middle of requests has what it confirmed.
func testKill(t *testing.T, server *influxtest.Server) {
	dir := t.TempDir()
	s := open(t, server.URL, dir, nil)
	w := start(t, s)
	w.more(t, 4)
	server.Kill(t)
	server.Restart(t)
	w.more(t, 2)
	w.stop()
	if len(w.fails) == 0 {
		t.Error("no append failed: nothing was killed in time")
	}
	for _, err := range w.fails {
		if !strings.Contains(err.Error(), "see that it runs") {
			t.Errorf("an error without what to do: %v", err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, server.URL, dir, nil)
	defer s.Close()
	w.complete(t, s)
}

// A login that stops to be valid is an error that says so, and one that is
// mended goes on.
func TestLogin(t *testing.T) {
	t.Parallel()
	server := influxtest.Start(t, influxtest.Options{User: "root", Password: "pass"})
	dir := t.TempDir()
	f := func(token string) {
		t.Helper()
		_, err := influx.Open(config(t, server.URL, dir, func(c *influx.Config) { c.Token = token }))
		if err == nil || !strings.Contains(err.Error(), "check the token") {
			t.Errorf("with %q: %v", token, err)
		}
	}
	f("")
	nobody := func(token string) {
		t.Helper()
		_, err := influx.Open(config(t, server.URL, dir, func(c *influx.Config) { c.Token = token }))
		if err == nil || !strings.Contains(err.Error(), "make the database") {
			t.Errorf("with %q: %v", token, err)
		}
	}
	f("root:wrong")
	f("nobody:pass")
	server.Query(t, "", `CREATE USER "mill" WITH PASSWORD 'first'`)
	nobody("mill:first") // no database yet
	server.Query(t, "", `CREATE DATABASE "`+database(dir)+`"`)
	f("mill:first")
	server.Query(t, "", `GRANT ALL ON "`+database(dir)+`" TO "mill"`)
	s := open(t, server.URL, dir, func(c *influx.Config) { c.Token = "mill:first" }) // not an administrator
	defer s.Close()
	id := intern(t, s, plant.Tag{Path: "A"})[0]
	b := plant.Batch{Samples: []plant.Sample{{Tag: id, Time: base, Value: 1}, {Tag: id, Time: base + second, Value: 2}}}
	appendAll(t, s, b)
	if err := s.Delete(context.Background(), plant.Range{Tag: id, From: base, To: base + second}); err != nil {
		t.Error(err)
	}
	if got := scan(t, s, id); !slices.Equal(got, b.Samples[1:]) {
		t.Errorf("%+v", got)
	}
	server.Query(t, "", `SET PASSWORD FOR "mill" = 'second'`)
	err := s.Append(context.Background(), b, nil)
	if err == nil || !strings.Contains(err.Error(), "check the token") {
		t.Errorf("after the password changed: %v", err)
	}
	server.Query(t, "", `SET PASSWORD FOR "mill" = 'first'`)
	appendAll(t, s, b)
	if got := scan(t, s, id); !slices.Equal(got, b.Samples) {
		t.Errorf("%+v", got)
	}
}

// A disk that is full is said so, loses nothing, and goes on when there is space
// again and influxd was started anew: 1.8 does not write to a log again that it
// once failed to write. It needs a file system of its own.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=40m"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("a small file system cannot be mounted: %v", err)
		}
		t.Skipf("a small file system cannot be mounted: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, 0) })
	server := influxtest.Start(t, influxtest.Options{Dir: dir})
	s := open(t, server.URL, t.TempDir(), nil)
	defer s.Close()
	w := start(t, s)
	w.more(t, 1)
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		t.Fatal(err)
	}
	ballast := filepath.Join(dir, "ballast")
	// Less than the next second needs; what is written meanwhile may take it all.
	if err := os.WriteFile(ballast, make([]byte, max(0, int64(fs.Bavail)*fs.Bsize-(1<<20))), 0o600); err != nil && !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	eventually(t, "the disk is full", patience, func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return len(w.fails) > 3
	})
	w.mu.Lock()
	err := w.fails[len(w.fails)-1]
	w.mu.Unlock()
	if !errors.Is(err, store.ErrDiskFull) || !strings.Contains(err.Error(), "free space") {
		t.Errorf("got %v", err)
	}
	if s.Stats().Refused == 0 {
		t.Error("refusals are not counted")
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	server.Kill(t)
	server.Restart(t)
	w.more(t, 2)
	w.stop()
	w.complete(t, s)
}
