package collector

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"strings"

	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

const (
	maxKeyNode = 200    // bytes of a node id in a key; of longer ones the rest is hashed
	mostPlaces = 10_000 // sources that are remembered
)

// places finds the asset that an alarm of the PLC belongs to, by the node and the
// name of its source.
type places struct {
	tags       []plant.Tag
	namespaces []string

	byNode map[string]int // tags by node as formatNode writes it; nil: not made yet
	found  map[string]belonging
}

type belonging struct{ asset, tag string }

// connect takes the server's namespaces of today.
func (p *places) connect(namespaces []string) {
	p.namespaces, p.byNode = namespaces, nil
}

// name is a node in a key: the same whatever number its namespace has today.
func (p *places) name(n *ua.NodeID) string {
	s := line(formatNode(n, p.namespaces), math.MaxInt16)
	if len(s) <= maxKeyNode {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	return line(s, maxKeyNode/2) + hex.EncodeToString(sum[:16])
}

// of gives the asset of a source, and the tag where the source is the node of one.
// The node decides: it is a tag's, lies above tags of one asset, or below a tag, as
// far as written ids show it. Else the name is a tag's or an asset's path, or the
// last part of just one asset's.
func (p *places) of(source *ua.NodeID, name string) (asset, tag string) {
	if p.byNode == nil {
		p.index()
	}
	node := ""
	if source != nil {
		node = formatNode(source, p.namespaces)
	}
	key := node + "\n" + name
	at, ok := p.found[key]
	if !ok {
		if at = p.byID(node); at.asset == "" {
			at = p.byName(name)
		}
		if len(p.found) >= mostPlaces {
			clear(p.found)
		}
		p.found[key] = at
	}
	return at.asset, at.tag
}

func (p *places) index() {
	p.byNode, p.found = make(map[string]int, len(p.tags)), map[string]belonging{}
	for i := range p.tags {
		if n, err := parseNode(p.tags[i].Node); err == nil {
			if id, err := n.resolve(p.namespaces); err == nil {
				p.byNode[formatNode(id, p.namespaces)] = i
			}
		}
	}
}

func (p *places) byID(node string) belonging {
	if node == "" {
		return belonging{}
	}
	if i, ok := p.byNode[node]; ok {
		return belonging{p.tags[i].Asset, p.tags[i].Path}
	}
	var one onlyOne
	for other, i := range p.byNode {
		if below(other, node) || below(node, other) {
			one.add(p.tags[i].Asset)
		}
	}
	return belonging{asset: one.is()}
}

func (p *places) byName(name string) belonging {
	if name == "" {
		return belonging{}
	}
	var one onlyOne
	for i := range p.tags {
		switch t := &p.tags[i]; {
		case t.Path == name:
			return belonging{t.Asset, t.Path}
		case t.Asset == name:
			return belonging{asset: t.Asset}
		case strings.HasSuffix(t.Asset, "/"+name):
			one.add(t.Asset)
		}
	}
	return belonging{asset: one.is()}
}

// below reports whether a written node id is that of something inside another:
// text ids of PLCs are paths.
func below(inner, outer string) bool {
	rest, ok := strings.CutPrefix(inner, outer)
	return ok && rest != "" && strings.ContainsRune("./:|[\"", rune(rest[0])) && strings.Contains(outer, "s=")
}

// onlyOne is what was added, where it was always the same.
type onlyOne struct {
	s    string
	many bool
}

func (o *onlyOne) add(s string) {
	o.many = o.many || o.s != "" && s != o.s
	o.s = s
}

func (o *onlyOne) is() string {
	if o.many {
		return ""
	}
	return o.s
}
