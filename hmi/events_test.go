package hmi

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"millwright/plant"
)

// listener is the other end of an event stream.
type listener struct {
	t     *testing.T
	lines chan string
	stop  func()
}

func (s *site) listen(path string, headers ...string) *listener {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, err := http.NewRequestWithContext(ctx, "GET", s.url+"/api/v1/"+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		cancel()
		s.t.Fatal(err)
	}
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" {
		s.t.Errorf("%d %s", res.StatusCode, res.Header.Get("Content-Type"))
	}
	l := &listener{t: s.t, lines: make(chan string, 10_000)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(l.lines)
		for in := bufio.NewScanner(res.Body); in.Scan(); {
			l.lines <- in.Text()
		}
	}()
	l.stop = func() { cancel(); <-done; res.Body.Close() }
	s.t.Cleanup(l.stop)
	return l
}

// event is the next event.
func (l *listener) event() (id uint64, alarm struct {
	ID    int64
	Seq   uint64
	State plant.AlarmState
}) {
	l.t.Helper()
	name := ""
	for {
		select {
		case line, ok := <-l.lines:
			key, v, _ := strings.Cut(line, ": ")
			switch {
			case !ok:
				l.t.Fatal("the stream has ended")
			case key == "id":
				id, _ = strconv.ParseUint(v, 10, 64)
			case key == "event":
				name = v
			case key == "data":
				if err := json.Unmarshal([]byte(v), &alarm); err != nil {
					l.t.Fatal(err)
				}
			case line == "" && name != "":
				if name != "alarm" || id != alarm.Seq {
					l.t.Errorf("event %q, id %d, seq %d", name, id, alarm.Seq)
				}
				return id, alarm
			}
		case <-time.After(5 * time.Second):
			l.t.Fatal("no event")
		}
	}
}

// silent fails if an event comes.
func (l *listener) silent() {
	l.t.Helper()
	for {
		select {
		case line := <-l.lines:
			if strings.HasPrefix(line, "id:") {
				l.t.Errorf("unexpected %s", line)
			}
		case <-time.After(150 * time.Millisecond):
			return
		}
	}
}

func TestEvents(t *testing.T) {
	s := run(t, nil)
	for i := range 5 {
		s.works.enter(alarmAt(int64(i+1), plant.Unacked, plant.Advisory, 2))
	}
	// A new listener hears what comes, not what was.
	fresh := s.listen("events")
	fresh.silent()
	s.works.enter(alarmAt(1, plant.RtnUnacked, plant.Advisory, 2))
	if id, a := fresh.event(); id != 6 || a.ID != 1 || a.State != plant.RtnUnacked {
		t.Errorf("event %d %+v", id, a)
	}
	// An acknowledgement by one is an event for the other.
	if a := s.ask("POST", "/api/v1/alarms/2/ack", `{}`, "Content-Type", "application/json"); a.status != 200 {
		t.Fatal(a.body)
	}
	if id, a := fresh.event(); id != 7 || a.ID != 2 || a.State != plant.Acked {
		t.Errorf("event %d %+v", id, a)
	}
	// Resume behind a number, each event once and in order.
	for _, l := range []*listener{s.listen("events?after=3"), s.listen("events", "Last-Event-ID", "3"), s.listen("events?after=0", "Last-Event-ID", "3")} {
		for want := uint64(4); want <= 7; want++ {
			if id, _ := l.event(); id != want {
				t.Errorf("event %d, want %d", id, want)
			}
		}
		l.silent()
	}
	if id, _ := s.listen("events?after=0").event(); id != 1 {
		t.Errorf("event %d, want 1", id)
	}
	// A number from a longer journal: hear what comes.
	beyond := s.listen("events", "Last-Event-ID", "99")
	beyond.silent()
	s.works.enter(alarmAt(1, plant.Unacked, plant.Advisory, 2))
	if id, _ := beyond.event(); id != 8 {
		t.Errorf("event %d, want 8", id)
	}
}

// TestListThenEvents holds that a page that opens events?after=SEQ of its list
// misses nothing that comes between the two.
func TestListThenEvents(t *testing.T) {
	s := run(t, nil)
	s.works.enter(alarmAt(1, plant.Unacked, plant.Advisory, 2))
	var list struct{ Seq uint64 }
	if err := json.Unmarshal([]byte(s.get("alarms").body), &list); err != nil {
		t.Fatal(err)
	}
	s.works.enter(alarmAt(2, plant.Unacked, plant.Advisory, 2))
	if id, a := s.listen(fmt.Sprintf("events?after=%d", list.Seq)).event(); id != 2 || a.ID != 2 {
		t.Errorf("event %d %+v", id, a)
	}
}

// TestEventsResume breaks the stream at random places while a flood runs: the
// pieces make up the whole journal.
func TestEventsResume(t *testing.T) {
	s := run(t, nil)
	const flood = 1500 // more than one batch
	written := make(chan struct{})
	go func() {
		defer close(written)
		for i := range flood {
			s.works.enter(alarmAt(int64(i%7+1), plant.Unacked, plant.Advisory, 2))
			if i%50 == 0 {
				time.Sleep(5 * time.Millisecond)
			}
		}
	}()
	last := uint64(0)
	for piece := 0; last < flood; piece++ {
		var l *listener
		if piece == 0 {
			l = s.listen("events?after=0")
		} else {
			l = s.listen("events", "Last-Event-ID", fmt.Sprint(last))
		}
		for range 1 + (piece*37)%200 {
			id, _ := l.event()
			if id != last+1 {
				t.Fatalf("event %d after %d", id, last)
			}
			if last = id; last == flood {
				break
			}
		}
		l.stop()
	}
	<-written
}

// TestBell wakes everybody who waits, once.
func TestBell(t *testing.T) {
	var b bell
	b.ring()
	one, two := b.next(), b.next()
	select {
	case <-one:
		t.Error("rang before the call")
	default:
	}
	b.ring()
	<-one
	<-two
	select {
	case <-b.next():
		t.Error("rang twice")
	default:
	}
}

// TestChangedOfBothKinds holds that the signal may be a closed channel, as of
// the works, or a value in one.
func TestChangedOfBothKinds(t *testing.T) {
	ch := make(chan struct{}, 1)
	w := newWorks()
	s := run(t, func(s *Server) { s.Alarms = valued{book{w}, ch} })
	l := s.listen("events?after=0")
	w.enter(alarmAt(1, plant.Unacked, plant.Advisory, 2))
	ch <- struct{}{}
	if id, _ := l.event(); id != 1 {
		t.Errorf("event %d", id)
	}
	w.enter(alarmAt(1, plant.Unacked, plant.Advisory, 2))
	ch <- struct{}{}
	if id, _ := l.event(); id != 2 {
		t.Errorf("event %d", id)
	}
}

type valued struct {
	book
	ch chan struct{}
}

func (v valued) Changed() <-chan struct{} { return v.ch }
