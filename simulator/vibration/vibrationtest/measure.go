// Package vibrationtest measures waveforms for tests, in the plain ways of the
// textbooks, so that a test compares what was made with what an instrument would
// read from it.
package vibrationtest

import (
	"math"
	"math/bits"
	"math/cmplx"
)

// Measured is what an instrument shows of an acceleration.
type Measured struct {
	Velocity float64 // r.m.s. from 10 to 1000 Hz, mm/s
	RMS      float64 // m/s²
	High     float64 // r.m.s. above 2 kHz
	Kurtosis float64
	Sharp    float64 // kurtosis of what lies above 2 kHz
	Crest    float64
}

// Of measures a power of two of values at rate Hz.
func Of(values []float32, rate float64) Measured {
	var m Measured
	x := make([]complex128, len(values))
	for i, v := range values {
		x[i] = complex(float64(v), 0)
		m.Crest = math.Max(m.Crest, math.Abs(float64(v)))
	}
	m.RMS, m.Kurtosis = moments(x)
	m.Crest /= m.RMS
	FFT(x)
	n := float64(len(x))
	for i := 1; i < len(x)/2; i++ {
		if f := float64(i) * rate / n; f >= 10 && f <= 1000 {
			v := cmplx.Abs(x[i]) / n * math.Sqrt2 / (2 * math.Pi * f) * 1000
			m.Velocity += v * v
		}
	}
	m.Velocity = math.Sqrt(m.Velocity)
	keep(x, rate, 2000, rate/2, false)
	FFT(x)
	m.High, m.Sharp = moments(x)
	m.High /= n // there and back
	return m
}

func moments(x []complex128) (rms, kurtosis float64) {
	var s2, s4 float64
	for _, v := range x {
		p := real(v) * real(v)
		s2 += p
		s4 += p * p
	}
	n := float64(len(x))
	return math.Sqrt(s2 / n), s4 / n / (s2 / n * s2 / n)
}

// keep leaves a band of a spectrum; without its mirror the signal is analytic.
func keep(x []complex128, rate, from, to float64, analytic bool) {
	for i := range x {
		f := float64(i) * rate / float64(len(x))
		if f > rate/2 && !analytic {
			f = rate - f
		}
		if f < from || f > to {
			x[i] = 0
		}
	}
}

// Spectrum is power by frequency; the bins are Step Hz apart.
type Spectrum struct {
	Power []float64
	Step  float64
}

// SpectrumOf is that of the values under a Hann window.
func SpectrumOf(values []float32, rate float64) Spectrum {
	x := make([]complex128, len(values))
	for i, v := range values {
		x[i] = complex(float64(v), 0)
	}
	return spectrum(x, rate)
}

// EnvelopeOf is the spectrum of the envelope of a band.
func EnvelopeOf(values []float32, rate, from, to float64) Spectrum {
	x := make([]complex128, len(values))
	for i, v := range values {
		x[i] = complex(float64(v), 0)
	}
	FFT(x)
	keep(x, rate, from, to, true)
	for i := range x { // backwards, by conjugates
		x[i] = cmplx.Conj(x[i])
	}
	FFT(x)
	var mean float64
	for i := range x {
		x[i] = complex(2*cmplx.Abs(x[i])/float64(len(x)), 0)
		mean += real(x[i]) / float64(len(x))
	}
	for i := range x {
		x[i] -= complex(mean, 0)
	}
	return spectrum(x, rate)
}

func spectrum(x []complex128, rate float64) Spectrum {
	n := float64(len(x))
	for i := range x {
		x[i] *= complex(1-math.Cos(2*math.Pi*float64(i)/n), 0)
	}
	FFT(x)
	s := Spectrum{make([]float64, len(x)/2), rate / n}
	for i := range s.Power {
		a := cmplx.Abs(x[i]) / n
		s.Power[i] = 2 * a * a / 1.5 // the window's noise bandwidth
	}
	return s
}

// Line is the height in dB of the highest value within share of f over the mean
// amplitude up to the frequency to.
func (s Spectrum) Line(f, share, to float64) float64 {
	var high, sum float64
	n := 0
	for i, p := range s.Power {
		g := float64(i) * s.Step
		if math.Abs(g-f) <= share*f {
			high = math.Max(high, math.Sqrt(p))
		}
		if i > 2 && g <= to {
			sum += math.Sqrt(p)
			n++
		}
	}
	return 20 * math.Log10(high/sum*float64(n))
}

// FFT transforms a power of two of values in place (Cooley and Tukey).
func FFT(x []complex128) {
	shift := 65 - bits.Len(uint(len(x)))
	for i := range x {
		if j := int(bits.Reverse64(uint64(i)) >> shift); j > i {
			x[i], x[j] = x[j], x[i]
		}
	}
	roots := make([]complex128, len(x)/2)
	for i := range roots {
		roots[i] = cmplx.Rect(1, -2*math.Pi*float64(i)/float64(len(x)))
	}
	for half := 1; half < len(x); half *= 2 {
		stride := len(x) / (2 * half)
		for from := 0; from < len(x); from += 2 * half {
			for k := range half {
				a, b := x[from+k], x[from+k+half]*roots[k*stride]
				x[from+k], x[from+k+half] = a+b, a-b
			}
		}
	}
}
