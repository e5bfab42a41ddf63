package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"millwright/plant/config"
	"millwright/plant/disk"
)

type assetsCmd struct {
	Import   assetsImportCmd   `cmd:"" help:"Make an asset file of a spreadsheet: assets, bearings, gears and limits, every fault at once."`
	Template assetsTemplateCmd `cmd:"" help:"Print a spreadsheet to begin with, as CSV."`
}

type assetsImportCmd struct {
	File    string   `arg:"" help:"Spreadsheet as CSV: see millwright assets template and docs/assets.md."`
	Out     string   `short:"o" help:"Asset file to write (default: standard output)." placeholder:"FILE.toml"`
	Classes []string `help:"Class file of the plant's own, as often as there are some." placeholder:"FILE.toml"`
	Merge   string   `help:"Asset file that the records go into; what stands there stays as it is. May be the one to write." placeholder:"FILE.toml"`
}

// Run writes an asset file, or says all that is wrong and writes nothing.
func (c *assetsImportCmd) Run(e *env) error {
	src, err := config.ReadFile(c.File)
	if err != nil {
		return named(c.File, err)
	}
	mode := fs.FileMode(0o644)
	var base []byte
	if c.Merge != "" {
		if base, err = config.ReadFile(c.Merge); err != nil {
			return named(c.Merge, err)
		}
	}
	if info, err := os.Stat(c.Out); c.Out != "" && err == nil {
		if c.Out != c.Merge {
			return fmt.Errorf("%s is there already: add to it with --merge %s, or give another name", c.Out, c.Out)
		}
		mode = info.Mode().Perm()
	}
	library, err := config.Classes(c.Classes...)
	if err != nil {
		return err
	}
	made, err := config.ImportInventory(c.File, string(src), c.Merge, string(base), library)
	if faults, ok := errors.AsType[config.Faults](err); ok {
		fmt.Fprintln(e.stderr, faults)
		return fmt.Errorf("%s, nothing was written: mend the lines above", count(len(faults), "fault"))
	}
	if err != nil {
		return err
	}
	if c.Out == "" {
		_, err = fmt.Fprint(e.stdout, made.Text)
		return err
	}
	if err := disk.Replace(c.Out, []byte(made.Text), mode); err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.stdout, "%s: %s of %s, %s\n", c.Out, count(made.Assets, "asset"), c.File, count(made.Added, "new record"))
	return err
}

// named is an error with the file that it is of.
func named(path string, err error) error {
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return err
	}
	return fmt.Errorf("%s: %w", path, err)
}

// count is a number with its noun: 1 asset, 2 assets.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

type assetsTemplateCmd struct{}

// Run prints the template.
func (assetsTemplateCmd) Run(e *env) error {
	_, err := fmt.Fprint(e.stdout, config.InventoryTemplate())
	return err
}
