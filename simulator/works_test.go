package simulator

import (
	"strings"
	"testing"

	"millwright/plant"
)

// reference is the whole works, which every test may step but none may change.
func reference(t testing.TB) Works {
	t.Helper()
	w, err := Reference()
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// Every sensor of the reference works has its tag and every tag what moves it.
func TestReferenceIsWired(t *testing.T) {
	w := reference(t)
	m, err := NewMill(w, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(m.channels)+len(m.points), len(w.Tags); got != want {
		t.Errorf("%d channels and accelerometers for %d tags", got, want)
	}
	lame := w
	lame.Tags = append([]plant.Tag{{Path: "HSM/FM/F3/GBX/NONSENSE", Asset: "HSM/FM/F3/GBX"}}, w.Tags[1:]...)
	_, err = NewMill(lame, 1, 1)
	if err == nil || !strings.Contains(err.Error(), "HSM/FM/F3/GBX/NONSENSE has no sensor") || !strings.Contains(err.Error(), w.Tags[0].Path+" has no tag") {
		t.Errorf("a works with a tag too many and one too few: %v", err)
	}
}

func TestNamed(t *testing.T) {
	for _, name := range []string{"demo", "reference"} {
		if w, err := Named(name); err != nil || len(w.Tags) == 0 || len(w.Assets) == 0 {
			t.Errorf("%s: %d tags, %d assets, %v", name, len(w.Tags), len(w.Assets), err)
		}
	}
	if _, err := Named("moon"); err == nil || !strings.Contains(err.Error(), "demo and reference") {
		t.Error(err)
	}
}

// A fault of a machine that the works does not have is refused.
func TestFaultOfAnotherWorks(t *testing.T) {
	w := demo(t)
	w.Tags, w.Assets = nil, w.Assets[:1]
	for _, tag := range demo(t).Tags {
		if tag.Asset == w.Assets[0].Path {
			w.Tags = append(w.Tags, tag)
		}
	}
	m, err := NewMill(w, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	f, err := ParseFault("BOF/C1/FAN:dust@1m")
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Inject(f); err == nil || !strings.Contains(err.Error(), "has no asset BOF/C1/FAN") {
		t.Error(err)
	}
}
