package collector

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

const sessionSlack = 5 * time.Second // a server looks only now and then for sessions whose time is over

// sessions are ours that may stand at one server: the one in use, those whose
// making was never answered, and those that were left without an end. Together
// they stay within the budget. The nil sessions bounds nothing; any goroutine
// may use it.
type sessions struct {
	most int // 0: no bound

	mu      sync.Mutex
	life    time.Duration // guarded by mu; the longest that the server may give one
	started int64         // guarded by mu; start time of the server, 0 unknown
	list    []*stay       // guarded by mu
}

// stay is a session at the server, as far as we know.
type stay struct {
	of    *sessions
	until time.Time // guarded by of.mu; zero: it may be in use
}

func newSessions(b plant.Budget, life time.Duration) *sessions {
	return &sessions{most: b.Sessions, life: life}
}

// room is an error as long as another session would pass the budget. Who asks
// uses none: from now on nobody keeps the others alive.
func (s *sessions) room(now time.Time) error {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.list {
		if x.until.IsZero() {
			x.until = now.Add(s.life + sessionSlack)
		}
	}
	s.list = slices.DeleteFunc(s.list, func(x *stay) bool { return !x.until.After(now) })
	n := len(s.list)
	if s.most == 0 || n < s.most {
		return nil
	}
	slices.SortFunc(s.list, func(a, b *stay) int { return a.until.Compare(b.until) })
	what := "a session"
	if n > 1 {
		what = fmt.Sprintf("%d sessions", n)
	}
	return fmt.Errorf("waiting for %s of ours to end at the server until %s: the budget of this PLC is %d", what, s.list[n-s.most].until.UTC().Format(time.RFC3339), s.most)
}

// begin notes a session that is asked for now, or was by an earlier process.
func (s *sessions) begin() *stay {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	x := &stay{of: s}
	s.list = append(s.list, x)
	return x
}

// grants notes what the server makes of the time that is asked for.
func (s *sessions) grants(life time.Duration) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.life = max(s.life, life)
}

// meet notes the start time of the server: what was left at a run of it before
// this one is no more.
func (s *sessions) meet(started int64) {
	if s == nil || started == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.started != 0 && s.started != started {
		s.list = slices.DeleteFunc(s.list, func(x *stay) bool { return !x.until.IsZero() })
	}
	s.started = started
}

// end notes that the server has no such session.
func (x *stay) end() {
	if x == nil {
		return
	}
	x.of.mu.Lock()
	defer x.of.mu.Unlock()
	x.of.list = slices.DeleteFunc(x.of.list, func(y *stay) bool { return y == x })
}

// told ends the stay of s where err is the server's word that it is no more.
func (s *session) told(err error) {
	if s != nil && (errors.Is(err, ua.StatusBadSessionIDInvalid) || errors.Is(err, ua.StatusBadSessionClosed)) {
		s.stay.end()
	}
}
