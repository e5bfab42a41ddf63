package hmi

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"millwright/plant"
)

func TestHealth(t *testing.T) {
	s := run(t, nil)
	s.is(s.get("health"), `{"status":"ok","version":"1.2.3","roles":[{"name":"edge","state":"running","reason":null}]}`)
	s = run(t, func(s *Server) { s.Roles = func() []Role { return []Role{{"edge", "failed", "disk full"}} } })
	s.is(s.get("health"), `{"status":"degraded","version":"1.2.3","roles":[{"name":"edge","state":"failed","reason":"disk full"}]}`)
	s.is(s.get("me"), `{"name":"demo","role":"admin","login":false,"can":["read","ack","label","roster","models","orders"]}`)
}

func TestTags(t *testing.T) {
	s := run(t, nil)
	s.works.samples[s.id(temperature)] = []plant.Sample{{Tag: s.id(temperature), Time: epoch, Value: 61.5}}
	s.Hub.Values(plant.Batch{
		Samples: []plant.Sample{{Tag: s.id(vibration), Time: epoch + 120e6, Value: 0.30000000000000004, Quality: plant.Good.WithOverflow()}},
		States:  []plant.State{{Tag: s.id(gearbox + "/COIL"), Time: epoch, Value: `C"1`}},
	})
	s.is(s.get("tags?asset=HSM/FM&q=vib"), `{"tags":[{"path":"HSM/FM/F3/GBX/VIB_H","asset":"HSM/FM/F3/GBX","unit":"mm/s","low":0,"high":20,
		"description":"Gearbox vibration, horizontal","kind":"analog","derived":false,"resolution":0.01,
		"last":{"t":"2026-11-22T00:05:00.120Z","v":0.30000000000000004,"q":"Good"}}],"next":null}`)
	// What only the store knows is not live.
	s.is(s.get("tags?q=OIL%20TEMP"), `{"tags":[{"path":"HSM/FM/F3/GBX/TEMP","asset":"HSM/FM/F3/GBX","unit":"°C","low":null,"high":null,
		"description":"Oil temperature","kind":"analog","derived":false,"resolution":null,
		"last":{"t":"2026-11-22T00:05:00.000Z","v":61.5,"q":"UncertainNoCommunicationLastUsableValue"}}],"next":null}`)
	s.is(s.get("tags?q=COIL"), `{"tags":[{"path":"HSM/FM/F3/GBX/COIL","asset":"HSM/FM/F3/GBX","unit":"","low":null,"high":null,"description":"",
		"kind":"text","derived":false,"resolution":null,"last":{"t":"2026-11-22T00:05:00.000Z","v":null,"q":"Good","text":"C\"1"}}],"next":null}`)
	s.is(s.get("tags?asset=HSM/DSC/PUMP"), `{"tags":[{"path":"HSM/DSC/PUMP/FLOW","asset":"HSM/DSC/PUMP","unit":"m³/h","low":null,"high":null,
		"description":"","kind":"analog","derived":false,"resolution":null,"last":null}],"next":null}`)
	s.is(s.get("tags?asset=HSM/F"), `{"tags":[],"next":null}`)
	// A stale mark shows at once.
	s.Hub.Stale([]plant.TagID{s.id(vibration)}, 0)
	if a := s.get("tags?q=VIB"); !strings.Contains(a.body, `"v":0.30000000000000004,"q":"UncertainNoCommunicationLastUsableValue"`) {
		t.Error(a.body)
	}
}

func TestSamples(t *testing.T) {
	s := run(t, nil)
	id := s.id(vibration)
	for i, v := range []float64{1.8, math.NaN(), math.Inf(-1), math.SmallestNonzeroFloat64, math.MaxFloat64, 1e21, 123456789012345680, -0.5} {
		s.works.samples[id] = append(s.works.samples[id], plant.Sample{Tag: id, Time: epoch + int64(i)*second, Value: v, Quality: []plant.Quality{plant.Good, plant.BadSensorFailure}[i%2]})
	}
	span := "&from=2026-11-22T00:05:00Z&to=2026-11-22T05:05:03.000%2B05:00"
	s.is(s.get("samples?tag="+vibration+span), `{"tag":"HSM/FM/F3/GBX/VIB_H","unit":"mm/s","samples":[
		{"t":"2026-11-22T00:05:00.000Z","v":1.8,"q":"Good"},{"t":"2026-11-22T00:05:01.000Z","v":null,"q":"BadSensorFailure"},
		{"t":"2026-11-22T00:05:02.000Z","v":null,"q":"Good"}],"next":null}`)
	s.is(s.get("samples?tag="+vibration+"&from=2026-11-22T00:05:03Z&to=2026-11-22T01:00:00Z&limit=10000"), `{"tag":"HSM/FM/F3/GBX/VIB_H","unit":"mm/s","samples":[
		{"t":"2026-11-22T00:05:03.000Z","v":5e-324,"q":"BadSensorFailure"},{"t":"2026-11-22T00:05:04.000Z","v":1.7976931348623157e+308,"q":"Good"},
		{"t":"2026-11-22T00:05:05.000Z","v":1e+21,"q":"BadSensorFailure"},{"t":"2026-11-22T00:05:06.000Z","v":123456789012345680,"q":"Good"},
		{"t":"2026-11-22T00:05:07.000Z","v":-0.5,"q":"BadSensorFailure"}],"next":null}`)
	s.is(s.get("samples?tag="+vibration+"&from=2026-11-22T00:05:00Z&to=2026-11-22T00:05:00Z"), `{"tag":"HSM/FM/F3/GBX/VIB_H","unit":"mm/s","samples":[],"next":null}`)
	s.is(s.get("samples?tag="+vibration+"&from=2020-11-22T00:05:00Z&to=2021-11-22T00:05:00Z"), `{"tag":"HSM/FM/F3/GBX/VIB_H","unit":"mm/s","samples":[],"next":null}`)
}

func TestWaveforms(t *testing.T) {
	s := run(t, nil)
	id := s.id(vibration)
	s.works.waveforms[id] = []plant.Waveform{{Tag: id, Time: epoch, Rate: 25_600, Values: []float32{3, -4, float32(math.Inf(1)), 0.1, 1e-30}},
		{Tag: id, Time: epoch + second, Quality: plant.BadSensorFailure}, {Tag: id, Time: epoch + 2*second, Rate: 8, Values: []float32{1}}}
	list := "waveforms?tag=" + vibration + "&from=2026-11-22T00:05:00Z&to=2026-11-22T00:06:00Z"
	a := s.get(list + "&limit=2")
	_, next, _ := strings.Cut(a.body, `"next":"`)
	next = strings.TrimRight(next, "\"}\n")
	s.is(a, `{"tag":"HSM/FM/F3/GBX/VIB_H","unit":"mm/s","waveforms":[
		{"t":"2026-11-22T00:05:00.000Z","rate":25600,"n":5,"rms":2.5004999500248957,"peak":4,"q":"Good"},
		{"t":"2026-11-22T00:05:01.000Z","rate":0,"n":0,"rms":null,"peak":null,"q":"BadSensorFailure"}],"next":"`+next+`"}`)
	s.is(s.get(list+"&after="+next), `{"tag":"HSM/FM/F3/GBX/VIB_H","unit":"mm/s","waveforms":[
		{"t":"2026-11-22T00:05:02.000Z","rate":8,"n":1,"rms":1,"peak":1,"q":"Good"}],"next":null}`)
	s.is(s.get("waveforms/"+vibration+"?t=2026-11-22T00:05:00Z"), `{"tag":"HSM/FM/F3/GBX/VIB_H","unit":"mm/s","t":"2026-11-22T00:05:00.000Z","rate":25600,"q":"Good",
		"values":[3,-4,null,0.1,1e-30]}`)
	s.is(s.get("waveforms/"+vibration), `{"tag":"HSM/FM/F3/GBX/VIB_H","unit":"mm/s","t":"2026-11-22T00:05:02.000Z","rate":8,"q":"Good","values":[1]}`)
	for path, status := range map[string]int{"waveforms/" + temperature: 404, "waveforms/" + vibration + "?t=": 400, "waveforms/NO?t=2026-11-22T00:05:00Z": 404, "waveforms/" + vibration + "?t=2026-11-22T00:05:09Z": 404, list + "&limit=1001": 400} {
		if a := s.get(path); a.status != status {
			t.Errorf("%s: %d, want %d", path, a.status, status)
		}
	}
}

func TestTrend(t *testing.T) {
	s := run(t, nil)
	id := s.id(vibration)
	s.works.samples[id] = []plant.Sample{{Tag: id, Time: epoch, Value: 1}, {Tag: id, Time: epoch + second/2, Value: 2}}
	s.is(s.get("trend?tag="+vibration+"&from=2026-11-22T00:05:00Z&to=2026-11-22T00:05:02Z&buckets=2"), `{"tag":"HSM/FM/F3/GBX/VIB_H","unit":"mm/s","buckets":[
		{"t":"2026-11-22T00:05:00.000Z","min":1,"max":2,"mean":1,"count":2,"good":1},
		{"t":"2026-11-22T00:05:01.000Z","min":null,"max":null,"mean":null,"count":0,"good":0}]}`)
	s.is(s.get("trend?tag="+vibration+"&from=2026-11-22T00:05:00Z&to=2026-11-22T00:05:00Z"), `{"tag":"HSM/FM/F3/GBX/VIB_H","unit":"mm/s","buckets":[]}`)
}

func TestStates(t *testing.T) {
	s := run(t, nil)
	mode := gearbox + "/$MODE"
	id := s.id(mode)
	s.works.states[id] = []plant.State{{Tag: id, Time: epoch - 3*3600*second, Value: "idle"}, {Tag: id, Time: epoch, Value: "threading"}, {Tag: id, Time: epoch + second, Value: "rolling"}}
	span := "&from=2026-11-22T00:05:00Z&to=2026-11-22T00:06:00Z"
	s.is(s.get("states?tag="+mode+span), `{"tag":"HSM/FM/F3/GBX/$MODE","before":{"t":"2026-11-21T21:05:00.000Z","v":"idle","q":"Good"},"states":[
		{"t":"2026-11-22T00:05:00.000Z","v":"threading","q":"Good"},{"t":"2026-11-22T00:05:01.000Z","v":"rolling","q":"Good"}],"next":null}`)
	s.is(s.get("states?tag="+vibration+span), `{"tag":"HSM/FM/F3/GBX/VIB_H","before":null,"states":[],"next":null}`)
}

func TestGaps(t *testing.T) {
	s := run(t, nil)
	for i, path := range []string{vibration, temperature} {
		id := s.id(path)
		s.works.gaps[id] = []plant.Gap{{Tag: id, From: epoch + int64(i)*second, To: epoch + 5*second, Reason: plant.GapServerDown}}
	}
	span := "from=2026-11-22T00:05:02Z&to=2026-11-22T00:06:00Z"
	one := `{"tag":"HSM/FM/F3/GBX/VIB_H","from":"2026-11-22T00:05:00.000Z","to":"2026-11-22T00:05:05.000Z","reason":"server-down"}`
	two := `{"tag":"HSM/FM/F3/GBX/TEMP","from":"2026-11-22T00:05:01.000Z","to":"2026-11-22T00:05:05.000Z","reason":"server-down"}`
	s.is(s.get("gaps?"+span), `{"gaps":[`+one+`,`+two+`],"next":null}`)
	s.is(s.get("gaps?tag="+temperature+"&"+span), `{"gaps":[`+two+`],"next":null}`)
	s.is(s.get("gaps?from=2026-11-22T00:05:05Z&to=2026-11-22T00:06:00Z"), `{"gaps":[],"next":null}`)
}

func TestAlarms(t *testing.T) {
	s := run(t, func(s *Server) {
		s.Causes = func(a *plant.Asset, _ plant.Finding) []plant.Cause {
			if a.Class == "fan" {
				return []plant.Cause{}
			}
			c := plant.Cause{Mode: "bearing", Name: "Bearing " + a.Class, Score: 0.5, Present: []string{"VIB_H up"}, Absent: []string{}}
			return []plant.Cause{c, c, c, c}
		}
	})
	s.works.assets[0].Limits = []plant.Limit{{Tag: "BOF/FAN/SPEED", Kind: plant.LimitHighHigh, Basis: "another"},
		{Tag: "BOF/FAN/SPEED", Kind: plant.LimitHigh, Basis: "maker's sheet 4", Origin: plant.Origin{Source: plant.SourceMaker, Author: "A. Khan", Date: "2026-03-31"}}}
	s.is(s.get("alarms"), `{"alarms":[],"next":null,"seq":0}`)
	s.works.enter(alarmAt(17, plant.Unacked, plant.Advisory, 2))
	limit := plant.Alarm{ID: 18, State: plant.Cleared, Edge: "demo", Raised: epoch, Returned: epoch + second, Acked: epoch + 2*second, AckedBy: "anna", Note: "ok", Count: 3,
		Finding: plant.Finding{Asset: "BOF/FAN", Key: "limit/x", Kind: plant.KindHigh, Class: plant.LimitAlarm, Phase: plant.Clear, Detector: "limit",
			Tag: "BOF/FAN/SPEED", Time: epoch, Value: 1480.5, Limit: 1450, Score: 1, Unit: "1/min", Priority: 1}}
	s.works.enter(limit)
	seventeen := `{"id":17,"asset":"HSM/FM/F3/GBX","class":"advisory","state":"unacked","priority":2,"title":"Unusual behaviour: HSM/FM/F3/GBX/VIB_H",
		"raised":"2026-11-22T00:05:17.000Z","returned":null,"acked":null,"acked_by":null,"count":1,"seq":1,"edge":"demo","note":null,
		"finding":{"detector":"wpca","score":5.2,"limit":3,"contributions":[{"tag":"HSM/FM/F3/GBX/VIB_H","share":0.61,"value":4.1,"expected":1.8,"direction":"high","unit":"mm/s"}],
		"key":"wpca","kind":"machine.anomaly","phase":"raise","tag":null,"mode":"rolling","time":"2026-11-22T00:05:17.000Z","value":null,"unit":null,"extrapolated":false,"text":null,"condition":null,"loss":null},"label":null}`
	eighteen := `{"id":18,"asset":"BOF/FAN","class":"alarm","state":"cleared","priority":1,"title":"High: BOF/FAN/SPEED",
		"raised":"2026-11-22T00:05:00.000Z","returned":"2026-11-22T00:05:01.000Z","acked":"2026-11-22T00:05:02.000Z","acked_by":"anna","count":3,"seq":2,"edge":"demo","note":"ok",
		"finding":{"detector":"limit","score":1,"limit":1450,"contributions":[],
		"key":"limit/x","kind":"limit.high","phase":"clear","tag":"BOF/FAN/SPEED","mode":null,"time":"2026-11-22T00:05:00.000Z","value":1480.5,"unit":"1/min","extrapolated":false,"text":null,"condition":null,"loss":null},"label":null}`
	s.is(s.get("alarms"), `{"alarms":[`+eighteen+`,`+seventeen+`],"next":null,"seq":2}`)
	s.is(s.get("alarms?state=unacked"), `{"alarms":[`+seventeen+`],"next":null,"seq":2}`)
	s.is(s.get("alarms?asset=HSM"), `{"alarms":[`+seventeen+`],"next":null,"seq":2}`)
	s.is(s.get("alarms?since=2026-11-22T00:05:17Z"), `{"alarms":[`+seventeen+`],"next":null,"seq":2}`)
	detail := func(alarm, causes, basis string) string {
		return strings.TrimSuffix(alarm, "}") + `,"causes":` + causes + `,"basis":` + basis + `}`
	}
	bearing := `{"mode":"bearing","name":"Bearing gearbox","score":0.5,"present":["VIB_H up"],"absent":[]}`
	s.is(s.get("alarms/17"), detail(seventeen, `[`+bearing+`,`+bearing+`,`+bearing+`]`, `null`))
	s.is(s.get("alarms/18"), detail(eighteen, `[]`, `"maker's sheet 4, maker, A. Khan, 2026-03-31"`))

	acked := strings.NewReplacer(`"state":"unacked"`, `"state":"acked"`, `"acked":null`, `"acked":"2026-11-22T00:05:00.000Z"`,
		`"acked_by":null`, `"acked_by":"demo"`, `"note":null`, `"note":"seen"`, `"seq":1`, `"seq":3`).Replace(seventeen)
	ack := func(id, body string, h ...string) answer {
		return s.ask("POST", "/api/v1/alarms/"+id+"/ack", body, append([]string{"Content-Type", "application/json; charset=utf-8"}, h...)...)
	}
	s.is(ack("17", `{"note":"seen","if_state":"unacked"}`), acked)
	s.refused(ack("17", `{"if_state":"unacked"}`), 409, "alarm 17 has changed")
	s.refused(ack("99", `{}`), 404, "id: there is no alarm 99")
	s.refused(ack("x", `{}`), 400, `id: "x" is not`)
	s.refused(ack("17", `{"if_state":"foo"}`), 400, `if_state: "foo" is not a state; unacked, acked`)
	s.refused(ack("17", `{"note":"`+strings.Repeat("я", 1001)+`"}`), 400, "note: 1001 characters; at most 1000")
	s.refused(ack("17", `{"who":"me"}`), 400, `body: unknown field "who"`)
	s.refused(ack("17", `{"note":7}`), 400, "body: cannot unmarshal")
	s.refused(ack("17", `[]`), 400, "body: ")
	s.refused(ack("17", `{} {}`), 400, "body: more than one value")
	s.refused(ack("17", `{"note":"`+strings.Repeat("x", maxBody)+`"}`), 413, "the body is larger")
	s.refused(ack("17", `{}`, "Content-Type", "text/plain"), 415, "Content-Type")
	s.refused(ack("17", `{}`, "Sec-Fetch-Site", "cross-site"), 403, "the request comes from another site")
	s.refused(ack("17", `{}`, "Origin", "http://evil.example"), 403, "the request comes from another site")
	if a := ack("17", ""); a.status != 200 {
		t.Errorf("an empty body is the default: %d %s", a.status, a.body)
	}
	if a := ack("17", `{}`, "Origin", s.url); a.status != 200 {
		t.Errorf("own origin: %d %s", a.status, a.body)
	}
	s.refused(s.get("alarms/99"), 404, "id: there is no alarm 99")
	s.refused(s.get("alarms/0"), 400, `id: "0"`)
}

// TestLargeChunkedBody has no Content-Length to go by.
func TestLargeChunkedBody(t *testing.T) {
	s := run(t, nil)
	r, err := http.NewRequest("POST", s.url+"/api/v1/alarms/1/ack", struct{ *strings.Reader }{strings.NewReader(strings.Repeat(" ", maxBody+1))})
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = -1
	r.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 413 {
		t.Errorf("status %d", res.StatusCode)
	}
}

func TestEdges(t *testing.T) {
	s := run(t, nil)
	s.is(s.get("edges"), `{"edges":[]}`)
	s.works.edges = []plant.EdgeStatus{{Name: "demo", State: "live", Since: epoch, Sent: 120, Acked: 119, ClockMS: 3, Version: "0.1.0", QueueBytes: 5, Oldest: epoch, Declared: 1, Unread: 2, UnreadDropped: 1,
		PLCs:   []plant.PLCStatus{{Name: "mill", URL: "opc.tcp://127.0.0.1:4840", State: plant.Live, Since: epoch, Tags: 60, ValuesS: 120.5, Received: 9}},
		Models: []plant.ModelStatus{{Asset: gearbox, Running: "GBX-1", Refused: "GBX-2: not signed", Since: epoch}}}, {Name: "away", State: "down"}}
	s.is(s.get("edges"), `{"edges":[{"name":"demo","state":"live","since":"2026-11-22T00:05:00.000Z","queue_bytes":5,"oldest":"2026-11-22T00:05:00.000Z","sent":120,"acked":119,"declared":1,
		"clock_offset_ms":3,"unread":2,"unread_dropped":1,"version":"0.1.0","plcs":[{"name":"mill","url":"opc.tcp://127.0.0.1:4840","state":"Live","reason":null,"since":"2026-11-22T00:05:00.000Z","tags":60,
		"values_s":120.5,"rejected":[],"overflows":0,"received":9,
		"link":{"connects":0,"last_error":null,"last_error_at":null,"rtt_ms":0,"publishing_ms":0,"keep_alive_ms":0,"no_pulse":null,"in_flight":0,"window":0,"sequence_gaps":0,"republished":0,"holes":0,"backfilled":0},
		"stale":0,"stale_tags":[],"quarantine":[],"quarantined":0,"revised":[],"revised_count":0,"overflowing":[],"deadbands":{"server":0,"edge":0,"none":0,"thinned":0},"conditions":0,"servers":[],
		"certificates":[],"clock":null,"exception":null,"exception_over":false}],
		"models":[{"asset":"HSM/FM/F3/GBX","running":"GBX-1","shadow":null,"fallback":null,"refused":"GBX-2: not signed","since":"2026-11-22T00:05:00.000Z"}],"orders":false,
		"box":{"edge":"demo","group":"works","box":"b","since":"2026-11-22T00:05:00.000Z","number":3,"saved":"2026-11-22T00:05:00.000Z","size":100,"old":false,
		"ready":["spare1"],"retired":[{"box":"old","at":"2026-11-22T00:05:00.000Z","by":"b"}]},"broker":null,"ledger":null,"queue":null},
		{"name":"away","state":"down","since":null,"queue_bytes":0,"oldest":null,"sent":0,"acked":0,"declared":0,"clock_offset_ms":0,"unread":0,"unread_dropped":0,"version":"","plcs":[],"models":[],"orders":false,
		"box":null,"broker":null,"ledger":null,"queue":null}]}`)
}

// fullPLC has something of everything that a connection may tell.
func fullPLC() plant.PLCStatus {
	return plant.PLCStatus{Name: "mill", URL: "opc.tcp://127.0.0.1:4840", State: plant.Backfilling, Reason: "history", Since: epoch, Tags: 60, ValuesS: 120.5,
		Rejected: []string{"x: BadNodeIdUnknown"}, Overflows: 3, Received: 9, Holes: 2, Backfilled: 100, RTTMS: 1.5, InFlight: 2, Window: 3, SequenceGaps: 1, Republished: 1,
		Connects: 4, LastError: "no answer", LastErrorAt: epoch, Stale: 1, StaleTags: []string{"HSM/T"},
		Quarantined: []plant.QuarantinedTag{{Tag: "HSM/P", Since: epoch, Was: "Double, bar, 0 to 16", Is: "Double, psi, 0 to 232", What: []string{"unit", "range"}}},
		Revised:     []plant.RevisedTag{{Tag: "HSM/T", SamplingMS: 100, GrantedSamplingMS: 250, Queue: 50, GrantedQueue: 10, Deadband: plant.DeadbandEdge}}, RevisedCount: 1,
		Overflowing: []plant.TagCount{{Tag: "HSM/T", Count: 3}}, Deadbands: plant.Deadbands{Server: 1, Edge: 1, Thinned: 40}, Conditions: 2,
		Servers:      []plant.ServerStatus{{URL: "opc.tcp://a:4840", ServiceLevel: 255, State: "active", Active: true}, {URL: "opc.tcp://b:4840", ServiceLevel: -1, State: "down", Reason: "refused"}},
		Certificates: []plant.CertificateStatus{{Who: "server", Subject: "CN=PLC", Fingerprint: "ab", NotAfter: epoch, Days: 5, State: plant.CertificateRejected, Reason: "nobody has trusted it"}},
		Clock:        "unknown: 1970", Exception: "no security", ExceptionOver: true, QuarantinedMore: 4}
}

func TestBadParameters(t *testing.T) {
	s := run(t, nil)
	ok := "&from=2026-11-22T00:05:00Z&to=2026-11-22T00:06:00Z"
	for _, c := range []struct {
		path   string
		status int
		detail string
	}{
		{"samples?tag=x/y" + ok, 404, `tag: "x/y" is unknown`},
		{"trend?tag=x/y" + ok, 404, `tag: "x/y" is unknown`},
		{"states?tag=x/y" + ok, 404, `tag: "x/y" is unknown`},
		{"gaps?tag=x/y" + ok, 404, `tag: "x/y" is unknown`},
		{"samples?from=2026-11-22T00:05:00Z&to=2026-11-22T00:06:00Z", 400, "tag: missing; the path of a tag"},
		{"samples?tag=" + vibration + "&to=2026-11-22T00:06:00Z", 400, "from: missing; a time as"},
		{"samples?tag=" + vibration + "&from=2026-11-22T00:06:00Z", 400, "to: missing; a time as"},
		{"trend?tag=" + vibration, 400, "from: missing"},
		{"gaps", 400, "from: missing"},
		{"samples?tag=" + vibration + "&from=yesterday&to=2026-11-22T00:06:00Z", 400, `from: "yesterday" is not a time`},
		{"samples?tag=" + vibration + "&from=2026-11-22T00:06:00Z&to=2026-11-22T00:05:00Z", 400, "from: later than to"},
		{"samples?tag=" + vibration + "&from=0001-01-01T00:00:00Z&to=2026-11-22T00:05:00Z", 400, "from: out of range"},
		{"samples?tag=" + vibration + "&from=2026-11-22T00:05:00Z&to=9999-01-01T00:00:00Z", 400, "to: out of range"},
		{"samples?tag=" + vibration + ok + "&limit=0", 400, `limit: "0" is not allowed; a whole number from 1 to 10000`},
		{"samples?tag=" + vibration + ok + "&limit=10001", 400, `limit: "10001" is not allowed`},
		{"samples?tag=" + vibration + ok + "&limit=x", 400, `limit: "x" is not allowed`},
		{"samples?tag=" + vibration + ok + "&limit=", 400, "limit: empty"},
		{"samples?tag=" + vibration + ok + "&after=???", 400, "after: not a cursor"},
		{"samples?tag=" + vibration + ok + "&after=" + *cursor('g', "1"), 400, "after: not a cursor"},
		{"samples?tag=" + vibration + ok + "&after=" + *cursor('s', "x"), 400, "after: not a cursor"},
		{"states?tag=" + vibration + ok + "&after=" + *cursor('x', "x"), 400, "after: not a cursor"},
		{"gaps?" + ok[1:] + "&after=" + *cursor('g', "x"), 400, "after: not a cursor"},
		{"assets?after=" + *cursor('r', "x"), 400, "after: not a cursor"},
		{"alarms?after=zzz", 400, "after: not a cursor"},
		{"alarms?after=" + *cursor('a', "x"), 400, "after: not a cursor"},
		{"tags?after=zzz", 400, "after: not a cursor"},
		{"trend?tag=" + vibration + ok + "&buckets=0", 400, `buckets: "0" is not allowed; a whole number from 1 to 10000`},
		{"trend?tag=" + vibration + ok + "&buckets=10001", 400, "buckets:"},
		{"alarms?state=open", 400, `state: "open" is not a state; unacked, acked, rtn_unacked or cleared`},
		{"alarms?since=x", 400, `since: "x" is not a time`},
		{"alarms?since=", 400, "since: empty"},
		{"assets?limit=-1", 400, "limit:"},
		{"tags?colour=red", 400, "colour: unknown parameter; allowed are asset, q, limit, after"},
		{"edges?x=1", 400, "x: unknown parameter; none is allowed here"},
		{"health?x=1", 400, "x: unknown parameter"},
		{"me?x=1", 400, "x: unknown parameter"},
		{"openapi.json?x=1", 400, "x: unknown parameter"},
		{"alarms/1?x=1", 400, "x: unknown parameter"},
		{"live?x=1", 400, "x: unknown parameter"},
		{"events?x=1", 400, "x: unknown parameter"},
		{"events?after=x", 400, `after: "x" is not a journal number`},
		{"tags?q=a&q=b", 400, "q: given more than once"},
		{"tags?q=%zz", 400, "query: "},
		{"tags?q=a;b", 400, "query: "},
		{"live", 426, "this is a WebSocket"},
		{"nothing", 404, "there is no such route"},
		{"", 404, "there is no such route"},
		{"alarms/1/shelve", 404, "there is no such route"},
	} {
		s.refused(s.get(c.path), c.status, c.detail)
	}
	s.refused(s.get("events", "Last-Event-ID", "-1"), 400, `Last-Event-ID: "-1" is not`)
	a := s.ask("POST", "/api/v1/tags", "")
	s.refused(a, 405, "POST is not allowed here")
	if a.header.Get("Allow") != "GET" {
		t.Errorf("Allow %q", a.header.Get("Allow"))
	}
	s.refused(s.get("alarms/1/ack"), 405, "GET is not allowed here")
	if a := s.ask("HEAD", "/api/v1/tags", ""); a.status != 200 || a.body != "" {
		t.Errorf("HEAD: %d %q", a.status, a.body)
	}
	if a := s.ask("HEAD", "/api/v1/events", ""); a.status != 405 {
		t.Errorf("HEAD of a stream: %d", a.status)
	}
}

// TestFaultBehind holds that a fault of the store is a 500 that tells nothing.
func TestFaultBehind(t *testing.T) {
	s := run(t, nil)
	s.works.fault = fmt.Errorf("reading: %w", errNoDisk)
	span := "?tag=" + vibration + "&from=2026-11-22T00:05:00Z&to=2026-11-22T00:06:00Z"
	for _, path := range []string{"assets", "tags", "samples" + span, "trend" + span, "states" + span, "gaps" + span, "alarms", "alarms/1", "events"} {
		a := s.get(path)
		s.refused(a, 500, "the server could not do this")
		if strings.Contains(a.body, "secret") {
			t.Errorf("%s tells %s", path, a.body)
		}
	}
	s.refused(s.ask("POST", "/api/v1/alarms/1/ack", ""), 500, "the server could not do this")
	if !strings.Contains(s.logged(), "secret detail") {
		t.Error("the log does not say why")
	}
}

// TestSlowStore holds that a query that takes too long is a 503 that says when
// to come again.
func TestSlowStore(t *testing.T) {
	s := run(t, nil)
	s.works.fault = fmt.Errorf("trend: %w", context.DeadlineExceeded)
	a := s.get("trend?tag=" + vibration + "&from=2026-11-22T00:05:00Z&to=2026-11-22T00:06:00Z")
	s.refused(a, 503, "it took too long")
	if a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}

func TestPanicIsProblem(t *testing.T) {
	s := run(t, func(s *Server) { s.Roles = func() []Role { panic("boom") } })
	s.refused(s.get("health"), 500, "the server could not do this")
}

// TestPaging walks every list two entries at a time and compares with one page.
func TestPaging(t *testing.T) {
	s := run(t, nil)
	id, mode := s.id(vibration), s.id(gearbox+"/$MODE")
	for i := range 7 {
		at := epoch + int64(i)*second
		s.works.samples[id] = append(s.works.samples[id], plant.Sample{Tag: id, Time: at, Value: float64(i)})
		s.works.states[mode] = append(s.works.states[mode], plant.State{Tag: mode, Time: at, Value: fmt.Sprint(i)})
		s.works.gaps[id] = append(s.works.gaps[id], plant.Gap{Tag: id, From: at, To: at + 1, Reason: "a"}, plant.Gap{Tag: id, From: at, To: at + 1, Reason: "b"})
		s.works.enter(alarmAt(int64(i+1), plant.Unacked, plant.Advisory, 2))
	}
	span := "&from=2026-11-22T00:05:00Z&to=2026-11-22T00:06:00Z"
	for _, c := range []struct {
		path, key string
		n         int
	}{
		{"samples?tag=" + vibration + span, "samples", 7},
		{"states?tag=" + gearbox + "/$MODE" + span, "states", 7},
		{"gaps?" + span[1:], "gaps", 14},
		{"alarms?asset=HSM", "alarms", 7},
		{"tags?q=", "tags", 9},
		{"assets?asset=", "assets", 3},
	} {
		entries := func(path string) ([]string, string) {
			a := s.get(path)
			if a.status != 200 {
				t.Fatalf("%s: %d %s", path, a.status, a.body)
			}
			return pageOf(t, a.body, c.key)
		}
		whole, next := entries(c.path)
		if len(whole) != c.n || next != "" {
			t.Errorf("%s: %d entries, next %q", c.path, len(whole), next)
		}
		for _, limit := range []int{1, 2, c.n} {
			var all []string
			next, pages := "", 0
			for {
				path := fmt.Sprintf("%s&limit=%d", c.path, limit)
				if pages > 0 {
					path += "&after=" + next
				}
				var part []string
				part, next = entries(path)
				all = append(all, part...)
				if pages++; next == "" || pages > 50 {
					break
				}
			}
			if strings.Join(all, "\n") != strings.Join(whole, "\n") {
				t.Errorf("%s by %d: %d entries in %d pages differ from the whole", c.path, limit, len(all), pages)
			}
			if want := (c.n + limit - 1) / limit; pages != want {
				t.Errorf("%s by %d: %d pages, want %d", c.path, limit, pages, want)
			}
		}
	}
}

func TestNewTagIsFound(t *testing.T) {
	s := run(t, nil)
	s.get("tags")
	s.mu.Lock()
	s.works.tags = append(s.works.tags, plant.Tag{ID: 99, Path: "NEW/A/B", Asset: "NEW/A"})
	s.mu.Unlock()
	time.Sleep(stockRecent + 50*time.Millisecond)
	if a := s.get("samples?tag=NEW/A/B&from=2026-11-22T00:05:00Z&to=2026-11-22T00:06:00Z"); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestMetrics(t *testing.T) {
	s := run(t, nil)
	if a := s.ask("GET", "/metrics", ""); a.status != 200 || a.body != "up 1\n" {
		t.Errorf("%d %q", a.status, a.body)
	}
	s = run(t, func(s *Server) { s.Metrics = nil })
	s.refused(s.ask("GET", "/metrics", "", "Accept", "text/html"), 404, "there is no such file")
}

// pageOf is the list of a page, entry by entry as text, and its next.
func pageOf(t *testing.T, body, key string) ([]string, string) {
	t.Helper()
	var page map[string]json.RawMessage
	var list []json.RawMessage
	var next *string
	if err := json.Unmarshal([]byte(body), &page); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(page[key], &list); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(page["next"], &next); err != nil {
		t.Fatal(err)
	}
	var out []string
	age := regexp.MustCompile(`"age_ms":\d+`)
	for _, e := range list {
		out = append(out, age.ReplaceAllString(string(e), `"age_ms":0`)) // time goes on
	}
	if next == nil {
		return out, ""
	}
	return out, *next
}

// BenchmarkSamples is one page of 10,000 raw values.
func BenchmarkSamples(b *testing.B) {
	w := newWorks()
	id := w.id(vibration)
	for i := range maxList {
		w.samples[id] = append(w.samples[id], plant.Sample{Tag: id, Time: epoch + int64(i)*second, Value: float64(i) / 7})
	}
	s := &Server{NoLogin: true, Listen: "127.0.0.1:0", History: w, Alarms: book{w}, Plant: w, Hub: &Hub{}}
	if err := s.open(); err != nil {
		b.Fatal(err)
	}
	h := s.handler()
	r := httptest.NewRequest("GET", "/api/v1/samples?limit=10000&tag="+vibration+"&from=2026-11-22T00:05:00Z&to=2026-11-23T00:05:00Z", nil)
	r.Host = "127.0.0.1"
	b.ReportAllocs()
	for b.Loop() {
		a := httptest.NewRecorder()
		h.ServeHTTP(a, r)
		if a.Code != 200 {
			b.Fatal(a.Body)
		}
	}
}
