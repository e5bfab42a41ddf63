package queue

import (
	"testing"
	"time"

	"millwright/plant"
)

// TestGroups: telemetry shares syncs, ten a second at most; a finding takes along
// what waits.
func TestGroups(t *testing.T) {
	q := open(t, Config{Dir: t.TempDir()})
	put(t, q, Findings, plant.Batch{Findings: []plant.Finding{{Asset: "A"}}})
	before, start := q.Stats().Syncs, time.Now()
	done := make(chan error, 300)
	for i := range 300 {
		if _, err := q.Append([]Draft{{Lane: Telemetry, Device: "plc", Batch: samples(i, 2)}}, func(err error) { done <- err }); err != nil {
			t.Fatal(err)
		}
		if i%10 == 0 {
			time.Sleep(time.Millisecond)
		}
	}
	for range 300 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	// The keeper may write its mark of the minute meanwhile.
	if n, most := q.Stats().Syncs-before, uint64(time.Since(start)/groupFor)+6; n > most {
		t.Errorf("%d syncs for 300 appends, at most %d are due", n, most)
	}
	var order []string
	told := make(chan string, 2)
	if _, err := q.Append([]Draft{{Lane: Telemetry, Batch: samples(0, 1)}}, func(error) { told <- "telemetry" }); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Append([]Draft{{Lane: Findings, Batch: plant.Batch{Findings: []plant.Finding{{Asset: "A"}}}}}, func(error) { told <- "finding" }); err != nil {
		t.Fatal(err)
	}
	order = append(order, <-told, <-told)
	if order[0] != "telemetry" {
		t.Errorf("%v", order)
	}
}

// TestAgeQuota gives up what is too old, and declares it; findings never.
func TestAgeQuota(t *testing.T) {
	q := open(t, Config{Dir: t.TempDir()})
	put(t, q, Telemetry, samples(0, 50))
	put(t, q, Waveforms, wave(9, 1000, 16))
	put(t, q, Findings, plant.Batch{Findings: []plant.Finding{{Asset: "A"}}})
	future := time.Now().Add(time.Minute).UnixMilli()
	for _, ln := range []Lane{Telemetry, Waveforms} {
		if q.thinTo(ln, 1<<62, future, "older than the quota of 1 h") {
			t.Error("more is to do")
		}
	}
	s := q.Stats()
	if s.Lanes[Telemetry].Records+s.Lanes[Waveforms].Records != 0 || s.Lanes[Telemetry].Declared != 50 || s.Lanes[Waveforms].Declared != 1 || s.Declared != 51 {
		t.Errorf("%+v", s)
	}
	var gaps []plant.Gap
	findings := 0
	for _, r := range all(t, q, Findings) {
		gaps = append(gaps, r.Batch.Gaps...)
		findings += len(r.Batch.Findings)
	}
	if !declared(samples(0, 50), gaps) || findings != 1 || len(q.TakeEvents()) != 2 {
		t.Errorf("%d gaps, %d findings", len(gaps), findings)
	}

	// The clock is trusted when it has run for a while.
	var g ageGuard
	now := time.Now()
	for _, x := range []struct {
		after time.Duration
		want  bool
	}{{0, false}, {time.Minute, false}, {trust + time.Second, true}} {
		if got := g.trusts(now.Add(x.after)); got != x.want {
			t.Errorf("after %v: %v", x.after, got)
		}
	}
}

// TestFill: how full, for how long, and when people are to be warned.
func TestFill(t *testing.T) {
	now := time.Now()
	for _, x := range []struct {
		name   string
		bytes  uint64
		old    time.Duration
		quota  Quota
		rate   float64
		state  string
		lowest float64
		most   float64
	}{
		{"nothing comes", 0, 0, Quota{Bytes: 1000}, 0, "", -1, -1},
		{"empty", 0, 0, Quota{Bytes: 3600_000}, 100, "", 10, 10},
		{"by bytes", 750, 0, Quota{Bytes: 1000}, 1, "70%", 0.06, 0.07},
		{"nearly full", 990, 0, Quota{Bytes: 1000}, 1, "90%", 0.002, 0.003},
		{"full", 1001, 0, Quota{Bytes: 1000}, 1, "full", 0, 0},
		{"by age", 10, 8 * time.Hour, Quota{Bytes: 1e12, Age: 10 * time.Hour}, 1, "70%", 1.99, 2.01},
		{"no quota", 1e9, time.Hour, Quota{}, 1, "", -1, -1},
	} {
		s := LaneStats{Bytes: x.bytes}
		if x.old > 0 {
			s.Oldest = now.Add(-x.old).UnixNano()
		}
		s.fill(x.quota, x.rate, now)
		if s.State != x.state || s.Hours < x.lowest || s.Hours > x.most {
			t.Errorf("%s: %q, %v h", x.name, s.State, s.Hours)
		}
	}
}
