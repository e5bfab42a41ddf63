package hmi

import (
	"context"
	"net/http"
	"net/url"
)

// Export writes the file that the values ask for, with its headers, or returns
// an error before it has written anything. An error after that cuts the
// connection, so that nobody takes a part for the whole. It bounds itself how many
// run at once.
type Export func(ctx context.Context, w http.ResponseWriter, values url.Values) error

func (s *Server) exportRoute() route {
	rt := get("/export", s.export)
	rt.stream = true
	return part(s.Export != nil, "this works exports nothing", rt)[0]
}

// export streams history as a file. It takes as long as it takes.
func (s *Server) export(w http.ResponseWriter, r *http.Request) error {
	q := newQuery(r.URL.RawQuery, "tags", "asset", "from", "to", "format", "shape", "quality", "grid", "fill", "hold", "manifest")
	if q.err != nil {
		return q.err
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.stopping, cancel)()
	out := newSteady(w)
	err := s.Export(ctx, out, q.values)
	if err == nil || !out.begun {
		return err
	}
	if ctx.Err() == nil {
		s.log().Error("export broke off", "query", r.URL.RawQuery, "error", err)
	}
	panic(http.ErrAbortHandler)
}
