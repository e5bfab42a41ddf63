package simulator

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"strings"
	"syscall"
	"testing"
	"time"

	"millwright/plant"
	"millwright/simulator/ledger"
	"millwright/simulator/machine"
	"millwright/simulator/production"
	"millwright/simulator/server"
)

func demo(t testing.TB) Works {
	t.Helper()
	w, err := Demo()
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// real is what a tag measures, before its sensor.
func (m *Mill) real(path string) float64 { return *m.channel(path).Value }

func within(t *testing.T, what string, got, want, share float64) {
	t.Helper()
	if math.Abs(got-want) > share*math.Abs(want) {
		t.Errorf("%s: %.4g, want %.4g ± %v %%", what, got, want, share*100)
	}
}

func mill(t *testing.T, seed uint64, speed float64, faults ...string) *Mill {
	t.Helper()
	return millAt(t, millStep, seed, speed, faults...)
}

// coarse is a step for long runs; TestStepHalving says that the step is not in
// the results.
const coarse = 200 * time.Millisecond

func millAt(t *testing.T, step time.Duration, seed uint64, speed float64, faults ...string) *Mill {
	t.Helper()
	m, err := newMill(demo(t), seed, speed, step)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range faults {
		f, err := ParseFault(s)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Inject(f); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// runs hashes what a mill says and what its ledger holds.
func runs(t *testing.T, seed uint64, faults ...string) (values, truth string) {
	m := mill(t, seed, 20, faults...)
	said, truths := sha256.New(), sha256.New()
	var vals []server.Value
	var notes []Truth
	for m.Now() < 20*time.Minute {
		m.Step()
		vals = m.Values(vals[:0])
		for _, v := range vals {
			fmt.Fprintln(said, m.Now(), v.Var, v.Number, v.Text, v.Quality)
		}
		notes = m.Truth(notes[:0])
		for _, n := range notes {
			truths.Write(ledger.AppendTruth(nil, n))
		}
	}
	return hex.EncodeToString(said.Sum(nil)), hex.EncodeToString(truths.Sum(nil))
}

func TestDeterminism(t *testing.T) {
	long(t)
	faults := []string{"HSM/FM/F3/GBX:bearing-outer:0.6@2m", "BOF/C1/FAN:dust@1m+3m", "HSM/DSC/P1:spike=FLOW:0.5@30s"}
	a1, l1 := runs(t, 7, faults...)
	a2, l2 := runs(t, 7, faults...)
	b, lb := runs(t, 8, faults...)
	if a1 != a2 || l1 != l2 {
		t.Error("two runs with one seed differ")
	}
	if a1 == b {
		t.Error("two seeds give the same values")
	}
	if l1 != lb {
		t.Error("the ledger depends on the seed")
	}
}

// Halving the step moves energy and severities by less than 3 %.
func TestStepHalving(t *testing.T) {
	long(t)
	energy := func(step time.Duration) (kwh, severity float64) {
		m, err := newMill(demo(t), 3, 1, step)
		if err != nil {
			t.Fatal(err)
		}
		f := Fault{Asset: "HSM/DSC/P1", Name: "wear-rings", Severity: 0.7, Growth: 40 * time.Minute}
		if err := m.Inject(f); err != nil {
			t.Fatal(err)
		}
		for m.Now() < 30*time.Minute {
			m.Step()
			kwh += (m.real("HSM/FM/F3/GBX/POWER") + m.real("HSM/DSC/P1/POWER") + m.real("BOF/C1/FAN/POWER")) * step.Hours()
		}
		return kwh, m.fault(&f).Severity
	}
	one, s1 := energy(millStep)
	half, s2 := energy(millStep / 2)
	large, s3 := energy(coarse)
	within(t, "energy at the coarse step", large, one, 0.03)
	within(t, "severity at the coarse step", s3, s1, 0.001)
	within(t, "energy at half the step", half, one, 0.03)
	within(t, "severity at half the step", s2, s1, 0.001)
	if one < 1000 {
		t.Errorf("three machines took %.0f kWh in half an hour", one)
	}
}

// average is the mean of each channel in its asset's running mode, and its
// standard deviation.
func average(m *Mill, from, to time.Duration) (mean, sd map[string]float64) {
	type sum struct{ n, x, xx float64 }
	sums := map[string]*sum{}
	var vals []server.Value
	for m.Now() < to {
		m.Step()
		vals = m.Values(vals[:0])
		if m.Now() < from || m.Now()%time.Second != 0 {
			continue
		}
		running := map[string]bool{"HSM/FM/F3/GBX": m.shop.strip.Mode == production.Rolling, "HSM/DSC/P1": m.shop.strip.Mode == production.Rolling,
			"BOF/C1/FAN": m.shop.heats.Mode == "blow" && m.shop.heats.Blown > 300}
		for i := range m.channels {
			c := &m.channels[i]
			if c.Value == nil || !running[m.works.Tags[c.variable].Asset] {
				continue
			}
			s := sums[c.path]
			if s == nil {
				s = &sum{}
				sums[c.path] = s
			}
			v := c.last.Number
			s.n, s.x, s.xx = s.n+1, s.x+v, s.xx+v*v
		}
	}
	mean, sd = map[string]float64{}, map[string]float64{}
	for path, s := range sums {
		mean[path] = s.x / s.n
		sd[path] = math.Sqrt(math.Max(0, s.xx/s.n-mean[path]*mean[path]))
	}
	return mean, sd
}

// Each fault moves the tags that theory names, and leaves those that it cannot
// touch. A move is told in standard deviations of the healthy tag.
func TestFaultSignatures(t *testing.T) {
	long(t)
	const from, to = 48 * time.Minute, 76 * time.Minute
	healthy, sd := average(millAt(t, coarse, 5, 1), from, to)
	f := func(fault string, moves ...string) {
		t.Helper()
		asset, _, _ := strings.Cut(fault, ":")
		sick, _ := average(millAt(t, coarse, 5, 1, fault), from, to)
		for _, move := range moves {
			name, sign := move[:len(move)-1], move[len(move)-1]
			path := asset + "/" + name
			by := (sick[path] - healthy[path]) / sd[path]
			ok := sign == '+' && by > 2.5 || sign == '-' && by < -2.5 || sign == '0' && math.Abs(by) < 0.5
			if !ok {
				t.Errorf("%s: %s moves by %+.1f standard deviations (%.3g → %.3g), want %c", fault, name, by, healthy[path], sick[path], sign)
			}
		}
	}
	const g, p, fan = "HSM/FM/F3/GBX:", "HSM/DSC/P1:", "BOF/C1/FAN:"
	f(g+"bearing-outer:0.5@5m", "VIB_ENV+", "VIB_HF+", "VIB_H0", "OIL_P0", "VIB_SB0")
	f(g+"bearing-outer@5m", "VIB_ENV+", "VIB_HF+", "VIB_KURT+", "BRG_T_PDE+", "VIB_H+", "OIL_P0", "VIB_SB0")
	f(g+"gear-wear@5m", "VIB_SB+", "VIB_GMF+", "VIB_H+", "VIB_HF+", "VIB_ENV0", "VIB_KURT0")
	f(g+"gear-crack@5m", "VIB_KURT+", "VIB_SB+", "VIB_GMF0", "OIL_P0")
	f(g+"lubrication@5m", "OIL_P-", "OIL_F-", "VIB_HF+", "BRG_T_PDE+", "BRG_T_WDE+", "VIB_KURT0", "VIB_SB0")
	f(p+"cavitation@5m", "P_SUC-", "VIB_HF+", "VIB_A+", "VIB_H+", "P_DIS-", "VIB_KURT0", "T_WATER0")
	f(p+"cavitation-level@5m", "P_SUC-", "VIB_HF+", "VIB_A+", "P_DIS-", "VIB_KURT0", "T_WATER0", "LEAK_T0")
	f(p+"wear-rings@5m", "LEAK_F+", "LEAK_T+", "P_DIS-", "VIB_ENV0", "T_WATER0")
	f(p+"bearing-outer@5m", "VIB_HF+", "VIB_ENV+", "BRG_T_DE+", "P_DIS0", "LEAK_F0")
	f(fan+"dust@5m", "VIB_H+", "VIB_V+", "VIB_ENV0", "VIB_HF0", "DP0")
	f(fan+"bearing-outer@5m", "VIB_HF+", "VIB_ENV+", "VIB_KURT+", "BRG_T_DE+", "DP0")
	f(p+"drift=FLOW@5m+5m", "FLOW+", "P_DIS0", "VIB_HF0")
}

// The dust's unbalance turns when a lump falls.
func TestDustSheds(t *testing.T) {
	f, err := ParseFault("BOF/C1/FAN:dust:0.8@1m+10m")
	if err != nil {
		t.Fatal(err)
	}
	at := func(d time.Duration, want float64) {
		t.Helper()
		if got := f.At(d); math.Abs(got-want) > 1e-9 {
			t.Errorf("severity %v at %v, want %v", got, d, want)
		}
	}
	at(time.Minute, 0)
	at(6*time.Minute, 0.4)
	at(11*time.Minute, 0.4)
	at(16*time.Minute, 0.6)
	at(21*time.Minute, 0.4)
	m := mill(t, 1, 1, "BOF/C1/FAN:dust:0.8@0s+1m")
	lumps := map[int]bool{}
	for m.Now() < 4*time.Minute {
		m.Step()
		lumps[m.fault(&f).Lumps] = true
	}
	if len(lumps) < 4 {
		t.Errorf("the dust lay at %d angles", len(lumps))
	}
}

func TestGrowth(t *testing.T) {
	f := Fault{Asset: "HSM/FM/F3/GBX", Name: "bearing-outer", Severity: 0.5, Offset: time.Minute, Growth: 10 * time.Minute}
	if f.At(0) != 0 || f.At(time.Minute) != onset || f.At(time.Hour) != 0.5 {
		t.Errorf("%v %v %v", f.At(0), f.At(time.Minute), f.At(time.Hour))
	}
	within(t, "half way", f.At(6*time.Minute), math.Sqrt(onset*0.5), 1e-9)
	within(t, "a fault that is there at once", (&Fault{Severity: 0.3}).At(0), 0.3, 0)
}

// A fault of a sensor shows in that sensor and nowhere else.
func TestSensorFaults(t *testing.T) {
	long(t)
	scan := func(fault string, until time.Duration) (changes, bad, jumps int) {
		m := millAt(t, coarse, 2, 1, fault)
		var vals []server.Value
		last := math.NaN()
		for m.Now() < until {
			m.Step()
			vals = m.Values(vals[:0])
			for _, v := range vals {
				tag := m.works.Tags[v.Var]
				if tag.Path != "HSM/FM/F3/GBX/OIL_T" {
					if v.Quality != plant.Good {
						t.Errorf("%s is %v", tag.Path, v.Quality)
					}
					continue
				}
				if m.Now() < 2*time.Minute {
					continue
				}
				changes++
				if !v.Quality.IsGood() {
					bad++
				}
				if math.Abs(v.Number-last) > 10 {
					jumps++
				}
				last = v.Number
			}
		}
		return changes, bad, jumps
	}
	f := func(fault string, until time.Duration, check func(changes, bad, jumps int) bool) {
		t.Helper()
		if c, b, j := scan("HSM/FM/F3/GBX:"+fault, until); !check(c, b, j) {
			t.Errorf("%s: %d changes, %d bad, %d jumps", fault, c, b, j)
		}
	}
	f("stuck=OIL_T@1m", 20*time.Minute, func(c, b, j int) bool { return c == 0 })
	f("stuck=OIL_T@30m", 20*time.Minute, func(c, b, j int) bool { return c > 300 && b == 0 && j == 0 })
	f("spike=OIL_T@1m", 6*time.Hour, func(c, b, j int) bool { return j >= 4 && j < 30 && b == 0 })
	f("dropout=HSM/FM/F3/GBX/OIL_T@1m", 20*time.Minute, func(c, b, j int) bool { return b >= 4 && b < 40 && j == 0 })
}

func TestLedgerAndRepair(t *testing.T) {
	m := mill(t, 1, 20, "HSM/FM/F3/GBX:gear-wear:0.3@10s+1m")
	var notes []Truth
	for m.Now() < 2*time.Minute {
		m.Step()
		notes = m.Truth(notes)
	}
	m.Repair("HSM/FM/F3/GBX")
	notes = m.Truth(notes)
	if len(notes) < 7 || notes[0].PlantTime != 10*time.Second || notes[0].Severity != onset {
		t.Fatalf("ledger %+v", notes)
	}
	for i := 1; i < len(notes)-1; i++ {
		if d := notes[i].Severity - notes[i-1].Severity; d <= 0 || d > 0.06 {
			t.Errorf("step %v at %v", d, notes[i].PlantTime)
		}
	}
	if last := notes[len(notes)-2]; last.Severity != 0.3 {
		t.Errorf("final severity %v", last.Severity)
	}
	if end := notes[len(notes)-1]; end.Severity != 0 || end.Fault != "gear-wear" {
		t.Errorf("repair %+v", end)
	}
	m.Step()
	if m.fault(&Fault{Asset: "HSM/FM/F3/GBX", Name: "gear-wear"}).Severity != 0 {
		t.Error("the gear is still worn")
	}
}

// Eight healthy hours: every mode occurs, tags stay in range, keep their
// resolution, move, and cross no limit of the asset file.
func TestHealthyHours(t *testing.T) {
	long(t)
	m := millAt(t, coarse, 11, 20)
	assets := demo(t).Assets
	limits := map[string][]plant.Limit{}
	for _, a := range assets {
		for _, l := range a.Limits {
			limits[l.Tag] = append(limits[l.Tag], l)
		}
	}
	modes := map[string]bool{}
	changes := make([]int, len(m.works.Tags))
	crossed := map[string]bool{}
	since, then := make([]time.Duration, len(m.works.Tags)), make([]float64, len(m.works.Tags)) // for rates
	var vals []server.Value
	for m.Now() < 8*time.Hour {
		m.Step()
		vals = m.Values(vals[:0])
		for _, v := range vals {
			tag := &m.works.Tags[v.Var]
			changes[v.Var]++
			if tag.Kind == plant.Text {
				if v.Text == "" {
					t.Fatalf("%s is empty", tag.Path)
				}
				if strings.HasSuffix(tag.Path, "/MODE") {
					modes[tag.Asset+" "+v.Text] = true
				}
				continue
			}
			if v.Quality != plant.Good || math.IsNaN(v.Number) || tag.Low < tag.High && (v.Number < tag.Low || v.Number > tag.High) {
				t.Fatalf("%s is %v %v", tag.Path, v.Number, v.Quality)
			}
			if r := tag.Resolution; r > 0 && math.Abs(v.Number/r-math.Round(v.Number/r)) > 1e-6 {
				t.Fatalf("%s is %v, resolution %v", tag.Path, v.Number, r)
			}
			for _, l := range limits[tag.Path] {
				if l.Kind == plant.LimitRate && m.Now()-since[v.Var] > time.Minute {
					if r := (v.Number - then[v.Var]) / (m.Now() - since[v.Var]).Seconds(); r > l.Value && since[v.Var] > 0 {
						t.Errorf("%s rises by %v a second at %v, limit %v", tag.Path, r, m.Now(), l.Value)
					}
					since[v.Var], then[v.Var] = m.Now(), v.Number
				}
				over := v.Number > l.Value && (l.Kind == plant.LimitHigh || l.Kind == plant.LimitHighHigh)
				under := v.Number < l.Value && (l.Kind == plant.LimitLow || l.Kind == plant.LimitLowLow)
				if (over || under) && !crossed[tag.Path] {
					crossed[tag.Path] = true
					t.Errorf("%s is %v at %v, %s limit %v", tag.Path, v.Number, m.Now(), l.Kind, l.Value)
				}
			}
		}
	}
	for _, a := range assets {
		for _, mode := range a.Modes {
			if !modes[a.Path+" "+mode.Name] && mode.Name != production.RollingHard {
				t.Errorf("%s was never in mode %s", a.Path, mode.Name)
			}
		}
	}
	for i, n := range changes {
		if n < 5 {
			t.Errorf("%s changed %d times", m.works.Tags[i].Path, n)
		}
	}
}

// Every mode that the mill names is one that the asset file knows.
func TestModesAreKnown(t *testing.T) {
	assets := demo(t).Assets
	known := map[string]bool{}
	for _, a := range assets {
		for _, m := range a.Modes {
			known[a.Path+" "+m.Name] = true
		}
	}
	for _, m := range []string{production.Threading, production.Rolling, production.RollingHard, production.TailOut, production.Gap, production.Idle, production.RollChange, production.WarmUp} {
		if !known["HSM/FM/F3/GBX "+m] {
			t.Errorf("the asset file lacks the mode %s", m)
		}
	}
	for _, m := range []string{"charge", "blow", "sample", "tap", "slag"} {
		if !known["BOF/C1/FAN "+m] {
			t.Errorf("the asset file lacks the mode %s", m)
		}
	}
}

// At no speed has a tag more than 50 values a second of the clock.
func TestPace(t *testing.T) {
	for _, speed := range []float64{0.5, 1, 20, 200, 1000} {
		m := mill(t, 1, speed)
		last := make([]time.Duration, len(m.works.Tags))
		var vals []server.Value
		until := time.Duration(speed * 10 * float64(time.Second))
		for m.Now() < min(until, time.Hour) {
			m.Step()
			vals = m.Values(vals[:0])
			for _, v := range vals {
				wall := time.Duration(float64(m.Now()) / speed)
				if gap := wall - last[v.Var]; last[v.Var] > 0 && gap < minInterval-time.Microsecond {
					t.Fatalf("speed %v: %s again after %v", speed, m.works.Tags[v.Var].Path, gap)
				}
				last[v.Var] = wall
			}
		}
	}
}

func TestParseFault(t *testing.T) {
	f := func(s string, want Fault) {
		t.Helper()
		got, err := ParseFault(s)
		if err != nil || got != want {
			t.Errorf("%s read as %+v, %v", s, got, err)
		}
		if again, err := ParseFault(got.String()); err != nil || again != got {
			t.Errorf("%s written as %s, read as %+v, %v", s, got, again, err)
		}
	}
	const g = "HSM/FM/F3/GBX"
	f(g+":bearing-outer@90s", Fault{Asset: g, Name: "bearing-outer", Severity: 1, Offset: 90 * time.Second, Growth: 10 * time.Minute})
	f(g+":bearing-outer:0.6@2h+1h", Fault{Asset: g, Name: "bearing-outer", Severity: 0.6, Offset: 2 * time.Hour, Growth: time.Hour})
	f(g+":stuck=OIL_T@0s", Fault{Asset: g, Name: "stuck", Tag: g + "/OIL_T", Severity: 1, course: machine.AtOnce})
	f(g+":drift="+g+"/OIL_T:0.5@1m", Fault{Asset: g, Name: "drift", Tag: g + "/OIL_T", Severity: 0.5, Offset: time.Minute, Growth: 30 * time.Minute, course: machine.Even})
	f(g+":swap=VIB_H,"+g+"/VIB_V@1m", Fault{Asset: g, Name: "swap", Tag: g + "/VIB_H", With: g + "/VIB_V", Severity: 1, Offset: time.Minute, course: machine.AtOnce})
	f(g+":gear-crack:0.6@2h~natural", Fault{Asset: g, Name: "gear-crack", Severity: 0.6, Offset: 2 * time.Hour, Growth: 20 * day, Natural: true})
	f(g+":gear-crack@2h+3h~natural", Fault{Asset: g, Name: "gear-crack", Severity: 1, Offset: 2 * time.Hour, Growth: 3 * time.Hour, Natural: true})
	bad := func(s, want string) {
		t.Helper()
		_, err := ParseFault(s)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", s, err, want)
		}
	}
	bad("", "has no @OFFSET")
	bad("X@1s", "has no :FAULT")
	bad("X:dust@1s", `there is no machine "X", allowed are `)
	bad(g+":dust@1s", `has no fault "dust", allowed are bearing-outer, gear-wear, gear-crack, lubrication`)
	bad(g+":bearing-outer:2@1s", `severity "2"`)
	bad(g+":bearing-outer:NaN@1s", `severity "NaN"`)
	bad(g+":bearing-outer@soon", `offset "soon"`)
	bad(g+":bearing-outer@-1s", `offset "-1s"`)
	bad(g+":bearing-outer@1s+x", `growth "x"`)
	bad(g+":stuck@1s", "needs a tag")
	bad(g+":drift=OIL_T@1s~natural", "leave out ~natural")
	bad("HSM/ROT/G1:coupling@1s~natural", "leave out ~natural")
	bad(g+":gear-crack@1s+0s~natural", "leave out ~natural")
	bad(g+":stuck=@1s", "names no tag")
	bad(g+":gear-wear=OIL_T@1s", "takes no =TAG")
	bad(g+":swap=OIL_T@1s", "two different ones for swap=TAG,TAG")
	bad(g+":swap=OIL_T,OIL_T@1s", "two different ones for swap=TAG,TAG")
	bad(g+":stuck=OIL_T,OIL_P@1s", "allowed is one tag")
	m := mill(t, 1, 1)
	if err := m.Inject(Fault{Asset: g, Name: "stuck", Tag: g + "/NOPE", Severity: 1}); err == nil || !strings.Contains(err.Error(), "no measured tag") {
		t.Errorf("%v", err)
	}
	if err := m.Inject(Fault{Asset: g, Name: "gear-wear"}); err == nil {
		t.Error("a fault without severity was taken")
	}
}

func FuzzParseFault(f *testing.F) {
	f.Add("HSM/FM/F3/GBX:bearing-outer:0.6@20m+1h")
	f.Add("HSM/FM/F3/GBX:gear-crack@20m+1h~natural")
	f.Add("BOF/C1/FAN:stuck=VIB_H@0s")
	f.Fuzz(func(t *testing.T, s string) {
		fault, err := ParseFault(s)
		if err != nil {
			return
		}
		if again, err := ParseFault(fault.String()); err != nil || again != fault {
			t.Fatalf("%q read as %+v, written as %q, read as %+v, %v", s, fault, fault.String(), again, err)
		}
		for _, d := range []time.Duration{0, time.Minute, time.Hour} {
			if at := fault.At(d); !(at >= 0 && at <= 1) {
				t.Fatalf("severity %v", at)
			}
		}
	})
}

// Once it runs, a step and its scans allocate nothing.
func TestStepAllocs(t *testing.T) {
	m := mill(t, 1, 20, "HSM/FM/F3/GBX:bearing-outer@0s+1s")
	vals := make([]server.Value, 0, 1024)
	for m.Now() < time.Minute {
		m.Step()
		vals = m.Values(vals[:0])
	}
	if n := testing.AllocsPerRun(2000, func() {
		m.Step()
		vals = m.Values(vals[:0])
	}); n > 0.01 { // the next coil's id is a new text
		t.Errorf("%v allocations a step", n)
	}
}

// The step grows with the speed, tags are scanned as often as ever, and every step
// is one that machines can take.
func TestStepAtSpeed(t *testing.T) {
	for speed, want := range map[float64]time.Duration{0.1: 50, 1: 50, 2.5: 50, 5: 100, 10: 200, 20: 200, 25: 500, 49: 500, 50: 1000, 1000: 1000} {
		if got := stepAt(speed); got != want*time.Millisecond {
			t.Errorf("at %v the step is %v, want %v ms", speed, got, want)
		}
	}
	for _, speed := range []float64{1, 5, 10, 20, 50, 100, 1000} {
		m, err := assemble(demo(t), 1, speed, stepAt(speed))
		if err != nil {
			t.Fatal(err)
		}
		for i := range m.channels {
			c := &m.channels[i]
			got, want := time.Duration(c.stride)*m.step, max(c.Every, time.Duration(speed*float64(minInterval)))
			if got != want {
				t.Errorf("at %v, %s is scanned every %v, want %v", speed, c.path, got, want)
			}
		}
	}
}

// BenchmarkStep says by plant-s/cpu-s how fast plant time can run on one processor, with
// nobody at the server.
func BenchmarkStep(b *testing.B) {
	for _, w := range []struct {
		name string
		Works
	}{{"demo", demo(b)}, {"reference", reference(b)}} {
		for _, speed := range []float64{1, 20, 1000} {
			b.Run(fmt.Sprintf("%s/%gx", w.name, speed), func(b *testing.B) {
				m, err := NewMill(w.Works, 1, speed)
				if err != nil {
					b.Fatal(err)
				}
				var vals []server.Value
				b.ReportAllocs()
				from, begun := m.Now(), processorTime(b)
				for b.Loop() {
					m.Step()
					vals = m.Values(vals[:0])
				}
				b.ReportMetric((m.Now()-from).Seconds()/(processorTime(b)-begun).Seconds(), "plant-s/cpu-s")
			})
		}
	}
}

// processorTime is what this process has used.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
