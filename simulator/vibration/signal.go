package vibration

import (
	"hash/fnv"
	"math"
)

// Signal is what an accelerometer on a bearing housing sees while the speed
// holds: lines of the shaft and of gear meshes, impacts that ring a resonance of
// the structure, the noise of a flow, and white noise. All amplitudes are peak
// values in m/s², all orders are per turn of the shaft. The zero value is silence.
//
// One Signal gives both the features that a control system publishes (Features)
// and the waveform behind them (Burst).
type Signal struct {
	Speed   float64   // of the shaft, r/min
	Shaft   []Line    // unbalance at order 1, misalignment at 2, …
	Mesh    []Mesh    // of the gears on the shaft
	Impacts []Impacts // of bearings and broken teeth
	Flow    Flow
	Noise   float64 // white noise, r.m.s. from 0 to 12.8 kHz; the resonance rings with it

	Resonance float64 // Hz, 3200 where 0
	Damping   float64 // over the critical one, 0.05 where 0

	// Loose is how loose the foot is, 0 to 1: lines at ½, 1, 1½ … 8 times the
	// speed that grow with the line of order 1.
	Loose float64
}

// Line is a line at a multiple of the shaft's speed.
type Line struct {
	Order float64
	Amp   float64 // m/s², peak
	Phase float64 // rad, that of the cosine at shaft angle 0
}

// VelocityLine is the line that has velocity v (r.m.s., mm/s) at n r/min.
func VelocityLine(order, v, n float64) Line {
	return Line{Order: order, Amp: math.Sqrt2 * v / 1000 * 2 * math.Pi * order * n / 60}
}

// Mesh is a gear that meshes Teeth times a turn.
type Mesh struct {
	Teeth int
	Amp   [3]float64 // of the mesh frequency and its second and third harmonic, m/s², peak
	AM    float64    // share by which a worn gear modulates the amplitude once a turn
	PM    float64    // rad by which it modulates the phase
	Crack float64    // severity of one cracked tooth, 0 to 1; it knocks too: see Tooth
}

// Impacts are knocks that each ring the resonance:
// A·exp(-ζω(t-t_i))·sin(ω_d(t-t_i)).
type Impacts struct {
	Order  float64 // of them per turn
	Amp    float64 // A, m/s²
	Jitter float64 // standard deviation of their distance over the distance; it adds up
	Modulation
	Cage float64 // order at which Spin is modulated, that of the cage

	// Spread is how far the damage has spread over its race, 0 to 1: more and more
	// impacts at any time, which overlap. The line in the envelope and the kurtosis
	// fall, the r.m.s. goes on rising.
	Spread float64
}

// Modulation is what changes the strength of impacts.
type Modulation uint8

// Modulations.
const (
	Even     Modulation = iota // a fixed place in the load zone: 1 ± 10 %
	LoadZone                   // a place that turns with the shaft, through the load zone
	Spin                       // a place on a roller, which the cage carries through the load zone
	Once                       // at a fixed angle of the shaft: no slip, so no jitter that adds up
)

// Flow is the broadband noise of a flow or of cavitation above 2 kHz.
type Flow struct {
	RMS   float64 // m/s², from 2 kHz to 12.8 kHz, unmodulated
	Order float64 // of its modulation: the number of vanes
	Depth float64 // of its modulation, 0 to 1
}

// Seed is the seed of a burst: bursts of one point differ, and none depends on
// which others were computed.
func Seed(seed uint64, path string, number int64) uint64 {
	h := fnv.New64a()
	h.Write([]byte(path))
	for _, x := range []uint64{seed, uint64(number)} {
		for i := range 8 {
			h.Write([]byte{byte(x >> (8 * i))})
		}
	}
	return h.Sum64()
}

const (
	usualResonance = 3200.0 // Hz
	usualDamping   = 0.05
	usualRate      = 25_600.0 // Hz, of the bands above
	ringShare      = 0.45     // r.m.s. of the resonance over that of the white noise
)

func (s *Signal) resonance() (hz, damping float64) {
	hz, damping = s.Resonance, s.Damping
	if hz <= 0 {
		hz = usualResonance
	}
	if damping <= 0 {
		damping = usualDamping
	}
	return hz, damping
}

// loose are the lines that looseness adds: coherent, so that the waveform looks
// clipped on one side.
func (s *Signal) loose(line func(Line)) {
	if s.Loose <= 0 {
		return
	}
	var once float64
	for _, l := range s.Shaft {
		if l.Order == 1 {
			once += l.Amp
		}
	}
	for half := 1; half <= 16; half++ {
		share := 0.6
		if half%2 == 1 {
			share = 0.3
		}
		line(Line{Order: float64(half) / 2, Amp: s.Loose * share * once})
	}
}
