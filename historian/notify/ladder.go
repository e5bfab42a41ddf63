package notify

import (
	"time"

	"millwright/plant"
)

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
