package simulator

import (
	"math"
	"slices"
	"time"

	"millwright/plant"
	"millwright/simulator/machine"
	"millwright/simulator/server"
	"millwright/simulator/vibration"
)

// Burst is what an accelerometer recorded: values at a Rate in Hz.
type Burst struct {
	Path     string        // of the tag
	Variable int           // index of the tag
	Time     time.Duration // plant time of the first value
	Rate     float64
	Values   []float32 // m/s²
}

// RMS is the root mean square of the values, m/s².
func (b *Burst) RMS() float64 {
	sum := 0.0
	for _, v := range b.Values {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum / float64(max(len(b.Values), 1)))
}

const (
	burstEvery    = 10 * time.Minute // plant time between two bursts of a point
	burstInterval = time.Minute      // on the clock, at least
	burstLength   = plant.MaxWaveform
)

// point is an accelerometer that has a tag.
type point struct {
	machine.Point
	path     string
	variable int
	rate     float64
	offset   time.Duration // of the second burst; the first one is at the start
	next     time.Duration // plant time
	number   int64         // of the next burst
	sick     *sick         // nil: healthy
}

// capture is a burst before anybody wants its values: the signal as it was, and
// the seed that makes them the same whenever they are computed.
type capture struct {
	point  *point
	at     time.Duration
	seed   uint64
	signal vibration.Signal
	sick   sick
}

// addPoints finds the accelerometers that the works has tags for. They record at
// the start and then one after the other, so that the host has even work.
func (m *Mill) addPoints(speed float64, byPath map[string]int) {
	m.burstEvery = max(burstEvery, time.Duration(speed*float64(burstInterval)))
	for _, mc := range m.machines {
		v, ok := mc.(machine.Vibrating)
		if !ok {
			continue
		}
		for _, p := range v.Points() {
			path := mc.Path() + "/" + p.Name
			i, wanted := byPath[path]
			if !wanted || m.works.Tags[i].Kind != plant.Burst {
				continue
			}
			delete(byPath, path)
			m.points = append(m.points, point{Point: p, path: path, variable: i, rate: m.works.Tags[i].Rate})
		}
	}
	for i := range m.points {
		m.points[i].offset = m.burstEvery * time.Duration(2*i+1) / time.Duration(2*len(m.points))
	}
	m.dueBurst()
}

// dueBurst finds when the next burst of all is due.
func (m *Mill) dueBurst() {
	m.nextBurst = -1
	for i := range m.points {
		if at := m.points[i].next; m.nextBurst < 0 || at < m.nextBurst {
			m.nextBurst = at
		}
	}
}

// record appends the bursts that are due.
func (m *Mill) record(dst []capture) []capture {
	now := m.Now()
	if m.nextBurst < 0 || now < m.nextBurst {
		return dst
	}
	for i := range m.points {
		p := &m.points[i]
		if now < p.next {
			continue
		}
		r := capture{point: p, at: now, seed: vibration.Seed(m.shop.seed, p.path, p.number), signal: p.Signal()}
		// The machine goes on with its slices.
		r.signal.Shaft = slices.Clone(r.signal.Shaft)
		r.signal.Mesh = slices.Clone(r.signal.Mesh)
		r.signal.Impacts = slices.Clone(r.signal.Impacts)
		if p.sick != nil {
			r.sick = *p.sick
		}
		dst = append(dst, r)
		for ; p.next <= now; p.number++ {
			if p.number == 0 {
				p.next = p.offset
			} else {
				p.next += m.burstEvery
			}
		}
	}
	m.dueBurst()
	return dst
}

// values fills dst, the same at every call and from any goroutine.
func (r *capture) values(dst []float32) {
	r.signal.Burst(dst, r.point.rate, r.seed)
	r.sick.spoil(dst, r.point.rate, r.seed)
}

// waves appends the bursts that are due as values of the server, which makes them
// where somebody wants them. They carry no time.
func (m *Mill) waves(dst []server.Value) []server.Value {
	for _, c := range m.record(nil) {
		dst = append(dst, server.Value{Var: c.point.variable, Wave: &server.Wave{Length: burstLength, Fill: c.values}})
	}
	return dst
}

// Bursts appends the bursts that have become due since the last call. Each point
// records every ten minutes of plant time, at most once a minute on the clock. Values
// that lie behind len(dst) from an earlier call are used again.
func (m *Mill) Bursts(dst []Burst) []Burst {
	if m.nextBurst < 0 || m.Now() < m.nextBurst {
		return dst
	}
	for _, r := range m.record(nil) {
		n := len(dst)
		dst = slices.Grow(dst, 1)[:n+1]
		b := &dst[n]
		b.Values = slices.Grow(b.Values[:0], burstLength)[:burstLength]
		b.Path, b.Variable, b.Time, b.Rate = r.point.path, r.point.variable, r.at, r.point.rate
		r.values(b.Values)
	}
	return dst
}
