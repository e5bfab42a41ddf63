package hmi

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"millwright/plant"
)

func TestLabels(t *testing.T) {
	s := run(t, nil)
	s.works.enter(alarmAt(1, plant.Unacked, plant.Advisory, 2))
	s.works.enter(alarmAt(2, plant.Unacked, plant.Advisory, 2))
	a := s.send("POST", "alarms/1/label", `{"verdict":"confirmed","code":"VIB","note":"bearing","from":"2026-11-22T00:00:00Z","to":null}`)
	at := when(s.answers().given[0].At)
	stampText, err := at.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	one := `{"id":1,"alarm":1,"asset":"HSM/FM/F3/GBX","detector":"wpca","tag":null,"verdict":"confirmed","code":"VIB","of":null,"note":"bearing",
		"from":"2026-11-22T00:00:00.000Z","to":"2026-11-22T00:06:01.000Z","who":"demo","at":` + string(stampText) + `}`
	s.is(a, one)
	s.is(s.get("labels?alarm=1"), `{"labels":[`+one+`],"next":null}`)
	if a := s.get("alarms/1"); !strings.Contains(a.body, `"label":{"id":1,"alarm":1,"asset"`) {
		t.Errorf("the alarm lacks its answer: %s", a.body)
	}
	s.send("POST", "alarms/2/label", `{"verdict":"duplicate","of":1}`)
	if a := s.get("labels"); !strings.Contains(a.body, `"of":1`) {
		t.Error(a.body)
	}
	first, next := pageOf(t, s.get("labels?limit=1").body, "labels")
	second, end := pageOf(t, s.get("labels?limit=1&after="+next).body, "labels")
	if len(first) != 1 || len(second) != 1 || end != "" || !strings.HasPrefix(second[0], `{"id":1,`) {
		t.Errorf("pages %v %v %q", first, second, end)
	}
	if got, _ := pageOf(t, s.get("labels?from=2026-11-22T00:06:01Z&asset=HSM").body, "labels"); len(got) != 1 {
		t.Errorf("from: %v", got)
	}
	s.refused(s.get("labels?from=x"), 400, `from: "x" is not a time`)
	s.refused(s.get("labels?after="+*cursor('l', "x")), 400, "after: not a cursor")
	s.refused(s.send("POST", "alarms/9/label", `{"verdict":"confirmed"}`), 404, "id: there is no alarm 9")
	s.refused(s.send("POST", "alarms/1/label", `{}`), 400, "verdict: missing")
	s.refused(s.send("POST", "alarms/1/label", `{"verdict":"confirmed","from":"x"}`), 400, `from: "x" is not a time`)
	s.refused(s.send("POST", "alarms/1/label", `{"verdict":"confirmed","to":"9999-01-01T00:00:00Z"}`), 400, "to: out of range")
	s.refused(s.send("POST", "alarms/1/label", `{"verdict":"confirmed","who":"me"}`), 400, `body: unknown field "who"`)
	s.refused(s.send("POST", "alarms/1/label", `{"note":"`+strings.Repeat("я", 1001)+`"}`), 400, "note: 1001 characters")
	if a := s.send("POST", "alarms/2/label", `{"verdict":"sensor_fault","tag":"`+temperature+`"}`); !strings.Contains(a.body, `"tag":"`+temperature+`"`) {
		t.Errorf("the sensor that was named: %s", a.body)
	}
	for _, path := range []string{"NO/SUCH", gearbox + "/" + plant.TagScore, "BOF/FAN/SPEED"} {
		s.refused(s.send("POST", "alarms/2/label", `{"verdict":"sensor_fault","tag":"`+path+`"}`), 400, `tag: "`+path+`" is no sensor of `+gearbox)
	}
	s.refused(s.send("POST", "alarms/9/label", `{"verdict":"sensor_fault","tag":"`+temperature+`"}`), 404, "id: there is no alarm 9")
	if a := s.send("DELETE", "labels/1", ""); a.status != 204 || a.body != "" {
		t.Errorf("withdraw: %d %s", a.status, a.body)
	}
	s.refused(s.send("DELETE", "labels/1", ""), 404, "id: there is no answer 1")
}

// TestWhoWithdraws holds who may take an answer back: who gave it, for a day, and
// engineers.
func TestWhoWithdraws(t *testing.T) {
	s := guarded(t)
	if err := s.accounts.Add(t.Context(), "otto", "operator", password); err != nil {
		t.Fatal(err)
	}
	as := func(name string) []string { return []string{"Authorization", "Bearer " + s.token(name)} }
	give := func(id int64, who string, age time.Duration) {
		s.answers().given = append(s.answers().given, plant.Label{ID: id, Who: who, At: time.Now().Add(-age).UnixNano()})
	}
	give(1, "operator", time.Hour)
	give(2, "operator", 25*time.Hour)
	s.refused(s.send("DELETE", "labels/1", "", as("otto")...), 403, "an answer of somebody else, or older than a day")
	s.refused(s.send("DELETE", "labels/2", "", as("operator")...), 403, "an answer of somebody else, or older than a day")
	if a := s.send("DELETE", "labels/1", "", as("operator")...); a.status != 204 {
		t.Errorf("one's own: %d %s", a.status, a.body)
	}
	if a := s.send("DELETE", "labels/2", "", as("engineer")...); a.status != 204 {
		t.Errorf("an engineer: %d %s", a.status, a.body)
	}
}

func TestPrecision(t *testing.T) {
	s := run(t, nil)
	s.is(s.get("precision?asset=HSM&since=2026-11-22T00:05:00Z"), `{"precision":[
		{"asset":"HSM/FM/F3/GBX","detector":"wpca","alarms":7,"labelled":6,"confirmed":3,"not_fault":1,"sensor":0,"process":1,"duplicate":1,"share":0.75},
		{"asset":"BOF/FAN","detector":"limit","alarms":2,"labelled":0,"confirmed":0,"not_fault":0,"sensor":0,"process":0,"duplicate":0,"share":null}]}`)
	s.is(s.get("precision?since=2027-01-01T00:00:00Z"), `{"precision":[]}`)
	s.refused(s.get("precision?since=x"), 400, `since: "x" is not a time`)
}

// TestLabelEvent holds that an answer goes to all pages.
func TestLabelEvent(t *testing.T) {
	s := run(t, nil)
	s.works.enter(alarmAt(1, plant.Unacked, plant.Advisory, 2))
	s.send("POST", "alarms/1/label", `{"verdict":"sensor_fault"}`)
	var b []byte
	for _, a := range s.works.journal {
		var err error
		if b, err = appendEvent(b, &a); err != nil {
			t.Fatal(err)
		}
	}
	if want := fmt.Sprintf(`"label":{"id":1,"alarm":1,"asset":%q`, gearbox); !strings.Contains(string(b), `"label":null`) || !strings.Contains(string(b), want) {
		t.Errorf("%s", b)
	}
}
