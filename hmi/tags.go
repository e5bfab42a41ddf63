package hmi

import (
	"context"
	"net/http"
	"strings"

	"millwright/plant"
)

type tagBody struct {
	Path        string     `json:"path"`
	Asset       string     `json:"asset"`
	Unit        string     `json:"unit"`
	Low         *number    `json:"low"`
	High        *number    `json:"high"`
	Description string     `json:"description"`
	Kind        plant.Kind `json:"kind"`
	Derived     bool       `json:"derived"`
	Resolution  *number    `json:"resolution"`
	Last        *lastBody  `json:"last"`
}

type lastBody struct {
	Time    stamp   `json:"t"`
	Value   number  `json:"v"`
	Quality string  `json:"q"`
	Text    *string `json:"text,omitempty"`
}

// tags lists tags by path with their latest values.
func (s *Server) tags(w http.ResponseWriter, r *http.Request) error {
	q := newQuery(r.URL.RawQuery, "asset", "q", "limit", "after")
	asset, part := q.text("asset"), strings.ToLower(q.text("q"))
	limit := q.limit()
	after, paged := q.after('t')
	if q.err != nil {
		return q.err
	}
	var found []plant.Tag
	var next *string
	for _, t := range s.directory.now().tags {
		if paged && t.Path <= after || !below(t.Asset, asset) {
			continue
		}
		if part != "" && !strings.Contains(strings.ToLower(t.Path), part) && !strings.Contains(strings.ToLower(t.Description), part) {
			continue
		}
		if len(found) == limit {
			next = cursor('t', found[limit-1].Path)
			break
		}
		found = append(found, t)
	}
	ids := make([]plant.TagID, len(found))
	for i := range found {
		ids[i] = found[i].ID
	}
	cells, err := s.latest(r.Context(), ids)
	if err != nil {
		return err
	}
	out := make([]tagBody, len(found))
	for i := range found {
		out[i] = newTagBody(&found[i], &cells[i])
	}
	return send(w, struct {
		Tags []tagBody `json:"tags"`
		Next *string   `json:"next"`
	}{out, next})
}

func newTagBody(t *plant.Tag, c *cell) tagBody {
	b := tagBody{Path: t.Path, Asset: t.Asset, Unit: t.Unit, Description: t.Description, Kind: t.Kind, Derived: t.Derived}
	if b.Kind == "" {
		b.Kind = plant.Analog
	}
	if t.Low != t.High {
		low, high := number(t.Low), number(t.High)
		b.Low, b.High = &low, &high
	}
	if t.Resolution != 0 {
		res := number(t.Resolution)
		b.Resolution = &res
	}
	if c.held != heldNothing {
		b.Last = &lastBody{Time: stamp(c.time), Value: number(c.value), Quality: c.status().String()}
	}
	if c.held == heldText {
		b.Last.Text = &c.text
	}
	return b
}

// latest is the cell of each tag. What the hub has not heard of since the start
// is taken from the store, as stale.
func (s *Server) latest(ctx context.Context, ids []plant.TagID) ([]cell, error) {
	cells := s.Hub.look(make([]cell, 0, len(ids)), ids)
	var silent []plant.TagID
	for i := range cells {
		if cells[i].held == heldNothing {
			silent = append(silent, ids[i])
		}
	}
	if len(silent) == 0 {
		return cells, nil
	}
	samples, err := s.History.Last(ctx, silent)
	if err != nil {
		return nil, err
	}
	states, err := s.History.LastStates(ctx, silent)
	if err != nil {
		return nil, err
	}
	if len(samples) == 0 && len(states) == 0 {
		return cells, nil
	}
	s.Hub.remember(samples, states)
	return s.Hub.look(cells[:0], ids), nil
}
