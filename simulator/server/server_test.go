package server

import (
	"bytes"
	"context"
	"errors"
	"net"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gopcua/opcua"
	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

func TestStartStop(t *testing.T) {
	s := &Server{Variables: vars(1)}
	s.Write([]Value{number(0, 1, 1)}) // before Start: nothing
	if s.Monitored() != 0 || s.URL() != "" {
		t.Error("runs before Start")
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := s.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(ctx); !errors.Is(err, errRunning) {
		t.Errorf("second Start: %v", err)
	}
	taken := &Server{Listen: s.URL()}
	if err := taken.Start(ctx); err == nil {
		t.Error("two servers on one port")
	}
	cancel() // ends it as Close does
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	s.Write([]Value{number(0, 1, 1)}) // after Close: nothing

	for name, bad := range map[string]*Server{
		"mode":     {Modes: []Mode{"Maybe"}},
		"trust":    {RequireTrusted: true},
		"nobody":   {NoAnonymous: true},
		"twice":    {Variables: []Variable{{Path: "a"}, {Path: "a"}}},
		"no path":  {Variables: []Variable{{}}},
		"bad type": {Variables: []Variable{{Path: "a", Type: 77}}},
		"range":    {Variables: []Variable{{Path: "a", Low: 2, High: 1}}},
		"address":  {Listen: "nowhere"},
	} {
		if err := bad.Start(t.Context()); err == nil {
			t.Errorf("%s: started", name)
			bad.Close()
		}
	}
}

// TestRestartOnTheSamePort kills the server under a subscribed client and brings
// it back.
func TestRestartOnTheSamePort(t *testing.T) {
	s := start(t, &Server{}, 1)
	url := s.URL()
	p := dial(t, url, nil)
	sub := p.subscribe(20*time.Millisecond, nil)
	p.monitor(sub, itemRequest(path(0), 1, 10, nil))
	for range 3 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s.Listen = url
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s.URL() != url || s.Monitored() != 0 {
			t.Errorf("%s, %d monitored", s.URL(), s.Monitored())
		}
		p = dial(t, url, nil)
		next := p.subscribe(20*time.Millisecond, nil)
		if next == sub {
			t.Error("a subscription id came back after a restart")
		}
		sub = next
		p.monitor(sub, itemRequest(path(0), 1, 10, nil))
		s.Write([]Value{number(0, 1, 5)})
		if got := p.numbers(1); got[0] != 5 {
			t.Errorf("%v", got)
		}
	}
}

// TestReactivation cuts TCP and takes the old session over from a new secure
// channel: nothing is lost.
func TestReactivation(t *testing.T) {
	for _, m := range []Mode{None, SignAndEncrypt} {
		t.Run(string(m), func(t *testing.T) {
			s := start(t, &Server{Modes: []Mode{m}, Users: map[string]string{"mill": "geheim", "other": "x"}}, 1)
			own := clientIdentity(t)
			opts := secured(m, s, own)
			user := &uaSession{token: &userPassword{"mill", "geheim"}}
			w := startWire(t, s.URL())
			p := dial(t, w.url, user, opts...)
			sub := p.subscribe(20*time.Millisecond, nil)
			p.monitor(sub, itemRequest(path(0), 1, 1000, nil))
			s.Write([]Value{number(0, 0, 0)})
			p.numbers(1)

			old := p.s
			for range 3 { // waiting on the connection that is cut: they must swallow nothing
				go send[*ua.PublishResponse](p, &ua.PublishRequest{})
			}
			for s.Counts()["Publish"] < 4 {
				time.Sleep(time.Millisecond)
			}
			w.cut()
			for waiting := true; waiting; time.Sleep(time.Millisecond) {
				s.engine.mu.Lock()
				for _, ses := range s.engine.sessions {
					waiting = ses.conn != nil
				}
				s.engine.mu.Unlock()
			}
			for i := 1; i < 20; i++ {
				s.Write([]Value{number(0, int64(i), float64(i))})
			}
			// Another user cannot take it.
			thief, err := tryChannel(t, w.url, opts...)
			if err != nil {
				t.Fatal(err)
			}
			if m == None {
				if err := sendWithToken(thief, onlyToken(t, s), &ua.ActivateSessionRequest{
					ClientSignature: &ua.SignatureData{}, UserIdentityToken: ua.NewExtensionObject(&ua.AnonymousIdentityToken{PolicyID: policyAnonymous}),
					UserTokenSignature: &ua.SignatureData{},
				}); !errors.Is(err, ua.StatusBadIdentityChangeNotSupported) {
					t.Errorf("another user: %v", err)
				}
			}
			back, err := tryChannel(t, w.url, opts...)
			if err != nil {
				t.Fatal(err)
			}
			if err := back.c.ActivateSession(t.Context(), old); err != nil {
				t.Fatal(err)
			}
			back.s = old
			got := back.numbers(19)
			for i, x := range got {
				if x != float64(i+1) {
					t.Fatalf("%v", got)
				}
			}
			// What went before the cut can be asked for again.
			r := must[*ua.RepublishResponse](back, &ua.RepublishRequest{SubscriptionID: sub, RetransmitSequenceNumber: 1})
			if len(changes(r.NotificationMessage)) == 0 {
				t.Error("empty message republished")
			}
		})
	}
}

// TestTransferOverTheWire walks the ladder's second step: the session is gone,
// a new one of the same user takes the subscription.
func TestTransferOverTheWire(t *testing.T) {
	s := start(t, &Server{Users: map[string]string{"mill": "geheim", "other": "x"}}, 1)
	user := &uaSession{token: &userPassword{"mill", "geheim"}}
	a := dial(t, s.URL(), user, opcua.SecurityFromEndpoint(s.endpoints(s.URL())[0], ua.UserTokenTypeUserName))
	sub := a.subscribe(20*time.Millisecond, nil)
	a.monitor(sub, itemRequest(path(0), 1, 1000, nil))
	s.Write([]Value{number(0, 0, 0)})
	a.numbers(1)
	a.c.DetachSession(t.Context())
	a.c.Close(t.Context())
	s.Write([]Value{number(0, 1, 1), number(0, 2, 2)})

	b := dial(t, s.URL(), user, opcua.SecurityFromEndpoint(s.endpoints(s.URL())[0], ua.UserTokenTypeUserName))
	r := must[*ua.TransferSubscriptionsResponse](b, &ua.TransferSubscriptionsRequest{SubscriptionIDs: []uint32{sub}})
	if r.Results[0].StatusCode != ua.StatusOK || len(r.Results[0].AvailableSequenceNumbers) == 0 {
		t.Fatalf("%+v", r.Results[0])
	}
	if got := b.numbers(2); !reflect.DeepEqual(got, []float64{1, 2}) {
		t.Errorf("%v", got)
	}
}

// TestDeadClientsDoNotBlockWrite: many clients with many items stop reading or
// vanish; Write stays quick and another client gets everything. The codec's
// stock server deadlocks here.
func TestDeadClientsDoNotBlockWrite(t *testing.T) {
	const n = 3000
	s := start(t, &Server{Limits: Limits{MaxWriteSilence: time.Minute}}, n)
	w := startWire(t, s.URL())
	for range 4 {
		p := dial(t, w.url, nil)
		sub := p.subscribe(10*time.Millisecond, nil)
		for at := 0; at < n; at += 1000 {
			items := make([]*ua.MonitoredItemCreateRequest, 1000)
			for i := range items {
				items[i] = itemRequest(path(at+i), uint32(at+i), 100, nil)
			}
			p.monitor(sub, items...)
		}
		for range 20 {
			go send[*ua.PublishResponse](p, &ua.PublishRequest{})
		}
	}
	good := dial(t, s.URL(), nil)
	sub := good.subscribe(10*time.Millisecond, nil)
	good.monitor(sub, itemRequest(path(7), 7, 10000, nil))
	w.freeze()

	var slowest time.Duration
	var wg sync.WaitGroup
	wg.Go(func() {
		vals := make([]Value, n)
		for k := range 200 {
			for i := range vals {
				vals[i] = number(i, int64(k), float64(k))
			}
			begun := time.Now()
			s.Write(vals)
			slowest = max(slowest, time.Since(begun))
			time.Sleep(5 * time.Millisecond)
			if k == 100 {
				w.cut()
			}
		}
	})
	got := good.numbers(200)
	wg.Wait()
	for i, x := range got {
		if x != float64(i) {
			t.Fatalf("value %d is %v", i, x)
		}
	}
	t.Logf("slowest Write of %d values to %d items: %v", n, 4*n, slowest)
	if slowest > 5*time.Second { // a busy machine, not a wait of a minute for a client
		t.Errorf("Write took %v", slowest)
	}
	if s.Monitored() != n {
		t.Errorf("%d monitored", s.Monitored())
	}
}

// TestSilentConnections: whoever connects and says nothing keeps nobody out.
func TestSilentConnections(t *testing.T) {
	s := start(t, &Server{Limits: Limits{MaxConnections: 5}}, 1)
	for range 3 {
		c, err := net.Dial("tcp", strings.TrimPrefix(s.URL(), "opc.tcp://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	dial(t, s.URL(), nil)
}

// TestSilentReader: a client that asks and never reads is held back, and does
// not fill the memory.
func TestSilentReader(t *testing.T) {
	s, _ := deskServer(t)
	ask := make([][]byte, 1000)
	for i := range ask {
		ask[i] = encodeRequest(t, &ua.GetEndpointsRequest{})
	}
	c := newConn(s, &script{in: bytes.NewReader(conversation(t, ask...))})
	done := make(chan error)
	go func() { done <- c.read() }() // and nobody writes
	queued := 0
	for range 100 {
		time.Sleep(time.Millisecond)
		c.mu.Lock()
		queued = len(c.out)
		c.mu.Unlock()
	}
	if queued == 0 || queued > maxQueuedReply+1 {
		t.Errorf("%d answers queued", queued)
	}
	c.close()
	<-done
}

// TestSessionBelongsToItsConnection: knowing the authentication token is not
// enough.
func TestSessionBelongsToItsConnection(t *testing.T) {
	s := start(t, &Server{}, 1)
	dial(t, s.URL(), nil)
	p, err := tryChannel(t, s.URL())
	if err != nil {
		t.Fatal(err)
	}
	read := &ua.ReadRequest{NodesToRead: []*ua.ReadValueID{valueOf("i=2258")}}
	if err := sendWithToken(p, onlyToken(t, s), read); !errors.Is(err, ua.StatusBadSecureChannelIDInvalid) {
		t.Errorf("another connection: %v", err)
	}
	if err := sendWithToken(p, ua.NewTwoByteNodeID(77), read); !errors.Is(err, ua.StatusBadSessionIDInvalid) {
		t.Errorf("no session: %v", err)
	}
	created := must[*ua.CreateSessionResponse](p, &ua.CreateSessionRequest{
		ClientDescription: &ua.ApplicationDescription{ApplicationName: text("")},
	})
	if err := sendWithToken(p, created.AuthenticationToken, read); !errors.Is(err, ua.StatusBadSessionNotActivated) {
		t.Errorf("not activated: %v", err)
	}
}

func TestRead(t *testing.T) {
	s := start(t, &Server{Variables: []Variable{
		{Path: "HSM/F3/VIB", Unit: "mm/s", Description: "gearbox vibration", Low: 0, High: 20, Resolution: 0.01},
		{Path: "HSM/F3/MODE", Kind: plant.Text},
		{Path: "HSM/F3/RUN", Kind: plant.Discrete, Type: Boolean},
		{Path: "HSM/F3/COUNT", Kind: plant.Discrete},
	}}, 0)
	s.Write([]Value{{Var: 0, Time: stamp(1), Quality: plant.UncertainLastUsableValue, Number: 1.25}, {Var: 1, Time: stamp(1), Text: "rolling"}, {Var: 2, Number: 1}})
	p := dial(t, s.URL(), nil)
	read := func(node string, a ua.AttributeID) *ua.DataValue {
		t.Helper()
		r := valueOf(node)
		r.AttributeID = a
		return must[*ua.ReadResponse](p, &ua.ReadRequest{TimestampsToReturn: ua.TimestampsToReturnBoth, NodesToRead: []*ua.ReadValueID{r}}).Results[0]
	}
	f := func(node string, a ua.AttributeID, want any) {
		t.Helper()
		dv := read(node, a)
		got := any(dv.Status)
		if dv.Status != ua.StatusCode(plant.UncertainLastUsableValue) && dv.Status != ua.StatusOK {
			if got != want {
				t.Errorf("%s attribute %d: %v, want %v", node, a, got, want)
			}
			return
		}
		if got = dv.Value.Value(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s attribute %d: %#v, want %#v", node, a, got, want)
		}
	}
	const vib = "ns=1;s=HSM/F3/VIB"
	f(vib, ua.AttributeIDValue, 1.25)
	f(vib, ua.AttributeIDDataType, ua.NewTwoByteNodeID(11))
	f(vib, ua.AttributeIDDescription, text("gearbox vibration"))
	f(vib, ua.AttributeIDAccessLevel, uint8(1))
	f(vib, ua.AttributeIDUserAccessLevel, uint8(1))
	f(vib, ua.AttributeIDNodeClass, int32(ua.NodeClassVariable))
	f(vib, ua.AttributeIDBrowseName, &ua.QualifiedName{NamespaceIndex: 1, Name: "VIB"})
	f(vib, ua.AttributeIDHistorizing, false)
	f(vib, ua.AttributeIDEventNotifier, ua.StatusBadAttributeIDInvalid)
	f(vib, ua.AttributeIDArrayDimensions, ua.StatusBadAttributeIDInvalid)
	f("ns=1;s=HSM/F3/MODE", ua.AttributeIDDataType, ua.NewTwoByteNodeID(12))
	f("ns=1;s=HSM/F3/MODE", ua.AttributeIDValue, "rolling")
	f("ns=1;s=HSM/F3/RUN", ua.AttributeIDDataType, ua.NewTwoByteNodeID(1))
	f("ns=1;s=HSM/F3/RUN", ua.AttributeIDValue, true)
	f("ns=1;s=HSM/F3/COUNT", ua.AttributeIDDataType, ua.NewTwoByteNodeID(6))
	f("ns=1;s=HSM/F3/COUNT", ua.AttributeIDValue, ua.StatusCode(plant.BadWaitingForInitialData))
	f("ns=1;s=nothing", ua.AttributeIDValue, ua.StatusBadNodeIDUnknown)
	f("ns=2;s=HSM/F3/VIB", ua.AttributeIDValue, ua.StatusBadNodeIDUnknown)
	f("ns=1;s=HSM/F3/", ua.AttributeIDEventNotifier, uint8(0))
	f("i=2255", ua.AttributeIDValue, []string{"http://opcfoundation.org/UA/", Namespace})
	f("i=11705", ua.AttributeIDValue, uint32(1000))
	f("i=11714", ua.AttributeIDValue, uint32(1000))
	f("i=2267", ua.AttributeIDValue, uint8(255))
	f("i=2259", ua.AttributeIDValue, int32(0))
	f("i=35", ua.AttributeIDInverseName, text("OrganizedBy"))
	f("i=26", ua.AttributeIDIsAbstract, true)

	if r := read("ns=1;s=HSM/F3/VIB#EURange", ua.AttributeIDValue).Value.Value().(*ua.ExtensionObject).Value.(*ua.Range); r.High != 20 {
		t.Errorf("%+v", r)
	}
	if u := read("ns=1;s=HSM/F3/VIB#EngineeringUnits", ua.AttributeIDValue).Value.Value().(*ua.ExtensionObject).Value.(*ua.EUInformation); u.DisplayName.Text != "mm/s" || u.UnitID != 0x433136 {
		t.Errorf("%+v", u)
	}
	if st := read("i=2256", ua.AttributeIDValue).Value.Value().(*ua.ExtensionObject).Value.(*ua.ServerStatusDataType); time.Since(st.CurrentTime) > time.Minute {
		t.Errorf("%+v", st)
	}
	dv := read(vib, ua.AttributeIDValue)
	if dv.SourceTimestamp.UnixNano() != stamp(1) || time.Since(dv.ServerTimestamp).Abs() > time.Minute || dv.Status != ua.StatusCode(plant.UncertainLastUsableValue) {
		t.Errorf("%+v", dv)
	}
	r := valueOf(vib)
	r.IndexRange = "0:1"
	if c := must[*ua.ReadResponse](p, &ua.ReadRequest{NodesToRead: []*ua.ReadValueID{r}}).Results[0].Status; c != ua.StatusBadIndexRangeNoData {
		t.Errorf("index range: %v", c)
	}
}

func TestBrowse(t *testing.T) {
	s := &Server{Variables: []Variable{{Path: "HSM/F3/VIB", Unit: "mm/s", Low: 0, High: 20}, {Path: "HSM/F3"}, {Path: "x/"}, {Path: "lone"}}}
	for i := range 25 {
		s.Variables = append(s.Variables, Variable{Path: "many/" + path(i)})
	}
	start(t, s, 0)
	p := dial(t, s.URL(), nil)
	all := func(node string, limit uint32, kind uint32) (names []string, calls int) {
		t.Helper()
		r := must[*ua.BrowseResponse](p, &ua.BrowseRequest{
			View: &ua.ViewDescription{ViewID: ua.NewTwoByteNodeID(0)}, RequestedMaxReferencesPerNode: limit,
			NodesToBrowse: []*ua.BrowseDescription{{
				NodeID: ua.MustParseNodeID(node), ReferenceTypeID: ua.NewNumericNodeID(0, kind), IncludeSubtypes: true, ResultMask: 63,
			}},
		}).Results[0]
		for calls = 1; ; calls++ {
			if r.StatusCode != ua.StatusOK {
				t.Fatal(r.StatusCode)
			}
			for _, ref := range r.References {
				names = append(names, ref.BrowseName.Name)
			}
			if len(r.ContinuationPoint) == 0 {
				return names, calls
			}
			r = must[*ua.BrowseNextResponse](p, &ua.BrowseNextRequest{ContinuationPoints: [][]byte{r.ContinuationPoint}}).Results[0]
		}
	}
	f := func(node string, kind uint32, want ...string) {
		t.Helper()
		if got, _ := all(node, 0, kind); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", node, got, want)
		}
	}
	f("i=84", id.HierarchicalReferences, "Objects", "Types", "Views")
	f("i=85", id.HierarchicalReferences, "Server", "HSM", "x/", "lone", "many")
	f("ns=1;s=HSM/", id.HierarchicalReferences, "F3", "F3")
	f("ns=1;s=HSM/F3/VIB", id.HasProperty, "EURange", "EngineeringUnits")
	f("ns=1;s=HSM/F3/VIB", id.HasTypeDefinition, "AnalogItemType")
	f("ns=1;s=lone", id.HasTypeDefinition, "BaseDataVariableType")
	if names, calls := all("ns=1;s=many/T/", 10, id.HierarchicalReferences); len(names) != 25 || calls != 3 {
		t.Errorf("%d names in %d calls", len(names), calls)
	}
	bad := must[*ua.BrowseNextResponse](p, &ua.BrowseNextRequest{ContinuationPoints: [][]byte{[]byte("x")}}).Results[0]
	if bad.StatusCode != ua.StatusBadContinuationPointInvalid {
		t.Errorf("%v", bad.StatusCode)
	}
	many := &ua.BrowseRequest{View: &ua.ViewDescription{ViewID: ua.NewTwoByteNodeID(0)}, RequestedMaxReferencesPerNode: 1}
	for range maxCursors + 1 {
		many.NodesToBrowse = append(many.NodesToBrowse, &ua.BrowseDescription{NodeID: ua.NewTwoByteNodeID(85), ReferenceTypeID: ua.NewTwoByteNodeID(0)})
	}
	res := must[*ua.BrowseResponse](p, many).Results
	if res[maxCursors-1].StatusCode != ua.StatusOK || res[maxCursors].StatusCode != ua.StatusBadNoContinuationPoints {
		t.Errorf("%v, %v", res[maxCursors-1].StatusCode, res[maxCursors].StatusCode)
	}
	must[*ua.BrowseNextResponse](p, &ua.BrowseNextRequest{ReleaseContinuationPoints: true, ContinuationPoints: [][]byte{res[0].ContinuationPoint}})
	path := func(from string, names ...string) *ua.BrowsePathResult {
		rp := &ua.RelativePath{}
		for _, n := range names {
			rp.Elements = append(rp.Elements, &ua.RelativePathElement{
				ReferenceTypeID: ua.NewNumericNodeID(0, id.HierarchicalReferences), IncludeSubtypes: true,
				TargetName: &ua.QualifiedName{NamespaceIndex: 1, Name: n},
			})
		}
		return must[*ua.TranslateBrowsePathsToNodeIDsResponse](p, &ua.TranslateBrowsePathsToNodeIDsRequest{
			BrowsePaths: []*ua.BrowsePath{{StartingNode: ua.MustParseNodeID(from), RelativePath: rp}},
		}).Results[0]
	}
	if r := path("i=85", "HSM", "F3", "VIB"); r.StatusCode != ua.StatusOK || r.Targets[0].TargetID.NodeID.String() != "ns=1;s=HSM/F3/VIB" {
		t.Errorf("%+v", r)
	}
	if r := path("i=85", "HSM", "F9"); r.StatusCode != ua.StatusBadNoMatch {
		t.Errorf("%v", r.StatusCode)
	}
}

// onlyToken is the authentication token of the server's one session.
func onlyToken(t *testing.T, s *Server) *ua.NodeID {
	t.Helper()
	s.engine.mu.Lock()
	defer s.engine.mu.Unlock()
	for token := range s.engine.sessions {
		return ua.MustParseNodeID(token)
	}
	t.Fatal("no session")
	return nil
}
