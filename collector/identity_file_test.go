package collector

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"millwright/plant"
)

func keptSamples() []keptSelf {
	at := func(s string) []plant.BrowseName {
		p, _ := plant.ParseBrowse(s)
		return p
	}
	full := imprint{hasType: true, hasRank: true, hasUnit: true, hasRange: true, dataType: "i=11", rank: -1,
		unit: unit{"http://www.opcfoundation.org/UA/units/un/cefact", 4408652, "°C"}, low: -40, high: 200.5}
	other := full
	other.unit = unit{id: -1, name: "bar"}
	return []keptSelf{
		{id: 1, self: self{hash: 7, is: full, path: at("nsu=urn:mill;F3/GBX/VIB_H"), description: "Vibration"}},
		{id: 2, self: self{hash: 8, is: other, path: at("nsu=urn:mill;F3/GBX/VIB_V"), node: "nsu=urn:mill;i=7", void: plant.ReleaseNew}},
		{id: 900, self: self{path: at("Server")}},
		{id: 1 << 31, tag: "A/T", self: self{hash: math.MaxUint64, is: full, shut: &shut{since: 12345, is: other, path: at("ns=3;x"), what: []string{"unit", "path"}}}},
		{id: 1<<32 - 2, self: self{is: imprint{hasRank: true, rank: 3}}},
	}
}

func TestIdentityFile(t *testing.T) {
	want := keptSamples()
	b := appendIdentity(nil, keptSamples())
	got, err := decodeIdentity(b)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	for i := range b {
		bad := append([]byte(nil), b...)
		bad[i] ^= 0x10
		if _, err := decodeIdentity(bad); err == nil {
			t.Fatalf("byte %d may be wrong", i)
		}
		if _, err := decodeIdentity(b[:i]); err == nil {
			t.Fatalf("%d bytes are taken for all", i)
		}
	}
}

// TestIdentityFileDamaged: the file is set aside and the tags are taken as they are.
func TestIdentityFileDamaged(t *testing.T) {
	file := filepath.Join(t.TempDir(), "plc")
	if err := os.WriteFile(file+identitySuffix, []byte("MWOPCID1 but then"), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := openIdentity(file, []plant.Tag{{ID: 1, Path: "A/T1", Node: "i=1"}}, logger(t))
	if err == nil || !strings.Contains(err.Error(), "checksum") || d == nil || d.list[0].known() {
		t.Errorf("%+v, %v", d, err)
	}
	if _, err := os.Stat(file + identitySuffix + ".refused"); err != nil {
		t.Error(err)
	}
}

// TestIdentityOfOtherTagList: another node or browse path in the tag list is another
// tag, as far as its node is concerned.
func TestIdentityOfOtherTagList(t *testing.T) {
	file := filepath.Join(t.TempDir(), "plc")
	tags := []plant.Tag{{ID: 1, Path: "A/T1", Node: "i=1"}, {ID: 2, Path: "A/T2", Node: "i=2"}, {ID: 3, Path: "A/T3", Node: "i=3", Browse: "a/b"}}
	d, err := openIdentity(file, tags, logger(t))
	if err != nil {
		t.Fatal(err)
	}
	for i := range d.list {
		d.list[i].is = imprint{hasType: true, dataType: "i=11"}
	}
	if err := d.write(); err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(file + identitySuffix)
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st, err)
	}
	next := []plant.Tag{{ID: 1, Path: "A/T1", Node: "i=1"}, {ID: 2, Path: "A/T2", Node: "i=99"}, {ID: 3, Path: "A/T3", Node: "i=3", Browse: "a/c"}}
	if d, err = openIdentity(file, next, logger(t)); err != nil {
		t.Fatal(err)
	}
	if !d.list[0].is.known() || d.list[1].is.known() || d.list[2].is.known() || plant.FormatBrowse(d.list[2].path) != "a/c" {
		t.Errorf("%+v", d.list)
	}
}

func FuzzIdentityFile(f *testing.F) {
	f.Add(appendIdentity(nil, keptSamples()))
	f.Add(appendIdentity(nil, nil))
	f.Add([]byte(identityMagic + "\x01\x02"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 4 { // let it past the checksum
			b = binary.LittleEndian.AppendUint32(b[:len(b)-4:len(b)-4], crc32.Checksum(b[:len(b)-4], castagnoli))
		}
		kept, err := decodeIdentity(b)
		if err != nil {
			return
		}
		again, err := decodeIdentity(appendIdentity(nil, kept))
		if err != nil || fmt.Sprintf("%+v", again) != fmt.Sprintf("%+v", kept) && len(again) != len(kept) {
			t.Errorf("%+v became %+v, %v", kept, again, err)
		}
	})
}

func TestImprintChanges(t *testing.T) {
	base := imprint{hasType: true, hasRank: true, hasUnit: true, hasRange: true, dataType: "i=11", rank: -1, unit: unit{"un", 4408652, "°C"}, low: 0, high: 200}
	for want, change := range map[string]func(f *imprint){
		"":                func(*imprint) {},
		"type":            func(f *imprint) { f.dataType = "i=4" },
		"unit":            func(f *imprint) { f.unit = unit{"un", 4604232, "°F"} },
		"range":           func(f *imprint) { f.high = 400 },
		"type,unit,range": func(f *imprint) { f.rank, f.unit.id, f.low = 1, 5, -1 },
	} {
		is := base
		change(&is)
		if got := strings.Join(base.changes(&is), ","); got != want {
			t.Errorf("%s: %q, want %q", is.String(), got, want)
		}
	}
	for name, is := range map[string]imprint{
		"nothing could be read":      {},
		"the unit has another name":  {hasUnit: true, unit: unit{"un", 4408652, "degC"}},
		"the range cannot be read":   {hasType: true, hasRank: true, hasUnit: true, dataType: "i=11", rank: -1, unit: base.unit},
		"there is a text without id": {hasUnit: true, unit: unit{"", 0, "°C"}},
	} {
		if got := base.changes(&is); got != nil {
			t.Errorf("%s: %v", name, got)
		}
	}
	bare := imprint{hasType: true, dataType: "i=11"}
	if got := bare.changes(&base); got != nil {
		t.Errorf("what appears is a change: %v", got)
	}
	if !bare.adopt(&base) || bare != base || bare.adopt(&base) {
		t.Errorf("adopted %+v", bare)
	}
	if s := base.String(); s != "Double, °C, 0 to 200" {
		t.Error(s)
	}
}
