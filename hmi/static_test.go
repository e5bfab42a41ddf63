package hmi

import (
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"millwright/plant"
)

// app is a web app as the build makes it.
func app() fstest.MapFS {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	return fstest.MapFS{
		".keep": file(""), "index.html": file("<!doctype html>"), "index.html.gz": file("GZ index"), "tokens.css": file(":root{}"), "LICENSES.txt": file("free"),
		"static/app-ABCD1234.js": file("let a"), "static/app-ABCD1234.js.br": file("BR"), "static/app-ABCD1234.js.gz": file("GZ"), "static/f-ABCD1234.woff2": file("font"),
	}
}

func TestWeb(t *testing.T) {
	s := run(t, nil)
	web := s.guard(s.web(app()))
	html := "text/html,application/xhtml+xml"
	for _, c := range []struct {
		path, accept, encoding string
		status                 int
		body, kind, cache      string
	}{
		{"/", html, "", 200, "<!doctype html>", "text/html; charset=utf-8", "no-cache"},
		{"/", "*/*", "", 200, "<!doctype html>", "text/html; charset=utf-8", "no-cache"},
		{"/index.html", "*/*", "gzip, br", 200, "GZ index", "text/html; charset=utf-8", "no-cache"},
		{"/a/HSM/FM/F3/GBX.2", html, "", 200, "<!doctype html>", "text/html; charset=utf-8", "no-cache"},
		{"/a/HSM%2FFM", html, "", 200, "<!doctype html>", "text/html; charset=utf-8", "no-cache"},
		{"/a/HSM", "*/*", "", 404, "", "application/problem+json", "no-store"},
		{"/static/app-ABCD1234.js", "*/*", "", 200, "let a", "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"},
		{"/static/app-ABCD1234.js", "*/*", "gzip, deflate, br", 200, "BR", "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"},
		{"/static/app-ABCD1234.js", "*/*", "gzip;q=1.0, br;q=0", 200, "GZ", "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"},
		{"/static/f-ABCD1234.woff2", "*/*", "gzip", 200, "font", "font/woff2", "public, max-age=31536000, immutable"},
		{"/static/app-OLD00000.js", html, "", 404, "", "application/problem+json", "no-store"},
		{"/static/", html, "", 404, "", "application/problem+json", "no-store"},
		{"/static/../index.html", "*/*", "", 200, "<!doctype html>", "text/html; charset=utf-8", "no-cache"},
		{"/../../etc/passwd", "*/*", "", 404, "", "application/problem+json", "no-store"},
		{"/tokens.css", "*/*", "", 200, ":root{}", "text/css; charset=utf-8", "no-cache"},
		{"/LICENSES.txt", html, "", 200, "free", "text/plain; charset=utf-8", "no-cache"},
		{"/.keep", "*/*", "", 404, "", "application/problem+json", "no-store"},
		{"/favicon.ico", "image/*", "", 404, "", "application/problem+json", "no-store"},
	} {
		r := httptest.NewRequest("GET", c.path, nil)
		r.Host = "127.0.0.1"
		r.Header.Set("Accept", c.accept)
		r.Header.Set("Accept-Encoding", c.encoding)
		w := httptest.NewRecorder()
		web.ServeHTTP(w, r)
		h := w.Result().Header
		if w.Code != c.status || c.status == 200 && w.Body.String() != c.body || h.Get("Content-Type") != c.kind || h.Get("Cache-Control") != c.cache {
			t.Errorf("%s (%s): %d %q %s", c.path, c.encoding, w.Code, w.Body, h)
		}
		if c.status != 200 {
			continue
		}
		r.Header.Set("If-None-Match", h.Get("ETag"))
		again := httptest.NewRecorder()
		web.ServeHTTP(again, r)
		if again.Code != 304 || again.Body.Len() != 0 {
			t.Errorf("%s again: %d", c.path, again.Code)
		}
	}
	r := httptest.NewRequest("POST", "/", nil)
	r.Host = "127.0.0.1"
	w := httptest.NewRecorder()
	web.ServeHTTP(w, r)
	if w.Code != 405 {
		t.Errorf("POST: %d", w.Code)
	}
}

// TestWebWithoutApp holds that the program works without the bundle.
func TestWebWithoutApp(t *testing.T) {
	s := run(t, nil)
	web := s.guard(s.web(fstest.MapFS{".keep": &fstest.MapFile{}}))
	for path, want := range map[string]string{"/": "The pages are not built in", "/a/x": "The pages are not built in", "/tokens.css": "--surface:"} {
		r := httptest.NewRequest("GET", path, nil)
		r.Host = "127.0.0.1"
		r.Header.Set("Accept", "text/html")
		w := httptest.NewRecorder()
		web.ServeHTTP(w, r)
		if w.Code != 200 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

// TestHardening holds the headers of every kind of answer.
func TestHardening(t *testing.T) {
	s := run(t, func(s *Server) { s.NoLogin = false })
	for _, path := range []string{"/", "/login", "/setup", "/page.css", "/tokens.css", "/api/v1/health", "/api/v1/tags", "/nothing", "/api/v2"} {
		a := s.ask("GET", path, "")
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin"} {
			if a.header.Get(name) != want {
				t.Errorf("%s: %s is %q", path, name, a.header.Get(name))
			}
		}
		csp := a.header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self';", "style-src 'self';", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
			if !strings.Contains(csp, want) {
				t.Errorf("%s: CSP %q lacks %s", path, csp, want)
			}
		}
		if strings.Contains(csp, "unsafe") || strings.Contains(csp, "*") {
			t.Errorf("%s: CSP %q", path, csp)
		}
		if a.header.Get("Access-Control-Allow-Origin") != "" || a.header.Get("Server") != "" {
			t.Errorf("%s: %s", path, a.header)
		}
	}
	if a := s.ask("GET", "/page.css", ""); a.status != 200 || !strings.HasPrefix(a.header.Get("Content-Type"), "text/css") {
		t.Errorf("page.css: %d %s", a.status, a.header)
	}
}

// TestCatalogue holds the templates and the catalogue against each other.
func TestCatalogue(t *testing.T) {
	// Those that the code names.
	used := map[string]bool{"login.wrong": true, "login.wait": true, "setup.code": true, "setup.name": true, "setup.password": true, "setup.repeat": true,
		"link.priority": true, "link.for": true, "link.means": true, "link.done": true, "link.acknowledged": true, "link.used": true, "link.expired": true,
		"link.unknown": true, "time": true, "span.minutes": true, "span.hours": true, "span.days": true}
	for _, kind := range []string{plant.KindAnomaly, plant.KindHigh, plant.KindHighHigh, plant.KindLow, plant.KindLowLow, plant.KindRate, plant.KindFlat, plant.KindStuck,
		plant.KindSpike, plant.KindDropout, plant.KindBad, plant.KindRange, plant.KindPLC, plant.KindEdge, plant.KindQueue, plant.KindModel, plant.KindCertificate, plant.KindException, plant.KindCheckpoint, plant.KindLoss, plant.KindQuarantine, plant.KindTwin, plant.KindHole, plant.KindUnread, plant.KindPLCAlarm, plant.KindPLCFlood} {
		used["kind."+kind] = true
	}
	verb := regexp.MustCompile(`%.`)
	key := regexp.MustCompile(`index \$?\.T "([^"]+)"`)
	plain := regexp.MustCompile(`>[^<{]*[A-Za-z][^<{]*<`)
	files, err := pageFiles.ReadDir("pages")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".html") {
			continue
		}
		b, err := pageFiles.ReadFile("pages/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range key.FindAllStringSubmatch(string(b), -1) {
			used[m[1]] = true
			if english[m[1]] == "" {
				t.Errorf("%s: no text for %s", f.Name(), m[1])
			}
		}
		for _, m := range plain.FindAllString(string(b), -1) {
			if m != ">/api/v1/assets<" {
				t.Errorf("%s: text outside the catalogue: %s", f.Name(), m)
			}
		}
	}
	for k := range english {
		if !used[k] {
			t.Errorf("nobody uses %s", k)
		}
	}
	for k := range used {
		if english[k] == "" {
			t.Errorf("no text for %s", k)
		}
	}
	// Every language says everything, with the same things filled in.
	for _, language := range []string{plant.Urdu, plant.Russian} {
		texts := catalogue(language)
		if len(texts) != len(english) {
			t.Errorf("%s has %d texts, English %d", language, len(texts), len(english))
		}
		for k, text := range english {
			if texts[k] == "" || !slices.Equal(verb.FindAllString(text, -1), verb.FindAllString(texts[k], -1)) {
				t.Errorf("%s: %s is %q, in English %q", language, k, texts[k], text)
			}
		}
	}
}

func TestAccepts(t *testing.T) {
	for header, want := range map[string]bool{"": false, "br": true, "gzip, BR": true, "br;q=0.5": true, "br; q=0": false, "br;q=0.000": false, "brx": false, "*": false, "br;q=x": false} {
		if got := accepts(header, "br"); got != want {
			t.Errorf("%q: %v", header, got)
		}
	}
}

// TestDistIsWhole holds, where the app has been built, that its page names only
// files that are there.
func TestDistIsWhole(t *testing.T) {
	assets, err := readAssets(webFiles())
	if err != nil {
		t.Fatal(err)
	}
	if assets["index.html"] == nil {
		t.Skip("the web app is not built")
	}
	page := string(assets["index.html"].bodies[""])
	for _, m := range regexp.MustCompile(`(?:src|href)="/([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if assets[m[1]] == nil {
			t.Errorf("index.html names %s, which is not there", m[1])
		}
	}
	if i := slices.IndexFunc([]string{"<script>", "style=\"", "onclick=", "http://", "https://"}, func(s string) bool { return strings.Contains(page, s) }); i >= 0 {
		t.Errorf("index.html breaks the content policy")
	}
}
