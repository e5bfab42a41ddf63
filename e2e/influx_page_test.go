package e2e

import (
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"millwright/historian/store/influx/influxtest"
)

// TestPageOverInflux lets two plants watch one mill, each through an edge of its own:
// one keeps values in the historian's own store, the other in a real InfluxDB. What
// the pages ask has the same answers, and the pages work in a real Chromium.
func TestPageOverInflux(t *testing.T) {
	t.Parallel() // waits most of its time
	b := newBrowser(t)
	server := influxtest.Start(t, influxtest.Options{})
	own, over := newWorks(t), newWorks(t)
	own.startAll("--fault", "HSM/FM/F3/GBX:lubrication:1@5s+60s", "--speed", "10")
	over.plcPort = own.opc
	over.store = fmt.Sprintf("store = \"influx\"\n[historian.influx]\nurl = %q\n", server.URL)
	over.configure()
	over.startPlant()
	over.startEdge()
	over.waitLive(60 * time.Second)
	sameAnswers(t, own.api, over.api)

	base := over.api.base
	var found alarmJSON
	eventually(t, 150*time.Second, "the gearbox has an alarm", func() bool {
		list := over.api.alarms()
		i := slices.IndexFunc(list, func(a alarmJSON) bool { return a.Asset == "HSM/FM/F3/GBX" && a.State == "unacked" })
		if i >= 0 {
			found = list[i]
		}
		return i >= 0
	})
	b.do("open", args{"page": "p", "url": base}, nil)
	b.wait("p", `document.querySelector(".asset-list")?.innerText.includes("HSM/FM/F3/GBX")`, patience)
	b.do("goto", args{"page": "p", "url": base + "/a/HSM/FM/F3/GBX"}, nil)
	b.wait("p", `document.querySelectorAll("[data-tag][data-quality=good]").length >= 10`, patience)
	// The trend's table has the numbers that its curve is drawn from.
	const card = `[data-trend="HSM/FM/F3/GBX/VIB_H"]`
	b.click("p", card+" button[aria-pressed=false]")
	b.wait("p", `[...document.querySelectorAll('`+card+` .trend-table tbody tr')].filter((r) => /\d/.test(r.cells[1].innerText)).length >= 5`, patience)
	b.shoot("p", "influx-asset")
	b.do("goto", args{"page": "p", "url": fmt.Sprintf("%s/alarms/%d", base, found.ID)}, nil)
	b.click("p", "main .ack button")
	b.wait("p", `/acknowledged/i.test(document.querySelector("main")?.innerText)`, patience)
	b.shoot("p", "influx-alarms")
	b.do("close", args{"page": "p"}, nil)
	b.harmless()
}

// sameAnswers asks two plants that watch one PLC for all that was measured in some
// seconds in which neither missed a value, as an edge on a busy machine may.
func sameAnswers(t *testing.T, a, b api) {
	t.Helper()
	var list struct {
		Tags []struct {
			Path, Kind string
			Derived    bool
		}
	}
	a.get("tags?limit=10000", &list)
	compared := 0
	eventually(t, 3*time.Minute, "ten seconds without a gap", func() bool {
		from := time.Now().Add(time.Second).Truncate(time.Second)
		to := from.Add(10 * time.Second)
		span := fmt.Sprintf("&from=%s&to=%s", from.UTC().Format(time.RFC3339), to.UTC().Format(time.RFC3339))
		time.Sleep(time.Until(to.Add(3 * time.Second)))
		// An edge sends in the order in which it reads.
		eventually(t, 60*time.Second, "both have stored what is behind the span", func() bool {
			const tag = "HSM/FM/F3/GBX/VIB_H"
			return a.count(tag, to.Add(2*time.Second)) > 0 && b.count(tag, to.Add(2*time.Second)) > 0
		})
		compared = 0
		for _, tag := range list.Tags {
			if tag.Derived || tag.Kind == "waveform" {
				continue
			}
			routes := []string{"samples?limit=10000", "trend?buckets=7", "trend?buckets=200"}
			if tag.Kind == "text" {
				routes = []string{"states?limit=10000"}
			}
			for _, path := range routes {
				path += span + "&tag=" + url.QueryEscape(tag.Path)
				var x, y any
				a.get(path, &x)
				b.get(path, &y)
				if what := unlike(x, y); what != "" {
					gaps := append(a.gaps(tag.Path), b.gaps(tag.Path)...)
					if slices.ContainsFunc(gaps, func(g gapJSON) bool { return g.From.Before(to) && g.To.After(from) }) {
						t.Logf("%s: a value was missed and declared", tag.Path)
						return false
					}
					t.Fatalf("%s: %s", path, what)
				}
				js, _ := json.Marshal(x)
				compared += strings.Count(string(js), `"t":`)
			}
		}
		return true
	})
	if compared < 1000 {
		t.Errorf("only %d samples and buckets were compared", compared)
	}
	t.Logf("%d samples and buckets are alike", compared)
}

// unlike says where two JSON values differ; sums may be taken in another order.
func unlike(a, b any) string {
	switch x := a.(type) {
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok || len(x) != len(y) {
			return fmt.Sprintf("%v, and %v", a, b)
		}
		for k := range x {
			if what := unlike(x[k], y[k]); what != "" {
				return k + ": " + what
			}
		}
		return ""
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			return fmt.Sprintf("%d and %d of them", len(x), len(y))
		}
		for i := range x {
			if what := unlike(x[i], y[i]); what != "" {
				return fmt.Sprintf("%d: %s", i, what)
			}
		}
		return ""
	case float64:
		if y, ok := b.(float64); ok && math.Abs(x-y) <= 1e-9*max(1, math.Abs(x)) {
			return ""
		}
	default:
		if a == b {
			return ""
		}
	}
	return fmt.Sprintf("%v, and %v", a, b)
}
