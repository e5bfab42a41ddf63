package edge

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestBeaconAway(t *testing.T) {
	start := time.Unix(1_800_000_000, 0)
	f := func(name string, heard, waiting, after time.Duration, want bool) {
		t.Helper()
		at := func(d time.Duration) int64 {
			if d < 0 {
				return 0
			}
			return start.Add(d).UnixNano()
		}
		b := Beacon{After: time.Minute, Heard: func() int64 { return at(heard) }, Waiting: func() int64 { return at(waiting) }}
		if got := b.away(start, start.Add(after)); got != want {
			t.Errorf("%s: away %v, want %v", name, got, want)
		}
	}
	never := -time.Second
	f("nothing waits", never, never, time.Hour, false)
	f("never heard, short", never, 0, 50*time.Second, false)
	f("never heard, long", never, 0, 61*time.Second, true)
	f("silent since an answer", 10*time.Second, 5*time.Second, 71*time.Second, true)
	f("drains a long backlog, but answers", 100*time.Second, 0, 110*time.Second, false)
	f("quiet until a minute ago", 10*time.Second, 500*time.Second, 550*time.Second, false)
	f("silent since something waits", 10*time.Second, 500*time.Second, 561*time.Second, true)
}

// A clock that goes back, or that a box without one has lost, neither holds the
// lamp off nor lights it at once.
func TestBeaconClock(t *testing.T) {
	start := time.Unix(1_800_000_000, 0)
	f := func(name string, heard, waiting time.Duration, want ...bool) {
		t.Helper()
		b := Beacon{
			After: time.Minute, Heard: func() int64 { return start.Add(heard).UnixNano() }, Waiting: func() int64 { return start.Add(waiting).UnixNano() },
		}
		for i, w := range want {
			at := 600*time.Second + time.Duration(i)*30*time.Second
			if got := b.away(start, start.Add(at)); got != w {
				t.Errorf("%s: after %v away %v, want %v", name, at, got, w)
			}
		}
	}
	const year = 365 * 24 * time.Hour
	f("what waits is of the future", -year, 50*year, false, false, false, true, true)
	f("the last answer is of the future", time.Hour, 500*time.Second, false, false, false, true, true)
	f("both", year, year, false, false, false, true, true)
	f("neither", 500*time.Second, 590*time.Second, false, false, true, true)
}

// TestBeaconSwitches runs real commands: on while the plant is away, off when it
// is back, again after one that failed.
func TestBeaconSwitches(t *testing.T) {
	dir := t.TempDir()
	lamp := filepath.Join(dir, "lamp")
	script := filepath.Join(dir, "switch")
	// The first call fails, as a relay that is still starting would.
	text := "#!/bin/sh\nif [ ! -e " + dir + "/tried ]; then touch " + dir + "/tried; echo no relay; exit 1; fi\necho $1 >> " + lamp + "\n"
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var heard, waiting atomic.Int64
		waiting.Store(time.Now().UnixNano())
		b := Beacon{
			After: time.Minute, On: []string{script, "on"}, Off: []string{script, "off"},
			Heard: heard.Load, Waiting: waiting.Load, Log: slog.Default(),
		}
		look := func(want string) {
			t.Helper()
			got, _ := os.ReadFile(lamp)
			if string(got) != want {
				t.Errorf("lamp was told %q, want %q", got, want)
			}
		}
		done := make(chan struct{})
		go func() { defer close(done); b.Run(ctx) }()
		time.Sleep(30 * time.Second)
		look("")
		time.Sleep(75 * time.Second) // a minute, a failure, its pause
		look("on\n")
		time.Sleep(time.Hour)
		look("on\n")
		heard.Store(time.Now().UnixNano())
		waiting.Store(0)
		time.Sleep(5 * time.Second)
		look("on\noff\n")
		cancel()
		<-done
	})
}
