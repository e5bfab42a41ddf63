package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// addLicences writes LICENSES.txt: name, version and licence text of every
// package whose code or fonts are in the bundle.
func (b *bundle) addLicences(root string) error {
	var out strings.Builder
	out.WriteString("The web app of Millwright contains the following third-party code and fonts.\n")
	for _, pkg := range packages(b.inputs) {
		dir := filepath.Join(root, "node_modules", filepath.FromSlash(pkg))
		raw, err := os.ReadFile(filepath.Join(dir, "package.json"))
		if err != nil {
			return err
		}
		var about struct{ Version, License string }
		if err := json.Unmarshal(raw, &about); err != nil {
			return fmt.Errorf("%s: package.json: %w", pkg, err)
		}
		text, err := licenceText(dir)
		if err != nil {
			return fmt.Errorf("%s: %w", pkg, err)
		}
		fmt.Fprintf(&out, "\n%s\n%s %s (%s)\n\n%s\n", strings.Repeat("-", 72), pkg, about.Version, about.License, strings.TrimSpace(text))
	}
	b.files["LICENSES.txt"] = []byte(out.String())
	return nil
}

// packages gives the npm package names among source paths, sorted.
func packages(inputs []string) []string {
	var out []string
	for _, in := range inputs {
		i := strings.LastIndex(in, "node_modules/")
		if i < 0 {
			continue
		}
		parts := strings.SplitN(in[i+len("node_modules/"):], "/", 3)
		name := parts[0]
		if strings.HasPrefix(name, "@") && len(parts) > 1 {
			name += "/" + parts[1]
		}
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

func licenceText(dir string) (string, error) {
	list, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	for _, e := range list {
		n := strings.ToUpper(e.Name())
		if strings.HasPrefix(n, "LICENSE") || strings.HasPrefix(n, "LICENCE") || strings.HasPrefix(n, "COPYING") {
			raw, err := os.ReadFile(filepath.Join(dir, e.Name()))
			return string(raw), err
		}
	}
	return "", fmt.Errorf("no licence file in the package")
}
