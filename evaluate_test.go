package main

import (
	"path"
	"reflect"
	"slices"
	"testing"
	"time"

	"millwright/plant"
	"millwright/plant/config"
	"millwright/simulator"
	"millwright/simulator/score"
	"millwright/simulator/server"
)

// A fault that grows for hours is found by the models before it fails, the same
// run has the same score, and what nobody asked for is not counted.
func TestEvaluate(t *testing.T) {
	library, err := config.Classes()
	if err != nil {
		t.Fatal(err)
	}
	works, err := simulator.Named("demo")
	if err != nil {
		t.Fatal(err)
	}
	f, err := simulator.ParseFault("HSM/DSC/P1:wear-rings@2h+4h")
	if err != nil {
		t.Fatal(err)
	}
	s, err := simulator.ParseFault("BOF/C1/FAN:stuck=T_GAS@3h")
	if err != nil {
		t.Fatal(err)
	}
	one := trial{simulator.Scenario{Name: "wear", Works: works.Deep(), Seed: 3, Duration: 7 * time.Hour, Faults: []simulator.Fault{f, s}}, time.Hour}
	runs, err := evaluate(t.Context(), []trial{one, one}, library, &meter{})
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(runs[0], runs[1]) {
		t.Errorf("two runs with one seed have scores %+v and %+v", runs[0], runs[1])
	}
	got := runs[0].Score
	if got.Events != 1 || got.Found != 1 || got.Right < 1 || got.Told != 1 || got.Tagged != 1 || got.Unwatched != 0 || got.SensorEvents != 1 {
		t.Errorf("%+v", got)
	}
	if got.Leads[0] <= 0 || got.Leads[0] >= 1 {
		t.Errorf("lead %v", got.Leads[0])
	}
	// Three assets of seven hours, less the hour and more that a model learns for,
	// and less the times of the two faults.
	if month := 30 * 24.0; got.Months*month < 3 || got.Months*month > 3*6-5-4 {
		t.Errorf("%v healthy asset-hours", got.Months*month)
	}
	one.Faults = []simulator.Fault{{Asset: "X", Name: "dust", Severity: 1}}
	if _, err := evaluate(t.Context(), []trial{one}, library, &meter{}); err == nil {
		t.Error("a fault of no asset was taken")
	}
}

// Every text of a machine in depth that is not its mode tells a product, whatever it is
// called.
func TestProducts(t *testing.T) {
	works, err := simulator.Named("reference")
	if err != nil {
		t.Fatal(err)
	}
	one := trial{Scenario: simulator.Scenario{Works: works.Deep()}}
	told := map[string]int{}
	for i, tag := range one.Works.Tags {
		if tag.Kind != plant.Text {
			continue
		}
		w, name := one.watch(nil), path.Base(tag.Path)
		w.take(&plant.Batch{}, []server.Value{{Var: i, Text: "X1"}}, nil, 7)
		want := []score.Change{{Asset: tag.Asset, Time: 7, Product: name != "MODE"}}
		if !slices.Equal(w.Changes, want) {
			t.Errorf("%s: %+v, want %+v", tag.Path, w.Changes, want)
		}
		if name != "MODE" {
			told[tag.Asset]++
		}
	}
	for _, a := range one.Works.Assets {
		without := a.Path == "WAT/CW/P1" || a.Path == "UTL/AIR/NET" || a.Path == "HSM/DSC/P1" // as docs/evaluate.md says
		if without != (told[a.Path] == 0) {
			t.Errorf("%s has %d texts of products", a.Path, told[a.Path])
		}
	}
}
