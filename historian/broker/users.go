package broker

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nats-io/nats-server/v2/server"
	"golang.org/x/crypto/bcrypt"

	"millwright/sparkplug"
)

// Role says what an account may do.
type Role string

// Roles.
const (
	Edge   Role = "edge"   // publishes below its own group and node, hears its commands and STATE
	Host   Role = "host"   // the primary host: hears all, publishes commands and its own STATE
	Reader Role = "reader" // another host: hears all, publishes its own STATE only
)

// User is an account of the broker.
type User struct {
	Name     string
	Role     Role
	Group    string // of an edge
	Node     string // node id of an edge, host id of a host or reader
	Password string // bcrypt hash, or the password itself
}

// userColumns is the header of a users file.
var userColumns = []string{"name", "role", "group", "node", "password"}

// maxPassword is what bcrypt takes.
const maxPassword = 72

// maxUsersFile keeps a wrong file from being read whole.
const maxUsersFile = 1 << 20

// LoadUsers reads a users file: CSV with the header
//
//	name,role,group,node,password
//
// where # begins a comment line and password is a bcrypt hash ("$2a$…") or
// "file:NAME", a file with the password itself, relative to the users file. All
// faults are reported at once, as file:line.
func LoadUsers(path string) ([]User, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("users: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxUsersFile+1))
	if err != nil {
		return nil, fmt.Errorf("users: %w", err)
	}
	if len(b) > maxUsersFile {
		return nil, fmt.Errorf("users: %s is larger than 1 MiB", path)
	}
	return parseUsers(path, b)
}

func parseUsers(path string, b []byte) ([]User, error) {
	r := csv.NewReader(bytes.NewReader(b))
	r.Comment, r.TrimLeadingSpace, r.FieldsPerRecord = '#', true, -1
	header, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("%s: no header %s", path, strings.Join(userColumns, ","))
	}
	if !slices.Equal(header, userColumns) {
		return nil, fmt.Errorf("%s:1: header is %.80q, must be %s", path, strings.Join(header, ","), strings.Join(userColumns, ","))
	}
	var users []User
	var faults []error
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, errors.Join(append(faults, fmt.Errorf("%s: %w", path, err))...)
		}
		line, _ := r.FieldPos(0)
		fault := func(err error) { faults = append(faults, fmt.Errorf("%s:%d: %w", path, line, err)) }
		if len(row) != len(userColumns) {
			fault(fmt.Errorf("%d columns, must be %d", len(row), len(userColumns)))
			continue
		}
		u := User{Name: row[0], Role: Role(row[1]), Group: row[2], Node: row[3], Password: row[4]}
		if name, ok := strings.CutPrefix(u.Password, "file:"); ok {
			if u.Password, err = readPassword(path, name); err != nil {
				fault(err)
				continue
			}
		} else if _, err := bcrypt.Cost([]byte(u.Password)); err != nil {
			fault(errors.New(`password: must be a bcrypt hash or "file:NAME"`))
			continue
		}
		if err := u.check(); err != nil {
			fault(err)
			continue
		}
		if slices.ContainsFunc(users, func(o User) bool { return o.Name == u.Name }) {
			fault(fmt.Errorf("name: %q is there twice", u.Name))
			continue
		}
		users = append(users, u)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	if len(users) == 0 { // a broker without users lets everybody in
		return nil, fmt.Errorf("%s: names no user", path)
	}
	return users, nil
}

func readPassword(users, name string) (string, error) {
	if !filepath.IsAbs(name) {
		name = filepath.Join(filepath.Dir(users), name)
	}
	f, err := os.Open(name)
	if err != nil {
		return "", fmt.Errorf("password: %w", err)
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Mode().Perm()&0o004 != 0 {
		return "", fmt.Errorf("password: %s can be read by everybody (mode %04o), allowed is mode 0600 or 0640", name, info.Mode().Perm())
	}
	b, err := io.ReadAll(io.LimitReader(f, maxPassword+3))
	if err != nil {
		return "", fmt.Errorf("password: %w", err)
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}

func (u *User) check() error {
	if u.Name == "" {
		return errors.New("name: is missing")
	}
	if u.Password == "" || len(u.Password) > maxPassword {
		return fmt.Errorf("password: %d bytes, must be 1 to %d", len(u.Password), maxPassword)
	}
	switch u.Role {
	case Edge:
		if err := subjectID("group", u.Group); err != nil {
			return err
		}
		return subjectID("node", u.Node)
	case Host, Reader:
		return subjectID("node", u.Node)
	}
	return fmt.Errorf("role: %q, must be %s, %s or %s", u.Role, Edge, Host, Reader)
}

// subjectID checks an id that becomes part of a permission, where * and > would
// mean more than themselves.
func subjectID(what, id string) error {
	if err := sparkplug.CheckID(id); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if strings.ContainsAny(id, "*>") {
		return fmt.Errorf("%s: %q, no * or > allowed", what, id)
	}
	return nil
}

// serverUsers are the accounts with their permissions. MQTT topics are subjects
// inside the server: / becomes ., and . becomes //.
func serverUsers(users []User) ([]*server.User, error) {
	var out []*server.User
	for _, u := range users {
		if err := u.check(); err != nil {
			return nil, fmt.Errorf("user %q: %w", u.Name, err)
		}
		var p server.Permissions
		p.Publish, p.Subscribe = &server.SubjectPermission{}, &server.SubjectPermission{}
		// What the server delivers to an MQTT session at QoS 1 passes here.
		p.Subscribe.Allow = []string{"$MQTT.sub.>", "$MQTT.deliver.pubrel.>"}
		switch u.Role {
		case Edge:
			for _, k := range []sparkplug.Kind{sparkplug.NBIRTH, sparkplug.NDATA, sparkplug.NDEATH} {
				p.Publish.Allow = append(p.Publish.Allow, subject(u.Group, string(k), u.Node))
			}
			for _, k := range []sparkplug.Kind{sparkplug.DBIRTH, sparkplug.DDATA, sparkplug.DDEATH} {
				p.Publish.Allow = append(p.Publish.Allow, subject(u.Group, string(k), u.Node)+".*")
			}
			p.Subscribe.Allow = append(p.Subscribe.Allow,
				subject(u.Group, string(sparkplug.NCMD), u.Node),
				subject(u.Group, string(sparkplug.DCMD), u.Node)+".*",
				subject(string(sparkplug.STATE))+".*")
		case Host:
			p.Publish.Allow = []string{
				subject("*", string(sparkplug.NCMD), "*"),
				subject("*", string(sparkplug.DCMD), "*", "*"),
				subject(string(sparkplug.STATE), u.Node)}
			p.Subscribe.Allow = append(p.Subscribe.Allow, subject(), subject(">"))
		case Reader:
			p.Publish.Allow = []string{subject(string(sparkplug.STATE), u.Node)}
			p.Subscribe.Allow = append(p.Subscribe.Allow, subject(), subject(">"))
		}
		password, err := hashed(u.Password)
		if err != nil {
			return nil, fmt.Errorf("user %q: %w", u.Name, err)
		}
		out = append(out, &server.User{Username: u.Name, Password: password, Permissions: &p})
	}
	return out, nil
}

// hashed keeps no password in clear in the server. The cheapest hash does: it is
// never written down.
func hashed(password string) (string, error) {
	if _, err := bcrypt.Cost([]byte(password)); err == nil {
		return password, nil
	}
	b, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	return string(b), err
}

func subject(levels ...string) string {
	s := strings.ReplaceAll(sparkplug.Namespace, ".", "//")
	for _, l := range levels {
		s += "." + strings.ReplaceAll(l, ".", "//")
	}
	return s
}
