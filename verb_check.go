package main

import (
	"fmt"
	"strings"

	"millwright/plant"
	"millwright/plant/config"
	"millwright/simulator"
)

type checkCmd struct {
	Files   []string `arg:"" name:"file" help:"Configuration files of processes, asset files, files of asset classes, scenarios of the simulator."`
	Classes []string `help:"Class file of the plant's own, for asset files and classes that need it; a process names them itself." placeholder:"FILE.toml"`
	Strict  bool     `help:"Demand of every limit that it says where it comes from: source, author and date; and of every tag that it is sampled as often as the class of its machine asks."`
}

// Run checks every file and prints every fault.
func (c *checkCmd) Run(e *env) error {
	bad := 0
	for _, f := range c.Files {
		faults, bare := c.faults(f)
		if len(faults) == 0 {
			rest := ""
			if bare > 0 {
				rest = ", " + count(bare, "limit") + " without source, author or date: --strict names them"
			}
			fmt.Fprintf(e.stdout, "%s: ok%s\n", f, rest)
			continue
		}
		bad++
		for _, line := range faults {
			fmt.Fprintln(e.stderr, line)
		}
	}
	if bad > 0 {
		return fmt.Errorf("faults in %d of %d files", bad, len(c.Files))
	}
	return nil
}

// faults are all of one file, each a line; bare are the limits of which nobody says
// where they come from.
func (c *checkCmd) faults(file string) (found []string, bare int) {
	if config.IsScenario(file) {
		_, err := simulator.ReadScenario(file)
		return split(err), 0
	}
	assets, other, err := config.Check(file, c.Classes...)
	if !other {
		return c.unsourced(file, assets, split(err))
	}
	p, faults := loadProcess(file)
	faults = append(faults, p.overtime()...)
	if p.config == nil || p.config.Edge == nil {
		return faults, 0
	}
	return c.unsourced(file, p.config.Edge.Assets, append(faults, c.undersampled(file, p.config)...))
}

// unsourced are faults where they are strictly looked for.
func (c *checkCmd) unsourced(file string, assets []plant.Asset, faults []string) (found []string, bare int) {
	limits := config.Unsourced(assets)
	if !c.Strict {
		return faults, len(limits)
	}
	for _, what := range limits {
		faults = append(faults, file+": "+what)
	}
	return faults, 0
}

// undersampled are tags that are read too rarely for their machine.
func (c *checkCmd) undersampled(file string, of *config.Config) (faults []string) {
	if !c.Strict {
		return nil
	}
	library, err := config.Classes(of.Edge.ClassFiles...)
	if err != nil {
		return split(err)
	}
	for _, p := range of.PLCs {
		for _, what := range config.Undersampled(of.Edge.Assets, p.Tags, library) {
			faults = append(faults, file+": "+what)
		}
	}
	return faults
}

// split is an error of many lines, a line each.
func split(err error) []string {
	if err == nil {
		return nil
	}
	return strings.Split(err.Error(), "\n")
}
