package hmi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"millwright/plant"
)

var (
	errNoRow  = errors.New("there is none")
	errRaced  = errors.New("somebody was faster")
	errBusy   = errors.New("two exports run already")
	errRemote = errors.New("the bundle does not fit the asset")
)

// faults is an error of what was sent.
type faults []string

func (f faults) Error() string    { return strings.Join(f, "; ") }
func (f faults) Faults() []string { return f }

// desk is the alert desk of a works, in memory.
type desk struct {
	mu       sync.Mutex
	rosters  []plant.Roster
	sent     []plant.Message // newest last
	channels []plant.ChannelStatus
	links    map[string]*plant.AckLink
	looked   int // at links
}

func newDesk() *desk {
	return &desk{links: map[string]*plant.AckLink{}, channels: []plant.ChannelStatus{{Name: "mail", Target: "smtp://mail.plant:25", State: "ok", Heartbeat: true}}}
}

func (d *desk) Roster(context.Context) (plant.Roster, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.rosters) == 0 {
		return plant.Roster{}, nil
	}
	return d.rosters[len(d.rosters)-1], nil
}

func (d *desk) RosterAt(_ context.Context, n int64) (plant.Roster, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range d.rosters {
		if r.Revision == n {
			return r, nil
		}
	}
	return plant.Roster{}, fmt.Errorf("roster %d: %w", n, errNoRow)
}

func (d *desk) Revisions(_ context.Context, limit int) (out []plant.Roster, _ error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range slices.Backward(d.rosters) {
		r.People, r.Teams, r.Routes = nil, nil, nil
		out = append(out, r)
	}
	return out[:min(limit, len(out))], nil
}

func (d *desk) SaveRoster(_ context.Context, r plant.Roster, who, note string) (plant.Roster, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r.Revision != int64(len(d.rosters)) {
		return r, fmt.Errorf("roster: %w", errRaced)
	}
	var found faults
	for i, p := range r.People {
		if p.Name == "" {
			found = append(found, fmt.Sprintf("people[%d].name: missing", i))
		}
	}
	if len(found) > 0 {
		return r, fmt.Errorf("roster: %w", found)
	}
	r.Revision, r.Saved, r.SavedBy, r.Note = r.Revision+1, epoch, who, note
	d.rosters = append(d.rosters, r)
	return r, nil
}

func (d *desk) OnCall(_ context.Context, at int64) ([]plant.OnCall, error) {
	return []plant.OnCall{{Team: "mill", People: []string{"ali", "gone"}, Until: at + 3600*second}}, nil
}

func (d *desk) Messages(_ context.Context, q plant.MessageQuery) (out []plant.Message, next string, _ error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := int64(1 << 60)
	if q.After != "" {
		n, err := strconv.ParseInt(q.After, 10, 64)
		if err != nil {
			return nil, "", fmt.Errorf("messages: %w", errCursor)
		}
		before = n
	}
	for _, m := range slices.Backward(d.sent) {
		if m.ID >= before || q.Alarm != 0 && m.Alarm != q.Alarm || q.Person != "" && m.Person != q.Person ||
			q.Channel != "" && m.Channel != q.Channel || q.State != "" && m.State != q.State {
			continue
		}
		if len(out) == q.Limit {
			return out, fmt.Sprint(out[len(out)-1].ID), nil
		}
		out = append(out, m)
	}
	return out, "", nil
}

func (d *desk) Retry(_ context.Context, id int64, who string) (plant.Message, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range d.sent {
		m := &d.sent[i]
		if m.ID != id {
			continue
		}
		if m.State != plant.MessageDead {
			return *m, fmt.Errorf("message %d: %w", id, errRaced)
		}
		m.State, m.Reason = plant.MessagePending, "again, by "+who
		return *m, nil
	}
	return plant.Message{}, fmt.Errorf("message %d: %w", id, errNoRow)
}

func (d *desk) Channels(context.Context) ([]plant.ChannelStatus, error) { return d.channels, nil }

func (d *desk) Test(_ context.Context, channel, address, language, who string) (plant.Message, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	m := plant.Message{ID: int64(len(d.sent) + 1), Purpose: plant.PurposeTest, Channel: channel, Address: address, Language: language,
		State: plant.MessagePending, Created: epoch, Due: epoch, Subject: "Test", Text: "Asked for by " + who}
	d.sent = append(d.sent, m)
	return m, nil
}

func (d *desk) Link(_ context.Context, token string) (plant.AckLink, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.looked++
	l := d.links[token]
	if l == nil {
		return plant.AckLink{}, fmt.Errorf("link: %w", errNoRow)
	}
	return *l, nil
}

func (d *desk) UseLink(_ context.Context, token string) (plant.AckLink, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.links[token]
	if l == nil {
		return plant.AckLink{}, fmt.Errorf("link: %w", errNoRow)
	}
	if !l.Valid {
		return *l, nil
	}
	l.Alarm.State, l.Alarm.AckedBy, l.Alarm.Acked = plant.Acked, l.Person.Name, epoch+600*second
	used := *l
	l.Valid, l.Why = false, "used"
	return used, nil
}

// answers are the labels of a works, in memory.
type answers struct {
	*works
	mu    sync.Mutex
	given []plant.Label
}

func (a *answers) Label(ctx context.Context, l plant.Label) (plant.Label, error) {
	alarm, err := book{a.works}.Get(ctx, l.Alarm)
	if err != nil {
		return l, err
	}
	if l.Verdict == "" {
		return l, fmt.Errorf("label: %w", faults{"verdict: missing", "code: missing"})
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	l.ID, l.Asset, l.Detector, l.At = int64(len(a.given)+1), alarm.Finding.Asset, alarm.Finding.Detector, time.Now().UnixNano()
	if l.From == 0 {
		l.From = alarm.Raised
	}
	if l.To == 0 {
		l.To = alarm.Raised + 60*second
	}
	a.given = append(a.given, l)
	alarm.Label = &l
	a.enter(alarm)
	return l, nil
}

func (a *answers) Unlabel(_ context.Context, id int64, who string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	i := slices.IndexFunc(a.given, func(l plant.Label) bool { return l.ID == id })
	if i < 0 {
		return fmt.Errorf("label %d: %w", id, errNoAlarm)
	}
	a.given = slices.Delete(a.given, i, i+1)
	return nil
}

func (a *answers) Labels(_ context.Context, q plant.LabelQuery) (out []plant.Label, _ error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, l := range slices.Backward(a.given) {
		if q.ID != 0 && l.ID != q.ID || q.Alarm != 0 && l.Alarm != q.Alarm || q.Before != 0 && l.ID >= q.Before || !below(l.Asset, q.Asset) ||
			q.From != 0 && l.To <= q.From || q.To != 0 && l.From >= q.To {
			continue
		}
		if q.Limit == 0 || len(out) < q.Limit {
			out = append(out, l)
		}
	}
	return out, nil
}

func (a *answers) Precision(_ context.Context, asset string, since int64) ([]plant.Precision, error) {
	if since > epoch {
		return nil, nil
	}
	return []plant.Precision{{Asset: gearbox, Detector: "wpca", Alarms: 7, Labelled: 6, Confirmed: 3, NotFault: 1, Process: 1, Duplicate: 1},
		{Asset: "BOF/FAN", Detector: "limit", Alarms: 2}}, nil
}

// shelf is the models of a works, in memory.
type shelf struct {
	mu      sync.Mutex
	rollout plant.Rollout
}

func (s *shelf) Overview(context.Context) (plant.Rollout, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rollout, nil
}

func (s *shelf) Report(_ context.Context, id string) (string, error) {
	if id != "GBX-1" {
		return "", fmt.Errorf("bundle %s: %w", id, errNoRow)
	}
	return "# Report\n", nil
}

func (s *shelf) note(action, id string, assets []string, who, reason string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.Contains(assets, "BOF/FAN") {
		return fmt.Errorf("%s: %w", action, errRemote)
	}
	e := plant.RolloutEntry{At: epoch, Who: who, Action: action, Bundle: id, Assets: assets, Reason: reason}
	s.rollout.History = append([]plant.RolloutEntry{e}, s.rollout.History...)
	return nil
}

func (s *shelf) Shadow(_ context.Context, id string, assets []string, who, reason string) error {
	return s.note("shadow", id, assets, who, reason)
}

func (s *shelf) Promote(_ context.Context, id string, assets []string, who, reason string) error {
	return s.note("promote", id, assets, who, reason)
}

func (s *shelf) Rollback(_ context.Context, assets []string, who, reason string) error {
	return s.note("rollback", "", assets, who, reason)
}

func (s *shelf) Files() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/metadata/root.json" {
			http.NotFound(w, r)
			return
		}
		io.WriteString(w, `{"signed":{}}`)
	})
}

// exported is a small export.
func exported(_ context.Context, w http.ResponseWriter, values url.Values) error {
	if values.Get("format") != "csv" {
		return fmt.Errorf("export: %w", faults{"format: csv is all there is"})
	}
	w.Header().Set("Content-Type", "text/csv")
	w.Header().Set("Content-Disposition", `attachment; filename="x.csv"`)
	w.Header().Set("Millwright-Rows", "1")
	_, err := io.WriteString(w, "t,v\n1,2\n")
	return err
}

// excuses takes any word for a loss.
type excuses struct{}

func (excuses) Explain(context.Context, string, string, string) error { return nil }

// outfit gives a server all the parts that a works may lack.
func outfit(s *Server, w *works) {
	s.Labels, s.Alerts, s.Models, s.Orders, s.Export = &answers{works: w}, newDesk(), &shelf{}, &orderBook{}, exported
	s.Boxes, s.Ledger = &rack{}, excuses{}
	s.Causes = func(*plant.Asset, plant.Finding) []plant.Cause {
		return []plant.Cause{{Mode: "bearing", Name: "Bearing defect", Score: 0.8, Present: []string{"VIB_ENV up"}, Absent: []string{}}}
	}
	s.Refusals = map[error]int{errNoAlarm: 404, errMoved: 409, errNoRow: 404, errRaced: 409, errBusy: 429, errRemote: 409, errCursor: 400, errGone: 410}
}

func (s *site) desk() *desk       { return s.Alerts.(*desk) }
func (s *site) answers() *answers { return s.Server.Labels.(*answers) }
func (s *site) shelf() *shelf     { return s.Server.Models.(*shelf) }

const fullRoster = `{"revision":0,"note":"first","people":[
	{"id":"ali","name":"Ali Raza","language":"ur","user":"ali","contacts":[{"channel":"sms","address":"+923001234567"},{"channel":"mail","address":"ali@plant.example"},
		{"channel":"webhook","address":"siren"},{"channel":"ntfy","address":"mill-crew-x7"}],"quiet":{"from":"22:00","to":"06:00","zone":"Asia/Karachi","passes":2}},
	{"id":"ivan","name":"Иван","language":"ru","contacts":[]}],
	"teams":[{"id":"mill","name":"Mill crew","zone":"Asia/Karachi","rotations":[{"people":["ali","ivan"],"start":"2026-11-30T06:00","hours":12,"days":["mon"],"from":"06:00","to":"18:00"}],
		"overrides":[{"person":"ivan","from":"2026-12-01T00:00:00Z","to":"2026-12-02T00:00:00Z","note":"swap"}]}],
	"routes":[{"id":"all","area":"HSM","classes":["alarm"],"priority":2,"steps":[{"wait_s":0,"teams":["mill"]},{"wait_s":300,"people":["ivan"],"channels":["sms"]}],"repeat":1}]}`

// fullRollout has something of everything.
func fullRollout() plant.Rollout {
	return plant.Rollout{Ready: true,
		Assets: []plant.AssetModels{
			{Asset: gearbox, Edge: "demo", Wanted: "GBX-1", Shadow: "GBX-2", Previous: plant.LearnedModel,
				Status: &plant.ModelStatus{Asset: gearbox, Running: "GBX-1", Shadow: "GBX-2", Fallback: "nan", Since: epoch},
				Drift:  &plant.Drift{PSI: 0.12, Rows: 5000, State: "watch"}, Compare: &plant.Comparison{From: epoch, To: epoch + second, Both: 3, OnlyActive: 1, OnlyShadow: 2, PerWeek: 0.7}},
			{Asset: "NEW/X", Edge: "demo", Wanted: plant.LearnedModel}},
		Bundles: []plant.Bundle{{ID: "GBX-1", Version: 1, Kind: "autoencoder", Asset: gearbox, Class: "gearbox", Tags: []string{vibration}, Modes: []string{"rolling"}, Window: 60,
			From: epoch, To: epoch + second, Rows: 10, Hash: "ab", Author: "anna", Created: epoch, Size: 5, SHA256: "cd", Budget: 1, Metrics: map[string]float64{"found": 0.9, "lead_h": math.NaN()}}},
		History: []plant.RolloutEntry{{At: epoch, Who: "anna", Action: "push", Bundle: "GBX-1"}}}
}
