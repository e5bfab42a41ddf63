package collector

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"millwright/plant"
)

// TestRejoin: of another box's state stays what was read of each tag, as the plant
// has it; its session and subscription do not.
func TestRejoin(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mill.subscription")
	if err := Rejoin(file, nil, 0); err != nil {
		t.Errorf("without a file: %v", err)
	}
	at := func(s int) int64 { return int64(s) * int64(time.Second) }
	s := state{items: 5, started: 9, token: []byte{1}, nonce: []byte{2}, subscription: 7, next: 3, publishing: time.Second, since: 8,
		tags:  []tagState{{id: 1, last: at(1000)}, {id: 2, last: noTime}, {id: 3, last: at(500), reason: serverDown}},
		holes: []holeState{{id: 3, why: linkDown, span: span{from: at(1), to: at(2), next: at(2)}}}}
	for _, c := range []struct {
		behind int64
		want   [3]int64
	}{
		{0, [3]int64{at(2000) - int64(flightMargin), at(1990) - int64(flightMargin), at(500)}},
		{at(1200), [3]int64{at(1200) - int64(behindMargin), at(1200) - int64(behindMargin), at(500)}},
	} {
		for name, b := range map[string][]byte{file: s.append(nil), file + markSuffix: make([]byte, markSize)} {
			if err := os.WriteFile(name, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := Rejoin(file, map[plant.TagID]int64{1: at(2000), 2: at(1990)}, c.behind); err != nil {
			t.Fatal(err)
		}
		got, err := readState(file)
		if err != nil {
			t.Fatal(err)
		}
		if got.subscription != 0 || len(got.token)+len(got.nonce) > 0 || got.items == 5 || len(got.holes) != 1 || got.tags[2].reason != serverDown {
			t.Errorf("%+v", got)
		}
		for i, want := range c.want {
			if got.tags[i].last != want {
				t.Errorf("behind %d: tag %d was read until %d, want %d", c.behind, i+1, got.tags[i].last, want)
			}
		}
		if _, err := os.Stat(file + markSuffix); err == nil {
			t.Error("the mark of the other box's subscription is left")
		}
	}
	if err := os.WriteFile(file, []byte("torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Rejoin(file, nil, 0); err == nil {
		t.Error("a damaged file was taken")
	}
}
