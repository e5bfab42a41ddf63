package edge

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"millwright/edge/queue"
	"millwright/edge/uplink"
	"millwright/plant"
)

// plcPatience is how long a PLC may be away before it is told as a finding:
// longer than a reconnect takes, shorter than a shift's attention.
const plcPatience = 10 * time.Second

// Devices is what the births announce. A PLC's devices are alive while its
// connection delivers; those of the models, and of PLCs that have left the
// configuration but still have records queued, always.
func (a *Agent) Devices() []uplink.Device {
	byName := a.Queue.Handles()
	out := make([]uplink.Device, 0, len(byName))
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		d := uplink.Device{Name: name, Alive: true, Tags: byName[name]}
		for i := range a.PLCs {
			p := &a.PLCs[i]
			if name == p.Name || strings.HasPrefix(name, p.Name+"-") {
				d.Alive = alive(p.Source.Status().State)
			}
		}
		out = append(out, d)
	}
	return out
}

func alive(s plant.PLCState) bool {
	return s == plant.Live || s == plant.CatchingUp || s == plant.Backfilling
}

// Status is what the edge knows of itself. Uplink counters are the uplink's to add.
func (a *Agent) Status() plant.EdgeStatus {
	q := a.Queue.Stats()
	s := plant.EdgeStatus{
		Name: a.Name, Version: a.Version,
		QueueBytes: q.Bytes, Oldest: q.Oldest, Acked: q.Settled, Declared: q.Declared,
		Queue: backlog(&q),
	}
	for i := range a.PLCs {
		s.PLCs = append(s.PLCs, a.PLCs[i].Source.Status())
	}
	if a.Models != nil {
		s.Models = a.Models()
	}
	if a.Orders != nil {
		s.Orders = a.Orders()
	}
	return s
}

// backlog is what the queue says of itself, for the plant.
func backlog(q *queue.Stats) *plant.Backlog {
	b := &plant.Backlog{
		Full: q.Full, Salvage: q.Salvage, Salvaged: q.Salvaged, Lost: q.Lost,
		Queued: q.Queued, Written: q.Written, Syncs: q.Syncs, DayBytes: q.DayBytes, PackedGain: q.Packing,
	}
	for ln := range q.Lanes {
		x := &q.Lanes[ln]
		b.Classes = append(b.Classes, plant.BacklogClass{
			Name: queue.Lane(ln).String(), Bytes: x.Bytes, Records: x.Records, Oldest: x.Oldest,
			Quota: x.Quota.Bytes, MaxAge: int64(x.Quota.Age / time.Second), Fill: x.Fill, Hours: x.Hours, State: x.State,
			Declared: x.Declared,
		})
	}
	return b
}

// watch tells the uplink of every change of a PLC's connection, and the plant of
// one that stays away.
func (a *Agent) watch(ctx context.Context, p *PLC) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	was := p.Source.Status()
	a.tellState(p, was)
	seen, patient := time.Now(), time.Time{}
	var security security
	var quarantine quarantine
	var described description
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.Source.Changed():
		case <-tick.C:
		}
		now := p.Source.Status()
		if now.State != was.State || now.Reason != was.Reason {
			level := slog.LevelInfo
			if now.State == plant.Stale || now.State == plant.Down {
				level = slog.LevelWarn
			}
			a.Log.Log(ctx, level, "plc", "name", p.Name, "state", now.State, "reason", now.Reason)
			a.Uplink.Changed()
		}
		was = now
		a.tellState(p, now)
		// A clock that is set makes every moment of before seem long ago, or to come.
		at := time.Now()
		if set := at.Round(0).Sub(seen.Round(0)) - at.Sub(seen); set.Abs() > time.Second {
			patient = at.Add(plcPatience)
		}
		if seen = at; at.After(patient) {
			a.judge(p.Name, now)
		}
		for _, f := range security.judge(a.Name+"/"+p.Name, now, time.Now()) {
			a.Tell(f)
		}
		a.describe(p, &described, time.Now())
		for _, f := range quarantine.judge(a.Name+"/"+p.Name, now, time.Now()) {
			a.Tell(f)
		}
	}
}

// judge raises and clears the finding that a PLC is away.
func (a *Agent) judge(name string, s plant.PLCStatus) {
	a.mu.Lock()
	_, told := a.away[name]
	a.mu.Unlock()
	// A source that has not begun yet has no Since.
	gone := !alive(s.State) && s.Since != 0 && time.Since(time.Unix(0, s.Since)) > plcPatience
	if gone == told || !gone && !alive(s.State) {
		return
	}
	f := plant.Finding{
		Asset: a.Name + "/" + name, Key: "plc", Kind: plant.KindPLC, Class: plant.SystemFault,
		Phase: plant.Raise, Detector: "edge", Priority: 2,
	}
	a.mu.Lock()
	if gone {
		a.away[name] = s.Since
	} else {
		f.Phase = plant.Clear
		delete(a.away, name)
	}
	a.mu.Unlock()
	a.Tell(f)
}
