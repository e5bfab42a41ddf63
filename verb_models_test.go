package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestModels takes a bundle from its file to a plan, on the command line.
func TestModels(t *testing.T) {
	const file = "models/bundle/testdata/gearbox.mwb"
	dir := t.TempDir()
	data, keys := filepath.Join(dir, "data"), filepath.Join(dir, "stick")
	f := func(code int, want string, args ...string) {
		t.Helper()
		var out strings.Builder
		if got := run(append([]string{"models"}, args...), strings.NewReader(""), &out, &out); got != code || !strings.Contains(out.String(), want) {
			t.Errorf("%v: %d, want %d and %q:\n%s", args, got, code, want, out.String())
		}
	}
	f(0, "16 windows as where it was trained", "verify", file)
	f(0, "lock them into a safe", "init", "--data", data, "--keys", keys)
	f(1, "no such file", "push", file, "--data", data, "--keys", dir)
	f(0, "HSM.GBX-1 is in the repository", "push", file, "--data", data, "--keys", keys, "--who", "eva")
	f(1, "is there already", "push", file, "--data", data, "--keys", keys)
	f(0, "shadow HSM.GBX-1: HSM/GBX", "shadow", "HSM.GBX-1", "--data", data)
	f(1, "is for HSM/GBX, not for HSM/P1", "shadow", "HSM.GBX-1", "--asset", "HSM/P1", "--data", data)
	f(0, "HSM/GBX  learned  HSM.GBX-1  -", "list", "--data", data)
	f(0, "promote HSM.GBX-1: HSM/GBX", "promote", "HSM.GBX-1", "--reason", "found the pump fault", "--data", data)
	f(0, "HSM/GBX  HSM.GBX-1  -       learned", "list", "--data", data)
	f(0, "shadow -: HSM/GBX", "shadow", "--asset", "HSM/GBX", "--data", data)
	f(0, "rollback -: HSM/GBX", "rollback", "--asset", "HSM/GBX", "--reason", "too many alarms", "--data", data)
	f(0, "alarms_per_week=0.5", "list", "--data", data)
	f(0, "promote learned: HSM/GBX", "promote", "learned", "--asset", "HSM/GBX", "--reason", "none of it", "--data", data)

	// The same through a running plant.
	var got struct {
		ID, Reason string
		Assets     []string
	}
	plant := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer secret" {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"detail":"log in first"}`))
			return
		}
		if r.Method != http.MethodPost || r.URL.Path != "/api/v1/models/promote" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_ = json.NewDecoder(r.Body).Decode(&got)
	}))
	defer plant.Close()
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f(1, "log in first", "promote", "x", "--url", plant.URL, "--asset", "A", "--reason", "r")
	f(1, "404 Not Found", "rollback", "--url", plant.URL, "--asset", "A", "--reason", "r", "--token-file", token)
	f(0, "promote x: A, B", "promote", "x", "--url", plant.URL+"/", "--asset", "A", "--asset", "B", "--reason", "r", "--token-file", token)
	if got.ID != "x" || got.Reason != "r" || strings.Join(got.Assets, " ") != "A B" {
		t.Errorf("%+v", got)
	}
	f(2, "--url needs --asset", "promote", "x", "--url", plant.URL, "--reason", "r")
}
