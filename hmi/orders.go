package hmi

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"millwright/hmi/account"
	"millwright/plant"
)

// Orders are what engineers decide about PLCs, on their way to the edges.
type Orders interface {
	// Orders are those that were given, oldest first.
	Orders(ctx context.Context) ([]plant.Order, error)
	// Give signs an order and lays it where the edges fetch; it sets Number and At.
	Give(ctx context.Context, o plant.Order) error
}

func (s *Server) orderRoutes() []route {
	return part(s.Orders != nil, "this works gives its edges no orders",
		get("/orders", s.orders),
		change(http.MethodPost, "/orders", account.Engineer, s.order),
	)
}

type orderBody struct {
	Number int64          `json:"number"`
	At     *stamp         `json:"at"`
	Who    string         `json:"who"`
	Reason string         `json:"reason"`
	Edge   string         `json:"edge"`
	PLC    string         `json:"plc"`
	Trust  *string        `json:"trust"`
	Tag    *string        `json:"tag"`
	As     *plant.Release `json:"as"`
	State  string         `json:"state"` // "waiting", "done", "refused"
	Why    *string        `json:"why"`
}

// orders lists what was ordered, the newest first, and how far the edges are.
func (s *Server) orders(w http.ResponseWriter, r *http.Request) error {
	if q := newQuery(r.URL.RawQuery); q.err != nil {
		return q.err
	}
	return s.sendOrders(w, r)
}

func (s *Server) sendOrders(w http.ResponseWriter, r *http.Request) error {
	given, err := s.Orders.Orders(r.Context())
	if err != nil {
		return err
	}
	edges := s.Plant.Edges()
	out := make([]orderBody, 0, len(given))
	for _, o := range slices.Backward(given) {
		b := orderBody{Number: o.Number, At: when(o.At), Who: o.Who, Reason: o.Reason, Edge: o.Edge, PLC: o.PLC,
			Trust: optional(o.Trust), Tag: optional(o.Tag), State: "waiting"}
		if o.As != "" {
			b.As = &o.As
		}
		if e := find(edges, o.Edge); e != nil && e.Orders != nil && o.Number <= e.Orders.Done {
			b.State = "done"
			for _, x := range e.Orders.Refused {
				if x.Number == o.Number {
					b.State, b.Why = "refused", optional(x.Why)
				}
			}
		}
		out = append(out, b)
	}
	return send(w, struct {
		Orders []orderBody `json:"orders"`
	}{out})
}

func find(edges []plant.EdgeStatus, name string) *plant.EdgeStatus {
	i := slices.IndexFunc(edges, func(e plant.EdgeStatus) bool { return e.Name == name })
	if i < 0 {
		return nil
	}
	return &edges[i]
}

type orderAsk struct {
	Edge   string        `json:"edge"`
	PLC    string        `json:"plc"`
	Trust  string        `json:"trust"`
	Tag    string        `json:"tag"`
	As     plant.Release `json:"as"`
	Reason string        `json:"reason"`
}

// order gives an order for a PLC that an edge has told of.
func (s *Server) order(w http.ResponseWriter, r *http.Request) error {
	if q := newQuery(r.URL.RawQuery); q.err != nil {
		return q.err
	}
	var ask orderAsk
	if err := readJSON(r, &ask); err != nil {
		return err
	}
	if ask.Reason == "" {
		return wrong("reason", "missing", "why, for those who look at it later")
	}
	if err := checkNote("reason", ask.Reason); err != nil {
		return err
	}
	o := plant.Order{Edge: ask.Edge, PLC: ask.PLC, Trust: ask.Trust, Tag: ask.Tag, As: ask.As, Who: userOf(r).Name, Reason: ask.Reason}
	if err := o.Check(); err != nil {
		return refuse(http.StatusBadRequest, "%v", err)
	}
	e := find(s.Plant.Edges(), o.Edge)
	var p *plant.PLCStatus
	if e != nil {
		if i := slices.IndexFunc(e.PLCs, func(p plant.PLCStatus) bool { return p.Name == o.PLC }); i >= 0 {
			p = &e.PLCs[i]
		}
	}
	if p == nil {
		return refuse(http.StatusNotFound, "no edge %q with a PLC %q was heard of", o.Edge, o.PLC)
	}
	if e.Orders == nil {
		return refuse(http.StatusConflict, "the edge %s takes no orders from here (keys models and models_root of its configuration); decide it on the box, with millwright pki or millwright doctor plc", o.Edge)
	}
	if err := open(p, &o); err != nil {
		return err
	}
	if err := s.Orders.Give(r.Context(), o); err != nil {
		return err
	}
	return s.sendOrders(w, r)
}

// open reports whether there is something to decide: nobody trusts what no server
// has shown.
func open(p *plant.PLCStatus, o *plant.Order) error {
	if o.Trust != "" {
		for _, c := range p.Certificates {
			if c.State == plant.CertificateRejected && strings.EqualFold(strings.ReplaceAll(c.Fingerprint, ":", ""), o.Trust) {
				return nil
			}
		}
		return refuse(http.StatusConflict, "the PLC %s shows no certificate of this fingerprint that waits for anybody", o.PLC)
	}
	if p.QuarantinedMore > 0 || slices.ContainsFunc(p.Quarantined, func(q plant.QuarantinedTag) bool { return q.Tag == o.Tag }) {
		return nil
	}
	return refuse(http.StatusConflict, "the tag %s is not in quarantine", o.Tag)
}
