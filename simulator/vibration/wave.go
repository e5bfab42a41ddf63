package vibration

import "math"

// wave is a line as it is sampled: amp·cos(phase + n·step).
type wave struct {
	amp, phase, step float64
	sin, cos         float64 // of step
	twice            float64 // 2·cos(4·step)
}

func (g *generator) wave(order, amp, phase float64) wave {
	step := 2 * math.Pi * order * g.turn
	sin, cos := math.Sincos(step)
	return wave{amp, 2*math.Pi*order*g.start + phase, step, sin, cos, 2 * math.Cos(4*step)}
}

// add adds the block that begins at sample n. Four chains run side by side, each
// by the recurrence cos(a+d) = 2·cos(d)·cos(a) - cos(a-d) with d four samples; the
// beginning of each block is exact.
func (w *wave) add(sum *[block]float64, n int) {
	if w.amp == 0 {
		return
	}
	s, c := math.Sincos(w.phase + float64(n)*w.step)
	s, c = s*w.amp, c*w.amp
	var x [8]float64
	for i := range x {
		x[i] = c
		s, c = float64(s*w.cos)+float64(c*w.sin), float64(c*w.cos)-float64(s*w.sin)
	}
	a0, a1, a2, a3, b0, b1, b2, b3 := x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7]
	k := w.twice
	for at := 0; at < block; at += 4 {
		i := at & (block - 4) // tells the compiler that no index is beyond the end
		sum[i] += a0
		sum[i+1] += a1
		sum[i+2] += a2
		sum[i+3] += a3
		a0, b0 = b0, float64(k*b0)-a0
		a1, b1 = b1, float64(k*b1)-a1
		a2, b2 = b2, float64(k*b2)-a2
		a3, b3 = b3, float64(k*b3)-a3
	}
}

// gear is a mesh as it is sampled: (1 + α)·Σ G_m·cos(m·z·θ + β), where α and β
// are modulated once a turn by wear and by a cracked tooth (McFadden).
type gear struct {
	amp        [3]float64
	cos, sin   wave // of the mesh frequency
	am, pm     wave
	bump, bend float64 // of α and β where the cracked tooth meshes
	width      float64 // of a tooth, turns
	turn, at   float64 // turns per sample, angle at sample 0
}

func (g *generator) gear(m Mesh) gear {
	z := float64(m.Teeth)
	x := gear{amp: m.Amp, cos: g.wave(z, 1, 0), sin: g.wave(z, 1, -math.Pi/2), am: g.wave(1, m.AM, 0), pm: g.wave(1, m.PM, -math.Pi/2),
		width: 1 / z, turn: g.turn, at: g.start}
	for i := range x.amp { // the converter's filter takes what is above half the rate
		if z*float64(i+1)*g.turn >= 0.5 {
			x.amp[i] = 0
		}
	}
	x.bump, x.bend = crackDepth(m.Crack)
	return x
}

// crackDepth is how far a cracked tooth changes amplitude (share) and phase (rad).
func crackDepth(s float64) (amplitude, phase float64) {
	if s <= 0 {
		return 0, 0
	}
	return 0.1 + 0.4*s, 0.05 + 0.35*s
}

func (x *gear) add(sum *[block]float64, n int) {
	var c, s, alpha, beta [block]float64
	x.cos.add(&c, n)
	x.sin.add(&s, n)
	g1, g2, g3 := x.amp[0], x.amp[1], x.amp[2]
	if x.am.amp == 0 && x.pm.amp == 0 && x.bump == 0 {
		for i := range sum {
			c := c[i]
			sum[i] += g1*c + g2*(2*c*c-1) + g3*c*(4*c*c-3)
		}
		return
	}
	x.am.add(&alpha, n)
	x.pm.add(&beta, n)
	x.crack(&alpha, &beta, n)
	for i := range sum {
		c, s, b := c[i], s[i], beta[i]
		// All harmonics as powers of the first one; cos β and sin β by their series.
		even := g1*c + g2*(2*c*c-1) + g3*c*(4*c*c-3)
		odd := s * (g1 + 2*g2*c + g3*(4*c*c-1))
		bb := b * b
		sum[i] += (1 + alpha[i]) * (even*(1-bb/2+bb*bb/24) - odd*b*(1-bb/6))
	}
}

// crack bends α and β for the time that the cracked tooth meshes, which is at
// angle 0: a bell of one tooth's width.
func (x *gear) crack(alpha, beta *[block]float64, n int) {
	if x.bump == 0 {
		return
	}
	first := x.at + float64(n)*x.turn
	last := first + block*x.turn
	const reach = 4.5 // widths
	step := x.turn / x.width
	for k := math.Ceil(first - reach*x.width); k <= last+reach*x.width; k++ {
		from := max(0, math.Ceil((k-reach*x.width-first)/x.turn))
		to := min(block, (k+reach*x.width-first)/x.turn)
		if from >= to {
			continue
		}
		u := (first + from*x.turn - k) / x.width
		bell, ratio := math.Exp(-u*u/2), math.Exp(-u*step-step*step/2)
		fall := math.Exp(-step * step)
		for i := int(from); i < int(to); i++ {
			alpha[i] -= x.bump * bell
			beta[i] += x.bend * bell
			bell *= ratio
			ratio *= fall
		}
	}
}
