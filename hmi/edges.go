package hmi

import (
	"net/http"

	"millwright/plant"
)

type edgeBody struct {
	Name       string    `json:"name"`
	State      string    `json:"state"`
	Since      *stamp    `json:"since"`
	QueueBytes uint64    `json:"queue_bytes"`
	Oldest     *stamp    `json:"oldest"`
	Sent       uint64    `json:"sent"`
	Acked      uint64    `json:"acked"`
	Declared   uint64    `json:"declared"`
	ClockMS    int64     `json:"clock_offset_ms"`
	Unread     int       `json:"unread"`
	Dropped    uint64    `json:"unread_dropped"`
	Version    string    `json:"version"`
	PLCs       []plcBody `json:"plcs"`

	Models []modelStatusBody `json:"models"`
	Orders bool              `json:"orders"` // it carries out what engineers decide on the HMI
	Box    *edgeBoxBody      `json:"box"`    // null: it keeps no checkpoint here
	Broker *brokerBody       `json:"broker"` // null: an edge that does not tell
	Ledger *ledgerBody       `json:"ledger"`
	Queue  *backlogBody      `json:"queue"` // null: an edge that does not tell
}

// brokerBody is the connection of an edge to the plant.
type brokerBody struct {
	URL          string            `json:"url"`
	Since        *stamp            `json:"since"`
	Certificates []certificateBody `json:"certificates"`
}

func newBrokerBody(b *plant.BrokerStatus) *brokerBody {
	if b.URL == "" {
		return nil
	}
	return &brokerBody{URL: b.URL, Since: when(b.Since), Certificates: newCertificateBodies(b.Certificates)}
}

func (s *Server) edges(w http.ResponseWriter, r *http.Request) error {
	if q := newQuery(r.URL.RawQuery); q.err != nil {
		return q.err
	}
	return s.sendEdges(w)
}

func (s *Server) sendEdges(w http.ResponseWriter) error {
	edges := []edgeBody{}
	boxes := s.edgeBoxes()
	for _, e := range s.Plant.Edges() {
		b := edgeBody{Name: e.Name, State: e.State, Since: when(e.Since), QueueBytes: e.QueueBytes, Oldest: when(e.Oldest),
			Sent: e.Sent, Acked: e.Acked, Declared: e.Declared, ClockMS: e.ClockMS, Unread: e.Unread, Dropped: e.UnreadDropped, Version: e.Version, PLCs: []plcBody{},
			Models: []modelStatusBody{}, Orders: e.Orders != nil, Box: boxes[e.Name], Broker: newBrokerBody(&e.Broker), Ledger: newLedgerBody(e.Ledger), Queue: newBacklogBody(e.Queue)}
		for i := range e.PLCs {
			b.PLCs = append(b.PLCs, newPLCBody(&e.PLCs[i]))
		}
		for i := range e.Models {
			b.Models = append(b.Models, newModelStatusBody(&e.Models[i]))
		}
		edges = append(edges, b)
	}
	return send(w, struct {
		Edges []edgeBody `json:"edges"`
	}{edges})
}
