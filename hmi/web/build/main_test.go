package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestPackages(t *testing.T) {
	got := packages([]string{
		"src/main.tsx",
		"node_modules/preact/dist/preact.module.js",
		"node_modules/preact/jsx-runtime/dist/jsxRuntime.module.js",
		"node_modules/@preact/signals/node_modules/@preact/signals-core/dist/core.mjs",
	})
	want := []string{"@preact/signals-core", "preact"}
	if !slices.Equal(got, want) {
		t.Errorf("packages: %v, want %v", got, want)
	}
}

func TestCheckOrigins(t *testing.T) {
	f := func(name, text, want string) {
		t.Helper()
		b := &bundle{files: map[string][]byte{name: []byte(text)}}
		err := b.checkOrigins()
		if want == "" && err != nil {
			t.Errorf("%s %q refused: %v", name, text, err)
		}
		if want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s %q: error %v, want %q in it", name, text, err, want)
		}
	}
	f("a.js", `e("http://www.w3.org/2000/svg")`, "")
	f("a.js", `fetch("/api/v1/health")`, "")
	f("a.js", `fetch("https://example.com/x")`, "https://example.com")
	f("a.css", `@import url(http://fonts.example/x)`, "http://fonts.example")
	f("a.js", "new WebSocket(`wss://example.org/live`)", "wss://example.org")
	f("LICENSES.txt", "see https://example.org", "")
}

func TestWriteRemovesOldFiles(t *testing.T) {
	dir := t.TempDir()
	first := &bundle{files: map[string][]byte{"index.html": []byte("1"), "assets/a.js": []byte("1")}}
	if err := first.write(dir); err != nil {
		t.Fatal(err)
	}
	second := &bundle{files: map[string][]byte{"index.html": []byte("2"), "assets/b.js": []byte("2")}}
	if err := second.write(dir); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"index.html": true, "assets/b.js": true, "assets/b.js.gz": true, "assets/a.js": false, "assets/a.js.gz": false} {
		if got := exists(dir, name); got != want {
			t.Errorf("%s exists: %v, want %v", name, got, want)
		}
	}
}

func exists(dir, name string) bool {
	_, err := os.Stat(filepath.Join(dir, filepath.FromSlash(name)))
	return err == nil
}
