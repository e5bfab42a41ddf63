package config

import (
	"strings"
)

// users reads the simulator's file of accounts, a line "name:password" each.
// Blank lines and lines that begin with # are skipped.
func (t *table) users(key string) map[string]string {
	path := t.guarded(key)
	if path == "" {
		return nil
	}
	b, err := ReadFile(path)
	if err != nil {
		return nil // said by guarded
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
