package hmi

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"millwright/plant"
)

// live gives every measured tag a value that is as old as age.
func (s *site) live(age time.Duration) {
	var b plant.Batch
	for _, t := range s.Tags() {
		if !t.Derived && t.Kind != plant.Text {
			b.Samples = append(b.Samples, plant.Sample{Tag: t.ID, Time: time.Now().Add(-age).UnixNano(), Value: 1})
		}
		if !t.Derived && t.Kind == plant.Text {
			b.States = append(b.States, plant.State{Tag: t.ID, Time: epoch, Value: "x"})
		}
	}
	s.Hub.Values(b)
}

type seenAsset struct {
	Path      string
	State     string
	StaleTags int `json:"stale_tags"`
}

// list asks for the assets and returns them by path and in order.
func (s *site) list(path string) (map[string]seenAsset, []string) {
	s.t.Helper()
	a := s.get(path)
	var body struct{ Assets []seenAsset }
	if err := json.Unmarshal([]byte(a.body), &body); err != nil || a.status != 200 {
		s.t.Fatalf("%d %s: %v", a.status, a.body, err)
	}
	by, order := map[string]seenAsset{}, []string{}
	for _, b := range body.Assets {
		by[b.Path] = b
		order = append(order, b.Path)
	}
	return by, order
}

func TestAssets(t *testing.T) {
	s := run(t, nil)
	s.live(5 * time.Second)
	at := time.Now().UnixNano()
	s.Hub.Values(plant.Batch{
		Samples: []plant.Sample{{Tag: s.id(gearbox + "/$HEALTH"), Time: at, Value: 0.97}, {Tag: s.id(gearbox + "/$SCORE"), Time: at, Value: 0.25}},
		States: []plant.State{{Tag: s.id(gearbox + "/$MODE"), Time: at, Value: "rolling"},
			{Tag: s.id(gearbox + "/$MODEL"), Time: at, Value: `{"phase":"monitoring","mode":"rolling","learned":1,"limit":0.5,"guess":true,"bands":{"a":[1,2]}}`}},
	})
	s.works.enter(alarmAt(17, plant.Acked, plant.Advisory, 2))
	s.works.enter(alarmAt(18, plant.RtnUnacked, plant.LimitAlarm, 1))
	s.works.enter(alarmAt(19, plant.Cleared, plant.LimitAlarm, 1))
	a := s.get("assets?asset=" + gearbox)
	cut := strings.Index(a.body, `"age_ms":`)
	if cut < 0 {
		t.Fatal(a.body)
	}
	age, rest, _ := strings.Cut(a.body[cut+len(`"age_ms":`):], ",")
	if len(age) != 4 || age[0] != '5' {
		t.Errorf("age %s ms, want about 5000", age)
	}
	a.body = a.body[:cut] + rest
	s.is(a, `{"assets":[{"path":"HSM/FM/F3/GBX","name":"F3 gearbox","class":"gearbox","criticality":"A","health":0.97,"state":"warning","mode":"rolling","alarms":2,
		"score":0.25,"unacked":1,"tags":3,"stale_tags":0,"model":{"phase":"monitoring","mode":"rolling","learned":1,"limit":0.5,"guess":true},
		"worst":{"id":17,"class":"advisory","state":"acked","priority":2,"title":"Unusual behaviour: HSM/FM/F3/GBX/VIB_H","kind":"machine.anomaly","tag":null,"text":null,"raised":"2026-11-22T00:05:17.000Z"}}],"next":null}`)
}

func TestAssetNeverHeard(t *testing.T) {
	s := run(t, nil)
	s.is(s.get("assets?asset=BOF"), `{"assets":[{"path":"BOF/FAN","name":"BOF fan","class":"fan","criticality":"","health":null,"state":"stale","mode":null,"alarms":0,"age_ms":null,
		"score":null,"unacked":0,"tags":1,"stale_tags":1,"model":null,"worst":null}],"next":null}`)
	s.is(s.get("assets?asset=NO"), `{"assets":[],"next":null}`)
}

func TestAssetStates(t *testing.T) {
	learning := []plant.State{{Time: epoch, Value: `{"phase":"learning"}`}}
	for _, c := range []struct {
		name   string
		model  []plant.State
		alarms []plant.Alarm
		stale  []string
		want   string
	}{
		{name: "nothing wrong", want: "normal"},
		{name: "learning", model: learning, want: "learning"},
		{name: "model that is no model", model: []plant.State{{Time: epoch, Value: `{{`}}, want: "normal"},
		{name: "sensor", model: learning, alarms: []plant.Alarm{alarmAt(1, plant.Unacked, plant.SensorFault, 1)}, want: "sensor"},
		{name: "advisory", alarms: []plant.Alarm{alarmAt(1, plant.Unacked, plant.SensorFault, 1), alarmAt(2, plant.Acked, plant.Advisory, 4)}, want: "warning"},
		{name: "system", alarms: []plant.Alarm{alarmAt(2, plant.Acked, plant.SystemFault, 4)}, want: "warning"},
		{name: "plc", alarms: []plant.Alarm{alarmAt(1, plant.Unacked, plant.Advisory, 1), alarmAt(2, plant.Acked, plant.PLCAlarm, 4)}, want: "alarm"},
		{name: "limit", alarms: []plant.Alarm{alarmAt(1, plant.Unacked, plant.Advisory, 1), alarmAt(2, plant.Acked, plant.LimitAlarm, 4)}, want: "alarm"},
		{name: "returned", alarms: []plant.Alarm{alarmAt(2, plant.RtnUnacked, plant.LimitAlarm, 1)}, want: "normal"},
		{name: "cleared", alarms: []plant.Alarm{alarmAt(2, plant.Cleared, plant.LimitAlarm, 1)}, want: "normal"},
		{name: "one tag stale", stale: []string{vibration}, want: "normal"},
		{name: "all stale", stale: []string{vibration, temperature, gearbox + "/COIL"}, alarms: []plant.Alarm{alarmAt(2, plant.Unacked, plant.LimitAlarm, 1)}, want: "stale"},
	} {
		s := run(t, nil)
		s.live(0)
		for _, m := range c.model {
			m.Tag = s.id(gearbox + "/$MODEL")
			s.Hub.Values(plant.Batch{States: []plant.State{m}})
		}
		for _, a := range c.alarms {
			s.works.enter(a)
		}
		var ids []plant.TagID
		for _, path := range c.stale {
			ids = append(ids, s.id(path))
		}
		s.Hub.Stale(ids, 0)
		by, _ := s.list("assets")
		if got := by[gearbox]; got.State != c.want || got.StaleTags != len(c.stale) {
			t.Errorf("%s: state %s, %d stale tags; want %s, %d", c.name, got.State, got.StaleTags, c.want, len(c.stale))
		}
	}
}

// TestRank adds one thing after another and holds the order.
func TestRank(t *testing.T) {
	s := run(t, nil)
	s.live(0)
	fan, pump := "BOF/FAN", "HSM/DSC/PUMP"
	at := func(asset string, a plant.Alarm) plant.Alarm { a.Finding.Asset = asset; return a }
	steps := []struct {
		name string
		do   func()
		want []string
	}{
		{"by path", func() {}, []string{fan, pump, gearbox}},
		{"by health", func() {
			s.Hub.Values(plant.Batch{Samples: []plant.Sample{{Tag: s.id(gearbox + "/$HEALTH"), Time: epoch, Value: 0.5}}})
		}, []string{gearbox, fan, pump}},
		{"by state", func() { s.works.enter(at(pump, alarmAt(1, plant.Unacked, plant.Advisory, 3))) }, []string{pump, gearbox, fan}},
		{"by priority", func() { s.works.enter(at(fan, alarmAt(2, plant.Unacked, plant.Advisory, 2))) }, []string{fan, pump, gearbox}},
		{"alarm before advisory", func() { s.works.enter(at(pump, alarmAt(3, plant.Unacked, plant.LimitAlarm, 4))) }, []string{pump, fan, gearbox}},
		{"stale first", func() {
			s.Hub.Stale([]plant.TagID{s.id(vibration), s.id(temperature), s.id(gearbox + "/COIL")}, 0)
		}, []string{gearbox, pump, fan}},
		{"live again", func() { s.live(0) }, []string{pump, fan, gearbox}},
	}
	for _, step := range steps {
		step.do()
		if _, order := s.list("assets"); !slices.Equal(order, step.want) {
			t.Errorf("%s: %v, want %v", step.name, order, step.want)
		}
	}
}

func TestMoreUrgent(t *testing.T) {
	want := []plant.Alarm{
		alarmAt(1, plant.Unacked, plant.SensorFault, 1),
		alarmAt(2, plant.Acked, plant.LimitAlarm, 1),
		alarmAt(3, plant.Unacked, plant.LimitAlarm, 2),
		alarmAt(5, plant.Unacked, plant.Advisory, 2), // newer than the next
		alarmAt(4, plant.Unacked, plant.Advisory, 2),
		alarmAt(6, plant.RtnUnacked, plant.LimitAlarm, 1),
	}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, moreUrgent)
	for i := range want {
		if got[i].ID != want[i].ID {
			t.Errorf("place %d: alarm %d, want %d", i, got[i].ID, want[i].ID)
		}
	}
}
