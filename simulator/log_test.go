package simulator

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"millwright/plant"
	"millwright/simulator/server"
)

func TestJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "samples")
	values := []server.Value{
		{Seq: 1, Time: 1_700_000_000_123_000_000, Number: 1.5},
		{Seq: 2, Time: 1_700_000_000_124_000_000, Number: math.NaN(), Quality: plant.BadSensorFailure},
		{Seq: 3, Time: 1_700_000_000_125_000_000, Number: math.Inf(-1)},
		{Seq: 4, Time: 1_700_000_000_126_000_000, Number: 0.1 + 0.2},
	}
	const tag = "REPLAY/Volume \"Flow\"; ü"
	put := func() {
		j, err := openJournal(path)
		if err != nil {
			t.Fatal(err)
		}
		j.write(func(b []byte) []byte {
			for i := range values {
				b = appendOffer(b, quote(tag), &values[i], false)
			}
			return appendOffer(b, quote("MODE"), &server.Value{Seq: 1, Text: "a\n\"b\""}, true)
		})
		if err := j.close(); err != nil {
			t.Fatal(err)
		}
	}
	put()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"tag":"REPLAY/Volume \"Flow\"; ü","seq":1,"time":1700000000123,"value":1.5,"quality":0}` + "\n"; !strings.HasPrefix(string(b), want) {
		t.Errorf("%s\nwant %s", b, want)
	}
	// A kill tears the last line; the next start cuts it off and goes on.
	if err := os.WriteFile(path, append(b, `{"tag":"x","se`...), 0o600); err != nil {
		t.Fatal(err)
	}
	put()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	for o, err := range ReadSamples(path, f) {
		if err != nil {
			t.Fatal(err)
		}
		if i := n % 5; i < 4 {
			v := values[i]
			if o.Tag != tag || o.Seq != v.Seq || o.Time != v.Time || o.Quality != v.Quality || o.IsText ||
				math.Float64bits(o.Value) != math.Float64bits(v.Number) && !math.IsNaN(v.Number) {
				t.Errorf("entry %d: %+v, want %+v", n, o, v)
			}
		} else if o.Text != "a\n\"b\"" || !o.IsText {
			t.Errorf("entry %d: %+v", n, o)
		}
		n++
	}
	if n != 10 {
		t.Errorf("%d entries, want 10", n)
	}
}

func TestLedgerRoundTrip(t *testing.T) {
	want := Truth{Time: 1_700_000_000_123_000_000, PlantTime: 90050 * time.Millisecond, Asset: "BOF/C1/FAN", Fault: "stuck=VIB_H", Severity: 0.35}
	line := appendTruth(nil, &want)
	if string(line) != `{"time":1700000000123,"plant_time":90.05,"asset":"BOF/C1/FAN","fault":"stuck=VIB_H","severity":0.35}`+"\n" {
		t.Errorf("%s", line)
	}
	for got, err := range ReadLedger("l", bytes.NewReader(line)) {
		if err != nil || got != want {
			t.Errorf("%+v, %v", got, err)
		}
	}
	f := func(text, want string) {
		t.Helper()
		var last error
		for _, err := range ReadLedger("l", strings.NewReader(text)) {
			last = err
		}
		if last == nil || !strings.Contains(last.Error(), want) {
			t.Errorf("%q: %v, want %q", text, last, want)
		}
	}
	f("{}\n", "l:1: is no line of a ledger")
	f(string(line)+"nonsense\n", "l:2: ")
	f(strings.Repeat("x", 2<<20)+"\n", "l:1: bufio: buffer full")
	for _, err := range ReadLedger("l", strings.NewReader(string(line)+`{"ti`)) {
		if err != nil {
			t.Errorf("a torn last line: %v", err)
		}
	}
}

func FuzzReadLogs(f *testing.F) {
	f.Add([]byte(`{"time":1,"plant_time":90.05,"asset":"A","fault":"b","severity":0.5}` + "\n"))
	f.Add([]byte(`{"tag":"A","seq":1,"time":1,"value":-1e999,"quality":0}` + "\n" + `{"tag":"A","seq":1,"time":1,"value":"x","quality":2147483648}` + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for l, err := range ReadLedger("l", bytes.NewReader(data)) {
			if err != nil {
				break
			}
			for again, err := range ReadLedger("l", bytes.NewReader(appendTruth(nil, &l))) {
				if err != nil || again.Asset != l.Asset || again.Time != l.Time {
					t.Fatalf("%+v written and read as %+v, %v", l, again, err)
				}
			}
		}
		for o, err := range ReadSamples("s", bytes.NewReader(data)) {
			if err != nil {
				break
			}
			v := server.Value{Seq: o.Seq, Time: o.Time, Number: o.Value, Text: o.Text, Quality: o.Quality}
			for again, err := range ReadSamples("s", bytes.NewReader(appendOffer(nil, quote(o.Tag), &v, o.IsText))) {
				if err != nil || again.Time != o.Time || again.Text != o.Text || again.Value != o.Value && !math.IsNaN(o.Value) {
					t.Fatalf("%+v written and read as %+v, %v", o, again, err)
				}
			}
		}
	})
}
