package vibration

import (
	"math"
	"testing"

	"millwright/simulator/vibration/vibrationtest"
)

const (
	rate  = 25_600.0
	turns = 990.0 / 60 // a second
)

func burst(s Signal, seed uint64) []float32 {
	dst := make([]float32, 65_536)
	s.Burst(dst, rate, seed)
	return dst
}

// measured is the mean of some bursts, and the height of the envelope's line at f.
func measured(s Signal, f float64) (m vibrationtest.Measured, line float64) {
	const bursts = 4
	for seed := range uint64(bursts) {
		values := burst(s, seed)
		one := vibrationtest.Of(values, rate)
		m.Velocity += one.Velocity / bursts
		m.RMS += one.RMS / bursts
		m.High += one.High / bursts
		m.Kurtosis += one.Kurtosis / bursts
		m.Crest += one.Crest / bursts
		line += vibrationtest.EnvelopeOf(values, rate, 2000, 5000).Line(f, 0.01, 300) / bursts
	}
	return m, line
}

// The check run of an outer race spall: 16.5 turns a second, 1× of 0.25 m/s²,
// resonance at 3.2 kHz, white noise of 0.5 m/s². What is measured in bursts and what
// Features says without one are both the reference's figures.
func TestTable(t *testing.T) {
	f := func(severity, rms, kurt, crest, line, velocity float64) {
		t.Helper()
		s := reference(severity)
		m, db := measured(s, OuterRace*turns)
		t.Logf("%.2f: measured %.3f m/s², kurtosis %.2f, crest %.2f, line %.1f dB, %.3f mm/s; features %+.3v", severity, m.RMS, m.Kurtosis, m.Crest, db, m.Velocity, s.Features())
		within(t, "r.m.s.", m.RMS, rms, 0.03)
		within(t, "kurtosis", m.Kurtosis, kurt, 0.05)
		within(t, "crest", m.Crest, crest, 0.12)
		within(t, "velocity", m.Velocity, velocity, 0.02)
		if math.Abs(db-line) > 3.5 {
			t.Errorf("severity %v: envelope line %.1f dB, want %v", severity, db, line)
		}
		x := s.Features()
		within(t, "r.m.s. in closed form", x.RMS, rms, 0.03)
		within(t, "kurtosis in closed form", x.Kurtosis, kurt, 0.05)
		within(t, "crest in closed form", x.Crest, crest, 0.12)
		within(t, "velocity in closed form", x.Velocity, velocity, 0.02)
		if math.Abs(x.Line-line) > 2 {
			t.Errorf("severity %v: envelope line in closed form %.1f dB, want %v", severity, x.Line, line)
		}
	}
	f(0, 0.58, 3.0, 4.7, 2, 1.73)
	f(0.05, 0.59, 3.0, 4.6, 17, 1.73)
	f(0.10, 0.62, 3.1, 4.4, 25, 1.73)
	f(0.20, 0.73, 4.2, 5.2, 30, 1.73)
	f(0.40, 1.06, 7.2, 5.9, 33, 1.73)
	f(1.00, 2.30, 10.3, 6.3, 34, 1.74)
}

// At severity 0.05 the envelope shows the defect and ISO velocity does not move.
func TestEnvelopeBeforeVelocity(t *testing.T) {
	healthy, before := measured(reference(0), OuterRace*turns)
	early, line := measured(reference(0.05), OuterRace*turns)
	within(t, "velocity", early.Velocity, healthy.Velocity, 0.02)
	if line-before < 8 {
		t.Errorf("the line rises from %.1f to %.1f dB", before, line)
	}
}

// As the spall spreads, the r.m.s. goes on rising and the kurtosis falls.
func TestLateStage(t *testing.T) {
	at := func(s float64) vibrationtest.Measured {
		x := reference(0)
		x.Impacts = []Impacts{Bearing{Rollers: 19, Ratio: 0.13}.Orders().OuterSpall(s, 990)}
		m, _ := measured(x, 1)
		f := x.Features()
		within(t, "r.m.s. in closed form", f.RMS, m.RMS, 0.05)
		within(t, "kurtosis in closed form", f.Kurtosis, m.Kurtosis, 0.1)
		return m
	}
	peak, late := at(0.7), at(1)
	if late.Kurtosis > 0.7*peak.Kurtosis || late.RMS < 1.5*peak.RMS {
		t.Errorf("kurtosis %.1f to %.1f, r.m.s. %.2f to %.2f", peak.Kurtosis, late.Kurtosis, peak.RMS, late.RMS)
	}
}

// lines are named frequencies: k·f + m·g for k up to most and |m| up to sides.
func lines(f float64, most int, g float64, sides int) (all []float64) {
	for k := range most + 1 {
		for m := -sides; m <= sides; m++ {
			if x := float64(k)*f + float64(m)*g; x > 0 {
				all = append(all, x)
			}
		}
	}
	return all
}

// Each fault puts at least four fifths of the power that it adds to the spectrum, or
// to that of the envelope, where theory names it: ± 2 %, and never more than a
// quarter of the distance to the next line.
func TestFaultsOnTheirLines(t *testing.T) {
	o := Bearing{Rollers: 19, Ratio: 0.13}.Orders()
	healthy := Signal{Speed: 990, Noise: 0.3, Shaft: []Line{{1, 0.25, 0}}, Mesh: []Mesh{{Teeth: 23, Amp: [3]float64{1, 0.5, 0.25}}}}
	f := func(name string, envelope bool, fault func(s *Signal), named []float64, apart, to float64) {
		t.Helper()
		s := healthy
		fault(&s)
		var on, all float64
		for seed := range uint64(3) {
			spectrum := func(s Signal) vibrationtest.Spectrum {
				if envelope {
					return vibrationtest.EnvelopeOf(burst(s, seed), rate, 2000, 5000)
				}
				return vibrationtest.SpectrumOf(burst(s, seed), rate)
			}
			a, b := spectrum(healthy), spectrum(s)
			for i := range b.Power {
				x := float64(i) * b.Step
				if x < 2*b.Step || x > to {
					continue
				}
				added := math.Max(0, b.Power[i]-a.Power[i])
				all += added
				for _, line := range named {
					if math.Abs(x-line) <= math.Max(2*b.Step, math.Min(0.02*line, apart/4)) {
						on += added
						break
					}
				}
			}
		}
		t.Logf("%s: %.0f %% of the added power on its lines", name, 100*on/all)
		if !(on >= 0.8*all) || all <= 0 {
			t.Errorf("%s: %.3g of %.3g on its lines", name, on, all)
		}
	}
	bearing := func(i Impacts) func(*Signal) {
		i.Amp = 5
		return func(s *Signal) { s.Impacts = []Impacts{i} }
	}
	f("bearing-outer", true, bearing(o.OuterSpall(0.4, 990)), lines(o.Outer*turns, 6, 0, 0), o.Outer*turns, 900)
	f("bearing-inner", true, bearing(o.InnerSpall(0.4, 990)), lines(o.Inner*turns, 4, turns, 4), turns, 800)
	f("bearing-roller", true, bearing(o.RollerSpall(0.4, 990)), lines(2*o.Roller*turns, 5, o.Cage*turns, 4), o.Cage*turns, 700)
	f("bearing-cage", true, bearing(o.CageWear(0.4, 990)), lines(o.Cage*turns, 12, 0, 0), o.Cage*turns, 12.5*o.Cage*turns)
	f("gear-crack", true, func(s *Signal) {
		s.Impacts = []Impacts{Tooth(0.5)}
		s.Mesh = []Mesh{{Teeth: 23, Amp: healthy.Mesh[0].Amp, Crack: 0.5}}
	},
		lines(turns, 60, 0, 0), turns, 60*turns)
	f("gear-crack beside the mesh", false, func(s *Signal) { s.Mesh = []Mesh{{Teeth: 23, Amp: healthy.Mesh[0].Amp, Crack: 0.5}} },
		lines(23*turns, 3, turns, 11), turns, 2000)
	f("gear-wear", false, func(s *Signal) { s.Mesh = []Mesh{{Teeth: 23, Amp: [3]float64{1.5, 2, 0.5}, AM: 0.3, PM: 0.3}} },
		lines(23*turns, 3, turns, 2), turns, 2000)
	f("unbalance", false, func(s *Signal) { s.Shaft = []Line{{1, 0.8, 1}} }, []float64{turns}, turns, 2000)
	f("misalignment", false, func(s *Signal) { s.Shaft = []Line{{1, 0.3, 0}, {2, 0.6, 1}} }, []float64{turns, 2 * turns}, turns, 2000)
	f("looseness", false, func(s *Signal) { s.Loose = 1 }, lines(turns/2, 16, 0, 0), turns/2, 2000)

	// Cavitation is noise above 2 kHz; its envelope shows the vanes.
	s := healthy
	s.Flow = Flow{RMS: 3, Order: 7, Depth: 0.4}
	a, b := vibrationtest.SpectrumOf(burst(healthy, 1), rate), vibrationtest.SpectrumOf(burst(s, 1), rate)
	var above, all float64
	for i := range b.Power {
		all += b.Power[i] - a.Power[i]
		if float64(i)*b.Step > 2000 {
			above += b.Power[i] - a.Power[i]
		}
	}
	e := vibrationtest.EnvelopeOf(burst(s, 1), rate, 2000, 12_000)
	highest := 3
	for i := range e.Power[:int(1000/e.Step)] {
		if i > 3 && e.Power[i] > e.Power[highest] {
			highest = i
		}
	}
	t.Logf("cavitation: %.0f %% above 2 kHz, highest line of the envelope at %.1f Hz", 100*above/all, float64(highest)*e.Step)
	if !(above >= 0.8*all) || math.Abs(float64(highest)*e.Step-7*turns) > 0.02*7*turns {
		t.Errorf("cavitation: %.2f above 2 kHz, highest line of the envelope at %.1f Hz, want %.1f", above/all, float64(highest)*e.Step, 7*turns)
	}
}
