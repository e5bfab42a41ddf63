package main

import (
	"testing"

	"millwright/simulator"
)

// A seed that is given makes another story of what a scenario leaves to chance; its
// own seed, or none, tells the story of the file.
func TestSeedOfChance(t *testing.T) {
	const file = "firmware-configs/scenarios/random-demo.toml"
	sc, err := simulator.ReadScenario(file)
	if err != nil {
		t.Fatal(err)
	}
	seven, eight := uint64(7777), uint64(8888)
	for _, c := range []struct{ given, mill, chance uint64 }{
		{0, sc.Seed, sc.Random.Seed},
		{sc.Seed, sc.Seed, sc.Random.Seed},
		{seven, seven, seven},
		{eight, eight, eight},
	} {
		st := story{Scenario: file}
		if c.given != 0 {
			st.Seed = &c.given
		}
		var s simulator.Simulator
		if _, err := st.tell(&s, "demo", false); err != nil {
			t.Fatal(err)
		}
		want := *sc.Random
		want.Seed = c.chance
		if s.Seed != c.mill || *s.Random != want {
			t.Errorf("--seed %d: the mill has %d, chance %+v, want %d and %+v", c.given, s.Seed, *s.Random, c.mill, want)
		}
	}
}
