package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"millwright/collector"
	"millwright/plant/config"
)

// plcFlags say how a server is met: by flags, or as the configuration of an edge
// says.
type plcFlags struct {
	URL          string `arg:"" optional:"" help:"Endpoint: opc.tcp://HOST:PORT"`
	Config       string `short:"c" help:"Take endpoint, security and budget of load from the configuration of an edge." placeholder:"FILE.toml"`
	PLC          string `name:"plc" help:"With -c: which [[plc]] is meant, where there are several." placeholder:"NAME"`
	Policy       string `default:"None" help:"Security policy: None, Basic256Sha256, Aes128_Sha256_RsaOaep or Aes256_Sha256_RsaPss."`
	Mode         string `help:"Security mode: None, Sign or SignAndEncrypt."`
	User         string `help:"User name."`
	PasswordFile string `help:"File with the user's password."`
	PKI          string `default:"./millwright-pki" name:"pki" help:"Folder of certificates."`
}

// target is a server to look at.
type target struct {
	url      string
	security collector.Security
	plc      *config.PLC // of a configuration; nil without one
}

func (f *plcFlags) target(e *env) (target, error) {
	if f.Config != "" {
		return f.configured(e)
	}
	if f.PLC != "" {
		return target{}, usageError("--plc needs -c FILE.toml")
	}
	if !strings.HasPrefix(f.URL, "opc.tcp://") {
		return target{}, fmt.Errorf("%q: must be the address of a server such as opc.tcp://192.168.10.20:4840", f.URL)
	}
	s := collector.Security{Policy: f.Policy, Mode: f.Mode, User: f.User, PKI: f.PKI}
	if f.Policy == "None" && f.User == "" {
		s.PKI = "" // nothing needs a certificate: make none
	}
	if f.PasswordFile != "" {
		b, err := os.ReadFile(f.PasswordFile)
		if err != nil {
			return target{}, err
		}
		s.Password = firstLine(string(b))
	}
	return target{url: f.URL, security: s}, nil
}

// configured finds the [[plc]] that is meant: by its name, its address, or because
// there is no other.
func (f *plcFlags) configured(e *env) (target, error) {
	p, faults := loadProcess(f.Config)
	if len(faults) > 0 {
		return target{}, fmt.Errorf("%s\n%s has faults: mend the lines above, or give the address without -c", strings.Join(faults, "\n"), f.Config)
	}
	var names []string
	var found []*config.PLC
	for i := range p.config.PLCs {
		x := &p.config.PLCs[i]
		names = append(names, x.Name)
		if (f.PLC == "" || x.Name == f.PLC) && (f.URL == "" || x.URL == f.URL) {
			found = append(found, x)
		}
	}
	if len(found) != 1 {
		return target{}, fmt.Errorf("%s: %d of its PLCs are meant, choose one with --plc: %s", f.Config, len(found), strings.Join(names, ", "))
	}
	s := newSource(*found[0], p.config.Edge.Data, e.log)
	return target{url: s.URL, security: s.Security, plc: found[0]}, nil
}

type doctorCmd struct {
	PLC doctorPLCCmd `cmd:"" name:"plc" help:"What an OPC UA server offers, and what is between us and it."`
}

type doctorPLCCmd struct{ plcFlags }

// Run says what is wrong between us and a server, and what to do next.
func (c *doctorPLCCmd) Run(e *env) error {
	at, err := c.target(e)
	if err != nil {
		return err
	}
	r, err := collector.Probe(e.ctx, at.url, at.security)
	if err != nil {
		return err
	}
	out := e.stdout
	fmt.Fprintf(out, "server      %s  (%s)\n", at.url, r.Server)
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
		fmt.Fprintln(out, "next        nothing is in the way: millwright discover", at.url)
	}
	return nil
}
