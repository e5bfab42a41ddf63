package server

import (
	"slices"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

// standardNode is a row of the part of namespace 0 that is served
// (OPC 10000-5). ref leads from parent to the node; typ is its type definition.
type standardNode struct {
	num    uint32
	class  ua.NodeClass
	name   string
	parent uint32
	ref    uint32
	typ    uint32
}

const (
	object     = ua.NodeClassObject
	objectType = ua.NodeClassObjectType
	varType    = ua.NodeClassVariableType
	dataType   = ua.NodeClassDataType
	refType    = ua.NodeClassReferenceType
)

// standardNodes lists parents before children.
func standardNodes() []standardNode {
	return []standardNode{
		{id.References, refType, "References", 0, 0, 0},
		{id.NonHierarchicalReferences, refType, "NonHierarchicalReferences", id.References, id.HasSubtype, 0},
		{id.HierarchicalReferences, refType, "HierarchicalReferences", id.References, id.HasSubtype, 0},
		{id.HasChild, refType, "HasChild", id.HierarchicalReferences, id.HasSubtype, 0},
		{id.Organizes, refType, "Organizes", id.HierarchicalReferences, id.HasSubtype, 0},
		{id.HasEventSource, refType, "HasEventSource", id.HierarchicalReferences, id.HasSubtype, 0},
		{id.HasModellingRule, refType, "HasModellingRule", id.NonHierarchicalReferences, id.HasSubtype, 0},
		{id.HasEncoding, refType, "HasEncoding", id.NonHierarchicalReferences, id.HasSubtype, 0},
		{id.HasDescription, refType, "HasDescription", id.NonHierarchicalReferences, id.HasSubtype, 0},
		{id.HasTypeDefinition, refType, "HasTypeDefinition", id.NonHierarchicalReferences, id.HasSubtype, 0},
		{id.GeneratesEvent, refType, "GeneratesEvent", id.NonHierarchicalReferences, id.HasSubtype, 0},
		{id.Aggregates, refType, "Aggregates", id.HasChild, id.HasSubtype, 0},
		{id.HasSubtype, refType, "HasSubtype", id.HasChild, id.HasSubtype, 0},
		{id.HasProperty, refType, "HasProperty", id.Aggregates, id.HasSubtype, 0},
		{id.HasComponent, refType, "HasComponent", id.Aggregates, id.HasSubtype, 0},
		{id.HasOrderedComponent, refType, "HasOrderedComponent", id.HasComponent, id.HasSubtype, 0},
		{id.HasNotifier, refType, "HasNotifier", id.HasEventSource, id.HasSubtype, 0},

		{id.BaseObjectType, objectType, "BaseObjectType", 0, 0, 0},
		{id.FolderType, objectType, "FolderType", id.BaseObjectType, id.HasSubtype, 0},
		{id.ServerType, objectType, "ServerType", id.BaseObjectType, id.HasSubtype, 0},
		{id.ServerCapabilitiesType, objectType, "ServerCapabilitiesType", id.BaseObjectType, id.HasSubtype, 0},
		{id.ServerDiagnosticsType, objectType, "ServerDiagnosticsType", id.BaseObjectType, id.HasSubtype, 0},
		{id.VendorServerInfoType, objectType, "VendorServerInfoType", id.BaseObjectType, id.HasSubtype, 0},
		{id.ServerRedundancyType, objectType, "ServerRedundancyType", id.BaseObjectType, id.HasSubtype, 0},
		{id.OperationLimitsType, objectType, "OperationLimitsType", id.FolderType, id.HasSubtype, 0},

		{id.BaseVariableType, varType, "BaseVariableType", 0, 0, 0},
		{id.BaseDataVariableType, varType, "BaseDataVariableType", id.BaseVariableType, id.HasSubtype, 0},
		{id.PropertyType, varType, "PropertyType", id.BaseVariableType, id.HasSubtype, 0},
		{id.ServerStatusType, varType, "ServerStatusType", id.BaseDataVariableType, id.HasSubtype, 0},
		{id.BuildInfoType, varType, "BuildInfoType", id.BaseDataVariableType, id.HasSubtype, 0},
		{id.DataItemType, varType, "DataItemType", id.BaseDataVariableType, id.HasSubtype, 0},
		{id.BaseAnalogType, varType, "BaseAnalogType", id.DataItemType, id.HasSubtype, 0},
		{id.AnalogItemType, varType, "AnalogItemType", id.BaseAnalogType, id.HasSubtype, 0},

		{id.BaseDataType, dataType, "BaseDataType", 0, 0, 0},
		{id.Boolean, dataType, "Boolean", id.BaseDataType, id.HasSubtype, 0},
		{id.Number, dataType, "Number", id.BaseDataType, id.HasSubtype, 0},
		{id.Integer, dataType, "Integer", id.Number, id.HasSubtype, 0},
		{id.SByte, dataType, "SByte", id.Integer, id.HasSubtype, 0},
		{id.Int16, dataType, "Int16", id.Integer, id.HasSubtype, 0},
		{id.Int32, dataType, "Int32", id.Integer, id.HasSubtype, 0},
		{id.Int64, dataType, "Int64", id.Integer, id.HasSubtype, 0},
		{id.UInteger, dataType, "UInteger", id.Number, id.HasSubtype, 0},
		{id.Byte, dataType, "Byte", id.UInteger, id.HasSubtype, 0},
		{id.UInt16, dataType, "UInt16", id.UInteger, id.HasSubtype, 0},
		{id.UInt32, dataType, "UInt32", id.UInteger, id.HasSubtype, 0},
		{id.UInt64, dataType, "UInt64", id.UInteger, id.HasSubtype, 0},
		{id.Float, dataType, "Float", id.Number, id.HasSubtype, 0},
		{id.Double, dataType, "Double", id.Number, id.HasSubtype, 0},
		{id.Duration, dataType, "Duration", id.Double, id.HasSubtype, 0},
		{id.String, dataType, "String", id.BaseDataType, id.HasSubtype, 0},
		{id.LocaleID, dataType, "LocaleId", id.String, id.HasSubtype, 0},
		{id.DateTime, dataType, "DateTime", id.BaseDataType, id.HasSubtype, 0},
		{id.UtcTime, dataType, "UtcTime", id.DateTime, id.HasSubtype, 0},
		{id.GUID, dataType, "Guid", id.BaseDataType, id.HasSubtype, 0},
		{id.ByteString, dataType, "ByteString", id.BaseDataType, id.HasSubtype, 0},
		{id.NodeID, dataType, "NodeId", id.BaseDataType, id.HasSubtype, 0},
		{id.ExpandedNodeID, dataType, "ExpandedNodeId", id.BaseDataType, id.HasSubtype, 0},
		{id.StatusCode, dataType, "StatusCode", id.BaseDataType, id.HasSubtype, 0},
		{id.QualifiedName, dataType, "QualifiedName", id.BaseDataType, id.HasSubtype, 0},
		{id.LocalizedText, dataType, "LocalizedText", id.BaseDataType, id.HasSubtype, 0},
		{id.Enumeration, dataType, "Enumeration", id.BaseDataType, id.HasSubtype, 0},
		{id.ServerState, dataType, "ServerState", id.Enumeration, id.HasSubtype, 0},
		{id.RedundancySupport, dataType, "RedundancySupport", id.Enumeration, id.HasSubtype, 0},
		{id.Structure, dataType, "Structure", id.BaseDataType, id.HasSubtype, 0},
		{id.BuildInfo, dataType, "BuildInfo", id.Structure, id.HasSubtype, 0},
		{id.ServerStatusDataType, dataType, "ServerStatusDataType", id.Structure, id.HasSubtype, 0},
		{id.Range, dataType, "Range", id.Structure, id.HasSubtype, 0},
		{id.EUInformation, dataType, "EUInformation", id.Structure, id.HasSubtype, 0},

		{id.RootFolder, object, "Root", 0, 0, id.FolderType},
		{id.ObjectsFolder, object, "Objects", id.RootFolder, id.Organizes, id.FolderType},
		{id.TypesFolder, object, "Types", id.RootFolder, id.Organizes, id.FolderType},
		{id.ViewsFolder, object, "Views", id.RootFolder, id.Organizes, id.FolderType},
		{id.ObjectTypesFolder, object, "ObjectTypes", id.TypesFolder, id.Organizes, id.FolderType},
		{id.VariableTypesFolder, object, "VariableTypes", id.TypesFolder, id.Organizes, id.FolderType},
		{id.DataTypesFolder, object, "DataTypes", id.TypesFolder, id.Organizes, id.FolderType},
		{id.ReferenceTypesFolder, object, "ReferenceTypes", id.TypesFolder, id.Organizes, id.FolderType},
		{id.Server, object, "Server", id.ObjectsFolder, id.Organizes, id.ServerType},
		{id.Server_ServerCapabilities, object, "ServerCapabilities", id.Server, id.HasComponent, id.ServerCapabilitiesType},
		{id.Server_ServerCapabilities_OperationLimits, object, "OperationLimits", id.Server_ServerCapabilities, id.HasComponent, id.OperationLimitsType},
		{id.Server_ServerDiagnostics, object, "ServerDiagnostics", id.Server, id.HasComponent, id.ServerDiagnosticsType},
		{id.Server_VendorServerInfo, object, "VendorServerInfo", id.Server, id.HasComponent, id.VendorServerInfoType},
		{id.Server_ServerRedundancy, object, "ServerRedundancy", id.Server, id.HasComponent, id.ServerRedundancyType},
	}
}

func (sp *space) addStandard(s *Server) {
	for _, d := range standardNodes() {
		n := sp.add(&node{id: numeric(d.num), class: d.class, name: d.name, variable: -1, rank: -2, dataType: id.BaseDataType})
		if d.parent != 0 {
			link(d.ref, sp.standard(d.parent), n)
		}
		if d.typ != 0 {
			link(id.HasTypeDefinition, n, sp.standard(d.typ))
		}
		switch d.num {
		case id.References, id.NonHierarchicalReferences, id.HierarchicalReferences, id.HasChild, id.Aggregates,
			id.BaseVariableType, id.BaseDataType, id.Number, id.Integer, id.UInteger, id.Enumeration, id.Structure:
			n.abstract = true
		}
		n.symmetric = d.num == id.References || d.num == id.NonHierarchicalReferences
		if d.class == refType && !n.symmetric {
			n.inverse = inverseName(d.num)
		}
	}
	for folder, root := range map[uint32]uint32{
		id.ObjectTypesFolder: id.BaseObjectType, id.VariableTypesFolder: id.BaseVariableType,
		id.DataTypesFolder: id.BaseDataType, id.ReferenceTypesFolder: id.References,
	} {
		link(id.Organizes, sp.standard(folder), sp.standard(root))
	}
	sp.addServerVariables(s)
}

func inverseName(kind uint32) string {
	switch kind {
	case id.Organizes:
		return "OrganizedBy"
	case id.HasSubtype:
		return "SubtypeOf"
	case id.HasProperty:
		return "PropertyOf"
	case id.HasComponent:
		return "ComponentOf"
	case id.HasOrderedComponent:
		return "OrderedComponentOf"
	case id.HasTypeDefinition:
		return "TypeDefinitionOf"
	case id.HasModellingRule:
		return "ModellingRuleOf"
	case id.HasEncoding:
		return "EncodingOf"
	case id.HasDescription:
		return "DescriptionOf"
	case id.HasEventSource:
		return "EventSourceOf"
	case id.HasNotifier:
		return "NotifierOf"
	case id.GeneratesEvent:
		return "GeneratedBy"
	case id.HasChild:
		return "ChildOf"
	case id.Aggregates:
		return "AggregatedBy"
	case id.HierarchicalReferences:
		return "InverseHierarchicalReferences"
	}
	return ""
}

func numeric(num uint32) *ua.NodeID {
	if num <= 0xff {
		return ua.NewTwoByteNodeID(uint8(num))
	}
	if num <= 0xffff {
		return ua.NewFourByteNodeID(0, uint16(num))
	}
	return ua.NewNumericNodeID(0, num)
}

// addServerVariables adds the variables of the Server object.
func (sp *space) addServerVariables(s *Server) {
	begun := s.begun
	build := &ua.BuildInfo{
		ProductURI: "urn:millwright", ManufacturerName: "Millwright", ProductName: s.name(),
	}
	status := func(now time.Time) any {
		return ua.NewExtensionObject(&ua.ServerStatusDataType{
			StartTime: begun, CurrentTime: s.engine.stamp(now), State: ua.ServerStateRunning, BuildInfo: build, ShutdownReason: text(""),
		})
	}
	fixed := func(v any) func(time.Time) any { return func(time.Time) any { return v } }
	property := func(parent, num uint32, name string, typ uint32, rank int32, v any) {
		sp.serverVariable(parent, id.HasProperty, num, name, typ, rank, fixed(v))
	}
	property(id.Server, id.Server_ServerArray, "ServerArray", id.String, list, []string{s.applicationURI()})
	property(id.Server, id.Server_NamespaceArray, "NamespaceArray", id.String, list,
		slices.Concat([]string{"http://opcfoundation.org/UA/"}, s.Namespaces, []string{Namespace}))
	property(id.Server, id.Server_ServiceLevel, "ServiceLevel", id.Byte, scalar, uint8(255))
	property(id.Server, id.Server_Auditing, "Auditing", id.Boolean, scalar, false)
	property(id.Server_ServerDiagnostics, id.Server_ServerDiagnostics_EnabledFlag, "EnabledFlag", id.Boolean, scalar, false)
	property(id.Server_ServerRedundancy, id.Server_ServerRedundancy_RedundancySupport, "RedundancySupport",
		id.RedundancySupport, scalar, int32(0))

	component := func(parent, num uint32, name string, typ uint32, v func(time.Time) any) *node {
		return sp.serverVariable(parent, id.HasComponent, num, name, typ, scalar, v)
	}
	st := component(id.Server, id.Server_ServerStatus, "ServerStatus", id.ServerStatusDataType, status)
	st.dynamic = true
	component(id.Server_ServerStatus, id.Server_ServerStatus_StartTime, "StartTime", id.UtcTime, fixed(begun))
	component(id.Server_ServerStatus, id.Server_ServerStatus_CurrentTime, "CurrentTime", id.UtcTime,
		func(now time.Time) any { return s.engine.stamp(now) }).dynamic = true
	component(id.Server_ServerStatus, id.Server_ServerStatus_State, "State", id.ServerState, fixed(int32(ua.ServerStateRunning)))
	component(id.Server_ServerStatus, id.Server_ServerStatus_BuildInfo, "BuildInfo", id.BuildInfo, fixed(ua.NewExtensionObject(build)))
	component(id.Server_ServerStatus, id.Server_ServerStatus_SecondsTillShutdown, "SecondsTillShutdown", id.UInt32, fixed(uint32(0)))
	component(id.Server_ServerStatus, id.Server_ServerStatus_ShutdownReason, "ShutdownReason", id.LocalizedText, fixed(text("")))

	l := s.limits
	caps := uint32(id.Server_ServerCapabilities)
	property(caps, id.Server_ServerCapabilities_ServerProfileArray, "ServerProfileArray", id.String, list, []string{})
	property(caps, id.Server_ServerCapabilities_LocaleIDArray, "LocaleIdArray", id.LocaleID, list, []string{"en"})
	property(caps, id.Server_ServerCapabilities_MinSupportedSampleRate, "MinSupportedSampleRate", id.Duration, scalar, 0.0)
	property(caps, id.Server_ServerCapabilities_MaxBrowseContinuationPoints, "MaxBrowseContinuationPoints", id.UInt16, scalar, uint16(maxCursors))
	property(caps, id.Server_ServerCapabilities_MaxQueryContinuationPoints, "MaxQueryContinuationPoints", id.UInt16, scalar, uint16(0))
	property(caps, id.Server_ServerCapabilities_MaxHistoryContinuationPoints, "MaxHistoryContinuationPoints", id.UInt16, scalar, uint16(maxQueries))
	limits := uint32(id.Server_ServerCapabilities_OperationLimits)
	limit := func(num uint32, name string, v int) {
		property(limits, num, name, id.UInt32, scalar, uint32(v))
	}
	limit(id.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead, "MaxNodesPerRead", l.MaxNodesPerRead)
	limit(id.Server_ServerCapabilities_OperationLimits_MaxNodesPerHistoryReadData, "MaxNodesPerHistoryReadData", l.MaxNodesPerHistoryRead)
	limit(id.Server_ServerCapabilities_OperationLimits_MaxNodesPerBrowse, "MaxNodesPerBrowse", l.MaxNodesPerBrowse)
	limit(id.Server_ServerCapabilities_OperationLimits_MaxNodesPerRegisterNodes, "MaxNodesPerRegisterNodes", l.MaxNodesPerBrowse)
	limit(id.Server_ServerCapabilities_OperationLimits_MaxNodesPerTranslateBrowsePathsToNodeIDs,
		"MaxNodesPerTranslateBrowsePathsToNodeIds", l.MaxNodesPerBrowse)
	limit(id.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall, "MaxMonitoredItemsPerCall", l.MaxMonitoredItemsPerCall)
}

func (sp *space) serverVariable(parent, ref, num uint32, name string, typ uint32, rank int32, v func(time.Time) any) *node {
	n := sp.add(&node{id: numeric(num), class: ua.NodeClassVariable, name: name, dataType: typ, rank: rank, variable: -1, value: v})
	link(ref, sp.standard(parent), n)
	kind := uint32(id.BaseDataVariableType)
	switch {
	case ref == id.HasProperty:
		kind = id.PropertyType
	case num == id.Server_ServerStatus:
		kind = id.ServerStatusType
	case num == id.Server_ServerStatus_BuildInfo:
		kind = id.BuildInfoType
	}
	link(id.HasTypeDefinition, n, sp.standard(kind))
	return n
}
