package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"millwright/collector"
	"millwright/plant"
)

// plcFlags say how a server is met.
type plcFlags struct {
	URL          string `arg:"" help:"Endpoint: opc.tcp://HOST:PORT"`
	Policy       string `default:"None" help:"Security policy: None, Basic256Sha256, Aes128_Sha256_RsaOaep or Aes256_Sha256_RsaPss."`
	Mode         string `help:"Security mode: None, Sign or SignAndEncrypt."`
	User         string `help:"User name."`
	PasswordFile string `help:"File with the user's password."`
	PKI          string `default:"./millwright-pki" name:"pki" help:"Folder of certificates."`
}

func (f *plcFlags) security() (collector.Security, error) {
	if !strings.HasPrefix(f.URL, "opc.tcp://") {
		return collector.Security{}, fmt.Errorf("%q: must be the address of a server such as opc.tcp://192.168.10.20:4840", f.URL)
	}
	s := collector.Security{Policy: f.Policy, Mode: f.Mode, User: f.User, PKI: f.PKI}
	if f.Policy == "None" && f.User == "" {
		s.PKI = "" // nothing needs a certificate: make none
	}
	if f.PasswordFile != "" {
		b, err := os.ReadFile(f.PasswordFile)
		if err != nil {
			return s, err
		}
		s.Password = firstLine(string(b))
	}
	return s, nil
}

// unreached says what to look at when nobody answers.
func unreached(err error) error {
	if errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("%w: is the server running, and is this its port?", err)
	}
	return err
}

type discoverCmd struct {
	plcFlags
	Root string `help:"Node to start at; the Objects folder where empty."`
	Out  string `short:"o" help:"File to write; the terminal where empty."`
}

// Run drafts a tag list from the server's address space.
func (c *discoverCmd) Run(e *env) error {
	sec, err := c.security()
	if err != nil {
		return err
	}
	if c.Out != "" {
		if _, err := os.Lstat(c.Out); err == nil {
			return fmt.Errorf("%s is there already: move it away or choose another name", c.Out)
		}
	}
	tags, err := collector.Discover(e.ctx, c.URL, sec, c.Root)
	if err != nil {
		return unreached(err)
	}
	if c.Out == "" {
		return writeTags(e.stdout, tags)
	}
	f, err := os.OpenFile(c.Out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s is there already: move it away or choose another name", c.Out)
	}
	if err != nil {
		return err
	}
	if err := errors.Join(writeTags(f, tags), f.Close()); err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "%d tags in %s: give them the paths that your people use, delete what does not matter\n", len(tags), c.Out)
	return nil
}

// writeTags writes a tag list as plant/config reads it.
func writeTags(w io.Writer, tags []plant.Tag) error {
	out := csv.NewWriter(w)
	_ = out.Write([]string{"path", "asset", "node", "unit", "low", "high", "kind", "description"})
	for _, t := range tags {
		low, high := "", ""
		if t.Low != t.High {
			low, high = strconv.FormatFloat(t.Low, 'g', -1, 64), strconv.FormatFloat(t.High, 'g', -1, 64)
		}
		_ = out.Write([]string{t.Path, t.Asset, t.Node, t.Unit, low, high, string(t.Kind), t.Description})
	}
	out.Flush()
	return out.Error()
}

type doctorCmd struct {
	PLC doctorPLCCmd `cmd:"" name:"plc" help:"What an OPC UA server offers, and what is between us and it."`
}

type doctorPLCCmd struct{ plcFlags }

// Run says what is wrong between us and a server, and what to do next.
func (c *doctorPLCCmd) Run(e *env) error {
	sec, err := c.security()
	if err != nil {
		return err
	}
	r, err := collector.Probe(e.ctx, c.URL, sec)
	if err != nil {
		return unreached(err)
	}
	out := e.stdout
	fmt.Fprintf(out, "server      %s  (%s)\n", c.URL, r.Server)
	for i, ep := range r.Endpoints {
		mark := " "
		if i == r.Chosen {
			mark = "*"
		}
		fmt.Fprintf(out, "endpoint  %s %s %s, users %v", mark, ep.Policy, ep.Mode, ep.Users)
		if !ep.Expires.IsZero() {
			fmt.Fprintf(out, ", certificate until %s", ep.Expires.Format(time.DateOnly))
		}
		fmt.Fprintln(out)
	}
	limit := func(name string, n uint32) {
		if n > 0 {
			fmt.Fprintf(out, "limit       %s %d\n", name, n)
		}
	}
	limit("monitored items per call", r.MaxMonitoredItemsPerCall)
	limit("nodes per read", r.MaxNodesPerRead)
	limit("nodes per browse", r.MaxNodesPerBrowse)
	if r.RoundTrip > 0 { // it let us in
		fmt.Fprintf(out, "clock       %v against ours, round trip %v\n", r.ClockOffset.Round(time.Millisecond), r.RoundTrip.Round(time.Microsecond))
	}
	switch {
	case r.Chosen < 0:
		return fmt.Errorf("the server offers no endpoint with policy %s and this mode: choose one of those above with --policy and --mode", c.Policy)
	case r.Trusted != nil:
		return r.Trusted
	case r.Login != nil:
		return r.Login
	case r.ClockOffset.Abs() > time.Second:
		fmt.Fprintln(out, "next        set the server's clock: values carry its time")
	default:
		fmt.Fprintln(out, "next        nothing is in the way: millwright discover", c.URL)
	}
	return nil
}
