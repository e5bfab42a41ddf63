package hmi

import (
	_ "embed"
	"net/http"
	"strconv"
)

//go:embed openapi.json
var openAPI []byte

// openapi serves the description of the interface.
func (s *Server) openapi(w http.ResponseWriter, r *http.Request) error {
	if q := newQuery(r.URL.RawQuery); q.err != nil {
		return q.err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("Content-Length", strconv.Itoa(len(openAPI)))
	_, _ = w.Write(openAPI)
	return nil
}
