package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"millwright/collector"
	"millwright/plant"
)

// What the plant says of an edge, and what is to be said of that.
func TestDoctorEdge(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	f := func(body string, want ...string) {
		t.Helper()
		var e toldEdge
		if err := json.Unmarshal([]byte(body), &e); err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		for _, k := range e.examine(now) {
			printCheck(&got, k)
		}
		for _, w := range want {
			if !strings.Contains(got.String(), w) {
				t.Errorf("no %q in\n%s", w, got.String())
			}
		}
	}
	const live = `"state":"live","since":"2026-11-30T11:00:00Z","version":"1","plcs":[{"name":"f3","state":"Live"}]`
	f(`{`+live+`}`, "OK    connection", "1h0m0s", "nothing waits", "f3 is live", "it has not said what it has sent")
	f(`{"state":"down","since":"2026-11-30T11:00:00Z","queue_bytes":33554432,"oldest":"2026-11-30T10:00:00Z","plcs":[{"name":"f3","state":"Stale","reason":"edge is down"}]}`,
		"FAIL  connection", "has power and network", "32 MiB wait", "2h0m0s", "f3 is Stale: edge is down")
	f(`{"state":"catching-up","clock_offset_ms":5000,"oldest":"2026-11-30T09:00:00Z","ledger":{"at":"2026-11-30T11:59:50Z","done_in_s":600}}`,
		"done in about 10m0s", "WARN  clock", "5s ahead", "nothing is lost since")
	f(`{`+live+`,"ledger":{"at":"2026-11-30T11:50:00Z","done_in_s":null,"classes":[
		{"name":"measured","sent":1000,"stored":500,"declared":100,"under_way":50,"lost":350},{"name":"findings","sent":3,"stored":3},{"name":"gaps"}],
		"loss":{"reason":"gone","from":"2026-11-30T11:00:00Z","to":"2026-11-30T11:10:00Z","records":7,"numbers":"3-9","epoch":77,"values":{"measured":350}}}}`,
		"10m0s ago", "FAIL  ledger       measured: 1000 sent, 500 stored, 100 declared, 50 under way, 350 lost",
		"OK    ledger       findings: 3 sent", "queue_max", "7 records, 350 measured; numbers 3-9 of epoch 77; the edge has lost its queue", "keep the old disk")
	for _, reason := range []string{plant.LossMissing, plant.LossStore, plant.LossGone, plant.LossContent, plant.LossSurplus} {
		if means, next := lossNext(reason); means == "" || next == "" {
			t.Error(reason)
		}
	}
}

func TestDoctorEdgeAsks(t *testing.T) {
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/v1/edges" {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte(`{"edges":[{"name":"e1","state":"live","ledger":{"at":"` + time.Now().Format(time.RFC3339) + `"}},{"name":"e2","state":"down"}]}`))
	}))
	defer page.Close()
	run := func(name, url string) (string, error) {
		var out strings.Builder
		err := (&doctorEdgeCmd{Name: name, URL: url}).Run(&env{ctx: t.Context(), stdout: &out, stderr: &out})
		return out.String(), err
	}
	if out, err := run("e1", page.URL+"/"); err != nil || !strings.Contains(out, string(collector.OK)) {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err := run("e2", page.URL); err == nil || !strings.Contains(err.Error(), "1 of ") {
		t.Errorf("an edge that is away: %v", err)
	}
	if _, err := run("e3", page.URL); err == nil || !strings.Contains(err.Error(), "e1, e2") {
		t.Errorf("an edge that nobody knows: %v", err)
	}
	page.Close()
	if _, err := run("e1", page.URL); err == nil || !strings.Contains(err.Error(), "--url") {
		t.Errorf("no plant: %v", err)
	}
}
