package main

import (
	"bytes"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"millwright/plant"
	"millwright/simulator/ledger"
)

func TestGlob(t *testing.T) {
	for pattern, want := range map[string]string{
		"*": "|a|ab|a/b", "": "", "a": "a", "a*": "a|ab|a/b", "*b": "ab|a/b", "a*b": "ab|a/b", "*a*b*": "ab|a/b", "a*a": "", "ab*b": "", "**": "|a|ab|a/b", "*/*": "a/b",
	} {
		var got []string
		for _, s := range []string{"", "a", "ab", "a/b"} {
			if glob(pattern, s) {
				got = append(got, s)
			}
		}
		if strings.Join(got, "|") != want {
			t.Errorf("%q matches %q, want %q", pattern, got, want)
		}
	}
	if glob(strings.Repeat("*a", 40)+"*b", strings.Repeat("a", 200)) { // years, if every * were tried everywhere
		t.Error("found a b")
	}
}

// A time that is beyond those of a log is as good as none.
func TestSpanFarAway(t *testing.T) {
	const now = 1_700_000_000_000_000_000
	for _, to := range []string{"9999-01-01T00:00:00Z", "2500000h", ""} {
		var s span
		if err := s.parse("0001-01-01T00:00:00Z", to); err != nil || !s.has(now) || !s.has(now+1) {
			t.Errorf("--to %s: %v, %+v", to, err, s)
		}
	}
	s := span{}
	if err := s.parse("2500000h", ""); err != nil || s.has(now) || s.has(math.MaxInt64-1) {
		t.Errorf("%v, %+v", err, s)
	}
}

// What is asked for is asked of both logs.
func TestCompareOfSome(t *testing.T) {
	write := func(name string, of float64) string {
		path := filepath.Join(t.TempDir(), name)
		l, err := ledger.OpenSamples(path, []plant.Tag{{Path: "A/X"}, {Path: "B/Y"}, {Path: "A/W", Kind: plant.Burst}, {Path: "B/W", Kind: plant.Burst}})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 5 {
			at := int64(i) * 1_000_000_000
			l.Write([]ledger.Value{{Tag: 0, Time: at, Number: float64(i)}, {Tag: 1, Time: at, Number: of}})
			l.Write([]ledger.Value{{Tag: 2, Time: at, Number: 0.5 + float64(i)*of*1e-10}, {Tag: 3, Time: at, Number: 1 + of*1e-8}})
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		return path
	}
	a, b := write("a", 1), write("b", 2)
	compare := func(c ledgerCmd) (string, error) {
		f, err := os.Open(a)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		var out bytes.Buffer
		var s span
		if err := s.parse(c.From, c.To); err != nil {
			t.Fatal(err)
		}
		c.File, c.Compare = a, b
		err = c.samples(&out, &s, ledger.ReadSamples(a, io.Reader(f)))
		return out.String(), err
	}
	for _, x := range []struct {
		ledgerCmd
		want string
	}{
		{ledgerCmd{Tag: "*/X"}, "5 values compared, 0 of them bursts of vibration, 0 not equal"},
		{ledgerCmd{Asset: "A"}, "10 values compared, 5 of them bursts of vibration, 4 not equal"},
		{ledgerCmd{Asset: "A", From: "2s", To: "3s"}, "4 values compared, 2 of them bursts of vibration, 2 not equal"},
	} {
		if out, err := compare(x.ledgerCmd); err != nil || !strings.Contains(out, x.want) {
			t.Errorf("%+v: %v, %s", x, err, out)
		}
	}
	if out, err := compare(ledgerCmd{Tag: "B/W"}); err == nil || !strings.Contains(out, "B/W at 0 ms is") {
		t.Errorf("a burst that differs by 1e-8: %v, %s", err, out)
	}
	if _, err := compare(ledgerCmd{Asset: "B"}); err == nil {
		t.Error("B/Y does not differ")
	}
}
