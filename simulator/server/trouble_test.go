package server

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

// TestTrouble: what can be done to a server is seen by its client, and what
// comes after it works again.
func TestTrouble(t *testing.T) {
	s := start(t, &Server{Namespaces: []string{"urn:other"}, Variables: []Variable{{Path: "T/A", Low: 0, High: 9}, {Path: "T/B"}}}, 2)
	p := dial(t, s.URL(), nil)
	names := must[*ua.ReadResponse](p, &ua.ReadRequest{NodesToRead: []*ua.ReadValueID{valueOf("i=2255")}}).Results[0].Value.Value().([]string)
	if len(names) != 3 || names[2] != Namespace {
		t.Fatalf("namespaces %v", names)
	}
	item := func(path string, handle uint32) *ua.MonitoredItemCreateRequest {
		return itemRequest("", handle, 10, func(r *ua.MonitoredItemCreateRequest) { r.ItemToMonitor.NodeID = ua.NewStringNodeID(2, path) })
	}
	sub := p.subscribe(20*time.Millisecond, func(r *ua.CreateSubscriptionRequest) { r.RequestedMaxKeepAliveCount = 2 })
	p.monitor(sub, item("T/A", 0), item("T/B", 1))
	write := func(x float64) { s.Write([]Value{number(0, 1, x), number(1, 1, x)}) }
	read := func() (codes []ua.StatusCode) {
		for _, r := range must[*ua.ReadResponse](p, &ua.ReadRequest{NodesToRead: []*ua.ReadValueID{valueOf("ns=2;s=T/A"), valueOf("ns=2;s=T/A#EURange"), valueOf("ns=2;s=T/B")}}).Results {
			codes = append(codes, r.Status)
		}
		return codes
	}
	// heard publishes until something but a keep-alive comes.
	heard := func() (values map[uint32]float64, codes map[uint32]ua.StatusCode) {
		values, codes = map[uint32]float64{}, map[uint32]ua.StatusCode{}
		for len(values) == 0 && len(codes) == 0 {
			for _, c := range changes(p.publish().NotificationMessage) {
				if c.Value.Status == ua.StatusBadWaitingForInitialData {
					continue
				}
				if v, ok := c.Value.Value.Value().(float64); ok {
					values[c.ClientHandle] = v
				} else {
					codes[c.ClientHandle] = c.Value.Status
				}
			}
		}
		return values, codes
	}
	write(1)
	if v, _ := heard(); v[0] != 1 || v[1] != 1 {
		t.Fatalf("values %v", v)
	}

	s.Remove(0)
	s.Remove(0)
	if _, codes := heard(); codes[0] != ua.StatusBadNodeIDUnknown || len(codes) != 1 {
		t.Errorf("removed: %v", codes)
	}
	if codes := read(); codes[0] != ua.StatusBadNodeIDUnknown || codes[1] != ua.StatusBadNodeIDUnknown || codes[2] != ua.StatusOK {
		t.Errorf("reads %v", codes)
	}
	if r := p.monitor(sub, item("T/A", 0)); r[0].StatusCode != ua.StatusBadNodeIDUnknown {
		t.Errorf("monitored %v", r[0].StatusCode)
	}
	write(2)
	if v, _ := heard(); len(v) != 1 || v[1] != 2 {
		t.Errorf("values of a removed node: %v", v)
	}
	s.Restore(0)
	s.Restore(0)
	write(3)
	if v, _ := heard(); len(v) != 1 || v[1] != 3 {
		t.Errorf("a dead item delivers: %v", v)
	}
	p.monitor(sub, item("T/A", 5))
	if v, _ := heard(); v[5] != 3 {
		t.Errorf("the new item: %v", v)
	}
	if codes := read(); codes[0] != ua.StatusOK || codes[1] != ua.StatusOK {
		t.Errorf("reads %v", codes)
	}

	now := func() time.Time {
		return must[*ua.ReadResponse](p, &ua.ReadRequest{NodesToRead: []*ua.ReadValueID{valueOf("i=2258")}}).Results[0].Value.Value().(time.Time)
	}
	s.Step(-time.Hour)
	if d := time.Since(now()); math.Abs((d-time.Hour).Minutes()) > 1 || time.Since(p.publish().NotificationMessage.PublishTime) < 30*time.Minute {
		t.Errorf("the clock is %v behind", d)
	}
	s.Step(time.Hour)

	s.Starve(true)
	before := time.Now()
	time.AfterFunc(300*time.Millisecond, func() { s.Starve(false) })
	p.publish()
	if d := time.Since(before); d < 250*time.Millisecond {
		t.Errorf("a starved subscription answered after %v", d)
	}

	write(4)
	seq := p.publish().NotificationMessage.SequenceNumber
	s.Forget()
	if _, err := send[*ua.RepublishResponse](p, &ua.RepublishRequest{SubscriptionID: sub, RetransmitSequenceNumber: seq}); !errors.Is(err, ua.StatusBadMessageNotAvailable) {
		t.Errorf("forgotten: %v", err)
	}

	go s.Block(300 * time.Millisecond)
	time.Sleep(50 * time.Millisecond)
	before = time.Now()
	if now(); time.Since(before) < 200*time.Millisecond {
		t.Errorf("a blocked server answered after %v", time.Since(before))
	}

	s.Drop()
	var told ua.StatusCode
	for _, x := range p.publish().NotificationMessage.NotificationData {
		if n, ok := x.Value.(*ua.StatusChangeNotification); ok {
			told = n.Status
		}
	}
	if _, err := send[*ua.PublishResponse](p, &ua.PublishRequest{}); told != ua.StatusBadTimeout || !errors.Is(err, ua.StatusBadNoSubscription) {
		t.Errorf("dropped: told %v, then %v", told, err)
	}
	s.Expel()
	if _, err := send[*ua.ReadResponse](p, &ua.ReadRequest{NodesToRead: []*ua.ReadValueID{valueOf(ua.NewNumericNodeID(0, id.Server_NamespaceArray).String())}}); !errors.Is(err, ua.StatusBadSessionIDInvalid) {
		t.Errorf("expelled: %v", err)
	}
	s.Close()
	s.Expel()
}
