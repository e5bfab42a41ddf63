package chunk

import (
	"math"
	"math/rand/v2"
	"time"

	"millwright/plant"
)

// signal fills n values of a kind that plants have.
type signal struct {
	name string
	mode byte // the value mode it should end in
	fill func(rng *rand.Rand, v []float64)
}

func walk(rng *rand.Rand, v []float64, start, step float64, f func(float64) float64) {
	at := start
	for i := range v {
		at += float64(rng.NormFloat64() * step) // the conversion keeps arm64 from fusing the two
		v[i] = f(at)
	}
}

func noise(rng *rand.Rand, v []float64, mean, dev float64, f func(float64) float64) {
	for i := range v {
		v[i] = f(mean + float64(rng.NormFloat64()*dev))
	}
}

func signals() []signal {
	same := func(x float64) float64 { return x }
	return []signal{
		{"constant", modeRuns, func(_ *rand.Rand, v []float64) { noise(rand.New(rand.NewPCG(1, 1)), v, 4.2, 0, same) }},
		{"steps", modeRuns, func(rng *rand.Rand, v []float64) {
			at := 0.0
			for i := range v {
				if i%90 == 0 {
					at = rng.Float64() * 1e3
				}
				v[i] = at
			}
		}},
		{"levels", modeDict, func(rng *rand.Rand, v []float64) {
			levels := [...]float64{1.5, math.Pi, -7e9, 1e-20}
			for i := range v {
				v[i] = levels[rng.IntN(len(levels))]
			}
		}},
		{"octaves", modeXOR, func(rng *rand.Rand, v []float64) {
			for i := range v {
				v[i] = math.Ldexp(float64(1+2*rng.IntN(512)), rng.IntN(700)-350)
			}
		}},
		{"decimals", modeScale + decimal64 | modeDelta, func(rng *rand.Rand, v []float64) {
			walk(rng, v, 50, 0.3, func(x float64) float64 { return math.Round(x*100) / 100 })
		}},
		{"decimal noise", modeScale + decimal64, func(rng *rand.Rand, v []float64) {
			noise(rng, v, 50, 0.3, func(x float64) float64 { return math.Round(x*100) / 100 })
		}},
		{"decimals in float32", modeScale + decimal32, func(rng *rand.Rand, v []float64) {
			noise(rng, v, 12, 1, func(x float64) float64 { return float64(float32(math.Round(x*100) / 100)) })
		}},
		{"multiples of 0.05", modeScale + step64, func(rng *rand.Rand, v []float64) {
			noise(rng, v, 12, 1, func(x float64) float64 { return math.Round(x/0.05) * 0.05 })
		}},
		{"counts", modeScale + step64, func(rng *rand.Rand, v []float64) {
			noise(rng, v, 60, 5, func(x float64) float64 { return math.Round(x*4095/150) * (150.0 / 4095) })
		}},
		{"counts in float32", modeScale + step32, func(rng *rand.Rand, v []float64) {
			noise(rng, v, 60, 5, func(x float64) float64 { return float64(float32(math.Round(x*4095/150) * 150 / 4095)) })
		}},
		{"noise", modeScale + bits64, func(rng *rand.Rand, v []float64) { noise(rng, v, 50, 1, same) }},
		{"fine walk", modeScale + bits64 | modeDelta, func(rng *rand.Rand, v []float64) { walk(rng, v, 50, 1e-6, same) }},
		{"noise in float32", modeScale + bits32, func(rng *rand.Rand, v []float64) {
			noise(rng, v, 50, 1, func(x float64) float64 { return float64(float32(x)) })
		}},
		{"decimals with holes", modeScale + decimal64 | modeExceptions, func(rng *rand.Rand, v []float64) {
			noise(rng, v, 50, 0.3, func(x float64) float64 { return math.Round(x*100) / 100 })
			odd := [...]float64{math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1), math.Float64frombits(0x7FF4000000000123)}
			for i := range len(v) / 40 {
				v[rng.IntN(len(v))] = odd[i%len(odd)]
			}
		}},
	}
}

// columns makes times every interval from a fixed start, with a jitter of up
// to ±jitter and one bad sample in a thousand.
func columns(rng *rand.Rand, n int, interval, jitter time.Duration, s *signal) ([]int64, []float64, []plant.Quality) {
	t := make([]int64, n)
	v := make([]float64, n)
	q := make([]plant.Quality, n)
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixNano()
	for i := range t {
		t[i] = at
		if jitter > 0 {
			t[i] += rng.Int64N(2*int64(jitter/time.Millisecond)+1)*int64(time.Millisecond) - int64(jitter)
		}
		at += int64(interval)
		if rng.IntN(1000) == 0 {
			q[i] = plant.BadSensorFailure
		}
	}
	s.fill(rng, v)
	return t, v, q
}
