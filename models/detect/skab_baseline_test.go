package detect

import (
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// TestSkabBaseline runs the plain window-PCA residual of the literature (fit on
// all training rows, limit 4/3 of the 0.999 quantile of the training scores, no
// persistence) through the scorer, and holds both against known figures of these
// recordings.
func TestSkabBaseline(t *testing.T) {
	long(t)
	files := skabFiles(t)
	if len(files) != 18 {
		t.Skipf("known figures are of 18 recordings, here are %d", len(files))
	}
	var s skabScore
	for i := range files {
		q := plainQ(files[i].x)
		h := 4.0 / 3 * quantile(q[:skabTrain], 0.999)
		alarm := make([]bool, len(q))
		for j, v := range q {
			alarm[j] = v > h
		}
		s.add(&files[i], alarm)
	}
	f1, far, mar, early, _ := s.rates()
	near := func(name string, got, want, within float64) {
		t.Helper()
		if math.Abs(got-want) > within {
			t.Errorf("%s: %.3f, want %.3f", name, got, want)
		}
	}
	near("F1", f1, 0.825, 0.001)
	near("FAR", far, 20.9, 0.1)
	near("MAR", mar, 17.0, 0.1)
	near("early", early, 11.9, 0.1)
	for k, want := range []float64{24.7, 13.1, 32.9} {
		near("changepoints", 100*s.worth[k]/s.points[k], want, 0.2)
	}
	slices.Sort(s.delays)
	near("median delay", (s.delays[8]+s.delays[9])/2, 44, 2)
	t.Logf("plain window-PCA Q: %s", &s)
}

// plainQ is Q/160 of windows of 20 rows with 8 components.
func plainQ(x [][]float64) []float64 {
	const w, k = 20, 8
	d := len(x[0])
	n := w * d
	z := make([][]float64, len(x))
	for i := range z {
		z[i] = make([]float64, d)
	}
	for j := range d {
		var m, v float64
		for _, r := range x[:skabTrain] {
			m += r[j] / skabTrain
		}
		for _, r := range x[:skabTrain] {
			v += (r[j] - m) * (r[j] - m) / skabTrain
		}
		for i, r := range x {
			z[i][j] = (r[j] - m) / math.Sqrt(v)
		}
	}
	window := func(i int) []float64 {
		v := make([]float64, 0, n)
		for l := i - w + 1; l <= i; l++ {
			v = append(v, z[max(0, l)]...)
		}
		return v
	}
	rows := skabTrain - w
	fitted := mat.NewDense(rows, n, nil)
	mean := make([]float64, n)
	for i := range rows {
		v := window(w + i)
		fitted.SetRow(i, v)
		for j := range v {
			mean[j] += v[j] / float64(rows)
		}
	}
	for i := range rows {
		for j := range n {
			fitted.Set(i, j, fitted.At(i, j)-mean[j])
		}
	}
	var svd mat.SVD
	svd.Factorize(fitted, mat.SVDThin)
	var p mat.Dense
	svd.VTo(&p)
	q := make([]float64, len(x))
	for i := range q {
		v := window(i)
		e := 0.0
		for j := range v {
			v[j] -= mean[j]
			e += v[j] * v[j]
		}
		for c := range k {
			tau := 0.0
			for j := range v {
				tau += p.At(j, c) * v[j]
			}
			e -= tau * tau
		}
		q[i] = e / float64(n)
	}
	return q
}

// quantile interpolates linearly.
func quantile(x []float64, p float64) float64 {
	s := slices.Clone(x)
	slices.Sort(s)
	at := p * float64(len(s)-1)
	i := int(at)
	if i+1 == len(s) {
		return s[i]
	}
	return s[i] + (at-float64(i))*(s[i+1]-s[i])
}
