package simulator

import (
	"fmt"
	"io/fs"
	"slices"

	configs "millwright/firmware-configs"
	"millwright/plant"
	"millwright/plant/config"
	"millwright/simulator/machine"
	"millwright/simulator/production"
)

// Works is what a simulated works consists of: the tags that its control system
// has, its assets, and where and when it stands.
type Works struct {
	Tags    []plant.Tag
	Assets  []plant.Asset
	Setting production.Setting
}

// machines are the assets of the works, made for the shop: first those that are
// known deeply.
func (w *Works) machines(s *shop) []machine.Machine {
	var out []machine.Machine
	for _, b := range builders() {
		if slices.ContainsFunc(w.Assets, func(a plant.Asset) bool { return a.Path == b.path }) {
			out = append(out, b.make(s))
		}
	}
	return append(out, w.shallows(s, out)...)
}

// Deep is the works without the assets that no machine of the simulator stands for.
func (w Works) Deep() Works {
	known := map[string]bool{"": true} // tags of the works itself
	for _, b := range builders() {
		known[b.path] = true
	}
	w.Tags = slices.DeleteFunc(slices.Clone(w.Tags), func(t plant.Tag) bool { return !known[t.Asset] })
	w.Assets = slices.DeleteFunc(slices.Clone(w.Assets), func(a plant.Asset) bool { return !known[a.Path] })
	return w
}

// Reference is the reference works: an integrated steel works of 1.1 Mt a year
// near Karachi, from the coke ovens to galvanizing.
func Reference() (Works, error) {
	files, err := fs.Sub(configs.Reference, "reference")
	if err != nil {
		return Works{}, fmt.Errorf("simulator: %w", err)
	}
	tags, assets, err := config.ParseWorks(files)
	return Works{Tags: tags, Assets: assets, Setting: production.Setting{Weak: true, Mix: true}}, err
}

// Named is a works by the name that flags and configurations give it.
func Named(name string) (Works, error) {
	switch name {
	case "demo":
		return Demo()
	case "reference":
		return Reference()
	}
	return Works{}, fmt.Errorf("simulator: there is no works %q, allowed are demo and reference", name)
}
