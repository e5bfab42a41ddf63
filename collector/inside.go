package collector

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

// Limit is what a server says that it bears. 0 where it says that there is none.
type Limit struct {
	Name  string  `json:"name"` // as OPC 10000-5, 6.3 names it
	Value float64 `json:"value"`
}

// limitNodes are the limits of the Server object that concern a reader.
var limitNodes = []struct {
	name string
	node uint32
}{
	{"MaxSessions", id.Server_ServerCapabilities_MaxSessions},
	{"MaxSubscriptions", id.Server_ServerCapabilities_MaxSubscriptions},
	{"MaxSubscriptionsPerSession", id.Server_ServerCapabilities_MaxSubscriptionsPerSession},
	{"MaxMonitoredItems", id.Server_ServerCapabilities_MaxMonitoredItems},
	{"MaxMonitoredItemsPerSubscription", id.Server_ServerCapabilities_MaxMonitoredItemsPerSubscription},
	{"MaxMonitoredItemsQueueSize", id.Server_ServerCapabilities_MaxMonitoredItemsQueueSize},
	{"MinSupportedSampleRate", id.Server_ServerCapabilities_MinSupportedSampleRate},
	{"MaxArrayLength", id.Server_ServerCapabilities_MaxArrayLength},
	{"MaxStringLength", id.Server_ServerCapabilities_MaxStringLength},
	{"MaxByteStringLength", id.Server_ServerCapabilities_MaxByteStringLength},
	{"MaxBrowseContinuationPoints", id.Server_ServerCapabilities_MaxBrowseContinuationPoints},
	{"MaxHistoryContinuationPoints", id.Server_ServerCapabilities_MaxHistoryContinuationPoints},
	{"MaxMonitoredItemsPerCall", id.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall},
	{"MaxNodesPerRead", id.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead},
	{"MaxNodesPerHistoryReadData", id.Server_ServerCapabilities_OperationLimits_MaxNodesPerHistoryReadData},
	{"MaxNodesPerBrowse", id.Server_ServerCapabilities_OperationLimits_MaxNodesPerBrowse},
	{"MaxNodesPerTranslateBrowsePathsToNodeIds", id.Server_ServerCapabilities_OperationLimits_MaxNodesPerTranslateBrowsePathsToNodeIDs},
}

// inside asks what only a session may. An error is one of the connection.
func (d *Diagnosis) inside(ctx context.Context, l *link, srv peer, r *Report, x *Examination) error {
	p, err := l.product(ctx)
	if err != nil {
		return err
	}
	if p.Maker+p.Name != "" {
		d.Product = p
	}
	d.ok("product", strings.TrimSpace(fmt.Sprintf("%s %s %s", p.Maker, p.Name, p.Version)))
	if x.Manners != nil {
		l.pace = newPace(x.Manners(d.Product))
	}
	if err := d.health(ctx, l); err != nil {
		return err
	}
	if err := d.clock(ctx, l, srv, r.ClockOffset); err != nil {
		return err
	}
	if err := d.limits(ctx, l, x.budget(d.Product)); err != nil {
		return err
	}
	return d.tags(ctx, l, srv, x.Tags)
}

// health looks whether the server itself says that it is well.
func (d *Diagnosis) health(ctx context.Context, l *link) error {
	v, err := l.read(ctx, requestTimeout, ua.AttributeIDValue, ua.NewNumericNodeID(0, id.Server_ServerStatus_State),
		ua.NewNumericNodeID(0, id.Server_ServiceLevel), ua.NewNumericNodeID(0, id.Server_ServerRedundancy_RedundancySupport),
		ua.NewNumericNodeID(0, id.Server_ServerRedundancy_ServerURIArray))
	if err != nil {
		return fmt.Errorf("reading the state of the server: %w", err)
	}
	if state, ok := good[int32](v[0]); ok && ua.ServerState(state) != ua.ServerStateRunning {
		d.fail("state", fmt.Sprintf("the server says that it is not running: %s", strings.TrimPrefix(ua.ServerState(state).String(), "ServerState")),
			"bring the server, or the PLC behind it, into operation")
	}
	level, ok := good[uint8](v[1])
	support, _ := good[int32](v[2])
	others, _ := good[[]string](v[3])
	text := "no redundant servers"
	if support > 0 {
		text = fmt.Sprintf("redundant (%s), servers %s", strings.TrimPrefix(ua.RedundancySupport(support).String(), "RedundancySupport"), strings.Join(others, ", "))
	}
	switch {
	case !ok:
		d.ok("redundancy", text)
	case level < serviceFull:
		d.warn("redundancy", fmt.Sprintf("service level %d of 255: the server is in reserve, or ill; %s", level, text),
			"read from the other server, or look what this one lacks")
	default:
		d.ok("redundancy", fmt.Sprintf("service level %d of 255, %s", level, text))
	}
	return nil
}

// clock measures round trips and the clock of the server.
func (d *Diagnosis) clock(ctx context.Context, l *link, srv peer, offset time.Duration) error {
	var trips []time.Duration
	var first time.Time // that the server told
	moves := false
	// Some servers tell a time that moves once a second only. It is right when it has
	// just moved.
	for i := 0; i < roundTrips || !moves && !first.IsZero() && i < roundTrips+clockReads; i++ {
		if i >= roundTrips {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(clockPause):
			}
		}
		begin := time.Now()
		v, err := l.read(ctx, requestTimeout, ua.AttributeIDValue, ua.NewNumericNodeID(0, id.Server_ServerStatus_CurrentTime))
		if err != nil {
			return fmt.Errorf("reading the time of the server: %w", err)
		}
		took := time.Since(begin)
		t, ok := good[time.Time](v[0])
		if ok && first.IsZero() {
			first = t
		}
		if ok && !t.Equal(first) {
			moves = true
		}
		// The shortest trip says most of the clock.
		if ok && (len(trips) == 0 || took < slices.Min(trips) || i >= roundTrips) {
			offset = t.Sub(begin.Add(took / 2))
		}
		if i < roundTrips {
			trips = append(trips, took)
		}
	}
	p50, p95 := quantile(trips, 50), quantile(trips, 95)
	d.Measured = &Measured{RoundTripP50: ms(p50), RoundTripP95: ms(p95), Clock: ms(offset)}
	text := fmt.Sprintf("p50 %s, p95 %s of %d reads", short(p50), short(p95), roundTrips)
	if p95 > time.Second {
		d.warn("round trip", text, "look at the network, and at the load of the PLC")
	} else {
		d.ok("round trip", text)
	}
	if srv.now == 0 {
		d.warn("clock", "the server does not tell its time", "look whether values carry a time of their own")
		return nil
	}
	said := "ahead of"
	if offset < 0 {
		said = "behind"
	}
	text = fmt.Sprintf("the server's clock is %s %s ours", short(offset.Abs()), said)
	const next = "set both clocks (NTP): values carry the server's time, and certificates are judged by it"
	switch {
	case offset.Abs() >= clockWrong:
		d.fail("clock", text, next)
	case offset.Abs() >= clockOff:
		d.warn("clock", text, next)
	default:
		d.ok("clock", text)
	}
	return nil
}

// limits reads what the server says that it bears.
func (d *Diagnosis) limits(ctx context.Context, l *link, b plant.Budget) error {
	nodes := []*ua.NodeID{ua.NewNumericNodeID(0, id.Server_ServerDiagnostics_ServerDiagnosticsSummary_CurrentSessionCount)}
	for _, n := range limitNodes {
		nodes = append(nodes, ua.NewNumericNodeID(0, n.node))
	}
	v, err := l.read(ctx, requestTimeout, ua.AttributeIDValue, nodes...)
	if err != nil {
		return fmt.Errorf("reading the limits of the server: %w", err)
	}
	var text []string
	most := map[string]float64{}
	for i, n := range limitNodes {
		if v[i+1] == nil || v[i+1].Status != ua.StatusOK {
			continue
		}
		if f, ok := number(v[i+1].Value); ok {
			most[n.name] = f
			d.Limits = append(d.Limits, Limit{n.name, f})
			if f > 0 {
				text = append(text, n.name+" "+strconv.FormatFloat(f, 'f', -1, 64))
			}
		}
	}
	if len(text) == 0 {
		d.ok("limits", "the server declares none")
	} else {
		d.ok("limits", strings.Join(text, ", "))
	}
	sessions, ok := good[uint32](v[0])
	max := int(most["MaxSessions"])
	if max == 0 || b.Sessions > 0 && b.Sessions < max {
		max = b.Sessions
	}
	if ok && max > 0 && int(sessions) >= max {
		d.warn("sessions", fmt.Sprintf("%d of %d sessions are taken, ours included", sessions, max), "end clients that nobody needs: after a cut there may be no session left for us")
	}
	return nil
}

// tags looks whether the nodes of the plant's tags are there and have a history.
func (d *Diagnosis) tags(ctx context.Context, l *link, srv peer, tags []plant.Tag) error {
	if len(tags) == 0 {
		return nil
	}
	var nodes []*ua.NodeID
	var named []string
	var lost, unknown, unreadable []string
	spaces := map[string]bool{}
	for _, t := range tags {
		n, err := parseNode(t.Node)
		if err == nil {
			var x *ua.NodeID
			if x, err = n.resolve(srv.namespaces); err == nil {
				nodes, named = append(nodes, x), append(named, t.Path)
				continue
			}
		}
		lost = append(lost, t.Path)
		if errors.Is(err, errNamespace) {
			spaces[n.uri] = true
		}
	}
	if len(lost) > 0 {
		d.fail("namespaces", fmt.Sprintf("the server has no namespace %s, of %s", listed(spaces), some(lost)),
			"the PLC program or the server's configuration has changed, or this is another server: millwright discover shows what it has")
	} else {
		d.ok("namespaces", fmt.Sprintf("%d in the server, all of the %d tags found", len(srv.namespaces), len(tags)))
	}
	v, err := explore(l).readAll(ctx, ua.AttributeIDUserAccessLevel, nodes)
	if err != nil {
		return err
	}
	history := 0
	for i := range v {
		level, ok := good[uint8](v[i])
		switch {
		case v[i] != nil && (v[i].Status == ua.StatusBadNodeIDUnknown || v[i].Status == ua.StatusBadNodeIDInvalid):
			unknown = append(unknown, named[i])
		case ok && ua.AccessLevelType(level)&ua.AccessLevelTypeCurrentRead == 0:
			unreadable = append(unreadable, named[i])
		}
		if ok && ua.AccessLevelType(level)&ua.AccessLevelTypeHistoryRead != 0 {
			history++
		}
	}
	if len(unknown) > 0 {
		d.fail("tags", fmt.Sprintf("the server does not know the nodes of %s", some(unknown)), "the PLC program has changed: millwright discover -o with the tag list shows what is gone and what is new")
	}
	if len(unreadable) > 0 {
		d.fail("tags", fmt.Sprintf("the user may not read %s", some(unreadable)), "give the user the right to read them at the server")
	}
	if len(unknown)+len(unreadable) == 0 && len(nodes) > 0 {
		d.ok("tags", fmt.Sprintf("all of the %d nodes are there", len(nodes)))
	}
	if history == 0 {
		d.ok("history", "none of the tags has one: what a break outlasts the server's queues is a gap")
	} else {
		d.ok("history", fmt.Sprintf("%d of %d tags have one, from which gaps are filled", history, len(tags)))
	}
	return nil
}

// some names the first of a list.
func some(list []string) string {
	if len(list) <= mostListed {
		return fmt.Sprintf("%d tags: %s", len(list), strings.Join(list, ", "))
	}
	return fmt.Sprintf("%d tags: %s, …", len(list), strings.Join(list[:mostListed], ", "))
}

func listed(set map[string]bool) string {
	var list []string
	for s := range set {
		list = append(list, s)
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}
