package collector

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

const (
	// eventHandle is the client handle of the one event item; no tag may have it.
	// Some servers take 0 and the largest number for none.
	eventHandle = math.MaxUint32 - 1
	eventQueue  = 10_000 // asked for: a refresh sends all open conditions at once
)

// events is the one monitored item on the Server object. It is in the
// subscription of the values, so order, Republish and acknowledgement hold for
// events too. All belongs to the goroutine of Run.
type events struct {
	log        *slog.Logger
	conditions bool // hear of conditions too

	queue   uint32 // that the server granted, 0 unknown or no item
	refused string // why there is no item, as logged
	here    int    // events of the present publishing cycle
	cycle   uint64

	// changed hears of a change of the server's address space or of what its
	// values mean (OPC 10000-3, 9.32 and 9.33), with the nodes that the server
	// names; none: it may be any. It must not wait. nil: nobody wants to know.
	changed func(affected []*ua.NodeID)
	// condition takes an event of a condition, or of a refresh of them; arrived is
	// in ns UTC. nil: nobody wants them.
	condition func(v *event, arrived int64)
	// lost says that the server's queue of events ran over.
	lost func()
}

// event is what is asked for of an event. A field that the event does not have,
// or that holds something else than it should, is zero.
type event struct {
	kind       uint32 // EventType where it is of namespace 0
	source     *ua.NodeID
	sourceName string
	time       int64 // ns UTC, 0 none
	message    string
	severity   uint16 // 1 … 1000
	condition  *ua.NodeID
	branch     *ua.NodeID // nil: the condition as it is now
	name       string
	retain     bool
	disabled   bool
	active     bool // or of a kind that has no such state
	affected   []*ua.NodeID
}

// clause is a field to select: a path from a type, by browse names of namespace 0.
type clause struct {
	of   uint32
	path []string
}

// The fields in the order in which they come (OPC 10000-5, 6.4.2; OPC 10000-9, 5).
// An empty path is the ConditionId, by the attribute NodeId.
var clauses = []clause{
	{id.BaseEventType, []string{"EventType"}},
	{id.BaseEventType, []string{"SourceNode"}},
	{id.BaseEventType, []string{"SourceName"}},
	{id.BaseEventType, []string{"Time"}},
	{id.BaseEventType, []string{"Message"}},
	{id.BaseEventType, []string{"Severity"}},
	{id.ConditionType, nil},
	{id.ConditionType, []string{"BranchId"}},
	{id.ConditionType, []string{"ConditionName"}},
	{id.ConditionType, []string{"Retain"}},
	{id.ConditionType, []string{"EnabledState", "Id"}},
	{id.AlarmConditionType, []string{"ActiveState", "Id"}},
	{id.GeneralModelChangeEventType, []string{"Changes"}},
	{id.SemanticChangeEventType, []string{"Changes"}},
}

// changeTypes and conditionTypes are the events that are wanted, with their
// subtypes; some servers send only those that are named. A server must send those of
// a refresh whatever is asked for, and not every one does (OPC 10000-9, 5.11).
var (
	changeTypes    = []uint32{id.BaseModelChangeEventType, id.GeneralModelChangeEventType, id.SemanticChangeEventType, id.EventQueueOverflowEventType}
	conditionTypes = []uint32{id.ConditionType, id.RefreshStartEventType, id.RefreshEndEventType, id.RefreshRequiredEventType}
)

// eventFilter asks for the events of changes, and with conditions for theirs.
func eventFilter(conditions bool) *ua.EventFilter {
	f := &ua.EventFilter{WhereClause: &ua.ContentFilter{}}
	for _, c := range clauses {
		op := &ua.SimpleAttributeOperand{TypeDefinitionID: ua.NewNumericNodeID(0, c.of), AttributeID: ua.AttributeIDNodeID,
			BrowsePath: []*ua.QualifiedName{}} // empty, not null, on which asyncua fails with every event
		for _, name := range c.path {
			op.AttributeID = ua.AttributeIDValue
			op.BrowsePath = append(op.BrowsePath, &ua.QualifiedName{Name: name})
		}
		f.SelectClauses = append(f.SelectClauses, op)
	}
	kinds := slices.Clone(changeTypes)
	if conditions {
		kinds = append(kinds, conditionTypes...)
	}
	// First the ORs, each of a type and the next OR, then the types.
	n := len(kinds)
	for i := range n - 1 {
		next := i + 1
		if i == n-2 {
			next = 2*n - 2
		}
		f.WhereClause.Elements = append(f.WhereClause.Elements, &ua.ContentFilterElement{FilterOperator: ua.FilterOperatorOr,
			FilterOperands: []*ua.ExtensionObject{element(n - 1 + i), element(next)}})
	}
	for _, k := range kinds {
		f.WhereClause.Elements = append(f.WhereClause.Elements, &ua.ContentFilterElement{FilterOperator: ua.FilterOperatorOfType,
			FilterOperands: []*ua.ExtensionObject{ua.NewExtensionObject(&ua.LiteralOperand{Value: ua.MustVariant(ua.NewNumericNodeID(0, k))})}})
	}
	return f
}

func element(i int) *ua.ExtensionObject {
	return ua.NewExtensionObject(&ua.ElementOperand{Index: uint32(i)})
}

// eventsHash changes with what is asked for of events, so that a subscription of
// a process before this one is not taken for one that hears them.
func eventsHash(conditions bool) uint64 {
	h := fnv.New64a()
	fmt.Fprint(h, clauses, changeTypes, conditions, conditionTypes)
	return h.Sum64()
}

// create asks for the item. A server that has no events, or not those, is no
// fault: that is said once. The error is one of the connection.
func (x *events) create(ctx context.Context, l *link, s subscription) error {
	x.queue = 0
	filter := eventFilter(x.conditions)
	code, err := x.ask(ctx, l, s, filter)
	if err == nil && badFilter(code) {
		filter.WhereClause = &ua.ContentFilter{} // then all come, and are sorted here
		code, err = x.ask(ctx, l, s, filter)
	}
	if err != nil {
		return fmt.Errorf("asking for events: %w", err)
	}
	why := ""
	if code != ua.StatusOK {
		why = statusText(code)
	}
	if why != x.refused && why != "" {
		x.log.Info("the server has no events: changes of its nodes and alarms of the PLC are not heard", "why", why)
	}
	x.refused = why
	return nil
}

func (x *events) ask(ctx context.Context, l *link, s subscription, f *ua.EventFilter) (ua.StatusCode, error) {
	res, err := call[*ua.CreateMonitoredItemsResponse](ctx, l, &ua.CreateMonitoredItemsRequest{
		SubscriptionID: s.id, TimestampsToReturn: ua.TimestampsToReturnNeither,
		ItemsToCreate: []*ua.MonitoredItemCreateRequest{{
			ItemToMonitor:  &ua.ReadValueID{NodeID: ua.NewNumericNodeID(0, id.Server), AttributeID: ua.AttributeIDEventNotifier, DataEncoding: &ua.QualifiedName{}},
			MonitoringMode: ua.MonitoringModeReporting,
			RequestedParameters: &ua.MonitoringParameters{ClientHandle: eventHandle, QueueSize: eventQueue, DiscardOldest: true,
				Filter: ua.NewExtensionObject(f)},
		}}}, requestTimeout)
	var code ua.StatusCode
	switch {
	case refusedService(err) && !sessionGone(err) && !subscriptionGone(err) && errors.As(err, &code):
		return code, nil
	case err != nil:
		return 0, err
	case len(res.Results) != 1 || res.Results[0] == nil:
		return 0, errors.New("the server's answer makes no sense")
	}
	if res.Results[0].StatusCode == ua.StatusOK {
		x.queue = res.Results[0].RevisedQueueSize
	}
	return res.Results[0].StatusCode, nil
}

// badFilter reports whether a status says that the where clause is not understood.
func badFilter(code ua.StatusCode) bool {
	return slices.Contains([]ua.StatusCode{ua.StatusBadEventFilterInvalid, ua.StatusBadContentFilterInvalid, ua.StatusBadMonitoredItemFilterInvalid,
		ua.StatusBadMonitoredItemFilterUnsupported, ua.StatusBadFilterNotAllowed, ua.StatusBadFilterOperatorInvalid, ua.StatusBadFilterOperatorUnsupported,
		ua.StatusBadFilterOperandInvalid, ua.StatusBadFilterOperandCountMismatch, ua.StatusBadFilterElementInvalid, ua.StatusBadFilterLiteralInvalid}, code)
}

// take sorts the events of one notification of the publishing cycle.
func (x *events) take(list []*ua.EventFieldList, cycle uint64, arrived int64) {
	if x.cycle != cycle {
		x.cycle, x.here = cycle, 0
	}
	var affected []*ua.NodeID
	anything := false // may have changed
	for _, f := range list {
		if f == nil || f.ClientHandle != eventHandle {
			continue
		}
		v := decodeEvent(f.EventFields)
		x.here++
		// As many as fit at once: there may have been more, and not every server says so.
		full := x.queue > 1 && x.here == int(x.queue)
		switch {
		case v.kind == id.EventQueueOverflowEventType || full:
			if x.lost != nil {
				x.lost()
			}
			anything = true
		}
		switch {
		case v.condition != nil || v.kind == id.RefreshStartEventType || v.kind == id.RefreshEndEventType || v.kind == id.RefreshRequiredEventType:
			if x.condition != nil {
				x.condition(v, arrived)
			}
		case v.affected != nil || slices.Contains([]uint32{id.BaseModelChangeEventType, id.GeneralModelChangeEventType, id.SemanticChangeEventType}, v.kind):
			affected, anything = append(affected, v.affected...), anything || v.affected == nil
		}
	}
	// Once for all of them: a download changes thousands of nodes, each an event.
	if x.changed == nil {
		return
	}
	if anything {
		x.changed(nil)
	}
	if len(affected) > 0 {
		x.changed(affected)
	}
}

// decodeEvent reads the fields in the order of clauses.
func decodeEvent(fields []*ua.Variant) *event {
	at := func(i int) *ua.Variant {
		if i < len(fields) {
			return fields[i]
		}
		return nil
	}
	v := &event{source: nodeOf(at(1)), sourceName: plainName(line(textOf(at(2)), maxName)), message: line(textOf(at(4)), maxMessage),
		condition: nodeOf(at(6)), branch: nodeOf(at(7)), name: line(textOf(at(8)), maxName)}
	if kind := nodeOf(at(0)); kind != nil && kind.Namespace() == 0 {
		v.kind = kind.IntID()
	}
	if t, ok := valueOf[time.Time](at(3)); ok {
		v.time = instant(t)
	}
	v.severity = 1 // also where it has none
	if n, ok := number(at(5)); ok && n > 1 {
		v.severity = uint16(min(n, 1000))
	}
	v.retain, _ = valueOf[bool](at(9))
	if enabled, ok := valueOf[bool](at(10)); ok {
		v.disabled = !enabled
	}
	active, ok := valueOf[bool](at(11))
	v.active = active || !ok
	if v.affected = affectedOf(at(12)); v.affected == nil { // some servers look at the name only
		v.affected = affectedOf(at(13))
	}
	return v
}

// plainName is a name without the number of a namespace that some servers write
// before it, and that another day may bring.
func plainName(s string) string {
	if before, name, ok := strings.Cut(s, ":"); ok && name != "" && before != "" && strings.Trim(before, "0123456789") == "" {
		return name
	}
	return s
}

// valueOf is what v holds where it is a T.
func valueOf[T any](v *ua.Variant) (T, bool) {
	var none T
	if v == nil {
		return none, false
	}
	t, ok := v.Value().(T)
	return t, ok
}

// nodeOf is the node id that v holds; nil where it is null or none.
func nodeOf(v *ua.Variant) *ua.NodeID {
	n, _ := valueOf[*ua.NodeID](v)
	if n == nil || n.Namespace() == 0 && n.IntID() == 0 && n.StringID() == "" {
		return nil
	}
	return n
}

func textOf(v *ua.Variant) string {
	if s, ok := valueOf[string](v); ok {
		return s
	}
	if t, ok := valueOf[*ua.LocalizedText](v); ok && t != nil {
		return t.Text
	}
	return ""
}

// affectedOf lists the nodes of a field Changes (OPC 10000-5, 12.16 and 12.17).
func affectedOf(v *ua.Variant) []*ua.NodeID {
	list, ok := valueOf[[]*ua.ExtensionObject](v)
	if !ok {
		one, _ := valueOf[*ua.ExtensionObject](v)
		list = []*ua.ExtensionObject{one}
	}
	var nodes []*ua.NodeID
	for _, x := range list {
		if x == nil {
			continue
		}
		var n *ua.NodeID
		switch c := x.Value.(type) {
		case *ua.ModelChangeStructureDataType:
			if c != nil {
				n = c.Affected
			}
		case *ua.SemanticChangeStructureDataType:
			if c != nil {
				n = c.Affected
			}
		}
		if n != nil {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// time of an event in whole ms: the server's, where it is absurd that of arrival.
func (v *event) at(arrived int64) int64 {
	if v.time <= 0 || tooFar(v.time, arrived) {
		return plant.Millis(arrived)
	}
	return plant.Millis(v.time)
}
