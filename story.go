package main

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"millwright/simulator"
)

// story is what will happen to the simulated mill besides the faults of --fault.
type story struct {
	Scenario      string  `help:"Tell the story of this file: what breaks, when, how fast, and when it is mended." placeholder:"FILE.toml"`
	FaultsPerYear float64 `help:"Break by chance: faults of each machine in a plant year, and a quarter as many of its sensors." placeholder:"RATE"`
	Seed          *uint64 `help:"Seed of the mill's noise, products and chances (default 1, or those of the scenario)." placeholder:"N"`
}

// check refuses what contradicts itself.
func (c *story) check(replay bool) error {
	switch {
	case replay && (c.Scenario != "" || c.FaultsPerYear != 0):
		return usageError("--scenario and --faults-per-year break the simulated mill, not a recording: leave them or --replay out")
	case !(c.FaultsPerYear >= 0 && c.FaultsPerYear <= 1000):
		return usageError(fmt.Sprintf("--faults-per-year %v: must be 0 to 1000", c.FaultsPerYear))
	}
	return nil
}

// tell gives the story to a simulator; a scenario brings its works and their date.
// Dated says that the simulator has a date already, which goes before. It says how
// long the scenario lasts, 0 without one.
func (c *story) tell(s *simulator.Simulator, works string, dated bool) (lasts time.Duration, err error) {
	s.Seed = 1
	if c.Scenario != "" {
		sc, err := simulator.ReadScenario(c.Scenario)
		if err != nil {
			return 0, fmt.Errorf("the scenario has faults, nothing was started:\n%w", err)
		}
		if works != "demo" && works != sc.WorksName {
			return 0, usageError(fmt.Sprintf("--works %s: the scenario is of the works %q, leave --works out", works, sc.WorksName))
		}
		if dated {
			sc.Works.Setting.Start = s.Works.Setting.Start
		}
		if c.Seed != nil {
			sc.Reseed(*c.Seed)
		}
		lasts = sc.Duration
		s.Works, s.Seed, s.Repairs, s.Random = &sc.Works, sc.Seed, sc.Repairs, sc.Random
		s.Faults = append(s.Faults, sc.Faults...)
		s.Trouble = append(s.Trouble, sc.Trouble...)
	}
	if c.Seed != nil {
		s.Seed = *c.Seed
	}
	if c.FaultsPerYear > 0 {
		s.Random = &simulator.Random{Rate: c.FaultsPerYear, Sensors: c.FaultsPerYear / 4, Seed: s.Seed}
	}
	return lasts, nil
}

// faultHelp lists what can break, asset by asset.
func faultHelp() string {
	var b strings.Builder
	b.WriteString("A fault of --fault follows a closed law; with ~natural behind it grows in service: with what its machine carries, and with scatter. It is never mended: repairs are for --scenario, chance for that and --faults-per-year.\n" +
		"What can break, with its code in the fault library, how long it takes with --fault, and how long in service:\n")
	asset := "none"
	for _, f := range simulator.Faults() {
		if f.Asset != asset {
			asset = f.Asset
			fmt.Fprintf(&b, "\n  %s\n", cmp.Or(asset, "any sensor, written ASSET:FAULT=TAG"))
		}
		fmt.Fprintf(&b, "    %-18s %-4s %4s %5s  %s\n", f.Name, f.Code, spell(f.Growth), spell(f.Life), f.About)
	}
	return b.String()
}

// spell is a time for people, empty for none.
func spell(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d == 0:
		return ""
	case d%day == 0:
		return fmt.Sprintf("%dd", d/day)
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dm", d/time.Minute)
}
