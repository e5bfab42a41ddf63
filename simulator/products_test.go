package simulator

import (
	"strings"
	"testing"
	"time"
)

// What a unit makes came from the unit before it, and long enough after it was there;
// at every moment its text says something. Only what is older than the start has no past.
func TestGenealogy(t *testing.T) {
	long(t)
	m, err := assemble(reference(t), 5, 1, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]*string{}
	for i := range m.channels {
		if c := &m.channels[i]; c.Text != nil {
			texts[c.path] = c.Text
		}
	}
	type way struct {
		unit, name string
		from       []string
		after      time.Duration // at least, behind the first moment there
		least      int           // that come in all
	}
	ways := []way{
		{"CC/SC1/MLD", "HEAT", []string{"BOF/C1/HEAT"}, time.Hour, 80},
		{"CC/SC2/MLD", "HEAT", []string{"BOF/C1/HEAT"}, time.Hour, 80},
		{"CC/BL1/WD", "HEAT", []string{"BOF/C1/HEAT"}, time.Hour, 50},
		{"CC/BC1/WD", "HEAT", []string{"BOF/C2/HEAT"}, 20 * time.Minute, 150},
		{"HSM/RM/R1", "SLAB", []string{"CC/SC1/WD/SLAB", "CC/SC2/WD/SLAB"}, time.Minute, 1000},
		{"HSM/RM/R2", "SLAB", []string{"HSM/RM/R1/SLAB"}, 5 * time.Second, 1000},
		{"HSM/RM/CS", "SLAB", []string{"HSM/RM/R2/SLAB"}, 5 * time.Second, 1000},
		{"HSM/DC/C1", "COIL", []string{"HSM/FM/COIL"}, 10 * time.Second, 1000},
		{"HSM/DC/C2", "COIL", []string{"HSM/FM/COIL"}, 10 * time.Second, 1000},
		{"CM/PKL/LN", "COIL", []string{"HSM/DC/C1/COIL", "HSM/DC/C2/COIL"}, 48 * time.Hour, 100},
		{"CM/TCM/S1", "COIL", []string{"CM/PKL/LN/COIL"}, 15 * time.Minute, 100},
		{"CM/ANL/B1", "COILS", []string{"CM/TCM/TR/COIL"}, 15 * time.Minute, 4},
		{"CM/SPM", "COIL", []string{"CM/ANL/B1/COILS", "CM/ANL/B2/COILS", "CM/ANL/B3/COILS"}, 40 * time.Hour, 4},
		{"GAL/ENT", "COIL", []string{"CM/TCM/TR/COIL"}, 15 * time.Minute, 100},
		{"GAL/POT", "COIL", []string{"GAL/ENT/COIL"}, 20 * time.Minute, 100},
		{"GAL/EXT", "COIL", []string{"GAL/POT/COIL"}, 20 * time.Minute, 100},
	}
	shown := map[string]string{}
	seen := map[string]map[string]time.Duration{} // by path and number, the first moment
	begun := map[string]string{}                  // the first number
	for path := range texts {
		seen[path] = map[string]time.Duration{}
	}
	products := m.shop.products()
	for now := time.Duration(0); now < 10*24*time.Hour; now += time.Second {
		m.shop.step(now.Seconds(), 1)
		if now%(5*time.Second) != 0 {
			continue
		}
		for _, s := range products {
			if *s.Text == "" {
				t.Fatalf("%v: %s says nothing", now, s.Name)
			}
		}
		for path, text := range texts {
			if shown[path] == *text {
				continue
			}
			shown[path] = *text
			for id := range strings.FieldsSeq(*text) {
				if _, known := seen[path][id]; !known {
					seen[path][id] = now
				}
				if begun[path] == "" {
					begun[path] = id
				}
			}
		}
	}
	for _, w := range ways {
		n, path := 0, w.unit+"/"+w.name
		for id, at := range seen[path] {
			came, known := time.Duration(0), false
			// Shipped slabs come from nowhere. What stood there at the start does too, with all
			// that is older; the roughing mill alone has slabs in the order of their widths.
			ordered := w.unit != "HSM/RM/R2" && w.unit != "HSM/RM/CS"
			old := id == begun[path] || w.unit == "HSM/RM/R1" && id[0] == 'P'
			for _, from := range w.from {
				if before, ok := seen[from][id]; ok && (!known || before < came) {
					came, known = before, true
				}
				old = old || ordered && id <= begun[from]
			}
			switch {
			case old:
			case !known:
				t.Errorf("%s: %s was never in %v", path, id, w.from)
			case at-came < w.after:
				t.Errorf("%s: %s at %v, in %v only since %v", path, id, at, w.from, came)
			default:
				n++
			}
		}
		if t.Logf("%s: %d", path, n); n < w.least {
			t.Errorf("%s: %d", path, n)
		}
	}
	for id := range seen["GAL/ENT/COIL"] {
		for _, base := range []string{"1", "2", "3"} {
			if _, both := seen["CM/ANL/B"+base+"/COILS"][id]; both {
				t.Errorf("coil %s was annealed and galvanized", id)
			}
		}
	}
	for _, path := range []string{"BF/BF1/FCE/CAST", "BF/BF2/FCE/CAST"} {
		if n := len(seen[path]); n < 70 || n > 120 {
			t.Errorf("%s: %d casts in ten days", path, n)
		}
	}
}
