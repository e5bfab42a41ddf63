package simulator

import (
	"math"
	"slices"
	"testing"
	"time"

	"millwright/plant"
	"millwright/simulator/server"
)

// alone is an asset of the reference works, without the rest.
func alone(t testing.TB, path string) Works {
	t.Helper()
	all, err := Reference()
	if err != nil {
		t.Fatal(err)
	}
	w := Works{Setting: all.Setting}
	for _, a := range all.Assets {
		if a.Path == path {
			w.Assets = append(w.Assets, a)
		}
	}
	for _, tag := range all.Tags {
		if tag.Asset == path {
			w.Tags = append(w.Tags, tag)
		}
	}
	if len(w.Assets) != 1 || len(w.Tags) == 0 {
		t.Fatalf("%s: %d assets, %d tags", path, len(w.Assets), len(w.Tags))
	}
	return w
}

// watch runs a unit at a step a second and calls see after each of them.
func watch(t *testing.T, w Works, seed uint64, until time.Duration, fault string, see func(m *Mill, mode string)) {
	t.Helper()
	m, err := newMill(w, seed, 1, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if fault != "" {
		f, err := ParseFault(fault)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Inject(f); err != nil {
			t.Fatal(err)
		}
	}
	mode := slices.IndexFunc(m.channels, func(c channel) bool { return c.path == w.Assets[0].Path+"/MODE" })
	var vals []server.Value
	for m.Now() < until {
		m.Step()
		vals = m.Values(vals[:0])
		see(m, m.channels[mode].last.Text)
	}
}

// spread gathers mean and standard deviation of one tag.
type spread struct{ n, mean, square float64 }

func (s *spread) add(x float64) {
	s.n++
	d := x - s.mean
	s.mean += d / s.n
	s.square += d * (x - s.mean)
}

func (s *spread) sd() float64 { return math.Sqrt(s.square / s.n) }

// settled is what each tag of a unit says in a mode.
func settled(t *testing.T, w Works, fault, mode string, from, to time.Duration) map[string]spread {
	t.Helper()
	var all []spread
	var paths []string
	watch(t, w, 5, to, fault, func(m *Mill, now string) {
		if all == nil {
			all = make([]spread, len(m.channels))
			for i := range m.channels {
				paths = append(paths, m.channels[i].path)
			}
		}
		if now != mode || m.Now() < from {
			return
		}
		for i := range m.channels {
			if c := &m.channels[i]; c.Value != nil {
				all[i].add(c.last.Number)
			}
		}
	})
	out := map[string]spread{}
	for i, s := range all {
		out[paths[i]] = s
	}
	return out
}

// signatures tries faults of a unit at once and compares what its tags say with
// the healthy unit. Moves read NAME+, NAME- or NAME0, told in standard deviations
// of the healthy tag.
func signatures(t *testing.T, path, mode string, from, to time.Duration, faults map[string][]string) {
	t.Helper()
	w := alone(t, path)
	healthy := settled(t, w, "", mode, from, to)
	for _, kind := range Faults() {
		if kind.Asset != path {
			continue
		}
		moves := faults[kind.Name]
		if len(moves) == 0 {
			t.Errorf("%s: nothing is known of %s", path, kind.Name)
		}
		sick := settled(t, w, path+":"+kind.Name+"@1s+0s", mode, from, to)
		for _, move := range moves {
			tag, sign := path+"/"+move[:len(move)-1], move[len(move)-1]
			well, ill := healthy[tag], sick[tag]
			if well.n == 0 {
				t.Errorf("there is no %s in %s", tag, mode)
				continue
			}
			by := (ill.mean - well.mean) / well.sd()
			if ok := sign == '+' && by > 2.5 || sign == '-' && by < -2.5 || sign == '0' && math.Abs(by) < 0.5; !ok {
				t.Errorf("%s: %s moves by %+.1f standard deviations (%.4g → %.4g), want %c", kind.Name, tag, by, well.mean, ill.mean, sign)
			}
		}
	}
}

// healthyDay runs a unit for a day: no limit of its asset is crossed, every mode
// comes, nothing lies at the end of its range, and a plain 3σ threshold would
// cry wolf.
func healthyDay(t *testing.T, path string) {
	t.Helper()
	w := alone(t, path)
	seen := map[string]bool{}
	told := map[string]bool{}
	say := func(tag, format string, args ...any) {
		if !told[tag+format] {
			told[tag+format] = true
			t.Errorf(tag+format, args...)
		}
	}
	var all []spread
	limited := make([]int, len(w.Assets[0].Limits)) // channel of each limit
	beyond := make([]time.Duration, len(w.Assets[0].Limits))
	wolf := map[int]bool{}
	watch(t, w, 11, 24*time.Hour, "", func(m *Mill, mode string) {
		if all == nil {
			all = make([]spread, len(m.channels))
			for i, l := range w.Assets[0].Limits {
				limited[i] = slices.IndexFunc(m.channels, func(c channel) bool { return c.path == l.Tag })
			}
		}
		seen[mode] = true
		for i := range m.channels {
			c := &m.channels[i]
			if c.Value == nil {
				continue
			}
			x := c.last.Number
			if !(x > c.low && x < c.high || x == 0 && c.low == 0) && c.low < c.high {
				say(c.path, " is %v at %v in %s, the end of its range", x, m.Now(), mode)
			}
			s := &all[i]
			s.add(x)
			if s.n > 3600 && math.Abs(x-s.mean) > 3*s.sd() {
				wolf[i] = true
			}
		}
		for i, l := range w.Assets[0].Limits {
			x := m.channels[limited[i]].last.Number
			bad := (l.Kind == plant.LimitHigh || l.Kind == plant.LimitHighHigh) && x > l.Value ||
				(l.Kind == plant.LimitLow || l.Kind == plant.LimitLowLow) && x < l.Value
			if !bad || len(l.Modes) > 0 && !slices.Contains(l.Modes, mode) {
				beyond[i] = 0
				continue
			}
			if beyond[i] += time.Second; beyond[i] > l.Delay {
				say(l.Tag, " is %v at %v in %s, beyond its limit %v", x, m.Now(), mode, l.Value)
			}
		}
	})
	for _, mode := range w.Assets[0].Modes {
		if !seen[mode.Name] {
			t.Errorf("%s is never in mode %s", path, mode.Name)
		}
		delete(seen, mode.Name)
	}
	for mode := range seen {
		t.Errorf("%s knows no mode %q", path, mode)
	}
	if len(wolf) < 3 {
		t.Errorf("%s: a plain threshold at three standard deviations fires on %d tags only", path, len(wolf))
	}
}

// halved compares the sum of a product of values, an energy, over two hours at
// steps of 1 s and half of it.
func halved(t *testing.T, path string, factors ...string) {
	t.Helper()
	w := alone(t, path)
	total := func(step time.Duration) (sum float64) {
		m, err := newMill(w, 3, 1, step)
		if err != nil {
			t.Fatal(err)
		}
		var values []*float64
		for _, f := range factors {
			values = append(values, m.channel(path+"/"+f).Value)
		}
		for m.Now() < 2*time.Hour {
			m.Step()
			x := 1.0
			for _, v := range values {
				x *= *v
			}
			sum += x * step.Hours()
		}
		return sum
	}
	one := total(time.Second)
	within(t, path+" at half the step", total(500*time.Millisecond), one, 0.03)
	if one <= 0 {
		t.Errorf("%s: a sum of %v", path, one)
	}
}

func TestOscillator(t *testing.T) {
	long(t)
	const path = "CC/BC1/OSC"
	signatures(t, path, "casting", 90*time.Minute, 150*time.Minute, map[string][]string{
		"servo-silting":   {"PHASE_1+", "H3_1+", "NULL_1+", "OFFSET_1-", "POS_DIFF+", "PHASE_20", "H3_20", "F_FRIC0", "FILTER_DP0", "LATERAL0"},
		"leak":            {"NULL_2+", "OFFSET_2-", "OIL_F+", "NULL_10", "PHASE_20", "P_AMP_20", "F_FRIC0", "LATERAL0", "T_NEG0"},
		"looseness":       {"H2_1+", "H2_2+", "LATERAL+", "POS_DIFF+", "H3_10", "PHASE_10", "OIL_F0", "F_FRIC0"},
		"lubrication":     {"F_FRIC+", "P_AMP_1+", "P_AMP_2+", "PHASE_10", "H2_10", "FILTER_DP0", "LATERAL0", "F_W_10"},
		"filter-blocking": {"FILTER_DP+", "P_S-", "PHASE_10", "F_FRIC0", "H2_10", "LATERAL0", "DT_W_10"},
	})
	healthyDay(t, path)
	halved(t, path, "POWER")
}

func TestWithdrawal(t *testing.T) {
	long(t)
	const path = "CC/BC1/WD"
	signatures(t, path, "casting", 90*time.Minute, 150*time.Minute, map[string][]string{
		"roll-seizure":    {"TORQ_D4+", "I_D4+", "T_W_D4+", "I_UNB_D40", "P_CYL_D40", "V_CAST0", "T_W_D30", "P_CYL_D30"},
		"gear-wear":       {"VIB_D2_GMF+", "OIL_T_D2+", "I_UNB_D20", "T_W_D20", "TORQ_D10", "VIB_D1_GMF0", "V_CAST0"},
		"phase-unbalance": {"I_UNB_D5+", "MOT_T_W_D5+", "I_UNB_D40", "TORQ_D50", "VIB_D5_GMF0", "T_W_D50"},
		"lubrication":     {"VIB_D3_HF+", "OIL_T_D3+", "I_UNB_D30", "T_W_D30", "TORQ_D10", "VIB_D2_HF0"},
		"coupling-loss":   {"TORQ_D6-", "I_D6-", "VIB_D6_GMF-", "I_UNB_D60", "P_CYL_D60", "V_CAST0", "F_W0"},
	})
	healthyDay(t, path)
	halved(t, path, "TORQ_D1", "SPEED_D1")
}

func TestFurnace(t *testing.T) {
	long(t)
	const path = "HSM/RHF/F1"
	signatures(t, path, "heating", 90*time.Minute, 150*time.Minute, map[string][]string{
		"burner-drift":      {"O2_3+", "O2_20", "O2_40", "T_CYCLE0", "SKID_T_20", "T_Z_40"},
		"burner-drift-rich": {"O2_3-", "O2_20", "O2_40", "T_CYCLE0", "SKID_T_20", "P_FCE0"},
		"recuperator-leak":  {"T_AIR_PRE-", "O2_FLUE+", "O2_30", "T_CYCLE0", "SKID_T_20", "P_FCE0"},
		"skid-insulation":   {"SKID_T_2+", "SKID_T_10", "SKID_F_20", "T_CYCLE0", "P_FCE0"},
		"leak":              {"T_CYCLE+", "PUMP_ON+", "F_FUEL0", "O2_30", "SKID_T_20", "P_FCE0"},
		"filter-blocking":   {"FILTER_DP+", "T_CYCLE0", "P_HYD0", "F_FUEL0", "OIL_T0"},
	})
	healthyDay(t, path)
	halved(t, path, "POWER")
}
