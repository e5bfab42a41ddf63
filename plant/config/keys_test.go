package config

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/BurntSushi/toml"
)

func TestKeyLines(t *testing.T) {
	src := `# comment with = and [x]
title = "a # b" # c = 1
long = """
x = 1
[no]
""" # end
lit = '''
y = "''''
a.b."c.d" = 1
[[plc]] # first
name = 'x'
list = [ 1, # one = 1
  "a]",
  { k = 1, l = "}" },
]
[[plc]]
"na\u006de" = 2
[plc.sub]
u = 1979-05-27 07:32:00
[[plc.limit]]
v = 1
[[plc.limit]]
v = 2
w = { x.y = 1, z = [ {q = 1} ] }
[other . "t"]
e = []
`
	want := map[string]int{"title": 2, "long": 3, "lit": 7, "a": 9, "a.b": 9, `a.b."c.d"`: 9, "plc": 10, "plc[0]": 10,
		"plc[0].name": 11, "plc[0].list": 12, "plc[0].list[2]": 14, "plc[0].list[2].k": 14, "plc[0].list[2].l": 14,
		"plc[1]": 16, "plc[1].name": 17, "plc[1].sub": 18, "plc[1].sub.u": 19, "plc[1].limit": 20, "plc[1].limit[0]": 20,
		"plc[1].limit[0].v": 21, "plc[1].limit[1]": 22, "plc[1].limit[1].v": 23, "plc[1].limit[1].w": 24,
		"plc[1].limit[1].w.x": 24, "plc[1].limit[1].w.x.y": 24, "plc[1].limit[1].w.z": 24, "plc[1].limit[1].w.z[0]": 24,
		"plc[1].limit[1].w.z[0].q": 24, "other": 25, "other.t": 25, "other.t.e": 26}
	if got := keys(src); !maps.Equal(got, want) {
		for k, v := range want {
			if got[k] != v {
				t.Errorf("%s in line %d, want %d", k, got[k], v)
			}
		}
		for k, v := range got {
			if want[k] == 0 {
				t.Errorf("%s in line %d, which is no key", k, v)
			}
		}
	}
}

// flatten lists the paths of a decoded document as keys names them.
func flatten(out map[string]bool, path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		if path != "" {
			out[path] = true
		}
		for k, e := range v {
			flatten(out, join(path, k), e)
		}
	case []map[string]any:
		out[path] = true
		for i, e := range v {
			flatten(out, index(path, i), e)
		}
	case []any:
		if !strings.HasSuffix(path, "]") {
			out[path] = true
		}
		for i, e := range v {
			flatten(out, index(path, i), e)
		}
	default:
		if !strings.HasSuffix(path, "]") {
			out[path] = true
		}
	}
}

// What the decoder accepts has a line for every key and no others.
func FuzzKeys(f *testing.F) {
	for _, s := range []string{"a = 1\n", "[a.b]\nc=1\n[[d]]\n[[d]]\ne={f=1,g.h=[{i=1}]}\n", "a=\"\"\"\n\\\"\"\"\"\n\"b.c\"='''x'''\n",
		"[[a]]\n[[a.b]]\nc=1\n[[a]]\n[a.b]\n", "a = [[1,2],[{b=1}]] # x\n", "\"a\\u0062\".c = 1 \r\nd=1", "a=[\n# x\n1 # y\n,2\n]\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		m := map[string]any{}
		_, err := toml.Decode(src, &m)
		found := keys(src)                        // must end, whatever it is
		if err != nil || !utf8.ValidString(src) { // parse refuses both
			return
		}
		want := map[string]bool{}
		flatten(want, "", m)
		got := slices.Sorted(maps.Keys(found))
		if w := slices.Sorted(maps.Keys(want)); !slices.Equal(got, w) {
			t.Fatalf("keys %q, want %q", got, w)
		}
		lines := strings.Count(src, "\n") + 1
		for k, n := range found {
			if n < 1 || n > lines {
				t.Fatalf("%s in line %d of %d", k, n, lines)
			}
		}
	})
}

func FuzzTags(f *testing.F) {
	f.Add("path,node\na/b,i=1\n")
	f.Add("path;node;low;high;sampling;cyclic\na/b;ns=1;s=x;0;1;1s;yes\n")
	f.Add("\xEF\xBB\xBFpath,node,unit\n\"a/b\",\"ns=2;s=\"\"x\"\"\",°C\n")
	f.Fuzz(func(t *testing.T, src string) {
		tags, err := ParseTags("t.csv", strings.NewReader(src))
		if err == nil && len(tags) == 0 {
			t.Fatal("no tags and no fault")
		}
		seen := map[string]bool{}
		for _, tag := range tags {
			if seen[tag.Path] || checkPath(tag.Path) != nil || checkNode(tag.Node) != nil || tag.Low > tag.High {
				t.Fatalf("accepted %+v", tag)
			}
			seen[tag.Path] = true
		}
	})
}

func FuzzAssets(f *testing.F) {
	f.Add("[[asset]]\npath='A/B'\n[[asset.mode]]\nname='on'\nwhen=['T > 1']\n[[asset.limit]]\ntag='T'\nvalue=5\n")
	f.Add("asset = [{path='A', model={learn='1h'}}]")
	f.Add("asset = 1")
	f.Fuzz(func(t *testing.T, src string) {
		tags, err := ParseTags("t.csv", strings.NewReader("path,node\nA/B/T,i=1\n"))
		if err != nil {
			t.Fatal(err)
		}
		assets, err := ParseAssets("a.toml", strings.NewReader(src), tags)
		for _, a := range assets {
			if err == nil && checkPath(a.Path) != nil {
				t.Fatalf("accepted %+v", a)
			}
		}
	})
}

// A process file, whatever it says, gives faults or a configuration.
func FuzzLoad(f *testing.F) {
	f.Add("[broker]\n[historian]\n[hmi]\n")
	f.Add("[[plc]]\nname='a'\nurl='opc.tcp://h:1'\ndiscover=true\n[edge]\nname='e'\nbroker='mqtt://h'\nqueue_max='1GB'\n")
	f.Add("[simulator]\nfault=['A:b:0.5@1s']\nspeed=10\n")
	f.Fuzz(func(t *testing.T, src string) {
		if strings.Contains(src, "/dev") || strings.Contains(src, "/proc") {
			return // the keys name files that are opened
		}
		var faults Faults
		c := load("x.toml", src, &faults)
		if c == nil && len(faults) == 0 {
			t.Fatal("nothing came back")
		}
		for _, one := range faults {
			if one.Line < 1 || strings.ContainsAny(one.Key, "\n\r") {
				t.Fatalf("fault %+v", one)
			}
		}
	})
}
