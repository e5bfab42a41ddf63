package bundle

import (
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
)

func TestServesNothingElse(t *testing.T) {
	s := newSite(t)
	s.push("gbx-1")
	_, list, err := s.Plan()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.public("targets", list[0].SHA256+".x.new"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	f := func(method, path string, want int) {
		t.Helper()
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(method, "http://plant"+path, nil))
		if w.Code != want {
			t.Errorf("%s %s: %d, want %d", method, path, w.Code, want)
		}
	}
	for _, name := range []string{"/timestamp.json", "/1.root.json", "/1.targets.json", "/targets/" + list[0].SHA256 + ".gbx-1.mwb"} {
		f(http.MethodGet, name, 200)
		f(http.MethodHead, name, 200)
		f(http.MethodPut, name, 405)
		f(http.MethodDelete, name, 405)
	}
	for _, name := range []string{
		"/", "/targets", "/targets/", "/lock", "/keys", "/../keys/", "/../lock", "/%2e%2e/lock", "/99.root.json",
		"/targets/..%2f..%2flock", "/targets/" + list[0].SHA256 + ".x.new", "//timestamp.json", "/timestamp.json.new",
	} {
		f(http.MethodGet, name, 404)
	}
}
