package plant

import (
	"slices"
	"strings"
	"testing"
)

func TestParseBrowse(t *testing.T) {
	mill := func(name string) BrowseName { return BrowseName{URI: "urn:mill", Name: name} }
	for s, want := range map[string][]BrowseName{
		"":                                    nil,
		"Server":                              {{Name: "Server"}},
		"nsu=urn:mill;F3/GBX/VIB_H":           {mill("F3"), mill("GBX"), mill("VIB_H")},
		"Objects/nsu=http://a/b%3Bc%25;x/y":   {{Name: "Objects"}, {URI: "http://a/b;c%", Name: "x"}, {URI: "http://a/b;c%", Name: "y"}},
		"ns=3;a&/b&&c/ns=0;d":                 {{Index: 3, Name: "a/b&c"}, {Name: "d"}},
		`nsu=urn:mill;"DB1"."Speed"/&ns=1;é `: {mill(`"DB1"."Speed"`), mill("ns=1;é ")},
	} {
		got, err := ParseBrowse(s)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %+v, %v", s, got, err)
		}
		if f := FormatBrowse(got); f != s {
			t.Errorf("%q is written %q", s, f)
		}
	}
	for _, s := range []string{"/a", "a/", "a//b", "a&", "nsu=urn:mill;", "nsu=;a", "nsu=urn:mill", "ns=65536;a", "ns=x;a", "ns=1",
		strings.Repeat("a/", 64) + "a", strings.Repeat("a", 5000)} {
		if p, err := ParseBrowse(s); err == nil {
			t.Errorf("%q is taken: %+v", s, p)
		}
	}
}

func FuzzParseBrowse(f *testing.F) {
	for _, s := range []string{"nsu=urn:mill;F3/GBX", "ns=2;a&/b", "&", "nsu=%3B;x/nsu=%25;y", "a/ns=0;b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParseBrowse(s)
		if err != nil {
			return
		}
		again, err := ParseBrowse(FormatBrowse(p))
		if len(FormatBrowse(p)) <= mostBrowseText && (err != nil || !slices.Equal(p, again)) {
			t.Errorf("%q: %+v became %+v, %v", s, p, again, err)
		}
	})
}
