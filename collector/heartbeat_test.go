package collector

import (
	"strings"
	"testing"

	"millwright/plant"
)

// TestFrozenClock: a server whose clock stands still in three heartbeats is Stale,
// with that reason, though values come and the connection is kept; when the clock
// goes on it is Live again.
func TestFrozenClock(t *testing.T) {
	t.Parallel()
	long(t)
	srv, s, out := steady(t)
	srv.say("freeze")
	took := eventually(t, patience, "the clock is seen to stand", func() bool {
		st := s.Status()
		return st.State == plant.Stale && strings.Contains(st.Reason, "clock stands still")
	})
	if took > 3*beatTime+slack {
		t.Errorf("after %v", took)
	}
	fresh := grows(out)
	eventually(t, patience, "values come all the same", fresh)
	if st := s.Status(); st.State != plant.Stale || st.Connects != 1 {
		t.Errorf("%s, %d connections", st.State, st.Connects)
	}
	srv.say("thaw")
	eventually(t, patience, "live again", live(s))
}
