package notify

import (
	"database/sql"
	"errors"
	"time"

	"millwright/plant"
)

// beat queues the heartbeat messages of teams whose time has come: once in
// Limits.Heartbeat by the wall clock, counted from the first hand-over of the
// team, one on each channel to the first on call who can be reached on it. A
// channel that is dead is noticed by whoever misses it.
func (p *plan) beat() error {
	if p.Limits.Heartbeat < time.Second {
		return nil
	}
	now := time.Unix(0, p.now)
	for _, t := range p.roster.teams {
		if len(t.rotations) == 0 {
			continue
		}
		slot := int64(p.slots(t).number(now, t.zone))
		var last int64
		err := p.tx.QueryRowContext(p.ctx, `SELECT slot FROM beat WHERE team = ?`, t.id).Scan(&last)
		known := !errors.Is(err, sql.ErrNoRows)
		if known && err != nil {
			return err
		}
		if known && slot == last {
			continue
		}
		if _, err := p.tx.ExecContext(p.ctx, `INSERT OR REPLACE INTO beat VALUES (?, ?)`, t.id, slot); err != nil {
			return err
		}
		if !known || slot < last {
			continue // the shift began before the team was known, or the clock was set back
		}
		if err := p.beatTo(t.now(now).People, slot); err != nil {
			return err
		}
	}
	return nil
}

// slots are the times between heartbeats of a team.
func (d *Desk) slots(t *team) *rotation {
	return &rotation{start: t.rotations[0].start, turn: wall(d.Limits.Heartbeat / time.Second)}
}

// nextBeat is when the next heartbeat is due, 0: none is.
func (d *Desk) nextBeat(now time.Time) (next int64) {
	if d.Limits.Heartbeat < time.Second {
		return 0
	}
	for _, t := range d.roster.Load().teams {
		if len(t.rotations) == 0 {
			continue
		}
		s := d.slots(t)
		if at := s.handover(s.number(now, t.zone)+1, t.zone).UnixNano(); next == 0 || at < next {
			next = at
		}
	}
	return next
}

func (p *plan) beatTo(people []string, slot int64) error {
	for _, l := range p.lanes {
		c := p.firstOn(l.name, people)
		if c == nil {
			continue
		}
		r := row{Message: plant.Message{Purpose: plant.PurposeHeartbeat, Person: c.person.ID, Channel: l.name, Address: c.contact.Address,
			Language: c.person.Language, Priority: 4, Created: p.now, Due: p.now}, episode: slot}
		if _, err := p.post(p.ctx, p.tx, &r); err != nil {
			return err
		}
	}
	return nil
}

// firstOn is the first of the people who can be reached on a kind of channel.
func (p *plan) firstOn(kind string, people []string) *target {
	for _, id := range people {
		who := p.roster.people[id]
		for _, c := range who.Contacts {
			if c.Channel == kind {
				return &target{who, c}
			}
		}
	}
	return nil
}
