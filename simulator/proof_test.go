package simulator

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"millwright/simulator/ledger"
	"millwright/simulator/production"
	"millwright/simulator/server"
)

// deep is the part of the reference works that is known deeply.
func deep(t testing.TB) Works { return reference(t).Deep() }

// A healthy works makes a threshold cry wolf: one at three standard deviations
// around the mean of each tag's first week, whatever the mode, fires on every
// asset on each day, counted at most once an hour and asset. That alone the noise of a
// sensor would do, a second at a time, ten times an hour. So it also fires for three seconds
// on end, on every asset once a day or more on the average of the days: noise does that once
// in four years and tag.
//
// Where it has to wait until a tag was beyond for ten seconds, it still fires once a
// day on the average asset, though not on each: what goes to and fro between two modes
// all day, as rolls, descaling pump and converter fan do, has standard
// deviations so wide that no mode lies outside of three.
//
// And no limit is crossed all the while, nor the end of a range.
//
// MILLWRIGHT_NULL_DAYS is how long it goes on behind the week, MILLWRIGHT_NULL_FROM the
// day on which it begins: a long span is run in slices, each of which has weather, products
// and a learning week of its own.
func TestHealthyNull(t *testing.T) {
	long(t)
	const learn = 7
	const patience, noNoise = 10, 3 // s
	days, from := number(t, "MILLWRIGHT_NULL_DAYS", 1, 2), number(t, "MILLWRIGHT_NULL_FROM", 0, 0)
	w := deep(t)
	w.Setting.Start = time.Date(2026, time.April, 10, 14, 0, 0, 0, time.UTC).AddDate(0, 0, from)
	m, err := newMill(w, uint64(21+from), 1, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	// hours in which something happened
	type hours struct{ n, last int }
	mark := func(h *hours) {
		if now := 1 + int((m.Now()-m.step)/time.Hour); h.last != now {
			h.n, h.last = h.n+1, now
		}
	}
	type count struct {
		fired, lasted hours
		stayed        int   // times for three seconds
		each          []int // hours of each day
	}
	byAsset := map[string]*count{}
	for _, a := range m.works.Assets {
		byAsset[a.Path] = &count{each: make([]int, days)}
	}
	usual := make([]spread, len(m.channels))
	beyond := make([]int, len(m.channels))
	owner := make([]*count, len(m.channels))
	for i := range m.channels {
		owner[i] = byAsset[m.channels[i].asset]
	}
	warden, crossed := newWarden(m), 0
	var vals []server.Value
	for m.Now() < (learn+time.Duration(days))*day {
		m.Step()
		vals = m.Values(vals[:0])
		for _, wrong := range warden.look(vals) {
			crossed++
			t.Error(wrong)
		}
		for i := range m.channels {
			c := &m.channels[i]
			if c.Value == nil || owner[i] == nil {
				continue
			}
			x := c.last.Number
			if m.Now() <= learn*day {
				usual[i].add(x)
				continue
			}
			if math.Abs(x-usual[i].mean) <= 3*usual[i].sd() {
				beyond[i] = 0
				continue
			}
			beyond[i]++
			o := owner[i]
			before := o.fired.n
			mark(&o.fired)
			o.each[(m.Now()-m.step)/day-learn] += o.fired.n - before
			switch beyond[i] {
			case noNoise:
				o.stayed++
			case patience:
				mark(&o.lasted)
			}
		}
		if m.Now()%day == 0 {
			t.Logf("day %d of %d", m.Now()/day, learn+days)
		}
	}
	quietest, name, lasted := math.Inf(1), "", 0.0
	for path, c := range byAsset {
		perDay, lasting := float64(c.fired.n)/float64(days), float64(c.lasted.n)/float64(days)
		t.Logf("%s: fires in %.1f hours a day, for %d s in %.1f, %d times for %d s", path, perDay, patience, lasting, c.stayed, noNoise)
		if slices.Contains(c.each, 0) {
			t.Errorf("%s: on some day the threshold fires in no hour: %v", path, c.each)
		}
		if c.stayed < days {
			t.Errorf("%s: the threshold fires for %d s %d times in %d days", path, noNoise, c.stayed, days)
		}
		if perDay < quietest || perDay == quietest && path < name {
			quietest, name = perDay, path
		}
		lasted += lasting / float64(len(byAsset))
	}
	if lasted < 1 {
		t.Errorf("with patience the threshold fires in %.1f hours a day on the average of %d assets", lasted, len(byAsset))
	}
	t.Logf("healthy: %d days from day %d, %d assets: 3 sigma fires in %.1f hours a day on %s, the quietest, for %d s in %.1f on average; %d limits or ranges crossed",
		days, from, len(byAsset), quietest, name, patience, lasted, crossed)
}

// number is that of an environment variable, at least low, or usual.
func number(t *testing.T, name string, low, usual int) int {
	t.Helper()
	s := os.Getenv(name)
	if s == "" {
		return usual
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < low {
		t.Fatalf("%s is %q", name, s)
	}
	return n
}

// A healthy day of all deep assets together, each with the production of the others:
// all values inside their ranges, no limit crossed, and the machines of mill, descaling
// and converter in each of their modes. The sensors in windings hum.
func TestHealthyDeepDay(t *testing.T) {
	long(t)
	m, err := newMill(deep(t), 8, 1, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	modes := healthy(t, m, 24*time.Hour)
	for _, a := range m.works.Assets {
		switch a.Path {
		case "HSM/FM/F3/GBX", "HSM/DSC/P1", "BOF/C1/FAN":
		default: // their own tests have rarer modes
			continue
		}
		for _, mode := range a.Modes {
			if !modes[a.Path+" "+mode.Name] && mode.Name != production.WarmUp && mode.Name != production.RollingHard {
				t.Errorf("%s was never in mode %s", a.Path, mode.Name)
			}
		}
	}
	hum := 0
	for i := range m.channels {
		if c := &m.channels[i]; strings.Contains(c.path, "MOT_T_W") && c.Hum > 0 {
			hum++
		}
	}
	if hum < 6 {
		t.Errorf("%d sensors hum", hum)
	}
}

// Halving the step moves no energy of the deep assets by 3 %: powers, or what
// stands for one.
func TestDeepStepHalving(t *testing.T) {
	long(t)
	const span = 3 * time.Hour
	w := deep(t)
	energies := map[string]string{}
	for _, a := range w.Assets {
		for _, name := range []string{"POWER", "P_EL", "STEAM_F", "F_GAS", "TORQ_D1", "LAM_F", "PUMP_I"} {
			for _, tag := range w.Tags {
				if tag.Path == a.Path+"/"+name && energies[a.Path] == "" {
					energies[a.Path] = tag.Path
				}
			}
		}
		if energies[a.Path] == "" {
			t.Errorf("%s has nothing that stands for energy", a.Path)
		}
	}
	total := func(step time.Duration) map[string]float64 {
		m, err := newMill(w, 3, 1, step)
		if err != nil {
			t.Fatal(err)
		}
		sums := map[string]float64{}
		for m.Now() < span {
			m.Step()
			for asset, tag := range energies {
				sums[asset] += m.real(tag) * step.Hours()
			}
		}
		return sums
	}
	one, half := total(time.Second), total(500*time.Millisecond)
	for asset := range energies {
		if one[asset] <= 0 {
			t.Errorf("%s: energy %v", asset, one[asset])
		}
		t.Logf("%s: %.4g, %.2f %%", energies[asset], one[asset], 100*(half[asset]/one[asset]-1))
		within(t, energies[asset]+" at half the step", half[asset], one[asset], 0.03)
	}
}

// The same seed gives the same files of the whole reference works, bit for bit.
func TestReferenceIsDeterministic(t *testing.T) {
	long(t)
	const span = 30 * time.Minute
	w := reference(t)
	run := func() (truths, samples []byte) {
		dir := t.TempDir()
		s := &Simulator{Works: &w, Seed: 9, Ledger: filepath.Join(dir, "ledger"), Samples: filepath.Join(dir, "samples")}
		for _, text := range []string{"HSM/FM/F3/GBX:bearing-outer@10s+20m", "UTL/AIR/NET:air-leaks@30s+20m", "BF/TBS/TB1:drift=FLOW@1m+10m"} {
			f, err := ParseFault(text)
			if err != nil {
				t.Fatal(err)
			}
			s.Faults = append(s.Faults, f)
		}
		if err := s.RunOffline(t.Context(), Offline{For: span, Step: time.Second}); err != nil {
			t.Fatal(err)
		}
		return file(t, s.Ledger), file(t, s.Samples)
	}
	l1, s1 := run()
	l2, s2 := run()
	if !bytes.Equal(l1, l2) {
		t.Error("the ledgers of two runs with one seed differ")
	}
	if !bytes.Equal(s1, s2) {
		t.Error("the sample logs of two runs with one seed differ")
	}
	tags := map[string]bool{}
	for o, err := range ledger.ReadSamples("samples", bytes.NewReader(s1)) {
		if err != nil {
			t.Fatal(err)
		}
		tags[o.Tag] = true
	}
	if len(tags) < 2000 || len(l1) == 0 {
		t.Errorf("%d tags, %d bytes of ledger", len(tags), len(l1))
	}
}
