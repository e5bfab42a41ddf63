package hmi

import (
	"context"
	"io"
	"net/http"
	"strconv"

	"millwright/hmi/account"
	"millwright/plant"
)

// Boxes is which box is which edge: historian/boxes.Book.
type Boxes interface {
	// May is nil where the box may be the edge.
	May(group, edge, box string) error
	Save(ctx context.Context, box string, checkpoint []byte) (plant.EdgeBox, error)
	Load(ctx context.Context, edge string) (checkpoint []byte, of plant.EdgeBox, err error)
	Report(ctx context.Context, s plant.SpareBox) error
	// Adopt makes a box the edge; force also where that delivers.
	Adopt(ctx context.Context, edge, box string, force bool) (plant.Adoption, error)
	Release(ctx context.Context, edge, box string) (plant.EdgeBox, error)
	All() ([]plant.EdgeBox, []plant.SpareBox)
	// Old reports whether a checkpoint is too old to lean on.
	Old(e *plant.EdgeBox) bool
}

const boxesPath = apiBase + "/boxes/"

func (s *Server) boxRoutes() []route {
	return part(s.Boxes != nil, "this works keeps no checkpoints of boxes",
		get("/boxes", s.boxes),
		change(http.MethodGet, "/boxes/{box}/place", account.Box, s.place),
		change(http.MethodPost, "/boxes/{box}/checkpoint", account.Box, s.saveCheckpoint),
		change(http.MethodGet, "/boxes/{box}/checkpoint", account.Spare, s.loadCheckpoint),
		change(http.MethodGet, "/boxes/{box}/edges", account.Spare, s.boxes),
		change(http.MethodPost, "/boxes/{box}/report", account.Spare, s.report),
		change(http.MethodPost, "/boxes/{box}/adopt", account.Spare, s.adopt),
		change(http.MethodPost, "/boxes/{box}/release", account.Spare, s.release),
	)
}

type edgeBoxBody struct {
	Edge    string           `json:"edge"`
	Group   string           `json:"group"`
	Box     *string          `json:"box"`
	Since   *stamp           `json:"since"`
	Number  int64            `json:"number"`
	Saved   *stamp           `json:"saved"`
	Size    int64            `json:"size"`
	Old     bool             `json:"old"`
	Ready   []string         `json:"ready"` // spares that could take its place
	Retired []retiredBoxBody `json:"retired"`
}

type retiredBoxBody struct {
	Box string `json:"box"`
	At  *stamp `json:"at"`
	By  string `json:"by"`
}

type spareBody struct {
	Name        string           `json:"name"`
	Seen        *stamp           `json:"seen"`
	Version     string           `json:"version"`
	Certificate string           `json:"certificate"`
	Edge        *string          `json:"edge"`
	Ready       []spareReadyBody `json:"ready"`
}

type spareReadyBody struct {
	Edge     string   `json:"edge"`
	Number   int64    `json:"number"`
	Problems []string `json:"problems"`
}

func (s *Server) newEdgeBoxBody(e *plant.EdgeBox, spares []plant.SpareBox) *edgeBoxBody {
	b := &edgeBoxBody{Edge: e.Edge, Group: e.Group, Box: optional(e.Box), Since: when(e.Since), Number: e.Number, Saved: when(e.Saved),
		Size: e.Size, Old: s.Boxes.Old(e), Ready: []string{}, Retired: []retiredBoxBody{}}
	for _, r := range e.Retired {
		b.Retired = append(b.Retired, retiredBoxBody{r.Box, when(r.At), r.By})
	}
	for _, spare := range spares {
		for _, r := range spare.Ready {
			if spare.Edge == "" && r.Edge == e.Group+"/"+e.Edge && len(r.Problems) == 0 {
				b.Ready = append(b.Ready, spare.Name)
			}
		}
	}
	return b
}

// edgeBoxes are the boxes by the edge's name; of one that two groups have, the first.
func (s *Server) edgeBoxes() map[string]*edgeBoxBody {
	out := map[string]*edgeBoxBody{}
	if s.Boxes == nil {
		return out
	}
	edges, spares := s.Boxes.All()
	for i := range edges {
		if out[edges[i].Edge] == nil {
			out[edges[i].Edge] = s.newEdgeBoxBody(&edges[i], spares)
		}
	}
	return out
}

func (s *Server) boxes(w http.ResponseWriter, r *http.Request) error {
	if q := newQuery(r.URL.RawQuery); q.err != nil {
		return q.err
	}
	if _, err := boxOf(r); r.PathValue("box") != "" && err != nil {
		return err
	}
	edges, spares := s.Boxes.All()
	var body struct {
		Edges  []*edgeBoxBody `json:"edges"`
		Spares []spareBody    `json:"spares"`
	}
	body.Edges, body.Spares = []*edgeBoxBody{}, []spareBody{}
	for i := range edges {
		body.Edges = append(body.Edges, s.newEdgeBoxBody(&edges[i], spares))
	}
	for _, x := range spares {
		b := spareBody{x.Name, when(x.Seen), x.Program, x.Certificate, optional(x.Edge), []spareReadyBody{}}
		for _, y := range x.Ready {
			b.Ready = append(b.Ready, spareReadyBody{y.Edge, y.Number, list(y.Problems)})
		}
		body.Spares = append(body.Spares, b)
	}
	return send(w, body)
}

// boxOf is the box that a request is about: its own, if a box asks.
func boxOf(r *http.Request) (string, error) {
	box, who := r.PathValue("box"), userOf(r)
	if (who.Role == account.Box || who.Role == account.Spare) && who.Name != box {
		return "", refuse(http.StatusForbidden, "the token is of the box %s, not of %.100s: key box of [edge], or name of [spare]", who.Name, box)
	}
	return box, nil
}

// place says whether a box may be an edge.
func (s *Server) place(w http.ResponseWriter, r *http.Request) error {
	q := newQuery(r.URL.RawQuery, "group", "edge")
	group, edge := q.need("group", "the Sparkplug group of the edge"), q.need("edge", "the name of the edge")
	if q.err != nil {
		return q.err
	}
	box, err := boxOf(r)
	if err != nil {
		return err
	}
	if err := s.Boxes.May(group, edge, box); err != nil {
		return err
	}
	return send(w, struct {
		Box  string `json:"box"`
		Edge string `json:"edge"`
	}{box, edge})
}

func (s *Server) saveCheckpoint(w http.ResponseWriter, r *http.Request) error {
	if q := newQuery(r.URL.RawQuery); q.err != nil {
		return q.err
	}
	box, err := boxOf(r)
	if err != nil {
		return err
	}
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	e, err := s.Boxes.Save(r.Context(), box, raw)
	if err != nil {
		return err
	}
	_, spares := s.Boxes.All()
	return send(w, s.newEdgeBoxBody(&e, spares))
}

func (s *Server) loadCheckpoint(w http.ResponseWriter, r *http.Request) error {
	q := newQuery(r.URL.RawQuery, "edge")
	edge := q.need("edge", "the name of an edge, or GROUP/EDGE")
	if q.err != nil {
		return q.err
	}
	if _, err := boxOf(r); err != nil {
		return err
	}
	raw, e, err := s.Boxes.Load(r.Context(), edge)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(raw)))
	h.Set("Millwright-Checkpoint", strconv.FormatInt(e.Number, 10))
	_, _ = w.Write(raw) // a box that has gone asks again
	return nil
}

func (s *Server) report(w http.ResponseWriter, r *http.Request) error {
	if q := newQuery(r.URL.RawQuery); q.err != nil {
		return q.err
	}
	box, err := boxOf(r)
	if err != nil {
		return err
	}
	var x plant.SpareBox
	if err := readJSON(r, &x); err != nil {
		return err
	}
	x.Name = box
	if err := s.Boxes.Report(r.Context(), x); err != nil {
		return err
	}
	return s.boxes(w, r)
}

type adoptAsk struct {
	Edge  string `json:"edge"`
	Alive bool   `json:"alive"` // also where the edge delivers
}

func (s *Server) adopt(w http.ResponseWriter, r *http.Request) error {
	if q := newQuery(r.URL.RawQuery); q.err != nil {
		return q.err
	}
	var ask adoptAsk
	if err := readJSON(r, &ask); err != nil {
		return err
	}
	box, err := boxOf(r)
	if err != nil {
		return err
	}
	a, err := s.Boxes.Adopt(r.Context(), ask.Edge, box, ask.Alive)
	if err != nil {
		return err
	}
	return send(w, a)
}

func (s *Server) release(w http.ResponseWriter, r *http.Request) error {
	if q := newQuery(r.URL.RawQuery); q.err != nil {
		return q.err
	}
	var ask adoptAsk
	if err := readJSON(r, &ask); err != nil {
		return err
	}
	box, err := boxOf(r)
	if err != nil {
		return err
	}
	e, err := s.Boxes.Release(r.Context(), ask.Edge, box)
	if err != nil {
		return err
	}
	_, spares := s.Boxes.All()
	return send(w, s.newEdgeBoxBody(&e, spares))
}
