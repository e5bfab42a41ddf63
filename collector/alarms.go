package collector

import (
	"cmp"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gopcua/opcua/id"

	"millwright/plant"
)

const (
	mostAlarms = 2000             // of a PLC that are followed; beyond that they are only counted
	calmTime   = 10 * time.Second // between two words on the same condition, except the one that it is over
	floodKey   = "flood"          // no node id is written so

	// What a PLC may raise: a burst, then ten in a minute, which is more than an
	// operator can follow (ISA-18.2 calls ten in ten minutes a flood). Part of the
	// burst is kept for what is urgent.
	burst      = 100
	urgentPart = 20
	perRaise   = 6 * time.Second
)

// alarms are the PLC's own alarms, as its server tells of them (OPC 10000-9).
// What is active becomes findings; the server's conditions are only looked at:
// acknowledging happens in the plant's alarm book.
//
// A condition stays in the file until the finding that it is over is durable, and
// is there before the server may forget the event that opened it. A process that
// starts again therefore knows all that the book may have open, asks the server to
// say again what is active (ConditionRefresh), and ends what it does not repeat.
type alarms struct {
	on    bool
	plc   string
	home  string // asset of what belongs to none
	least uint16 // severity
	calm  time.Duration
	log   *slog.Logger
	place places

	known  map[string]*condition // by asset and key
	ended  map[string]ending     // of late, in the same way
	going  []going               // over, but not durably so
	beyond bool                  // there were more than mostAlarms

	tokens float64 // raises that are free
	filled time.Time
	flood  plant.Finding // as the plant has it; Phase "" where it has none
	told   time.Time     // when
	held   time.Time     // when alarms were held back last

	refresh refreshing
	file    alarmsFile
}

// condition is one condition that is active, or one branch of it.
type condition struct {
	now  plant.Finding // as the server has it
	told plant.Finding // as the plant has it; Phase "" where it has not
	at   time.Time     // when it was told; zero: by a process before this one
	seen bool          // since the refresh began
}

// waits reports whether the plant is to be told of k.
func (k *condition) waits() bool {
	return k.told.Phase == "" || k.now.Priority != k.told.Priority || k.now.Text != k.told.Text
}

// ending is when a condition was over: source time, and ours.
type ending struct {
	time int64
	at   time.Time
}

// going is a condition whose end is on its way.
type going struct {
	openCondition
	batch uint64 // that says so, 0: the one in the making
}

func newAlarms(s *Source, log *slog.Logger) *alarms {
	return &alarms{on: s.Conditions, plc: s.Name, home: cmp.Or(s.Home, s.Name), least: s.ConditionSeverity, calm: cmp.Or(s.calm, calmTime), log: log, place: places{tags: s.Tags},
		known: map[string]*condition{}, ended: map[string]ending{}, tokens: burst, refresh: refreshing{wanted: s.Conditions}}
}

// bookKey is what the alarm book knows a finding by.
func bookKey(f *plant.Finding) string { return f.Asset + "\n" + f.Key }

// priority of a severity, by the bands of OPC 10000-5, 6.4.2.
func priority(severity uint16) int {
	switch {
	case severity > 800:
		return 1
	case severity > 600:
		return 2
	case severity > 400:
		return 3
	}
	return 4
}

// take takes an event of the server and adds what it means to the batch.
func (c *alarms) take(b *plant.Batch, v *event, arrived int64) {
	switch {
	case !c.on:
	case v.kind == id.RefreshStartEventType:
		if c.refresh.begin() {
			for _, k := range c.known {
				k.seen = false
			}
		}
	case v.kind == id.RefreshEndEventType:
		if c.refresh.end() {
			c.refreshed(b, v.at(arrived))
		}
	case v.kind == id.RefreshRequiredEventType:
		c.refresh.require()
	default:
		c.heard(b, v, arrived, time.Now())
	}
}

// heard takes the state of a condition.
func (c *alarms) heard(b *plant.Batch, v *event, arrived int64, now time.Time) {
	f := c.finding(v, arrived)
	which := bookKey(&f)
	k := c.known[which]
	switch active := v.retain && v.active && !v.disabled && v.severity >= c.least; {
	case !active && k == nil:
		return
	case !active:
		c.over(b, which, f.Time, now)
		return
	case k == nil && len(c.known) >= mostAlarms:
		if !c.beyond {
			c.log.Warn("more alarms are active in the PLC than are followed", "most", mostAlarms)
		}
		c.beyond = true
		return
	case k == nil:
		k = &condition{}
		c.known[which] = k
		c.file.dirty = true
	}
	k.now, k.seen = f, true
	c.say(b, k, now)
}

// finding is the event as the plant says it.
func (c *alarms) finding(v *event, arrived int64) plant.Finding {
	f := plant.Finding{Key: c.prefix() + c.place.name(v.condition), Kind: plant.KindPLCAlarm, Class: plant.PLCAlarm, Phase: plant.Raise,
		Detector: string(plant.PLCAlarm), Time: v.at(arrived), Score: float64(v.severity), Priority: priority(v.severity), Text: v.message, Condition: v.sourceName}
	if v.branch != nil {
		f.Key += "/" + c.place.name(v.branch)
	}
	if v.name != "" && v.name != v.sourceName {
		f.Condition = strings.TrimPrefix(v.sourceName+" / "+v.name, " / ")
	}
	f.Asset, f.Tag = c.place.of(v.source, v.sourceName)
	f.Asset = cmp.Or(f.Asset, c.home)
	return f
}

// prefix begins the key of every finding.
func (c *alarms) prefix() string { return "plc/" + c.plc + "/" }

// say hands on what is new of k, if it may now.
func (c *alarms) say(b *plant.Batch, k *condition, now time.Time) {
	f := k.now
	switch {
	case k.told.Phase == "":
		which := bookKey(&f)
		end, was := c.ended[which]
		if was && now.Sub(end.at) < c.calm || !c.free(f.Priority, now) {
			return
		}
		if was { // a raise that is not after the end would be taken for what is over
			f.Time = max(f.Time, end.time+oneMilli)
			delete(c.ended, which)
		}
	case k.at.IsZero(): // how it is now
	case !k.waits() || now.Sub(k.at) < c.calm:
		return
	default:
		f.Phase = plant.Update
	}
	f.Time = max(f.Time, k.told.Time)
	k.told, k.at = f, now
	b.Findings = append(b.Findings, f)
}

// over ends a condition at a source time. The finding keeps its words.
func (c *alarms) over(b *plant.Batch, which string, at int64, now time.Time) {
	k := c.known[which]
	delete(c.known, which)
	c.file.dirty = true
	if k.told.Phase == "" {
		return // nobody was told of it
	}
	f := k.told
	f.Phase, f.Time = plant.Clear, max(at, k.told.Time)
	c.end(b, f)
	if len(c.ended) >= mostAlarms {
		clear(c.ended)
	}
	c.ended[which] = ending{f.Time, now}
}

// end hands on a finding that something is over, which is in the file until that
// is durable.
func (c *alarms) end(b *plant.Batch, f plant.Finding) {
	b.Findings = append(b.Findings, f)
	c.going = append(c.going, going{openCondition: openCondition{f.Asset, f.Key, f.Time}})
	c.file.dirty = true
}

// refreshed ends what the server has not repeated.
func (c *alarms) refreshed(b *plant.Batch, at int64) {
	now := time.Now()
	open, gone := len(c.known), 0
	for _, which := range slices.Sorted(maps.Keys(c.known)) {
		if !c.known[which].seen {
			c.over(b, which, at, now)
			gone++
		}
	}
	c.log.Info("the PLC has said which of its alarms are active", "active", open-gone, "over", gone)
}

// due does what is due by time: it raises what was held back, the most urgent
// first, and tells what has changed, and of a flood.
func (c *alarms) due(b *plant.Batch, now time.Time) {
	if !c.on { // what is known is of a time when it was
		for _, which := range slices.Sorted(maps.Keys(c.known)) {
			c.over(b, which, plant.Millis(now.UnixNano()), now)
		}
		c.flooded(b, 0, 0, now)
		return
	}
	var waiting []*condition
	for _, k := range c.known {
		if k.waits() {
			waiting = append(waiting, k)
		}
	}
	slices.SortFunc(waiting, func(a, b *condition) int {
		return cmp.Or(cmp.Compare(a.now.Priority, b.now.Priority), cmp.Compare(a.now.Time, b.now.Time), cmp.Compare(a.now.Key, b.now.Key))
	})
	held, worst := 0, 4
	for _, k := range waiting {
		c.say(b, k, now)
		if end := c.ended[bookKey(&k.now)]; k.told.Phase == "" && now.Sub(end.at) >= c.calm {
			held++
			worst = min(worst, k.now.Priority)
		}
	}
	if c.beyond && len(c.known) < mostAlarms/2 {
		c.beyond = false
		c.refresh.require()
	}
	if c.beyond {
		held++
	}
	c.flooded(b, held, worst, now)
}

// flooded tells the plant that alarms are held back, and how urgent the worst is.
func (c *alarms) flooded(b *plant.Batch, held, worst int, now time.Time) {
	f := plant.Finding{Asset: c.home, Key: c.prefix() + floodKey, Kind: plant.KindPLCFlood, Class: plant.PLCAlarm, Detector: string(plant.PLCAlarm),
		Phase: plant.Raise, Time: max(plant.Millis(now.UnixNano()), c.flood.Time+oneMilli), Score: float64(held), Priority: worst}
	if held > 0 {
		c.held = now
	}
	switch open := c.flood.Phase != ""; {
	case held == 0 && !open, held > 0 && open && (worst == c.flood.Priority || now.Sub(c.told) < c.calm):
		return
	case held == 0 && c.on && now.Sub(c.held) < 6*c.calm:
		return // it may go on: one is let through now and then
	case held == 0:
		f.Asset, f.Phase, f.Priority = c.flood.Asset, plant.Clear, c.flood.Priority
		c.end(b, f)
		c.flood = plant.Finding{Time: f.Time}
		return
	case open:
		f.Phase = plant.Update
	default:
		c.log.Warn("many alarms in the PLC: some are held back and told as there is room, the most urgent first", "held", held)
	}
	b.Findings = append(b.Findings, f)
	c.flood, c.told = f, now
	c.file.dirty = true
}

// free takes a token for a raise of a priority, if there is one.
func (c *alarms) free(priority int, now time.Time) bool {
	if !c.filled.IsZero() {
		c.tokens = min(burst, c.tokens+now.Sub(c.filled).Seconds()/perRaise.Seconds())
	}
	c.filled = now
	keep := 0.0
	if priority > 1 {
		keep = urgentPart
	}
	if c.tokens < keep+1 {
		return false
	}
	c.tokens--
	return true
}
