package hmi

import (
	"net/http"
	"strconv"
	"time"

	"millwright/plant"
)

type sampleBody struct {
	Time    stamp  `json:"t"`
	Value   number `json:"v"`
	Quality string `json:"q"`
}

const tagAllowed = "the path of a tag; see " + apiBase + "/tags"

// find looks a tag up by the parameter tag.
func (s *Server) find(q *query) (plant.Tag, error) {
	path := q.need("tag", tagAllowed)
	if q.err != nil {
		return plant.Tag{}, q.err
	}
	t, ok := s.directory.tag(path)
	if !ok {
		return plant.Tag{}, refuse(http.StatusNotFound, "tag: %.200q is unknown", path)
	}
	return t, nil
}

// samples gives raw values.
func (s *Server) samples(w http.ResponseWriter, r *http.Request) error {
	q := newQuery(r.URL.RawQuery, "tag", "from", "to", "limit", "after")
	from, to := q.span()
	limit := q.limit()
	from = max(from, q.afterTime('s', from))
	tag, err := s.find(q)
	if err != nil {
		return err
	}
	out := []sampleBody{}
	var next *string
	span := plant.Range{Tag: tag.ID, From: from, To: to, Limit: limit + 1}
	for block, err := range s.History.Scan(r.Context(), span) {
		if err != nil {
			return err
		}
		for i, t := range block.Times {
			if len(out) == limit {
				next = cursor('s', strconv.FormatInt(t, 10))
				break
			}
			out = append(out, sampleBody{stamp(t), number(block.Values[i]), block.Quality[i].String()})
		}
		if next != nil {
			break
		}
	}
	return send(w, struct {
		Tag     string       `json:"tag"`
		Unit    string       `json:"unit"`
		Samples []sampleBody `json:"samples"`
		Next    *string      `json:"next"`
	}{tag.Path, tag.Unit, out, next})
}

type bucketBody struct {
	Time  stamp  `json:"t"`
	Min   number `json:"min"`
	Max   number `json:"max"`
	Mean  number `json:"mean"`
	Count int    `json:"count"`
	Good  number `json:"good"`
}

// trend gives a summary of each of equal slices of time.
func (s *Server) trend(w http.ResponseWriter, r *http.Request) error {
	q := newQuery(r.URL.RawQuery, "tag", "from", "to", "buckets")
	from, to := q.span()
	buckets := q.whole("buckets", 1, maxList, defaultList)
	tag, err := s.find(q)
	if err != nil {
		return err
	}
	out := []bucketBody{}
	if from < to {
		found, err := s.History.Trend(r.Context(), plant.TrendQuery{Tag: tag.ID, From: from, To: to, Buckets: buckets})
		if err != nil {
			return err
		}
		for _, b := range found {
			out = append(out, bucketBody{stamp(b.Time), number(b.Min), number(b.Max), number(b.Mean), b.Count, number(b.Good)})
		}
	}
	return send(w, struct {
		Tag     string       `json:"tag"`
		Unit    string       `json:"unit"`
		Buckets []bucketBody `json:"buckets"`
	}{tag.Path, tag.Unit, out})
}

type stateBody struct {
	Time    stamp  `json:"t"`
	Value   string `json:"v"`
	Quality string `json:"q"`
}

func newStateBody(t plant.State) stateBody {
	return stateBody{stamp(t.Time), t.Value, t.Quality.String()}
}

// states gives the texts of a tag, and on the first page the one that held when
// the span began.
func (s *Server) states(w http.ResponseWriter, r *http.Request) error {
	q := newQuery(r.URL.RawQuery, "tag", "from", "to", "limit", "after")
	from, to := q.span()
	limit := q.limit()
	start := max(from, q.afterTime('x', from))
	tag, err := s.find(q)
	if err != nil {
		return err
	}
	found, err := s.History.States(r.Context(), plant.Range{Tag: tag.ID, From: start, To: to, Limit: limit + 1})
	if err != nil {
		return err
	}
	var before *stateBody
	if start == from {
		if before, err = s.stateBefore(r, tag.ID, from); err != nil {
			return err
		}
	}
	var next *string
	if len(found) > limit {
		next = cursor('x', strconv.FormatInt(found[limit].Time, 10))
		found = found[:limit]
	}
	out := make([]stateBody, len(found))
	for i := range found {
		out[i] = newStateBody(found[i])
	}
	return send(w, struct {
		Tag    string      `json:"tag"`
		Before *stateBody  `json:"before"`
		States []stateBody `json:"states"`
		Next   *string     `json:"next"`
	}{tag.Path, before, out, next})
}

// stateBefore is the last text before from, looked for nearby first because most
// tags speak often.
func (s *Server) stateBefore(r *http.Request, tag plant.TagID, from int64) (*stateBody, error) {
	to := from
	for _, back := range []time.Duration{10 * time.Minute, 2 * time.Hour, 24 * time.Hour} {
		start := from - int64(back)
		found, err := s.History.States(r.Context(), plant.Range{Tag: tag, From: start, To: to})
		if err != nil {
			return nil, err
		}
		if n := len(found); n > 0 {
			b := newStateBody(found[n-1])
			return &b, nil
		}
		to = start
	}
	return nil, nil
}
