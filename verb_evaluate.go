package main

import (
	"context"
	"encoding/json"
	"fmt"
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
	Works    string        `enum:"demo,reference" default:"demo" help:"What is simulated: demo, three machines, or reference, the machines of a whole works that are known deeply."`
	For      time.Duration `default:"24h" help:"Plant time of each run."`
	Fault    []string      `help:"Break something: ASSET:FAULT[:SEVERITY]@OFFSET. May be repeated." placeholder:"FAULT" sep:"none"`
	Learn    time.Duration `help:"Commissioning time of every model, in place of what its asset says." placeholder:"D"`
	SeedFrom uint64        `default:"1" help:"Seed of the first run."`
	Count    int           `default:"1" help:"Runs, each with the next seed."`
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
	return c.write(runs)
}

func (c *evaluateMillCmd) trials() ([]trial, error) {
	works, err := simulator.Named(c.Works)
	if err != nil {
		return nil, err
	}
	faults, err := parseFaults(c.Fault)
	switch {
	case err != nil:
		return nil, err
	case c.For <= 0:
		return nil, usageError("--for is no time")
	case c.Count < 1:
		return nil, usageError("--count is below 1")
	}
	var out []trial
	for i := range c.Count {
		seed := c.SeedFrom + uint64(i)
		out = append(out, trial{name: fmt.Sprintf("seed %d", seed), works: works.Deep(), seed: seed, length: c.For, learn: c.Learn, plan: plannedFaults(faults)})
	}
	return out, nil
}

// evaluate runs trials side by side, one on each processor.
func evaluate(ctx context.Context, trials []trial, library config.Library, m *meter) ([]score.Run, error) {
	defer m.end()
	var whole, done time.Duration
	for i := range trials {
		whole += trials[i].length
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
				return fmt.Errorf("%s: %w", trials[i].name, err)
			}
			runs[i] = score.Run{Name: trials[i].name, Score: s}
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
