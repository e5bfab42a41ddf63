package autoencoder

import (
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
)

// vector is the layer by gonum.
func (l *Layer) vector(out, in []float32) {
	copy(out, l.B)
	blas32.Gemv(blas.NoTrans, 1,
		blas32.General{Rows: l.Out, Cols: l.In, Stride: l.In, Data: l.W},
		blas32.Vector{N: l.In, Inc: 1, Data: in},
		1, blas32.Vector{N: l.Out, Inc: 1, Data: out})
}

// fused is the layer by dot4: four rows at a time share each eight inputs that they
// load. It looks at the lengths itself, as dot4 does not.
func (l *Layer) fused(out, in []float32) {
	n, even := l.In, l.In&^7
	_, _ = in[n-1], l.W[l.Out*n-1]
	var sums [4]float32
	o := 0
	for ; o+4 <= l.Out; o += 4 {
		w := l.W[o*n : (o+4)*n]
		dot4(&w[0], uintptr(n)*4, &in[0], uintptr(even), &sums)
		for k := range sums {
			s := sums[k]
			for j := even; j < n; j++ {
				s += w[k*n+j] * in[j]
			}
			out[o+k] = s + l.B[o+k]
		}
	}
	l.tail(out, in, o)
}

// scalar is the layer in Go: four rows at a time share each input that they
// load, and their sums do not wait for each other.
func (l *Layer) scalar(out, in []float32) {
	n := l.In
	in = in[:n]
	o := 0
	for ; o+4 <= l.Out; o += 4 {
		w := l.W[o*n : (o+4)*n]
		w0, w1, w2, w3 := w[:n], w[n:][:n], w[2*n:][:n], w[3*n:][:n] // lengths that the compiler sees
		var s0, s1, s2, s3 float32
		for j, x := range in {
			s0 += w0[j] * x
			s1 += w1[j] * x
			s2 += w2[j] * x
			s3 += w3[j] * x
		}
		b := l.B[o : o+4]
		y := out[o : o+4]
		y[0], y[1], y[2], y[3] = s0+b[0], s1+b[1], s2+b[2], s3+b[3]
	}
	l.tail(out, in, o)
}

// tail makes the rows from o on, one by one.
func (l *Layer) tail(out, in []float32, o int) {
	for n := l.In; o < l.Out; o++ {
		var s float32
		for j, w := range l.W[o*n : (o+1)*n] {
			s += w * in[j]
		}
		out[o] = s + l.B[o]
	}
}

// tanhEnd is where tanh is 1 to the last bit of a float32.
const tanhEnd = 9

// tanh by a rational function of degrees 9 and 10, fitted to the least largest
// error on ±tanhEnd, 9e-10; what is left is the rounding to float32.
func tanh(v float32) float32 {
	x := float64(v)
	if x > tanhEnd {
		x = tanhEnd
	} else if x < -tanhEnd {
		x = -tanhEnd
	}
	s := x * x
	p := 0.9999999955420424 + s*(0.13781843761930104+s*(0.004004093733438612+s*(3.149766426211333e-05+s*5.0468214547414565e-08)))
	q := 1 + s*(0.4711517515227859+s*(0.027721368886733537+s*(0.00041995803970536487+s*(1.6106740831382112e-06+s*7.318515308283056e-10))))
	return float32(x * p / q)
}
