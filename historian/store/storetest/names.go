package storetest

import (
	"context"
	"reflect"
	"slices"

	"millwright/historian/store"
	"millwright/plant"
	"millwright/sparkplug"
)

// Texts that are hard on what is between them and the disk: quotes, escapes and
// separators of every format on the way, controls, other scripts.
var odd = []string{
	`plain/VIB_H`, `with blank`, `a,b=c d`, `"quoted"`, `half"quote`, `'single'`, `back\slash`, `end\`, `two\\`, `\"`, `\,`,
	`x") |> drop(columns: ["_value"]) //`, `' OR '1'='1`, `${r._value}`, `$SCORE`, `%22`, `#comment`, "line\nbreak", "tab\there", "return\r\nfeed", "nul\x00",
	`Прокатка/Клеть №3`, `بیلن ۳/وائبریشن`, `轧机/振动`, "\U0001F525", `_field`, `true`, `1i`, `time`,
}

func testNames(s *suite) {
	tags := make([]plant.Tag, len(odd))
	for i, n := range odd {
		tags[i] = plant.Tag{Path: n, Asset: n, Unit: n, Description: n}
	}
	if err := s.Intern(tags); err != nil {
		s.Fatal(err)
	}
	assets := make([]plant.Asset, len(odd))
	var b plant.Batch
	for i, t := range tags {
		assets[i] = plant.Asset{Path: odd[i], Name: odd[i]}
		b.Samples = append(b.Samples, plant.Sample{Tag: t.ID, Time: base + int64(i)*second, Value: float64(i)})
		for k, text := range odd {
			b.States = append(b.States, plant.State{Tag: t.ID, Time: base + int64(k)*second, Value: text, Quality: plant.Quality(k)})
		}
		b.Gaps = append(b.Gaps, plant.Gap{Tag: t.ID, From: base, To: base + int64(i+1)*second, Reason: odd[i]})
	}
	var marks []store.Mark
	for i, n := range odd {
		marks = append(marks, store.Mark{Edge: n, Epoch: 3, Number: uint64(i + 1)})
		if err := s.SetAssets(n, assets[i:i+1]); err != nil {
			s.Fatal(err)
		}
	}
	s.put(b, marks...)
	ctx := context.Background()
	s.twice(func() {
		want := slices.Clone(tags)
		slices.SortFunc(want, func(a, b plant.Tag) int {
			if a.Path < b.Path {
				return -1
			}
			return 1
		})
		if got := s.Tags(); !slices.Equal(got, want) {
			s.Fatalf("tags\n%+v\nwant\n%+v", got, want)
		}
		for i, t := range tags {
			s.same(t.Path, s.scan(all(t.ID)), b.Samples[i:i+1])
			states, err := s.States(ctx, all(t.ID))
			if err != nil || !slices.Equal(states, b.States[i*len(odd):(i+1)*len(odd)]) {
				s.Fatalf("states of %q: %+v %v", t.Path, states, err)
			}
			gaps, err := s.Gaps(ctx, all(t.ID))
			if err != nil || !slices.Equal(gaps, b.Gaps[i:i+1]) {
				s.Fatalf("gaps of %q: %+v %v", t.Path, gaps, err)
			}
			spans, err := s.Committed(t.Path, 3)
			if want := []sparkplug.Span{{First: uint64(i + 1), Last: uint64(i + 1)}}; err != nil || !slices.Equal(spans, want) {
				s.Fatalf("record numbers of %q: %v %v", t.Path, spans, err)
			}
		}
		byPath := slices.Clone(assets)
		slices.SortFunc(byPath, func(a, b plant.Asset) int {
			if a.Path < b.Path {
				return -1
			}
			return 1
		})
		if got := s.Assets(); !reflect.DeepEqual(got, byPath) {
			s.Fatalf("assets\n%+v\nwant\n%+v", got, byPath)
		}
		ids := make([]plant.TagID, len(tags))
		for i := range tags {
			ids[i] = tags[i].ID
		}
		last, err := s.Last(ctx, ids)
		if err != nil {
			s.Fatal(err)
		}
		s.same("last", last, b.Samples)
	})
	// What one name may do to its own data it may not do to another's.
	for i, t := range tags {
		if i%3 > 0 {
			continue
		}
		if err := s.Delete(ctx, all(t.ID)); err != nil {
			s.Fatal(err)
		}
		s.same("deleted", s.scan(all(t.ID)), nil)
		if i+1 < len(tags) {
			s.same("the next one", s.scan(all(tags[i+1].ID)), b.Samples[i+1:i+2])
		}
	}
}
