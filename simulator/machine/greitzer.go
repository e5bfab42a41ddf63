package machine

import "math"

// greitzer is the map of a blower and the air behind it. Volume flow x at the
// suction and isentropic head y are over those of the rated point.
//
// The characteristic is the cubic of Moore and Greitzer, which also holds for the
// reverse flow of a surge; its top is the surge line. Flow and pressure follow
// Greitzer's oscillator (1976, B 1.2): right of the top it is damped and settles,
// left of it, it surges. Speed and guide vanes stretch the map.
type greitzer struct {
	x, y float64
	fast float64 // y behind a lag of a second
}

const (
	surgeFlow = 0.80 // at rated speed and open vanes
	surgeHead = 1.15
	shutHead  = 0.62 // without flow
	greitzerB = 1.2
	helmholtz = 2 * math.Pi * 1.75 // rad/s; the surge cycle is slower
)

// characteristic is a characteristic: the top's flow and head, and the head without flow.
type characteristic struct{ flow, top, shut float64 }

// mapAt gives the characteristic at speed n over the rated one, with vanes that pass
// the share open of the flow. Deposits (0 to 1) take head and, most at the top, so
// that the surge line comes towards the working point.
func mapAt(n, open, deposits float64) characteristic {
	return characteristic{
		flow: surgeFlow * (1 + 0.22*deposits) * n * open,
		top:  surgeHead * (1 - 0.11*deposits) * n * n,
		shut: shutHead * (1 - 0.05*deposits) * n * n,
	}
}

func (s characteristic) head(x float64) float64 {
	u := 2*x/s.flow - 1
	return s.shut + (s.top-s.shut)*(1+1.5*u-0.5*u*u*u)/2
}

// surgeAt is the flow of the surge line of a clean blower at head y.
func surgeAt(y, open float64) float64 { return surgeFlow * open * math.Sqrt(math.Max(0, y)/surgeHead) }

// move integrates h seconds, at most 20 ms, with the flow out that leaves the
// air's volume.
func (c *greitzer) move(s characteristic, out, h float64) {
	c.x += h * 2 * greitzerB * helmholtz * (s.head(c.x) - c.y)
	c.y += h * helmholtz / (2 * greitzerB) * (c.x - out)
	c.y = math.Max(0, c.y)
	c.fast += (c.y - c.fast) * h
}
