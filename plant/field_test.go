package plant

import (
	"reflect"
	"strings"
	"testing"
)

func TestParseField(t *testing.T) {
	for s, want := range map[string][]FieldStep{
		"Speed":               {{Name: "Speed"}},
		"Bearing.Temperature": {{Name: "Bearing"}, {Name: "Temperature"}},
		"Phase[2]":            {{Name: "Phase"}, {Index: 2}},
		"Stands[0].Force":     {{Name: "Stands"}, {}, {Name: "Force"}},
		"[3].Force":           {{Index: 3}, {Name: "Force"}},
		"A[1][0].B":           {{Name: "A"}, {Index: 1}, {}, {Name: "B"}},
		"drive end.T 1":       {{Name: "drive end"}, {Name: "T 1"}},
	} {
		if got, err := ParseField(s); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", ".", "a.", ".a", "a..b", "a[", "a[]", "a[x]", "a[-1]", "a[1", "a[1]b", "a[1]]", "a]", "a.[1]", "a[1048576]",
		strings.Repeat("a.", 32) + "a"} {
		if got, err := ParseField(s); err == nil {
			t.Errorf("%q: got %v", s, got)
		}
	}
}
