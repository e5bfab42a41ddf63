package vibration

import "math"

// Bearing is a rolling bearing with a turning inner ring.
type Bearing struct {
	Rollers int
	Ratio   float64 // d/D: roller diameter over pitch diameter
	Angle   float64 // of contact β, rad
}

// Orders are its defect frequencies over that of the shaft, from the kinematics
// of rolling without slip (Harris, Rolling Bearing Analysis):
//
//	outer race  Z/2·(1 - d/D·cos β)
//	inner race  Z/2·(1 + d/D·cos β)
//	roller      D/2d·(1 - (d/D·cos β)²)   its spin; a defect strikes twice as often
//	cage        1/2·(1 - d/D·cos β)
//
// In service they differ by 1 to 2 %.
type Orders struct{ Outer, Inner, Roller, Cage float64 }

// Orders of the bearing.
func (b Bearing) Orders() Orders {
	z, g := float64(b.Rollers), b.Ratio*math.Cos(b.Angle)
	return Orders{
		Outer:  z / 2 * (1 - g),
		Inner:  z / 2 * (1 + g),
		Roller: (1 - g*g) / (2 * b.Ratio),
		Cage:   (1 - g) / 2,
	}
}

const slip = 0.01 // share by which the distance of two impacts varies

// strength of an impact at severity s, 1 being a spall of one roller pitch, at n
// r/min, in m/s².
func strength(s, n float64) float64 { return 12 * s * math.Pow(math.Max(0, n)/1000, 1.2) }

// OuterSpall, InnerSpall, RollerSpall and CageWear are the impacts of a defect at
// severity s and n r/min. From severity 0.7 on the damage spreads.

// OuterSpall stays in the load zone.
func (o Orders) OuterSpall(s, n float64) Impacts {
	return Impacts{Order: o.Outer, Amp: strength(s, n), Jitter: slip, Modulation: Even, Spread: spread(s)}
}

// InnerSpall turns through the load zone with the shaft.
func (o Orders) InnerSpall(s, n float64) Impacts {
	return Impacts{Order: o.Inner, Amp: strength(s, n), Jitter: slip, Modulation: LoadZone, Spread: spread(s)}
}

// RollerSpall strikes both races, twice a spin, and the cage carries it through
// the load zone.
func (o Orders) RollerSpall(s, n float64) Impacts {
	return Impacts{Order: 2 * o.Roller, Amp: strength(s, n), Jitter: slip, Modulation: Spin, Cage: o.Cage, Spread: spread(s)}
}

// CageWear knocks once a turn of the cage.
func (o Orders) CageWear(s, n float64) Impacts {
	return Impacts{Order: o.Cage, Amp: strength(s, n), Jitter: slip, Modulation: Even, Spread: spread(s)}
}

// Tooth is the knock of a cracked tooth at severity s, once a turn.
func Tooth(s float64) Impacts {
	if s <= 0 {
		return Impacts{}
	}
	return Impacts{Order: 1, Amp: 2 + 18*s, Modulation: Once}
}

func spread(s float64) float64 { return math.Max(0, s-0.7) / 0.3 }
