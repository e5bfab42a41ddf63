package influx

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// If nothing but refused points comes out of a request of this size, the points
	// may not be to blame.
	faultAt = 100
	// So the edges keep them for as long as it takes to call somebody. Then they go
	// into quarantine, rather than to hold up a plant for ever.
	holdFaults = 15 * time.Minute
)

// faults is since when requests are refused as a whole.
type faults struct {
	hold time.Duration

	mu    sync.Mutex
	since time.Time // zero: they are not
}

// clear notes that points are taken.
func (f *faults) clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.since = time.Time{}
}

// holds notes a request refused as a whole, and reports whether to wait.
func (f *faults) holds() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	if f.since.IsZero() {
		f.since = now
	}
	return now.Sub(f.since) < f.hold
}

// sift finds the points for which a request was refused, stores the others and
// puts the refused ones into quarantine. It returns how many those are.
func (s *Store) sift(ctx context.Context, lines string, cause error) (int, error) {
	x := sieve{s: s, patient: true}
	err := x.halve(ctx, strings.Split(strings.TrimSuffix(lines, "\n"), "\n"), cause)
	if errors.Is(err, errAll) {
		if s.faults.holds() {
			return 0, x.fault(cause)
		}
		// It must at least take what it has taken before.
		if err := s.server.write(ctx, formatLine); err != nil {
			return 0, err
		}
		x = sieve{s: s}
		err = x.halve(ctx, strings.Split(strings.TrimSuffix(lines, "\n"), "\n"), cause)
	}
	if err != nil {
		return 0, err
	}
	if x.good > 0 {
		s.faults.clear()
	}
	return len(x.bad), s.quarantine.keep(x.bad)
}

// errAll ends the search of a patient sieve.
var errAll = errors.New("all are refused")

type sieve struct {
	s       *Store
	patient bool // gives up when all are refused
	good    int
	bad     []refusal
}

// refusal is a point that the server will never take, and what it said.
type refusal struct{ line, reason string }

func (x *sieve) halve(ctx context.Context, lines []string, cause error) error {
	if len(lines) == 1 || dropped(cause) == len(lines) {
		for _, l := range lines {
			x.bad = append(x.bad, refusal{l, cause.Error()})
		}
		if x.patient && x.good == 0 && len(x.bad) >= faultAt && !beyondRetention(cause) {
			return errAll
		}
		return nil
	}
	middle := len(lines) / 2
	for _, half := range [][]string{lines[:middle], lines[middle:]} {
		err := x.s.server.write(ctx, strings.Join(half, "\n"))
		switch {
		case err == nil:
			x.good += len(half)
			continue
		case errors.Is(err, errRefused):
			err = x.halve(ctx, half, err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (x *sieve) fault(cause error) error {
	return fmt.Errorf("%w: it refuses each of %d points tried, so the measurement or a proxy is at fault: see docs/influx.md; the edges keep their records until then", cause, len(x.bad))
}

// dropped reads of how many points a partial write says that they were refused.
func dropped(err error) int {
	_, n, ok := strings.Cut(err.Error(), " dropped=")
	if !ok {
		return -1
	}
	n, _, _ = strings.Cut(n, ":")
	v, err := strconv.Atoi(strings.TrimSpace(n))
	if err != nil {
		return -1
	}
	return v
}

// beyondRetention: the plant has said that it does not want points so old.
func beyondRetention(err error) bool {
	return strings.Contains(err.Error(), "beyond retention policy")
}
