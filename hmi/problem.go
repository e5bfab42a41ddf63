package hmi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// problem is an error answer (RFC 9457).
type problem struct {
	Type     string `json:"type"`
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail"`
	Instance string `json:"instance"`

	Faults []string `json:"faults,omitempty"` // all of them, where there may be several

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

// faulty is an error of what the caller sent. Each fault begins with the name of
// its field.
type faulty interface {
	error
	Faults() []string
}

// refusal is the status of an error that is the caller's doing, 0 for others.
func (s *Server) refusal(err error) int {
	for is, status := range s.Refusals {
		if errors.Is(err, is) {
			return status
		}
	}
	return 0
}

// answer writes err as a problem and returns its status. What is not one already,
// nor the caller's doing, is a fault of ours: it is logged, and people are told no
// more than that. The status is 0 where nobody waits for an answer any more.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, err error) int {
	var p *problem
	var tooLarge *http.MaxBytesError
	var told faulty
	switch {
	case errors.As(err, &p):
		c := *p // the same value may answer several requests
		p = &c
	case errors.As(err, &tooLarge):
		p = refuse(http.StatusRequestEntityTooLarge, "the body is larger than %d bytes", tooLarge.Limit)
	case r.Context().Err() != nil && !errors.Is(r.Context().Err(), context.DeadlineExceeded):
		return 0 // the browser has gone
	case errors.Is(err, context.DeadlineExceeded):
		p = refuse(http.StatusServiceUnavailable, "it took too long; ask for a shorter span or try again").later(10 * time.Second)
	case errors.As(err, &told) && len(told.Faults()) > 0:
		p = refuse(http.StatusBadRequest, "%s", told.Faults()[0])
		p.Faults = told.Faults()
	case s.refusal(err) != 0:
		p = refuse(s.refusal(err), "%s", err)
		if p.Status == http.StatusTooManyRequests || p.Status == http.StatusServiceUnavailable {
			p = p.later(10 * time.Second)
		}
	default:
		s.log().Error("request failed", "path", pathOf(r), "error", err)
		p = refuse(http.StatusInternalServerError, "the server could not do this; its log says why")
	}
	p.Instance = r.URL.Path
	for k, v := range p.header {
		w.Header()[k] = v
	}
	body, merr := json.Marshal(p)
	if merr != nil {
		http.Error(w, p.Title, p.Status)
		return p.Status
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(p.Status)
	_, _ = w.Write(body)
	return p.Status
}

// pathOf is the path for the log: what comes behind /ack/ lets its reader
// acknowledge.
func pathOf(r *http.Request) string {
	if strings.HasPrefix(r.URL.Path, linkBase) {
		return linkBase + "…"
	}
	return r.URL.Path
}
