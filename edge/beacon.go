package edge

import (
	"context"
	"fmt"
	"log/slog"
	"os/exec"
	"strings"
	"time"
)

// Beacon is the dead-man's switch of one edge: it switches a lamp or a siren
// beside the machines when the plant has been away for too long, since nobody
// gets an alarm then. It runs a command of this box; it never touches a PLC.
type Beacon struct {
	After   time.Duration // of the plant's silence
	On, Off []string      // program and arguments

	Heard   func() int64 // ns UTC when the plant last answered, 0 never
	Waiting func() int64 // ns UTC since when something waits for an answer, 0 nothing does
	Log     *slog.Logger

	ahead [2]int64  // of Heard and Waiting, where they lay in the future
	back  time.Time // when that was last found
}

const (
	beaconLook  = time.Second
	beaconRetry = 30 * time.Second // after a command that failed
	beaconTime  = 20 * time.Second // that a command may take
)

// Run looks every second until ctx ends. At the start the lamp's state is not
// known, so one of the commands runs in any case as soon as it is clear which.
// At the end the lamp stays as it is: an edge that stops is no better news.
func (b *Beacon) Run(ctx context.Context) {
	start := time.Now()
	known, lit := false, false
	var again time.Time
	tick := time.NewTicker(beaconLook)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		away := b.away(start, time.Now())
		if known && away == lit || time.Now().Before(again) {
			continue
		}
		if !away && !known && b.Heard() == 0 {
			continue // it has neither answered nor been silent for long
		}
		if err := b.switchTo(ctx, away); err != nil {
			b.Log.Error("beacon", "on", away, "err", err)
			again = time.Now().Add(beaconRetry)
			continue
		}
		known, lit = true, away
		if away {
			b.Log.Warn("plant is away: beacon switched on", "after", b.After)
		} else {
			b.Log.Info("plant is there: beacon switched off")
		}
	}
}

// away reports whether something has waited for the plant's answer, and the
// plant has been silent, for longer than After. What counts is the time that
// this process has seen: records may have waited through a power cut.
func (b *Beacon) away(start, now time.Time) bool {
	if b.Waiting() == 0 {
		return false
	}
	since := start
	for i, ns := range []int64{b.Heard(), b.Waiting()} {
		t := time.Unix(0, ns)
		switch {
		case !t.After(now):
		case b.ahead[i] == ns:
			continue
		default:
			// It was noted before the clock went back, or before a box without a clock
			// of its own lost the time. It counts from when it is first seen so.
			b.ahead[i], b.back = ns, now
			continue
		}
		if t.After(since) {
			since = t
		}
	}
	if b.back.After(since) {
		since = b.back
	}
	return now.Sub(since) > b.After
}

func (b *Beacon) switchTo(ctx context.Context, on bool) error {
	command := b.Off
	if on {
		command = b.On
	}
	if len(command) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, beaconTime)
	defer cancel()
	c := exec.CommandContext(ctx, command[0], command[1:]...)
	c.WaitDelay = time.Second
	out, err := c.CombinedOutput()
	if err != nil {
		said := strings.TrimSpace(string(out))
		if len(said) > 200 {
			said = said[:200]
		}
		return fmt.Errorf("%s: %w: %s", command[0], err, said)
	}
	return nil
}
