package vibration

import (
	"math"
	"math/cmplx"
	"math/rand/v2"
)

const (
	block    = 512              // samples that are made at a time
	full     = 50 * 9.80665     // range of the accelerometer, m/s²
	lsb      = full / (1 << 23) // of its converter of 24 bits
	lowest   = 0.5              // Hz, of its high-pass
	flowFrom = 2000.0           // Hz
)

// Burst fills dst with samples at rate (Hz). The same signal and seed give the
// same samples. The accelerometer clips at ±50 g, resolves 24 bits, and has a
// high-pass at 0.5 Hz.
func (s *Signal) Burst(dst []float32, rate float64, seed uint64) {
	var g generator
	g.begin(s, rate, seed)
	for at := 0; at < len(dst); at += block {
		part := dst[at:min(at+block, len(dst))]
		g.sum = [block]float64{}
		for i := range g.waves {
			g.waves[i].add(&g.sum, at)
		}
		for i := range g.gears {
			g.gears[i].add(&g.sum, at)
		}
		g.re, g.im = [block]float64{}, [block]float64{}
		for i := range g.trains {
			g.strike(&g.trains[i], float64(at))
		}
		g.sway = [block]float64{}
		g.swing.add(&g.sway, at)
		g.take(part)
	}
}

// generator makes a burst, block by block.
type generator struct {
	events *rand.Rand
	noise  coins
	turn   float64 // turns per sample
	start  float64 // angle of the shaft at sample 0, turns

	waves  []wave
	gears  []gear
	trains []train
	swing  wave // of the flow

	decay, omega        float64    // of the resonance, per sample: ζω and ω_d
	pole, ring          complex128 // the resonance: one sample of it, its state
	white, colour, hiss float64    // noise into: the sum, the resonance, the high-pass of the flow
	flow                highPass
	keep, x, y          float64 // the sensor's high-pass

	sum, re, im, sway [block]float64

	roomForWaves  [24]wave
	roomForGears  [4]gear
	roomForTrains [8]train
}

func (g *generator) begin(s *Signal, rate float64, seed uint64) {
	g.events = rand.New(rand.NewPCG(seed, 1))
	g.noise = coins{seed}
	g.turn = s.Speed / 60 / rate
	g.start = g.events.Float64()
	g.waves, g.gears, g.trains = g.roomForWaves[:0], g.roomForGears[:0], g.roomForTrains[:0]

	hz, damping := s.resonance()
	natural := 2 * math.Pi * hz / rate
	g.decay, g.omega = damping*natural, natural*math.Sqrt(1-damping*damping)
	g.pole = cmplx.Rect(math.Exp(-g.decay), g.omega)
	g.keep = math.Exp(-2 * math.Pi * lowest / rate)
	g.white = s.Noise * math.Sqrt(rate/usualRate)
	g.colour = g.white * ringShare / math.Sqrt(g.ringPower())
	g.flow = newHighPass(2 * math.Pi * flowFrom / rate)
	g.hiss = s.Flow.RMS / math.Sqrt(g.flow.power())
	if !(g.turn > 0 && g.turn < 0.5) { // it stands, or no sample could tell how it turns
		return
	}
	add := func(l Line) {
		if l.Amp != 0 && l.Order*g.turn < 0.5 {
			g.waves = append(g.waves, g.wave(l.Order, l.Amp, l.Phase))
		}
	}
	for _, l := range s.Shaft {
		add(l)
	}
	s.loose(add)
	for _, m := range s.Mesh {
		g.gears = append(g.gears, g.gear(m))
	}
	for _, p := range s.Impacts {
		if p.Amp != 0 && p.Order > 0 && p.Order*g.turn < 0.5 {
			g.trains = append(g.trains, g.train(p))
			if p.Spread > 0 {
				g.trains = append(g.trains, g.spread(p))
			}
		}
	}
	if s.Flow.Depth > 0 {
		g.swing = g.wave(s.Flow.Order, s.Flow.Depth, 0)
	}
}

// ringPower is the power of the resonance's output over that of white noise into
// it: the sum of r²ⁿ·sin²(nω).
func (g *generator) ringPower() float64 {
	rr := math.Exp(-2 * g.decay)
	return 0.5/(1-rr) - 0.5*real(1/(1-cmplx.Rect(rr, 2*g.omega)))
}

// take adds the noise and the resonance, and samples the sum as the accelerometer
// does. The chains of multiplications are short and independent of each other, so
// that a processor does them side by side.
func (g *generator) take(dst []float32) {
	pr, pi := real(g.pole), imag(g.pole)
	zr, zi := real(g.ring), imag(g.ring)
	white, colour, hiss := g.white, g.colour, g.hiss
	flow, noise := g.flow, g.noise
	x, y, keep := g.x, g.y, g.keep
	for i := range dst {
		i &= block - 1
		few := noise.next()
		zr, zi = float64(zr*pr)-float64(zi*pi)+g.re[i]+colour*flat(few), float64(zr*pi)+float64(zi*pr)+g.im[i]
		now := g.sum[i] + zi + white*heads(noise.next(), few>>16)
		if hiss != 0 {
			now += flow.step(hiss*heads(noise.next(), few>>32)) * (1 + g.sway[i])
		}
		y = float64(keep*y) + (now - x)
		x = now
		dst[i] = converted(y)
	}
	g.ring, g.flow, g.noise, g.x, g.y = complex(zr, zi), flow, noise, x, y
}

// converted clips, and rounds to whole steps.
func converted(y float64) float32 {
	if y > full {
		y = full
	} else if y < -full {
		y = -full
	}
	return float32(float64(int32(y*(1/lsb)+math.Copysign(0.5, y))) * lsb)
}

// highPass is a Butterworth filter of second order, in the transposed form.
type highPass struct{ b, a1, a2, s1, s2 float64 }

// newHighPass passes what lies above omega, rad per sample.
func newHighPass(omega float64) highPass {
	k := math.Tan(omega / 2)
	n := 1 / (1 + math.Sqrt2*k + k*k)
	return highPass{b: n, a1: 2 * (k*k - 1) * n, a2: (1 - math.Sqrt2*k + k*k) * n}
}

func (f *highPass) step(x float64) float64 {
	x *= f.b
	y := x + f.s1
	f.s1 = f.s2 - 2*x - float64(f.a1*y)
	f.s2 = x - float64(f.a2*y)
	return y
}

// power is that of its output over that of white noise into it.
func (f highPass) power() float64 {
	sum, x := 0.0, 1.0
	for range 400 {
		y := f.step(x)
		sum, x = sum+y*y, 0
	}
	return sum
}
