package plant

import "math"

// Bearing is a rolling bearing of an asset. What is not known of it is zero: a
// diagnosis then says "bearing" and not "outer race".
type Bearing struct {
	Position    string `json:"position"`              // "motor DE", for people
	Designation string `json:"designation,omitempty"` // the maker's: "22320 E"

	// Geometry: number of rollers, pitch and roller diameter in mm, contact angle
	// in degrees.
	Rollers  int     `json:"rollers,omitempty"`
	Pitch    float64 `json:"pitch_mm,omitempty"`
	Diameter float64 `json:"diameter_mm,omitempty"`
	Angle    float64 `json:"angle_deg,omitempty"`

	// Given are the orders of the maker, which go before the geometry.
	Given *BearingOrders `json:"orders,omitempty"`

	Origin
}

// BearingOrders are the frequencies of a bearing's defects as multiples of the
// shaft's speed, with the outer ring standing: outer race, inner race, roller
// spin, cage.
type BearingOrders struct {
	BPFO float64 `json:"bpfo"`
	BPFI float64 `json:"bpfi"`
	BSF  float64 `json:"bsf"`
	FTF  float64 `json:"ftf"`
}

// Orders are the orders given or those of the geometry, without slip: in service
// they are 1 to 2 % off. ok is false where neither is known.
func (b *Bearing) Orders() (orders BearingOrders, ok bool) {
	if b.Given != nil {
		return *b.Given, true
	}
	if b.Rollers < 1 || b.Pitch <= 0 || b.Diameter <= 0 || b.Diameter >= b.Pitch {
		return orders, false
	}
	z, ratio := float64(b.Rollers), b.Diameter/b.Pitch
	c := ratio * math.Cos(b.Angle*math.Pi/180)
	return BearingOrders{
		BPFO: z / 2 * (1 - c),
		BPFI: z / 2 * (1 + c),
		BSF:  (1 - c*c) / (2 * ratio),
		FTF:  (1 - c) / 2,
	}, true
}

// Gear is one stage of a gear unit. Teeth are 0 where they are unknown.
type Gear struct {
	Stage  string `json:"stage"` // "1", "high speed", for people
	Pinion int    `json:"pinion,omitempty"`
	Wheel  int    `json:"wheel,omitempty"`
	Origin
}
