package server

import (
	"time"

	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

// standardSampling is the fastest sampling of the server's own variables.
const standardSampling = 100 * time.Millisecond

// createItems is OPC 10000-4, 5.13.2.
func (s *Server) createItems(ses *session, r *ua.CreateMonitoredItemsRequest) (ua.Response, ua.StatusCode) {
	sub, code := s.itemCall(ses, r.SubscriptionID, len(r.ItemsToCreate), r.TimestampsToReturn)
	if code != ua.StatusOK {
		return nil, code
	}
	now := time.Now()
	resp := &ua.CreateMonitoredItemsResponse{Results: make([]*ua.MonitoredItemCreateResult, len(r.ItemsToCreate))}
	for i, want := range r.ItemsToCreate {
		it, code := s.createItem(sub, want, r.TimestampsToReturn, now)
		res := &ua.MonitoredItemCreateResult{StatusCode: code, FilterResult: ua.NewExtensionObject(nil)}
		if it != nil {
			res.MonitoredItemID = it.id
			res.RevisedSamplingInterval = millis(it.sampling)
			res.RevisedQueueSize = uint32(it.size)
		}
		resp.Results[i] = res
	}
	s.engine.flush()
	return resp, ua.StatusOK
}

// itemCall checks what the item services have in common.
func (s *Server) itemCall(ses *session, id uint32, n int, stamps ua.TimestampsToReturn) (*subscription, ua.StatusCode) {
	sub := ses.subs[id]
	switch {
	case sub == nil:
		return nil, ua.StatusBadSubscriptionIDInvalid
	case n == 0:
		return nil, ua.StatusBadNothingToDo
	case n > s.limits.MaxMonitoredItemsPerCall:
		return nil, ua.StatusBadTooManyOperations
	case stamps >= ua.TimestampsToReturnInvalid:
		return nil, ua.StatusBadTimestampsToReturnInvalid
	}
	sub.touch()
	return sub, ua.StatusOK
}

func (s *Server) createItem(sub *subscription, want *ua.MonitoredItemCreateRequest, stamps ua.TimestampsToReturn, now time.Time) (*item, ua.StatusCode) {
	e := s.engine
	if e.items >= s.limits.MaxItems {
		return nil, ua.StatusBadTooManyMonitoredItems
	}
	if want.MonitoringMode > ua.MonitoringModeReporting {
		return nil, ua.StatusBadMonitoringModeInvalid
	}
	n, code := s.readable(want.ItemToMonitor)
	if code != ua.StatusOK {
		return nil, code
	}
	attribute := want.ItemToMonitor.AttributeID
	it := &item{sub: sub, variable: -1, slot: -1, attr: attribute, stamps: stamps, typ: encoded}
	switch {
	case attribute != ua.AttributeIDValue || n.variable < 0:
		it.static = attribute != ua.AttributeIDValue || !n.dynamic
		it.read = func(now time.Time) entry { return standardEntry(n, attribute, now) }
	default:
		it.variable = n.variable
		it.typ = s.Variables[n.variable].dataType()
	}
	if code := s.setParameters(it, want.RequestedParameters); code != ua.StatusOK {
		return nil, code
	}
	if e.lastItem++; e.lastItem == 0 {
		e.lastItem = 1
	}
	it.id = e.lastItem
	sub.items[it.id] = it
	e.items++
	e.setMode(it, want.MonitoringMode, now)
	return it, ua.StatusOK
}

// standardEntry is an attribute of a node of the server itself.
func standardEntry(n *node, a ua.AttributeID, now time.Time) entry {
	ns := now.UnixNano()
	b, err := mustVariant(n.attribute(a, now)).Encode()
	if err != nil {
		return entry{null: true, status: plant.Quality(ua.StatusBadInternalError), source: ns, server: ns}
	}
	return entry{text: string(b), source: ns, server: ns}
}

// setParameters revises and takes over what a client asks of an item. On an
// error nothing has changed.
func (s *Server) setParameters(it *item, p *ua.MonitoringParameters) ua.StatusCode {
	f, code := s.filterOf(it, p.Filter)
	if code != ua.StatusOK {
		return code
	}
	it.filter = f
	it.handle = p.ClientHandle
	it.oldest = p.DiscardOldest
	it.size = int(max(1, min(p.QueueSize, uint32(s.limits.MaxQueue))))
	it.sampling = s.samplingOf(it, p.SamplingInterval)
	return ua.StatusOK
}

// samplingOf revises a sampling interval: 0 is every Write, below 0 the
// publishing interval (OPC 10000-4, 7.21).
func (s *Server) samplingOf(it *item, ms float64) time.Duration {
	switch {
	case it.static:
		return 0
	case it.variable < 0:
		if ms < 0 {
			ms = millis(it.sub.interval)
		}
		return revise(ms, standardSampling, s.limits.MaxInterval)
	case ms == 0:
		return 0
	case ms < 0:
		ms = millis(it.sub.interval)
	}
	return revise(ms, s.limits.MinSampling, s.limits.MaxInterval)
}

// filterOf checks a filter (OPC 10000-4, 7.22.2; OPC 10000-8, 7.2).
func (s *Server) filterOf(it *item, x *ua.ExtensionObject) (filter, ua.StatusCode) {
	f := filter{trigger: ua.DataChangeTriggerStatusValue}
	if x == nil || x.EncodingMask == ua.ExtensionObjectEmpty {
		return f, ua.StatusOK
	}
	d, ok := x.Value.(*ua.DataChangeFilter)
	switch {
	case !ok:
		return f, ua.StatusBadMonitoredItemFilterUnsupported
	case it.attr != ua.AttributeIDValue:
		return f, ua.StatusBadFilterNotAllowed
	case d.Trigger > ua.DataChangeTriggerStatusValueTimestamp:
		return f, ua.StatusBadMonitoredItemFilterInvalid
	}
	f.trigger = d.Trigger
	kind := ua.DeadbandType(d.DeadbandType)
	if kind == ua.DeadbandTypeNone {
		return f, ua.StatusOK
	}
	if it.typ != Double && it.typ != Int32 {
		return f, ua.StatusBadFilterNotAllowed
	}
	if !(d.DeadbandValue >= 0) {
		return f, ua.StatusBadDeadbandFilterInvalid
	}
	switch kind {
	case ua.DeadbandTypeAbsolute:
		f.deadband = d.DeadbandValue
	case ua.DeadbandTypePercent:
		v := &s.Variables[it.variable]
		if !v.hasRange() {
			return f, ua.StatusBadMonitoredItemFilterUnsupported
		}
		if d.DeadbandValue > 100 {
			return f, ua.StatusBadDeadbandFilterInvalid
		}
		f.deadband = d.DeadbandValue / 100 * (v.High - v.Low)
	default:
		return f, ua.StatusBadDeadbandFilterInvalid
	}
	return f, ua.StatusOK
}

// modifyItems is OPC 10000-4, 5.13.3.
func (s *Server) modifyItems(ses *session, r *ua.ModifyMonitoredItemsRequest) (ua.Response, ua.StatusCode) {
	sub, code := s.itemCall(ses, r.SubscriptionID, len(r.ItemsToModify), r.TimestampsToReturn)
	if code != ua.StatusOK {
		return nil, code
	}
	resp := &ua.ModifyMonitoredItemsResponse{}
	for _, want := range r.ItemsToModify {
		res := &ua.MonitoredItemModifyResult{FilterResult: ua.NewExtensionObject(nil)}
		resp.Results = append(resp.Results, res)
		it := sub.items[want.MonitoredItemID]
		if it == nil {
			res.StatusCode = ua.StatusBadMonitoredItemIDInvalid
			continue
		}
		if res.StatusCode = s.modifyItem(it, want.RequestedParameters, r.TimestampsToReturn); res.StatusCode == ua.StatusOK {
			res.RevisedSamplingInterval = millis(it.sampling)
			res.RevisedQueueSize = uint32(it.size)
		}
	}
	return resp, ua.StatusOK
}

func (s *Server) modifyItem(it *item, p *ua.MonitoringParameters, stamps ua.TimestampsToReturn) ua.StatusCode {
	e, was := s.engine, *it
	e.unwatch(it)
	code := s.setParameters(it, p)
	if code == ua.StatusOK {
		size := it.size
		it.size = was.size
		e.resize(it, size)
		it.stamps = stamps
	}
	e.watch(it)
	return code
}

// setMonitoringMode is OPC 10000-4, 5.13.4.
func (e *engine) setMonitoringMode(s *session, r *ua.SetMonitoringModeRequest) (ua.Response, ua.StatusCode) {
	sub := s.subs[r.SubscriptionID]
	switch {
	case sub == nil:
		return nil, ua.StatusBadSubscriptionIDInvalid
	case r.MonitoringMode > ua.MonitoringModeReporting:
		return nil, ua.StatusBadMonitoringModeInvalid
	}
	sub.touch()
	now := time.Now()
	results, code := forEach(r.MonitoredItemIDs, e.limits.MaxMonitoredItemsPerCall, func(id uint32) ua.StatusCode {
		it := sub.items[id]
		if it == nil {
			return ua.StatusBadMonitoredItemIDInvalid
		}
		e.setMode(it, r.MonitoringMode, now)
		return ua.StatusOK
	})
	e.flush()
	return &ua.SetMonitoringModeResponse{Results: results}, code
}

// deleteItems is OPC 10000-4, 5.13.6.
func (e *engine) deleteItems(s *session, r *ua.DeleteMonitoredItemsRequest) (ua.Response, ua.StatusCode) {
	sub := s.subs[r.SubscriptionID]
	if sub == nil {
		return nil, ua.StatusBadSubscriptionIDInvalid
	}
	sub.touch()
	results, code := forEach(r.MonitoredItemIDs, e.limits.MaxMonitoredItemsPerCall, func(id uint32) ua.StatusCode {
		it := sub.items[id]
		if it == nil {
			return ua.StatusBadMonitoredItemIDInvalid
		}
		e.removeItem(it)
		return ua.StatusOK
	})
	return &ua.DeleteMonitoredItemsResponse{Results: results}, code
}
