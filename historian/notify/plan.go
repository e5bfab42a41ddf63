package notify

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"millwright/plant"
)

const (
	batch   = 256              // journal entries in one transaction
	ancient = time.Hour        // at the very first start, alarms raised longer ago are left alone
	tick    = time.Minute      // the clock is looked at so often at least
	glance  = 5 * time.Second  // and so often while something fails
	calm    = 10 * time.Minute // recurrences in so long, chattering of them, are one message
	chatter = 3
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

// episode is where the escalation of an alarm stands. Step, lap and due are all 0
// where no ladder was begun, or somebody acknowledged.
type episode struct {
	alarm   plant.Alarm // as its last planned journal entry left it
	number  int64       // each time that people are told anew is another
	step    int         // of the ladder, the next one
	lap     int         // how often the ladder was climbed before
	due     int64       // when the next step goes; 0: none does; below 0: the condition is away, at -due once it is back
	recurs  []int64     // source times of its latest recurrences
	damped  int64       // it chatters: nobody is told the same step again before
	again   int64       // then they are, if it is there; 0: nothing was kept from them
	urgency int         // the most urgent priority that was told or acknowledged; 0: none
	acked   uint64      // journal entry of the acknowledgement
}

// begun says that the ladder was begun and nobody has acknowledged since.
func (e *episode) begun() bool { return e.step != 0 || e.lap != 0 || e.due != 0 }

const episodeColumns = `number, step, lap, due, recurs, damped, again, urgency, acked, body`

// episode reads where an alarm's escalation stands; nil: it has none yet.
func (p *plan) episode(alarm int64) (*episode, error) {
	e, err := scanEpisode(p.tx.QueryRowContext(p.ctx, `SELECT `+episodeColumns+` FROM episode WHERE alarm = ?`, alarm))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return e, err
}

func scanEpisode(s interface{ Scan(...any) error }) (*episode, error) {
	var e episode
	var recurs, body string
	if err := s.Scan(&e.number, &e.step, &e.lap, &e.due, &recurs, &e.damped, &e.again, &e.urgency, &e.acked, &body); err != nil {
		return nil, err
	}
	return &e, errors.Join(json.Unmarshal([]byte(recurs), &e.recurs), json.Unmarshal([]byte(body), &e.alarm))
}

func (p *plan) keep(e *episode) error {
	recurs, err := json.Marshal(e.recurs)
	if err != nil {
		return err
	}
	body, err := json.Marshal(&e.alarm)
	if err != nil {
		return err
	}
	_, err = p.tx.ExecContext(p.ctx, `INSERT OR REPLACE INTO episode(alarm, state, `+episodeColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		e.alarm.ID, string(e.alarm.State), e.number, e.step, e.lap, e.due, string(recurs), e.damped, e.again, e.urgency, e.acked, string(body))
	return err
}

// due are episodes whose next step is due.
func (p *plan) due() ([]*episode, error) {
	return p.episodes(`due > 0 AND due <= ?1 OR again > 0 AND again <= ?1 AND state = 'unacked' ORDER BY due LIMIT ?2`, p.now, batch)
}

func (p *plan) episodes(which string, args ...any) ([]*episode, error) {
	rows, err := p.tx.QueryContext(p.ctx, `SELECT `+episodeColumns+` FROM episode WHERE `+which, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []*episode
	for rows.Next() {
		e, err := scanEpisode(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, rows.Err()
}

// entry plans what a journal entry causes. latest is the alarm by now, where it
// was unacknowledged after the entry.
func (p *plan) entry(a *plant.Alarm, latest plant.Alarm) error {
	e, err := p.episode(a.ID)
	if err != nil {
		return err
	}
	fresh := e == nil
	if fresh {
		e = &episode{}
	}
	was := e.alarm
	e.alarm = *a
	switch {
	case a.State == plant.Acked || a.State == plant.Cleared:
		e.step, e.lap, e.due, e.again = 0, 0, 0, 0
		if !fresh && a.Count == was.Count && !open(was.State) {
			if was.State == plant.Acked && a.State == plant.Cleared {
				if err := p.returned(e, true); err != nil {
					return err
				}
			}
			return p.beyond(e)
		}
		e.urgency, e.acked = priority(&a.Finding), a.Seq
		if err := p.keep(e); err != nil {
			return err
		}
		return p.taken(e)
	case a.State == plant.RtnUnacked:
		e.due = -max(e.due, -e.due) // kept for when it comes back
		if err := p.keep(e); err != nil || was.State == plant.RtnUnacked {
			return err
		}
		return p.ended(e)
	case fresh || a.Count > was.Count:
		return p.begin(e, &was, latest)
	case e.worse(&was):
		return p.worse(e, &was)
	}
	return p.keep(e)
}

// worse says that an alarm is more urgent than it was and than all that was told
// of it. One that goes up and down between two priorities is that once.
func (e *episode) worse(was *plant.Alarm) bool {
	is := priority(&e.alarm.Finding)
	return is < priority(&was.Finding) && (e.urgency == 0 || is < e.urgency)
}

// begin plans for an alarm that is raised, or raised again. Where nobody has
// acknowledged it since, those who were told are told again, and the ladder is
// climbed on from where it stood.
func (p *plan) begin(e *episode, was *plant.Alarm, latest plant.Alarm) error {
	a := &e.alarm
	if a.Count > 1 {
		e.recurs = append(e.recurs, a.Raised)
		for len(e.recurs) > 0 && e.recurs[0] <= a.Raised-int64(calm) || len(e.recurs) > 100 {
			e.recurs = e.recurs[1:]
		}
	}
	switch {
	case p.first && p.now-a.Raised > int64(ancient):
		return p.keep(e) // of a time before this desk
	case latest.Count > a.Count, latest.State == plant.Acked, latest.State == plant.Cleared:
		return p.keep(e) // history: what followed comes as a later entry
	case latest.State == plant.RtnUnacked && p.now-latest.Returned > int64(p.Limits.Ended):
		return p.keep(e)
	}
	if e.due < 0 {
		e.due = max(-e.due, p.now)
	}
	chatters := len(e.recurs) >= chatter
	switch {
	case !e.begun():
		e.urgency = 0
		if err := p.supersede(e, "the condition came back"); err != nil {
			return err
		}
		return p.restart(e)
	case e.worse(was):
		return p.worse(e, was)
	case chatters && p.now < e.damped:
		if err := p.damp(e); err != nil {
			return err
		}
		return p.climb(e)
	case chatters:
		e.damped = p.now + int64(calm)
	}
	if err := p.afresh(e, "the condition came back"); err != nil {
		return err
	}
	return p.climb(e)
}

// restart climbs the ladder of an alarm from its first step.
func (p *plan) restart(e *episode) error {
	e.number++
	e.step, e.lap, e.due = 0, 0, p.now
	if p.roster.route(&e.alarm) == nil {
		p.unrouted.Add(1)
		p.saidUnrouted.Do(func() {
			p.Log.Warn("an alarm matches no route: nobody is told of it and of others like it; see the roster", "alarm", e.alarm.ID, "asset", e.alarm.Finding.Asset)
		})
	}
	return p.climb(e)
}

// worse plans for an unacknowledged alarm that is more urgent than was told. On
// the same route those who were told are told again and the climb goes on;
// another route is another ladder.
func (p *plan) worse(e *episode, was *plant.Alarm) error {
	const why = "more urgent meanwhile"
	if e.begun() && p.roster.route(was) == p.roster.route(&e.alarm) {
		if err := p.afresh(e, why); err != nil {
			return err
		}
		return p.climb(e)
	}
	if err := p.supersede(e, why); err != nil {
		return err
	}
	return p.restart(e)
}

// beyond plans for an entry of an alarm that was acknowledged before. Where it is
// more urgent than what was acknowledged, its first step is told once: whoever
// took it has accepted something lesser.
func (p *plan) beyond(e *episode) error {
	rt := p.roster.route(&e.alarm)
	if e.alarm.State != plant.Acked || priority(&e.alarm.Finding) >= e.urgency || rt == nil || rt.Mute {
		return p.keep(e)
	}
	e.number++
	for i := range rt.Steps {
		once := *e
		once.step = i
		targets := p.roster.targets(rt, i, time.Unix(0, p.now), p.able)
		for _, t := range targets {
			if err := p.tell(&once, t); err != nil {
				return err
			}
		}
		if e.urgency = once.urgency; len(targets) > 0 {
			break
		}
	}
	return p.keep(e)
}

// afresh tells all whom the ladder has told so far, with what is true now.
func (p *plan) afresh(e *episode, why string) error {
	if err := p.supersede(e, why); err != nil {
		return err
	}
	e.number++
	e.again = 0
	return p.repeat(e, func(*target) (bool, error) { return true, nil })
}

// damp plans for a recurrence of an alarm that chatters: whoever was told is left
// alone until the damping ends. What is on its way tells of this time, and who
// was not told because it went away first is.
func (p *plan) damp(e *episode) error {
	e.number++
	e.again = e.damped
	for _, q := range []string{
		`UPDATE message SET state = 'cancelled', reason = 'the condition came back' WHERE ` + untold + ` AND alarm = ?1 AND purpose = 'return'`,
		`UPDATE told SET count = ?2 WHERE alarm = ?1 AND message IN (SELECT id FROM message WHERE ` + untold + `)`,
	} {
		if _, err := p.tx.ExecContext(p.ctx, q, e.alarm.ID, e.alarm.Count); err != nil {
			return err
		}
	}
	return p.repeat(e, func(t *target) (bool, error) {
		if t.contact.Channel == webhook {
			return true, nil
		}
		var n int
		err := p.tx.QueryRowContext(p.ctx, `SELECT count(*) FROM message JOIN told ON message = id WHERE told.alarm = ? AND person = ?
			AND purpose IN ('alarm', 'more', 'digest') AND state <> 'cancelled' AND created >= ?`, e.alarm.ID, t.person.ID, e.damped-int64(calm)).Scan(&n)
		return n == 0, err
	})
}

// repeat tells those again whom the ladder has told so far, each once.
func (p *plan) repeat(e *episode, who func(*target) (bool, error)) error {
	rt := p.roster.route(&e.alarm)
	if rt == nil || rt.Mute {
		return nil
	}
	said := map[string]bool{}
	for i := range rt.Steps {
		if i >= e.step && e.lap == 0 {
			break
		}
		once := *e
		once.step = i
		if i >= e.step {
			once.lap-- // it is to come in this lap
		}
		for _, t := range p.roster.targets(rt, i, time.Unix(0, p.now), p.able) {
			at := t.person.ID + " " + t.contact.Channel + " " + t.contact.Address
			ok, err := who(&t)
			if err != nil {
				return err
			}
			if !ok || said[at] {
				continue
			}
			said[at] = true
			if err := p.tell(&once, t); err != nil {
				return err
			}
			e.urgency = once.urgency
		}
	}
	return nil
}

// reroute begins the ladders of open alarms that nobody was told of, for want of a
// route or of people, and that a newer roster sends somewhere.
func (p *plan) reroute() error {
	untold, err := p.episodes(`state = 'unacked' AND number > 0 AND urgency = 0 AND due = 0`)
	if err != nil {
		return err
	}
	for _, e := range untold {
		if rt := p.roster.route(&e.alarm); rt == nil || rt.Mute {
			continue
		}
		if err := p.restart(e); err != nil {
			return err
		}
	}
	return nil
}

// climb goes all steps that are due. Whom a step tells is decided now, by the
// newest roster. A step that finds nobody gives way to the next at once.
func (p *plan) climb(e *episode) error {
	for e.due != 0 && e.due <= p.now {
		rt := p.roster.route(&e.alarm)
		if rt == nil || rt.Mute {
			e.due = 0
			break
		}
		if e.step >= len(rt.Steps) { // the roster has a shorter ladder by now
			e.number++
			if e.lap < rt.Repeat {
				e.step, e.lap = 0, e.lap+1
			} else {
				e.step = len(rt.Steps) - 1
			}
		}
		targets := p.roster.targets(rt, e.step, time.Unix(0, p.now), p.able)
		for _, t := range targets {
			if err := p.tell(e, t); err != nil {
				return err
			}
		}
		if len(targets) == 0 {
			p.unreached.Add(1)
			p.Log.Warn("a step of an escalation found nobody", "route", rt.ID, "step", e.step, "alarm", e.alarm.ID)
		}
		e.step++
		if e.step == len(rt.Steps) {
			if e.lap >= rt.Repeat {
				e.due = 0
				break
			}
			e.step, e.lap = 0, e.lap+1
		}
		e.due = p.now
		if len(targets) > 0 || e.step == 0 {
			e.due += int64(wait(rt, e.step))
		}
	}
	return p.keep(e)
}

// tell puts the message of a step into the outbox.
func (p *plan) tell(e *episode, t target) error {
	f := &e.alarm.Finding
	if is := priority(f); e.urgency == 0 || is < e.urgency {
		e.urgency = is
	}
	r := row{Message: plant.Message{Alarm: e.alarm.ID, Seq: e.alarm.Seq, Purpose: plant.PurposeAlarm, Step: e.step,
		Person: t.person.ID, Channel: t.contact.Channel, Address: t.contact.Address, Language: t.person.Language,
		Priority: priority(f), Created: p.now, Due: p.now},
		episode: e.number, lap: e.lap, cause: f.Asset + "|" + family(f.Class)}
	n := told{e.alarm.ID, e.alarm.Count}
	if r.Channel != webhook && e.alarm.State != plant.Acked {
		if ok, err := p.join(p.ctx, p.tx, &r, n); err != nil || ok {
			return err
		}
	}
	_, err := p.post(p.ctx, p.tx, &r, n)
	return err
}

// webhook leads to a system, which wants every alarm by itself: no grouping and
// no flood limit.
const webhook = "webhook"

// untold selects messages that name the alarm ?1 and are not handed over. What
// quiet hours hold stays: it is told when they end, with what became of it.
const untold = ` +state IN ('pending', 'held') AND hold <> 'quiet' AND id IN (SELECT message FROM told WHERE alarm = ?1) `

// taken cancels everything that is pending for an acknowledged alarm, except
// where a message names others that nobody has taken.
func (p *plan) taken(e *episode) error {
	_, err := p.tx.ExecContext(p.ctx, `UPDATE message SET state = 'cancelled', reason = ?2 WHERE `+untold+`
		AND NOT (channel = 'webhook' AND purpose = 'return')
		AND NOT EXISTS (SELECT 1 FROM told t JOIN episode o ON o.alarm = t.alarm WHERE t.message = message.id AND o.state IN ('unacked', 'rtn_unacked'))`,
		e.alarm.ID, "acknowledged by "+e.alarm.AckedBy)
	return err
}

// ended plans for an alarm that is back to normal before anybody took it: nobody
// new is told, and those who were are told that.
func (p *plan) ended(e *episode) error {
	_, err := p.tx.ExecContext(p.ctx, `UPDATE message SET state = 'cancelled', reason = 'back to normal' WHERE `+untold+`
		AND purpose IN ('alarm', 'more') AND (step > 0 OR lap > 0)
		AND NOT EXISTS (SELECT 1 FROM told t JOIN episode o ON o.alarm = t.alarm WHERE t.message = message.id AND o.state = 'unacked')`, e.alarm.ID)
	if err != nil {
		return err
	}
	return p.returned(e, p.now < e.damped)
}

// returned tells those who were told that an alarm is back to normal, or of them
// only the systems behind webhooks, which keep what they were not told the end of.
func (p *plan) returned(e *episode, systems bool) error {
	rows, err := p.tx.QueryContext(p.ctx, `SELECT DISTINCT person, channel, address, language FROM message JOIN told ON message = id
		WHERE told.alarm = ? AND count = ? AND state IN ('sending', 'sent') AND purpose IN ('alarm', 'more', 'digest')`, e.alarm.ID, e.alarm.Count)
	if err != nil {
		return err
	}
	defer rows.Close()
	var who []row
	for rows.Next() {
		f := &e.alarm.Finding
		r := row{Message: plant.Message{Alarm: e.alarm.ID, Seq: e.alarm.Seq, Purpose: plant.PurposeReturn, Priority: priority(f), Created: p.now, Due: p.now},
			episode: e.number, cause: f.Asset + "|" + family(f.Class)}
		if err := rows.Scan(&r.Person, &r.Channel, &r.Address, &r.Language); err != nil {
			return err
		}
		who = append(who, r)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, r := range who {
		if systems && r.Channel != webhook || r.Channel == "sms" && r.Priority > 1 {
			continue // not worth a ring of the phone
		}
		if _, err := p.post(p.ctx, p.tx, &r, told{e.alarm.ID, e.alarm.Count}); err != nil {
			return err
		}
	}
	return nil
}

// supersede cancels what an earlier ladder of the alarm has not told.
func (p *plan) supersede(e *episode, why string) error {
	if e.number == 0 {
		return nil
	}
	_, err := p.tx.ExecContext(p.ctx, `UPDATE message SET state = 'cancelled', reason = ?2 WHERE `+untold+` AND alarm = ?1 AND purpose IN ('alarm', 'return')`,
		e.alarm.ID, why)
	return err
}
