package collector

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"millwright/plant"
	"millwright/plant/config"
	"millwright/simulator/server"
)

func TestDiscover(t *testing.T) {
	t.Parallel()
	srv := newNodeServer(t, map[string]any{"nodes": 90, "run": true, "text": []int{3}, "kinds": true, "enums": true, "hideLimits": true})
	d := &Discovery{URL: srv.url()}
	draft, err := d.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	byPath := map[string]plant.Tag{}
	for _, x := range draft.Tags {
		byPath[x.Path] = x
	}
	if len(byPath) != len(draft.Tags) || len(draft.Tags) < 90 {
		t.Errorf("%d tags, %d paths", len(draft.Tags), len(byPath))
	}
	want := []plant.Tag{
		{Path: "Mill/T7", Asset: "Mill", Node: "nsu=urn:test:mill;s=T7", Unit: "°C", Description: "test tag 7", Kind: plant.Analog, High: 107},
		{Path: "Mill/T3", Asset: "Mill", Node: "nsu=urn:test:mill;s=T3", Description: "test tag 3", Kind: plant.Text},
		{Path: "Mill/Count", Asset: "Mill", Node: "nsu=urn:test:mill;s=Count", Kind: plant.Discrete},
		{Path: "Mill/Any", Asset: "Mill", Node: "nsu=urn:test:mill;s=Any", Kind: plant.Analog},
		{Path: "Mill/Span", Asset: "Mill", Node: "nsu=urn:test:mill;s=Span", Kind: plant.Analog},
		{Path: "Mill/____$ Raw_", Asset: "Mill", Node: "nsu=urn:test:mill;s=Raw", Kind: plant.Discrete},
		{Path: "Mill/T102", Asset: "Mill", Node: "nsu=urn:test:mill;s=T102", Kind: plant.Text},
		{Path: "Mill/X17/P", Asset: "Mill/X17", Node: "nsu=urn:test:mill;s=X17.P", Unit: "bar", High: 10, Kind: plant.Analog},
	}
	for _, w := range want {
		if got := byPath[w.Path]; got != w {
			t.Errorf("got  %+v\nwant %+v", got, w)
		}
	}
	left := map[string]string{}
	for _, l := range draft.Left {
		left[l.Path] = l.Why
	}
	for path, why := range map[string]string{
		"Mill/Array":    "an array of numbers: a burst of a sensor has kind waveform and its rate; or name an element in the column field, such as [0] (type Double)",
		"Mill/Point":    "a structure: name one of its fields in the column field (type Point)",
		"Mill/When":     "a time is not read (type UtcTime)",
		"Mill/Blob":     "bytes are not read (type ByteString)",
		"Mill/Secret":   "this user may not read it (type Double)",
		"Mill/Anything": "an array of numbers: a burst of a sensor has kind waveform and its rate; or name an element in the column field, such as [0] (type BaseDataType)",
	} {
		if left[path] != why {
			t.Errorf("%s: left out because %q, want %q", path, left[path], why)
		}
	}
	if len(draft.Machines) != 2 {
		t.Fatalf("machines %+v", draft.Machines)
	}
	pump := draft.Machines[1]
	if pump.Path != "Mill/X17" || pump.Name != "Cooling water" || pump.Class != "pump" ||
		!slices.Equal(pump.Notes, []string{"area Mill", `class: its type PumpType has the word "pump"`}) {
		t.Errorf("machine %+v", pump)
	}
	if draft.Product.Maker == "" || draft.Product.Name != "test" {
		t.Errorf("product %+v", draft.Product)
	}
	var b strings.Builder
	if err := config.WriteTags(&b, draft.Tags, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := config.ParseTags("draft", strings.NewReader(b.String())); err != nil {
		t.Errorf("the draft is no tag list: %v", err)
	}

	tags, err := Discover(t.Context(), srv.url(), Security{}, "nsu=urn:test:mill;s=X17.P")
	if err != nil || len(tags) != 0 {
		t.Errorf("below a leaf: %v, %v", tags, err)
	}
	if _, err := Discover(t.Context(), srv.url(), Security{}, "nsu=urn:nobody;s=x"); err == nil || !strings.Contains(err.Error(), "urn:nobody") {
		t.Errorf("a root that is not there: %v", err)
	}
	if _, err := Discover(t.Context(), "opc.tcp://127.0.0.1:1", Security{}, ""); err == nil {
		t.Error("discovered a server that is not there")
	}
}

// TestDiscoverStructures: the fields of a structure are named, so that one of them
// can be asked for.
func TestDiscoverStructures(t *testing.T) {
	t.Parallel()
	srv := newStructureServer(t, map[string]any{})
	draft, err := (&Discovery{URL: srv.url()}).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	why := map[string]string{}
	for _, l := range draft.Left {
		why[l.Path] = l.Why
	}
	const fields = "(type Motor of Mode, Note, Since, Node, Bearing, Stands, Phase, Options, Either, Any, On, Guid, Bytes, Speed, Torque)"
	if got := why["Mill/Motor"]; got != "a structure: name one of its fields in the column field "+fields {
		t.Errorf("%q in %v", got, why)
	}
}

// orchard is our own server with machines of three tags each.
func orchard(t testing.TB, machines int, set func(*server.Server)) *mill {
	return newMill(t, 0, func(s *server.Server) {
		for i := range machines {
			for _, v := range []server.Variable{{Path: "VIB", Unit: "mm/s", Low: 0, High: 20}, {Path: "TEMP", Unit: "°C", Low: 0, High: 150}, {Path: "MODE", Kind: plant.Text}} {
				v.Path = fmt.Sprintf("A/L%d/M%d/%s", i%7, i, v.Path)
				s.Variables = append(s.Variables, v)
			}
		}
		if set != nil {
			set(s)
		}
	})
}

// TestDiscoverWithinLimits: whatever a server takes in a call, all of it is found,
// and no call is larger.
func TestDiscoverWithinLimits(t *testing.T) {
	t.Parallel()
	const machines = 400
	for name, l := range map[string]server.Limits{
		"roomy":  {},
		"narrow": {MaxNodesPerBrowse: 7, MaxNodesPerRead: 20, MaxReferences: 2},
	} {
		for _, oneByOne := range []bool{false, true} {
			m := orchard(t, machines, func(s *server.Server) { s.Limits = l })
			var last Progress
			d := &Discovery{URL: m.URL(), Progress: func(p Progress) {
				if p.Nodes < last.Nodes || p.Read < last.Read {
					t.Errorf("progress went back: %+v after %+v", p, last)
				}
				last = p
			}, Manners: func(p Product) plant.Budget {
				if p != (Product{Maker: "Millwright", Name: "Millwright mill"}) {
					t.Errorf("product %+v", p)
				}
				return plant.Budget{OneByOne: oneByOne}
			}}
			draft, err := d.Run(t.Context())
			if err != nil || len(draft.Tags) != 3*machines || len(draft.Machines) != machines || len(draft.Refused) != 0 {
				t.Fatalf("%s: %v, %+v", name, err, draft)
			}
			if !last.Done || last.Read != 3*machines || last.Variables != 3*machines || last.Nodes != draft.Nodes {
				t.Errorf("%s: progress %+v of %d nodes", name, last, draft.Nodes)
			}
			if x := draft.Machines[0]; x.Path != "A/L0/M0" || x.Class != "rotating machine" || len(x.Notes) != 3 {
				t.Errorf("%s: machine %+v", name, x)
			}
			if n := m.Counts(); name == "roomy" && n["Browse"]+n["Read"] > 80 {
				t.Errorf("%v for %d nodes", n, draft.Nodes)
			}
		}
	}
}

func TestDiscoverPaced(t *testing.T) {
	t.Parallel()
	m := orchard(t, 200, func(s *server.Server) { s.Limits.MaxNodesPerBrowse = 20 })
	const most = 20 // a second, and at once
	begin := time.Now()
	d := &Discovery{URL: m.URL(), Manners: func(Product) plant.Budget { return plant.Budget{Requests: most} }}
	if _, err := d.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	n := m.Counts()
	asked, took := n["Browse"]+n["BrowseNext"]+n["Read"], time.Since(begin).Seconds()
	if float64(asked) > 1.2*most*(took+1) || asked < 2*most {
		t.Errorf("%d requests in %.1f s, the budget has %d a second", asked, took, most)
	}
}

func TestDiscoverStopped(t *testing.T) {
	t.Parallel()
	m := orchard(t, 2000, func(s *server.Server) { s.Limits.MaxNodesPerBrowse = 20 })
	ctx, cancel := context.WithCancel(t.Context())
	var stopped time.Time
	d := &Discovery{URL: m.URL(), Progress: func(p Progress) {
		if p.Nodes > 1000 && stopped.IsZero() {
			stopped = time.Now()
			cancel()
		}
	}}
	draft, err := d.Run(ctx)
	if draft != nil || !errors.Is(err, context.Canceled) || time.Since(stopped) > 2*time.Second+slack {
		t.Errorf("draft %v, error %v, %v after it was stopped", draft != nil, err, time.Since(stopped))
	}
}

func TestAgainst(t *testing.T) {
	d := &Draft{
		namespaces: []string{"http://opcfoundation.org/UA/", "urn:plc"},
		Tags: []plant.Tag{
			{Path: "A/new", Node: "nsu=urn:plc;s=new"},
			{Path: "A/same", Node: "nsu=urn:plc;s=same", Unit: "bar", Low: 0, High: 10, Kind: plant.Analog},
			{Path: "A/unit", Node: "nsu=urn:plc;s=unit", Unit: "kPa", Low: 0, High: 1000, Kind: plant.Analog},
			{Path: "A/kind", Node: "nsu=urn:plc;i=7", Kind: plant.Text},
			{Path: "A/scaled", Node: "nsu=urn:plc;s=scaled", Unit: "mA", Kind: plant.Analog},
			{Path: "A/silent", Node: "nsu=urn:plc;s=silent", Kind: plant.Discrete},
		},
		Left: []LeftOut{{"A/array", "nsu=urn:plc;s=array", "an array is not read as one tag"}},
		variables: map[string]bool{"nsu=urn:plc;s=new": true, "nsu=urn:plc;s=same": true, "nsu=urn:plc;s=unit": true, "nsu=urn:plc;i=7": true,
			"nsu=urn:plc;s=scaled": true, "nsu=urn:plc;s=silent": true, "nsu=urn:plc;s=array": true},
	}
	diff := d.Against([]plant.Tag{
		{Path: "my/own", Node: "ns=1;s=same", Unit: " bar", Low: 0, High: 10, Kind: plant.Analog},
		{Path: "unit", Node: "nsu=urn:plc;s=unit", Unit: "bar", Kind: plant.Analog},
		{Path: "kind", Node: "nsu=urn:plc;i=7", Kind: plant.Discrete},
		{Path: "scaled", Node: "nsu=urn:plc;s=scaled", Unit: "°C", Low: 0, High: 150, Kind: plant.Analog, Scale: 9.4},
		{Path: "silent", Node: "nsu=urn:plc;s=silent", Unit: "m", Low: 0, High: 1, Kind: plant.SetPoint},
		{Path: "array", Node: "nsu=urn:plc;s=array", Kind: plant.Analog},
		{Path: "element", Node: "nsu=urn:plc;s=array", Field: "[2]"},
		{Path: "gone", Node: "nsu=urn:plc;s=gone"},
		{Path: "elsewhere", Node: "nsu=urn:other;s=same"},
	})
	var got []string
	for _, x := range diff.New {
		got = append(got, "new "+x.Path)
	}
	for _, x := range diff.Gone {
		got = append(got, "gone "+x.Path)
	}
	for _, x := range diff.Changed {
		got = append(got, "changed "+x.Tag.Path+": "+x.What)
	}
	want := []string{
		"new A/new", "gone gone", "gone elsewhere",
		"changed unit: unit: the list has bar, the server kPa; range: the list has none, the server 0 to 1000",
		"changed kind: kind: the list has discrete, the server text",
		"changed array: an array is not read as one tag",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestGuessClass(t *testing.T) {
	tag := func(unit string) *plant.Tag {
		return &plant.Tag{Path: "X/T_" + strings.ReplaceAll(unit, "/", ""), Unit: unit}
	}
	for _, x := range []struct {
		path, typ  string
		tags       []*plant.Tag
		class, why string
	}{
		{"HSM/FM/F3/GBX", "", nil, "gearbox", `GBX has the word "gbx"`},
		{"HSM/FM/F3/GBX/BRG1", "", nil, "gearbox", `GBX has the word "gbx"`},
		{"HSM/GBX/A/B/C", "", nil, "machine", "neither names nor units say what it is"},
		{"Plant/coolingPumps_2", "MotorType", nil, "electric motor", `its type MotorType has the word "motor"`},
		{"Plant/coolingPumps_2", "", nil, "pump", `coolingPumps_2 has the word "pump"`},
		{"Plant/Fantastic", "", nil, "machine", "neither names nor units say what it is"},
		{"A/B", "", []*plant.Tag{tag("°C"), tag("mm/s")}, "rotating machine", "T_mms in mm/s is a vibration, so something turns"},
		{"A/B", "", []*plant.Tag{tag("rpm")}, "rotating machine", "T_rpm in rpm is a speed of rotation"},
		{"A/B", "", []*plant.Tag{tag("bar"), tag("l/min")}, "fluid system", "T_lmin in l/min and T_bar in bar are a flow and a pressure"},
		{"A/B", "", []*plant.Tag{tag("A"), tag("kW")}, "electric motor", "T_kW in kW and T_A in A are a power and a current"},
	} {
		class, why := guessClass(strings.Split(x.path, "/"), x.typ, x.tags)
		if class != x.class || why != x.why {
			t.Errorf("%s %s: %s, %s; want %s, %s", x.path, x.typ, class, why, x.class, x.why)
		}
	}
}

// FuzzJoin: whatever a server calls its nodes, the path is one that a tag list may
// hold.
func FuzzJoin(f *testing.F) {
	for _, s := range []string{"F3", " a/b ", "$SCORE", "#+\x00", "\xff", "", "/", " ", strings.Repeat("ü", 500), "\u00a0x", "$$"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		path := join(join("", name), name)
		var b strings.Builder
		if err := config.WriteTags(&b, []plant.Tag{{Path: path, Node: "i=1", Description: line(name, mostText)}}, []string{name}); err != nil {
			t.Fatal(err)
		}
		tags, err := config.ParseTags("draft", strings.NewReader(b.String()))
		if err != nil || len(tags) != 1 || tags[0].Path != path {
			t.Errorf("%q: %v, %v", path, tags, err)
		}
	})
}

func TestProbe(t *testing.T) {
	t.Parallel()
	pki, srv := trustedPair(t, map[string]any{"nodes": 1, "run": true, "perCall": 123, "users": map[string]string{"op": "secret"}})
	secure := Security{Policy: "Basic256Sha256", PKI: pki, User: "op", Password: "secret"}
	r, err := Probe(t.Context(), srv.url(), secure)
	if err != nil || r.Trusted == nil || r.Chosen < 0 || len(r.Endpoints) != 3 || len(r.Endpoints[r.Chosen].Fingerprint) != 95 {
		t.Fatalf("%+v, %v", r, err)
	}
	if err := Trust(pki, r.Endpoints[r.Chosen].Fingerprint, "test"); err != nil {
		t.Fatal(err)
	}
	r, err = Probe(t.Context(), srv.url(), secure)
	if err != nil || r.Trusted != nil || r.Login != nil || r.MaxMonitoredItemsPerCall != 123 || r.ClockOffset.Abs() > time.Second ||
		r.RoundTrip <= 0 || len(r.Namespaces) < 3 {
		t.Errorf("%+v, %v", r, err)
	}
	secure.Password = "wrong"
	if r, err = Probe(t.Context(), srv.url(), secure); err != nil || r.Login == nil {
		t.Errorf("wrong password: %+v, %v", r, err)
	}
	r, err = Probe(t.Context(), srv.url(), Security{})
	if err != nil || r.Login != nil || r.Endpoints[r.Chosen].Policy != "None" {
		t.Errorf("unsecured: %+v, %v", r, err)
	}
	if _, err = Probe(t.Context(), "opc.tcp://127.0.0.1:1", Security{}); err == nil {
		t.Error("probed a server that is not there")
	}
}
