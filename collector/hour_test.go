package collector

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"millwright/plant"
)

// TestFigureHour runs a collector in a process of its own for
// MILLWRIGHT_SOAK_MINUTES with 1,000 tags at 1 Hz, SignAndEncrypt, and a
// disturbance about every minute: its memory, goroutines and open files must
// not grow.
func TestFigureHour(t *testing.T) {
	minutes, _ := strconv.Atoi(os.Getenv("MILLWRIGHT_SOAK_MINUTES"))
	if minutes == 0 {
		t.Skip("the soak of make soak-collector-hour")
	}
	srv, set := securedPair(t, map[string]any{"nodes": 1000, "every": 1000, "parts": 20, "quiet": true, "wholeValues": true, "run": true, "tick": 0})
	p := newProxy(t, srv.port)
	set.URL, set.Kept = p.url(), true
	r := newReader(t, set)
	live := func() bool { return r.stats().State == plant.Live }
	calm := func(after string) {
		t.Helper()
		eventually(t, patience, "live after "+after, live)
	}
	calm("the start")

	trouble := []struct {
		name string
		does func()
	}{
		{"TCP cut", p.cut},
		{"messages lost on the way", func() { p.hush(true); time.Sleep(300 * time.Millisecond); p.cut(); p.hush(false) }},
		{"half open", func() { p.hush(true); time.Sleep(18 * time.Second); p.hush(false) }},
		{"kill -9 and restart", func() {
			srv.kill()
			srv.set["tick"] = srv.set["tick"].(int) + 100_000
			srv.start()
		}},
		{"subscription dropped", func() { srv.say("drop") }},
		{"session ended", func() { srv.say("expel") }},
		{"publish starvation for good", func() { srv.say("starve"); time.Sleep(6 * time.Second) }},
		{"slow server", func() { srv.say("block 3000") }},
	}
	pid := r.cmd.Process.Pid
	var first, last readerStats
	var resident [2]float64
	begin, done := time.Now(), 0
	tell := func(minute int) {
		time.Sleep(3 * time.Second) // closed connections are gone by then
		last, resident[1] = r.stats(), memoryOf(t, pid, "VmRSS:")
		if minute == 0 {
			first, resident[0] = last, resident[1]
		}
		at := fmt.Sprintf(" at minute %d after %d disturbances", minute, done)
		figure("hour_rss_mb", resident[1], "MB"+at)
		figure("hour_goroutines", float64(last.Goroutines), at)
		figure("hour_files", float64(last.Files), at)
		figure("hour_undeclared", float64(last.Undeclared), "values of "+strconv.FormatUint(last.Received, 10)+at)
	}
	time.Sleep(min(time.Minute, time.Duration(minutes)*time.Minute/4)) // buffers have grown
	calm("the warm-up")
	tell(0)
	for minute := 1; minute <= minutes; minute++ {
		x := trouble[rand.IntN(len(trouble))]
		x.does()
		done++
		calm(x.name)
		time.Sleep(time.Until(begin.Add(time.Duration(minute)*time.Minute + time.Minute)))
		calm("a quiet time")
		if minute%max(1, minutes/3) == 0 {
			tell(minute)
		}
	}
	if last.Undeclared > 0 || last.Goroutines > first.Goroutines+5 || last.Files > first.Files+3 || resident[1] > resident[0]*1.25+5 {
		t.Errorf("it grows or loses: %+v %.0f MB, then %+v %.0f MB", first, resident[0], last, resident[1])
	}
}
