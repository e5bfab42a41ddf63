package rollout

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"millwright/models/bundle"
	"millwright/plant"
)

var fingerprint = strings.Repeat("ab", 32)

func (w *works) order(o plant.Order) {
	w.t.Helper()
	o.Who, o.Reason = "eva", "seen on site"
	if o.At == 0 {
		o.At = time.Now().UnixNano()
	}
	w.change(func(p *bundle.Plan) error { return p.Give(o) })
}

// obedient is a box that notes what it is told, and refuses tags of HSM/BAD.
func obedient(t *testing.T, w *works, dir string, done *[]string) *box {
	b := newBox(t, w, dir)
	b.Obey = func(o plant.Order) error {
		if strings.HasPrefix(o.Tag, "HSM/BAD") {
			return errors.New("the tag is not in quarantine")
		}
		*done = append(*done, o.PLC+": "+o.What())
		return nil
	}
	return b
}

// TestOrders gives orders to two edges: each carries out its own, once, also over
// a restart, and what it cannot do is told to the plant and in the audit.
func TestOrders(t *testing.T) {
	w, dir := newWorks(t), t.TempDir()
	var done []string
	b := obedient(t, w, dir, &done)
	w.order(plant.Order{Edge: "edge-1", PLC: "plc1", Trust: fingerprint})
	w.order(plant.Order{Edge: "edge-2", PLC: "plc1", Trust: fingerprint})
	w.order(plant.Order{Edge: "edge-1", PLC: "plc2", Tag: gbx + "/A", As: plant.ReleaseRescaled})
	w.order(plant.Order{Edge: "edge-1", PLC: "plc2", Tag: "HSM/BAD", As: plant.ReleaseSame})
	w.order(plant.Order{Edge: "edge-1", PLC: "plc2", Tag: gbx + "/B", As: plant.ReleaseSame, At: time.Now().Add(-8 * 24 * time.Hour).UnixNano()})
	b.look()
	want := "plc1: trust " + fingerprint + "; plc2: release HSM/GBX/A as rescaled"
	if got := strings.Join(done, "; "); got != want {
		t.Errorf("carried out %q, want %q", got, want)
	}
	s := b.Orders()
	if len(s.Refused) != 2 || s.Done != s.Refused[1].Number || s.Refused[0].Why != "the tag is not in quarantine" || !strings.Contains(s.Refused[1].Why, "week") {
		t.Errorf("the plant hears %+v", s)
	}
	kinds := map[string]int{}
	for _, l := range b.lines() {
		kinds[l.Action]++
	}
	if kinds["order"] != 2 || kinds["refuse"] != 2 {
		t.Errorf("audit: %v", kinds)
	}

	b.look()
	again := obedient(t, w, dir, &done)
	again.look()
	if len(done) != 2 || again.Orders().Done != s.Done {
		t.Errorf("after a restart: %q, %+v", done, again.Orders())
	}
	w.order(plant.Order{Edge: "edge-1", PLC: "plc1", Trust: strings.Repeat("cd", 32)})
	again.look()
	if len(done) != 3 {
		t.Errorf("the next one: %q", done)
	}
}

// TestOrdersFileDamaged: what is still good is looked at again, and said.
func TestOrdersFileDamaged(t *testing.T) {
	w, dir := newWorks(t), t.TempDir()
	var done []string
	obedient(t, w, dir, &done).look()
	w.order(plant.Order{Edge: "edge-1", PLC: "plc1", Trust: fingerprint})
	if err := os.WriteFile(filepath.Join(dir, ordersFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := obedient(t, w, dir, &done)
	b.look()
	if len(done) != 1 || len(b.lines()) != 2 {
		t.Errorf("%q, %+v", done, b.lines())
	}
}

// TestOrdersOfAnotherPlant: its numbers begin anew.
func TestOrdersOfAnotherPlant(t *testing.T) {
	w, dir := newWorks(t), t.TempDir()
	var done []string
	for range 3 {
		w.order(plant.Order{Edge: "edge-1", PLC: "plc1", Trust: fingerprint})
	}
	obedient(t, w, dir, &done).look()
	if err := os.RemoveAll(filepath.Join(dir, "trust")); err != nil {
		t.Fatal(err)
	}
	other := newWorks(t)
	b := obedient(t, other, dir, &done)
	b.look()
	other.order(plant.Order{Edge: "edge-1", PLC: "plc1", Trust: fingerprint})
	b.look()
	if len(done) != 4 {
		t.Errorf("%d orders carried out, want 4", len(done))
	}
}
