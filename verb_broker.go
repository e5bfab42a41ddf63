package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"millwright/historian/broker"
	"millwright/plant/config"
	"millwright/plant/disk"
)

type brokerCmd struct {
	Init   brokerInitCmd   `cmd:"" help:"Make an authority, the broker's certificate, and the users file with the historian in it."`
	Add    brokerAddCmd    `cmd:"" help:"Make the credentials of a device and let it in."`
	Node   brokerNodeCmd   `cmd:"" help:"Make the certificate of a further broker, or of a node or leaf of a cluster."`
	Renew  brokerRenewCmd  `cmd:"" help:"Make a new certificate for a user; the one before stays good."`
	Revoke brokerRevokeCmd `cmd:"" help:"Let a user in no longer; its connection ends within seconds."`
	List   brokerListCmd   `cmd:"" help:"List who may come in."`
	Key    brokerKeyCmd    `cmd:"" help:"Print the keys with which the edge or the historian of a configuration signs its messages."`
	ACL    brokerACLCmd    `cmd:"" name:"acl" help:"Write what Mosquitto or nats-server needs to hold the same users to the same topics."`
}

// Files of an authority, beside the users file.
const (
	authorityFile = "ca.pem"
	authorityKey  = "ca.key"
)

// rosterFlag says which users file is meant.
type rosterFlag struct {
	Users string `help:"Users file of the broker; the authority lies beside it." default:"users.csv" placeholder:"FILE"`
}

func (f *rosterFlag) beside(name string) string { return filepath.Join(filepath.Dir(f.Users), name) }

func (f *rosterFlag) open() (*broker.Roster, error) {
	r, err := broker.OpenRoster(f.Users)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: name it with --users, or make one with millwright broker init", err)
	}
	return r, err
}

func (f *rosterFlag) authority() (*broker.Authority, error) {
	a, err := broker.OpenAuthority(f.beside(authorityFile), f.beside(authorityKey))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: millwright broker init makes one, or use --no-certificate", err)
	}
	return a, err
}

type brokerInitCmd struct {
	Dir    string   `help:"Folder of the plant's configuration, where all of it is written." default:"." placeholder:"DIR"`
	HostID string   `help:"Host id of the historian." default:"millwright" placeholder:"ID"`
	Names  []string `arg:"" name:"name" help:"Names and addresses by which edges call the broker: plant.works.local 10.1.0.5"`
}

// Run makes everything that a broker on the plant's network needs.
func (c *brokerInitCmd) Run(e *env) error {
	if err := os.MkdirAll(c.Dir, 0o750); err != nil {
		return err
	}
	f := rosterFlag{Users: filepath.Join(c.Dir, "users.csv")}
	if _, err := os.Stat(f.Users); err == nil {
		return fmt.Errorf("%s is there already: move it away first", f.Users)
	}
	a, own, err := broker.NewAuthority("Millwright " + c.Names[0])
	if err != nil {
		return err
	}
	if err := own.Write(f.beside(authorityFile), f.beside(authorityKey)); err != nil {
		return err
	}
	pair, err := a.Broker(append(slices.Clone(c.Names), "localhost", "127.0.0.1"))
	if err != nil {
		return err
	}
	if err := pair.Write(f.beside("broker.pem"), f.beside("broker.key")); err != nil {
		return err
	}
	r := broker.NewRoster(f.Users)
	made, err := makeUser(r, a, broker.User{Name: "plant", Role: broker.Host, Node: c.HostID}, c.Dir)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, `%s is made. In plant.toml:

[broker]
listen = "0.0.0.0:8883"
users = "users.csv"
tls_certificate = "broker.pem"
tls_key = "broker.key"
client_ca = "%s"

[historian]
host_id = %q
%s
Who makes devices needs %s; keep it out of other hands, and nothing else does.
next: millwright broker add NAME --group GROUP --node EDGE --users %s
`, f.Users, authorityFile, c.HostID, made.toml("", authorityFile), f.beside(authorityKey), f.Users)
	return nil
}

// credentials are the files that a user was given.
type credentials struct {
	name                       string
	password, certificate, key string // names of files; certificate empty: none
	until                      time.Time
}

// toml are the keys that name the files, in a folder.
func (c *credentials) toml(dir, ca string) string {
	var b strings.Builder
	line := func(key, value string) { fmt.Fprintf(&b, "%s = %q\n", key, value) }
	line("broker_user", c.name)
	line("broker_password_file", filepath.Join(dir, c.password))
	line("broker_ca", filepath.Join(dir, ca))
	if c.certificate != "" {
		line("broker_certificate", filepath.Join(dir, c.certificate))
		line("broker_key", filepath.Join(dir, c.key))
	}
	return b.String()
}

// makeUser draws a password, makes a certificate where there is an authority, writes
// both into a folder, and puts the user into the roster. The roster comes last:
// nobody is let in whose credentials could not be written.
func makeUser(r *broker.Roster, a *broker.Authority, u broker.User, dir string) (credentials, error) {
	made := credentials{name: u.Name, password: u.Name + ".password"}
	if strings.ContainsRune(u.Name, filepath.Separator) {
		return made, fmt.Errorf("name %q: must not hold %c, files are named by it", u.Name, filepath.Separator)
	}
	password, hashed, err := broker.NewPassword()
	if err != nil {
		return made, err
	}
	u.Password = hashed
	var pair broker.Pair
	if a != nil {
		if pair, err = a.Client(u.Name); err != nil {
			return made, err
		}
		u.Certificates = []string{pair.Fingerprint}
		made.certificate, made.key, made.until = u.Name+".pem", u.Name+".key", pair.Until
	}
	if err := r.Add(u); err != nil {
		return made, err
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return made, err
	}
	secret := filepath.Join(dir, made.password)
	if _, err := os.Stat(secret); err == nil {
		return made, fmt.Errorf("%s is there already: move it away first", secret)
	}
	if a != nil {
		if err := pair.Write(filepath.Join(dir, made.certificate), filepath.Join(dir, made.key)); err != nil {
			return made, err
		}
	}
	if err := disk.Replace(secret, []byte(password+"\n"), 0o600); err != nil {
		return made, err
	}
	return made, r.Save()
}

type brokerAddCmd struct {
	rosterFlag
	Name          string `arg:"" help:"Name of the user."`
	Role          string `enum:"edge,spare,reader,host" default:"edge" help:"edge, spare (nothing, until it takes the place of an edge of its group), reader (hears all, says nothing) or host (a historian)."`
	Group         string `help:"Of an edge or a spare: its group." placeholder:"GROUP"`
	Node          string `help:"Of an edge: its name; of a host: its host id; of a reader that announces itself: its own." placeholder:"ID"`
	Edge          string `help:"In place of --group and --node: the edge's configuration file." placeholder:"FILE.toml"`
	Out           string `short:"o" help:"Folder for the files of the device (default: one of its name)." placeholder:"DIR"`
	NoCertificate bool   `help:"A password only."`
}

// Run makes the credentials of one device.
func (c *brokerAddCmd) Run(e *env) error {
	u := broker.User{Name: c.Name, Role: broker.Role(c.Role), Group: c.Group, Node: c.Node}
	if c.Edge != "" {
		if c.Group+c.Node != "" || u.Role != broker.Edge {
			return usageError("--edge names group and node of an edge: leave out --group, --node and --role")
		}
		cfg, err := config.Load(c.Edge)
		if cfg == nil || cfg.Edge == nil { // other faults, such as files that are not there yet, are not in the way
			return cmp.Or(err, fmt.Errorf("%s has no [edge] section", c.Edge))
		}
		u.Group, u.Node = cfg.Edge.Group, cfg.Edge.Name
	}
	r, err := c.open()
	if err != nil {
		return err
	}
	var a *broker.Authority
	if !c.NoCertificate {
		if a, err = c.authority(); err != nil {
			return err
		}
	}
	dir := cmp.Or(c.Out, c.Name)
	made, err := makeUser(r, a, u, dir)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "%s may come in: a broker that runs lets it within seconds.\n", c.Name)
	ca := ""
	if b, err := os.ReadFile(c.beside(authorityFile)); err == nil {
		ca = authorityFile
		if err := disk.Replace(filepath.Join(dir, ca), b, 0o644); err != nil {
			return err
		}
	}
	fmt.Fprintf(e.stdout, "Copy the files of %s to the device, mode 0600, and delete them here. Its configuration:\n\n%s", dir, made.toml("", cmp.Or(ca, "ca.pem")))
	if !made.until.IsZero() {
		fmt.Fprintf(e.stdout, "\nThe certificate is good until %s; a month before an alarm says so.\n", made.until.Format(time.DateOnly))
	}
	return nil
}

type brokerNodeCmd struct {
	rosterFlag
	Name  string   `arg:"" help:"Its name, by which the files are named too."`
	Hosts []string `arg:"" optional:"" help:"Further names and addresses by which it is called."`
	Out   string   `short:"o" help:"Folder for the two files." default:"." placeholder:"DIR"`
}

// Run makes the certificate of one broker. Nobody is let in by it.
func (c *brokerNodeCmd) Run(e *env) error {
	a, err := c.authority()
	if err != nil {
		return err
	}
	pair, err := a.Broker(append([]string{c.Name}, c.Hosts...))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.Out, 0o750); err != nil {
		return err
	}
	file, key := filepath.Join(c.Out, c.Name+".pem"), filepath.Join(c.Out, c.Name+".key")
	if err := pair.Replace(file, key); err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "%s and %s are made, good until %s\n", file, key, pair.Until.Format(time.DateOnly))
	return nil
}

type brokerRenewCmd struct {
	rosterFlag
	Name string `arg:"" help:"Name of the user."`
	Out  string `short:"o" help:"Folder for the two files (default: one of the user's name)." placeholder:"DIR"`
}

// Run makes the next certificate. The last one before it stays good, so that the
// device can be given the new one at any time.
func (c *brokerRenewCmd) Run(e *env) error {
	r, err := c.open()
	if err != nil {
		return err
	}
	u, err := r.Find(c.Name)
	if err != nil {
		return err
	}
	a, err := c.authority()
	if err != nil {
		return err
	}
	pair, err := a.Client(c.Name)
	if err != nil {
		return err
	}
	dir := cmp.Or(c.Out, c.Name)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	certificates := []string{pair.Fingerprint}
	if n := len(u.Certificates); n > 0 {
		certificates = append(certificates, u.Certificates[0])
	}
	if err := r.Certify(c.Name, certificates); err != nil {
		return err
	}
	if err := r.Save(); err != nil { // before the file: a device that has it already must be let in with it
		return err
	}
	file, key := filepath.Join(dir, c.Name+".pem"), filepath.Join(dir, c.Name+".key")
	if err := pair.Replace(file, key); err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "%s and %s are new, good until %s.\nCopy both over those of the device: it connects with them within seconds, nothing is lost.\n", file, key, pair.Until.Format(time.DateOnly))
	return nil
}

type brokerRevokeCmd struct {
	rosterFlag
	Name string `arg:"" help:"Name of the user."`
}

// Run takes a user out.
func (c *brokerRevokeCmd) Run(e *env) error {
	r, err := c.open()
	if err != nil {
		return err
	}
	if err := r.Remove(c.Name); err != nil {
		return err
	}
	if len(r.Users()) == 0 {
		return fmt.Errorf("%s: %q is the last user, and a broker without users lets everybody in: add another one first", c.Users, c.Name)
	}
	if err := r.Save(); err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "%s may not come in any more: a broker that runs ends its connection within seconds. For another broker make the files anew (millwright broker acl) and have it read them.\n", c.Name)
	return nil
}

type brokerListCmd struct{ rosterFlag }

// Run lists the users.
func (c *brokerListCmd) Run(e *env) error {
	r, err := c.open()
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(e.stdout, 0, 4, 2, ' ', 0)
	for _, u := range r.Users() {
		shows := "password"
		switch {
		case len(u.Certificates) > 0 && u.Password != "":
			shows = "password and certificate"
		case len(u.Certificates) > 0:
			shows = "certificate"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", u.Name, u.Role, strings.TrimPrefix(u.Group+"/"+u.Node, "/"), shows, strings.Join(u.Certificates, " "))
	}
	return w.Flush()
}

type brokerACLCmd struct {
	rosterFlag
	For string `enum:"mosquitto,nats" required:"" help:"mosquitto or nats."`
	Out string `short:"o" help:"Folder for the files." default:"." placeholder:"DIR"`
}

// Run writes the files of another broker.
func (c *brokerACLCmd) Run(e *env) error {
	r, err := c.open()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.Out, 0o750); err != nil {
		return err
	}
	write := func(name string, b []byte) error {
		file := filepath.Join(c.Out, name)
		fmt.Fprintln(e.stdout, file)
		return disk.Replace(file, b, 0o640)
	}
	if c.For == "nats" {
		b, err := broker.ForNATS(r.Users())
		if err != nil {
			return err
		}
		return write("users.conf", b)
	}
	m, err := broker.ForMosquitto(r.Users())
	if err != nil {
		return err
	}
	return errors.Join(write("mosquitto.acl", m.ACL), write("mosquitto.passwd", m.Passwords))
}
