package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"

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
	data     string      // folder of its edge
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
		if (f.PLC == "" || x.Name == f.PLC) && (f.URL == "" || x.URL == f.URL || slices.Contains(x.Standby, f.URL)) {
			found = append(found, x)
		}
	}
	if len(found) != 1 {
		return target{}, fmt.Errorf("%s: %d of its PLCs are meant, choose one with --plc: %s", f.Config, len(found), strings.Join(names, ", "))
	}
	s := newSource(*found[0], p.config.Edge.Data, e.log)
	return target{url: cmp.Or(f.URL, s.URL), security: s.Security, plc: found[0], data: p.config.Edge.Data}, nil
}
