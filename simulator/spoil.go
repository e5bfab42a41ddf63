package simulator

import (
	"math"

	"millwright/simulator/physics"
)

// ofWaves reports whether waveforms can have a fault of sensors, and whether
// nothing else can.
func (f sensorFault) ofWaves() (can, only bool) {
	switch f {
	case sensorHum, sensorSaturation:
		return true, false
	case sensorMagnet, sensorBias:
		return true, true
	}
	return false, false
}

// sick is the severity of each fault of an accelerometer.
type sick [sensorFaults]float64

// spoil makes of a waveform what the sick accelerometer gives: first its mounting,
// then its supply, its cable and its amplifier.
func (s *sick) spoil(v []float32, rate float64, seed uint64) {
	if p := s[sensorMagnet]; p > 0 {
		mounted(v, 25_000*math.Pow(4.0/25, p)/rate)
	}
	rng := physics.Stream(seed, "spoil")
	if p := s[sensorBias]; p > 0 {
		for i := range v {
			v[i] = float32((1-p)*float64(v[i]) + p*0.05*rng.NormFloat64())
		}
	}
	if p := s[sensorHum]; p > 0 {
		at := rng.Float64()
		for i := range v {
			v[i] += float32(2 * p * math.Sin(2*math.Pi*(at+50*float64(i)/rate)))
		}
	}
	if p := s[sensorSaturation]; p > 0 {
		sum := 0.0
		for _, x := range v {
			sum += float64(x) * float64(x)
		}
		top := float32((4 - 2.5*p) * math.Sqrt(sum/float64(max(len(v), 1))))
		for i, x := range v {
			v[i] = min(max(x, -top), top)
		}
	}
}

// mounted is the response of an accelerometer whose mounting resonates at a share f
// of the sampling rate, damped by 8 %: a low-pass of second order with a peak
// (bilinear transform). Above 0.45 it is out of sight.
func mounted(v []float32, f float64) {
	const damping = 0.08
	if f >= 0.45 {
		return
	}
	sin, cos := math.Sincos(2 * math.Pi * f)
	alpha := damping * sin
	a0 := 1 + alpha
	b, a1, a2 := (1-cos)/2/a0, -2*cos/a0, (1-alpha)/a0
	var x1, x2, y1, y2 float64
	for i := range v {
		x := float64(v[i])
		y := b*(x+2*x1+x2) - a1*y1 - a2*y2
		x1, x2, y1, y2 = x, x1, y, y1
		v[i] = float32(y)
	}
}
