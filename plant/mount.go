package plant

// Mount says how the sensor of a tag sits on its machine. What is not known is empty.
type Mount struct {
	Tag        string    `json:"tag"` // path
	Mounting   Mounting  `json:"mounting,omitempty"`
	Direction  Direction `json:"direction,omitempty"`
	Calibrated string    `json:"calibrated,omitempty"` // the last time: "2026-03-31"
}

// Mounting is what holds a sensor. It decides up to which frequency an accelerometer
// can be believed: a stud holds beyond 10 kHz, a magnet to some 2 kHz.
type Mounting string

// Mountings, the stiffest first.
const (
	Stud       Mounting = "stud"
	Glue       Mounting = "glue"
	Magnet     Mounting = "magnet"
	Probe      Mounting = "probe" // touches nothing, as a proximity probe
	Thermowell Mounting = "thermowell"
	Inline     Mounting = "inline" // in the pipe or the cable
)

// Mountings are all there are.
func Mountings() []string {
	return []string{string(Stud), string(Glue), string(Magnet), string(Probe), string(Thermowell), string(Inline)}
}

// Direction is the way in which a sensor measures, seen from the shaft.
type Direction string

// Directions.
const (
	Horizontal Direction = "H"
	Vertical   Direction = "V"
	Axial      Direction = "A"
)

// Directions are all there are.
func Directions() []string {
	return []string{string(Horizontal), string(Vertical), string(Axial)}
}
