package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

// api asks a running HMI as a program would.
type api struct {
	t    *testing.T
	base string // http://127.0.0.1:PORT
}

func (a api) try(path string, into any) error {
	client := http.Client{Timeout: 10 * time.Second}
	res, err := client.Get(a.base + "/api/v1/" + path)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", path, res.Status, body)
	}
	return json.Unmarshal(body, into)
}

// metric is a value of /metrics without labels, by its name behind "millwright_".
func (a api) metric(name string) float64 {
	a.t.Helper()
	res, err := http.Get(a.base + "/metrics")
	if err != nil {
		a.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	for line := range strings.Lines(string(body)) {
		if rest, ok := strings.CutPrefix(line, "millwright_"+name+" "); ok {
			v, _ := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			return v
		}
	}
	a.t.Fatalf("no metric %s", name)
	return 0
}

func (a api) get(path string, into any) {
	a.t.Helper()
	if err := a.try(path, into); err != nil {
		a.t.Fatal(err)
	}
}

type sampleJSON struct {
	T time.Time `json:"t"`
	V *float64  `json:"v"`
	Q string    `json:"q"`
}

// samples reads every stored sample of a tag, page by page, none of one that the plant has
// not heard of yet.
func (a api) samples(tag string) []sampleJSON {
	a.t.Helper()
	var out []sampleJSON
	after := ""
	for {
		var page struct {
			Samples []sampleJSON
			Next    *string
		}
		err := a.try("samples?from=2000-01-01T00:00:00Z&to=2100-01-01T00:00:00Z&limit=10000&tag="+url.QueryEscape(tag)+after, &page)
		if err != nil && !strings.Contains(err.Error(), "is unknown") {
			a.t.Fatal(err)
		}
		out = append(out, page.Samples...)
		if page.Next == nil {
			return out
		}
		after = "&after=" + url.QueryEscape(*page.Next)
	}
}

type gapJSON struct {
	Tag      string
	From, To time.Time
	Reason   string
}

// gaps are those of a tag, none of one that the plant has not heard of yet.
func (a api) gaps(tag string) []gapJSON {
	a.t.Helper()
	var page struct{ Gaps []gapJSON }
	err := a.try("gaps?from=2000-01-01T00:00:00Z&to=2100-01-01T00:00:00Z&limit=10000&tag="+url.QueryEscape(tag), &page)
	if err != nil && !strings.Contains(err.Error(), "is unknown") {
		a.t.Fatal(err)
	}
	return page.Gaps
}

type alarmJSON struct {
	ID                  int64
	Asset, Class, State string
	Title               string
	Priority, Count     int
	Raised              time.Time
	Returned, Acked     *time.Time
	AckedBy             *string `json:"acked_by"`
	Finding             struct {
		Detector      string
		Score, Limit  float64
		Text          string
		Condition     string
		Contributions []struct {
			Tag   string
			Share float64
		}
	}
}

func (a api) alarms() []alarmJSON {
	a.t.Helper()
	var page struct{ Alarms []alarmJSON }
	a.get("alarms?limit=10000", &page)
	return page.Alarms
}

type edgeJSON struct {
	Name, State string
	QueueBytes  uint64 `json:"queue_bytes"`
	Sent, Acked uint64
	PLCs        []struct {
		URL, State string
		Reason     *string
		Tags       int
	}
}

func (a api) edges() []edgeJSON {
	var page struct{ Edges []edgeJSON }
	if err := a.try("edges", &page); err != nil {
		return nil
	}
	return page.Edges
}

// plcState is the state of the only PLC of the only edge, empty when unknown.
func (a api) plcState() string {
	e := a.edges()
	if len(e) != 1 || len(e[0].PLCs) != 1 {
		return ""
	}
	return e[0].PLCs[0].State
}

// journal is every change of every alarm so far, as the event stream replays it.
func (a api) journal() []alarmJSON {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.base+"/api/v1/events", nil)
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("Last-Event-ID", "0")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer res.Body.Close()
	var out []alarmJSON
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() { // ends with the time-out: the stream stays open
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			var al alarmJSON
			if err := json.Unmarshal([]byte(data), &al); err != nil {
				a.t.Fatalf("event %q: %v", data, err)
			}
			out = append(out, al)
		}
	}
	return out
}
