package hmi

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"millwright/hmi/account"
	"millwright/plant"
)

var errGone = errors.New("another box took its place")

// rack is boxes as the tests of the interface need them.
type rack struct {
	saved  map[string]int // bytes, by box
	report plant.SpareBox
}

func (r *rack) box() plant.EdgeBox {
	return plant.EdgeBox{Group: "works", Edge: "demo", Box: "b", Since: epoch, Number: 3, Saved: epoch, Size: 100,
		Retired: []plant.RetiredBox{{Box: "old", At: epoch, By: "b"}}}
}

func (r *rack) May(_, _, box string) error {
	if box == "old" {
		return errGone
	}
	return nil
}

func (r *rack) Save(_ context.Context, box string, raw []byte) (plant.EdgeBox, error) {
	if r.saved == nil {
		r.saved = map[string]int{}
	}
	r.saved[box] = len(raw)
	return r.box(), nil
}

func (r *rack) Load(context.Context, string) ([]byte, plant.EdgeBox, error) {
	return []byte("bytes"), r.box(), nil
}

func (r *rack) Report(_ context.Context, s plant.SpareBox) error { r.report = s; return nil }

func (r *rack) Adopt(_ context.Context, edge, _ string, _ bool) (plant.Adoption, error) {
	return plant.Adoption{Group: "works", Edge: edge, Last: map[string]int64{"A/B": 1}}, nil
}

func (r *rack) Release(context.Context, string, string) (plant.EdgeBox, error) { return r.box(), nil }

func (r *rack) All() ([]plant.EdgeBox, []plant.SpareBox) {
	return []plant.EdgeBox{r.box()}, []plant.SpareBox{{Name: "spare1", Seen: epoch, Ready: []plant.SpareReady{{Edge: "works/demo", Number: 3}, {Edge: "works/other", Problems: []string{"no"}}}}}
}

func (r *rack) Old(*plant.EdgeBox) bool { return false }

// TestBoxesMayDoWhatIsTheirs: a box speaks for itself alone, a spare may take a
// place, and neither may read what people read.
func TestBoxesMayDoWhatIsTheirs(t *testing.T) {
	s := run(t, func(s *Server) { s.NoLogin, s.Data = false, t.TempDir() })
	token := map[string]string{}
	for name, role := range map[string]account.Role{"b": account.Box, "spare1": account.Spare, "ed": account.Engineer} {
		if err := s.accounts.Add(t.Context(), name, role, "a long password of "+name); err != nil {
			t.Fatal(err)
		}
		var err error
		if token[name], err = s.accounts.Token(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		who, method, path string
		want              int
	}{
		{"b", "POST", "boxes/b/checkpoint", 200},
		{"b", "POST", "boxes/spare1/checkpoint", 403},
		{"b", "GET", "boxes/b/place?group=g&edge=e", 200},
		{"b", "GET", "boxes/b/checkpoint?edge=e", 403},
		{"b", "POST", "boxes/b/adopt", 403},
		{"b", "GET", "alarms", 403},
		{"spare1", "POST", "boxes/spare1/checkpoint", 200},
		{"spare1", "GET", "boxes/spare1/checkpoint?edge=e", 200},
		{"spare1", "POST", "boxes/spare1/adopt", 200},
		{"spare1", "POST", "boxes/b/adopt", 403},
		{"spare1", "GET", "alarms", 403},
		{"ed", "GET", "boxes", 200},
		{"ed", "POST", "boxes/b/checkpoint", 403},
		{"ed", "POST", "boxes/b/adopt", 403},
	} {
		a := s.ask(c.method, "/api/v1/"+c.path, "", "Content-Type", "application/json", "Authorization", "Bearer "+token[c.who])
		if a.status != c.want {
			t.Errorf("%s %s %s: %d, want %d: %s", c.who, c.method, c.path, a.status, c.want, a.body)
		}
	}
	// A checkpoint may be larger than any other body, and no larger than it may be.
	a := s.ask("POST", "/api/v1/boxes/b/checkpoint", strings.Repeat("x", 3<<20), "Content-Type", "application/json", "Authorization", "Bearer "+token["b"])
	if a.status != http.StatusOK || s.Boxes.(*rack).saved["b"] != 3<<20 {
		t.Errorf("%d %s", a.status, a.body)
	}
}
