package hmi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// problem is an error answer (RFC 9457).
type problem struct {
	Type     string `json:"type"`
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail"`
	Instance string `json:"instance"`

	header http.Header
}

func (p *problem) Error() string { return fmt.Sprintf("%d: %s", p.Status, p.Detail) }

func refuse(status int, format string, args ...any) *problem {
	return &problem{Type: "about:blank", Title: http.StatusText(status), Status: status,
		Detail: fmt.Sprintf(format, args...), header: http.Header{}}
}

// wrong is a 400: which parameter, what is wrong with it, what is allowed.
func wrong(parameter, what, allowed string) *problem {
	return refuse(http.StatusBadRequest, "%s: %s; %s", parameter, what, allowed)
}

// later adds Retry-After, in whole seconds and at least one.
func (p *problem) later(d time.Duration) *problem {
	s := max(1, int64((d+time.Second-1)/time.Second))
	p.header.Set("Retry-After", strconv.FormatInt(s, 10))
	return p
}

// answer writes err as a problem. What is not one already is a fault of ours: it
// is logged, and people are told no more than that.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, err error) {
	var p *problem
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &p):
		c := *p // the same value may answer several requests
		p = &c
	case errors.As(err, &tooLarge):
		p = refuse(http.StatusRequestEntityTooLarge, "the body is larger than %d bytes", tooLarge.Limit)
	case r.Context().Err() != nil && !errors.Is(r.Context().Err(), context.DeadlineExceeded):
		return // the browser has gone
	case errors.Is(err, context.DeadlineExceeded):
		p = refuse(http.StatusServiceUnavailable, "it took too long; ask for a shorter span or try again").later(10 * time.Second)
	default:
		s.log().Error("request failed", "path", r.URL.Path, "error", err)
		p = refuse(http.StatusInternalServerError, "the server could not do this; its log says why")
	}
	p.Instance = r.URL.Path
	for k, v := range p.header {
		w.Header()[k] = v
	}
	body, merr := json.Marshal(p)
	if merr != nil {
		http.Error(w, p.Title, p.Status)
		return
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(p.Status)
	_, _ = w.Write(body)
}
