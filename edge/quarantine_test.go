package edge

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"millwright/plant"
)

func TestQuarantineIsTold(t *testing.T) {
	var q quarantine
	status := func(n, from int) plant.PLCStatus {
		var s plant.PLCStatus
		for i := range n {
			if len(s.Quarantined) == plant.MostQuarantined {
				s.QuarantinedMore = n - i
				break
			}
			s.Quarantined = append(s.Quarantined, plant.QuarantinedTag{Tag: fmt.Sprintf("T%d", from+i)})
		}
		return s
	}
	say := func(s plant.PLCStatus) string {
		var b []string
		for _, f := range q.judge("edge/plc", s, time.Now()) {
			if f.Asset != "edge/plc" || f.Kind != plant.KindQuarantine || f.Class != plant.SystemFault || f.Priority != 3 || f.Time == 0 {
				t.Errorf("%+v", f)
			}
			b = append(b, strings.TrimSuffix(fmt.Sprintf("%s %s %v", f.Phase, f.Key, f.Value), " 0"))
		}
		return strings.Join(b, ", ")
	}
	for i, c := range []struct {
		s    plant.PLCStatus
		want string
	}{
		{status(0, 0), ""},
		{status(2, 1), "raise quarantine/T1, raise quarantine/T2"},
		{status(2, 1), ""},
		{status(2, 2), "clear quarantine/T1, raise quarantine/T3"},
		{status(0, 0), "clear quarantine/T2, clear quarantine/T3"},
	} {
		if got := say(c.s); got != c.want {
			t.Errorf("step %d: %q, want %q", i, got, c.want)
		}
	}
	// A whole program: some by themselves, the rest together.
	got := say(status(300, 0))
	if n := strings.Count(got, "raise"); n != mostQuarantined+1 || !strings.HasSuffix(got, "raise quarantine 280") {
		t.Errorf("%d: %s", n, got)
	}
	if got := say(status(300, 0)); got != "" {
		t.Errorf("again: %s", got)
	}
	if got := say(status(1, 5)); strings.Count(got, "clear") != mostQuarantined || strings.Contains(got, "T5") {
		t.Errorf("released: %s", got)
	}
	if got := say(status(0, 0)); got != "clear quarantine/T5" {
		t.Errorf("at last: %s", got)
	}
}
