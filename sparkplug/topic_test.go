package sparkplug

import (
	"strings"
	"testing"
)

func TestTopics(t *testing.T) {
	good := func(s string, want Topic) {
		t.Helper()
		got, err := ParseTopic(s)
		if err != nil || got != want {
			t.Errorf("ParseTopic(%q) = %+v, %v", s, got, err)
		}
		if got.String() != s {
			t.Errorf("%q is written as %q", s, got)
		}
	}
	bad := func(s string) {
		t.Helper()
		if got, err := ParseTopic(s); err == nil {
			t.Errorf("ParseTopic(%.60q) = %+v", s, got)
		}
	}
	for _, k := range []Kind{NBIRTH, NDEATH, NDATA, NCMD} {
		good("spBv1.0/mill/"+string(k)+"/e1", Topic{Kind: k, Group: "mill", Node: "e1"})
		bad("spBv1.0/mill/" + string(k) + "/e1/d") // tck-id-topic-structure-namespace-device-id-non-associated-message-types
		bad("spBv1.0/mill/" + string(k))
	}
	for _, k := range []Kind{DBIRTH, DDEATH, DDATA, DCMD} {
		good("spBv1.0/mill/"+string(k)+"/e1/plc", Topic{Kind: k, Group: "mill", Node: "e1", Device: "plc"})
		bad("spBv1.0/mill/" + string(k) + "/e1") // tck-id-topic-structure-namespace-device-id-associated-message-types
		bad("spBv1.0/mill/" + string(k) + "/e1/plc/more")
	}
	good("spBv1.0/STATE/plant", Topic{Kind: STATE, Host: "plant"})
	good("spBv1.0/Groß Halle/NDATA/e 1", Topic{Kind: NDATA, Group: "Groß Halle", Node: "e 1"})
	bad("")
	bad("spBv1.0")
	bad("spAv1.0/mill/NDATA/e1")
	bad("spBv1.0/mill/NOTHING/e1")
	bad("spBv1.0/mill/STATE/plant") // the form of one careless library
	bad("spBv1.0/STATE/plant/x")
	bad("spBv1.0//NDATA/e1")
	bad("spBv1.0/mill/NDATA/e1/")
	bad("spBv1.0/mi+l/NDATA/e1")
	bad("spBv1.0/mill/NDATA/\xff")
	bad("spBv1.0/a/b/c/d/e/f" + strings.Repeat("/g", 100))
}

func TestCheckID(t *testing.T) {
	for _, id := range []string{"e1", "HSM-F3_a.b", "Граница"} {
		if err := CheckID(id); err != nil {
			t.Error(err)
		}
	}
	for _, id := range []string{"", "a/b", "a+", "#", "a b", "a\tb", "\xff", "a\x7f", "a\u00a0b"} {
		if CheckID(id) == nil {
			t.Errorf("id %q passed", id)
		}
	}
}

func TestHostState(t *testing.T) {
	for _, s := range []HostState{{true, 1700000000000}, {false, 0}} {
		got, err := ParseHostState(s.AppendTo(nil))
		if err != nil || got != s {
			t.Errorf("%+v came back as %+v, %v", s, got, err)
		}
	}
	if s, err := ParseHostState([]byte(` {"timestamp": 5, "more": [1], "online": true} `)); err != nil || s != (HostState{true, 5}) {
		t.Errorf("%+v, %v", s, err)
	}
	for _, s := range []string{"", "ONLINE", "OFFLINE", "{}", `{"online":true}`, `{"timestamp":1}`,
		`{"online":"true","timestamp":1}`, `{"online":true,"timestamp":-1}`, `{"online":true,"timestamp":1.5}`,
		`[]`, `null`, `{"online":true,"timestamp":1}x`, strings.Repeat(" ", maxState+1)} {
		if got, err := ParseHostState([]byte(s)); err == nil {
			t.Errorf("%.40q was read as %+v", s, got)
		}
	}
}

func FuzzTopic(f *testing.F) {
	f.Add("spBv1.0/mill/DDATA/e1/plc")
	f.Add("spBv1.0/STATE/plant")
	f.Fuzz(func(t *testing.T, s string) {
		if topic, err := ParseTopic(s); err == nil && topic.String() != s {
			t.Fatalf("%q is written as %q", s, topic)
		}
	})
}

func FuzzHostState(f *testing.F) {
	f.Add([]byte(`{"online":true,"timestamp":1700000000000}`))
	f.Add([]byte(`OFFLINE`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ParseHostState(b)
		if err != nil {
			return
		}
		if again, err := ParseHostState(s.AppendTo(nil)); err != nil || again != s {
			t.Fatalf("%q: %+v, read back as %+v, %v", b, s, again, err)
		}
	})
}
