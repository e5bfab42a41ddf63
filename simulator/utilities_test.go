package simulator

import (
	"bytes"
	"os"
	"testing"
	"time"

	"millwright/plant/config"
	"millwright/simulator/server"
)

// unit reads the tags and assets of one unit of the reference works.
func unit(t *testing.T, name string) Works {
	t.Helper()
	const dir = "../firmware-configs/reference/"
	b, err := os.ReadFile(dir + name + ".csv")
	if err != nil {
		t.Fatal(err)
	}
	tags, err := config.ParseTags(name+".csv", bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if b, err = os.ReadFile(dir + name + ".toml"); err != nil {
		t.Fatal(err)
	}
	assets, err := config.ParseAssets(name+".toml", bytes.NewReader(b), tags)
	if err != nil {
		t.Fatal(err)
	}
	return Works{Tags: tags, Assets: assets}
}

// A healthy day of each unit goes through all modes (the
// pump changes duty a week later), keeps inside the ranges,
// and crosses no limit.
func TestHealthyUtilities(t *testing.T) {
	long(t)
	for _, name := range []string{"utl/air-net", "hsm/rot-g1", "hsm/f3-agc", "wat/cw-p1"} {
		w := unit(t, name)
		m, err := newMill(w, 5, 1, time.Second)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		modes := healthy(t, m, 24*time.Hour)
		for _, a := range w.Assets {
			for _, mode := range a.Modes {
				rare := a.Path == "WAT/CW/P1" && (mode.Name == "starting" || mode.Name == "standby")
				if !rare && !modes[a.Path+" "+mode.Name] {
					t.Errorf("%s was never in mode %s", a.Path, mode.Name)
				}
			}
		}
	}
}

// healthy runs a mill and fails where a value lies outside its tag's range or a
// limit longer than its delay. It gives the modes that came, "ASSET MODE".
func healthy(t *testing.T, m *Mill, span time.Duration) map[string]bool {
	t.Helper()
	w := newWarden(m)
	var vals []server.Value
	for m.Now() < span {
		m.Step()
		vals = m.Values(vals[:0])
		for _, wrong := range w.look(vals) {
			t.Error(wrong)
		}
	}
	return w.modes
}

// Halving the step moves the energy of a unit by less than 3 %.
func TestUtilitiesStepHalving(t *testing.T) {
	long(t)
	f := func(name, tag string) {
		t.Helper()
		energy := func(step time.Duration) (kwh float64) {
			m, err := newMill(unit(t, name), 3, 1, step)
			if err != nil {
				t.Fatal(err)
			}
			for m.Now() < 40*time.Minute {
				m.Step()
				kwh += m.real(tag) * step.Hours()
			}
			return kwh
		}
		one := energy(time.Second)
		within(t, name+" at half the step", energy(500*time.Millisecond), one, 0.03)
		within(t, name+" at the mill's step", energy(millStep), one, 0.03)
	}
	f("utl/air-net", "UTL/AIR/NET/POWER")
	f("wat/cw-p1", "WAT/CW/P1/POWER")
	f("hsm/rot-g1", "HSM/ROT/G1/LAM_F")
	f("hsm/f3-agc", "HSM/FM/F3/AGC/PUMP_I")
}
