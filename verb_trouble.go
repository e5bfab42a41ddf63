package main

import (
	"errors"
	"fmt"
	"strings"

	"millwright/simulator"
)

func troubleHelp() string {
	var b strings.Builder
	b.WriteString("\nTroubles of the OPC UA server (OFFSET and DURATION are plant time):\n")
	for _, t := range simulator.Troubles() {
		fmt.Fprintf(&b, "  %s  %s (%v)\n", t.Name, t.About, t.Duration)
	}
	return b.String()
}

// troubles are those of the flags.
func (c *simCmd) troubles() ([]simulator.Trouble, error) {
	var out []simulator.Trouble
	var errs []error
	for _, text := range c.Trouble {
		t, err := simulator.ParseTrouble(text)
		out, errs = append(out, t), append(errs, err)
	}
	switch {
	case len(out) > 0 && c.Replay != "":
		return nil, usageError("--trouble needs the simulated mill: leave out --trouble or --replay")
	case len(out) > 0 && c.Offline:
		return nil, usageError("--trouble needs a server: leave out --trouble or --offline")
	}
	return out, errors.Join(errs...)
}
