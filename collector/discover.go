package collector

import (
	"context"
	"errors"
	"fmt"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

const (
	mostNodes = 1_000_000 // visited by one discovery
	mostDepth = 30
	manyParts = 4 // under way at once; the pace says how many requests that may be
)

// ErrTooManyNodes comes together with the draft of what was found so far.
var ErrTooManyNodes = errors.New("the server has more nodes than a discovery visits: give a root below Objects")

// errEnough ends a discovery that has found as many variables as were wanted.
var errEnough = errors.New("enough variables")

// Discovery is a look at all that a server has below a node.
type Discovery struct {
	URL      string
	Security Security
	Root     string // a node id as in a tag list; the Objects folder where empty
	Most     int    // variables; no more are looked for. 0: all

	// Manners, where not nil, gives the budget of load for a server that says it
	// is this product.
	Manners func(Product) plant.Budget
	// Progress, where not nil, is called after each step, by the goroutine of Run.
	Progress func(Progress)
}

// Progress is how far a discovery has got.
type Progress struct {
	Nodes     int // visited
	Variables int // of these
	Read      int // variables of which type, unit and range are known
	Done      bool
}

// Draft is what a discovery found.
type Draft struct {
	Product  Product // as the server calls itself
	Nodes    int
	Tags     []plant.Tag // without ID
	Left     []LeftOut   // variables that are no tags
	Machines []Machine   // the assets of the tags
	// Refused are nodes that the server would not let us browse, by its reason.
	Refused map[string]int

	namespaces []string
	variables  map[string]bool // node ids as formatNode writes them, tags and left out
}

// LeftOut is a variable that cannot be read as a tag.
type LeftOut struct{ Path, Node, Why string }

// Canonical writes a node id as the draft writes it, so that two ways to write
// one id are equal. An id of a namespace that the server does not have is an
// error.
func (d *Draft) Canonical(node string) (string, error) {
	n, err := parseNode(node)
	if err != nil {
		return "", err
	}
	x, err := n.resolve(d.namespaces)
	if err != nil {
		return "", err
	}
	return formatNode(x, d.namespaces), nil
}

// Has reports whether the server has a variable of this canonical node id.
func (d *Draft) Has(canonical string) bool { return d.variables[canonical] }

// Discover is Run of a Discovery for its tags alone.
func Discover(ctx context.Context, url string, sec Security, root string) ([]plant.Tag, error) {
	d := &Discovery{URL: url, Security: sec, Root: root}
	draft, err := d.Run(ctx)
	if draft == nil {
		return nil, err
	}
	return draft.Tags, err
}

// Run browses the server and drafts a tag for each scalar variable of numbers or
// text that it finds. Paths are browse paths below the root, the asset is the
// path above the variable; unit and range come from EngineeringUnits and EURange.
// What OPC UA itself defines (namespace 0) is left out.
func (d *Discovery) Run(ctx context.Context) (*Draft, error) {
	l, srv, err := dialOnce(ctx, d.URL, d.Security)
	if err != nil {
		return nil, err
	}
	defer l.leave(ctx)
	start := ua.NewNumericNodeID(0, id.ObjectsFolder)
	if d.Root != "" {
		n, err := parseNode(d.Root)
		if err != nil {
			return nil, err
		}
		if start, err = n.resolve(srv.namespaces); err != nil {
			return nil, fmt.Errorf("node %q: %w", d.Root, err)
		}
	}
	b := &browser{explorer: explore(l), srv: srv, most: d.Most, tell: d.Progress, seen: map[string]struct{}{start.String(): {}}, types: map[string]*variableType{}}
	b.draft = &Draft{namespaces: srv.namespaces, Refused: map[string]int{}}
	if err := b.prepare(ctx, d.Manners); err != nil {
		return nil, err
	}
	full := b.walk(ctx, start)
	if errors.Is(full, errEnough) {
		full = nil
	}
	if full != nil && !errors.Is(full, ErrTooManyNodes) {
		return nil, full
	}
	b.draft.Nodes, b.seen = len(b.seen), nil // which is as large as all that follows
	if err := b.describeVariables(ctx); err != nil {
		return nil, err
	}
	if err := b.machines(ctx); err != nil {
		return nil, err
	}
	b.progress(true)
	return b.draft, full
}

// prepare asks what kind of server this is and sets the pace.
func (b *browser) prepare(ctx context.Context, manners func(Product) plant.Budget) error {
	v, err := b.read(ctx, requestTimeout, ua.AttributeIDValue, ua.NewNumericNodeID(0, id.Server_ServerCapabilities_MaxBrowseContinuationPoints),
		ua.NewNumericNodeID(0, id.Server_ServerDiagnostics_ServerDiagnosticsSummary_CurrentSessionCount))
	if err != nil {
		return fmt.Errorf("asking the server for its limits: %w", err)
	}
	points, _ := good[uint16](v[0])
	b.points = int(points)
	if b.draft.Product, err = b.product(ctx); err != nil {
		return err
	}
	var budget plant.Budget
	if manners != nil {
		budget = manners(b.draft.Product)
	}
	if sessions, ok := good[uint32](v[1]); ok && budget.Sessions > 0 && int(sessions) >= budget.Sessions {
		return fmt.Errorf("%d of the server's %d sessions are taken, this one included: an edge that lost its own would find none; end clients that nobody needs, or set sessions in [plc.budget]", sessions, budget.Sessions)
	}
	b.limits.browse.bound(budget.Batch)
	b.limits.read.bound(budget.Batch)
	b.pace = newPace(budget)
	return nil
}

func (b *browser) progress(done bool) {
	if b.tell != nil {
		b.tell(Progress{Nodes: max(b.draft.Nodes, len(b.seen)), Variables: len(b.found), Read: b.described, Done: done})
	}
}

// dialOnce opens a session for a single purpose.
func dialOnce(ctx context.Context, url string, sec Security) (*link, peer, error) {
	p, err := sec.open()
	if err != nil {
		return nil, peer{}, err
	}
	e := &engine{src: &Source{URL: url, Name: "discovery", life: visitLife}, sec: p}
	l, _, err := e.reach(ctx)
	if err != nil {
		return nil, peer{}, err
	}
	srv, err := l.describe(ctx)
	if err != nil {
		l.leave(ctx)
		return nil, peer{}, err
	}
	return l, srv, nil
}
