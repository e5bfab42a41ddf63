package hmi

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"millwright/plant"
)

// Words for the state of an asset, worst first. The first that holds is it.
const (
	assetStale    = "stale"    // no measured tag is live
	assetAlarm    = "alarm"    // one of class alarm or plc is active
	assetWarning  = "warning"  // one of class advisory or system is active
	assetSensor   = "sensor"   // one of class sensor is active
	assetLearning = "learning" // the model is being commissioned
	assetNormal   = "normal"
)

var assetStates = []string{assetStale, assetAlarm, assetWarning, assetSensor, assetLearning, assetNormal}

type assetBody struct {
	Path        string     `json:"path"`
	Name        string     `json:"name"`
	Class       string     `json:"class"`
	Criticality string     `json:"criticality"`
	Health      number     `json:"health"`
	State       string     `json:"state"`
	Mode        *string    `json:"mode"`
	Alarms      int        `json:"alarms"`
	AgeMS       *int64     `json:"age_ms"`
	Score       number     `json:"score"`
	Unacked     int        `json:"unacked"`
	Tags        int        `json:"tags"`
	StaleTags   int        `json:"stale_tags"`
	Model       *modelBody `json:"model"`
	Worst       *worstBody `json:"worst"`

	rank rank
}

// modelBody is a plant.ModelState without its bands.
type modelBody struct {
	Phase   string `json:"phase"`
	Mode    string `json:"mode"`
	Learned number `json:"learned"`
	Limit   number `json:"limit"`
	Guess   bool   `json:"guess"`
}

type worstBody struct {
	ID       int64            `json:"id"`
	Class    plant.Class      `json:"class"`
	State    plant.AlarmState `json:"state"`
	Priority int              `json:"priority"`
	Title    string           `json:"title"`
	Kind     string           `json:"kind"`
	Tag      *string          `json:"tag"`
	Text     *string          `json:"text"`
	Raised   *stamp           `json:"raised"`
}

// rank orders assets by what is wrong with them.
type rank struct {
	State    int // index in assetStates
	Priority int // of the worst alarm; 9 without
	Alarms   int
	Health   float64 // 1 where unknown
	Path     string
}

func (a rank) compare(b rank) int {
	return cmp.Or(cmp.Compare(a.State, b.State), cmp.Compare(a.Priority, b.Priority), cmp.Compare(b.Alarms, a.Alarms),
		cmp.Compare(a.Health, b.Health), strings.Compare(a.Path, b.Path))
}

// assets lists assets, worst first.
func (s *Server) assets(w http.ResponseWriter, r *http.Request) error {
	q := newQuery(r.URL.RawQuery, "asset", "limit", "after")
	limit := q.limit()
	// A page begins behind the rank of the last one's end: an asset whose rank
	// changes between two pages may be seen twice or not at all.
	var behind rank
	position, paged := q.after('r')
	if paged && json.Unmarshal([]byte(position), &behind) != nil {
		q.fail("after", "not a cursor of this list", cursorAllowed)
	}
	if q.err != nil {
		return q.err
	}
	all, err := s.ranked(r.Context(), q.text("asset"))
	if err != nil {
		return err
	}
	if paged {
		all = slices.DeleteFunc(all, func(a assetBody) bool { return a.rank.compare(behind) <= 0 })
	}
	var next *string
	if len(all) > limit {
		all = all[:limit]
		p, err := json.Marshal(all[limit-1].rank)
		if err != nil {
			return fmt.Errorf("rank of %s: %w", all[limit-1].Path, err)
		}
		next = cursor('r', string(p))
	}
	return send(w, struct {
		Assets []assetBody `json:"assets"`
		Next   *string     `json:"next"`
	}{all, next})
}

// ranked judges the asset and all below it.
func (s *Server) ranked(ctx context.Context, asset string) ([]assetBody, error) {
	open, err := s.openAlarms(ctx, asset)
	if err != nil {
		return nil, err
	}
	stock := s.directory.now()
	now := time.Now().UnixNano()
	out := []assetBody{}
	for i := range stock.assets {
		a := &stock.assets[i]
		if !below(a.Path, asset) {
			continue
		}
		m := stock.members[a.Path]
		if m == nil {
			m = &members{}
		}
		b, err := s.judge(ctx, a, m, open[a.Path], now)
		if err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	slices.SortFunc(out, func(a, b assetBody) int { return a.rank.compare(b.rank) })
	return out, nil
}

// openAlarms are the alarms that are not cleared, by asset, the most urgent first.
func (s *Server) openAlarms(ctx context.Context, asset string) (map[string][]plant.Alarm, error) {
	open := map[string][]plant.Alarm{}
	for _, state := range []plant.AlarmState{plant.Unacked, plant.Acked, plant.RtnUnacked} {
		ask := plant.AlarmQuery{State: state, Asset: asset, Limit: maxList}
		for {
			found, next, err := s.Alarms.List(ctx, ask)
			if err != nil {
				return nil, err
			}
			for _, a := range found {
				open[a.Finding.Asset] = append(open[a.Finding.Asset], a)
			}
			if next == "" {
				break
			}
			ask.After = next
		}
	}
	for _, as := range open {
		slices.SortFunc(as, moreUrgent)
	}
	return open, nil
}

var classOrder = []plant.Class{plant.LimitAlarm, plant.PLCAlarm, plant.Advisory, plant.SystemFault, plant.SensorFault}

func moreUrgent(a, b plant.Alarm) int {
	return cmp.Or(cmp.Compare(is(a.State == plant.RtnUnacked), is(b.State == plant.RtnUnacked)),
		cmp.Compare(a.Finding.Priority, b.Finding.Priority),
		cmp.Compare(is(a.State == plant.Acked), is(b.State == plant.Acked)),
		cmp.Compare(slices.Index(classOrder, a.Finding.Class), slices.Index(classOrder, b.Finding.Class)), cmp.Compare(b.Raised, a.Raised), cmp.Compare(a.ID, b.ID))
}

// is makes false come before true.
func is(b bool) int {
	if b {
		return 1
	}
	return 0
}

// judge puts together what is known of one asset. open are its open alarms, the
// most urgent first.
func (s *Server) judge(ctx context.Context, a *plant.Asset, m *members, open []plant.Alarm, now int64) (assetBody, error) {
	b := assetBody{Path: a.Path, Name: a.Name, Class: a.Class, Criticality: a.Criticality, Alarms: len(open),
		Tags: len(m.measured), Health: number(math.NaN()), Score: number(math.NaN())}

	measured, err := s.latest(ctx, m.measured)
	if err != nil {
		return b, err
	}
	newest := int64(math.MinInt64)
	for i := range measured {
		c := &measured[i]
		if c.stale || c.held == heldNothing {
			b.StaleTags++
		}
		if c.held != heldNothing {
			newest = max(newest, c.time)
		}
	}
	if newest != math.MinInt64 {
		age := max(0, (now-newest)/int64(time.Millisecond))
		b.AgeMS = &age
	}

	derived, err := s.latest(ctx, m.derived)
	if err != nil {
		return b, err
	}
	for i := range derived {
		c := &derived[i]
		switch {
		case c.held == heldNothing:
		case m.derived[i] == m.health && m.hasHealth:
			b.Health = number(c.value)
		case m.derived[i] == m.score && m.hasScore:
			b.Score = number(c.value)
		case m.derived[i] == m.mode && m.hasMode:
			b.Mode = optional(c.text)
		case m.derived[i] == m.model && m.hasModel:
			b.Model = parseModel(c.text)
		}
	}

	for i := range open {
		if open[i].State != plant.Acked {
			b.Unacked++
		}
	}
	if len(open) > 0 {
		w := &open[0]
		b.Worst = &worstBody{ID: w.ID, Class: w.Finding.Class, State: w.State, Priority: w.Finding.Priority, Title: w.Finding.Title(),
			Kind: w.Finding.Kind, Tag: optional(w.Finding.Tag), Text: optional(w.Finding.Text), Raised: when(w.Raised)}
	}
	b.State = stateOf(&b, open)
	b.rank = rank{State: slices.Index(assetStates, b.State), Priority: 9, Alarms: b.Alarms, Health: 1, Path: b.Path}
	if b.Worst != nil {
		b.rank.Priority = b.Worst.Priority
	}
	if h := float64(b.Health); !math.IsNaN(h) && !math.IsInf(h, 0) {
		b.rank.Health = h
	}
	return b, nil
}

// stateOf is the first word of assetStates that holds.
func stateOf(b *assetBody, open []plant.Alarm) string {
	if b.StaleTags == b.Tags {
		return assetStale
	}
	active := func(classes ...plant.Class) bool {
		return slices.ContainsFunc(open, func(a plant.Alarm) bool {
			return a.State != plant.RtnUnacked && slices.Contains(classes, a.Finding.Class)
		})
	}
	switch {
	case active(plant.LimitAlarm, plant.PLCAlarm):
		return assetAlarm
	case active(plant.Advisory, plant.SystemFault):
		return assetWarning
	case active(plant.SensorFault):
		return assetSensor
	case b.Model != nil && b.Model.Phase == "learning":
		return assetLearning
	}
	return assetNormal
}

// parseModel reads the text of a $MODEL tag; nil when it is not one.
func parseModel(text string) *modelBody {
	var m modelBody
	if err := json.Unmarshal([]byte(text), &m); err != nil || m.Phase == "" {
		return nil
	}
	return &m
}
