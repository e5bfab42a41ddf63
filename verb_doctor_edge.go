package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"millwright/collector"
	"millwright/plant"
)

type doctorEdgeCmd struct {
	Name      string `arg:"" help:"Name of the edge, as on the HMI."`
	URL       string `name:"url" default:"http://127.0.0.1:8080" help:"The running plant." placeholder:"URL"`
	TokenFile string `help:"File with the token of a viewer." placeholder:"FILE"`
	JSON      bool   `name:"json" help:"Print the checks as JSON."`
}

// Run says what is wrong between an edge and the plant, and what to do next. Values
// that are away or lost are an error.
func (c *doctorEdgeCmd) Run(e *env) error {
	edges, err := c.ask(e)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(edges, func(x toldEdge) bool { return x.Name == c.Name })
	if i < 0 {
		var names []string
		for _, x := range edges {
			names = append(names, x.Name)
		}
		return fmt.Errorf("no edge %q was heard of since the historian's start; known: %s: see that its box runs and reaches the broker, and that its name and group are right", c.Name, cmp.Or(strings.Join(names, ", "), "none"))
	}
	checks := edges[i].examine(time.Now())
	if c.JSON {
		enc := json.NewEncoder(e.stdout)
		enc.SetIndent("", "  ")
		if err := enc.Encode(struct {
			Edge   string            `json:"edge"`
			Checks []collector.Check `json:"checks"`
		}{c.Name, checks}); err != nil {
			return err
		}
	}
	fails := 0
	for _, k := range checks {
		if k.Grade == collector.Fail {
			fails++
		}
		if !c.JSON {
			printCheck(e.stdout, k)
		}
	}
	if fails > 0 {
		return fmt.Errorf("%s: %d of %d checks failed", c.Name, fails, len(checks))
	}
	return nil
}

// ask gets what the plant knows of its edges.
func (c *doctorEdgeCmd) ask(e *env) ([]toldEdge, error) {
	req, err := http.NewRequestWithContext(e.ctx, http.MethodGet, strings.TrimSuffix(c.URL, "/")+"/api/v1/edges", nil)
	if err != nil {
		return nil, fmt.Errorf("--url: %w", err)
	}
	if c.TokenFile != "" {
		token, err := os.ReadFile(c.TokenFile)
		if err != nil {
			return nil, fmt.Errorf("--token-file: %w", err)
		}
		req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	}
	client := &http.Client{Timeout: 30 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error {
		return errors.New("redirected elsewhere: name the plant's own page with --url")
	}}
	res, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: name the running plant's page with --url", err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 64<<20))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.URL, err)
	}
	var answer struct {
		Edges  []toldEdge `json:"edges"`
		Detail string     `json:"detail"`
	}
	err = json.Unmarshal(text, &answer)
	switch {
	case res.StatusCode == http.StatusUnauthorized:
		return nil, fmt.Errorf("%s: %s: make a token with millwright users token NAME and name its file with --token-file", c.URL, cmp.Or(answer.Detail, res.Status))
	case res.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s: %s", c.URL, cmp.Or(answer.Detail, res.Status))
	case err != nil:
		return nil, fmt.Errorf("%s: not what a Millwright plant answers: %w", c.URL, err)
	}
	return answer.Edges, nil
}

// toldEdge is an edge as GET edges tells of it.
type toldEdge struct {
	Name       string    `json:"name"`
	State      string    `json:"state"`
	Since      time.Time `json:"since"`
	QueueBytes uint64    `json:"queue_bytes"`
	Oldest     time.Time `json:"oldest"`
	ClockMS    int64     `json:"clock_offset_ms"`
	Version    string    `json:"version"`
	PLCs       []struct {
		Name   string         `json:"name"`
		URL    string         `json:"url"`
		State  plant.PLCState `json:"state"`
		Reason string         `json:"reason"`
	} `json:"plcs"`
	Ledger *toldLedger `json:"ledger"`
}

type toldLedger struct {
	At      time.Time `json:"at"`
	Since   time.Time `json:"since"`
	DoneIn  *float64  `json:"done_in_s"`
	Classes []struct {
		Name      string `json:"name"`
		Sent      uint64 `json:"sent"`
		Stored    uint64 `json:"stored"`
		Declared  uint64 `json:"declared"`
		UnderWay  uint64 `json:"under_way"`
		Lost      int64  `json:"lost"`
		Explained int64  `json:"explained"`
	} `json:"classes"`
	Loss *struct {
		Reason  string           `json:"reason"`
		From    time.Time        `json:"from"`
		To      time.Time        `json:"to"`
		Records uint64           `json:"records"`
		Numbers string           `json:"numbers"`
		Epoch   uint64           `json:"epoch"`
		Values  map[string]int64 `json:"values"`
	} `json:"loss"`
}

const (
	longAgo = 3 * time.Minute // an edge says what it has sent twice a minute
	farOff  = time.Second     // of a clock
	oldAge  = time.Minute     // of a record that waits
)

// examine is what is to be said of an edge, in the order in which one would look.
func (t *toldEdge) examine(now time.Time) (checks []collector.Check) {
	say := func(g collector.Grade, name, next, text string, args ...any) {
		checks = append(checks, collector.Check{Grade: g, Name: name, Text: fmt.Sprintf(text, args...), Next: next})
	}
	switch t.State {
	case "down":
		say(collector.Fail, "connection", "see that the box has power and network; on the box, that millwright runs and reaches the broker, in its log",
			"away since %s (%s); version %s. What its PLCs say waits on its disk", t.Since.Local().Format(time.DateTime), round(now.Sub(t.Since)), t.Version)
	case "catching-up":
		say(collector.Warn, "connection", "", "connected, and catching up; version %s", t.Version)
	default:
		say(collector.OK, "connection", "", "connected since %s (%s); version %s", t.Since.Local().Format(time.DateTime), round(now.Sub(t.Since)), t.Version)
	}
	t.examineQueue(now, say)
	if off := time.Duration(t.ClockMS) * time.Millisecond; off.Abs() > farOff {
		say(collector.Warn, "clock", "let both follow one time server", "the plant's clock is %v ahead of the edge's", off)
	} else {
		say(collector.OK, "clock", "", "%v between the plant's clock and the edge's", off)
	}
	t.examineLedger(now, say)
	for _, p := range t.PLCs {
		if p.State == plant.Live {
			say(collector.OK, "plc", "", "%s is live", p.Name)
			continue
		}
		say(collector.Warn, "plc", "on the box: millwright doctor plc -c edge.toml --plc "+p.Name, "%s is %s%s", p.Name, p.State, behind(": ", p.Reason))
	}
	return checks
}

type sayer func(g collector.Grade, name, next, text string, args ...any)

// examineQueue says how much waits, and for how long it will.
func (t *toldEdge) examineQueue(now time.Time, say sayer) {
	if t.Oldest.IsZero() {
		say(collector.OK, "queue", "", "nothing waits")
		return
	}
	age := now.Sub(t.Oldest)
	text := fmt.Sprintf("%s wait on the edge's disk, the oldest for %s", sizeText(t.QueueBytes), round(age))
	switch {
	case t.State == "down":
		say(collector.Warn, "queue", "", "%s, as far as it has said", text)
	case age < oldAge:
		say(collector.OK, "queue", "", "%s", text)
	case t.Ledger != nil && t.Ledger.DoneIn != nil && *t.Ledger.DoneIn > 0:
		say(collector.Warn, "queue", "", "%s; done in about %s", text, round(time.Duration(*t.Ledger.DoneIn*float64(time.Second))))
	default:
		say(collector.Warn, "queue", "see that the historian's disk and the network are not the bottleneck, then look again in a minute", "%s; it is not known yet when it is done", text)
	}
}

// lossNext is what to do about a loss, by its reason.
func lossNext(reason string) (means, next string) {
	switch reason {
	case plant.LossStore:
		return "the plant's store had them and has them no more", "if it was put back from a backup, explain that on the HMI (Edges, Explain); otherwise look at its disk"
	case plant.LossGone:
		return "the edge has lost its queue, with records that were not stored yet", "keep the old disk of the edge: a queue that can be read is still sent; if it is lost, explain that on the HMI (Edges, Explain)"
	case plant.LossContent:
		return "the records came with fewer values than the edge put into them", "look into the historian's log for values that it could not read; compare the versions of edge and plant"
	case plant.LossSurplus:
		return "more is stored than was sent", "see whether two boxes share one name; compare the versions of edge and plant"
	}
	return "the edge does not hold them any more, and they never were stored", "look at the disk of the edge and into both logs for \"cannot be read\"; then explain it on the HMI (Edges, Explain)"
}

// examineLedger holds what was sent against what is stored.
func (t *toldEdge) examineLedger(now time.Time, say sayer) {
	l := t.Ledger
	if l == nil {
		say(collector.Warn, "ledger", "install the plant's version on the edge", "it has not said what it has sent: its version is older, or it has just started")
		return
	}
	if age := now.Sub(l.At); age > longAgo && t.State != "down" {
		say(collector.Warn, "ledger", "see whether status messages of the edge reach the broker", "it said last %s ago what it has sent", round(age))
	}
	var declared uint64
	for _, c := range l.Classes {
		if c.Sent == 0 && c.Stored == 0 {
			continue
		}
		grade := collector.OK
		text := fmt.Sprintf("%s: %d sent, %d stored, %d declared, %d under way", c.Name, c.Sent, c.Stored, c.Declared, c.UnderWay)
		if c.Lost != 0 {
			grade, text = collector.Fail, fmt.Sprintf("%s, %d lost", text, c.Lost)
		}
		if c.Explained > 0 {
			text = fmt.Sprintf("%s, %d lost and explained", text, c.Explained)
		}
		declared += c.Declared
		say(grade, "ledger", "", "%s", text)
	}
	if declared > 0 {
		say(collector.Warn, "ledger", "give the queue more room (queue_max), or look for why the edge was away so long",
			"%d values were thinned out because the queue was full; gaps in the history name tag and span", declared)
	}
	if l.Loss == nil {
		say(collector.OK, "ledger", "", "nothing is lost since %s", l.Since.Local().Format(time.DateTime))
		return
	}
	means, next := lossNext(l.Loss.Reason)
	text := fmt.Sprintf("lost, made between %s and %s: %d records", l.Loss.From.Local().Format(time.DateTime), l.Loss.To.Local().Format(time.DateTime), l.Loss.Records)
	for _, name := range plant.CountNames() {
		if n := l.Loss.Values[name]; n != 0 {
			text += fmt.Sprintf(", %d %s", n, name)
		}
	}
	say(collector.Fail, "ledger", next, "%s%s; %s", text, behind("; numbers ", numbersText(l.Loss.Numbers, l.Loss.Epoch)), means)
}

func numbersText(numbers string, epoch uint64) string {
	if numbers == "" {
		return ""
	}
	return fmt.Sprintf("%s of epoch %d", numbers, epoch)
}

// behind is text with something before it, where there is any.
func behind(before, text string) string {
	if text == "" {
		return ""
	}
	return before + text
}

// round is a duration for people.
func round(d time.Duration) time.Duration {
	if d > time.Minute {
		return d.Round(time.Second)
	}
	return d.Round(100 * time.Millisecond)
}

func sizeText(n uint64) string {
	if n >= 10<<20 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d KiB", (n+1023)>>10)
}
