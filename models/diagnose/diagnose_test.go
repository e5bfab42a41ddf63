package diagnose_test

import (
	"strings"
	"testing"

	"millwright/models/diagnose"
	"millwright/plant"
	"millwright/plant/config"
)

const fan = "BOF/C1/FAN"

func class(t testing.TB, name string) *plant.AssetClass {
	t.Helper()
	l, err := config.Classes()
	if err != nil {
		t.Fatal(err)
	}
	return l.Find(name)
}

// finding reads "VIB_H high 0.7, VIB_V high 0.3".
func finding(t *testing.T, asset, text string) plant.Finding {
	t.Helper()
	f := plant.Finding{Asset: asset, Class: plant.Advisory, Kind: plant.KindAnomaly}
	share := map[string]float64{"0.1": 0.1, "0.2": 0.2, "0.3": 0.3, "0.4": 0.4, "0.5": 0.5, "0.6": 0.6, "0.7": 0.7, "0.8": 0.8, "1": 1}
	for _, part := range strings.Split(text, ", ") {
		w := strings.Fields(part)
		f.Contributions = append(f.Contributions, plant.Contribution{Tag: asset + "/" + w[0], Direction: w[1], Share: share[w[2]]})
	}
	return f
}

func TestRank(t *testing.T) {
	known := []plant.Bearing{{Rollers: 19, Pitch: 200, Diameter: 26}}
	for _, c := range []struct {
		class, seen string
		bearings    []plant.Bearing
		want        string // modes in order, the first ones
	}{
		{"fan", "VIB_H high 0.6, VIB_V high 0.4", nil, "dust"},
		{"fan", "VIB_A high 0.7, VIB_H high 0.2, VIB_V high 0.1", nil, "misalignment"},
		{"fan", "VIB_ENV high 0.7, VIB_KURT high 0.3", nil, "bearing"},
		{"fan", "VIB_HF high 0.5, BRG_T_DE high 0.5", nil, "lubrication bearing"},
		{"fan", "VIB_ENV_BPFO high 0.5, VIB_HF high 0.3, VIB_ENV high 0.2", nil, "bearing"},
		{"fan", "VIB_ENV_BPFO high 0.5, VIB_HF high 0.3, VIB_ENV high 0.2", known, "bearing-outer"},
		{"fan", "VIB_ENV_BPFI high 0.6, VIB_HF high 0.3, VIB_KURT high 0.1", known, "bearing-inner"},
		{"fan", "VIB_ENV high 0.7, VIB_KURT high 0.3", known, "bearing"}, // nothing tells the races apart
		{"descaling-pump", "VIB_HF high 0.7, P_SUC low 0.2, VIB_A high 0.1", nil, "cavitation"},
		{"descaling-pump", "LEAK_F high 0.6, LEAK_T high 0.3, P_DIS low 0.1", nil, "wear-rings"},
		{"gearbox", "VIB_GMF high 0.7, VIB_SB high 0.3", nil, "gear-wear gear-crack"},
		{"gearbox", "VIB_SB high 0.6, VIB_KURT high 0.4", nil, "gear-crack"},
		{"gearbox", "OIL_P low 1", nil, "oil-pressure"},
		{"water-pump", "FILT_DP high 0.6, T_SEA_OUT high 0.2, F_SEA low 0.2", nil, "filter-blocking"},
		{"agc", "PUMP_DRAIN high 0.7, PUMP_DUTY high 0.3", nil, "pump-wear"},
		{"fan", "DP high 0.6, SPEED high 0.4", nil, ""},  // no mode of a fan looks so
		{"fan", "VIB_H low 0.6, VIB_V low 0.4", nil, ""}, // the other way
		{"fan", "VIB_H frozen 1", nil, ""},
		{"machine", "VIB_H high 1", nil, ""},
	} {
		got := diagnose.Rank(class(t, c.class), &plant.Asset{Path: fan, Bearings: c.bearings}, finding(t, fan, c.seen))
		var modes []string
		for i, m := range got {
			modes = append(modes, m.Mode)
			if m.Score < diagnose.Least || m.Score > 1 || m.Name == "" || len(m.Present) == 0 || i > 0 && m.Score > got[i-1].Score {
				t.Errorf("%s: %+v", c.seen, got)
			}
		}
		if s := strings.Join(modes, " "); c.want == "" && s != "" || s != c.want && !strings.HasPrefix(s, c.want+" ") {
			t.Errorf("%s with %s: %+v, want %q first", c.class, c.seen, got, c.want)
		}
	}
}

// The reasons are the symptoms that are there, by the tags that show them, and
// those that are not.
func TestReasons(t *testing.T) {
	got := diagnose.Rank(class(t, "fan"), &plant.Asset{Path: fan}, finding(t, fan, "VIB_DE_H high 0.5, VIB_NDE_H high 0.3, DP low 0.2"))
	if len(got) == 0 || got[0].Mode != "blade" || strings.Join(got[0].Present, "; ") != "VIB_DE_H, VIB_NDE_H up; DP down" ||
		strings.Join(got[0].Absent, "; ") != "VIB_V up; BLADE up" {
		t.Errorf("%+v", got)
	}
}

// A limit speaks of its tag; sensors and systems have no failure modes of the
// machine.
func TestKinds(t *testing.T) {
	pump := class(t, "pump")
	f := plant.Finding{Asset: "P", Class: plant.LimitAlarm, Kind: plant.KindLow, Tag: "P/OIL_P"}
	if got := diagnose.Rank(class(t, "gearbox"), &plant.Asset{Path: "P"}, f); len(got) == 0 || got[0].Mode != "oil-pressure" || got[0].Score != 1 || len(got[0].Absent) != 0 {
		t.Errorf("%+v", got)
	}
	f.Kind = plant.KindHigh
	if got := diagnose.Rank(class(t, "gearbox"), &plant.Asset{Path: "P"}, f); len(got) != 0 {
		t.Errorf("%+v", got)
	}
	for _, c := range []plant.Class{plant.SensorFault, plant.SystemFault, plant.PLCAlarm} {
		f := finding(t, "P", "VIB_HF high 1")
		f.Class = c
		if got := diagnose.Rank(pump, &plant.Asset{Path: "P"}, f); got != nil {
			t.Errorf("%s: %+v", c, got)
		}
	}
	if diagnose.Rank(nil, &plant.Asset{}, f) != nil || diagnose.Rank(pump, nil, f) != nil || diagnose.Rank(class(t, "machine"), &plant.Asset{}, f) != nil {
		t.Error("something is said of nothing")
	}
	if got := diagnose.Rank(pump, &plant.Asset{}, plant.Finding{Class: plant.Advisory}); got == nil || len(got) > 0 {
		t.Errorf("a finding without reasons: %+v", got)
	}
}

func TestCovers(t *testing.T) {
	c := plant.Cause{Mode: "bearing"}
	if !c.Covers("bearing-outer") || !c.Covers("bearing") || c.Covers("bearings") || (&plant.Cause{Mode: "bearing-outer"}).Covers("bearing") {
		t.Error("what a cause covers is its mode and the kinds of it")
	}
}
