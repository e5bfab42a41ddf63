package collector

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"millwright/plant"
)

// shutTags is what a source with tags in quarantine has, without a server.
func shutTags(t *testing.T, file string, tags []plant.Tag) {
	t.Helper()
	d, err := openIdentity(file, tags, logger(t))
	if err != nil {
		t.Fatal(err)
	}
	for i := range d.list {
		d.list[i].is = imprint{hasRange: true, high: 100}
		d.list[i].shut = &shut{since: 1, is: imprint{hasRange: true, high: 50}, what: []string{changedRange}}
	}
	if err := d.write(); err != nil {
		t.Fatal(err)
	}
}

// TestRequestRelease: a tag is released by a file in the edge's data folder, also
// while no PLC is there, and the answer comes back. What comes of another hand is
// left alone.
func TestRequestRelease(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	tags := []plant.Tag{{ID: 1, Path: "A/T1", Node: "i=1"}, {ID: 2, Path: "A/T2", Node: "i=2"}, {ID: 3, Path: "A/T3", Node: "i=3"}}
	file := StateFileOf(data, "plc1")
	shutTags(t, file, tags)
	if list, err := Quarantined(data, "plc1"); err != nil || len(list) != 3 || list[1].Was != "0 to 100" || list[1].Is != "0 to 50" {
		t.Errorf("%+v, %v", list, err)
	}
	short := func() (context.Context, context.CancelFunc) {
		return context.WithTimeout(t.Context(), 300*time.Millisecond)
	}
	ctx, cancel := short()
	defer cancel()
	if err := RequestRelease(ctx, data, "plc1", "A/T1", plant.ReleaseSame, "eva"); !errors.Is(err, ErrPending) {
		t.Errorf("without an edge: %v", err)
	}
	left, _ := filepath.Glob(filepath.Join(data, "release", "*.json"))
	if len(left) != 1 {
		t.Fatalf("left: %v", left)
	}
	if st, err := os.Stat(left[0]); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
	log, said := listen(t)
	s := &Source{Name: "plc1", URL: "opc.tcp://127.0.0.1:1", Tags: tags, StateFile: file, Log: log}
	start(t, s, newStore(s))
	eventually(t, 10*time.Second, "the one that waited", func() bool { return len(s.Status().Quarantined) == 2 })

	wait, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	if err := RequestRelease(wait, data, "plc1", "A/T2", plant.ReleaseRescaled, "eva"); err != nil {
		t.Error(err)
	}
	if err := RequestRelease(wait, data, "plc1", "A/T2", plant.ReleaseSame, "eva"); err == nil || !strings.Contains(err.Error(), "not in quarantine") {
		t.Errorf("twice: %v", err)
	}
	for _, r := range []struct{ plc, tag, as, by string }{{"", "A/T3", "same", "eva"}, {"plc1", "", "same", "eva"}, {"plc1", "A/T3", "better", "eva"}, {"plc1", "A/T3", "same", " "}} {
		if err := RequestRelease(wait, data, r.plc, r.tag, plant.Release(r.as), r.by); err == nil || errors.Is(err, ErrPending) {
			t.Errorf("%+v: %v", r, err)
		}
	}
	other, cancelOther := short()
	defer cancelOther()
	if err := RequestRelease(other, data, "plc2", "A/T3", plant.ReleaseSame, "eva"); !errors.Is(err, ErrPending) {
		t.Errorf("of another PLC: %v", err)
	}
	if n := said("tag=A/T2 as=rescaled by=eva"); n != 1 {
		t.Errorf("%d lines of audit", n)
	}
	if list, err := Quarantined(data, "plc1"); err != nil || len(list) != 1 || list[0].Tag != "A/T3" {
		t.Errorf("%+v, %v", list, err)
	}
	for name, text := range map[string]string{"junk": "{", "old": `{"plc":"plc1","tag":"A/T3","as":"same","by":"eva","at":1}`} {
		if err := os.WriteFile(filepath.Join(data, "release", name+".json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, 10*time.Second, "both are looked at", func() bool {
		return said("older than a week") == 1 && said("a request to release a tag") >= 1
	})
	if list, _ := Quarantined(data, "plc1"); len(list) != 1 {
		t.Errorf("%+v", list)
	}
}

func FuzzRequest(f *testing.F) {
	for _, s := range []string{`{"plc":"p","tag":"A/T","as":"new","by":"eva","at":7}`, `{}`, `[1]`, `{"plc":"p","more":1}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decodeRequest(b)
		if err == nil && (r.check() != nil || r.PLC == "" || r.As.Check() != nil) {
			t.Errorf("%q gave %+v", b, r)
		}
	})
}
