package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// bundle is the finished app in memory: file name below dist → contents.
type bundle struct {
	files  map[string][]byte
	inputs []string // sources that esbuild read, slash paths below the app's folder
	script string   // file name of the first script
	first  []string // the first script and what it imports at once
	style  string   // file name of the style sheet
}

func bundleApp(root string) (*bundle, error) {
	b := &bundle{files: map[string][]byte{}}
	outputs, err := b.build(root, "src/main.tsx", "static/[name]-[hash]")
	if err != nil {
		return nil, err
	}
	for name, out := range outputs {
		if out.EntryPoint == "src/main.tsx" {
			b.script = strings.TrimPrefix(name, "dist/")
			b.style = strings.TrimPrefix(out.CSSBundle, "dist/")
			b.first = []string{b.script}
			for _, in := range out.Imports {
				if in.Kind == "import-statement" {
					b.first = append(b.first, strings.TrimPrefix(in.Path, "dist/"))
				}
			}
		}
	}
	if b.script == "" || b.style == "" {
		return nil, errors.New("no script or no style sheet came out of src/main.tsx")
	}
	// The server's own pages link the tokens by a name without a hash.
	if _, err := b.build(root, "src/styles/page.css", "tokens"); err != nil {
		return nil, err
	}
	slices.Sort(b.inputs)
	return b, nil
}

// output is what esbuild's metafile says of a file that it made.
type output struct {
	EntryPoint string
	CSSBundle  string
	Imports    []struct{ Path, Kind string }
}

// build bundles one entry point into b.
func (b *bundle) build(root, entry, name string) (map[string]output, error) {
	res := api.Build(api.BuildOptions{
		AbsWorkingDir:     root,
		EntryPoints:       []string{entry},
		Outdir:            filepath.Join(root, "dist"),
		Bundle:            true,
		Splitting:         true,
		Format:            api.FormatESModule,
		Target:            api.ES2022,
		JSX:               api.JSXAutomatic,
		JSXImportSource:   "preact",
		MinifyWhitespace:  true,
		MinifyIdentifiers: true,
		MinifySyntax:      true,
		LegalComments:     api.LegalCommentsNone,
		Metafile:          true,
		EntryNames:        name,
		ChunkNames:        "static/[name]-[hash]",
		AssetNames:        "static/[name]-[hash]",
		PublicPath:        "/",
		Loader:            map[string]api.Loader{".woff2": api.LoaderFile},
		Define:            map[string]string{"process.env.NODE_ENV": `"production"`},
	})
	if len(res.Errors) > 0 {
		msgs := api.FormatMessages(res.Errors, api.FormatMessagesOptions{Kind: api.ErrorMessage})
		return nil, errors.New(strings.Join(msgs, "\n"))
	}
	for _, m := range api.FormatMessages(res.Warnings, api.FormatMessagesOptions{Kind: api.WarningMessage}) {
		fmt.Fprint(os.Stderr, m)
	}
	var meta struct {
		Inputs  map[string]struct{}
		Outputs map[string]output
	}
	if err := json.Unmarshal([]byte(res.Metafile), &meta); err != nil {
		return nil, fmt.Errorf("metafile: %w", err)
	}
	for in := range meta.Inputs {
		b.inputs = append(b.inputs, in)
	}
	for _, f := range res.OutputFiles {
		rel, err := filepath.Rel(filepath.Join(root, "dist"), f.Path)
		if err != nil {
			return nil, err
		}
		b.files[filepath.ToSlash(rel)] = f.Contents
	}
	return meta.Outputs, nil
}

// addIndex fills src/index.html with the hashed names.
func (b *bundle) addIndex(root string) error {
	page, err := os.ReadFile(filepath.Join(root, "src", "index.html"))
	if err != nil {
		return err
	}
	svg, err := os.ReadFile(filepath.Join(root, "src", "favicon.svg"))
	if err != nil {
		return err
	}
	icon := fmt.Sprintf("static/favicon-%X.svg", sha256.Sum256(svg))[:len("static/favicon-")+8] + ".svg"
	b.files[icon] = svg
	font := ""
	for name := range b.files {
		if strings.Contains(name, "latin-400-normal") && strings.HasSuffix(name, ".woff2") {
			font = name
		}
	}
	for mark, name := range map[string]string{"%SCRIPT%": b.script, "%STYLE%": b.style, "%FONT%": font, "%ICON%": icon} {
		if name == "" {
			return fmt.Errorf("index.html: nothing was built for %s", mark)
		}
		page = bytes.ReplaceAll(page, []byte(mark), []byte("/"+name))
	}
	var preload bytes.Buffer
	for _, name := range b.first[1:] {
		fmt.Fprintf(&preload, "<link rel=\"modulepreload\" href=\"/%s\">\n", name)
	}
	b.files["index.html"] = bytes.ReplaceAll(page, []byte("%PRELOAD%\n"), preload.Bytes())
	return nil
}

// origin finds addresses of other machines. The name spaces of the W3C are
// names that the DOM asks for, not places that anything is loaded from.
var (
	origin = regexp.MustCompile(`(?:https?|wss?)://[a-zA-Z0-9.-]+`)
	names  = []string{"http://www.w3.org"}
)

// checkOrigins fails where script, style or page name another origin: a plant
// floor has no internet.
func (b *bundle) checkOrigins() error {
	var found []error
	for name, data := range b.files {
		switch filepath.Ext(name) {
		case ".js", ".css", ".html", ".svg":
		default:
			continue
		}
		for _, o := range origin.FindAllString(string(data), -1) {
			if !slices.Contains(names, o) {
				found = append(found, fmt.Errorf("%s names another origin: %s", name, o))
			}
		}
	}
	return errors.Join(found...)
}

// write puts the files and their gzip copies into dist and removes what an
// earlier build left there. The page comes last, so that it never names a file
// that is not there yet.
func (b *bundle) write(dist string) error {
	out := map[string][]byte{}
	for name, data := range b.files {
		out[name] = data
		if filepath.Ext(name) != ".woff2" {
			out[name+".gz"] = gzipped(data)
		}
	}
	order := make([]string, 0, len(out))
	for name := range out {
		order = append(order, name)
	}
	slices.SortFunc(order, func(x, y string) int {
		if px, py := strings.HasPrefix(x, "index.html"), strings.HasPrefix(y, "index.html"); px != py {
			if px {
				return 1
			}
			return -1
		}
		return strings.Compare(x, y)
	})
	for _, name := range order {
		p := filepath.Join(dist, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(p, out[name], 0o644); err != nil {
			return err
		}
	}
	return filepath.WalkDir(dist, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dist, p)
		if err != nil {
			return err
		}
		if _, ok := out[filepath.ToSlash(rel)]; ok || rel == ".keep" {
			return nil
		}
		return os.Remove(p)
	})
}

// firstPage gives the gzip bytes of what the page loads before it draws: the
// first script with what it imports at once, the style sheet; and the bytes of
// the Latin fonts: others are loaded when their letters are met.
func (b *bundle) firstPage() (js, css, fonts int) {
	for _, name := range b.first {
		js += len(gzipped(b.files[name]))
	}
	css = len(gzipped(b.files[b.style]))
	for name, data := range b.files {
		if filepath.Ext(name) == ".woff2" && strings.Contains(name, "-latin-") {
			fonts += len(data)
		}
	}
	return js, css, fonts
}

func gzipped(data []byte) []byte {
	var buf bytes.Buffer
	w, _ := gzip.NewWriterLevel(&buf, gzip.BestCompression) // the level is valid
	w.Write(data)                                           // a bytes.Buffer takes everything
	w.Close()
	return buf.Bytes()
}
