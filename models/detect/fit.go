package detect

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/mat"

	"millwright/plant"
)

// folds of the calibration; wander blocks and the share of a tag's variance
// between them from which on its level counts as unknown.
const (
	folds       = 4
	blocks      = 8
	wanderShare = 0.5
)

var (
	errFewRows = errors.New("too few rows with whole windows")
	errStill   = errors.New("no tag moved while it was learned")
	errNoTags  = errors.New("no tag moves independently of the others")
)

// commissioning is what a fit works on.
type commissioning struct {
	x      []float64 // rows × width
	starts []bool
	width  int
	rows   int
	gaps   []int // missing values per tag
}

// unpack turns the memory into rows without holes: a missing value repeats the
// one before it (or the first one after).
func unpack(mem *memory) commissioning {
	c := commissioning{width: mem.width, rows: mem.rows(), starts: mem.starts, gaps: make([]int, mem.width)}
	c.x = make([]float64, len(mem.vals))
	for t := range c.width {
		last := math.NaN()
		first := -1
		for r := range c.rows {
			i := r*c.width + t
			v := float64(mem.vals[i])
			if math.IsNaN(v) {
				c.gaps[t]++
				c.x[i] = last
				continue
			}
			last = mem.ref[t] + v
			if first < 0 {
				first = r
			}
			c.x[i] = last
		}
		for r := range max(first, 0) {
			c.x[r*c.width+t] = c.x[first*c.width+t]
		}
	}
	return c
}

// moments of one tag over rows [from, to).
func (c *commissioning) moments(t, from, to int) (mean, sd float64) {
	ref := c.x[from*c.width+t]
	var s, q float64
	for r := from; r < to; r++ {
		v := c.x[r*c.width+t] - ref
		s += v
		q += v * v
	}
	n := float64(to - from)
	s /= n
	return ref + s, math.Sqrt(max(0, q/n-s*s))
}

// Tolerance: a change of a tag's level by less than these shares of its range and
// of its level is no reason to send anybody, even if the commissioning was too
// short to see one.
const (
	toleranceOfRange = 0.01
	toleranceOfLevel = 0.03
)

// tolerance of a tag whose range is known, in its unit.
func tolerance(t *plant.Tag, mean float64) float64 {
	return max(0, min(toleranceOfRange*(t.High-t.Low), toleranceOfLevel*math.Abs(mean)))
}

// wander is the share of a tag's variance that lies between blocks of time; what
// the tolerance covers is no wandering.
func (c *commissioning) wander(t int, tolerance float64) float64 {
	size := c.rows / blocks
	if size < 8 {
		return 0
	}
	mean, _ := c.moments(t, 0, size*blocks)
	var between, within float64
	for b := range blocks {
		m, s := c.moments(t, b*size, (b+1)*size)
		between += (m - mean) * (m - mean)
		within += s * s
	}
	all := between + within + blocks*tolerance*tolerance
	if all == 0 {
		return 0
	}
	return between / all
}

// fit learns a model of one mode. windowRows is the window, allowed the p-value
// of a row that the alarm budget leaves.
func fit(mem *memory, watched []plant.Tag, windowRows int, allowed float64) (*model, error) {
	c := unpack(mem)
	if mem.windows(windowRows) < 2*windowRows {
		return nil, errFewRows
	}
	m := &model{low: make([]float64, c.width), high: make([]float64, c.width)}
	var restless []int32
	for t := range c.width {
		m.low[t], m.high[t] = math.NaN(), math.NaN()
		if c.gaps[t]*5 > c.rows {
			continue
		}
		mean, sd := c.moments(t, 0, c.rows)
		allow := tolerance(&watched[t], mean)
		wide := max(math.Hypot(sd, allow), watched[t].Resolution, 1e-9*(1+math.Abs(mean)))
		m.low[t], m.high[t] = mean-3*wide, mean+3*wide
		if sd <= 1e-9*(1+math.Abs(mean)) {
			continue // never moved: nothing to compare it with
		}
		if c.wander(t, allow) > wanderShare {
			restless = append(restless, int32(t))
			continue
		}
		m.tags = append(m.tags, int32(t))
	}
	if len(m.tags) == 0 {
		m.tags = restless
	}
	if len(m.tags) == 0 {
		return nil, errStill
	}
	if len(m.tags) > maxFeatures {
		m.tags = m.tags[:maxFeatures]
	}
	slack := make([]float64, len(m.tags))
	for i, t := range m.tags {
		mean, sd := c.moments(int(t), 0, c.rows)
		allow := tolerance(&watched[t], mean)
		m.mean = append(m.mean, mean)
		m.scale = append(m.scale, max(math.Hypot(sd, allow), watched[t].Resolution))
		slack[i] = allow / m.scale[i]
		m.reach = append(m.reach, reachNoise+reachSlack*slack[i])
	}
	m.stride = 1
	for windowRows/int(m.stride)*len(m.tags) > maxWindow {
		m.stride++
	}
	m.lags = int32(windowRows) / m.stride
	z := m.scaled(&c)
	loosen(z, slack, 3*windowRows)
	keep := make([]bool, c.rows)
	if err := m.calibrate(z, c.starts, keep, windowRows, allowed); err != nil {
		return nil, err
	}
	for i := range keep {
		keep[i] = true
	}
	if err := m.learn(z, c.starts, keep, windowRows); err != nil {
		return nil, err
	}
	return m, nil
}

// scaled rows of the features.
func (m *model) scaled(c *commissioning) []float64 {
	d := len(m.tags)
	z := make([]float64, c.rows*d)
	for r := range c.rows {
		for i, t := range m.tags {
			v := (c.x[r*c.width+int(t)] - m.mean[i]) / m.scale[i]
			z[r*d+i] = min(m.reach[i], max(-m.reach[i], v))
		}
	}
	return z
}

// loosen adds a slow random walk about zero, of standard deviation slack, to each
// feature of the commissioning's rows: components, covariances and limits are
// then those of a machine whose levels differ by the tolerance.
func loosen(z, slack []float64, every int) {
	d := len(slack)
	rng := rand.New(rand.NewPCG(3, 4)) // any will do; the same one each time
	from, to := make([]float64, d), make([]float64, d)
	for i := range to {
		to[i] = rng.NormFloat64()
	}
	for r := range len(z) / d {
		step := r % every
		if step == 0 {
			copy(from, to)
			for i := range to {
				to[i] = rng.NormFloat64()
			}
		}
		a := float64(step) / float64(every)
		norm := math.Hypot(a, 1-a)
		for i, s := range slack {
			z[r*d+i] += s * ((1-a)*from[i] + a*to[i]) / norm
		}
	}
}

// runs calls f with each run of kept rows that follow each other.
func runs(starts, keep []bool, f func(from, to int)) {
	from := -1
	for r := range starts {
		if from >= 0 && (starts[r] || !keep[r]) {
			f(from, r)
			from = -1
		}
		if from < 0 && keep[r] {
			from = r
		}
	}
	if from >= 0 {
		f(from, len(starts))
	}
}

// learn fits components, means and covariances on the kept rows.
func (m *model) learn(z []float64, starts, keep []bool, windowRows int) error {
	if err := m.learnWindow(z, starts, keep); err != nil {
		return err
	}
	return m.learnMeans(z, starts, keep, windowRows)
}

// learnWindow finds the principal components of the window. The covariance of a
// window is put together from the covariances of rows a lag apart, which is the
// estimate that takes the mode to be stationary, and needs lags·d² sums instead
// of (lags·d)².
func (m *model) learnWindow(z []float64, starts, keep []bool) error {
	d, lags, stride := len(m.tags), int(m.lags), int(m.stride)
	cov := make([][]float64, lags)
	for l := range cov {
		c := make([]float64, d*d)
		pairs := 0
		runs(starts, keep, func(from, to int) {
			for r := from + l*stride; r < to; r++ {
				a, b := z[r*d:(r+1)*d], z[(r-l*stride)*d:(r-l*stride+1)*d]
				for i, v := range a {
					row := c[i*d : (i+1)*d]
					for j, u := range b {
						row[j] += v * u
					}
				}
				pairs++
			}
		})
		if pairs == 0 {
			return errFewRows
		}
		for i := range c {
			c[i] /= float64(pairs)
		}
		cov[l] = c
	}
	n := lags * d
	sym := mat.NewSymDense(n, nil)
	for i := range lags {
		for j := i; j < lags; j++ { // block (i, j): row j is j-i lags younger
			c := cov[j-i]
			for a := range d {
				for b := range d {
					if j*d+b >= i*d+a {
						sym.SetSym(i*d+a, j*d+b, c[b*d+a])
					}
				}
			}
		}
	}
	m.partial = inverse(cov[0], d, 0.05)
	if m.partial == nil {
		return errNoTags
	}
	values, vectors, err := leading(sym, min(components+spare, n))
	if err != nil {
		return err
	}
	trace := mat.Trace(sym)
	m.lambda, m.k = m.lambda[:0], 0
	for got := 0.0; int(m.k) < min(components, n) && got < 0.9*trace; m.k++ {
		v := max(values[m.k], 1e-6)
		m.lambda = append(m.lambda, v)
		got += v
	}
	k := int(m.k)
	m.p = make([]float32, n*k)
	for i := range n {
		for j := range k {
			m.p[i*k+j] = float32(vectors.At(i, j))
		}
	}
	return nil
}

// spare vectors and steps of the subspace iteration.
const (
	spare = 4
	steps = 15
)

// leading finds about the largest eigenvalues and their vectors by subspace
// iteration with a Rayleigh-Ritz step: where eigenvalues lie close together, it
// does not matter which directions among theirs are taken, and all n of them
// would cost ten times as much.
func leading(a *mat.SymDense, k int) ([]float64, *mat.Dense, error) {
	n := a.SymmetricDim()
	rng := rand.New(rand.NewPCG(1, 2)) // any start will do; the same one each time
	x := mat.NewDense(n, k, nil)
	for i := range n {
		for j := range k {
			x.Set(i, j, rng.NormFloat64())
		}
	}
	var y mat.Dense
	for range steps {
		if !orthonormal(x) {
			return nil, nil, errNoTags
		}
		y.Mul(a, x)
		x.Copy(&y)
	}
	if !orthonormal(x) {
		return nil, nil, errNoTags
	}
	y.Mul(a, x)
	var small mat.Dense
	small.Mul(x.T(), &y)
	ritz := mat.NewSymDense(k, nil)
	for i := range k {
		for j := i; j < k; j++ {
			ritz.SetSym(i, j, (small.At(i, j)+small.At(j, i))/2)
		}
	}
	var eig mat.EigenSym
	if !eig.Factorize(ritz, true) {
		return nil, nil, errors.New("covariance has no eigenvectors")
	}
	values := eig.Values(nil)
	slices.Reverse(values) // ascending before
	var turn, sorted, out mat.Dense
	eig.VectorsTo(&turn)
	sorted.CloneFrom(&turn)
	for i := range k {
		for j := range k {
			sorted.Set(i, j, turn.At(i, k-1-j))
		}
	}
	out.Mul(x, &sorted)
	return values, &out, nil
}

// orthonormal makes the columns so, by modified Gram-Schmidt done twice. It
// reports whether they span as many directions as there are.
func orthonormal(x *mat.Dense) bool {
	n, k := x.Dims()
	raw := x.RawMatrix()
	at := func(i, j int) *float64 { return &raw.Data[i*raw.Stride+j] }
	for j := range k {
		var norm float64
		for range 2 {
			for l := range j {
				dot := 0.0
				for i := range n {
					dot += *at(i, j) * *at(i, l)
				}
				for i := range n {
					*at(i, j) -= dot * *at(i, l)
				}
			}
		}
		for i := range n {
			norm += *at(i, j) * *at(i, j)
		}
		norm = math.Sqrt(norm)
		if !(norm > 1e-12) {
			if j == 0 {
				return false
			}
			norm = 1 // a direction of no variance: leave it as it is, next to zero
		}
		for i := range n {
			*at(i, j) /= norm
		}
	}
	return true
}

// learnMeans finds mean and covariance of the exponentially weighted means over
// rows that are far enough from the start of their run.
func (m *model) learnMeans(z []float64, starts, keep []bool, windowRows int) error {
	d := len(m.tags)
	e := make([]float64, d)
	var all []float64
	runs(starts, keep, func(from, to int) {
		clear(e)
		for r := from; r < to; r++ {
			for i := range e {
				e[i] += forget * (z[r*d+i] - e[i])
			}
			if r-from+1 >= windowRows {
				all = append(all, e...)
			}
		}
	})
	n := len(all) / d
	if n < windowRows {
		return errFewRows
	}
	m.level = make([]float64, d)
	for i, v := range all {
		m.level[i%d] += v / float64(n)
	}
	c := make([]float64, d*d)
	for r := range n {
		for i := range d {
			a := all[r*d+i] - m.level[i]
			for j := range d {
				c[i*d+j] += a * (all[r*d+j] - m.level[j]) / float64(n)
			}
		}
	}
	for i := range d {
		c[i*d+i] += 0.05*c[i*d+i] + 0.01
	}
	m.inverse = inverse(c, d, 0)
	if m.inverse == nil {
		return errNoTags
	}
	return nil
}

// inverse of a covariance with a ridge, or nil.
func inverse(c []float64, d int, ridge float64) []float64 {
	sym := mat.NewSymDense(d, slices.Clone(c))
	for i := range d {
		sym.SetSym(i, i, sym.At(i, i)+ridge)
	}
	var chol mat.Cholesky
	if !chol.Factorize(sym) {
		return nil
	}
	var inv mat.SymDense
	if err := chol.InverseTo(&inv); err != nil {
		return nil
	}
	out := make([]float64, d*d)
	for i := range d {
		for j := range d {
			out[i*d+j] = inv.At(i, j)
		}
	}
	return out
}

// calibrate scores each fold of time by a model of the others (a window's width
// apart from it) and fits the tails. keep is scratch.
func (m *model) calibrate(z []float64, starts, keep []bool, windowRows int, allowed float64) error {
	var all []score
	d := len(m.tags)
	n := len(starts)
	w := newWindow(windowRows, d)
	for f := range folds {
		from, to := n*f/folds, n*(f+1)/folds
		for r := range keep {
			keep[r] = r < from || r >= to+windowRows
		}
		if err := m.learn(z, starts, keep, windowRows); err != nil {
			return err
		}
		w.restart()
		for r := from; r < to; r++ {
			if starts[r] {
				w.restart()
			}
			w.take(z[r*d : (r+1)*d])
			if w.full() {
				all = append(all, m.statistics(&w))
			}
		}
	}
	if len(all) < 2*windowRows {
		return errFewRows
	}
	one := make([]float64, len(all))
	by := func(get func(*score) float64) Law {
		for i := range all {
			one[i] = get(&all[i])
		}
		return NewLaw(one)
	}
	m.byT = by(func(s *score) float64 { return s.t })
	m.byQ = by(func(s *score) float64 { return s.q })
	m.byE = by(func(s *score) float64 { return s.e })
	m.byF = by(func(s *score) float64 {
		s.at, s.aq, s.ae = m.byT.Decades(s.t), m.byQ.Decades(s.q), m.byE.Decades(s.e)
		return s.fuse()
	})
	m.limit = min(maxDecades-1, max(2, -math.Log10(allowed)))
	m.guess = math.Pow(10, -m.limit) < 1/float64(len(all)+1)
	return nil
}

// take puts a row in that is scaled already.
func (w *window) take(z []float64) {
	copy(w.z[w.next*w.width:(w.next+1)*w.width], z)
	for i, v := range z {
		w.ewma[i] += forget * (v - w.ewma[i])
	}
	w.next++
	if w.next == w.size {
		w.next = 0
	}
	if int(w.n) < w.size {
		w.n++
	}
}
