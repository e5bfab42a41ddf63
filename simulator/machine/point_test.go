package machine

import (
	"fmt"
	"math"
	"testing"

	"millwright/simulator/production"
	"millwright/simulator/vibration"
	"millwright/simulator/vibration/vibrationtest"
)

// What an instrument reads from the bursts of a machine is what its control system
// publishes: velocity within 10 %, high-frequency r.m.s. within 6 %, kurtosis within
// 20 %, the line of the envelope within 7 dB:
// the published one saturates at 34 dB, whatever the speed.
func TestBurstsAgreeWithFeatures(t *testing.T) {
	long(t)
	const rate = 25_600.0
	check := func(what string, m Vibrating, order, speed float64) {
		t.Helper()
		tags := map[string]float64{}
		for _, s := range m.Sensors() {
			if s.Value != nil {
				tags[s.Name] = *s.Value
			}
		}
		for i, p := range m.Points() {
			s := p.Signal()
			var high, sharp, line, velocity float64
			const bursts = 2
			for seed := range uint64(bursts) {
				values := make([]float32, 65_536)
				s.Burst(values, rate, seed)
				x := vibrationtest.Of(values, rate)
				velocity, high, sharp = velocity+x.Velocity/bursts, high+x.High/bursts, sharp+x.Sharp/bursts
				line += vibrationtest.EnvelopeOf(values, rate, 2000, 5000).Line(order*speed/60, 0.015, 2.2*order*speed/60) / bursts
			}
			name := fmt.Sprintf("%s, %s: ", what, p.Name)
			within(t, name+"velocity", velocity, tags[p.Name[:len("VIB_H")]], 0.10)
			within(t, name+"velocity in closed form", s.Features().Velocity, velocity, 0.06)
			if i > 0 {
				continue // the other features are those of the first point
			}
			within(t, name+"high-frequency r.m.s.", high, tags["VIB_HF"], 0.06)
			within(t, name+"kurtosis", sharp, tags["VIB_KURT"], 0.20)
			if want := tags["VIB_ENV"]; order > 0 && math.Abs(line-want) > 7 {
				t.Errorf("%senvelope line %.1f dB, want %.1f", name, line, want)
			}
		}
	}
	const outer = vibration.OuterRace
	for _, s := range []float64{0.2, 1} {
		f := NewFan(1, production.NewWorld(1), &production.Heats{Mode: "blow", Blow: 1e9})
		f.noise.kurt.Sigma, f.speed, f.outer.Severity, f.dust.Severity = 0, fanRPM, s, 1-s
		f.vibration(1, 1)
		check(fmt.Sprintf("fan, outer race %v, dust %v", s, 1-s), f, outer, f.speed)

		p := NewPump(1, production.NewWorld(1), production.NewStrip(1))
		p.noise.kurt.Sigma, p.speed, p.flowTrue, p.outer.Severity = 0, 2980, 400, s
		p.vibration(0.05, 1)
		check(fmt.Sprintf("pump, outer race %v, cavitating", s), p, outer, p.speed)

		g := NewGearbox(1, production.NewWorld(1), production.NewStrip(1))
		g.noise.kurt.Sigma, g.speed, g.torque, g.outer.Severity, g.wear.Severity = 0, ratedRPM, 180, s, 0.5
		g.vibration(1)
		check(fmt.Sprintf("gearbox, outer race %v, worn", s), g, outer, g.speed)

		g.outer.Severity, g.wear.Severity, g.crack.Severity = 0, 0, s
		g.vibration(1)
		check(fmt.Sprintf("gearbox, cracked tooth %v", s), g, 0, g.speed)
	}
}
