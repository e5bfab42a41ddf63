package hmi

import (
	"slices"
	"strings"
	"sync"
	"time"

	"millwright/plant"
)

// directory keeps a copy of the store's tags and assets, ordered for look-ups.
// Tags come and go with the births of edges, seldom; so a copy serves for a
// while, shorter when something was not found in it.
type directory struct {
	history History

	mu    sync.Mutex // guards made and stock
	made  time.Time
	stock *stock
}

// stock is one state of the directory. It is never changed.
type stock struct {
	tags    []plant.Tag // by path
	byPath  map[string]int
	assets  []plant.Asset
	members map[string]*members // by asset path
}

// members are the tags of one asset.
type members struct {
	measured, derived          []plant.TagID
	score, health, mode, model plant.TagID
	hasScore, hasHealth        bool
	hasMode, hasModel          bool
}

const (
	stockFresh  = time.Second
	stockRecent = 200 * time.Millisecond
)

// now is the directory, at most a second old.
func (d *directory) now() *stock { return d.within(stockFresh) }

// tag finds a tag by its path.
func (d *directory) tag(path string) (plant.Tag, bool) {
	p := d.now()
	i, ok := p.byPath[path]
	if !ok {
		p = d.within(stockRecent) // it may be that new
		if i, ok = p.byPath[path]; !ok {
			return plant.Tag{}, false
		}
	}
	return p.tags[i], true
}

func (d *directory) within(age time.Duration) *stock {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stock == nil || time.Since(d.made) > age {
		d.stock, d.made = newStock(d.history.Tags(), d.history.Assets()), time.Now()
	}
	return d.stock
}

func newStock(tags []plant.Tag, assets []plant.Asset) *stock {
	tags = slices.Clone(tags)
	slices.SortFunc(tags, func(a, b plant.Tag) int { return strings.Compare(a.Path, b.Path) })
	p := &stock{tags: tags, byPath: make(map[string]int, len(tags)), assets: assets, members: map[string]*members{}}
	for i := range tags {
		t := &tags[i]
		p.byPath[t.Path] = i
		m := p.members[t.Asset]
		if m == nil {
			m = &members{}
			p.members[t.Asset] = m
		}
		if !t.Derived {
			m.measured = append(m.measured, t.ID)
			continue
		}
		m.derived = append(m.derived, t.ID)
		switch strings.TrimPrefix(t.Path, t.Asset+"/") {
		case plant.TagScore:
			m.score, m.hasScore = t.ID, true
		case plant.TagHealth:
			m.health, m.hasHealth = t.ID, true
		case plant.TagMode:
			m.mode, m.hasMode = t.ID, true
		case plant.TagModel:
			m.model, m.hasModel = t.ID, true
		}
	}
	return p
}

// below reports whether path is asset or lies below it; "" is above all.
func below(path, asset string) bool {
	return asset == "" || path == asset || strings.HasPrefix(path, asset) && path[len(asset)] == '/'
}
