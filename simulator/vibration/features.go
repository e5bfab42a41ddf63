package vibration

import "math"

// Features of a signal as a control system publishes them.
type Features struct {
	Velocity float64 // r.m.s. from 10 to 1000 Hz, mm/s
	RMS      float64 // of the acceleration up to 12.8 kHz, m/s²
	High     float64 // r.m.s. above 2 kHz, m/s²
	Mesh     float64 // r.m.s. of the gear meshes with their sidebands, m/s²
	Kurtosis float64 // of the acceleration, 3 for Gaussian noise
	Crest    float64 // highest value in 2.56 s over the r.m.s.

	// Line is the height in dB of the strongest impacts' line in the spectrum of
	// the envelope (2 to 5 kHz) over the mean of that spectrum. It saturates.
	Line float64
}

// Features are those that bursts of the signal have on average, in closed form:
// powers add, and so do fourth cumulants, since the parts are independent of each
// other.
func (s *Signal) Features() Features {
	hz, damping := s.resonance()
	t := tally{
		high:  0.5 - math.Atan((2000-hz)/(damping*hz))/math.Pi,
		omega: 2 * math.Pi * hz,
		decay: 2 * math.Pi * hz * damping,
	}
	t.noise(s.Noise)
	if r := s.Flow.RMS; r > 0 {
		t.flow(r, s.Flow.Depth)
	}
	if s.Speed > 0 {
		shaft := s.Speed / 60
		for _, l := range s.Shaft {
			t.line(l.Amp*l.Amp/2, l.Order*shaft)
		}
		s.loose(func(l Line) { t.line(l.Amp*l.Amp/2, l.Order*shaft) })
		for _, m := range s.Mesh {
			power := m.modulated()
			for i, a := range m.Amp {
				p := power * a * a / 2
				t.line(p, float64((i+1)*m.Teeth)*shaft)
				t.mesh += p
			}
		}
		for _, p := range s.Impacts {
			if p.Order > 0 && p.Amp != 0 {
				t.impacts(p, p.Order*shaft)
			}
		}
	}
	return t.features()
}

// modulated is the mean square of 1 + α.
func (m Mesh) modulated() float64 {
	bump, _ := crackDepth(m.Crack)
	width := 1 / float64(max(1, m.Teeth)) // σ of the bell in turns
	bell := bump * width * math.Sqrt(2*math.Pi)
	return 1 + m.AM*m.AM/2 - 2*bell*(1+m.AM) + bump*bump*width*math.Sqrt(math.Pi)
}

// tally adds up the parts of a signal.
type tally struct {
	high, omega, decay float64 // of the resonance: share above 2 kHz, rad/s, ζω

	square, above float64 // mean square of the acceleration, and above 2 kHz
	gauss         float64 // of it what is noise
	cumulant      float64 // fourth, of all
	velocity      float64 // mean square, (mm/s)²
	mesh          float64
	floor         float64 // mean square from 2 to 5 kHz of what hides the envelope's line
	struck        float64 // mean square of the strongest impacts, as far as it is in their line
	peak, sines   float64 // of the strongest impact, of all lines
}

func (t *tally) noise(rms float64) {
	p := rms * rms
	ring := p * ringShare * ringShare
	t.square += p + ring
	t.gauss += p + ring
	t.above += p*(1-2000/(usualRate/2)) + ring*t.high
	t.floor += p*3000/(usualRate/2) + ring*t.high
	t.velocity += p / (usualRate / 2) * (1.0/10 - 1.0/1000) / (4 * math.Pi * math.Pi) * 1e6
}

func (t *tally) flow(rms, depth float64) {
	d := depth * depth
	p := rms * rms * (1 + d/2)
	t.square += p
	t.gauss += p
	t.above += p
	t.floor += p * 3000 / (usualRate/2 - 2000)
	t.cumulant += 3*rms*rms*rms*rms*(1+3*d+3*d*d/8) - 3*p*p
}

// line of mean square p at f Hz.
func (t *tally) line(p, f float64) {
	if f >= usualRate/2 {
		return
	}
	v := Velocity(math.Sqrt(p), f)
	t.square += p
	t.velocity += v * v
	t.cumulant -= 1.5 * p * p
	t.sines += math.Sqrt(2 * p)
	if f > 2000 {
		t.above += p
	}
}

// moments are the means of m, m² and m⁴.
func (m Modulation) moments() (one, two, four float64) {
	switch m {
	case Even:
		return 1, 1.01, 1.0603
	case LoadZone, Spin: // cos^1.5 over half a turn
		return 0.2782, 0.2122, 0.1563
	}
	return 1, 1, 1
}

// impacts at a rate in 1/s.
func (t *tally) impacts(p Impacts, rate float64) {
	one, two, four := p.moments()
	square := p.Amp * p.Amp * rate / (4 * t.decay)
	p2 := square * two
	kurt := 1.5 * t.decay / rate * four / (two * two) // where they do not overlap
	t.cumulant += math.Max(0, kurt-3) * p2 * p2
	highest := p.Amp * (1 - math.Pi/2*t.decay/t.omega)
	if p.Modulation == Even {
		highest *= 1.28 // of some hundred impacts
	}
	t.peak = math.Max(t.peak, highest)
	if extra := extra * p.Spread; extra > 0 {
		e2 := p2 * extra * milder * milder
		t.cumulant += kurt / extra * e2 * e2
		p2 += e2
		t.floor += e2 * t.high
	}
	t.square += p2
	t.above += p2 * t.high
	t.struck = math.Max(t.struck, square*one*one)
	// Below the resonance an impact is a push of A/ω: a line of the same height at
	// each multiple of the rate, whose velocity falls with the square.
	from, to := math.Ceil(10/rate), math.Floor(1000/rate)
	if from <= to {
		v := 1000 * math.Sqrt2 * p.Amp * math.Sqrt(two) / t.omega / (2 * math.Pi)
		t.velocity += v * v * (1/(from-0.5) - 1/(to+0.5))
	}
}

func (t *tally) features() Features {
	f := Features{Velocity: math.Sqrt(t.velocity), RMS: math.Sqrt(t.square), High: math.Sqrt(t.above), Mesh: math.Sqrt(t.mesh), Kurtosis: 3, Line: 2}
	if t.square <= 0 {
		return f
	}
	f.Kurtosis = 3 + t.cumulant/(t.square*t.square)
	const usual = 4.4 // the highest of 65,536 Gaussian values, in σ
	noise := math.Sqrt(t.gauss)
	f.Crest = math.Max(usual*noise+0.7*t.sines, t.peak+0.7*t.sines+1.5*noise) / f.RMS
	if t.struck > 0 {
		q := t.struck / math.Max(t.floor/floorShare, 1e-9)
		f.Line = 20 * math.Log10(1.26+50*q/(q+0.33))
	}
	return f
}

// floorShare is what of a usual signal's mean square lies from 2 to 5 kHz.
const floorShare = 0.31

// White is the white noise that has r.m.s. floor above 2 kHz, with what the usual
// resonance makes of it.
func White(floor float64) float64 {
	return floor / math.Sqrt(1-2000/(usualRate/2)+ringShare*ringShare)
}
