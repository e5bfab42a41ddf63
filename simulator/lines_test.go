package simulator

import (
	"math"
	"slices"
	"testing"
	"time"

	"millwright/plant"
	"millwright/simulator/vibration/vibrationtest"
)

// only is a works of one deep machine.
func only(w Works, asset string) Works {
	w.Assets = slices.DeleteFunc(slices.Clone(w.Assets), func(a plant.Asset) bool { return a.Path != asset })
	w.Tags = slices.DeleteFunc(slices.Clone(w.Tags), func(t plant.Tag) bool { return t.Asset != asset && t.Asset != "" })
	return w
}

// bearing gives the order that the works' own file says of the asset's first bearing.
func bearing(order func(plant.BearingOrders) float64) func(*plant.Asset) float64 {
	return func(a *plant.Asset) float64 {
		for i := range a.Bearings {
			if o, ok := a.Bearings[i].Orders(); ok {
				return order(o)
			}
		}
		return math.NaN()
	}
}

func shaft(order float64) func(*plant.Asset) float64 {
	return func(*plant.Asset) float64 { return order }
}

// A fault of a machine raises its line in the bursts of that machine's own
// accelerometers, within 2 % (or a bin of 0.4 Hz) of where the bearings of its file, the teeth of its drawing
// and the speed of that moment put it. Rotor bars are seen in the current alone,
// cavitation, dry bearings and the blower's surge are noise and have no line.
func TestFaultsOnTheirLinesInMachines(t *testing.T) {
	long(t)
	outer := bearing(func(o plant.BearingOrders) float64 { return o.BPFO })
	inner := bearing(func(o plant.BearingOrders) float64 { return o.BPFI })
	roller := bearing(func(o plant.BearingOrders) float64 { return 2 * o.BSF })
	cage := bearing(func(o plant.BearingOrders) float64 { return o.FTF })
	works := reference(t)
	for _, x := range []struct {
		asset, fault, point string
		order               func(*plant.Asset) float64
		envelope            bool
		speed               string  // tag of the shaft's
		above               float64 // r/min: the machine works
	}{
		{"SIN/S1/FAN", "bearing-outer", "VIB_H_W", outer, true, "SPEED", 900},
		{"SIN/S1/FAN", "bearing-inner", "VIB_H_W", inner, true, "SPEED", 900},
		{"SIN/S1/FAN", "bearing-roller", "VIB_H_W", roller, true, "SPEED", 900},
		{"SIN/S1/FAN", "bearing-cage", "VIB_H_W", cage, true, "SPEED", 900},
		{"SIN/S1/FAN", "dust", "VIB_H_W", shaft(1), false, "SPEED", 900},
		{"SIN/S1/FAN", "misalignment", "VIB_A_W", shaft(2), false, "SPEED", 900},
		{"SIN/S1/FAN", "looseness", "VIB_H_W", shaft(1.5), false, "SPEED", 900},
		{"BOF/C1/FAN", "bearing-outer", "VIB_H_W", outer, true, "SPEED", 800},
		{"BOF/C1/FAN", "dust", "VIB_H_W", shaft(1), false, "SPEED", 800},
		{"HSM/FM/F3/GBX", "bearing-outer", "VIB_H_W", outer, true, "SPEED", 100},
		{"HSM/FM/F3/GBX", "gear-wear", "VIB_H_W", shaft(2 * 23), false, "SPEED", 100},
		{"HSM/FM/F3/GBX", "gear-crack", "VIB_H_W", shaft(1), true, "SPEED", 100},
		{"HSM/DSC/P1", "bearing-outer", "VIB_H_W", outer, true, "SPEED", 2900},
		{"WAT/CW/P1", "bearing-outer", "VIB_H_W", outer, true, "SPEED", 900},
		{"WAT/CW/P1", "bearing-inner", "VIB_H_W", inner, true, "SPEED", 900},
		{"WAT/CW/P1", "misalignment", "VIB_A_W", shaft(2), false, "SPEED", 900},
		{"WAT/CW/P1", "looseness", "VIB_V_W", shaft(1.5), false, "SPEED", 900},
		{"BF/TBS/TB1", "misalignment", "VIB_H_W", shaft(2), false, "SPEED", 2000},
		{"BF/TBS/TB1", "dust", "VIB_H_W", shaft(1), false, "SPEED", 2000},
		{"BF/TBS/TB1", "journal-wear", "VIB_H_W", shaft(0.45), false, "SPEED", 2000},
		{"CC/BC1/WD", "gear-wear", "VIB_D2_W", shaft(2 * 17), false, "SPEED_D2", 100},
		{"UTL/AIR/NET", "bearing-outer", "VIB_C2_H_W", outer, true, "", 400}, // at the 500 r/min of its nameplate
	} {
		t.Run(x.asset+" "+x.fault, func(t *testing.T) {
			w := only(works, x.asset)
			run := func(faults ...Fault) *Mill {
				m, err := NewOffline(w, 4, time.Second)
				if err != nil {
					t.Fatal(err)
				}
				if err := m.expect(faults, nil, nil); err != nil {
					t.Fatal(err)
				}
				return m
			}
			well, ill := run(), run(Fault{Asset: x.asset, Name: x.fault, Severity: 0.5})
			p, q := well.point(x.asset+"/"+x.point), ill.point(x.asset+"/"+x.point)
			speed := func(m *Mill) float64 {
				if x.speed == "" {
					return q.Signal().Speed
				}
				return m.real(x.asset + "/" + x.speed)
			}
			for busy := 0; busy < 60; busy++ {
				well.Step()
				ill.Step()
				if speed(well) < x.above || speed(ill) < x.above {
					busy = 0
				}
				if well.Now() > 12*time.Hour {
					t.Fatalf("never at work, %v r/min", speed(well))
				}
			}
			turns := speed(ill) / 60
			if x.speed == "" {
				turns = 500.0 / 60
			}
			line := x.order(&w.Assets[0]) * turns
			a, b := spectra(p, x.envelope), spectra(q, x.envelope)
			at, added := line, 0.0
			for i := range b.Power {
				if f := float64(i) * b.Step; math.Abs(f-line) <= 0.15*line && b.Power[i]-a.Power[i] > added {
					at, added = f, b.Power[i]-a.Power[i]
				}
			}
			near, before := highest(b, line), highest(a, line)
			t.Logf("%.2f Hz, theory %.2f; %.0f dB over the healthy line", at, line, 10*math.Log10(near/before))
			if !(math.Abs(at-line) <= math.Max(0.02*line, b.Step)) {
				t.Errorf("what the fault adds is highest at %.2f Hz, theory says %.2f", at, line)
			}
			if !(near >= 2*before) {
				t.Errorf("the line at %.2f Hz has the power %.3g, healthy %.3g: less than 3 dB more", line, near, before)
			}
		})
	}
}

// spectra is the mean spectrum, or that of the envelope from 2 to 5 kHz, of four
// bursts of an accelerometer at this moment.
func spectra(p *point, envelope bool) vibrationtest.Spectrum {
	const bursts = 4
	var sum vibrationtest.Spectrum
	s := p.Signal()
	values := make([]float32, burstLength)
	for seed := range uint64(bursts) {
		s.Burst(values, p.rate, seed)
		one := vibrationtest.SpectrumOf(values, p.rate)
		if envelope {
			one = vibrationtest.EnvelopeOf(values, p.rate, 2000, 5000)
		}
		if sum.Power == nil {
			sum = vibrationtest.Spectrum{Power: make([]float64, len(one.Power)), Step: one.Step}
		}
		for i := range one.Power {
			sum.Power[i] += one.Power[i] / bursts
		}
	}
	return sum
}

// highest is the highest power within 2 % or a bin of a line.
func highest(s vibrationtest.Spectrum, line float64) float64 {
	high := 0.0
	for i, p := range s.Power {
		if math.Abs(float64(i)*s.Step-line) <= math.Max(0.02*line, s.Step) {
			high = math.Max(high, p)
		}
	}
	return high
}
