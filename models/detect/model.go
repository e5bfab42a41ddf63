package detect

import (
	"math"

	"millwright/plant"
)

// most tags of a model and most numbers of a window: they bound the cost of the
// fit (an eigenproblem of that size) and of a score.
const (
	maxFeatures = 32
	maxWindow   = 200
	components  = 8
)

// forget is the weight of a new row in the exponentially weighted means.
const forget = 0.1

// A scaled value is bounded. A fault lasts: it is seen through 20 rows at three
// standard deviations as well as at thirty, while a heavy-tailed sensor, left
// alone, makes the normal scores so wild that no limit holds. Where the tolerance
// makes up the scale, the noise is far smaller than the scale, and the bound is
// wider by reachSlack times its share.
const (
	reachNoise = 3
	reachSlack = 9
)

// model is what was learned of one mode. Nothing in it changes after the fit.
type model struct {
	tags    []int32   // features: positions among the asset's watched tags
	mean    []float64 // per feature
	scale   []float64 // per feature
	reach   []float64 // per feature: bound of scaled values
	lags    int32     // rows of the window that enter it
	stride  int32     // every so many rows
	k       int32     // components
	p       []float32 // lags·features × k, oldest row first
	lambda  []float64 // k
	level   []float64 // features: mean of the exponentially weighted means
	inverse []float64 // features²: inverse covariance of the exponentially weighted means
	partial []float64 // features²: inverse covariance of rows, to reconstruct a masked tag
	byT     Law
	byQ     Law
	byE     Law
	byF     Law
	low     []float64 // per watched tag: learned band; NaN where unknown
	high    []float64
	limit   float64 // decades at which a row counts
	guess   bool    // the limit lies beyond the calibration rows
}

// score is one judged row.
type score struct {
	t, q, e    float64 // statistics
	at, aq, ae float64 // decades of each
	decades    float64 // fused
}

// window is the running state that a model scores.
type window struct {
	size  int       // rows
	width int       // room per row
	z     []float64 // ring of scaled rows
	next  int       // position of the next row
	n     int32     // rows since the start, up to size
	ewma  []float64
	seen  []float64 // as ewma, but of what was measured, not bounded: for people
	tau   [components]float64
	back  []float64 // scratch: residual, contributions
}

func newWindow(size, width int) window {
	w := min(width, maxFeatures)
	return window{size: size, width: w, z: make([]float64, size*w), ewma: make([]float64, w), seen: make([]float64, w), back: make([]float64, w)}
}

// restart forgets the rows: what follows is not connected with them.
func (w *window) restart() {
	w.n, w.next = 0, 0
	clear(w.ewma)
	clear(w.seen)
}

// row i rows back: 0 is the youngest.
func (w *window) row(i int) []float64 {
	j := w.next - 1 - i
	if j < 0 {
		j += w.size
	}
	return w.z[j*w.width : (j+1)*w.width]
}

// full reports whether the window may be scored.
func (w *window) full() bool { return int(w.n) >= w.size }

// push scales a row, reconstructs what is masked and takes it in.
func (m *model) push(w *window, x []float64, ok []bool) {
	z := w.z[w.next*w.width : (w.next+1)*w.width]
	masked := 0
	for i, t := range m.tags {
		if !ok[t] {
			z[i] = 0
			masked++
			continue
		}
		v := (x[t] - m.mean[i]) / m.scale[i]
		z[i] = min(m.reach[i], max(-m.reach[i], v))
		w.seen[i] += forget * (min(farthest, max(-farthest, v)) - w.seen[i])
	}
	if masked > 0 {
		m.reconstruct(z, ok)
	}
	for i := range m.tags {
		w.ewma[i] += forget * (z[i] - w.ewma[i])
	}
	w.next++
	if w.next == w.size {
		w.next = 0
	}
	if int(w.n) < w.size {
		w.n++
	}
}

// reconstruct puts the values that the others let expect in place of masked
// ones: the minimum of zᵀΛz over them, by Gauss-Seidel steps (Λ is positive
// definite, so they converge).
func (m *model) reconstruct(z []float64, ok []bool) {
	d := len(m.tags)
	for range 12 {
		for i, t := range m.tags {
			if ok[t] {
				continue
			}
			row := m.partial[i*d : (i+1)*d]
			s := 0.0
			for j, l := range row {
				if j != i {
					s += l * z[j]
				}
			}
			z[i] = -s / row[i]
		}
	}
}

// statistics of the present window.
func (m *model) statistics(w *window) score {
	k := int(m.k)
	tau := w.tau[:k]
	clear(tau)
	d := len(m.tags)
	energy := 0.0
	p := m.p
	for l := int(m.lags) - 1; l >= 0; l-- {
		z := w.row(l * int(m.stride))[:d]
		for _, v := range z {
			energy += v * v
			if k == components { // the usual case, without bounds checks
				c := p[:components]
				tau[0] += float64(c[0]) * v
				tau[1] += float64(c[1]) * v
				tau[2] += float64(c[2]) * v
				tau[3] += float64(c[3]) * v
				tau[4] += float64(c[4]) * v
				tau[5] += float64(c[5]) * v
				tau[6] += float64(c[6]) * v
				tau[7] += float64(c[7]) * v
				p = p[components:]
				continue
			}
			for i, c := range p[:k] {
				tau[i] += float64(c) * v
			}
			p = p[k:]
		}
	}
	var s score
	for i, v := range tau {
		energy -= v * v
		s.t += v * v / m.lambda[i]
	}
	s.q = max(0, energy) / float64(int(m.lags)*d)
	for i := range m.tags {
		row := m.inverse[i*d : (i+1)*d]
		a := 0.0
		for j, r := range row {
			a += r * (w.ewma[j] - m.level[j])
		}
		s.e += a * (w.ewma[i] - m.level[i])
	}
	return s
}

// fuse is the mean of the decades. They are not capped, so that one statistic
// that is certain is enough.
func (s *score) fuse() float64 { return (s.at + s.aq + s.ae) / 3 }

// judge scores the present window.
func (m *model) judge(w *window) score {
	s := m.statistics(w)
	s.at, s.aq, s.ae = m.byT.Decades(s.t), m.byQ.Decades(s.q), m.byE.Decades(s.e)
	s.decades = min(maxDecades, m.byF.Decades(s.fuse()))
	return s
}

// share adds the contribution of every feature to sum, weighted by the decades
// of each statistic; it sums to 1. w.tau must be that of the scored row.
//
// Q: squared residuals over the lags. T²: reconstruction-based contributions
// with M = PΛ⁻¹Pᵀ over the lags. Exponentially weighted means: the same with the
// inverse covariance.
func (m *model) share(w *window, s *score, sum []float64) {
	d, k := len(m.tags), int(m.k)
	part := w.back[:d]
	weight := s.at + s.aq + s.ae
	if weight <= 0 {
		return
	}
	var scaled [components]float64
	for i := range k {
		scaled[i] = w.tau[i] / m.lambda[i]
	}
	if s.aq > 0 || s.at > 0 {
		clear(part)
		var res, rec [maxFeatures]float64
		p := m.p
		for l := int(m.lags) - 1; l >= 0; l-- {
			z := w.row(l * int(m.stride))[:d]
			for i, v := range z {
				var fit, pull, own float64
				for j, c := range p[:k] {
					c := float64(c)
					fit += c * w.tau[j]
					pull += c * scaled[j]
					own += c * c / m.lambda[j]
				}
				p = p[k:]
				res[i] += (v - fit) * (v - fit)
				if own > 1e-12 {
					rec[i] += pull * pull / own
				}
			}
		}
		blend(sum, res[:d], s.aq/weight)
		blend(sum, rec[:d], s.at/weight)
	}
	for i := range d {
		r := m.pull(w, i)
		part[i] = r * r / m.inverse[i*d+i]
	}
	blend(sum, part, s.ae/weight)
}

// pull is row i of inverse covariance times deviation of the means.
func (m *model) pull(w *window, i int) float64 {
	d := len(m.tags)
	a := 0.0
	for j, r := range m.inverse[i*d : (i+1)*d] {
		a += r * (w.ewma[j] - m.level[j])
	}
	return a
}

// blend adds part, scaled to sum 1, times weight.
func blend(sum, part []float64, weight float64) {
	total := 0.0
	for _, v := range part {
		total += v
	}
	if total <= 0 || weight <= 0 {
		return
	}
	for i, v := range part {
		sum[i] += weight * v / total
	}
}

// explain says of feature i: the weighted mean of what was measured lately, what
// the other tags let expect (within what the model knows), and in which way it
// differs.
func (m *model) explain(w *window, i int) (value, expected float64, way string) {
	d := len(m.tags)
	var mean, sq float64
	n := 0
	for l := range min(w.size, int(w.n)) {
		v := w.row(l)[i]
		mean += v
		sq += v * v
		n++
	}
	mean /= float64(n)
	sd := math.Sqrt(max(0, sq/float64(n)-mean*mean))
	want := w.ewma[i] - m.pull(w, i)/m.inverse[i*d+i]
	want = min(m.reach[i], max(-m.reach[i], want))
	value = m.mean[i] + m.scale[i]*w.seen[i]
	expected = m.mean[i] + m.scale[i]*want
	return value, expected, direction(mean-want, sd)
}

// bands of the watched tags for the HMI.
func (m *model) bands(watched []slot) map[string]plant.Band {
	b := make(map[string]plant.Band, len(m.low))
	for i := range m.low {
		if !math.IsNaN(m.low[i]) {
			b[watched[i].tag.Path] = plant.Band{m.low[i], m.high[i]}
		}
	}
	return b
}
