package hmi

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"millwright/hmi/account"
)

// handler answers a request; an error becomes a problem document.
type handler func(w http.ResponseWriter, r *http.Request) error

// route is one row of the interface.
type route struct {
	method string
	path   string       // pattern of http.ServeMux without the method
	need   account.Role // "" for everybody
	stream bool         // stays open: no deadline
	handle handler
}

const apiBase = "/api/v1"

// get is a route that everybody with an account may read.
func get(path string, h handler) route {
	return route{method: http.MethodGet, path: apiBase + path, need: account.Viewer, handle: h}
}

// change is a route that changes something.
func change(method, path string, need account.Role, h handler) route {
	return route{method: method, path: apiBase + path, need: need, handle: h}
}

// part makes the routes of a part that the works may lack answer 404 where it is
// not there; lack says so.
func part(there bool, lack string, rs ...route) []route {
	if there {
		return rs
	}
	for i := range rs {
		rs[i].handle = func(http.ResponseWriter, *http.Request) error { return refuse(http.StatusNotFound, "%s", lack) }
	}
	return rs
}

// routes is the whole interface below /api/v1, and /metrics.
func (s *Server) routes() []route {
	rs := []route{
		{method: http.MethodGet, path: apiBase + "/health", handle: s.health},
		get("/me", s.me),
		get("/assets", s.assets),
		get("/machine", s.machine),
		get("/tags", s.tags),
		get("/samples", s.samples),
		get("/trend", s.trend),
		get("/states", s.states),
		get("/waveforms", s.waveforms),
		get("/waveforms/{tag...}", s.waveform),
		get("/gaps", s.gaps),
		get("/alarms", s.alarms),
		get("/alarms/{id}", s.alarm),
		change(http.MethodPost, "/alarms/{id}/ack", account.Operator, s.ack),
		{method: http.MethodGet, path: apiBase + "/events", need: account.Viewer, stream: true, handle: s.events},
		{method: http.MethodGet, path: apiBase + "/live", need: account.Viewer, stream: true, handle: s.live},
		get("/edges", s.edges),
		get("/openapi.json", s.openapi),
	}
	rs = append(rs, s.labelRoutes()...)
	rs = append(rs, s.alertRoutes()...)
	rs = append(rs, s.modelRoutes()...)
	rs = append(rs, s.orderRoutes()...)
	rs = append(rs, s.boxRoutes()...)
	rs = append(rs, s.ledgerRoutes()...)
	rs = append(rs, s.exportRoute())
	if s.Metrics != nil {
		rs = append(rs, route{method: http.MethodGet, path: "/metrics", need: account.Viewer, handle: func(w http.ResponseWriter, r *http.Request) error {
			s.Metrics.ServeHTTP(w, r)
			return nil
		}})
	}
	return rs
}

// handler is the whole server: guards, then the interface, the login pages and
// the web app.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	byPath := map[string][]route{}
	for _, rt := range s.routes() {
		byPath[rt.path] = append(byPath[rt.path], rt)
	}
	for path, rs := range byPath {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { s.dispatch(w, r, rs) })
	}
	mux.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) {
		s.answer(w, r, refuse(http.StatusNotFound, "there is no such route; %s/openapi.json lists them", apiBase))
	})
	s.addPages(mux)
	return s.guard(mux)
}

// dispatch runs the route of the request's method.
func (s *Server) dispatch(w http.ResponseWriter, r *http.Request, rs []route) {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	i := slices.IndexFunc(rs, func(rt route) bool { return rt.method == method && (!rt.stream || r.Method == method) })
	if i < 0 {
		p := refuse(http.StatusMethodNotAllowed, "%s is not allowed here", r.Method)
		var allow []string
		for _, rt := range rs {
			allow = append(allow, rt.method)
		}
		p.header.Set("Allow", strings.Join(allow, ", "))
		s.answer(w, r, p)
		return
	}
	rt := rs[i]
	if !rt.stream {
		ctx, cancel := context.WithTimeout(r.Context(), requestTime)
		defer cancel()
		r = r.WithContext(ctx)
		// A reader that does not read must not hold the answer for ever.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(requestTime + 10*time.Second))
	}
	r, err := s.admit(r, rt.need)
	if err == nil {
		err = rt.handle(w, r)
	}
	status := http.StatusOK
	if err != nil {
		status = s.answer(w, r, err)
	}
	if rt.method != http.MethodGet {
		s.log().Info("asked for a change", "who", userOf(r).Name, "method", rt.method, "path", r.URL.Path, "source", source(r), "status", status)
	}
}
