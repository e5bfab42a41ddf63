package server

import (
	"time"

	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

// Bits of AccessLevel (OPC 10000-3, 8.57).
const (
	readOnly    = uint8(1) // CurrentRead
	historyRead = uint8(4)
)

// read is OPC 10000-4, 5.11.2.
func (s *Server) read(r *ua.ReadRequest) (ua.Response, ua.StatusCode) {
	switch {
	case len(r.NodesToRead) == 0:
		return nil, ua.StatusBadNothingToDo
	case len(r.NodesToRead) > s.limits.MaxNodesPerRead:
		return nil, ua.StatusBadTooManyOperations
	case r.TimestampsToReturn >= ua.TimestampsToReturnInvalid:
		return nil, ua.StatusBadTimestampsToReturnInvalid
	case r.MaxAge < 0:
		return nil, ua.StatusBadMaxAgeInvalid
	}
	now := time.Now()
	resp := &ua.ReadResponse{Results: make([]*ua.DataValue, len(r.NodesToRead))}
	for i, want := range r.NodesToRead {
		resp.Results[i] = s.readOne(want, r.TimestampsToReturn, now)
	}
	return resp, ua.StatusOK
}

func (s *Server) readOne(want *ua.ReadValueID, stamps ua.TimestampsToReturn, now time.Time) *ua.DataValue {
	n, code := s.readable(want)
	if code != ua.StatusOK {
		return &ua.DataValue{EncodingMask: ua.DataValueStatusCode, Status: code}
	}
	dv := &ua.DataValue{SourceTimestamp: now, ServerTimestamp: now}
	if want.AttributeID == ua.AttributeIDValue && n.variable >= 0 {
		s.readVariable(dv, n.variable)
	} else {
		dv.Value = mustVariant(n.attribute(want.AttributeID, now))
	}
	// Only values have a source; other attributes are the server's own.
	mask(dv, stamps, want.AttributeID == ua.AttributeIDValue)
	return dv
}

// mask says which parts of dv are sent.
func mask(dv *ua.DataValue, stamps ua.TimestampsToReturn, hasSource bool) {
	if dv.Value != nil {
		dv.EncodingMask |= ua.DataValueValue
	}
	if dv.Status != ua.StatusOK {
		dv.EncodingMask |= ua.DataValueStatusCode
	}
	if hasSource && (stamps == ua.TimestampsToReturnSource || stamps == ua.TimestampsToReturnBoth) {
		dv.EncodingMask |= ua.DataValueSourceTimestamp
	}
	if stamps == ua.TimestampsToReturnServer || stamps == ua.TimestampsToReturnBoth {
		dv.EncodingMask |= ua.DataValueServerTimestamp
	}
}

// readable finds the node and checks that the attribute can be read.
func (s *Server) readable(want *ua.ReadValueID) (*node, ua.StatusCode) {
	n := s.space.get(want.NodeID)
	if n == nil {
		return nil, ua.StatusBadNodeIDUnknown
	}
	if n.attribute(want.AttributeID, time.Time{}) == nil {
		return nil, ua.StatusBadAttributeIDInvalid
	}
	if want.IndexRange != "" {
		return nil, ua.StatusBadIndexRangeNoData // nothing here is read in parts
	}
	if e := want.DataEncoding; e != nil && e.Name != "" && (e.Name != "Default Binary" || want.AttributeID != ua.AttributeIDValue) {
		return nil, ua.StatusBadDataEncodingInvalid
	}
	return n, ua.StatusOK
}

// readVariable reads the last written value. The engine's lock is held.
func (s *Server) readVariable(dv *ua.DataValue, index int) {
	x := &s.engine.vars[index]
	if x.version == 0 {
		dv.Status = ua.StatusCode(plant.BadWaitingForInitialData)
		return
	}
	s.show(dv, index, &x.last)
}

// show puts a value of a variable into dv.
func (s *Server) show(dv *ua.DataValue, index int, v *entry) {
	dv.Status = ua.StatusCode(v.status)
	dv.SourceTimestamp = time.Unix(0, v.source).UTC()
	switch s.Variables[index].dataType() {
	case Boolean:
		dv.Value = mustVariant(v.number != 0)
	case Int32:
		dv.Value = mustVariant(toInt32(v.number))
	case String:
		dv.Value = mustVariant(v.text)
	case Floats:
		dv.Value = mustVariant([]float32{})
		if w := v.wave; w != nil {
			dv.Value = mustVariant(w.values())
		}
	default:
		dv.Value = mustVariant(v.number)
	}
}

// attribute returns a node's attribute, nil where its class has none such
// (OPC 10000-3, 5). For the values of the server's variables it says only that
// there is one.
func (n *node) attribute(a ua.AttributeID, now time.Time) any {
	switch a {
	case ua.AttributeIDNodeID:
		return n.id
	case ua.AttributeIDNodeClass:
		return int32(n.class)
	case ua.AttributeIDBrowseName:
		return &ua.QualifiedName{NamespaceIndex: n.ns, Name: n.name}
	case ua.AttributeIDDisplayName:
		return text(n.name)
	case ua.AttributeIDDescription:
		return text(n.description)
	case ua.AttributeIDWriteMask, ua.AttributeIDUserWriteMask:
		return uint32(0)
	}
	switch n.class {
	case ua.NodeClassObject:
		if a == ua.AttributeIDEventNotifier {
			return uint8(0)
		}
	case ua.NodeClassVariable:
		return n.variableAttribute(a, now)
	case ua.NodeClassVariableType:
		switch a {
		case ua.AttributeIDDataType:
			return numeric(n.dataType)
		case ua.AttributeIDValueRank:
			return n.rank
		case ua.AttributeIDIsAbstract:
			return n.abstract
		}
	case ua.NodeClassObjectType, ua.NodeClassDataType:
		if a == ua.AttributeIDIsAbstract {
			return n.abstract
		}
	case ua.NodeClassReferenceType:
		switch {
		case a == ua.AttributeIDIsAbstract:
			return n.abstract
		case a == ua.AttributeIDSymmetric:
			return n.symmetric
		case a == ua.AttributeIDInverseName && n.inverse != "":
			return text(n.inverse)
		}
	}
	return nil
}

func (n *node) variableAttribute(a ua.AttributeID, now time.Time) any {
	switch a {
	case ua.AttributeIDValue:
		if n.value == nil {
			return 0.0
		}
		return n.value(now)
	case ua.AttributeIDDataType:
		return numeric(n.dataType)
	case ua.AttributeIDValueRank:
		return n.rank
	case ua.AttributeIDArrayDimensions:
		if n.rank == list {
			return []uint32{n.length}
		}
	case ua.AttributeIDAccessLevel, ua.AttributeIDUserAccessLevel:
		if n.historic {
			return readOnly | historyRead
		}
		return readOnly
	case ua.AttributeIDMinimumSamplingInterval:
		if n.dynamic {
			return millis(standardSampling)
		}
		return 0.0
	case ua.AttributeIDHistorizing:
		return n.historic
	}
	return nil
}
