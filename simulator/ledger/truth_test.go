package ledger

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTruth(t *testing.T) {
	want := Truth{Time: 1_700_000_000_123_000_000, PlantTime: 90050 * time.Millisecond, Asset: "BOF/C1/FAN", Fault: "stuck=VIB_H", Severity: 0.35}
	line := AppendTruth(nil, want)
	if string(line) != `{"time":1700000000123,"plant_time":90.05,"asset":"BOF/C1/FAN","fault":"stuck=VIB_H","severity":0.35}`+"\n" {
		t.Errorf("%s", line)
	}
	for got, err := range ReadTruths("l", bytes.NewReader(line)) {
		if err != nil || got != want {
			t.Errorf("%+v, %v", got, err)
		}
	}
	f := func(text, want string) {
		t.Helper()
		var last error
		for _, err := range ReadTruths("l", strings.NewReader(text)) {
			last = err
		}
		if last == nil || !strings.Contains(last.Error(), want) {
			t.Errorf("%q: %v, want %q", text, last, want)
		}
	}
	f("{}\n", "l:1: is no line of a ledger")
	f(string(line)+"nonsense\n", "l:2: ")
	f(strings.Repeat("x", 2<<20)+"\n", "l:1: the line is longer than 1 MiB")
	f(strings.Replace(string(line), "0.35", "1.5", 1), "l:1: severity 1.5, allowed is 0 to 1")
	f(strings.Replace(string(line), "0.35", "-1", 1), "l:1: severity -1, allowed is 0 to 1")
	for _, err := range ReadTruths("l", strings.NewReader(string(line)+`{"ti`)) {
		if err != nil {
			t.Errorf("a torn last line: %v", err)
		}
	}
}

// A kill tears the last line; the next start cuts it off and goes on.
func TestTruthsGoOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger")
	for i := range 3 {
		l, err := OpenTruths(path)
		if err != nil {
			t.Fatal(err)
		}
		l.Write(Truth{Asset: "A", Fault: "b", Severity: float64(i) / 4})
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(b, `{"time":1,"as`...), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	for l, err := range ReadTruths(path, f) {
		if err != nil || l.Severity != float64(n)/4 {
			t.Fatalf("%+v, %v", l, err)
		}
		n++
	}
	if n != 3 {
		t.Errorf("%d entries, want 3", n)
	}
}

func FuzzReadTruths(f *testing.F) {
	f.Add([]byte(`{"time":1,"plant_time":90.05,"asset":"A","fault":"b","severity":0.5}` + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for l, err := range ReadTruths("l", bytes.NewReader(data)) {
			if err != nil {
				break
			}
			for again, err := range ReadTruths("l", bytes.NewReader(AppendTruth(nil, l))) {
				if err != nil || again.Asset != l.Asset || again.Time != l.Time {
					t.Fatalf("%+v written and read as %+v, %v", l, again, err)
				}
			}
		}
	})
}
