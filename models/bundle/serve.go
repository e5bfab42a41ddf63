package bundle

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// servedName is what an edge may ask for: no key, no folder, no file that is just
// being written.
var servedName = regexp.MustCompile(`^(timestamp\.json|[0-9]{1,18}\.(root|snapshot|targets|rollout)\.json|targets/[0-9a-f]{64}\.[A-Za-z0-9][A-Za-z0-9._-]{0,130})$`)

// ServeHTTP serves the repository, read only, to anybody: all of it is signed, and
// nothing of it is secret.
func (r *Repository) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	name := strings.TrimPrefix(req.URL.Path, "/")
	if !servedName.MatchString(name) || strings.HasSuffix(name, ".new") {
		http.NotFound(w, req)
		return
	}
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "read only", http.StatusMethodNotAllowed)
		return
	}
	f, err := os.Open(r.public(filepath.FromSlash(name)))
	if err != nil {
		http.NotFound(w, req)
		return
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil || st.IsDir() {
		http.NotFound(w, req)
		return
	}
	kind := "application/json"
	if strings.HasSuffix(name, Suffix) {
		kind = "application/zip"
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-cache")
	http.ServeContent(w, req, "", st.ModTime(), f)
}
