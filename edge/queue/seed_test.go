package queue

import (
	"testing"

	"millwright/plant"
)

// TestSeed: tags keep the handles of another box over restarts, new ones come
// behind, and nobody else's handle is given away.
func TestSeed(t *testing.T) {
	dir := t.TempDir()
	q, err := Open(Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	want := []plant.Tag{{ID: 7, Path: "A/X"}, {ID: 3, Path: "A/Y", Kind: plant.Text}}
	if err := q.Seed("mill", want); err != nil {
		t.Fatal(err)
	}
	if err := q.Seed("mill", want); err != nil { // after a cut
		t.Errorf("once more: %v", err)
	}
	for _, bad := range []plant.Tag{{ID: 7, Path: "A/Z"}, {ID: 8, Path: "A/X"}, {ID: 0, Path: "B"}, {ID: 9}} {
		if err := q.Seed("mill", []plant.Tag{{ID: 20, Path: "C"}, bad}); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	if q, err = Open(Config{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	tags := []plant.Tag{{Path: "A/Y"}, {Path: "new"}, {Path: "A/X"}}
	if err := q.Intern("mill", tags); err != nil {
		t.Fatal(err)
	}
	if tags[0].ID != 3 || tags[1].ID != 8 || tags[2].ID != 7 {
		t.Errorf("%+v", tags)
	}
	if q.opening <= firstAfterDamage {
		t.Errorf("opening %d leaves no room for those of the old disk", q.opening)
	}
}
