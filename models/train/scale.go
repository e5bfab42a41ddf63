package train

import (
	"errors"
	"math"
	"math/rand/v2"

	"millwright/models/autoencoder"
	"millwright/plant"
)

// Tolerance, as the learned models have it: a change of a tag's level by less
// than these shares of its range and of its level is no reason to send anybody.
const (
	toleranceOfRange = 0.01
	toleranceOfLevel = 0.03
)

// looseness is the walk's standard deviation over the tolerance: levels stay
// within it nineteen times of twenty. At 1, on the simulated mill, worn rings of a
// pump were tolerated as well; at 0.3 a healthy gearbox was not.
const looseness = 0.5

// reach bounds scaled values. A fault lasts: it is seen through a window of rows
// at five standard deviations as well as at fifty, while a heavy tail would make
// the normal scores so wild that no limit holds.
const reach = 5

// missingShare is the share of rows without a value from which on a tag stays
// out of the model.
const missingShare = 0.2

var (
	errStill    = errors.New("no tag moved")
	errManyTags = errors.New("too many tags")
)

// scaling is what makes a mode's rows the network's input.
type scaling struct {
	tags  []int     // positions among the watched tags
	mean  []float64 // per tag of the model
	scale []float64
	slack []float64 // tolerance, scaled
	left  []left
}

// left is a tag that stays out, and why.
type left struct{ Tag, Why string }

// scalingOf learns it from the fitted pieces.
func scalingOf(r *rows, fit []piece, watched []plant.Tag) (*scaling, error) {
	s := &scaling{}
	for i, t := range watched {
		var sum, sq float64
		n, all := 0, 0
		for _, p := range fit {
			for at := p.from; at < p.to; at++ {
				all++
				v := float64(r.vals[at*r.width+i])
				if math.IsNaN(v) {
					continue
				}
				sum += v
				sq += v * v
				n++
			}
		}
		if float64(all-n) > missingShare*float64(all) {
			s.left = append(s.left, left{t.Path, "missing in more than a fifth of the rows"})
			continue
		}
		level := sum / float64(n)
		sd := math.Sqrt(max(0, sq/float64(n)-level*level))
		mean := r.ref[i] + level
		if sd <= 1e-7*(1+math.Abs(mean)) {
			s.left = append(s.left, left{t.Path, "never moved"})
			continue
		}
		if len(s.tags) == autoencoder.MaxTags {
			return nil, errManyTags
		}
		allow := max(0, min(toleranceOfRange*(t.High-t.Low), toleranceOfLevel*math.Abs(mean)))
		scale := max(math.Hypot(sd, allow), t.Resolution)
		s.tags = append(s.tags, i)
		s.mean = append(s.mean, mean)
		s.scale = append(s.scale, scale)
		s.slack = append(s.slack, allow/scale)
	}
	if len(s.tags) == 0 {
		return nil, errStill
	}
	return s, nil
}

// apply scales rows as the edge does: bounded, a masked tag is 0.
func (s *scaling) apply(r *rows) []float32 {
	d := len(s.tags)
	z := make([]float32, r.n()*d)
	for at := range r.n() {
		for i, t := range s.tags {
			v := (r.value(at, t) - s.mean[i]) / s.scale[i]
			if v == v { // not masked
				z[at*d+i] = float32(min(reach, max(-reach, v)))
			}
		}
	}
	return z
}

// loosen adds the tolerance to the rows: a slow random walk of each
// tag about its level. Network and limit are then those of a machine whose levels
// differ by the tolerance. Masked values stay 0.
func (s *scaling) loosen(z []float32, r *rows, every int, rng *rand.Rand) {
	d := len(s.slack)
	was, will := make([]float64, d), make([]float64, d)
	for i := range will {
		will[i] = rng.NormFloat64()
	}
	for at := range r.n() {
		step := at % every
		if step == 0 {
			copy(was, will)
			for i := range will {
				will[i] = rng.NormFloat64()
			}
		}
		a := float64(step) / float64(every)
		norm := math.Hypot(a, 1-a)
		for i, slack := range s.slack {
			j := at*d + i
			if slack == 0 || math.IsNaN(float64(r.vals[at*r.width+s.tags[i]])) {
				continue
			}
			v := float64(z[j]) + looseness*slack*((1-a)*was[i]+a*will[i])/norm
			z[j] = float32(min(reach, max(-reach, v)))
		}
	}
}
