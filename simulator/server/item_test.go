package server

import (
	"fmt"
	"math"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

const overflow = ua.StatusCode(0x480)

func vars(n int) []Variable {
	all := make([]Variable, n)
	for i := range all {
		all[i] = Variable{Path: path(i)}
	}
	return all
}

// writeRamp writes from, from+1, … to-1 to variable 0, a millisecond apart.
func writeRamp(s *Server, from, to int) {
	for i := from; i < to; i++ {
		s.engine.write([]Value{number(0, int64(i), float64(i))})
	}
}

func TestQueueOverflow(t *testing.T) {
	f := func(name string, queue uint32, oldest bool, wantNums []float64, wantFlag int) {
		t.Helper()
		inLab(t, &Server{Variables: vars(1)}, func(l *lab) {
			writeRamp(l.s, 0, 1)
			sub := l.subscribe(100*time.Millisecond, nil)
			l.monitor(sub, itemRequest(path(0), 1, queue, func(r *ua.MonitoredItemCreateRequest) {
				r.RequestedParameters.DiscardOldest = oldest
			}))
			writeRamp(l.s, 1, 8)
			nums, codes := l.collect()
			if !reflect.DeepEqual(nums, wantNums) {
				t.Errorf("%s: %v, want %v", name, nums, wantNums)
			}
			for i, c := range codes {
				if (c&overflow == overflow) != (i == wantFlag) || c&^overflow != 0 {
					t.Errorf("%s: value %d has status %#x", name, i, uint32(c))
				}
			}
			if len(l.offered) != 8 {
				t.Errorf("%s: %d values offered, want all 8", name, len(l.offered))
			}
			for i, v := range l.offered {
				if v.Seq != uint64(i+1) || v.Number != float64(i) || v.Time != stamp(int64(i)) || v.Quality != plant.Good {
					t.Errorf("%s: offered %d: %+v", name, i, v)
				}
			}
		})
	}
	f("no overflow", 10, true, []float64{0, 1, 2, 3, 4, 5, 6, 7}, -1)
	f("oldest falls out", 3, true, []float64{5, 6, 7}, 0)
	f("newest is replaced", 3, false, []float64{0, 1, 7}, 2)
	f("queue of one keeps the newest", 1, true, []float64{7}, -1)
	f("queue of one ignores the policy", 1, false, []float64{7}, -1)
	f("queue of none is one", 0, true, []float64{7}, -1)
}

func TestMemoryLimitOverflowsEarly(t *testing.T) {
	inLab(t, &Server{Variables: vars(2), Limits: Limits{MaxQueued: 5}}, func(l *lab) {
		sub := l.subscribe(100*time.Millisecond, nil)
		writeRamp(l.s, 0, 1)
		l.monitor(sub, itemRequest(path(0), 1, 1000, nil))
		writeRamp(l.s, 1, 20)
		nums, codes := l.collect()
		if !reflect.DeepEqual(nums, []float64{15, 16, 17, 18, 19}) || codes[0]&overflow != overflow {
			t.Errorf("%v %v", nums, codes)
		}
		if l.s.engine.queued != 0 {
			t.Errorf("%d values still counted", l.s.engine.queued)
		}
	})
}

func TestTriggers(t *testing.T) {
	f := func(trigger ua.DataChangeTrigger, wantNums []float64) {
		t.Helper()
		inLab(t, &Server{Variables: vars(1)}, func(l *lab) {
			sub := l.subscribe(100*time.Millisecond, nil)
			l.s.engine.write([]Value{number(0, 0, 1)})
			l.monitor(sub, itemRequest(path(0), 1, 100, withFilter(&ua.DataChangeFilter{Trigger: trigger})))
			bad := number(0, 3, 2)
			bad.Quality = plant.BadSensorFailure
			nan := number(0, 5, math.NaN())
			nan.Quality = plant.BadSensorFailure
			l.s.engine.write([]Value{number(0, 1, 1), number(0, 2, 2), bad, bad, nan, nan, number(0, 6, 3)})
			nums, _ := l.collect()
			if fmt.Sprint(nums) != fmt.Sprint(wantNums) {
				t.Errorf("%v: %v, want %v", trigger, nums, wantNums)
			}
			if len(l.offered) != len(wantNums) {
				t.Errorf("%v: offered %d, delivered %d", trigger, len(l.offered), len(wantNums))
			}
		})
	}
	f(ua.DataChangeTriggerStatus, []float64{1, 2, 3})
	f(ua.DataChangeTriggerStatusValue, []float64{1, 2, 2, math.NaN(), 3})
	f(ua.DataChangeTriggerStatusValueTimestamp, []float64{1, 1, 2, 2, math.NaN(), 3})
}

func TestDeadband(t *testing.T) {
	f := func(kind ua.DeadbandType, value float64, wantNums []float64) {
		t.Helper()
		inLab(t, &Server{Variables: []Variable{{Path: path(0), Low: 0, High: 50}}}, func(l *lab) {
			sub := l.subscribe(100*time.Millisecond, nil)
			writeRamp(l.s, 0, 1)
			res := l.monitor(sub, itemRequest(path(0), 1, 100, withFilter(&ua.DataChangeFilter{
				Trigger: ua.DataChangeTriggerStatusValueTimestamp, DeadbandType: uint32(kind), DeadbandValue: value,
			})))
			if res[0].StatusCode != ua.StatusOK {
				t.Fatal(res[0].StatusCode)
			}
			writeRamp(l.s, 1, 12)
			if nums, _ := l.collect(); !reflect.DeepEqual(nums, wantNums) {
				t.Errorf("%v %v: %v, want %v", kind, value, nums, wantNums)
			}
			if len(l.offered) != len(wantNums) {
				t.Errorf("%v %v: offered %d", kind, value, len(l.offered))
			}
		})
	}
	f(ua.DeadbandTypeAbsolute, 3, []float64{0, 4, 8})
	f(ua.DeadbandTypePercent, 10, []float64{0, 6}) // 10 % of 50
}

func TestFiltersThatAreRefused(t *testing.T) {
	inLab(t, &Server{Variables: []Variable{{Path: path(0)}, {Path: path(1), Kind: plant.Text}, {Path: path(2), Low: 0, High: 10}}}, func(l *lab) {
		sub := l.subscribe(100*time.Millisecond, nil)
		f := func(v int, filter any, attribute ua.AttributeID, code ua.StatusCode) {
			t.Helper()
			res := l.monitor(sub, itemRequest(path(v), 1, 1, func(r *ua.MonitoredItemCreateRequest) {
				r.RequestedParameters.Filter = ua.NewExtensionObject(filter)
				r.ItemToMonitor.AttributeID = attribute
			}))
			if res[0].StatusCode != code {
				t.Errorf("variable %d, %+v: %v, want %v", v, filter, res[0].StatusCode, code)
			}
		}
		percent := &ua.DataChangeFilter{DeadbandType: uint32(ua.DeadbandTypePercent), DeadbandValue: 10}
		f(0, percent, ua.AttributeIDValue, ua.StatusBadMonitoredItemFilterUnsupported)
		f(2, percent, ua.AttributeIDValue, ua.StatusOK)
		f(2, percent, ua.AttributeIDDisplayName, ua.StatusBadFilterNotAllowed)
		f(1, percent, ua.AttributeIDValue, ua.StatusBadFilterNotAllowed)
		f(2, &ua.DataChangeFilter{DeadbandType: uint32(ua.DeadbandTypePercent), DeadbandValue: 101}, ua.AttributeIDValue, ua.StatusBadDeadbandFilterInvalid)
		f(0, &ua.DataChangeFilter{DeadbandType: uint32(ua.DeadbandTypeAbsolute), DeadbandValue: -1}, ua.AttributeIDValue, ua.StatusBadDeadbandFilterInvalid)
		f(0, &ua.DataChangeFilter{DeadbandType: uint32(ua.DeadbandTypeAbsolute), DeadbandValue: math.NaN()}, ua.AttributeIDValue, ua.StatusBadDeadbandFilterInvalid)
		f(0, &ua.DataChangeFilter{DeadbandType: 9}, ua.AttributeIDValue, ua.StatusBadDeadbandFilterInvalid)
		f(0, &ua.DataChangeFilter{Trigger: 9}, ua.AttributeIDValue, ua.StatusBadMonitoredItemFilterInvalid)
		f(0, &ua.EventFilter{WhereClause: &ua.ContentFilter{}}, ua.AttributeIDValue, ua.StatusBadMonitoredItemFilterUnsupported)
		f(0, nil, ua.AttributeIDExecutable, ua.StatusBadAttributeIDInvalid)
		res := l.monitor(sub, itemRequest("no such", 1, 1, nil))
		if res[0].StatusCode != ua.StatusBadNodeIDUnknown {
			t.Errorf("unknown node: %v", res[0].StatusCode)
		}
	})
}

func TestSampling(t *testing.T) {
	inLab(t, &Server{Variables: vars(1)}, func(l *lab) {
		sub := l.subscribe(time.Second, nil)
		l.s.engine.write([]Value{number(0, 0, -1)})
		res := l.monitor(sub, itemRequest(path(0), 1, 100, func(r *ua.MonitoredItemCreateRequest) {
			r.RequestedParameters.SamplingInterval = 100
		}), itemRequest(path(0), 2, 100, func(r *ua.MonitoredItemCreateRequest) {
			r.RequestedParameters.SamplingInterval = 1 // below the server's limit
		}), itemRequest(path(0), 3, 100, func(r *ua.MonitoredItemCreateRequest) {
			r.RequestedParameters.SamplingInterval = -1
		}))
		if res[0].RevisedSamplingInterval != 100 || res[1].RevisedSamplingInterval != 10 || res[2].RevisedSamplingInterval != 1000 {
			t.Errorf("revised to %v, %v, %v", res[0].RevisedSamplingInterval, res[1].RevisedSamplingInterval, res[2].RevisedSamplingInterval)
		}
		time.Sleep(5 * time.Millisecond)
		for i := range 42 { // every 10 ms, 5 ms beside the sampler's ticks
			l.s.engine.write([]Value{number(0, int64(i), float64(i))})
			time.Sleep(10 * time.Millisecond)
		}
		byHandle := map[uint32][]float64{}
		l.publish()
		for _, c := range changes(l.next(2 * time.Second).NotificationMessage) {
			byHandle[c.ClientHandle] = append(byHandle[c.ClientHandle], c.Value.Value.Value().(float64))
		}
		if got, want := byHandle[1], []float64{-1, 9, 19, 29, 39, 41}; !reflect.DeepEqual(got, want) {
			t.Errorf("sampled at 100 ms: %v, want %v", got, want)
		}
		if got := byHandle[2]; len(got) != 43 {
			t.Errorf("sampled at 10 ms: %d values, want all 43", len(got))
		}
		if got := byHandle[3]; !reflect.DeepEqual(got, []float64{-1, 41}) && !reflect.DeepEqual(got, []float64{-1}) {
			t.Errorf("sampled at the publishing interval: %v", got)
		}
		if len(l.offered) != 43 {
			t.Errorf("%d values offered, want each once: 43", len(l.offered))
		}
	})
}

func TestUnsampledValuesAreNotOffered(t *testing.T) {
	inLab(t, &Server{Variables: vars(1)}, func(l *lab) {
		sub := l.subscribe(time.Second, nil)
		l.monitor(sub, itemRequest(path(0), 1, 100, func(r *ua.MonitoredItemCreateRequest) {
			r.RequestedParameters.SamplingInterval = 500
		}))
		writeRamp(l.s, 0, 10)
		time.Sleep(600 * time.Millisecond)
		synctest.Wait()
		if len(l.offered) != 1 || l.offered[0].Number != 9 || l.offered[0].Seq != 1 {
			t.Errorf("offered %+v", l.offered)
		}
	})
}

func TestInitialValue(t *testing.T) {
	inLab(t, &Server{Variables: vars(2)}, func(l *lab) {
		sub := l.subscribe(100*time.Millisecond, nil)
		l.s.engine.write([]Value{number(1, 5, 42)})
		l.monitor(sub, itemRequest(path(0), 1, 10, nil), itemRequest(path(1), 2, 10, nil))
		if len(l.offered) != 1 || l.offered[0].Var != 1 {
			t.Errorf("offered %+v: waiting for a first value is no value", l.offered)
		}
		l.publish()
		got := changes(l.next(time.Second).NotificationMessage)
		if len(got) != 2 || got[0].Value.Status != ua.StatusCode(plant.BadWaitingForInitialData) || got[0].Value.EncodingMask&ua.DataValueValue != 0 {
			t.Fatalf("%+v", got)
		}
		if got[1].Value.Value.Value() != 42.0 || got[1].Value.SourceTimestamp.UnixNano() != stamp(5) {
			t.Errorf("%+v", got[1].Value)
		}
		l.s.engine.write([]Value{number(0, 6, 0)})
		if nums, _ := l.collect(); !reflect.DeepEqual(nums, []float64{0}) {
			t.Errorf("first value: %v", nums)
		}
	})
}

func TestMonitoringModes(t *testing.T) {
	inLab(t, &Server{Variables: vars(2)}, func(l *lab) {
		sub := l.subscribe(100*time.Millisecond, nil)
		set := func(m ua.MonitoringMode, ids ...uint32) []ua.StatusCode {
			return want[*ua.SetMonitoringModeResponse](l, &ua.SetMonitoringModeRequest{
				SubscriptionID: sub, MonitoringMode: m, MonitoredItemIDs: ids,
			}).Results
		}
		writeRamp(l.s, 0, 1)
		id := l.monitor(sub, itemRequest(path(0), 1, 10, func(r *ua.MonitoredItemCreateRequest) {
			r.MonitoringMode = ua.MonitoringModeDisabled
		}))[0].MonitoredItemID
		writeRamp(l.s, 1, 3)
		if len(l.offered) != 0 || l.s.engine.monitored != 0 {
			t.Errorf("a disabled item was offered %d values, %d monitored", len(l.offered), l.s.engine.monitored)
		}
		set(ua.MonitoringModeSampling, id)
		writeRamp(l.s, 3, 5)
		l.publish()
		if p := l.next(time.Second); len(changes(p.NotificationMessage)) != 0 {
			t.Error("a sampling item reported")
		}
		if len(l.offered) != 3 || l.s.engine.monitored != 0 {
			t.Errorf("offered %d, monitored %d", len(l.offered), l.s.engine.monitored)
		}
		set(ua.MonitoringModeReporting, id)
		if l.s.engine.monitored != 1 {
			t.Errorf("monitored %d", l.s.engine.monitored)
		}
		if nums, _ := l.collect(); !reflect.DeepEqual(nums, []float64{2, 3, 4}) {
			t.Errorf("%v", nums)
		}
		writeRamp(l.s, 5, 7)
		set(ua.MonitoringModeDisabled, id)
		if got := set(ua.MonitoringModeReporting, id, 99999); got[0] != ua.StatusOK || got[1] != ua.StatusBadMonitoredItemIDInvalid {
			t.Errorf("%v", got)
		}
		if nums, _ := l.collect(); !reflect.DeepEqual(nums, []float64{6}) {
			t.Errorf("after disabling the queue is empty and the present value comes first: %v", nums)
		}
		want[*ua.DeleteMonitoredItemsResponse](l, &ua.DeleteMonitoredItemsRequest{SubscriptionID: sub, MonitoredItemIDs: []uint32{id}})
		if e := l.s.engine; e.monitored != 0 || e.items != 0 || e.queued != 0 || len(e.vars[0].items) != 0 {
			t.Errorf("left over: %d monitored, %d items, %d queued", e.monitored, e.items, e.queued)
		}
	})
}

func TestModifyItem(t *testing.T) {
	inLab(t, &Server{Variables: vars(1)}, func(l *lab) {
		sub := l.subscribe(100*time.Millisecond, nil)
		writeRamp(l.s, 0, 1)
		id := l.monitor(sub, itemRequest(path(0), 1, 10, nil))[0].MonitoredItemID
		modify := func(id, handle, queue uint32, sampling float64, f any) *ua.MonitoredItemModifyResult {
			return want[*ua.ModifyMonitoredItemsResponse](l, &ua.ModifyMonitoredItemsRequest{
				SubscriptionID: sub, TimestampsToReturn: ua.TimestampsToReturnSource,
				ItemsToModify: []*ua.MonitoredItemModifyRequest{{MonitoredItemID: id, RequestedParameters: &ua.MonitoringParameters{
					ClientHandle: handle, QueueSize: queue, DiscardOldest: true, SamplingInterval: sampling, Filter: ua.NewExtensionObject(f),
				}}},
			}).Results[0]
		}
		writeRamp(l.s, 1, 6)
		if r := modify(id, 9, 3, 0, nil); r.StatusCode != ua.StatusOK || r.RevisedQueueSize != 3 {
			t.Errorf("%+v", r)
		}
		if nums, codes := l.collect(); !reflect.DeepEqual(nums, []float64{3, 4, 5}) || codes[0]&overflow != overflow {
			t.Errorf("shrunk queue: %v %v", nums, codes)
		}
		if r := modify(id, 9, 30000, 250, nil); r.RevisedQueueSize != 10000 || r.RevisedSamplingInterval != 250 {
			t.Errorf("%+v", r)
		}
		writeRamp(l.s, 6, 9)
		if nums, _ := l.collect(); !reflect.DeepEqual(nums, []float64{8}) {
			t.Errorf("now sampled: %v", nums)
		}
		if r := modify(id, 9, 3, 0, &ua.DataChangeFilter{DeadbandType: 2}); r.StatusCode != ua.StatusBadMonitoredItemFilterUnsupported {
			t.Errorf("%v", r.StatusCode)
		}
		if r := modify(12345, 9, 3, 0, nil); r.StatusCode != ua.StatusBadMonitoredItemIDInvalid {
			t.Errorf("%v", r.StatusCode)
		}
		if n := len(l.s.engine.samplers); n != 1 {
			t.Errorf("%d samplers", n)
		}
	})
}

func TestEveryType(t *testing.T) {
	inLab(t, &Server{Variables: []Variable{
		{Path: "d"}, {Path: "i", Kind: plant.Discrete}, {Path: "b", Kind: plant.Discrete, Type: Boolean}, {Path: "s", Kind: plant.Text},
	}}, func(l *lab) {
		sub := l.subscribe(100*time.Millisecond, nil)
		l.s.engine.write([]Value{
			{Var: 0, Time: stamp(1) + 999_999, Number: 1.5}, {Var: 1, Number: -7.6}, {Var: 2, Number: 1}, {Var: 3, Text: "Walzen Ä"},
		})
		l.monitor(sub, itemRequest("d", 0, 1, nil), itemRequest("i", 1, 1, nil), itemRequest("b", 2, 1, nil), itemRequest("s", 3, 1, nil))
		l.publish()
		got := changes(l.next(time.Second).NotificationMessage)
		for i, want := range []any{1.5, int32(-8), true, "Walzen Ä"} {
			if x := got[i].Value.Value.Value(); x != want {
				t.Errorf("%v, want %v", x, want)
			}
		}
		if ns := got[0].Value.SourceTimestamp.UnixNano(); ns != stamp(1) {
			t.Errorf("source time is not cut to milliseconds: %d", ns)
		}
	})
}

func TestHeartbeat(t *testing.T) {
	inLab(t, &Server{Variables: vars(1)}, func(l *lab) {
		sub := l.subscribe(100*time.Millisecond, nil)
		res := l.monitor(sub, &ua.MonitoredItemCreateRequest{
			ItemToMonitor: valueOf("i=2258"), MonitoringMode: ua.MonitoringModeReporting,
			RequestedParameters: &ua.MonitoringParameters{SamplingInterval: 500, QueueSize: 1, Filter: ua.NewExtensionObject(nil)},
		})
		if res[0].StatusCode != ua.StatusOK || res[0].RevisedSamplingInterval != 500 {
			t.Fatalf("%+v", res[0])
		}
		var last time.Time
		for range 4 {
			l.publish()
			at := changes(l.next(time.Second).NotificationMessage)[0].Value.Value.Value().(time.Time)
			if d := at.Sub(last); !last.IsZero() && d != 500*time.Millisecond {
				t.Errorf("%v since the last", d)
			}
			last = at
		}
		if l.s.engine.monitored != 0 {
			t.Error("CurrentTime counts as a variable")
		}
	})
}
