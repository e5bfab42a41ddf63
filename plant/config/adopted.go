package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Adopted reads the configuration of an edge whose place this spare takes: its
// sections [edge] and [[plc]], and in them what is the spare's own: who it is to
// plant and broker, where its data lies, and the passwords and keys that PLCs ask
// for, by the names of their files.
func Adopted(path string, s *Spare) (*Config, error) {
	var faults Faults
	src, err := os.ReadFile(path)
	if err != nil {
		if p, ok := errors.AsType[*fs.PathError](err); ok {
			err = p.Err
		}
		faults.add(path, 0, "", "%v", err)
		return nil, faults.err()
	}
	root := parse(path, string(src), &faults)
	if root == nil {
		return nil, faults.err()
	}
	for key := range root.m {
		if key != "edge" && key != "plc" {
			delete(root.m, key)
		}
	}
	edge := root.table("edge")
	if edge == nil {
		faults.add(path, 1, "edge", "is missing: this is no configuration of an edge")
		return nil, faults.err()
	}
	s.dress(edge.m)
	for _, plc := range root.tables("plc") {
		delete(plc.m, "trust") // all is in the edge's data folder
		for _, key := range []string{"password_file", "user_certificate", "user_key", "certificate", "key"} {
			if name, ok := plc.m[key].(string); ok {
				plc.m[key] = filepath.Join(absolute(s.Secrets), filepath.Base(name))
			}
		}
	}
	c := root.process()
	return c, faults.err()
}

// dress gives an [edge] section what is the spare's own.
func (s *Spare) dress(m map[string]any) {
	set := func(key, value string) {
		if delete(m, key); value != "" {
			m[key] = value
		}
	}
	set("box", s.Name)
	set("data", absolute(s.Data))
	set("plant", s.Plant)
	set("plant_ca", absolute(s.PlantCA))
	set("plant_token_file", absolute(s.TokenFile))
	for key, value := range s.access {
		if delete(m, key); value != nil {
			m[key] = value
		}
	}
	// What the broker is called, and who signed its certificate, is the same for
	// all boxes unless the spare says otherwise.
	for key, value := range s.common {
		if value != nil {
			m[key] = value
		}
	}
}

// absolute makes a path that the spare's file named independent of where the
// adopted one lies.
func absolute(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// Missing says which of the files that an edge needs and that do not travel are
// not in the folder of the spare's secrets.
func (s *Spare) Missing(names []string) (missing []string) {
	for _, name := range names {
		file := filepath.Join(s.Secrets, filepath.Base(name))
		if _, err := os.Stat(file); err != nil {
			missing = append(missing, fmt.Sprintf("%s: put %s there", file, strings.TrimSuffix(filepath.Base(name), ".")))
		}
	}
	return missing
}
