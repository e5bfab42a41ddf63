package broker

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"millwright/sparkplug"
)

// Role says what an account may do.
type Role string

// Roles.
const (
	Edge   Role = "edge"   // publishes below its own group and node, hears its commands and STATE
	Host   Role = "host"   // the primary host: hears all, publishes commands and its own STATE
	Spare  Role = "spare"  // a box that waits: nothing, before it is told to be an edge of its group (Broker.Assign)
	Reader Role = "reader" // another host: hears all, publishes its own STATE only
)

// User is an account of the broker. What it lists of password and certificates must
// be shown, both where both are listed.
type User struct {
	Name         string
	Role         Role
	Group        string   // of an edge or a spare
	Node         string   // node id of an edge, host id of a host or reader; a reader without one only hears
	Password     string   // hashes with blanks between them (see NewPassword), or the password itself
	Certificates []string // SHA-256 of the certificates that it may show: colons and case do not matter
}

// userColumns is the header of a users file. The last one may be absent.
var userColumns = []string{"name", "role", "group", "node", "password", "certificate"}

// maxPassword is what bcrypt takes.
const maxPassword = 72

// maxUsersFile keeps a wrong file from being read whole.
const maxUsersFile = 1 << 20

// LoadUsers reads a users file: CSV with the header
//
//	name,role,group,node,password,certificate
//
// where # begins a comment line. The password is a bcrypt hash ("$2a$…"), a hash of
// Mosquitto ("$7$…"), or both with a blank between them, or "file:NAME", a file with
// the password itself, relative to the users file; the certificate is its SHA-256, or
// several with blanks between them. One of the two may be empty, and the last column
// may be absent. All faults are reported at once, as file:line.
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
	columns := len(userColumns)
	if len(header) == columns-1 {
		columns--
	}
	if !slices.Equal(header, userColumns[:columns]) {
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
		if len(row) != columns {
			fault(fmt.Errorf("%d columns, must be %d", len(row), columns))
			continue
		}
		u := User{Name: row[0], Role: Role(row[1]), Group: row[2], Node: row[3], Password: row[4]}
		if columns == len(userColumns) {
			u.Certificates = strings.Fields(row[5])
		}
		if name, ok := strings.CutPrefix(u.Password, "file:"); ok {
			if u.Password, err = readPassword(path, name); err != nil {
				fault(err)
				continue
			}
		} else if u.Password != "" && len(hashes(u.Password)) == 0 {
			fault(errors.New(`password: must be a hash that millwright broker add makes, or "file:NAME"`))
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
	if err := apart(users); err != nil {
		faults = append(faults, fmt.Errorf("%s: %w", path, err))
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
	if u.Name == "" || strings.ContainsAny(u.Name, ":\n") {
		return fmt.Errorf("name: %q, must not be empty, without : and line ends", u.Name)
	}
	if u.Password == "" && len(u.Certificates) == 0 {
		return errors.New("password: is missing, and so is a certificate: whoever comes must show one of them")
	}
	if len(hashes(u.Password)) == 0 && len(u.Password) > maxPassword {
		return fmt.Errorf("password: %d bytes, must be 1 to %d", len(u.Password), maxPassword)
	}
	for _, c := range u.Certificates {
		if _, err := fingerprint(c); err != nil {
			return err
		}
	}
	switch u.Role {
	case Edge:
		if err := subjectID("group", u.Group); err != nil {
			return err
		}
		return subjectID("node", u.Node)
	case Spare:
		if u.Node != "" {
			return fmt.Errorf("node: %q, a spare has none before it is told to be an edge", u.Node)
		}
		return subjectID("group", u.Group)
	case Reader:
		if u.Node == "" {
			return nil
		}
		return subjectID("node", u.Node)
	case Host:
		return subjectID("node", u.Node)
	}
	return fmt.Errorf("role: %q, must be %s, %s, %s or %s", u.Role, Edge, Host, Spare, Reader)
}

// apart says which users would speak for each other: a reader with the id of a host
// could say that it is offline.
func apart(users []User) error {
	for _, r := range users {
		for _, h := range users {
			if r.Role == Reader && h.Role == Host && r.Node == h.Node {
				return fmt.Errorf("%q has the host id of %q: a reader needs one of its own, or none", r.Name, h.Name)
			}
		}
	}
	return nil
}

// fingerprint is the SHA-256 of a certificate without colons, in upper case.
func fingerprint(text string) (string, error) {
	s := strings.ToUpper(strings.ReplaceAll(text, ":", ""))
	if b, err := hex.DecodeString(s); err != nil || len(b) != sha256.Size {
		return "", fmt.Errorf("certificate: %.80q is no SHA-256 of a certificate, which has 64 hexadecimal digits", text)
	}
	return s, nil
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
