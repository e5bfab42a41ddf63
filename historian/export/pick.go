package export

import (
	"slices"
	"strings"

	"millwright/plant"
)

// pick is what a query selects, in the order of the file.
type pick struct {
	tags   []plant.Tag   // by path
	assets []plant.Asset // of the tags, by path; those that nobody serves have only a path
	served []plant.Asset // of assets, those that are known
	mode   []plant.TagID // by asset: its $MODE; 0: none
}

// pick finds the tags of a query, as a *QueryError where there are none.
func (q Query) pick(src Source) (pick, error) {
	var p pick
	var e QueryError
	all := src.Tags()
	named := q.named(src)
	matched := make([]bool, len(q.Tags))
	inside := false
	for _, t := range all {
		if q.Asset != "" && !below(t.Asset, q.Asset) {
			if named[t.Path] {
				p.tags = append(p.tags, t)
			}
			continue
		}
		inside = true
		wanted := len(q.Tags) == 0 && !isStatus(t)
		for i, g := range q.Tags {
			if glob(g, t.Path) {
				wanted, matched[i] = true, true
			}
		}
		if wanted && t.Kind != plant.Burst { // they have neither rows nor columns
			p.tags = append(p.tags, t)
		}
	}
	if !inside && q.Asset != "" {
		e.add("asset", "the path of an asset that has tags, or of one above it", "%.200q is unknown", q.Asset)
		return p, e.err()
	}
	for i, g := range q.Tags {
		if !matched[i] {
			e.add("tags", "paths such as HSM/FM/F3/GBX/VIB_H, with * and ? as wild cards", "%.200q matches no tag", g)
		}
	}
	if len(e.List) == 0 && len(p.tags) == 0 {
		e.add("asset", "name its derived texts with tags", "%.200q has no tag to export", q.Asset)
	}
	if q.Shape == Wide && len(p.tags) > maxWide {
		e.add("shape", "ask for shape long, or for fewer tags", "%d tags are too many columns, at most %d", len(p.tags), maxWide)
	}
	if err := e.err(); err != nil {
		return p, err
	}
	slices.SortFunc(p.tags, func(a, b plant.Tag) int { return strings.Compare(a.Path, b.Path) })
	p.findAssets(src, all)
	return p, nil
}

// named are the tags that the modes and limits of the query's assets are told by:
// where all of an asset is asked for in long form they belong to it, wherever they
// are.
func (q Query) named(src Source) map[string]bool {
	if len(q.Tags) > 0 || q.Shape != Long {
		return nil
	}
	paths := map[string]bool{}
	for _, a := range src.Assets() {
		if !below(a.Path, q.Asset) {
			continue
		}
		paths[a.ModeTag] = true
		for _, m := range a.Modes {
			for _, c := range m.When {
				paths[c.Tag] = true
			}
		}
		for _, l := range a.Limits {
			paths[l.Tag] = true
		}
	}
	return paths
}

func (p *pick) findAssets(src Source, all []plant.Tag) {
	for i := range p.tags {
		if a := p.tags[i].Asset; a != "" {
			p.assets = append(p.assets, plant.Asset{Path: a})
		}
	}
	byPath := func(a, b plant.Asset) int { return strings.Compare(a.Path, b.Path) }
	slices.SortFunc(p.assets, byPath)
	p.assets = slices.CompactFunc(p.assets, func(a, b plant.Asset) bool { return a.Path == b.Path })
	p.served = []plant.Asset{}
	for _, a := range src.Assets() {
		if i, ok := slices.BinarySearchFunc(p.assets, a, byPath); ok {
			p.assets[i] = a
			p.served = append(p.served, a)
		}
	}
	slices.SortFunc(p.served, byPath)
	modes := map[string]plant.TagID{}
	for _, t := range all {
		modes[t.Path] = t.ID
	}
	p.mode = make([]plant.TagID, len(p.assets))
	for i, a := range p.assets {
		p.mode[i] = modes[a.Path+"/"+plant.TagMode]
	}
}

// asset is the place of a tag's asset in assets; -1 where it has none.
func (p *pick) asset(t *plant.Tag) int {
	i, ok := slices.BinarySearchFunc(p.assets, t.Asset, func(a plant.Asset, path string) int { return strings.Compare(a.Path, path) })
	if !ok {
		return -1
	}
	return i
}

// isStatus tells the texts that models write: the mode is a column of its own,
// and what a model says of itself is for screens.
func isStatus(t plant.Tag) bool { return t.Derived && t.Kind == plant.Text }

func below(path, asset string) bool {
	return path == asset || strings.HasPrefix(path, asset) && path[len(asset)] == '/'
}

// glob matches a path: * is any text, also with slashes, ? is one byte.
func glob(pattern, path string) bool {
	star, mark := -1, 0 // where to go back to: the last * may take more
	i, j := 0, 0
	for j < len(path) {
		switch {
		case i < len(pattern) && pattern[i] == '*':
			star, mark = i, j
			i++
		case i < len(pattern) && (pattern[i] == '?' || pattern[i] == path[j]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[i:], "*") == ""
}
