package hmi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"millwright/plant"
)

// bell wakes everybody who waits. The zero value is ready.
type bell struct {
	mu sync.Mutex // guards ch
	ch chan struct{}
}

// next is closed at the next ring.
func (b *bell) next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch == nil {
		b.ch = make(chan struct{})
	}
	return b.ch
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch != nil {
		close(b.ch)
		b.ch = nil
	}
}

// ringPause bounds how often a flood of alarms makes every stream read the
// journal.
const ringPause = 50 * time.Millisecond

// ringBell passes the alarm book's signal on to all event streams.
func (s *Server) ringBell(ctx context.Context) {
	for {
		changed := s.Alarms.Changed()
		// What came before this call is passed on as well.
		s.bell.ring()
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
		s.bell.ring()
		select {
		case <-time.After(ringPause):
		case <-ctx.Done():
			return
		}
	}
}

const (
	eventBeat  = 10 * time.Second
	eventBatch = 256
	writeTime  = 10 * time.Second // a stream that takes nothing for so long is cut
)

// events streams the alarm journal from where the client says.
func (s *Server) events(w http.ResponseWriter, r *http.Request) error {
	q := newQuery(r.URL.RawQuery, "after")
	if q.err != nil {
		return q.err
	}
	after, err := s.eventsFrom(r, q)
	if err != nil {
		return err
	}
	if !s.streams.enter("events") {
		return refuse(http.StatusServiceUnavailable, "there are %d event streams already", maxStreams).later(5 * time.Second)
	}
	defer s.streams.leave("events")

	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // a proxy would hold events back
	out := http.NewResponseController(w)
	_ = out.SetReadDeadline(time.Time{})
	send := func(b []byte) error {
		_ = out.SetWriteDeadline(time.Now().Add(writeTime))
		if _, err := w.Write(b); err != nil {
			return err
		}
		return out.Flush()
	}
	// From here on errors end the stream; the browser comes back by itself and
	// says what it has.
	if send([]byte("retry: 2000\n\n")) != nil {
		return nil
	}
	beat := time.NewTicker(eventBeat)
	defer beat.Stop()
	for {
		more := s.bell.next()
		after, err = s.replay(r.Context(), after, send)
		if err != nil {
			if r.Context().Err() == nil {
				s.log().Error("event stream ended", "error", err)
			}
			return nil
		}
		select {
		case <-more:
		case <-beat.C:
			if !s.stillIn(r) || send([]byte(": beat\n\n")) != nil {
				return nil
			}
		case <-s.stopping.Done():
			return nil
		case <-r.Context().Done():
			return nil
		}
	}
}

// eventsFrom is the journal number behind which a stream begins: what the
// browser had last, else the parameter, else the present end.
func (s *Server) eventsFrom(r *http.Request, q *query) (uint64, error) {
	end, err := s.journalEnd(r)
	if err != nil {
		return 0, err
	}
	name, text := "after", q.text("after")
	if id := r.Header.Get("Last-Event-ID"); id != "" {
		name, text = "Last-Event-ID", id
	}
	if text == "" {
		return end, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, wrong(name, fmt.Sprintf("%.40q is not a journal number", text), "the id of the last event")
	}
	// A number from a journal that was longer: a backup has been restored.
	return min(n, end), nil
}

// replay sends the journal behind after and returns how far it came.
func (s *Server) replay(ctx context.Context, after uint64, send func([]byte) error) (uint64, error) {
	for {
		found, err := s.Alarms.Events(ctx, after, eventBatch)
		if err != nil {
			return after, err
		}
		if len(found) == 0 {
			return after, nil
		}
		var b []byte
		for i := range found {
			if b, err = appendEvent(b, &found[i]); err != nil {
				return after, err
			}
			after = max(after, found[i].Seq)
		}
		if err := send(b); err != nil {
			return after, err
		}
	}
}

// appendEvent appends one event (WHATWG HTML, 9.2.6). The JSON has no line ends.
func appendEvent(b []byte, a *plant.Alarm) ([]byte, error) {
	data, err := json.Marshal(newAlarmBody(a))
	if err != nil {
		return b, err
	}
	b = fmt.Appendf(b, "id: %d\nevent: alarm\ndata: ", a.Seq)
	b = append(b, data...)
	return append(b, "\n\n"...), nil
}
