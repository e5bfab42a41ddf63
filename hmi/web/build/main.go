// Command build bundles the web app of the HMI into hmi/web/dist: hashed
// JavaScript, style sheet and fonts, index.html, a gzip copy beside each text
// file and the licences of what was bundled. It needs `npm ci` to have run and
// then nothing from the network. The product does not link it.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

// Budgets of the first page, gzip bytes.
const (
	maxJS  = 90 << 10
	maxCSS = 15 << 10
)

func main() {
	dir := flag.String("dir", filepath.Join("hmi", "web"), "folder of the web app")
	flag.Parse()
	if err := build(*dir); err != nil {
		fmt.Fprintln(os.Stderr, "web build:", err)
		os.Exit(1)
	}
}

func build(dir string) error {
	root, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(root, "node_modules", "preact")); err != nil {
		return fmt.Errorf("packages are missing, run: npm ci --ignore-scripts --prefix %s", dir)
	}
	b, err := bundleApp(root)
	if err != nil {
		return err
	}
	if err := b.addIndex(root); err != nil {
		return err
	}
	if err := b.addLicences(root); err != nil {
		return err
	}
	if err := b.checkOrigins(); err != nil {
		return err
	}
	if err := b.write(filepath.Join(root, "dist")); err != nil {
		return err
	}
	js, css, fonts := b.firstPage()
	fmt.Printf("web: JavaScript %.1f kB, CSS %.1f kB (gzip), fonts %.1f kB\n", kb(js), kb(css), kb(fonts))
	if js > maxJS || css > maxCSS {
		return fmt.Errorf("first page over budget: JavaScript %d of %d, CSS %d of %d bytes gzip", js, maxJS, css, maxCSS)
	}
	return nil
}

func kb(n int) float64 { return float64(n) / 1000 }
