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
		l, err := ledger.OpenSamples(path, []plant.Tag{{Path: "A/X"}, {Path: "B/Y"}})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 5 {
			at := int64(i) * 1_000_000_000
			l.Write([]ledger.Value{{Tag: 0, Time: at, Number: float64(i)}, {Tag: 1, Time: at, Number: of}})
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
	for _, c := range []ledgerCmd{{Tag: "*/X"}, {Asset: "A"}, {Asset: "A", From: "2s", To: "3s"}} {
		if out, err := compare(c); err != nil || !strings.Contains(out, " values compared, 0 of them") {
			t.Errorf("%+v: %v, %s", c, err, out)
		}
	}
	if _, err := compare(ledgerCmd{Asset: "B"}); err == nil {
		t.Error("B/Y does not differ")
	}
}
