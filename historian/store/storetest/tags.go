package storetest

import (
	"reflect"
	"slices"
	"time"

	"millwright/plant"
)

func testTags(s *suite) {
	in := []plant.Tag{
		{Path: "B/Y", Asset: "B", Unit: "mm/s", Low: -1, High: 20, Kind: plant.Analog, Sampling: time.Second},
		{Path: "A/X", Asset: "A", Kind: plant.Text},
		{Path: "B/Y", Asset: "B", Unit: "µm/s"},
	}
	if err := s.Intern(in); err != nil {
		s.Fatal(err)
	}
	if in[0].ID == 0 || in[0].ID != in[2].ID || in[0].ID == in[1].ID {
		s.Fatalf("ids %d %d %d", in[0].ID, in[1].ID, in[2].ID)
	}
	want := []plant.Tag{in[1], in[2]} // by path, the last one wins
	s.twice(func() {
		if got := s.Tags(); !slices.Equal(got, want) {
			s.Fatalf("tags\n%+v\nwant\n%+v", got, want)
		}
	})
	again := s.intern("C", "B/Y", "A/X")
	want = []plant.Tag{{ID: in[1].ID, Path: "A/X"}, {ID: in[0].ID, Path: "B/Y"}, {ID: again[0], Path: "C"}}
	s.twice(func() {
		if got := s.Tags(); !slices.Equal(got, want) || again[1] != in[0].ID || again[2] != in[1].ID {
			s.Fatalf("tags %+v, interned %v", got, again)
		}
	})
	if err := s.Intern([]plant.Tag{{Path: "D"}, {}}); err == nil {
		s.Error("a tag without a path was interned")
	}
	if got := s.Tags(); len(got) != 3 {
		s.Errorf("beside it: %+v", got)
	}
}

func testAssets(s *suite) {
	a := []plant.Asset{{Path: "B", Name: "pump", Limits: []plant.Limit{{Tag: "B/Y", Kind: plant.LimitHigh, Value: 7}}}}
	b := []plant.Asset{{Path: "A", Name: "fan"}, {Path: "C"}}
	for edge, assets := range map[string][]plant.Asset{"one": {{Path: "old"}}, "two": b} {
		if err := s.SetAssets(edge, assets); err != nil {
			s.Fatal(err)
		}
	}
	if err := s.SetAssets("one", a); err != nil {
		s.Fatal(err)
	}
	s.twice(func() {
		if got, want := s.Assets(), []plant.Asset{b[0], a[0], b[1]}; !reflect.DeepEqual(got, want) {
			s.Fatalf("assets\n%+v\nwant\n%+v", got, want)
		}
	})
}
