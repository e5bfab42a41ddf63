package hmi

import (
	"net/http"
	"slices"

	"millwright/plant"
)

// machineBody is what the asset file says of a machine.
type machineBody struct {
	Path      string        `json:"path"`
	Number    string        `json:"number"`
	Nameplate *plateBody    `json:"nameplate"`
	Bearings  []bearingBody `json:"bearings"`
	Gears     []gearBody    `json:"gears"`
	Limits    []limitBody   `json:"limits"`
	Sensors   []mountBody   `json:"sensors"`
	Spares    []partBody    `json:"spares"`
	Drawings  []drawingBody `json:"drawings"`
}

// originBody says where a figure comes from. Texts are empty where nobody has said so.
type originBody struct {
	Source string `json:"source"`
	Author string `json:"author"`
	Date   string `json:"date"`
}

type plateBody struct {
	Maker      string     `json:"maker"`
	Model      string     `json:"model"`
	Serial     string     `json:"serial"`
	Power      *float64   `json:"power_kw"`
	SpeedMin   *float64   `json:"speed_min"`
	SpeedMax   *float64   `json:"speed_max"`
	Support    string     `json:"support"`
	Group      *int       `json:"group"` // of ISO 20816-3
	Redundancy string     `json:"redundancy"`
	Lubricant  string     `json:"lubricant"`
	Origin     originBody `json:"origin"`
}

type bearingBody struct {
	Position    string               `json:"position"`
	Designation string               `json:"designation"`
	Rollers     *int                 `json:"rollers"`
	Orders      *plant.BearingOrders `json:"orders"` // given, or of the geometry
	Origin      originBody           `json:"origin"`
}

type gearBody struct {
	Stage  string     `json:"stage"`
	Pinion *int       `json:"pinion"`
	Wheel  *int       `json:"wheel"`
	Origin originBody `json:"origin"`
}

type limitBody struct {
	Tag      string          `json:"tag"`
	Kind     plant.LimitKind `json:"kind"`
	Value    float64         `json:"value"`
	Unit     string          `json:"unit"`
	Priority int             `json:"priority"`
	Modes    []string        `json:"modes"` // empty: all
	Basis    string          `json:"basis"`
	Origin   originBody      `json:"origin"`
}

type mountBody struct {
	Tag        string `json:"tag"`
	Mounting   string `json:"mounting"`
	Direction  string `json:"direction"`
	Calibrated string `json:"calibrated"`
}

type partBody struct {
	Part     string `json:"part"`
	Number   string `json:"number"`
	Stock    *int   `json:"stock"`
	LeadDays *int   `json:"lead_days"`
	Place    string `json:"place"`
}

type drawingBody struct {
	Title  string `json:"title"`
	Number string `json:"number"`
	Link   string `json:"link"`
}

// machine tells what is known of one machine.
func (s *Server) machine(w http.ResponseWriter, r *http.Request) error {
	q := newQuery(r.URL.RawQuery, "asset")
	path := q.text("asset")
	if q.err == nil && path == "" {
		q.fail("asset", "is missing", "the path of an asset")
	}
	if q.err != nil {
		return q.err
	}
	stock := s.directory.now()
	i := slices.IndexFunc(stock.assets, func(a plant.Asset) bool { return a.Path == path })
	if i < 0 {
		return refuse(http.StatusNotFound, "there is no asset %s", path)
	}
	units := map[string]string{}
	for _, t := range stock.tags {
		if t.Asset == path {
			units[t.Path] = t.Unit
		}
	}
	return send(w, newMachineBody(&stock.assets[i], units))
}

func newMachineBody(a *plant.Asset, units map[string]string) machineBody {
	b := machineBody{Path: a.Path, Number: a.Number, Bearings: []bearingBody{}, Gears: []gearBody{}, Limits: []limitBody{},
		Sensors: []mountBody{}, Spares: []partBody{}, Drawings: []drawingBody{}}
	if n := a.Nameplate; n != nil {
		b.Nameplate = &plateBody{Maker: n.Maker, Model: n.Model, Serial: n.Serial, Power: known(n.Power), SpeedMin: known(n.SpeedMin), SpeedMax: known(n.SpeedMax),
			Support: string(n.Support), Group: known(n.Group()), Redundancy: n.Redundancy, Lubricant: n.Lubricant, Origin: newOrigin(n.Origin)}
	}
	for i := range a.Bearings {
		x := &a.Bearings[i]
		c := bearingBody{Position: x.Position, Designation: x.Designation, Rollers: known(x.Rollers), Origin: newOrigin(x.Origin)}
		if o, ok := x.Orders(); ok {
			c.Orders = &o
		}
		b.Bearings = append(b.Bearings, c)
	}
	for _, x := range a.Gears {
		b.Gears = append(b.Gears, gearBody{x.Stage, known(x.Pinion), known(x.Wheel), newOrigin(x.Origin)})
	}
	for _, x := range a.Limits {
		b.Limits = append(b.Limits, limitBody{x.Tag, x.Kind, x.Value, units[x.Tag], x.Priority, append([]string{}, x.Modes...), x.Basis, newOrigin(x.Origin)})
	}
	for _, x := range a.Sensors {
		b.Sensors = append(b.Sensors, mountBody{x.Tag, string(x.Mounting), string(x.Direction), x.Calibrated})
	}
	for _, x := range a.Spares {
		b.Spares = append(b.Spares, partBody{x.Part, x.Number, x.Stock, known(x.LeadDays), x.Place})
	}
	for _, x := range a.Drawings {
		b.Drawings = append(b.Drawings, drawingBody(x))
	}
	return b
}

func newOrigin(o plant.Origin) originBody {
	return originBody{string(o.Source), o.Author, o.Date}
}

// known is nil for what is zero, which nobody has said.
func known[N int | float64](n N) *N {
	if n == 0 {
		return nil
	}
	return &n
}
