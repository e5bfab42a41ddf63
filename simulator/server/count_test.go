package server

import (
	"bytes"
	"maps"
	"testing"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

// TestChanging: what could change a PLC is counted by its service, and a call of
// ConditionRefresh is told from others, however they are dressed up.
func TestChanging(t *testing.T) {
	s, _ := deskServer(t)
	c := newConn(s, &script{in: bytes.NewReader(nil)})
	calls := func(ids ...uint32) *ua.CallRequest {
		r := &ua.CallRequest{}
		for i := 0; i < len(ids); i += 2 {
			r.MethodsToCall = append(r.MethodsToCall, &ua.CallMethodRequest{ObjectID: ua.NewNumericNodeID(0, ids[i]),
				MethodID: ua.NewNumericNodeID(0, ids[i+1]), InputArguments: []*ua.Variant{ua.MustVariant(uint32(1))}})
		}
		return r
	}
	elsewhere := calls(id.ConditionType, id.ConditionType_ConditionRefresh)
	elsewhere.MethodsToCall[0].MethodID = ua.NewNumericNodeID(1, id.ConditionType_ConditionRefresh)
	for _, r := range []ua.Request{
		&ua.ReadRequest{},
		calls(id.ConditionType, id.ConditionType_ConditionRefresh),
		calls(id.ConditionType, id.AcknowledgeableConditionType_Acknowledge),
		calls(id.Server, id.ConditionType_ConditionRefresh),
		calls(id.ConditionType, id.ConditionType_ConditionRefresh, id.Server, id.Server_RequestServerStateChange),
		calls(),
		elsewhere,
		&ua.WriteRequest{}, &ua.AddNodesRequest{}, &ua.AddReferencesRequest{}, &ua.DeleteNodesRequest{}, &ua.DeleteReferencesRequest{},
		&ua.HistoryUpdateRequest{},
	} {
		if err := s.serve(c, 1, encodeRequest(t, r)); err != nil {
			t.Fatalf("%T: %v", r, err)
		}
	}
	want := map[string]uint64{"Call": 5, "Write": 1, "AddNodes": 1, "AddReferences": 1, "DeleteNodes": 1, "DeleteReferences": 1, "HistoryUpdate": 1}
	if got := Changing(s.Counts()); !maps.Equal(got, want) {
		t.Errorf("changing %v, want %v", got, want)
	}
	if n := s.Counts(); n["ConditionRefresh"] != 1 || n["Read"] != 1 {
		t.Errorf("counts %v", n)
	}
}

// FuzzCallName: whatever a Call holds, it has one of two names.
func FuzzCallName(f *testing.F) {
	b := encodeRequest(f, &ua.CallRequest{MethodsToCall: []*ua.CallMethodRequest{{ObjectID: ua.NewNumericNodeID(0, id.ConditionType),
		MethodID: ua.NewNumericNodeID(0, id.ConditionType_ConditionRefresh)}}})
	f.Add(b)
	f.Add(b[:len(b)-5])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, in []byte) {
		if n := callName(in); n != "Call" && n != conditionRefresh {
			t.Errorf("name %q", n)
		}
	})
}
