package config

import (
	"os"
	"regexp"
	"strings"
)

var faultForm = regexp.MustCompile(`^[^:@]+:[^:@]+(?::[0-9.]+)?@[0-9a-z.+]+$`)

// users reads a file of accounts, a line "name:password" each. Blank lines and
// lines that begin with # are skipped. Passwords may be bcrypt hashes.
func (t *table) users(key string) map[string]string {
	path := t.readable(key)
	if path == "" {
		return nil
	}
	info, err := os.Stat(path)
	if err != nil || info.IsDir() {
		return nil // said by readable
	}
	if info.Mode().Perm()&0o004 != 0 {
		t.fault(key, "%s can be read by everybody (mode %04o), allowed is mode 0600 or 0640", path, info.Mode().Perm())
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	users := map[string]string{}
	for i, line := range strings.Split(string(b), "\n") {
		line = strings.TrimSuffix(line, "\r")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, password, ok := strings.Cut(line, ":")
		switch {
		case !ok || name == "" || password == "":
			t.faults.add(path, i+1, "", "allowed is name:password")
		case checkName(name) != nil:
			t.faults.add(path, i+1, "", "%v", checkName(name))
		case users[name] != "":
			t.faults.add(path, i+1, "", "the user %s stands here twice", name)
		default:
			users[name] = password
		}
	}
	if len(users) == 0 {
		t.fault(key, "%s names no user", path)
	}
	return users
}
