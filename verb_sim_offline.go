package main

import (
	"fmt"
	"time"

	"millwright/simulator"
)

// offlineFlags are those of a run without a server.
type offlineFlags struct {
	Offline bool          `help:"Run without a server, as fast as this machine can, and end. All tags count as monitored."`
	For     time.Duration `help:"With --offline: plant time to run (default: as long as the scenario)." placeholder:"24h"`
	Step    time.Duration `help:"With --offline: step of the simulation, 10ms to 1s; no tag is scanned more often." default:"1s"`
}

// longestOffline is a century, as of scenarios.
const longestOffline = 100 * 365 * 24 * time.Hour

// offline runs the mill to its files.
func (c *simCmd) offline(e *env, s *simulator.Simulator) error {
	switch {
	case c.Replay != "":
		return usageError("--offline has no use for a recording: leave out --replay")
	case c.Speed != nil:
		return usageError("--offline runs as fast as it can: leave out --speed")
	case c.For <= 0:
		return usageError("--offline needs --for, the plant time to run, such as 24h")
	case c.For > longestOffline:
		return usageError(fmt.Sprintf("--for %v: allowed is up to %v", c.For, longestOffline))
	case c.Step < simulator.ShortestStep || c.Step > simulator.LongestStep:
		return usageError(fmt.Sprintf("--step %v: allowed is %v to %v", c.Step, simulator.ShortestStep, simulator.LongestStep))
	case c.Ledger == "" && c.Samples == "":
		return usageError("--offline writes nothing: give --ledger FILE, --samples FILE or both")
	}
	if err := checkLogs(c.Ledger, c.Samples); err != nil {
		return err
	}
	if err := checkBegins(s.Faults[:len(c.Fault)], c.For); err != nil { // a scenario's may lie behind a shorter run
		return err
	}
	m := newMeter(e.stderr)
	ran := time.Duration(0)
	err := s.RunOffline(e.ctx, simulator.Offline{For: c.For, Step: c.Step, Progress: func(done time.Duration) {
		ran = done
		m.days(done, c.For)
	}})
	m.end()
	switch {
	case err != nil:
		return err
	case ran < c.For:
		return fmt.Errorf("stopped after %v of the %v of plant time; what is written up to there can be read", ran.Round(time.Second), c.For)
	}
	_, err = fmt.Fprintf(e.stdout, "%v of plant time in %v\n", c.For, time.Since(m.start).Round(100*time.Millisecond))
	return err
}

// checkBegins refuses faults that a run does not see.
func checkBegins(faults []simulator.Fault, length time.Duration) error {
	for _, f := range faults {
		if f.Offset >= length {
			return usageError(fmt.Sprintf("--fault %v begins after the end, --for %v: run longer or break it earlier", f, length))
		}
	}
	return nil
}

// days says how much plant time of the whole has been run, how fast, and how
// long the rest will take.
func (m *meter) days(done, whole time.Duration) {
	if !m.due() {
		return
	}
	rate := done.Seconds() / time.Since(m.start).Seconds()
	left := time.Duration(float64(whole-done) / rate).Round(time.Second)
	fmt.Fprintf(m.w, "\r\x1b[K%3.0f %%  %s plant days/s  %v left", 100*done.Seconds()/whole.Seconds(), short(rate/86_400), left)
}
