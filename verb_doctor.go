package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"millwright/collector"
	"millwright/plant"
	"millwright/plant/config"
)

type doctorCmd struct {
	PLC doctorPLCCmd `cmd:"" name:"plc" help:"What is between us and an OPC UA server, each fault with the next step; 10 s of its values."`

	Edge doctorEdgeCmd `cmd:"" name:"edge" help:"What is between an edge and the plant, each fault with the next step."`
}

type doctorPLCCmd struct {
	plcFlags
	For  time.Duration `default:"10s" help:"How long values are received; 0s: not at all."`
	JSON bool          `name:"json" help:"Print JSON, a document for each server."`
	releaseFlags
}

// diagnosis is what --json prints.
type diagnosis struct {
	*collector.Diagnosis
	Profile string   `json:"profile"`         // of the server's maker
	Trust   []string `json:"trust,omitempty"` // steps at the server that does not trust us

	Quarantined []plant.QuarantinedTag `json:"quarantined,omitempty"`
}

// Run says what is wrong between us and a server, and what to do next. A fault
// that keeps values away is an error.
func (c *doctorPLCCmd) Run(e *env) error {
	if c.For < 0 || c.For > time.Hour {
		return usageError("--for wants 0s to 1h")
	}
	at, err := c.target(e)
	if err != nil {
		return err
	}
	if len(c.Release) > 0 {
		return c.release(e, at)
	}
	urls := []string{at.url}
	if at.plc != nil && c.URL == "" {
		urls = append(urls, at.plc.Standby...)
	}
	var errs []error
	for _, url := range urls {
		at.url = url
		if err := c.examine(e, at); err != nil {
			errs = append(errs, err)
		}
		if e.ctx.Err() != nil {
			return errors.New("stopped")
		}
	}
	return errors.Join(errs...)
}

// examine reports on one server.
func (c *doctorPLCCmd) examine(e *env, at target) error {
	x := &collector.Examination{URL: at.url, Security: at.security, Measure: c.For, Manners: at.manners}
	if at.plc != nil {
		x.Tags, x.Publishing = at.plc.Tags, at.plc.Publishing
	}
	if !c.JSON {
		fmt.Fprintf(e.stdout, "      %-12s %s\n", "server", at.url)
		x.Say = func(k collector.Check) { printCheck(e.stdout, k) }
	}
	d := &diagnosis{Diagnosis: x.Run(e.ctx)}
	if e.ctx.Err() != nil {
		return nil // what was cut off says nothing
	}
	profile := config.ProfileOf(d.Product.Maker, d.Product.Name)
	d.Profile = profile.Name
	if d.Stranger {
		for _, step := range profile.Trust {
			d.Trust = append(d.Trust, strings.ReplaceAll(step, "{certificate}", ownCertificateOf(at.security)))
		}
	}
	var err error
	if d.Quarantined, err = at.quarantined(); err != nil {
		return err
	}
	if c.JSON {
		enc := json.NewEncoder(e.stdout)
		enc.SetIndent("", "  ")
		if err := enc.Encode(d); err != nil {
			return err
		}
	} else {
		c.advise(e.stdout, at, d, profile)
	}
	fails := 0
	for _, k := range d.Checks {
		if k.Grade == collector.Fail {
			fails++
		}
	}
	if fails > 0 {
		return fmt.Errorf("%s: %d of %d checks failed", at.url, fails, len(d.Checks))
	}
	return nil
}

// printCheck writes a check and, below it, what to do.
func printCheck(out io.Writer, k collector.Check) {
	fmt.Fprintf(out, "%-5s %-12s %s\n", k.Grade, k.Name, k.Text)
	if k.Next != "" {
		fmt.Fprintf(out, "      %-12s next: %s\n", "", k.Next)
	}
}

// advise ends the report with what no single check says.
func (c *doctorPLCCmd) advise(out io.Writer, at target, d *diagnosis, profile config.Profile) {
	for _, q := range d.Quarantined {
		printCheck(out, quarantineCheck(q, c.Config, at.plc.Name))
	}
	if d.Stranger {
		fmt.Fprintf(out, "\nTo let the server trust us (%s, SHA-256 %s):\n", profile.Title, d.Certificate)
		for i, step := range d.Trust {
			fmt.Fprintf(out, "  %d. %s\n", i+1, step)
		}
		if strings.HasPrefix(profile.Sources["trust"], "unconfirmed") {
			fmt.Fprintln(out, "  These steps were not tried on such a server by us.")
		}
	}
	if at.plc != nil && at.plc.Profile.Name == config.Generic && profile.Name != config.Generic {
		fmt.Fprintf(out, "%-5s %-12s %s\n", collector.Warn, "profile", fmt.Sprintf("the server looks like %s, and %s has no profile", profile.Title, at.plc.Name))
		fmt.Fprintf(out, "      %-12s next: profile = %q in its [[plc]]\n", "", profile.Name)
	}
	if !d.Failed() && at.plc == nil {
		fmt.Fprintf(out, "      %-12s nothing keeps values away: millwright discover %s\n", "next", at.url)
	}
}

// ownCertificateOf is the file of our certificate.
func ownCertificateOf(s collector.Security) string {
	if s.Certificate != "" {
		return s.Certificate
	}
	return filepath.Join(s.PKI, "own", "millwright.der")
}

// manners is the budget that holds for a target: of its configuration, else of
// the profile of its maker.
func (t *target) manners(p collector.Product) plant.Budget {
	if t.plc != nil {
		return t.plc.Budget
	}
	return config.ProfileOf(p.Maker, p.Name).Budget
}
