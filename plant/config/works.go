package config

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"millwright/plant"
)

// source is a file that has been read.
type source struct{ name, text string }

// ParseWorks reads a works that is kept as one pair of files for each unit,
// AREA/UNIT.csv and AREA/UNIT.toml: all tag lists and asset files in folders below
// the root, in the order of their paths. Files at the root are of processes. Assets may name tags of other units. The error is Faults
// where the content is wrong.
func ParseWorks(files fs.FS) ([]plant.Tag, []plant.Asset, error) {
	var lists, sheets []source
	err := fs.WalkDir(files, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		ext := path.Ext(name)
		if path.Dir(name) == "." || ext != ".csv" && ext != ".toml" {
			return nil
		}
		b, err := fs.ReadFile(files, name)
		if ext == ".csv" {
			lists = append(lists, source{name, string(b)})
		} else {
			sheets = append(sheets, source{name, string(b)})
		}
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	var faults Faults
	tags := readTags(lists, &faults)
	assets := readAssets(sheets, tags, listed, library(nil, &faults), &faults)
	if err := faults.err(); err != nil {
		return nil, nil, err
	}
	Assign(tags, assets)
	return tags, assets, nil
}

// files are the paths of files that must be there: one path, a pattern such as
// "hsm/*.csv", or a list of those.
func (t *table) files(key string) []string {
	v, ok := t.get(key)
	if !ok {
		return nil
	}
	var names []string
	switch v.(type) {
	case string:
		names = []string{t.text(key, "")}
	case []any:
		names = t.texts(key)
	default:
		t.fault(key, "is %s, allowed is a file, a pattern such as \"hsm/*.csv\", or a list of them", kindOf(v))
	}
	var out []string
	for _, name := range names {
		for _, file := range t.match(key, name) {
			if slices.Contains(out, file) {
				t.fault(key, "names %s twice", file)
				continue
			}
			t.name(key, name, file)
			out = append(out, file)
		}
	}
	return out
}

// match is the file of a name, or the files of a pattern in their order.
func (t *table) match(key, name string) []string {
	if name == "" {
		return nil
	}
	file := t.at(name)
	if _, err := os.Stat(file); err == nil || !strings.ContainsAny(name, "*?[") {
		if t.opens(key, file) {
			return []string{file}
		}
		return nil
	}
	found, err := filepath.Glob(file)
	switch {
	case err != nil:
		t.fault(key, "%q is no pattern: %v", name, err)
	case len(found) == 0:
		t.fault(key, "%s matches no file", file)
	}
	return slices.DeleteFunc(found, func(f string) bool { return !t.opens(key, f) })
}

// sources reads files; those that cannot be read were named by files.
func sources(files []string) []source {
	var out []source
	for _, f := range files {
		if b, err := ReadFile(f); err == nil {
			out = append(out, source{f, string(b)})
		}
	}
	return out
}
