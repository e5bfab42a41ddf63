package main

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"millwright/historian/broker"
	"millwright/plant/config"
	"millwright/simulator"
	"millwright/simulator/server"
)

type runCmd struct {
	Config string `short:"c" required:"" help:"Configuration file." placeholder:"FILE.toml"`
}

// Run starts the roles that the file has sections for, those that others need
// first, and works until it is told to stop or a role fails.
func (c *runCmd) Run(e *env) error {
	p, faults := loadProcess(c.Config)
	if len(faults) > 0 {
		for _, f := range faults {
			fmt.Fprintln(e.stderr, f)
		}
		return fmt.Errorf("%s has faults, nothing was started: mend the lines above", c.Config)
	}
	cfg, w := p.config, newWorks(e.log)
	if err := p.checkAddresses(); err != nil {
		return err
	}
	if (cfg.Edge != nil || cfg.Spare != nil) && cfg.Historian == nil {
		debug.SetGCPercent(25) // a box beside a PLC has more processor than memory to spare
	}
	if cfg.Spare != nil {
		return runSpare(e, cfg.Spare)
	}
	begin := func() error {
		if cfg.Simulator != nil {
			if err := w.startSimulator(e.ctx, p.simulator); err != nil {
				return err
			}
		}
		if cfg.Broker != nil {
			if cfg.Historian != nil { // a retired box must not come in before the rest has started
				if _, err := w.openBoxes(cfg.Historian.Data); err != nil {
					return err
				}
			}
			if err := w.startBroker(e.ctx, cfg.Broker); err != nil {
				return err
			}
		}
		if cfg.Historian != nil {
			if err := w.startHistorian(e.ctx, cfg.Historian, cfg.HMI, cfg.Notify); err != nil {
				return err
			}
		}
		if cfg.Edge != nil {
			return w.startEdge(e.ctx, cfg)
		}
		return nil
	}
	err := begin()
	if err == nil {
		e.log.Info("running", "roles", strings.Join(w.crew.names(), ","), "page", w.page, "version", version)
		if w.setupCode != "" {
			fmt.Fprintf(e.stdout, "Open %s/setup and set the first password with this code: %s\n", w.page, w.setupCode)
		}
	}
	return w.crew.finish(e.ctx, err)
}

// process is a configuration and what its parts have read of it.
type process struct {
	config    *config.Config
	simulator *simulator.Simulator
}

// loadProcess reads a configuration file. Its faults are all that anybody who
// needs the file can find, each a line.
func loadProcess(path string) (process, []string) {
	var faults []string
	cfg, err := config.Load(path)
	if err != nil {
		faults = strings.Split(err.Error(), "\n")
	}
	p := process{config: cfg}
	if cfg == nil {
		return p, faults
	}
	if cfg.Broker != nil && cfg.Broker.UsersFile != "" && readable(cfg.Broker.UsersFile) {
		if _, err = broker.LoadUsers(cfg.Broker.UsersFile); err != nil {
			faults = append(faults, strings.Split(err.Error(), "\n")...)
		}
	}
	if cfg.Simulator != nil {
		var more []string
		p.simulator, more = newSimulator(cfg)
		faults = append(faults, more...)
	}
	return p, faults
}

// overtime are the exceptions from security whose time has passed. They are
// faults of the works and not of the file: what runs goes on, and says so.
func (p *process) overtime() (faults []string) {
	if p.config == nil {
		return nil
	}
	for i := range p.config.PLCs {
		if x := p.config.PLCs[i].Exception; x != nil && !x.Until.IsZero() && x.Over(time.Now()) {
			faults = append(faults, p.config.Fault(fmt.Sprintf("plc[%d].exception.until", i), "the exception is over, %s: secure the PLC, or have it approved anew", x.Text(&p.config.PLCs[i])).String())
		}
	}
	return faults
}

// checkAddresses looks whether all that will listen can.
func (p *process) checkAddresses() error {
	var errs []error
	check := func(from, addr string) { errs = append(errs, checkAddress(p.config.File+": "+from, addr)) }
	if c := p.config.Simulator; c != nil {
		check("simulator.listen", opcAddress(c.Listen))
	}
	if c := p.config.Broker; c != nil {
		check("broker.listen", c.Listen)
	}
	if c := p.config.HMI; c != nil {
		check("hmi.listen", c.Listen)
	}
	return errors.Join(errs...)
}

// readable reports whether a file is one; Load has said so if it is not.
func readable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
}

// newSimulator makes the simulator with its story, and says all that is wrong with
// it, a line each.
func newSimulator(cfg *config.Config) (*simulator.Simulator, []string) {
	c := cfg.Simulator
	var faults []string
	wrong := func(key string, err error) {
		for _, line := range split(err) {
			faults = append(faults, cfg.Fault("simulator."+key, "%s", line).String())
		}
	}
	works, err := simulator.Named(c.Works)
	if err != nil {
		wrong("works", err)
		return nil, faults
	}
	works.Setting.Start = c.Start
	broken, err := parseFaults(c.Faults)
	wrong("fault", err)
	s := &simulator.Simulator{
		Works:  &works,
		Listen: c.Listen, Speed: c.Speed, Faults: broken, Ledger: c.Ledger, Samples: c.Samples,
		PKI: c.PKI, RequireTrusted: c.RequireTrusted, NoAnonymous: c.NoAnonymous, Users: c.Users,
	}
	for _, m := range c.Modes {
		s.Modes = append(s.Modes, server.Mode(m))
	}
	story := story{Scenario: c.Scenario, FaultsPerYear: c.FaultsPerYear}
	if c.Seeded {
		story.Seed = &c.Seed
	}
	if c.Scenario == "" || readable(c.Scenario) { // Load has said so if it is not
		_, err = story.tell(s, "demo", !c.Start.IsZero())
		var told config.Faults
		if errors.As(err, &told) { // those of its file are enough
			err = told
		}
		wrong("scenario", err)
	}
	wrong("fault", s.Check())
	return s, faults
}
