package server

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"
)

// Each way to spoil values is what a client gets to see, and ends.
func TestSpoil(t *testing.T) {
	s := start(t, &Server{}, 3)
	p := dial(t, s.URL(), nil)
	sub := p.subscribe(20*time.Millisecond, nil)
	everything := withFilter(&ua.DataChangeFilter{Trigger: ua.DataChangeTriggerStatusValueTimestamp})
	p.monitor(sub, itemRequest(path(0), 0, 100, everything), itemRequest(path(1), 1, 100, everything), itemRequest(path(2), 2, 100, everything))
	ms := int64(0)
	// heard are the values of ten writes, by variable.
	heard := func(n int) [3][]*ua.DataValue {
		t.Helper()
		for range 10 {
			ms++
			s.Write([]Value{number(0, ms, float64(ms)), number(1, ms, float64(ms)), number(2, ms, float64(ms))})
		}
		var got [3][]*ua.DataValue
		for len(got[0]) < n || len(got[1]) < n || len(got[2]) < n {
			for _, c := range changes(p.publish().NotificationMessage) {
				if c.Value.Status != ua.StatusBadWaitingForInitialData {
					got[c.ClientHandle] = append(got[c.ClientHandle], c.Value)
				}
			}
		}
		return got
	}
	numbers := func(list []*ua.DataValue) (all []float64) {
		for _, v := range list {
			all = append(all, v.Value.Value().(float64))
		}
		return all
	}
	statuses := func(list []*ua.DataValue, want ua.StatusCode) (n int) {
		for _, v := range list {
			if v.Status == want {
				n++
			}
		}
		return n
	}
	during := func(what Spoil, n int) [3][]*ua.DataValue {
		t.Helper()
		s.Spoil(what, true)
		defer s.Spoil(what, false)
		return heard(n)
	}
	heard(10)
	if got := numbers(during(Duplicates, 20)[0]); got[0] != got[1] || got[18] != got[19] || got[1] == got[2] {
		t.Errorf("duplicates %v", got)
	}
	if v := during(Late, 10)[0][9]; !v.SourceTimestamp.Equal(time.Unix(0, stamp(ms)-int64(time.Hour)).UTC()) {
		t.Errorf("late by %v", time.Unix(0, stamp(ms)).Sub(v.SourceTimestamp))
	}
	if v := during(Future, 10)[0][9]; !v.SourceTimestamp.Equal(time.Unix(0, stamp(ms)+37e9).UTC()) {
		t.Errorf("early by %v", v.SourceTimestamp.Sub(time.Unix(0, stamp(ms))))
	}
	got := during(NotNumbers, 10)
	if a, b, c := numbers(got[0]), numbers(got[1]), numbers(got[2]); !slices.ContainsFunc(a, math.IsNaN) || !slices.Contains(b, math.Inf(1)) || !slices.Contains(c, math.Inf(-1)) {
		t.Errorf("not numbers: %v %v %v", a, b, c)
	}
	if got := during(Bad, 10); statuses(got[0], ua.StatusBadDeviceFailure) != 2 || statuses(got[1], ua.StatusOK) != 10 {
		t.Errorf("bad: %d and %d", statuses(got[0], ua.StatusBadDeviceFailure), statuses(got[1], ua.StatusOK))
	}
	if got := during(Uncertain, 10); statuses(got[0], ua.StatusUncertainSensorNotAccurate) != 2 {
		t.Errorf("uncertain: %d", statuses(got[0], ua.StatusUncertainSensorNotAccurate))
	}
	stuck := during(Stuck, 10)[0]
	if got := numbers(stuck); slices.Min(got) != slices.Max(got) || !stuck[9].SourceTimestamp.Equal(time.Unix(0, stamp(ms)).UTC()) {
		t.Errorf("stuck: %v", got)
	}
	if got := numbers(heard(10)[1]); !slices.IsSorted(got) || got[9] != float64(ms) {
		t.Errorf("afterwards: %v", got)
	}
}

// A server opened again has its values, and what was changed about it.
func TestReopen(t *testing.T) {
	s := start(t, &Server{}, 2)
	s.Write([]Value{number(0, 1, 7), number(1, 1, 8)})
	url := s.URL()
	if err := s.Reopen(t.Context(), nil); err == nil {
		t.Error("an open server was opened again")
	}
	s.Close()
	err := s.Reopen(context.Background(), func(s *Server) {
		s.Namespaces = append(s.Namespaces, "urn:other")
		s.Limits.MaxNodesPerRead = 1
	})
	if err != nil || s.URL() != url {
		t.Fatalf("%v, at %s, was at %s", err, s.URL(), url)
	}
	p := dial(t, url, nil)
	read := func(nodes ...string) (*ua.ReadResponse, error) {
		r := &ua.ReadRequest{}
		for _, n := range nodes {
			r.NodesToRead = append(r.NodesToRead, valueOf(n))
		}
		return send[*ua.ReadResponse](p, r)
	}
	if r, err := read("ns=2;s=" + path(0)); err != nil || r.Results[0].Value.Value() != 7.0 {
		t.Errorf("reads %v, %v", r, err)
	}
	if r, err := read("ns=1;s=" + path(0)); err != nil || r.Results[0].Status != ua.StatusBadNodeIDUnknown {
		t.Errorf("under its old number: %v, %v", r, err)
	}
	if _, err := read("ns=2;s="+path(0), "ns=2;s="+path(1)); !errors.Is(err, ua.StatusBadTooManyOperations) {
		t.Errorf("two nodes in a call: %v", err)
	}
}

// A retyped node ends the items of the old one and tells its values in the new type.
func TestRetype(t *testing.T) {
	s := start(t, &Server{}, 2)
	p := dial(t, s.URL(), nil)
	sub := p.subscribe(20*time.Millisecond, nil)
	p.monitor(sub, itemRequest(path(0), 0, 10, nil))
	s.Write([]Value{number(0, 1, 1.5)})
	if got := p.numbers(1); got[0] != 1.5 {
		t.Fatal(got)
	}
	s.Retype(0, String)
	for heard := false; !heard; {
		for _, c := range changes(p.publish().NotificationMessage) {
			heard = heard || c.Value.Status == ua.StatusBadNodeIDUnknown
		}
	}
	read := func() any {
		return must[*ua.ReadResponse](p, &ua.ReadRequest{NodesToRead: []*ua.ReadValueID{valueOf("ns=1;s=" + path(0))}}).Results[0].Value.Value()
	}
	if v := read(); v != "1.5" {
		t.Errorf("reads %v", v)
	}
	s.Write([]Value{number(0, 2, 2.5)})
	if v := read(); v != "2.5" {
		t.Errorf("reads %v", v)
	}
	s.Retype(0, Double)
	if v := read(); v != 2.5 {
		t.Errorf("reads %v", v)
	}
	s.Write([]Value{number(0, 3, 3.5)})
	if v := read(); v != 3.5 {
		t.Errorf("reads %v", v)
	}
}

// A slow server tells all, but seldom.
func TestSlow(t *testing.T) {
	s := start(t, &Server{}, 1)
	p := dial(t, s.URL(), nil)
	sub := p.subscribe(10*time.Millisecond, func(r *ua.CreateSubscriptionRequest) { r.RequestedMaxKeepAliveCount = 1 })
	p.monitor(sub, itemRequest(path(0), 0, 100, nil))
	p.publish()
	s.Slow(300 * time.Millisecond)
	p.publish()
	before := time.Now()
	for i := range 5 {
		s.Write([]Value{number(0, int64(i), float64(i))})
	}
	if got := p.numbers(5); !slices.Equal(got, []float64{0, 1, 2, 3, 4}) || time.Since(before) < 150*time.Millisecond {
		t.Errorf("%v after %v", got, time.Since(before))
	}
}
