package hmi

import (
	"net/http"
	"time"
)

// steadyTime is how long a reader of a long answer may take nothing before it is
// cut.
const steadyTime = time.Minute

// steady is a long answer: it may take as long as its reader takes some of it.
type steady struct {
	http.ResponseWriter
	begun    bool // something has been sent, or is about to be
	extended time.Time
}

// newSteady takes the deadlines of ordinary requests off.
func newSteady(w http.ResponseWriter) *steady {
	// Where a deadline cannot be set there is none.
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	s := &steady{ResponseWriter: w}
	s.extend()
	return s
}

func (s *steady) extend() {
	if now := time.Now(); now.Sub(s.extended) > time.Second {
		_ = http.NewResponseController(s.ResponseWriter).SetWriteDeadline(now.Add(steadyTime))
		s.extended = now
	}
}

// WriteHeader begins the answer.
func (s *steady) WriteHeader(status int) {
	s.begun = true
	s.extend()
	s.ResponseWriter.WriteHeader(status)
}

// Write sends a part of the answer.
func (s *steady) Write(p []byte) (int, error) {
	s.begun = true
	s.extend()
	return s.ResponseWriter.Write(p)
}

// Unwrap lets an http.ResponseController through.
func (s *steady) Unwrap() http.ResponseWriter { return s.ResponseWriter }
