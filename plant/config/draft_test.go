package config

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"millwright/plant"
)

func drafted() []plant.Tag {
	return []plant.Tag{
		{Path: "A/M1/VIB", Asset: "A/M1", Node: "nsu=urn:plc;s=VIB", Unit: "mm/s", High: 20, Kind: plant.Analog, Description: `vibration, "pinion"`},
		{Path: "A/M1/MODE", Asset: "A/M1", Node: "ns=2;i=7", Kind: plant.Text},
	}
}

func TestWriteTags(t *testing.T) {
	var b bytes.Buffer
	if err := WriteTags(&b, drafted(), []string{"not read: A/X,\nnsu=urn:plc;s=X: an array"}); err != nil {
		t.Fatal(err)
	}
	got, err := ParseTags("draft", &b)
	want := drafted()
	for i := range want {
		want[i].Trigger, want[i].Discard = plant.TriggerStatusValue, plant.DiscardOldest
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestAppendTags(t *testing.T) {
	for name, x := range map[string]struct{ src, want string }{
		"as it comes": {"path,node,unit\nmine,i=1,bar\n",
			"path,node,unit\nmine,i=1,bar\n# new\nA/M1/VIB,nsu=urn:plc;s=VIB,mm/s\nA/M1/MODE,ns=2;i=7,\n"},
		"no end of line": {"node,path\ni=1,A/M1/VIB",
			"node,path\ni=1,A/M1/VIB\n# new\nnsu=urn:plc;s=VIB,A/M1/VIB_2\nns=2;i=7,A/M1/MODE\n"},
		"a spreadsheet's": {"\xEF\xBB\xBF# by hand\r\nPath ;Node;asset;high;low;cyclic\r\nmine;i=1;;;;no\r\n",
			"\xEF\xBB\xBF# by hand\r\nPath ;Node;asset;high;low;cyclic\r\nmine;i=1;;;;no\r\n# new\r\nA/M1/VIB;\"nsu=urn:plc;s=VIB\";;20;0;\r\nA/M1/MODE;\"ns=2;i=7\";;;;\r\n"},
	} {
		got, err := AppendTags("list", []byte(x.src), drafted(), "new")
		if err != nil || string(got) != x.want {
			t.Errorf("%s: %v\n%q\nwant\n%q", name, err, got, x.want)
		}
	}
	if _, err := AppendTags("list", []byte("path\nA"), drafted(), "new"); err == nil {
		t.Error("a list with a fault was taken")
	}
	bad := []plant.Tag{{Path: "A//B", Node: "i=1"}}
	if _, err := AppendTags("list", []byte("path,node\nA,i=2\n"), bad, "new"); err == nil {
		t.Error("a list that nobody could read was written")
	}
}

func TestWriteAssets(t *testing.T) {
	assets := []plant.Asset{
		{Path: "A/M1", Name: `Pump "7" \ ü`, Class: "pump"},
		{Path: `A/"DB"`, Name: "x\x00\ty", Class: "machine"},
	}
	var b bytes.Buffer
	if err := WriteAssets(&b, assets, func(i int) []string { return []string{"class: a\nguess"} }); err != nil {
		t.Fatal(err)
	}
	got, err := ParseAssets("draft", strings.NewReader(b.String()), drafted()[:1])
	if err != nil || len(got) != 2 {
		t.Fatalf("%v\n%s", err, &b)
	}
	for i := range got {
		if got[i].Path != assets[i].Path || got[i].Name != assets[i].Name || got[i].Class != assets[i].Class {
			t.Errorf("%+v, want %+v", got[i], assets[i])
		}
	}
	if WriteAssets(&b, nil, nil) == nil {
		t.Error("a file without assets was written")
	}
}
