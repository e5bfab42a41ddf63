package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"millwright/collector"
	"millwright/plant/config"
)

type pkiCmd struct {
	List    pkiListCmd    `cmd:"" help:"List certificates: own, trusted, issuers, rejected."`
	Trust   pkiTrustCmd   `cmd:"" help:"Trust a server's certificate that was rejected."`
	Untrust pkiUntrustCmd `cmd:"" help:"Trust a server's certificate no longer."`
	Renew   pkiRenewCmd   `cmd:"" help:"Make a new certificate of the edge's own, then use it."`
	Export  pkiExportCmd  `cmd:"" help:"Write the edge's certificate to a file, for the people who run the PLC."`
}

// pkiFlags say which folders of certificates are meant.
type pkiFlags struct {
	Config string `short:"c" help:"Configuration file with [edge] and [[plc]]." placeholder:"FILE.toml"`
	PLC    string `name:"plc" help:"With -c: only the folder of this PLC." placeholder:"NAME"`
	PKI    string `name:"pki" help:"In place of -c: this folder, such as that of doctor and discover (./millwright-pki)." placeholder:"FOLDER"`
}

// whoFlag says who it is that changes something.
type whoFlag struct {
	By string `help:"Who does it, for the record (default: the user of this machine)." placeholder:"NAME"`
}

func (f *whoFlag) who() string { return cmp.Or(f.By, userHere()) }

// userHere is the user of this machine.
func userHere() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "unknown"
}

// pkiFolder is a folder of certificates and the PLCs that are met with it.
type pkiFolder struct {
	dir  string
	plcs []config.PLC
	sec  []collector.Security // of each
}

func (f *pkiFolder) names() string {
	all := make([]string, len(f.plcs))
	for i, p := range f.plcs {
		all[i] = p.Name
	}
	return strings.Join(all, ", ")
}

// folders finds the folders of the file. Other faults of the file are not in
// the way: whoever mends a connection may have to do with a file in the making.
func (f *pkiFlags) folders() ([]pkiFolder, error) {
	if (f.Config == "") == (f.PKI == "") || f.PKI != "" && f.PLC != "" {
		return nil, usageError("want -c FILE.toml of an edge, or --pki FOLDER (doctor and discover keep ./millwright-pki)")
	}
	if f.PKI != "" {
		return []pkiFolder{{dir: f.PKI}}, nil
	}
	c, err := config.Load(f.Config)
	if c == nil || c.Edge == nil || len(c.PLCs) == 0 {
		if err == nil {
			err = errors.New("it has no [edge] with a [[plc]], so no certificates")
		}
		return nil, fmt.Errorf("%s: %w", f.Config, err)
	}
	var all []pkiFolder
	for _, p := range c.PLCs {
		s := securityOf(p, c.Edge.Data)
		i := slices.IndexFunc(all, func(x pkiFolder) bool { return x.dir == s.PKI })
		if i < 0 {
			i = len(all)
			all = append(all, pkiFolder{dir: s.PKI})
		}
		all[i].plcs, all[i].sec = append(all[i].plcs, p), append(all[i].sec, s)
	}
	if f.PLC == "" {
		return all, nil
	}
	of := func(x pkiFolder) bool {
		return slices.ContainsFunc(x.plcs, func(p config.PLC) bool { return p.Name == f.PLC })
	}
	if i := slices.IndexFunc(all, of); i >= 0 {
		return all[i : i+1], nil
	}
	return nil, fmt.Errorf("%s has no PLC %q", f.Config, f.PLC)
}

// one is the only folder there is.
func (f *pkiFlags) one() (pkiFolder, error) {
	all, err := f.folders()
	if err == nil && len(all) > 1 {
		err = fmt.Errorf("the PLCs have %d folders of certificates: say which one with --plc", len(all))
	}
	if err != nil {
		return pkiFolder{}, err
	}
	return all[0], nil
}

type pkiListCmd struct{ pkiFlags }

// Run lists what the folders hold.
func (c *pkiListCmd) Run(e *env) error {
	all, err := c.folders()
	if err != nil {
		return err
	}
	for i, f := range all {
		if i > 0 {
			fmt.Fprintln(e.stdout)
		}
		fmt.Fprintln(e.stdout, strings.TrimSuffix(fmt.Sprintf("%s  (%s)", f.dir, f.names()), "  ()"))
		held, unreadable, err := collector.ListPKI(f.dir)
		if err != nil {
			return err
		}
		printHeld(e.stdout, held, time.Now())
		for _, u := range unreadable {
			fmt.Fprintln(e.stdout, "not read:", u)
		}
		if len(held) == 0 {
			fmt.Fprintln(e.stdout, "nothing yet: the edge makes its certificate when it first connects, or millwright pki renew does")
		}
	}
	return nil
}

func printHeld(w io.Writer, held []collector.Held, now time.Time) {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for _, h := range held {
		what := h.Fingerprint
		if what == "" {
			what = fmt.Sprintf("list of %d revoked", h.Revokes)
		}
		end := "until " + h.NotAfter.Format(time.DateOnly)
		switch {
		case h.NotAfter.IsZero():
			end = "without an end"
		case now.After(h.NotAfter):
			end = "EXPIRED " + h.NotAfter.Format(time.DateOnly)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", h.Place, end, h.Subject, h.URI, what)
	}
	_ = t.Flush()
}

// choose finds the one certificate of a part of the folders whose fingerprint
// begins as people wrote it.
func choose(all []pkiFolder, place, prefix string) (pkiFolder, collector.Held, error) {
	const least = 8 // digits: fewer are too easily those of another
	plain := strings.NewReplacer(":", "", " ", "", "-", "").Replace(strings.ToUpper(prefix))
	if len(plain) < least || strings.Trim(plain, "0123456789ABCDEF") != "" {
		return pkiFolder{}, collector.Held{}, usageError(fmt.Sprintf("%q: want the SHA-256 of a certificate, or at least its first %d hexadecimal digits", prefix, least))
	}
	type match struct {
		folder pkiFolder
		held   collector.Held
	}
	var found []match
	for _, f := range all {
		held, _, err := collector.ListPKI(f.dir)
		if err != nil {
			return pkiFolder{}, collector.Held{}, err
		}
		here := map[string]bool{} // in several files, maybe
		for _, h := range held {
			if h.Place == place && !here[h.Fingerprint] && strings.HasPrefix(strings.ReplaceAll(h.Fingerprint, ":", ""), plain) {
				here[h.Fingerprint] = true
				found = append(found, match{f, h})
			}
		}
	}
	switch len(found) {
	case 0:
		return pkiFolder{}, collector.Held{}, fmt.Errorf("no %s certificate begins with %s: millwright pki list shows what there is", place, prefix)
	case 1:
		return found[0].folder, found[0].held, nil
	}
	return pkiFolder{}, collector.Held{}, fmt.Errorf("%d %s certificates begin with %s: give more digits, or --plc", len(found), place, prefix)
}

type pkiTrustCmd struct {
	pkiFlags
	whoFlag
	Fingerprint string `arg:"" help:"SHA-256 of the certificate, or how it begins; compare it with what the server itself shows."`
}

// Run trusts a certificate and says what else speaks against it.
func (c *pkiTrustCmd) Run(e *env) error {
	all, err := c.folders()
	if err != nil {
		return err
	}
	f, h, err := choose(all, "rejected", c.Fingerprint)
	if err != nil {
		return err
	}
	if err := collector.Trust(f.dir, h.Fingerprint, c.who()); err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "trusted: %s %s\nSHA-256 %s\n", h.Subject, h.URI, h.Fingerprint)
	for i, p := range f.plcs {
		rest, err := collector.Remaining(f.dir, h.Fingerprint, p.URL, f.sec[i])
		for _, u := range p.Standby { // it is that of one of them
			other, wrong := collector.Remaining(f.dir, h.Fingerprint, u, f.sec[i])
			if err = errors.Join(err, wrong); len(other) < len(rest) {
				rest = other
			}
		}
		if err != nil {
			return err
		}
		for _, r := range rest {
			fmt.Fprintf(e.stdout, "still in the way for %s: %s\n", p.Name, r)
		}
		if len(rest) == 0 {
			fmt.Fprintf(e.stdout, "nothing else is in the way for %s: an edge that runs connects within a minute\n", p.Name)
		}
	}
	return nil
}

type pkiUntrustCmd struct {
	pkiFlags
	whoFlag
	Fingerprint string `arg:"" help:"SHA-256 of the certificate, or how it begins."`
}

// Run takes trust away.
func (c *pkiUntrustCmd) Run(e *env) error {
	all, err := c.folders()
	if err != nil {
		return err
	}
	f, h, err := choose(all, "trusted", c.Fingerprint)
	if err != nil {
		return err
	}
	if err := collector.Untrust(f.dir, h.Fingerprint, c.who()); err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "no longer trusted: %s %s\nSHA-256 %s\nconnections that depend on it end within a minute\n", h.Subject, h.URI, h.Fingerprint)
	return nil
}

type pkiRenewCmd struct {
	pkiFlags
	whoFlag
	Use bool `help:"Put the new certificate into use: the second step, when the servers trust it."`
}

// Run makes a new own certificate, and in a second call uses it.
func (c *pkiRenewCmd) Run(e *env) error {
	f, err := c.one()
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(f.sec, func(s collector.Security) bool { return s.Certificate != "" }); i >= 0 {
		return fmt.Errorf("the PLC %s names a certificate of its own (%s): renew that one where it comes from, and replace the two files; the edge takes them up within a minute", f.plcs[i].Name, f.sec[i].Certificate)
	}
	if c.Use {
		if err := collector.UseNew(f.dir, c.who()); err != nil {
			return fmt.Errorf("%w: first millwright pki renew without --use", err)
		}
		fmt.Fprintln(e.stdout, "the new certificate is in use: an edge that runs connects with it within a minute; delete the old one at the servers")
		return nil
	}
	file, print, err := collector.Renew(f.dir, "", c.who())
	if err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "new certificate: %s\nSHA-256 %s\nthe present one stays in use\n", file, print)
	whose, where := "the servers", "--pki "+c.PKI
	if c.Config != "" {
		whose, where = fmt.Sprintf("the server of each PLC (%s)", f.names()), "-c "+c.Config
		if c.PLC != "" {
			where += " --plc " + c.PLC
		}
	}
	fmt.Fprintf(e.stdout, "next: let %s trust it; millwright pki export --next %s -o FILE.der writes it to a file\nthen: millwright pki renew --use %s\n", whose, where, where)
	return nil
}

type pkiExportCmd struct {
	pkiFlags
	Out  string `short:"o" help:"File to write: PEM where its name ends so, else DER." placeholder:"FILE" required:""`
	Next bool   `help:"The one that renew made."`
}

// Run writes the own certificate, never the key.
func (c *pkiExportCmd) Run(e *env) error {
	f, err := c.one()
	if err != nil {
		return err
	}
	der, text, err := collector.OwnCertificate(f.dir, c.Next)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w: the edge makes it when it first connects, or millwright pki renew does", err)
	}
	if err != nil {
		return err
	}
	if strings.HasSuffix(strings.ToLower(c.Out), ".pem") {
		der = text
	}
	out, err := os.OpenFile(c.Out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s is there already: move it away or choose another name", c.Out)
	}
	if err != nil {
		return err
	}
	if _, err := out.Write(der); err != nil {
		return errors.Join(err, out.Close())
	}
	fmt.Fprintf(e.stdout, "%s: let the server trust it\n", c.Out)
	return out.Close()
}
