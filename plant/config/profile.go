package config

import (
	"fmt"
	"math"
	"path"
	"slices"
	"strings"
	"time"

	configs "millwright/firmware-configs"
	"millwright/plant"
)

// Generic is the profile of a PLC that names none.
const Generic = "generic"

// Profile is what is known of a kind of OPC UA server, a file in
// firmware-configs/plc: what it bears, and how it is told to trust us.
type Profile struct {
	Name  string // "siemens-s7-1500"
	Title string // for people
	plant.Budget
	Products []string // parts of the maker's or product's name that the server gives of itself, in lower case
	Trust    []string // steps at the server, for people; {certificate} stands for the file of ours
	// Sources says of each key of the file where its figure comes from. What no
	// document of the maker was seen for begins with "unconfirmed".
	Sources map[string]string
}

// Profiles are all that ship, by name.
func Profiles() []Profile {
	files, err := configs.PLC.ReadDir("plc")
	if err != nil {
		return nil // they are embedded
	}
	var out []Profile
	for _, f := range files {
		if p, err := readProfile(path.Join("plc", f.Name())); err == nil {
			out = append(out, p)
		}
	}
	return out
}

// ProfileOf is the profile of the server that calls itself so, the generic one
// where it is none that we know.
func ProfileOf(maker, product string) Profile {
	name := strings.ToLower(maker + " " + product)
	var generic Profile
	for _, p := range Profiles() {
		if p.Name == Generic {
			generic = p
		}
		if slices.ContainsFunc(p.Products, func(part string) bool { return strings.Contains(name, part) }) {
			return p
		}
	}
	return generic
}

// readProfile reads one file that ships.
func readProfile(file string) (Profile, error) {
	var p Profile
	src, err := configs.PLC.ReadFile(file)
	if err != nil {
		return p, err
	}
	var faults Faults
	t := parse(file, string(src), &faults)
	if t == nil {
		return p, faults.err()
	}
	p = Profile{
		Name: strings.TrimSuffix(path.Base(file), ".toml"), Title: t.need("title", "Maker's product"),
		Products: t.texts("products"), Trust: t.texts("trust"), Sources: map[string]string{},
	}
	p.Budget = t.budget(plant.Budget{})
	figures := slices.Clone(t.ask)
	if s := t.table("sources"); s != nil {
		for _, key := range figures {
			if text := s.text(key, ""); text != "" {
				p.Sources[key] = text
			}
		}
		s.close()
	}
	for key := range t.m {
		if slices.Contains(figures, key) && key != "title" && p.Sources[key] == "" {
			t.fault(key, "has no source: say in [sources] where it comes from")
		}
	}
	t.close()
	return p, faults.err()
}

// profile reads the key profile and what stands against it in [plc.budget].
func (t *table) profile() (Profile, plant.Budget) {
	all := Profiles()
	var names []string
	for _, p := range all {
		names = append(names, p.Name)
	}
	name := t.oneOf("profile", Generic, names...)
	i := slices.IndexFunc(all, func(p Profile) bool { return p.Name == name })
	if i < 0 {
		return Profile{Name: Generic}, plant.Budget{}
	}
	b := all[i].Budget
	if s := t.table("budget"); s != nil {
		b = s.budget(b)
		s.close()
	}
	return all[i], b
}

// budget reads the keys of a budget over those of another.
func (t *table) budget(b plant.Budget) plant.Budget {
	b.Sessions = int(t.integer("sessions", int64(b.Sessions), 1, math.MaxInt32))
	b.Tags = int(t.integer("tags", int64(b.Tags), 1, math.MaxInt32))
	b.Values = t.number("values_s", b.Values, 1, 1e9)
	b.Sampling = t.duration("sampling", b.Sampling, 0, time.Hour)
	b.Publishing = t.duration("publishing", b.Publishing, 0, time.Minute)
	b.Batch = int(t.integer("batch", int64(b.Batch), 1, 100_000))
	b.Requests = t.number("requests_s", b.Requests, 1, 1e6)
	b.Connects = t.number("connects_min", b.Connects, 1, 6000)
	if t.has("one_by_one") || !b.OneByOne {
		b.OneByOne = t.flag("one_by_one")
	}
	if history := t.flag("history"); t.has("history") {
		b.NoHistory = !history
	}
	return b
}

// Overload says what the tags of a PLC ask for beyond its budget, a sentence each.
func (p *PLC) Overload(tags []plant.Tag) []string {
	var out []string
	items, rate := p.Budget.Load(tags)
	if most := p.Budget.Tags; most > 0 && items > most {
		out = append(out, fmt.Sprintf("%d tags, the budget of this PLC (profile %s) is %d: leave out what nobody needs, or set tags in [plc.budget] if the PLC's manual allows more",
			items, p.Profile.Name, most))
	}
	if most := p.Budget.Values; most > 0 && rate > most {
		out = append(out, fmt.Sprintf("%.0f values/s are asked for by the sampling intervals, the budget of this PLC (profile %s) is %.0f: sample more slowly, or set values_s in [plc.budget] if the PLC bears more",
			math.Ceil(rate), p.Profile.Name, most))
	}
	return out
}
