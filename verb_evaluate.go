package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"millwright/plant/config"
	"millwright/plant/disk"
	"millwright/simulator"
	"millwright/simulator/score"
)

type evaluateCmd struct {
	Mill evaluateMillCmd `cmd:"" help:"Score the models of the edge on the simulated mill, without a network, as fast as this machine can."`
}

type evaluateMillCmd struct {
	Files    []string      `arg:"" optional:"" help:"Scenarios, or folders of them. Without one: the run that --works, --for and --fault describe."`
	Works    string        `enum:"demo,reference" default:"demo" help:"Without a scenario: what is simulated: demo, three machines, or reference, the machines of a whole works that are known deeply."`
	For      time.Duration `default:"24h" help:"Without a scenario: plant time of each run."`
	Fault    []string      `help:"Without a scenario: break something: ASSET:FAULT[:SEVERITY]@OFFSET[+GROWTH][~natural]. May be repeated." placeholder:"FAULT" sep:"none"`
	Learn    time.Duration `help:"Commissioning time of every model, time of running (default: a third of the scenario's learn, else what each asset says)." placeholder:"D"`
	SeedFrom *uint64       `help:"Seed of the first run of each scenario, in place of its own; what breaks by chance follows it." placeholder:"N"`
	Count    int           `default:"1" help:"Runs of each scenario, each with the next seed."`
	JSON     string        `name:"json" help:"Write the scores to this file too." placeholder:"FILE"`
}

// Help says what is counted.
func (*evaluateMillCmd) Help() string {
	return "Found is an event whose machine finding was raised between its onset in the ledger (P) and its failure (F: severity 1, else its end). " +
		"The lead is the share of P to F that was left. Bursts of vibration are computed and handed to the models, whose detectors do not look at them yet. " +
		"All scores are on simulated data."
}

// Run runs the trials side by side and prints their scores.
func (c *evaluateMillCmd) Run(e *env) error {
	trials, err := c.trials()
	if err != nil {
		return err
	}
	library, err := config.Classes()
	if err != nil {
		return err
	}
	runs, err := evaluate(e.ctx, trials, library, newMeter(e.stderr))
	if err != nil {
		return err
	}
	if err := score.Print(e.stdout, runs); err != nil {
		return err
	}
	fmt.Fprintln(e.stdout, "\nBursts were handed over; the detectors do not look at waveforms yet.")
	troubles := 0
	for i := range trials {
		troubles += len(trials[i].Trouble)
	}
	if troubles > 0 {
		fmt.Fprintf(e.stdout, "Left out, since there is no server here: %s of an OPC UA server.\n", count(troubles, "trouble"))
	}
	return c.write(runs)
}

// mostRuns of a scenario are kept for the report.
const mostRuns = 10_000

// trials are the runs of all scenarios. Faults of files are told together.
func (c *evaluateMillCmd) trials() ([]trial, error) {
	switch {
	case c.Count < 1:
		return nil, usageError("--count is below 1")
	case c.Count > mostRuns:
		return nil, usageError(fmt.Sprintf("--count %d: allowed is up to %d", c.Count, mostRuns))
	case c.Learn < 0:
		return nil, usageError("--learn is below 0")
	}
	if err := checkNewFile("--json", c.JSON); err != nil { // not after hours
		return nil, err
	}
	scenarios, err := c.scenarios()
	if err != nil {
		return nil, err
	}
	var out []trial
	for _, s := range scenarios {
		first := s.Seed
		if c.SeedFrom != nil {
			first = *c.SeedFrom
		}
		for i := range c.Count {
			t := trial{Scenario: *s, learn: cmp.Or(c.Learn, s.Learn/3)}
			t.Reseed(first + uint64(i))
			if c.Count > 1 || c.SeedFrom != nil {
				t.Name = fmt.Sprintf("%s, seed %d", s.Name, t.Seed)
			}
			out = append(out, t)
		}
	}
	return out, nil
}

func (c *evaluateMillCmd) scenarios() ([]*simulator.Scenario, error) {
	if len(c.Files) == 0 {
		works, err := simulator.Named(c.Works)
		if err != nil {
			return nil, err
		}
		faults, err := parseFaults(c.Fault)
		if err != nil {
			return nil, err
		}
		if c.For <= 0 || c.For > longestOffline {
			return nil, usageError(fmt.Sprintf("--for %v: allowed is more than 0 and up to %v", c.For, longestOffline))
		}
		if err := checkBegins(faults, c.For); err != nil {
			return nil, err
		}
		s := &simulator.Scenario{Name: c.Works, Works: works.Deep(), Seed: 1, Duration: c.For, Faults: faults}
		return []*simulator.Scenario{s}, s.Check()
	}
	if len(c.Fault) > 0 {
		return nil, usageError("--fault is for a run without scenarios: write it into the file")
	}
	var out []*simulator.Scenario
	var errs []error
	for _, path := range c.Files {
		files := []string{path}
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			if files, err = filepath.Glob(filepath.Join(path, "*.toml")); err != nil || len(files) == 0 {
				return nil, fmt.Errorf("%s: there is no scenario in this folder, expected files *.toml", path)
			}
		}
		for _, file := range files {
			s, err := readDeep(file)
			out, errs = append(out, s), append(errs, err)
		}
	}
	return out, errors.Join(errs...)
}

// readDeep says of a file that is right for other commands why it is not for this one.
func readDeep(file string) (*simulator.Scenario, error) {
	s, err := simulator.ReadDeepScenario(file)
	if err == nil {
		return s, nil
	}
	if _, whole := simulator.ReadScenario(file); whole == nil {
		err = fmt.Errorf("%w\n%s: only machines that the simulator knows deeply are scored: leave out the others, nothing was run", err, file)
	}
	return nil, err
}

// evaluate runs trials side by side, one on each processor.
func evaluate(ctx context.Context, trials []trial, library config.Library, m *meter) ([]score.Run, error) {
	defer m.end()
	var whole, done time.Duration
	for i := range trials {
		whole += trials[i].Duration
	}
	var mu sync.Mutex // guards done and the meter
	runs := make([]score.Run, len(trials))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range trials {
		g.Go(func() error {
			s, err := trials[i].run(ctx, library, func(d time.Duration) {
				mu.Lock()
				defer mu.Unlock()
				done += d
				m.days(done, whole)
			})
			if err != nil {
				return fmt.Errorf("%s: %w", trials[i].Name, err)
			}
			runs[i] = score.Run{Name: trials[i].Name, Score: s}
			return nil
		})
	}
	return runs, g.Wait()
}

func (c *evaluateMillCmd) write(runs []score.Run) error {
	if c.JSON == "" {
		return nil
	}
	report := struct {
		Data  string          `json:"data"`
		Runs  []score.Run     `json:"runs"`
		Total []score.Measure `json:"total"`
	}{"simulated", runs, nil}
	var total score.Score
	for i := range runs {
		total.Add(runs[i].Score)
	}
	report.Total = total.Measures()
	b, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return err
	}
	return disk.Replace(c.JSON, append(b, 0x0a), 0o644)
}
