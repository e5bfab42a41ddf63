package collector

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

const (
	clockFile  = "clock"
	clockStep  = time.Hour       // how often the newest time is written; flash wears
	clockSlack = 5 * time.Minute // a clock that is put right steps back a little
)

// clock is the time by which validity is judged. A box without a battery for
// its clock starts in the past, and there an expired or stolen certificate
// would be good again. So the newest time at which a server's certificate was
// good is kept in the PKI folder, and nothing is judged earlier than that.
type clock struct {
	name string
	box  timekeeping

	mu     sync.Mutex
	newest time.Time // guarded by mu; on disk, as far as that can be written
	set    bool      // guarded by mu; a time source has answered since, so the clock runs on from a time that is right
}

// openClock takes up the time that is kept in the folder. A file that cannot be
// read is a damaged disk; it is told, and collecting goes on without it.
func openClock(pki string, box timekeeping, tell func(string)) *clock {
	if box == nil {
		box = boxTime
	}
	c := &clock{name: filepath.Join(pki, clockFile), box: box}
	b, err := readSmall(c.name)
	if errors.Is(err, fs.ErrNotExist) {
		return c
	}
	if err == nil {
		c.newest, err = parseClock(b)
	}
	if err != nil {
		tell(fmt.Sprintf("the newest known time cannot be read and is reckoned anew, look whether the clock is right: %v", err))
	}
	return c
}

func parseClock(b []byte) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, strings.TrimSuffix(string(b), "\n"))
	if err != nil {
		return time.Time{}, fmt.Errorf("%s: %q is no time", clockFile, trimmed(b))
	}
	return t, nil
}

func trimmed(b []byte) string {
	return string(b[:min(len(b), 40)])
}

// judge is the time to judge by. A reason means that the clock is unknown: it
// shows a time that has been, or nothing has set it: a box may come up with the
// time at which it went down.
func (c *clock) judge(now time.Time) (at time.Time, unknown string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at = now
	if at.Before(c.newest) {
		at = c.newest
	}
	switch {
	case c.newest.Sub(now) > clockSlack:
		unknown = fmt.Sprintf("clock unknown: it shows %s, and it has been %s already: certificates are judged at the later one until a time source sets the clock (if that one is wrong, set the clock and delete %s)",
			now.UTC().Format(time.RFC3339), c.newest.UTC().Format(time.RFC3339), c.name)
	case !c.set:
		battery, synchronised := c.box()
		if c.set = synchronised; !battery && !synchronised {
			unknown = "clock unknown: this box has no real-time clock, and the kernel says that no time source has set its clock: certificates are judged by it, but at no time before the newest that is known to have been, until a time source answers"
		}
	}
	return at, unknown
}

// passed notes that a certificate was good at this time: what a clock gone
// astray shows is not believed, as certificates are not good then.
func (c *clock) passed(at time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at.Sub(c.newest) < clockStep {
		return nil
	}
	at = at.UTC().Truncate(time.Second)
	c.newest = at // also where it cannot be written, which is tried again a step later
	if err := writeOwn(c.name, []byte(at.Format(time.RFC3339)+"\n"), publicMode); err != nil {
		return fmt.Errorf("the newest known time could not be kept: %w", err)
	}
	return nil
}
