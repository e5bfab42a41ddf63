package boxes

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"millwright/plant"
	"millwright/plant/checkpoint"
)

func open(t *testing.T, dir string) *Book {
	t.Helper()
	b := &Book{Dir: dir}
	if err := b.Open(); err != nil {
		t.Fatal(err)
	}
	return b
}

// made is a checkpoint of an edge, as a box sends it.
func made(t *testing.T, edge, box, learned string) []byte {
	t.Helper()
	c := &checkpoint.Checkpoint{Manifest: checkpoint.Manifest{Group: "works", Edge: edge, Box: box, Epoch: 7,
		Tags: []checkpoint.Tag{{Device: "mill", Tag: plant.Tag{ID: 1, Path: "A/B"}}}}}
	c.Add("data/models.state", []byte(learned))
	raw, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestWhoIsTheEdge goes through the life of two boxes, the record read anew after
// each step.
func TestWhoIsTheEdge(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	live := []plant.EdgeStatus{{Name: "hsm", State: "live"}}
	edges := func() []plant.EdgeStatus { return live }
	step := func(want error, f func(b *Book) error) {
		t.Helper()
		b := open(t, dir)
		b.Edges = edges
		if err := f(b); !errors.Is(err, want) {
			t.Fatalf("%v, want %v", err, want)
		}
	}
	save := func(box string) func(*Book) error {
		return func(b *Book) error { _, err := b.Save(ctx, box, made(t, "hsm", box, box)); return err }
	}
	may := func(box string) func(*Book) error {
		return func(b *Book) error { return b.May("works", "hsm", box) }
	}
	adopt := func(edge, box string, force bool) func(*Book) error {
		return func(b *Book) error { _, err := b.Adopt(ctx, edge, box, force); return err }
	}
	step(nil, may("a")) // nobody is it yet
	step(nil, save("a"))
	step(ErrOther, save("c"))
	step(ErrBad, func(b *Book) error { _, err := b.Save(ctx, "c", made(t, "hsm", "a", "")); return err })
	step(ErrBad, func(b *Book) error { _, err := b.Save(ctx, "a", []byte("MWCHKPT1")); return err })
	step(ErrUnknown, adopt("hms", "b", false))
	step(ErrAlive, adopt("hsm", "b", false))
	step(nil, save("a")) // a refused adoption changes nothing
	live = nil
	step(nil, adopt("hsm", "b", false))
	step(ErrRetired, may("a"))
	step(ErrRetired, save("a"))
	step(nil, save("b"))
	step(nil, adopt("works/hsm", "b", false)) // cut off and called again
	step(ErrRetired, may("a"))
	step(nil, func(b *Book) error { _, err := b.Save(ctx, "z", made(t, "bof", "z", "")); return err })
	step(ErrOther, adopt("bof", "b", true)) // one box, one edge
	step(ErrOther, func(b *Book) error { _, err := b.Release(ctx, "hsm", "z"); return err })
	step(nil, func(b *Book) error { _, err := b.Release(ctx, "hsm", "b"); return err })
	step(nil, may("a"))
	step(ErrOther, may("b"))

	live = []plant.EdgeStatus{{Name: "hsm", State: "live"}}
	step(nil, adopt("hsm", "b", true)) // told that it is alive
	step(ErrRetired, may("a"))
	step(nil, adopt("hsm", "a", true)) // and back again by adoption
	step(ErrRetired, may("b"))
	step(nil, may("a"))
	nodes, retired := open(t, dir).Accounts()
	if nodes["a"] != "works/hsm" || retired["b"] != "works/hsm" || len(nodes) != 2 || len(retired) != 1 {
		t.Errorf("%v %v", nodes, retired)
	}
}

// TestCheckpointsAreKept: a few of them, the last that can be read is given.
func TestCheckpointsAreKept(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	b := open(t, dir)
	for i := range 8 {
		e, err := b.Save(ctx, "a", made(t, "hsm", "a", strings.Repeat("x", i)))
		if err != nil || e.Number != int64(i+1) {
			t.Fatal(e, err)
		}
	}
	if e, err := b.Save(ctx, "a", made(t, "hsm", "a", strings.Repeat("x", 7))); err != nil || e.Number != 8 {
		t.Errorf("the same once more is number %d, %v", e.Number, err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "works", "hsm", "*.mwc"))
	if err != nil || len(files) != kept {
		t.Fatal(files, err)
	}
	if err := os.WriteFile(files[kept-1], []byte("bad block"), 0o600); err != nil {
		t.Fatal(err)
	}
	raw, _, err := open(t, dir).Load(ctx, "hsm")
	if err != nil {
		t.Fatal(err)
	}
	c, err := checkpoint.Decode(raw)
	if err != nil || len(c.Content("data/models.state")) != 6 {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(dir, recordFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (&Book{Dir: dir}).Open(); err == nil {
		t.Error("a damaged record was taken: a retired box could come back")
	}
}

// TestOldCheckpoint: an edge that delivers and sends no checkpoint is told once,
// and cleared when one comes.
func TestOldCheckpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := open(t, t.TempDir())
		told := make(chan plant.Phase, 9)
		b.Tell = func(_ context.Context, f plant.Finding) error { told <- f.Phase; return nil }
		b.Edges = func() []plant.EdgeStatus { return []plant.EdgeStatus{{Name: "hsm", State: "live"}} }
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); _ = b.Run(ctx) }()
		if _, err := b.Save(ctx, "a", made(t, "hsm", "a", "1")); err != nil {
			t.Fatal(err)
		}
		after := func(wait time.Duration, want plant.Phase, when string) {
			time.Sleep(wait)
			synctest.Wait()
			if n := len(told); n != 1 {
				t.Errorf("%s: told %d times", when, n)
			} else if p := <-told; p != want {
				t.Errorf("%s: %v", when, p)
			}
		}
		after(2*time.Hour, plant.Clear, "after two hours") // what an earlier process raised
		after(2*time.Hour, plant.Raise, "after four hours")
		if _, err := b.Save(ctx, "a", made(t, "hsm", "a", "2")); err != nil {
			t.Fatal(err)
		}
		after(2*time.Minute, plant.Clear, "after a fresh one")
		stop()
		<-done
	})
}
