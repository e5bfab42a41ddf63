package hmi

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"

	"millwright/hmi/account"
)

// The bundled web app. With all: the committed .keep counts, so that the program
// builds without the app as well.
//
//go:embed all:web/dist
var dist embed.FS

// The app's design tokens from its source: the login pages look like the app even
// when it has not been built.
//
//go:embed web/src/styles/tokens.css
var tokens []byte

// webFiles are the embedded files of the web app.
func webFiles() fs.FS {
	files, err := fs.Sub(dist, "web/dist")
	if err != nil {
		panic(err) // the path is a constant
	}
	return files
}

// asset is a file of the web app with its compressed copies.
type asset struct {
	kind   string            // Content-Type
	etag   string            // without quotes
	bodies map[string][]byte // by Content-Encoding; "" is the plain one
}

// encodings in order of preference, with the ending of the copy.
var encodings = []struct{ name, ending string }{{"br", ".br"}, {"gzip", ".gz"}}

// Types are fixed here because those of the system differ from host to host.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
	".json": "application/json", ".map": "application/json", ".webmanifest": "application/manifest+json",
	".svg": "image/svg+xml", ".png": "image/png", ".ico": "image/x-icon", ".woff2": "font/woff2", ".txt": "text/plain; charset=utf-8",
}

// readAssets reads all files, hidden ones aside.
func readAssets(files fs.FS) (map[string]*asset, error) {
	assets := map[string]*asset{}
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(path.Base(name), ".") || strings.HasSuffix(name, ".br") || strings.HasSuffix(name, ".gz") {
			return err
		}
		plain, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(plain)
		a := &asset{kind: contentTypes[path.Ext(name)], etag: hex.EncodeToString(sum[:12]), bodies: map[string][]byte{"": plain}}
		if a.kind == "" {
			a.kind = "application/octet-stream"
		}
		for _, e := range encodings {
			packed, err := fs.ReadFile(files, name+e.ending)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return err
			}
			a.bodies[e.name] = packed
		}
		assets[name] = a
		return nil
	})
	return assets, err
}

// web serves the app: its files to everybody (they are no secret), its page to
// whoever is logged in.
func (s *Server) web(files fs.FS) http.Handler {
	assets, err := readAssets(files)
	if err != nil {
		panic(err) // the files are in memory
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			p := refuse(http.StatusMethodNotAllowed, "%s is not allowed here", r.Method)
			p.header.Set("Allow", "GET")
			s.answer(w, r, p)
			return
		}
		name := strings.TrimPrefix(path.Clean("/"+r.URL.Path), "/")
		a := assets[name]
		switch {
		case a != nil && name != "index.html":
			cache := "no-cache"
			if strings.HasPrefix(name, "static/") {
				cache = "public, max-age=31536000, immutable" // the name has the hash of the content
			}
			a.serve(w, r, cache)
		case name == "tokens.css":
			w.Header().Set("Content-Type", contentTypes[".css"])
			w.Header().Set("Cache-Control", "no-cache")
			_, _ = w.Write(tokens)
		case navigates(r, name):
			if err := s.index(w, r, assets["index.html"]); err != nil {
				s.answer(w, r, err)
			}
		default:
			s.answer(w, r, refuse(http.StatusNotFound, "there is no such file"))
		}
	})
}

// navigates reports whether the request is for a page of the app, which has its
// own routes.
func navigates(r *http.Request, name string) bool {
	for _, other := range []string{"api", "static", "metrics", "ack", "tuf"} {
		if name == other || strings.HasPrefix(name, other+"/") {
			return false
		}
	}
	return name == "" || name == "index.html" || strings.Contains(r.Header.Get("Accept"), "text/html")
}

// index serves the page of the app.
func (s *Server) index(w http.ResponseWriter, r *http.Request, index *asset) error {
	_, err := s.who(r)
	if errors.Is(err, account.ErrNone) {
		first, err := s.settingUp(r)
		switch {
		case err != nil:
			return err
		case first:
			return redirect(w, r, "/setup")
		}
		return redirect(w, r, "/login?next="+url.QueryEscape(r.URL.RequestURI()))
	}
	if err != nil {
		return err
	}
	if index == nil {
		return s.render(w, r, "empty.html", http.StatusOK, pageBody{})
	}
	index.serve(w, r, "no-cache")
	return nil
}

// serve answers with the copy that the browser likes best.
func (a *asset) serve(w http.ResponseWriter, r *http.Request, cache string) {
	h := w.Header()
	h.Set("Content-Type", a.kind)
	h.Set("Cache-Control", cache)
	encoding := ""
	if len(a.bodies) > 1 {
		h.Set("Vary", "Accept-Encoding")
		for _, e := range encodings {
			if a.bodies[e.name] != nil && accepts(r.Header.Get("Accept-Encoding"), e.name) {
				encoding = e.name
				h.Set("Content-Encoding", encoding)
				break
			}
		}
	}
	etag := `"` + strings.Trim(a.etag+"-"+encoding, "-") + `"`
	h.Set("ETag", etag)
	if match := r.Header.Get("If-None-Match"); match == etag || match == "W/"+etag {
		h.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body := a.bodies[encoding]
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body)
}

// accepts reads an Accept-Encoding header (RFC 9110, 12.5.3).
func accepts(header, encoding string) bool {
	for part := range strings.SplitSeq(header, ",") {
		name, params, _ := strings.Cut(part, ";")
		if !strings.EqualFold(strings.TrimSpace(name), encoding) {
			continue
		}
		key, q, _ := strings.Cut(strings.TrimSpace(params), "=")
		if strings.TrimSpace(key) != "q" {
			return true
		}
		weight, err := strconv.ParseFloat(strings.TrimSpace(q), 64)
		return err == nil && weight > 0
	}
	return false
}
