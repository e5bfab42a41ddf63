package notify

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"millwright/plant"
)

const (
	batch  = 256             // journal entries in one transaction
	tick   = time.Minute     // the clock is looked at so often at least
	glance = 5 * time.Second // and so often while something fails
)

// planner plans what the journal and the clock ask for.
func (d *Desk) planner(ctx context.Context) {
	pause := time.NewTimer(0)
	defer pause.Stop()
	pruned := time.Now()
	looked, ahead := pruned, true // perhaps the clock was set back while nobody looked
	for all := true; ; {
		if now := time.Now(); ahead || backwards(looked.UnixNano(), now.UnixNano(), now.Sub(looked)) {
			if !ahead {
				d.Log.Warn("the clock was set back; what waits is put right")
			}
			if err := d.rewind(ctx); err != nil && ctx.Err() == nil {
				d.Log.Error("times that are ahead cannot be put right; trying again", "err", err)
				ahead = true
			} else {
				ahead = false
			}
		}
		looked = time.Now()
		changed := d.Alarms.Changed() // before reading: nothing is missed
		next, err := d.advance(ctx, all)
		if ctx.Err() != nil {
			return
		}
		wait := tick
		switch now := time.Now().UnixNano(); {
		case err != nil:
			d.Log.Error("planning of alerts failed; trying again", "err", err)
			wait = time.Second
		case next != 0 && next < now+int64(tick):
			wait = time.Duration(max(0, next-now))
		}
		if time.Since(pruned) > 24*time.Hour {
			pruned = time.Now()
			if err := d.prune(ctx); err != nil && ctx.Err() == nil {
				d.Log.Error("old messages cannot be removed", "err", err)
			}
		}
		pause.Reset(wait)
		all = true
		select {
		case <-ctx.Done():
			return
		case <-changed:
			all = err != nil
			if err != nil {
				<-pause.C // not in a circle
			}
		case <-d.kick:
		case <-pause.C:
		}
	}
}

// advance plans what the journal asks for by now, with all also what the clock
// does, and says when there is more.
func (d *Desk) advance(ctx context.Context, all bool) (next int64, err error) {
	for more := true; more; {
		if more, err = d.follow(ctx); err != nil {
			return 0, err
		}
	}
	if next, err = d.nextDue(ctx); err != nil || !all && (next == 0 || next > time.Now().UnixNano()) {
		return next, err
	}
	for more := true; more; {
		if more, err = d.timers(ctx); err != nil {
			return 0, err
		}
	}
	return d.nextDue(ctx)
}

// follow plans a batch of journal entries: what they cause and the step of the
// cursor over them are one transaction.
func (d *Desk) follow(ctx context.Context) (more bool, err error) {
	var cursor, first int64
	if err := d.db.QueryRowContext(ctx, `SELECT cursor, first FROM desk`).Scan(&cursor, &first); err != nil {
		return false, err
	}
	events, err := d.Alarms.Events(ctx, uint64(cursor), batch)
	if err != nil {
		return false, err
	}
	if len(events) == 0 && first == 0 {
		return false, nil
	}
	// What the alarms that begin are by now: nobody is told what is history.
	latest := map[int64]plant.Alarm{}
	for i := range events {
		if _, known := latest[events[i].ID]; known || events[i].State != plant.Unacked {
			continue
		}
		a, err := d.Alarms.Get(ctx, events[i].ID)
		if err != nil {
			if ctx.Err() != nil {
				return false, err
			}
			d.Log.Error("an alarm of the journal cannot be read; taking it as the entry has it", "alarm", events[i].ID, "err", err)
			a = events[i]
		}
		latest[events[i].ID] = a
	}
	more = len(events) == batch
	err = d.plan(ctx, func(p *plan) error {
		p.first = first != 0
		for i := range events {
			if err := p.entry(&events[i], latest[events[i].ID]); err != nil {
				return fmt.Errorf("journal entry %d: %w", events[i].Seq, err)
			}
			cursor = int64(events[i].Seq)
		}
		if !more {
			first = 0
		}
		_, err := p.tx.ExecContext(ctx, `UPDATE desk SET cursor = ?, first = ?`, cursor, first)
		return err
	})
	return more, err
}

// timers plans what the clock asks for.
func (d *Desk) timers(ctx context.Context) (more bool, err error) {
	var revision int64
	err = d.plan(ctx, func(p *plan) error {
		if revision = p.roster.Revision; revision != d.routed {
			if err := p.reroute(); err != nil {
				return err
			}
		}
		due, err := p.due()
		if err != nil {
			return err
		}
		more = len(due) == batch
		for _, e := range due {
			if e.again != 0 && e.again <= p.now && e.alarm.State == plant.Unacked {
				if err := p.afresh(e, "told anew"); err != nil {
					return err
				}
			}
			if err := p.climb(e); err != nil {
				return err
			}
		}
		if err := p.release(); err != nil {
			return err
		}
		if err := p.fall(); err != nil {
			return err
		}
		return p.beat()
	})
	if err == nil {
		d.routed = revision
	}
	return more, err
}

// nextDue is when the clock next asks for something, 0 where it does not.
func (d *Desk) nextDue(ctx context.Context) (int64, error) {
	var next sql.NullInt64
	err := d.db.QueryRowContext(ctx, `SELECT min(due) FROM (
		SELECT min(due) AS due FROM episode WHERE due > 0 UNION ALL
		SELECT min(again) FROM episode WHERE again > 0 AND state = 'unacked' UNION ALL
		SELECT min(due) FROM message WHERE state = 'held')`).Scan(&next)
	if err != nil {
		return 0, err
	}
	fall, err := d.nextFall(ctx)
	for _, at := range []int64{fall, d.nextBeat(time.Now())} {
		if at != 0 && (!next.Valid || at < next.Int64) {
			next = sql.NullInt64{Int64: at, Valid: true}
		}
	}
	return next.Int64, err
}

// plan is one transaction of the planner.
type plan struct {
	*Desk
	ctx    context.Context
	tx     *sql.Tx
	now    int64 // ns UTC
	roster *roster
	first  bool // the journal has never been read to its end
}

func (d *Desk) plan(ctx context.Context, f func(p *plan) error) error {
	err := d.write(ctx, func(tx *sql.Tx) error {
		return f(&plan{Desk: d, ctx: ctx, tx: tx, now: time.Now().UnixNano(), roster: d.roster.Load()})
	})
	if err == nil {
		d.wakeLanes()
	}
	return err
}
