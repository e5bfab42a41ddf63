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
	style  string   // file name of the style sheet
}

func bundleApp(root string) (*bundle, error) {
	res := api.Build(api.BuildOptions{
		AbsWorkingDir:     root,
		EntryPoints:       []string{"src/main.tsx"},
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
		EntryNames:        "static/[name]-[hash]",
		ChunkNames:        "static/[name]-[hash]",
		AssetNames:        "static/[name]-[hash]",
		PublicPath:        "/",
		Loader: map[string]api.Loader{
			".woff2": api.LoaderFile,
			".svg":   api.LoaderFile,
		},
		Define: map[string]string{"process.env.NODE_ENV": `"production"`},
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
		Outputs map[string]struct {
			EntryPoint string
			CSSBundle  string
		}
	}
	if err := json.Unmarshal([]byte(res.Metafile), &meta); err != nil {
		return nil, fmt.Errorf("metafile: %w", err)
	}
	b := &bundle{files: map[string][]byte{}}
	for in := range meta.Inputs {
		b.inputs = append(b.inputs, in)
	}
	slices.Sort(b.inputs)
	for name, out := range meta.Outputs {
		if out.EntryPoint == "src/main.tsx" {
			b.script = strings.TrimPrefix(name, "dist/")
			b.style = strings.TrimPrefix(out.CSSBundle, "dist/")
		}
	}
	if b.script == "" || b.style == "" {
		return nil, errors.New("no script or no style sheet came out of src/main.tsx")
	}
	for _, f := range res.OutputFiles {
		rel, err := filepath.Rel(filepath.Join(root, "dist"), f.Path)
		if err != nil {
			return nil, err
		}
		b.files[filepath.ToSlash(rel)] = f.Contents
	}
	return b, nil
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
	b.files["index.html"] = page
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

// firstPage gives the gzip bytes of everything that the first page may load:
// all script, all style; and the bytes of the fonts.
func (b *bundle) firstPage() (js, css, fonts int) {
	for name, data := range b.files {
		switch filepath.Ext(name) {
		case ".js":
			js += len(gzipped(data))
		case ".css":
			css += len(gzipped(data))
		case ".woff2":
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
