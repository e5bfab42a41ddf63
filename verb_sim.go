package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"millwright/plant/config"
	"millwright/simulator"
)

type simCmd struct {
	Listen  string   `default:"opc.tcp://127.0.0.1:4840" help:"Address of the OPC UA server."`
	Trouble []string `help:"Let the OPC UA server misbehave: KIND@OFFSET[+DURATION]. May be repeated." placeholder:"TROUBLE" sep:"none"`
	Works   string   `enum:"demo,reference" default:"demo" help:"What is simulated: demo, three machines, or reference, a whole works."`
	Start   string   `placeholder:"DATE" help:"When the works begins, by its own clock: 2026-07-01 or 2026-07-01T06:00 (default 10 April, 14:00; with --offline 1 January 2026)."`
	Speed   *float64 `placeholder:"N" help:"Plant seconds per second (default 1)."`
	Fault   []string `help:"Break something: ASSET:FAULT[:SEVERITY]@OFFSET[+GROWTH][~natural]. May be repeated." placeholder:"FAULT" sep:"none"`
	Ledger  string   `help:"Write what was really wrong to this file." placeholder:"FILE"`
	Samples string   `help:"Write every value offered to this file." placeholder:"FILE"`
	Replay  string   `help:"Serve this recording instead of the mill." placeholder:"FILE.csv"`
	Loop    bool     `help:"With --replay: start again after the last row."`

	story
	offlineFlags
}

// Help lists the faults.
func (*simCmd) Help() string { return faultHelp() + troubleHelp() }

// Run serves the mill until it is told to stop.
func (c *simCmd) Run(e *env) error {
	faults, err := parseFaults(c.Fault)
	if err != nil {
		return err
	}
	switch {
	case c.Replay == "" && c.Loop:
		return usageError("--loop needs --replay FILE.csv")
	case c.Replay != "" && len(c.Fault) > 0:
		return errReplayFault
	case c.Replay != "" && c.Works != "demo":
		return errReplayWorks
	}
	if err := c.story.check(c.Replay != ""); err != nil {
		return err
	}
	if err := checkSpeed(c.Speed, c.Replay != ""); err != nil {
		return err
	}
	troubles, err := c.troubles()
	if err != nil {
		return err
	}
	speed := 1.0
	if c.Speed != nil {
		speed = *c.Speed
	}
	works, err := simulatedWorks(c.Works, c.Start)
	if err != nil {
		return err
	}
	s := &simulator.Simulator{
		Works: works, Listen: c.Listen, Speed: speed, Faults: faults, Ledger: c.Ledger, Samples: c.Samples, Log: e.log,
	}
	lasts, err := c.tell(s, c.Works, c.Start != "")
	if err != nil {
		return err
	}
	if c.Offline {
		c.For = cmp.Or(c.For, lasts)
		return c.offline(e, s)
	}
	if c.For != 0 {
		return usageError("--for goes with --offline: a mill with a server runs until it is told to stop")
	}
	if c.Replay != "" {
		s.Replay = &simulator.Replay{File: c.Replay, Loop: c.Loop}
	}
	if err := s.Check(); err != nil {
		return err
	}
	if err := checkLogs(c.Ledger, c.Samples); err != nil {
		return err
	}
	if err := checkAddress("--listen", opcAddress(c.Listen)); err != nil {
		return err
	}
	s.Trouble = append(s.Trouble, troubles...)
	go func() {
		select {
		case <-s.Started():
			fmt.Fprintf(e.stdout, "mill at %s\n", s.URL())
		case <-e.ctx.Done():
		}
	}()
	return s.Run(e.ctx)
}

// simulatedWorks is what the flags --works and --start name.
func simulatedWorks(name, start string) (*simulator.Works, error) {
	w, err := simulator.Named(name)
	if err != nil || start == "" {
		return &w, err
	}
	if w.Setting.Start, err = config.ParseStart(start); err != nil {
		return nil, usageError(fmt.Sprintf("--start %v", err))
	}
	return &w, nil
}

// checkLogs refuses log files that cannot be written, and one file for both.
func checkLogs(ledger, samples string) error {
	if err := errors.Join(checkNewFile("--ledger", ledger), checkNewFile("--samples", samples)); err != nil {
		return err
	}
	if ledger != "" && sameFile(ledger, samples) {
		return usageError(fmt.Sprintf("--ledger and --samples are one file, %s: give each its own", ledger))
	}
	return nil
}

// checkNewFile refuses a file in a folder that is not there, and what is no file.
func checkNewFile(flag, path string) error {
	if path == "" {
		return nil
	}
	dir := filepath.Dir(path)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return fmt.Errorf("%s: %s is no folder: make it or choose another one", flag, dir)
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s: %s is no file, allowed is a file: choose another name", flag, path)
	}
	return nil
}

// sameFile reports whether two paths are of one file, that need not be there yet.
func sameFile(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	if errX == nil && errY == nil {
		return os.SameFile(x, y)
	}
	absA, errA := filepath.Abs(a)
	absB, errB := filepath.Abs(b)
	return errA == nil && errB == nil && b != "" && absA == absB
}

func parseFaults(texts []string) ([]simulator.Fault, error) {
	var out []simulator.Fault
	var errs []error
	for _, text := range texts {
		f, err := simulator.ParseFault(text)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out = append(out, f)
	}
	return out, errors.Join(errs...)
}
