package server

import (
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"
)

func TestSubscribeSmoke(t *testing.T) {
	s := start(t, &Server{}, 2)
	p := dial(t, s.URL(), nil)
	sub := p.subscribe(20*time.Millisecond, nil)
	s.Write([]Value{number(0, 1, 1)})
	for _, r := range p.monitor(sub, itemRequest(path(0), 7, 10, nil), itemRequest(path(1), 8, 10, nil)) {
		if r.StatusCode != ua.StatusOK {
			t.Fatal(r.StatusCode)
		}
	}
	if n := s.Monitored(); n != 2 {
		t.Errorf("%d monitored", n)
	}
	s.Write([]Value{number(0, 2, 2), number(0, 3, 3), number(1, 3, 9)})
	if got := p.numbers(4); len(got) != 4 {
		t.Errorf("got %v", got)
	}
}
