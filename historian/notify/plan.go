package notify

import (
	"time"

	"millwright/plant"
)

const (
	ancient = time.Hour        // at the very first start, alarms raised longer ago are left alone
	calm    = 10 * time.Minute // recurrences in so long, chattering of them, are one message
	chatter = 3
)

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
