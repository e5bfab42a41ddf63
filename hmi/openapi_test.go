package hmi

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"millwright/plant"
)

type document struct {
	OpenAPI string
	Paths   map[string]map[string]struct {
		Parameters  []parameter
		RequestBody *struct {
			Content map[string]struct{ Schema any }
		}
		Responses map[string]response
		Role      *string `json:"x-role"`
	}
	Components struct {
		Schemas    map[string]any
		Parameters map[string]parameter
		Responses  map[string]response
	}
}

type parameter struct {
	Ref      string `json:"$ref"`
	Name, In string
	Required bool
}

type response struct {
	Ref     string `json:"$ref"`
	Content map[string]struct{ Schema any }
}

func readDocument(t *testing.T) document {
	t.Helper()
	var d document
	if err := json.Unmarshal(openAPI, &d); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(d.OpenAPI, "3.1") {
		t.Errorf("version %q", d.OpenAPI)
	}
	return d
}

// named are the names of the parameters in one place, "query" or "path".
func (d *document) named(ps []parameter, in string) (names []string) {
	for _, p := range ps {
		if name, ok := strings.CutPrefix(p.Ref, "#/components/parameters/"); ok {
			p = d.Components.Parameters[name]
		}
		if p.In == in {
			names = append(names, p.Name)
		}
	}
	slices.Sort(names)
	return names
}

// TestOpenAPIRoutes holds the document against the routes both ways: paths,
// methods, roles, and the query parameters that each route takes.
func TestOpenAPIRoutes(t *testing.T) {
	d := readDocument(t)
	s := run(t, nil)
	served := map[string]route{}
	for _, rt := range s.routes() {
		served[strings.ToLower(rt.method)+" "+strings.Replace(rt.path, "...}", "}", 1)] = rt
	}
	described := 0
	for path, methods := range d.Paths {
		for method, op := range methods {
			described++
			rt, ok := served[method+" "+path]
			if !ok {
				t.Errorf("described and not served: %s %s", method, path)
				continue
			}
			role := ""
			if op.Role != nil {
				role = *op.Role
			}
			if role != string(rt.need) {
				t.Errorf("%s %s: described for %q, served to %q", method, path, role, rt.need)
			}
			if !strings.HasPrefix(path, apiBase) {
				continue // they take what they are given
			}
			// What a route allows it says itself when it refuses.
			a := s.ask(rt.method, strings.NewReplacer("{id}", "1", "{name}", "mail", "{tag}", vibration).Replace(path)+"?no_such_parameter=1", "")
			var p problem
			if err := json.Unmarshal([]byte(a.body), &p); err != nil || a.status != 400 {
				t.Errorf("%s %s: %d %s", method, path, a.status, a.body)
				continue
			}
			var allowed []string
			if _, names, ok := strings.Cut(p.Detail, "allowed are "); ok {
				allowed = strings.Split(names, ", ")
				slices.Sort(allowed)
			}
			if want := d.named(op.Parameters, "query"); !slices.Equal(allowed, want) {
				t.Errorf("%s %s: takes %v, described %v", method, path, allowed, want)
			}
			for name := range strings.SplitSeq(path, "/") {
				if name, ok := strings.CutPrefix(name, "{"); ok && !slices.Contains(d.named(op.Parameters, "path"), strings.TrimSuffix(name, "}")) {
					t.Errorf("%s %s: {%s is not described", method, path, name)
				}
			}
			for status, r := range op.Responses {
				if r.Ref != "" && d.Components.Responses[strings.TrimPrefix(r.Ref, "#/components/responses/")].Content == nil {
					t.Errorf("%s %s: response %s leads nowhere", method, path, status)
				}
			}
		}
	}
	if described != len(served) {
		for key := range served {
			method, path, _ := strings.Cut(key, " ")
			if _, ok := d.Paths[path][method]; !ok {
				t.Errorf("served and not described: %s", key)
			}
		}
	}
}

// TestOpenAPIBodies holds real answers against the schemas, strictly: no field
// may be missing and none may be undescribed.
func TestOpenAPIBodies(t *testing.T) {
	d := readDocument(t)
	s := run(t, nil)
	s.live(time.Second)
	id, mode := s.id(vibration), s.id(gearbox+"/$MODE")
	s.works.samples[id] = []plant.Sample{{Tag: id, Time: epoch, Value: 1}, {Tag: id, Time: epoch + second, Value: math.NaN()}}
	s.works.states[mode] = []plant.State{{Tag: mode, Time: epoch - 1, Value: "a"}, {Tag: mode, Time: epoch, Value: "b"}}
	s.works.gaps[id] = []plant.Gap{{Tag: id, From: epoch, To: epoch + second, Reason: "link-down"}}
	s.works.waveforms[id] = []plant.Waveform{{Tag: id, Time: epoch, Rate: 100, Values: []float32{1, -2, float32(math.NaN())}}, {Tag: id, Time: epoch + second, Quality: plant.Bad}}
	s.works.edges = []plant.EdgeStatus{{Name: "demo", State: "live", PLCs: []plant.PLCStatus{fullPLC()},
		Broker: plant.BrokerStatus{URL: "mqtts://plant:8883", State: plant.BrokerLive, Since: epoch, Certificates: fullPLC().Certificates}}}
	s.works.enter(alarmAt(1, plant.Unacked, plant.Advisory, 2))
	s.Hub.Values(plant.Batch{States: []plant.State{{Tag: s.id(gearbox + "/$MODEL"), Time: epoch, Value: `{"phase":"learning"}`}}})
	span := "?tag=" + vibration + "&from=2026-11-22T00:05:00Z&to=2026-11-22T00:06:00Z"
	checked := 0
	check := func(method, path, at string, a answer) {
		t.Helper()
		op, ok := d.Paths["/api/v1/"+at][strings.ToLower(method)]
		if !ok {
			t.Fatalf("%s is not described", at)
		}
		r, ok := op.Responses[fmt.Sprint(a.status)]
		if !ok {
			t.Errorf("%s %s: status %d is not described", method, path, a.status)
			return
		}
		if r.Ref != "" {
			r = d.Components.Responses[strings.TrimPrefix(r.Ref, "#/components/responses/")]
		}
		kind, _, _ := strings.Cut(a.header.Get("Content-Type"), ";")
		c, ok := r.Content[kind]
		if !ok {
			t.Errorf("%s %s: %s is not described for %d", method, path, kind, a.status)
			return
		}
		checked++
		var v any = a.body
		if strings.HasSuffix(kind, "json") {
			if err := json.Unmarshal([]byte(a.body), &v); err != nil {
				t.Errorf("%s: %v", path, err)
				return
			}
		}
		for _, fault := range d.check(c.Schema, v, "") {
			t.Errorf("%s %s: %s", method, path, fault)
		}
	}
	for _, c := range [][2]string{{"health", "health"}, {"me", "me"}, {"assets", "assets"}, {"machine?asset=" + gearbox, "machine"}, {"machine?asset=BOF/FAN", "machine"}, {"machine?asset=NO", "machine"}, {"machine", "machine"}, {"tags", "tags"}, {"tags?limit=1", "tags"}, {"samples" + span, "samples"}, {"trend" + span, "trend"},
		{"states" + strings.Replace(span, "VIB_H", "$MODE", 1), "states"}, {"gaps" + span, "gaps"},
		{"waveforms" + span, "waveforms"}, {"waveforms/" + vibration + "?t=2026-11-22T00:05:00Z", "waveforms/{tag}"}, {"waveforms/" + vibration + "?t=2026-11-22T00:05:07Z", "waveforms/{tag}"}, {"alarms", "alarms"}, {"alarms/1", "alarms/{id}"}, {"edges", "edges"},
		{"openapi.json", "openapi.json"}, {"samples", "samples"}, {"alarms/9", "alarms/{id}"}, {"live", "live"}, {"samples" + strings.Replace(span, "VIB", "NO", 1), "samples"}} {
		check("GET", c[0], c[1], s.get(c[0]))
	}
	post := func(method, path, at, body string) {
		t.Helper()
		check(method, path, at, s.ask(method, "/api/v1/"+path, body, "Content-Type", "application/json"))
	}
	post("POST", "alarms/1/label", "alarms/{id}/label", `{"verdict":"confirmed","code":"VIB","note":null,"from":"2026-11-22T00:05:00Z"}`)
	post("POST", "alarms/1/label", "alarms/{id}/label", `{}`)
	post("POST", "alarms/9/label", "alarms/{id}/label", `{"verdict":"confirmed"}`)
	post("PUT", "roster", "roster", fullRoster)
	post("PUT", "roster", "roster", fullRoster)
	post("PUT", "roster", "roster", `{"revision":1,"people":[{"id":"x"}],"teams":[],"routes":[]}`)
	s.desk().sent = []plant.Message{{ID: 1, Alarm: 1, Alarms: []int64{1}, Purpose: plant.PurposeAlarm, Person: "ali", State: plant.MessageDead, Created: epoch, Error: "550"}, {ID: 2, Purpose: plant.PurposeHeartbeat, State: plant.MessageSent}}
	post("POST", "messages/1/retry", "messages/{id}/retry", "")
	post("POST", "messages/1/retry", "messages/{id}/retry", "")
	post("POST", "channels/mail/test", "channels/{name}/test", `{"address":"ali@plant"}`)
	s.shelf().rollout = fullRollout()
	for _, verb := range []string{"shadow", "promote"} {
		post("POST", "models/"+verb, "models/"+verb, `{"id":"GBX-1","assets":["HSM/FM/F3/GBX"],"reason":"better"}`)
	}
	post("POST", "models/rollback", "models/rollback", `{"assets":["HSM/FM/F3/GBX"],"reason":"worse"}`)
	post("POST", "models/rollback", "models/rollback", `{"assets":["BOF/FAN"],"reason":"worse"}`)
	s.works.edges = []plant.EdgeStatus{follows(0)}
	post("POST", "orders", "orders", `{"edge":"demo","plc":"plc1","tag":"HSM/T","as":"same","reason":"x"}`)
	post("POST", "orders", "orders", `{"edge":"gone","plc":"plc1","tag":"HSM/T","as":"same","reason":"x"}`)
	for _, c := range [][2]string{{"orders", "orders"}, {"labels", "labels"}, {"precision", "precision"}, {"roster", "roster"}, {"roster/revisions", "roster/revisions"}, {"roster/revisions/1", "roster/revisions/{id}"},
		{"roster/revisions/9", "roster/revisions/{id}"}, {"oncall", "oncall"}, {"messages", "messages"}, {"channels", "channels"}, {"models", "models"}, {"models/GBX-1/report", "models/{id}/report"},
		{"export?format=csv", "export"}, {"export", "export"}, {"alarms/1", "alarms/{id}"}} {
		check("GET", c[0], c[1], s.get(c[0]))
	}
	post("DELETE", "labels/9", "labels/{id}", "")
	check("GET", "boxes", "boxes", s.get("boxes"))
	check("GET", "place", "boxes/{box}/place", s.get("boxes/b/place?group=works&edge=e"))
	check("GET", "place", "boxes/{box}/place", s.get("boxes/old/place?group=works&edge=e"))
	check("GET", "checkpoint", "boxes/{box}/checkpoint", s.get("boxes/b/checkpoint?edge=e"))
	check("GET", "edges", "boxes/{box}/edges", s.get("boxes/b/edges"))
	post("POST", "boxes/b/checkpoint", "boxes/{box}/checkpoint", `raw`)
	post("POST", "boxes/b/report", "boxes/{box}/report", `{"ready":[]}`)
	post("POST", "boxes/b/adopt", "boxes/{box}/adopt", `{"edge":"e"}`)
	post("POST", "boxes/b/release", "boxes/{box}/release", `{"edge":"e"}`)
	check("POST", "ack", "alarms/{id}/ack", s.ask("POST", "/api/v1/alarms/1/ack", `{"if_state":"unacked"}`, "Content-Type", "application/json"))
	check("POST", "ack again", "alarms/{id}/ack", s.ask("POST", "/api/v1/alarms/1/ack", `{"if_state":"unacked"}`, "Content-Type", "application/json"))
	if checked != 26+31+9 {
		t.Errorf("%d answers checked", checked)
	}
	// The checker itself must be able to fail.
	for _, bad := range []string{`{"status":"ok","version":"1"}`, `{"status":"fine","version":"1","roles":[]}`, `{"status":"ok","version":1,"roles":[]}`, `{"status":"ok","version":"1","roles":[],"more":1}`} {
		var v any
		if err := json.Unmarshal([]byte(bad), &v); err != nil {
			t.Fatal(err)
		}
		if len(d.check(map[string]any{"$ref": "#/components/schemas/Health"}, v, "")) == 0 {
			t.Errorf("%s passes", bad)
		}
	}
}

var stampForm = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`)

// check is the part of JSON Schema that the document uses.
func (d *document) check(schema, v any, at string) (faults []string) {
	m, ok := schema.(map[string]any)
	if !ok {
		return []string{at + ": no schema"}
	}
	if ref, ok := m["$ref"].(string); ok {
		return d.check(d.Components.Schemas[strings.TrimPrefix(ref, "#/components/schemas/")], v, at)
	}
	if of, ok := m["oneOf"].([]any); ok {
		fits := 0
		for _, o := range of {
			f := d.check(o, v, at)
			if len(f) == 0 {
				fits++
			}
			faults = append(faults, f...)
		}
		if fits == 1 {
			return nil
		}
		return append(faults, fmt.Sprintf("%s: %d of oneOf fit", at, fits))
	}
	kind := "null"
	switch x := v.(type) {
	case string:
		kind = "string"
	case float64:
		kind = "number"
		if types(m["type"], "integer") && x == math.Trunc(x) {
			kind = "integer"
		}
	case bool:
		kind = "boolean"
	case []any:
		kind = "array"
		for i, e := range x {
			faults = append(faults, d.check(m["items"], e, fmt.Sprintf("%s[%d]", at, i))...)
		}
	case map[string]any:
		kind = "object"
		props, _ := m["properties"].(map[string]any)
		if props == nil {
			for name, e := range x {
				if more := m["additionalProperties"]; more != nil {
					faults = append(faults, d.check(more, e, at+"."+name)...)
				}
			}
			break
		}
		for name, e := range x {
			if props[name] == nil {
				faults = append(faults, at+"."+name+" is not described")
				continue
			}
			faults = append(faults, d.check(props[name], e, at+"."+name)...)
		}
		required, _ := m["required"].([]any)
		for _, name := range required {
			if _, ok := x[name.(string)]; !ok {
				faults = append(faults, fmt.Sprintf("%s.%s is missing", at, name))
			}
		}
	}
	if !types(m["type"], kind) {
		faults = append(faults, fmt.Sprintf("%s is %s, described %v", at, kind, m["type"]))
	}
	if enum, ok := m["enum"].([]any); ok && !slices.Contains(enum, v) {
		faults = append(faults, fmt.Sprintf("%s is %v, described %v", at, v, enum))
	}
	if m["format"] == "date-time" && kind == "string" && !stampForm.MatchString(v.(string)) {
		faults = append(faults, fmt.Sprintf("%s is %v, no time", at, v))
	}
	return faults
}

// types reports whether a schema's type, one or a list, has kind.
func types(t any, kind string) bool {
	if l, ok := t.([]any); ok {
		return slices.Contains(l, any(kind))
	}
	return t == kind
}

// TestPageOfTheInterface holds API.md against the routes.
func TestPageOfTheInterface(t *testing.T) {
	s := run(t, nil)
	page := readFile(t, "API.md")
	for _, rt := range s.routes() {
		if name := rt.method + " " + strings.TrimPrefix(rt.path, apiBase+"/"); !strings.Contains(page, name) {
			t.Errorf("API.md does not have %s", name)
		}
	}
	for _, word := range append(slices.Clone(assetStates), contentPolicy[:40]) {
		if !strings.Contains(strings.ReplaceAll(page, "\n  ", " "), word) {
			t.Errorf("API.md does not have %s", word)
		}
	}
}
