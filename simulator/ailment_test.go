package simulator

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"millwright/plant"
	"millwright/simulator/physics"
	"millwright/simulator/server"
)

func contains(err error, what string) bool { return strings.Contains(err.Error(), what) }

// cold is a mill to look at sensors, which has not run.
func cold(t *testing.T, w Works) *Mill {
	t.Helper()
	m, err := assemble(w, 2, 1, millStep)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// look scans a sensor with a fault n times and gives what it said, with the
// times of a clock that begins at start.
func look(t *testing.T, n int, fault func(m *Mill, c, other *channel)) (said []server.Value, c *channel) {
	t.Helper()
	m := cold(t, demo(t))
	c, other := m.channel("HSM/FM/F3/GBX/OIL_T"), m.channel("HSM/FM/F3/GBX/BRG_T_PDE")
	warm, hot := 50.0, 80.0
	c.Value, c.y, other.Value, other.y = &warm, 50, &hot, 80
	c.zero, c.gain, other.zero, other.gain = 0, 0, 0, 0 // what is seen is the fault's alone
	start := time.Date(2024, 3, 1, 6, 0, 0, 0, time.UTC).UnixNano()
	for i := range n {
		if i == 20 && fault != nil {
			fault(m, c, other)
		}
		at := float64(i)
		if v, ok := c.scan(at, 1); ok {
			vals := []server.Value{v}
			m.Stamp(vals, start+int64(i)*int64(time.Second))
			said = append(said, vals[0])
		}
	}
	return said, c
}

// stats are mean, standard deviation, smallest and largest number from the value
// on with which the fault began.
func stats(vals []server.Value) (mean, sd, low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	var sum, square float64
	for _, v := range vals {
		sum, square = sum+v.Number, square+v.Number*v.Number
		low, high = math.Min(low, v.Number), math.Max(high, v.Number)
	}
	n := float64(len(vals))
	mean = sum / n
	return mean, math.Sqrt(math.Max(0, square/n-mean*mean)), low, high
}

// Each fault of a sensor does what it says.
func TestAilments(t *testing.T) {
	long(t)
	const n = 620
	healthy, c := look(t, n, nil)
	span := c.high - c.low
	mean, sd, _, _ := stats(healthy)
	within(t, "the healthy mean", mean, 50, 0.01)
	sick := func(name string, severity float64) []server.Value {
		t.Helper()
		f, ok := sensorFaultNamed(name)
		if !ok {
			t.Fatalf("no fault %s", name)
		}
		vals, _ := look(t, n, func(_ *Mill, c, other *channel) {
			if f == sensorSwap {
				*c.swapWith(other) = severity
				return
			}
			*c.ails(f) = severity
		})
		from := vals[0].Time + 20*int64(time.Second)
		for i := range vals {
			if i > 0 && vals[i].Time >= from && vals[i-1].Time < from || vals[i].Time > from {
				return vals[i:]
			}
		}
		return nil
	}
	moved := func(name string, want float64) {
		t.Helper()
		got, _, _, _ := stats(sick(name, 1))
		if math.Abs(got-want) > 3*sd {
			t.Errorf("%s: reads %.3f, want %.3f", name, got, want)
		}
	}
	moved("drift", 50+0.05*span)
	moved("swap", math.Min(80, c.high))
	moved("wrong-unit", 122)
	moved("wrong-scale", 500)

	if vals := sick("stuck", 1); len(vals) != 0 {
		t.Errorf("stuck: says %d values", len(vals))
	}
	fresh := sick("stuck-fresh", 1)
	if _, _, low, high := stats(fresh); len(fresh) < n-25 || low != high {
		t.Errorf("stuck-fresh: %d values from %v to %v", len(fresh), low, high)
	}
	for i := 1; i < len(fresh); i++ {
		if fresh[i].Time <= fresh[i-1].Time {
			t.Fatalf("stuck-fresh: the times stand still")
		}
	}
	if vals := sick("stuck-bad", 1); len(vals) != 1 || vals[0].Quality != plant.BadNoCommunication {
		t.Errorf("stuck-bad: %+v", vals)
	}
	_, noisy, _, _ := stats(sick("noise", 1))
	within(t, "noise", noisy, 10*c.Sigma, 0.15)
	_, humming, low, high := stats(sick("hum", 1))
	within(t, "hum", humming, 0.02*span/math.Sqrt2, 0.25)
	within(t, "the swing of the hum", high-low, 0.04*span, 0.15)
	_, _, _, top := stats(sick("saturation", 1))
	if _, _, _, was := stats(healthy); top >= was || top > 50+c.resolution {
		t.Errorf("saturation: reads %v", top)
	}
	for _, v := range sick("resolution", 1) {
		if k := (v.Number - c.low) / (span / 256); math.Abs(k-math.Round(k)) > 1e-6 {
			t.Fatalf("resolution: reads %v, no multiple of %v", v.Number, span/256)
		}
	}
	if vals := sick("deadband", 1); len(vals) > 1 {
		t.Errorf("deadband: %d changes of a quiet tag", len(vals))
	}
	spikes := 0
	rare, _ := look(t, 20*3600, func(_ *Mill, c, _ *channel) { *c.ails(sensorSpike) = 1 })
	for _, v := range rare {
		if math.Abs(v.Number-50) > 0.15*span {
			spikes++
		}
	}
	if spikes < 8 || spikes > 36 {
		t.Errorf("spike: %d in twenty hours", spikes)
	}
	bad := 0
	for _, v := range sick("dropout", 1) {
		if !v.Quality.IsGood() {
			bad++
		}
	}
	if bad < 3 || bad > 30 {
		t.Errorf("dropout: %d changes to bad in ten minutes", bad)
	}
	longest := int64(0)
	quiet := sick("dropout-silent", 1)
	for i := 1; i < len(quiet); i++ {
		longest = max(longest, quiet[i].Time-quiet[i-1].Time)
	}
	if time.Duration(longest) < 15*time.Second || len(quiet) < 100 {
		t.Errorf("dropout-silent: %d values, at most %v apart", len(quiet), time.Duration(longest))
	}
}

// A step of zero or gain is of a tenth, up as often as down, where there is room for it.
func TestSteps(t *testing.T) {
	m := cold(t, demo(t))
	c := m.channel("HSM/FM/F3/GBX/OIL_T")
	c.low, c.high = 0, 100
	up := func(name string, y, size float64) (share float64) {
		t.Helper()
		f, _ := sensorFaultNamed(name)
		const n = 400
		for range n {
			c.ail, c.y = nil, y
			*c.ails(f) = 1
			by := c.ail.shift(c, y, 100) - y
			if math.Abs(math.Abs(by)-size) > 1e-9 || c.ail.shift(c, y, 100)-y != by {
				t.Fatalf("%s at %v: moves by %v, want %v either way and for good", name, y, by, size)
			}
			if by > 0 {
				share += 1.0 / n
			}
		}
		return share
	}
	within(t, "zero, up", up("zero-step", 50, 10), 0.5, 0.2)
	within(t, "zero, up at four fifths", up("zero-step", 80, 10), 0.5, 0.2)
	within(t, "zero, up at the top", up("zero-step", 95, 10), 0, 0)
	within(t, "zero, up at the bottom", up("zero-step", 5, 10), 1, 1e-9)
	within(t, "gain, up", up("gain-step", 50, 5), 0.5, 0.2)
	within(t, "gain, up at the top", up("gain-step", 95, 9.5), 0, 0)
}

// The clock of a source is wrong, its values are not.
func TestClocks(t *testing.T) {
	start := time.Date(2024, 3, 1, 6, 0, 0, 0, time.UTC).UnixNano()
	off := func(name string, check func(at, now time.Duration) bool) {
		t.Helper()
		f, _ := sensorFaultNamed(name)
		m := cold(t, demo(t))
		c := m.channel("HSM/FM/F3/GBX/OIL_T")
		*c.ails(f) = 1
		for now := time.Duration(0); now < 5*time.Minute; now += 700 * time.Millisecond {
			vals := []server.Value{{Var: c.variable}, {Var: c.variable + 1}}
			m.Stamp(vals, start+int64(now))
			if vals[1].Time != start+int64(now) {
				t.Fatalf("%s: another tag has the time %v", name, time.Duration(vals[1].Time-start))
			}
			if at := time.Duration(vals[0].Time - start); !check(at, now) {
				t.Errorf("%s: the time is %v at %v", name, at, now)
			}
		}
	}
	off("clock", func(at, now time.Duration) bool { return at == now+37*time.Second })
	off("clock-zone", func(at, now time.Duration) bool { return at == now+5*time.Hour })
	repeats, last := 0, time.Duration(-1)
	off("clock-repeat", func(at, now time.Duration) bool {
		if at == last {
			repeats++
		}
		last = at
		return at <= now && now-at < time.Minute
	})
	if repeats < 400 {
		t.Errorf("clock-repeat: %d stamps repeated", repeats)
	}
	back := 0
	last = 0
	off("clock-back", func(at, now time.Duration) bool {
		if at < last {
			back++
		}
		last = at
		return at >= now && at < now+5*time.Second
	})
	if back != 4 {
		t.Errorf("clock-back: set back %d times in five minutes", back)
	}
}

// Mains hum beats slowly through the scan, and is of the right size.
func TestHum(t *testing.T) {
	m := cold(t, demo(t))
	c := m.channel("HSM/FM/F3/GBX/FORCE_DS")
	still := 8.0
	c.Value, c.y, c.Sigma, c.Rel, c.Hum = &still, 8, 0, 0, 0.5
	var sum, square, turns float64
	last := 0.0
	const n = 20_000
	for i := range n {
		x := c.measure(float64(i)*0.2, 0.2) - 8
		sum, square = sum+x, square+x*x
		if x*last < 0 {
			turns++
		}
		last = x
	}
	within(t, "r.m.s.", math.Sqrt(square/n), 0.5/math.Sqrt2, 0.15)
	if math.Abs(sum/n) > 0.05 {
		t.Errorf("mean %v", sum/n)
	}
	if turns < 20 || turns > n/10 {
		t.Errorf("%v zero crossings in %d scans", turns, n)
	}
}

// A sick accelerometer spoils its waveform, and no other.
func TestSpoiltWaveforms(t *testing.T) {
	long(t)
	w, err := Reference()
	if err != nil {
		t.Fatal(err)
	}
	const sickTag, wellTag = "BOF/C1/FAN/VIB_H_W", "BOF/C1/FAN/VIB_A_W"
	burst := func(faults ...string) (hurt, well []float32) {
		t.Helper()
		m := cold(t, w)
		for _, s := range faults {
			f, err := ParseFault("BOF/C1/FAN:" + s + "=VIB_H_W@0s")
			if err == nil {
				err = m.Inject(f)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		m.grow()
		for i := range m.points {
			m.points[i].next = 0
		}
		m.nextBurst = 0
		for _, b := range m.Bursts(nil) {
			switch b.Path {
			case sickTag:
				hurt = b.Values
			case wellTag:
				well = b.Values
			}
		}
		return hurt, well
	}
	rms := func(v []float32) float64 {
		sum := 0.0
		for _, x := range v {
			sum += float64(x) * float64(x)
		}
		return math.Sqrt(sum / float64(len(v)))
	}
	// line is the amplitude at f Hz.
	line := func(v []float32, f float64) float64 {
		var re, im float64
		for i, x := range v {
			sin, cos := math.Sincos(2 * math.Pi * f * float64(i) / 25_600)
			re, im = re+float64(x)*cos, im+float64(x)*sin
		}
		return 2 * math.Hypot(re, im) / float64(len(v))
	}
	healthy, other := burst()
	if len(healthy) != burstLength || len(other) != burstLength {
		t.Fatal("there are no bursts")
	}
	for _, name := range []string{"bias", "hum", "saturation", "loose-magnet"} {
		hurt, well := burst(name)
		if !slices.Equal(well, other) {
			t.Errorf("%s spoils another waveform", name)
		}
		switch name {
		case "bias":
			within(t, "the noise without a signal", rms(hurt), 0.05, 0.05)
		case "hum":
			within(t, "hum", line(hurt, 50), 2, 0.15)
		case "saturation":
			top := float64(slices.Max(hurt))
			within(t, "the clipped top", top, 1.5*rms(healthy), 0.01)
		}
	}
	// The response of the mounting: a peak at its resonance, nothing far above.
	respond := func(f float64) float64 {
		v := make([]float32, burstLength)
		for i := range v {
			v[i] = float32(math.Sin(2 * math.Pi * f * float64(i) / 25_600))
		}
		(&sick{sensorMagnet: 1}).spoil(v, 25_600, 1)
		return line(v, f)
	}
	within(t, "the response at 100 Hz", respond(100), 1, 0.01)
	within(t, "at the resonance", respond(4000), 1/(2*0.08), 0.05)
	if far := respond(11_000); far > 0.1 {
		t.Errorf("the response at 11 kHz is %v", far)
	}
	m := cold(t, w)
	bad := func(f Fault, want string) {
		t.Helper()
		f.Asset, f.Severity = "BOF/C1/FAN", 1
		if err := m.check(f); err == nil || !contains(err, want) {
			t.Errorf("%+v: %v, want %q", f, err, want)
		}
	}
	bad(Fault{Name: "drift", Tag: sickTag}, "waveforms have no drift")
	bad(Fault{Name: "bias", Tag: "BOF/C1/FAN/VIB_H"}, "is no waveform")
}

// Most failures of a loose contact last seconds, some hours, none longer than a shift
// lets them: a minute of silence and an afternoon of it are different faults to whoever
// watches.
func TestLongDropouts(t *testing.T) {
	rng := physics.Stream(1, "dropouts")
	var o outage
	const days = 30
	short, long, hours, longest, lasted := 0, 0, 0, 0.0, 0.0
	for range days * 86_400 {
		if o.step(1, 1, rng) {
			lasted++
			longest = math.Max(longest, lasted)
			continue
		}
		switch {
		case lasted >= 3600:
			hours++
			fallthrough
		case lasted >= shortestLong:
			long++
		case lasted > 0:
			short++
		}
		lasted = 0
	}
	if longest > longestOutage || longest < longestOutage/2 {
		t.Errorf("the longest takes %.0f s", longest)
	}
	// One in 200, of which half the logarithm of 36 lies beyond an hour.
	if share := float64(long) / float64(short+long); share < 0.003 || share > 0.008 || hours < long/4 || hours > 3*long/4 {
		t.Errorf("%d short, %d long, %d of them hours", short, long, hours)
	}
	if o.step(0, 1, rng) || o != (outage{}) {
		t.Error("what is mended still fails")
	}
}
