package main

import (
	"cmp"
	"math"
	"math/cmplx"
	"slices"
)

// take adds the present value to the window, and ends it.
func (c *channel) take(running, end bool) {
	if running && c.known {
		c.sum, c.n = c.sum+c.value, c.n+1
	}
	if end {
		mean := math.NaN()
		if c.n > 0 {
			mean = c.sum / float64(c.n)
		}
		c.means, c.sum, c.n = append(c.means, mean), 0, 0
	}
}

// telling are the channels that the fault moves most, in standard deviations of
// the healthy windows: those of the last hours against the same hours without it.
func telling(healthy, failing []*channel) []int {
	moved := make([]float64, len(healthy))
	for i := range healthy {
		h, f := healthy[i].means, failing[i].means
		last := len(h) * 3 / 4
		_, sd := spread(h)
		resolution := max(healthy[i].tag.Resolution, 1e-9)
		moved[i] = math.Abs(mean(f[last:])-mean(h[last:])) / math.Hypot(sd, resolution)
		if math.IsNaN(moved[i]) {
			moved[i] = 0
		}
	}
	order := make([]int, len(healthy))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(moved[b], moved[a]) })
	return order[:min(panels, len(order))]
}

func mean(x []float64) float64 {
	m, _ := spread(x)
	return m
}

// spread is mean and standard deviation of what is a number.
func spread(x []float64) (m, sd float64) {
	var n, sum, square float64
	for _, v := range x {
		if !math.IsNaN(v) {
			n, sum, square = n+1, sum+v, square+v*v
		}
	}
	m = sum / n
	return m, math.Sqrt(max(0, square/n-m*m))
}

// limits are the ends of an axis on which all is seen.
func limits(all ...[]float64) (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, x := range all {
		for _, v := range x {
			if !math.IsNaN(v) {
				low, high = min(low, v), max(high, v)
			}
		}
	}
	if !(low <= high) {
		return 0, 1
	}
	margin := max(0.05*(high-low), 1e-3*max(math.Abs(high), 1e-3))
	return low - margin, high + margin
}

// envelopeTo is the highest frequency of an envelope spectrum that is drawn, Hz.
const envelopeTo = 250.0

// envelope is the amplitude spectrum of the envelope of 2 to 5 kHz: of the analytic
// signal's amount, which a band of the Fourier transform gives.
func envelope(x []float32, rate float64) (hz, amp []float64) {
	n := 1
	for 2*n <= len(x) {
		n *= 2
	}
	z := make([]complex128, n)
	for i := range z {
		z[i] = complex(float64(x[i]), 0)
	}
	fourier(z, -1)
	for i := range z {
		if f := float64(i) * rate / float64(n); f < 2000 || f > 5000 {
			z[i] = 0
		}
	}
	fourier(z, 1)
	sum := 0.0
	for i := range z {
		a := 2 * cmplx.Abs(z[i]) / float64(n)
		sum += a
		z[i] = complex(a, 0)
	}
	for i := range z { // Hann's window, twice its mean
		z[i] = (z[i] - complex(sum/float64(n), 0)) * complex(1-math.Cos(2*math.Pi*float64(i)/float64(n)), 0)
	}
	fourier(z, -1)
	for i := 0; float64(i)*rate/float64(n) <= envelopeTo; i++ {
		hz = append(hz, float64(i)*rate/float64(n))
		amp = append(amp, 2*cmplx.Abs(z[i])/float64(n))
	}
	return hz, amp
}

// fourier transforms in place, without a factor; the length is a power of two.
func fourier(z []complex128, sign float64) {
	n := len(z)
	for i, j := 1, 0; i < n; i++ {
		bit := n >> 1
		for ; j&bit != 0; bit >>= 1 {
			j ^= bit
		}
		j ^= bit
		if i < j {
			z[i], z[j] = z[j], z[i]
		}
	}
	for size := 2; size <= n; size *= 2 {
		step := cmplx.Rect(1, sign*2*math.Pi/float64(size))
		for from := 0; from < n; from += size {
			w := complex(1, 0)
			for k := from; k < from+size/2; k++ {
				a, b := z[k], w*z[k+size/2]
				z[k], z[k+size/2] = a+b, a-b
				w *= step
			}
		}
	}
}
