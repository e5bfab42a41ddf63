package collector

import (
	"context"
	"strings"
	"unicode"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

const (
	mostFolders = 10  // nodes that are likely to have many children, in one Browse
	mostName    = 200 // runes of a browse name in a path
)

// browser walks an address space. References make a graph, not a tree: each
// node is visited once, along the shortest way.
type browser struct {
	*explorer
	srv    peer
	most   int // variables wanted, 0: all
	points int // continuation points that the server keeps for us, 0 unknown
	tell   func(Progress)

	seen      map[string]struct{}
	found     []variable
	objects   map[string]object // by path
	described int               // variables of which all is known
	types     map[string]*variableType
	draft     *Draft
}

// place is a node with its browse path below the root.
type place struct {
	id       *ua.NodeID
	path     string
	depth    int
	variable int // index in found, -1 for others
}

// variable is a place with what was read of it.
type variable struct {
	id            *ua.NodeID
	path          string
	units, ranges *ua.NodeID // property nodes
}

// object is what stands above variables.
type object struct {
	name string // for people, where it is another than in the path
	kind *ua.NodeID
}

// walk visits level by level. What has many children, which is objects, is
// browsed in small calls, so that answers stay within a message and the
// server's continuation points suffice; variables in large ones.
func (b *browser) walk(ctx context.Context, root *ua.NodeID) error {
	b.objects = map[string]object{}
	folders, leaves := []place{{id: root, variable: -1}}, []place(nil)
	for len(folders)+len(leaves) > 0 {
		var nextFolders, nextLeaves []place
		take := func(p place, refs []*ua.ReferenceDescription) error {
			for _, r := range refs {
				next, ok := b.visit(p, r)
				if !ok {
					continue
				}
				if len(b.seen) > mostNodes {
					return ErrTooManyNodes
				}
				if b.most > 0 && len(b.found) >= b.most {
					return errEnough
				}
				switch {
				case next.depth >= mostDepth:
				case next.variable < 0:
					nextFolders = append(nextFolders, next)
				default:
					nextLeaves = append(nextLeaves, next)
				}
			}
			return nil
		}
		width := mostFolders
		if b.points > 0 {
			width = max(1, min(width, b.points/manyParts))
		}
		if err := b.level(ctx, folders, width, take); err != nil {
			return err
		}
		if err := b.level(ctx, leaves, mostPerBrowse, take); err != nil {
			return err
		}
		folders, leaves = nextFolders, nextLeaves
	}
	return nil
}

func (b *browser) level(ctx context.Context, all []place, size int, take func(place, []*ua.ReferenceDescription) error) error {
	size = min(size, b.limits.browse.size())
	return inOrder(ctx, manyParts, len(all), size, func(ctx context.Context, from, to int) ([]browsed, error) {
		ids := make([]*ua.NodeID, 0, to-from)
		for _, p := range all[from:to] {
			ids = append(ids, p.id)
		}
		return b.browse(ctx, ids, id.HierarchicalReferences)
	}, func(from, _ int, results []browsed) error {
		for i, r := range results {
			if r.refused != "" {
				b.draft.Refused[r.refused]++
			}
			if err := take(all[from+i], r.refs); err != nil {
				return err
			}
		}
		b.progress(false)
		return nil
	})
}

// visit decides about a node found below from.
func (b *browser) visit(from place, r *ua.ReferenceDescription) (place, bool) {
	if r == nil || r.NodeID == nil || r.NodeID.NodeID == nil || r.BrowseName == nil || r.NodeID.HasServerIndex() {
		return place{}, false
	}
	n := ua.NewNodeIDFromExpandedNodeID(r.NodeID)
	if t := r.ReferenceTypeID; t != nil && t.Namespace() == 0 && t.IntID() == id.HasProperty {
		if from.variable >= 0 {
			switch v := &b.found[from.variable]; r.BrowseName.Name {
			case "EngineeringUnits":
				v.units = n
			case "EURange":
				v.ranges = n
			}
		}
		return place{}, false
	}
	key := n.String()
	if _, again := b.seen[key]; again || n.Namespace() == 0 {
		return place{}, false
	}
	b.seen[key] = struct{}{}
	to := place{id: n, path: join(from.path, r.BrowseName.Name), depth: from.depth + 1, variable: -1}
	if r.NodeClass == ua.NodeClassVariable {
		to.variable = len(b.found)
		b.found = append(b.found, variable{id: n, path: to.path})
		return to, true
	}
	o := object{}
	if r.DisplayName != nil && r.DisplayName.Text != r.BrowseName.Name {
		o.name = r.DisplayName.Text
	}
	if t := r.TypeDefinition; t != nil && t.NodeID != nil && t.NodeID.Namespace() != 0 {
		o.kind = t.NodeID
	}
	if o != (object{}) {
		b.objects[to.path] = o
	}
	return to, true
}

// join makes a path of browse names, which may themselves hold any text, of
// letters that a tag list allows.
func join(path, name string) string {
	name = strings.Map(func(r rune) rune {
		if strings.ContainsRune("/+#,", r) || unicode.IsControl(r) || r == unicode.ReplacementChar {
			return '_'
		}
		return r
	}, strings.TrimSpace(name))
	if r := []rune(name); len(r) > mostName {
		name = strings.TrimSpace(string(r[:mostName]))
	}
	if name == "" || name[0] == '$' {
		name = "_" + strings.TrimPrefix(name, "$")
	}
	if path == "" {
		return name
	}
	return path + "/" + name
}
