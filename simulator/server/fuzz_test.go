package server

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

// script is a network connection that plays bytes and swallows answers.
type script struct {
	net.Conn
	in *bytes.Reader
}

func (s *script) Read(b []byte) (int, error)       { return s.in.Read(b) }
func (s *script) Write(b []byte) (int, error)      { return len(b), nil }
func (s *script) Close() error                     { return nil }
func (s *script) SetDeadline(time.Time) error      { return nil }
func (s *script) SetReadDeadline(time.Time) error  { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }
func (s *script) RemoteAddr() net.Addr             { return &net.TCPAddr{} }

// deskServer is a server with a few variables that listens nowhere, with one
// active session under the null token and one subscription.
func deskServer(t testing.TB) (*Server, *session) {
	t.Helper()
	s := &Server{Variables: []Variable{{Path: "a/b", Low: 0, High: 1, Unit: "A", History: 3}, {Path: "a/c", Type: String}}, Log: slog.New(slog.DiscardHandler)}
	s.limits = Limits{MaxNodesPerRead: 100, MaxSubscriptions: 5, MaxItems: 100, MaxSessions: 5}.withDefaults()
	s.counts = map[string]uint64{}
	s.engine = newEngine(s.Variables, s.limits, func([]Value) {})
	s.space = newSpace(s, s.engine)
	ses := &session{token: "i=0", user: anonymousUser, timeout: time.Hour, active: time.Now(), subs: map[uint32]*subscription{}, cursors: map[string]*browseCursor{}}
	s.engine.sessions[ses.token] = ses
	return s, ses
}

func header() *ua.RequestHeader {
	return &ua.RequestHeader{AuthenticationToken: ua.NewTwoByteNodeID(0), AdditionalHeader: ua.NewExtensionObject(nil), RequestHandle: 1}
}

func encodeRequest(t testing.TB, req ua.Request) []byte {
	t.Helper()
	req.SetHeader(header())
	b, err := ua.Encode(req)
	if err != nil {
		t.Fatal(err)
	}
	return append(appendTypeID(nil, ua.ServiceTypeID(req)), b...)
}

func seedRequests() []ua.Request {
	b := ua.NewStringNodeID(1, "a/b")
	rv := &ua.ReadValueID{NodeID: b, AttributeID: ua.AttributeIDValue, DataEncoding: &ua.QualifiedName{}}
	item := &ua.MonitoringParameters{QueueSize: 3, Filter: ua.NewExtensionObject(&ua.DataChangeFilter{Trigger: 1, DeadbandType: 2, DeadbandValue: 5})}
	return []ua.Request{
		&ua.GetEndpointsRequest{EndpointURL: "opc.tcp://x:1"},
		&ua.FindServersRequest{},
		&ua.CreateSessionRequest{ClientDescription: &ua.ApplicationDescription{ApplicationName: text("x")}, RequestedSessionTimeout: 5},
		&ua.ActivateSessionRequest{ClientSignature: &ua.SignatureData{}, UserTokenSignature: &ua.SignatureData{}, UserIdentityToken: ua.NewExtensionObject(&ua.UserNameIdentityToken{PolicyID: policyUserName})},
		&ua.ReadRequest{NodesToRead: []*ua.ReadValueID{rv, {NodeID: ua.NewTwoByteNodeID(84), AttributeID: 3, DataEncoding: &ua.QualifiedName{}}}},
		&ua.BrowseRequest{View: &ua.ViewDescription{ViewID: ua.NewTwoByteNodeID(0)}, NodesToBrowse: []*ua.BrowseDescription{{NodeID: ua.NewTwoByteNodeID(85), ReferenceTypeID: ua.NewTwoByteNodeID(33), IncludeSubtypes: true, ResultMask: 63}}},
		&ua.BrowseNextRequest{ContinuationPoints: [][]byte{[]byte("1")}},
		&ua.TranslateBrowsePathsToNodeIDsRequest{BrowsePaths: []*ua.BrowsePath{{StartingNode: ua.NewTwoByteNodeID(85), RelativePath: &ua.RelativePath{Elements: []*ua.RelativePathElement{{ReferenceTypeID: ua.NewTwoByteNodeID(33), TargetName: &ua.QualifiedName{NamespaceIndex: 1, Name: "a"}}}}}}},
		&ua.CreateSubscriptionRequest{RequestedPublishingInterval: 50, PublishingEnabled: true},
		&ua.CreateMonitoredItemsRequest{SubscriptionID: 1, ItemsToCreate: []*ua.MonitoredItemCreateRequest{{ItemToMonitor: rv, MonitoringMode: 2, RequestedParameters: item}}},
		&ua.ModifyMonitoredItemsRequest{SubscriptionID: 1, ItemsToModify: []*ua.MonitoredItemModifyRequest{{MonitoredItemID: 1, RequestedParameters: item}}},
		&ua.SetMonitoringModeRequest{SubscriptionID: 1, MonitoredItemIDs: []uint32{1}},
		&ua.DeleteMonitoredItemsRequest{SubscriptionID: 1, MonitoredItemIDs: []uint32{1}},
		&ua.PublishRequest{SubscriptionAcknowledgements: []*ua.SubscriptionAcknowledgement{{SubscriptionID: 1, SequenceNumber: 1}}},
		&ua.RepublishRequest{SubscriptionID: 1, RetransmitSequenceNumber: 1},
		&ua.ModifySubscriptionRequest{SubscriptionID: 1},
		&ua.SetPublishingModeRequest{SubscriptionIDs: []uint32{1}},
		&ua.TransferSubscriptionsRequest{SubscriptionIDs: []uint32{1}, SendInitialValues: true},
		&ua.DeleteSubscriptionsRequest{SubscriptionIDs: []uint32{1}},
		&ua.CancelRequest{RequestHandle: 1}, &ua.CloseSessionRequest{}, &ua.WriteRequest{}, &ua.CallRequest{},
		&ua.RegisterNodesRequest{NodesToRegister: []*ua.NodeID{b}},
		&ua.HistoryReadRequest{NodesToRead: []*ua.HistoryReadValueID{{NodeID: b, DataEncoding: &ua.QualifiedName{}}},
			HistoryReadDetails: ua.NewExtensionObject(&ua.ReadRawModifiedDetails{StartTime: time.Unix(0, 0), NumValuesPerNode: 1})},
	}
}

// FuzzRequest serves arbitrary request bodies in a session with a subscription.
// What is answered must be encodable, and counters must stay sane.
func FuzzRequest(f *testing.F) {
	for _, r := range seedRequests() {
		f.Add(encodeRequest(f, r))
	}
	f.Add([]byte{})
	f.Add(appendTypeID(nil, 0xffff))
	f.Fuzz(func(t *testing.T, body []byte) {
		s, ses := deskServer(t)
		c := newConn(s, &script{in: bytes.NewReader(nil)})
		c.maxMessage = maxMessage
		c.ch = &channel{id: 1, policy: ua.SecurityPolicyURINone, mode: ua.MessageSecurityModeNone}
		ses.conn = c
		s.engine.lastSub = 0
		for _, r := range []ua.Request{seedRequests()[8], seedRequests()[9]} { // a subscription with an item
			if err := s.serve(c, 1, encodeRequest(t, r)); err != nil {
				t.Fatal(err)
			}
		}
		s.Write([]Value{{Number: 1}})
		_ = s.serve(c, 2, body) // an error cuts the connection, which is right for rubbish
		s.engine.write([]Value{{Number: 2}, {Var: 1, Text: "x"}})
		for _, o := range c.out {
			if o.resp == nil {
				o.resp, _ = decodeParts(t, o)
			}
			if _, err := encodeService(o.resp); err != nil {
				t.Errorf("answer %T: %v", o.resp, err)
			}
		}
		e, queued, items := s.engine, 0, 0
		for _, sub := range e.subs {
			items += len(sub.items)
			for _, it := range sub.items {
				queued += it.queue.n
			}
		}
		if e.queued != queued || e.items != items {
			t.Errorf("counted %d values and %d items, there are %d and %d", e.queued, e.items, queued, items)
		}
	})
}

func decodeParts(t *testing.T, o outgoing) (ua.Response, error) {
	_, svc, err := ua.DecodeService(bytes.Join(o.parts[:], nil))
	if err != nil {
		t.Fatal(err)
	}
	return svc.(ua.Response), nil
}

// conversation is what a client without security sends: Hello,
// OpenSecureChannel, then the bytes as a message.
func conversation(t testing.TB, messages ...[]byte) []byte {
	t.Helper()
	hello := appendUint32(append([]byte(nil), "HELF"...), 32)
	for _, v := range []uint32{0, maxChunk, maxChunk, 0, 0, noLength} {
		hello = appendUint32(hello, v)
	}
	c := &channel{policy: ua.SecurityPolicyURINone, mode: ua.MessageSecurityModeNone}
	open, err := c.sealAsymmetric(1, nil, &openReply{body: encodeRequest(t, &ua.OpenSecureChannelRequest{SecurityMode: ua.MessageSecurityModeNone, RequestedLifetime: 60000})})
	if err != nil {
		t.Fatal(err)
	}
	all := append(hello, open...)
	c.id = 1
	c.addToken(&token{id: 1, until: time.Now().Add(time.Hour)})
	for i, m := range messages {
		chunk, err := c.seal(nil, "MSG", 'F', uint32(i+2), m)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, chunk...)
	}
	return all
}

// FuzzConnection plays arbitrary bytes to a fresh connection.
func FuzzConnection(f *testing.F) {
	f.Add(conversation(f))
	for _, r := range seedRequests() {
		f.Add(conversation(f, encodeRequest(f, r)))
	}
	f.Add([]byte("HELF"))
	f.Add([]byte("OPNF\x0c\x00\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, in []byte) {
		s, _ := deskServer(t)
		c := newConn(s, &script{in: bytes.NewReader(in)})
		if err := c.read(); err == nil && len(in) == 0 {
			t.Error("an empty connection ended without a reason")
		}
		c.close()
	})
}

func TestConversation(t *testing.T) {
	s, _ := deskServer(t)
	c := newConn(s, &script{in: bytes.NewReader(conversation(t, encodeRequest(t, &ua.GetEndpointsRequest{}), encodeRequest(t, &ua.ReadRequest{})))})
	if err := c.read(); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if len(c.out) != 3 || s.Counts()["GetEndpoints"] != 1 || s.Counts()["Read"] != 1 {
		t.Errorf("%d answers, %v", len(c.out), s.Counts())
	}
	if r, ok := c.out[1].resp.(*ua.GetEndpointsResponse); !ok || len(r.Endpoints) != 1 {
		t.Errorf("%+v", c.out[1].resp)
	}
}

// TestDeepNesting: a request of the largest size that nests as deep as it can
// must not overflow the stack, which no recover would catch.
func TestDeepNesting(t *testing.T) {
	start := func(service uint16) []byte {
		b := appendTypeID(nil, service)
		b = append(b, 0, 0)                   // authentication token
		b = append(b, make([]byte, 8+4+4)...) // time, handle, diagnostics
		b = appendUint32(b, noLength)         // audit entry
		return appendUint32(b, 0)             // timeout hint
	}
	diagnostics := bytes.Repeat([]byte{ua.DiagnosticInfoInnerDiagnosticInfo}, maxMessage-100)
	b := start(id.ReadRequest_Encoding_DefaultBinary)
	b = appendTypeID(b, id.StatusChangeNotification_Encoding_DefaultBinary)
	b = append(b, bodyIsBinary)
	b = appendUint32(b, uint32(4+len(diagnostics)))
	b = appendUint32(b, 0)
	if _, err := decodeService(append(b, diagnostics...)); err == nil {
		t.Error("decoded")
	}
	variants := bytes.Repeat([]byte{byte(ua.TypeIDVariant)}, maxMessage-100)
	b = start(id.WriteRequest_Encoding_DefaultBinary)
	b = append(b, 0, 0, 0)        // additional header
	b = appendUint32(b, 1)        // nodes to write
	b = append(b, 0, 0)           // node
	b = appendUint32(b, 13)       // attribute
	b = appendUint32(b, noLength) // index range
	b = append(b, ua.DataValueValue)
	if _, err := decodeService(append(b, variants...)); err == nil {
		t.Error("decoded")
	}
}
