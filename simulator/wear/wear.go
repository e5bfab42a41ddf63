// Package wear is how damage grows in service: it waits, begins small, and grows
// with the load that its machine carries, with the speed, and by chance.
//
// Severity is a function of the seed and of the duty in whole cells of Grid, so
// that it does not depend on the step of the simulation.
package wear

import (
	"math"
	"time"

	"millwright/simulator/machine"
)

const (
	// Grid is the plant time of a cell.
	Grid = 10 * time.Second

	// Onset is the severity at which damage can first be told from none.
	Onset = 0.02

	day        = 24 * time.Hour
	sigma      = 0.15     // of the logarithm of severity, per root of a day
	rootOfCell = 0.010758 // √(Grid/day)

	shape = 1.5 // Weibull's β of the wait: more begin the longer it has been

	chips    = 0.05 // a week: the chance that a piece breaks out
	chipSize = 0.05
)

// Law says how a fault moves in service.
type Law struct {
	Course machine.Course

	// Life is the median time from onset to severity 1 at the usual duty: the P–F
	// interval.
	Life time.Duration

	Most float64 // severity at which it stops, at most 1

	// Incubation is the time at usual duty by which 63 % of such faults have
	// begun; 0: it begins at once.
	Incubation time.Duration

	Seed uint64
}

// Damage is a fault in service. Make it with New.
type Damage struct {
	Severity float64 // 0 before the onset
	Lumps    int     // that have fallen off, of a Shedding fault

	law   Law
	cells uint64  // that have passed
	wait  float64 // s at usual duty until the onset
}

// New is a fault before its first cell.
func New(l Law) *Damage {
	d := &Damage{law: l}
	if l.Incubation > 0 {
		d.wait = l.Incubation.Seconds() * math.Pow(-math.Log(d.uniform(onsetDraw)), 1/shape)
	}
	if d.wait == 0 {
		d.begin()
	}
	return d
}

func (d *Damage) begin() {
	d.Severity = math.Min(Onset, d.law.Most)
	if d.law.Course == machine.AtOnce {
		d.Severity = d.law.Most
	}
}

// Grow moves the damage on by one cell with this duty over the usual one.
//
//	growing        ds = λ·s·duty·dt + σ·s·dW, and now and then a chip
//	even, shedding ds = duty·dt/Life + σ·s·dW
//
// What stands still does not change.
func (d *Damage) Grow(duty Duty) {
	l := &d.law
	worn := duty.Use
	if l.Course == machine.Growing {
		worn = duty.Fatigue
	}
	worn *= Grid.Seconds()
	d.cells++
	switch {
	case worn <= 0:
		return
	case d.wait > 0:
		if d.wait -= worn; d.wait <= 0 {
			d.begin()
		}
		return
	case d.Severity >= l.Most: // Shedding never stays there
		return
	}
	share := worn / l.Life.Seconds()
	chance := sigma * rootOfCell * d.normal()
	switch l.Course {
	case machine.Growing:
		d.Severity *= math.Exp(-math.Log(Onset)*share + chance)
		if d.uniform(chipDraw) < chips*worn/(7*day.Seconds()) {
			d.Severity += chipSize
		}
	case machine.Even, machine.Shedding:
		d.Severity = d.Severity*math.Exp(chance) + share
	}
	d.Severity = math.Min(d.Severity, l.Most)
	if l.Course == machine.Shedding && d.Severity >= l.Most {
		d.Lumps++
		d.Severity = l.Most * (0.3 + 0.4*d.uniform(lumpDraw))
	}
}

// Purposes of the numbers that are drawn for a cell.
const (
	onsetDraw = iota
	radiusDraw
	angleDraw
	chipDraw
	lumpDraw
	draws
)

// uniform is a number in (0, 1) for a purpose in this cell.
func (d *Damage) uniform(purpose uint64) float64 {
	return (float64(mix(d.law.Seed+mix(d.cells*draws+purpose))>>11) + 0.5) / (1 << 53)
}

// normal is after Box and Muller.
func (d *Damage) normal() float64 {
	return math.Sqrt(-2*math.Log(d.uniform(radiusDraw))) * math.Cos(2*math.Pi*d.uniform(angleDraw))
}

// mix spreads the bits of x (the finalizer of SplitMix64).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
