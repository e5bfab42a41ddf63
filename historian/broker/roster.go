package broker

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"

	"millwright/plant/disk"
)

// Roster is a users file that is changed. Comments and the order of the lines stay.
// A broker that runs takes the new file up within seconds.
type Roster struct {
	path  string
	lines []string
	users []User
}

// ErrNoUser says that the roster has no user of that name.
var ErrNoUser = errors.New("no such user")

// NewRoster is a users file that is not there yet.
func NewRoster(path string) *Roster {
	return &Roster{path: path, lines: []string{strings.Join(userColumns, ",")}}
}

// OpenRoster reads a users file.
func OpenRoster(path string) (*Roster, error) {
	users, err := LoadUsers(path)
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := &Roster{path: path, users: users}
	for line := range strings.Lines(string(b)) {
		line = strings.TrimRight(line, "\r\n")
		if first := fields(line); slices.Equal(first, userColumns[:len(userColumns)-1]) {
			line += "," + userColumns[len(userColumns)-1]
		} else if len(first) == len(userColumns)-1 {
			line += ","
		}
		r.lines = append(r.lines, line)
	}
	return r, nil
}

// fields are the cells of a line; none of a comment or a blank one.
func fields(line string) []string {
	c := csv.NewReader(strings.NewReader(line))
	c.Comment, c.TrimLeadingSpace, c.FieldsPerRecord = '#', true, -1
	row, err := c.Read()
	if err != nil {
		return nil
	}
	return row
}

// Users are those of the file.
func (r *Roster) Users() []User { return r.users }

// Find is the user of a name.
func (r *Roster) Find(name string) (User, error) {
	i := slices.IndexFunc(r.users, func(u User) bool { return u.Name == name })
	if i < 0 {
		return User{}, fmt.Errorf("%s: %q: %w", r.path, name, ErrNoUser)
	}
	return r.users[i], nil
}

// Add puts a user in. Passwords are hashes here (see NewPassword).
func (r *Roster) Add(u User) error {
	if err := u.check(); err != nil {
		return err
	}
	if u.Password != "" && len(hashes(u.Password)) == 0 {
		return errors.New("password: must be hashed")
	}
	if _, err := r.Find(u.Name); err == nil {
		return fmt.Errorf("%s has %q already: revoke it first, or renew its certificate", r.path, u.Name)
	}
	if err := apart(append(slices.Clone(r.users), u)); err != nil {
		return err
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	if err := w.Write([]string{u.Name, string(u.Role), u.Group, u.Node, u.Password, strings.Join(u.Certificates, " ")}); err != nil {
		return err
	}
	w.Flush()
	r.lines = append(r.lines, strings.TrimSuffix(b.String(), "\n"))
	r.users = append(r.users, u)
	return w.Error()
}

// Remove takes a user out.
func (r *Roster) Remove(name string) error {
	if _, err := r.Find(name); err != nil {
		return err
	}
	r.lines = slices.DeleteFunc(r.lines, func(line string) bool {
		row := fields(line)
		return len(row) > 0 && row[0] == name && !slices.Equal(row, userColumns)
	})
	r.users = slices.DeleteFunc(r.users, func(u User) bool { return u.Name == name })
	return nil
}

// Certify gives a user other certificates, by SHA-256.
func (r *Roster) Certify(name string, certificates []string) error {
	u, err := r.Find(name)
	if err != nil {
		return err
	}
	for i, line := range r.lines {
		row := fields(line)
		if len(row) != len(userColumns) || row[0] != name {
			continue
		}
		row[5] = strings.Join(certificates, " ")
		var b bytes.Buffer
		w := csv.NewWriter(&b)
		if err := w.Write(row); err != nil {
			return err
		}
		w.Flush()
		r.lines[i] = strings.TrimSuffix(b.String(), "\n")
	}
	u.Certificates = certificates
	r.users[slices.IndexFunc(r.users, func(o User) bool { return o.Name == name })] = u
	return u.check()
}

// Save writes the file. It stays its owner's: the broker may run under another
// account than whoever changes it.
func (r *Roster) Save() error {
	text := []byte(strings.Join(r.lines, "\n") + "\n")
	if len(r.users) > 0 { // or it could not be read again
		if _, err := parseUsers(r.path, text); err != nil {
			return err
		}
	}
	mode, owner := os.FileMode(0o640), -1
	group := -1
	if info, err := os.Stat(r.path); err == nil {
		mode = info.Mode().Perm()
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			owner, group = int(st.Uid), int(st.Gid)
		}
	}
	if err := disk.Replace(r.path, text, mode); err != nil {
		return err
	}
	if owner == os.Geteuid() || owner < 0 {
		return nil
	}
	return os.Chown(r.path, owner, group)
}
