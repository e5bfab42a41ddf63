package main

import (
	"bytes"
	"io"
	"testing"
)

func TestHeld(t *testing.T) {
	var out bytes.Buffer
	h := &held{w: &out}
	_, _ = io.WriteString(h, "early\n")
	if out.Len() > 0 {
		t.Errorf("written before the release: %q", out.String())
	}
	h.release()
	h.release()
	_, _ = io.WriteString(h, "late\n")
	if got := out.String(); got != "early\nlate\n" {
		t.Errorf("got %q", got)
	}
}
