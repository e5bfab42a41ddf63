package hmi

import (
	"context"
	"net/http"
	"strings"

	"millwright/hmi/account"
	"millwright/plant"
)

// Ledger takes engineers' words for differences between an edge and the plant.
type Ledger interface {
	// Explain says why something of an edge (group/node) is lost: its difference is
	// none any more, and its alarm returns.
	Explain(ctx context.Context, edge, who, note string) error
}

func (s *Server) ledgerRoutes() []route {
	return part(s.Ledger != nil, "this works keeps no ledger of its edges",
		change(http.MethodPost, "/edges/{name}/explain", account.Engineer, s.explain),
	)
}

// ledgerBody is what an edge has sent, held against what is stored.
type ledgerBody struct {
	At      *stamp      `json:"at"` // what the edge said last
	Since   *stamp      `json:"since"`
	DoneIn  *number     `json:"done_in_s"` // null: not known, or the backlog grows
	Classes []classBody `json:"classes"`
	Loss    *lossBody   `json:"loss"`
	Notes   []noteBody  `json:"notes"`
}

type classBody struct {
	Name      string `json:"name"`
	Sent      uint64 `json:"sent"`
	Stored    uint64 `json:"stored"`
	Declared  uint64 `json:"declared"`
	UnderWay  uint64 `json:"under_way"`
	Lost      int64  `json:"lost"`
	Explained int64  `json:"explained"`
}

type lossBody struct {
	Reason  string           `json:"reason"`
	From    *stamp           `json:"from"`
	To      *stamp           `json:"to"`
	Records uint64           `json:"records"`
	Numbers *string          `json:"numbers"`
	Epoch   uint64           `json:"epoch"`
	Values  map[string]int64 `json:"values"` // by class, where there are any
}

type noteBody struct {
	At   *stamp   `json:"at"`
	Who  string   `json:"who"`
	Text string   `json:"text"`
	Loss lossBody `json:"loss"`
}

func newLedgerBody(l *plant.EdgeLedger) *ledgerBody {
	if l == nil {
		return nil
	}
	b := &ledgerBody{At: when(l.At), Since: when(l.Since), Loss: newLossBody(l.Loss), Classes: []classBody{}, Notes: []noteBody{}}
	if l.DoneIn >= 0 {
		done := number(l.DoneIn)
		b.DoneIn = &done
	}
	for i := range l.Classes {
		c := &l.Classes[i]
		b.Classes = append(b.Classes, classBody{c.Name, c.Sent, c.Stored, c.Declared, c.UnderWay(), c.Lost, c.Explained})
	}
	for i := range l.Notes {
		n := &l.Notes[i]
		b.Notes = append(b.Notes, noteBody{when(n.At), n.Who, n.Text, *newLossBody(&n.Loss)})
	}
	return b
}

func newLossBody(l *plant.Loss) *lossBody {
	if l == nil {
		return nil
	}
	b := &lossBody{Reason: l.Reason, From: when(l.From), To: when(l.To), Records: l.Records, Numbers: optional(l.Numbers), Epoch: l.Epoch, Values: map[string]int64{}}
	for c, name := range plant.CountNames() {
		if n := l.Values[c]; n != 0 {
			b.Values[name] = n
		}
	}
	return b
}

// explain takes an engineer's note about a loss.
func (s *Server) explain(w http.ResponseWriter, r *http.Request) error {
	if q := newQuery(r.URL.RawQuery); q.err != nil {
		return q.err
	}
	var ask struct {
		Note string `json:"note"`
	}
	if err := readJSON(r, &ask); err != nil {
		return err
	}
	if ask.Note = strings.TrimSpace(ask.Note); ask.Note == "" {
		return wrong("note", "missing", "what was lost and why, for those who look at it later")
	}
	if err := checkNote("note", ask.Note); err != nil {
		return err
	}
	name := r.PathValue("name")
	e := find(s.Plant.Edges(), name)
	if e == nil || e.Ledger == nil {
		return refuse(http.StatusNotFound, "no edge %.80q has said what it has sent", name)
	}
	if err := s.Ledger.Explain(r.Context(), e.Ledger.Edge, userOf(r).Name, ask.Note); err != nil {
		return err
	}
	return s.sendEdges(w)
}
