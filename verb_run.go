package main

import (
	"fmt"
	"strings"

	"millwright/plant/config"
	"millwright/simulator"
	"millwright/simulator/server"
)

type runCmd struct {
	Config string `short:"c" required:"" type:"path" help:"Configuration file (TOML)."`
}

// Run starts the roles that the file has sections for, those that others need
// first, and works until it is told to stop or a role fails.
func (c *runCmd) Run(e *env) error {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	w := newWorks(e.log)
	begin := func() error {
		if cfg.Simulator != nil {
			s, err := newSimulator(cfg.Simulator)
			if err != nil {
				return err
			}
			if err := w.startSimulator(e.ctx, s); err != nil {
				return err
			}
		}
		if cfg.Broker != nil {
			if err := w.startBroker(e.ctx, cfg.Broker); err != nil {
				return err
			}
		}
		if cfg.Historian != nil {
			if err := w.startHistorian(e.ctx, cfg.Historian, cfg.HMI); err != nil {
				return err
			}
		}
		if cfg.Edge != nil {
			return w.startEdge(e.ctx, cfg.Edge, cfg.PLCs)
		}
		return nil
	}
	err = begin()
	if err == nil {
		e.log.Info("running", "roles", strings.Join(w.crew.names(), ","), "page", w.page, "version", version)
		if w.setupCode != "" {
			fmt.Fprintf(e.stdout, "Open %s/setup and set the first password with this code: %s\n", w.page, w.setupCode)
		}
		err = w.crew.wait(e.ctx)
	}
	if e.ctx.Err() != nil {
		err = nil // told to stop
	}
	if stopped := w.crew.stop(); err == nil {
		err = stopped
	}
	return err
}

func newSimulator(c *config.Simulator) (*simulator.Simulator, error) {
	faults, err := parseFaults(c.Faults)
	if err != nil {
		return nil, err
	}
	s := &simulator.Simulator{
		Listen: c.Listen, Seed: c.Seed, Speed: c.Speed, Faults: faults, Ledger: c.Ledger, Samples: c.Samples,
		PKI: c.PKI, RequireTrusted: c.RequireTrusted, NoAnonymous: c.NoAnonymous, Users: c.Users,
	}
	for _, m := range c.Modes {
		s.Modes = append(s.Modes, server.Mode(m))
	}
	return s, nil
}

type checkCmd struct {
	Files []string `arg:"" name:"file" type:"path" help:"Configuration files."`
}

// Run checks every file and prints every fault.
func (c *checkCmd) Run(e *env) error {
	bad := 0
	for _, f := range c.Files {
		if _, err := config.Load(f); err != nil {
			bad++
			fmt.Fprintln(e.stderr, err)
			continue
		}
		fmt.Fprintf(e.stdout, "%s: ok\n", f)
	}
	if bad > 0 {
		return fmt.Errorf("%d of %d files have faults", bad, len(c.Files))
	}
	return nil
}
