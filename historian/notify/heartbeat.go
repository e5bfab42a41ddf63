package notify

import (
	"database/sql"
	"errors"
	"slices"
	"time"

	"millwright/plant"
)

// dayBegin is when the first of a day's shifts begins where no rotation says so.
const dayBegin wall = 6 * 3600

// beat queues the heartbeat messages of teams whose shift begins, one on each
// channel: whoever misses it knows that the channel is dead.
func (p *plan) beat() error {
	if p.Limits.Heartbeat < time.Second {
		return nil
	}
	now := time.Unix(0, p.now)
	for _, t := range p.beaten(p.roster) {
		slot := max(0, t.shift(now, p.Limits.Heartbeat).Unix()) // 0: its first is still to come
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

// nextBeat is when the next heartbeat is due, 0: none is.
func (d *Desk) nextBeat(now time.Time) (next int64) {
	if d.Limits.Heartbeat < time.Second {
		return 0
	}
	for _, t := range d.beaten(d.roster.Load()) {
		if at := t.nextShift(now, d.Limits.Heartbeat).UnixNano(); next == 0 || at < next {
			next = at
		}
	}
	return next
}

// beaten are the teams whose shifts heartbeats follow. A roster without teams has
// one of nobody: its people are told as well.
func (d *Desk) beaten(r *roster) []*team {
	if len(r.teams) == 0 {
		return []*team{{zone: d.Zone}}
	}
	return r.teams
}

// beatTo queues a heartbeat on each channel: to the first of the people on call
// who can be reached on it, or to the first of the roster where nobody on call in
// any team can. What several teams ask for at one moment goes once.
func (p *plan) beatTo(people []string, slot int64) error {
	for _, l := range p.lanes {
		c := p.roster.firstOn(l.name, people)
		if c == nil && p.roster.firstOn(l.name, p.onCallNow()) == nil {
			c = p.roster.firstOn(l.name, p.roster.everybody())
		}
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

// onCallNow are those on call in all teams.
func (p *plan) onCallNow() (people []string) {
	for _, t := range p.roster.teams {
		people = append(people, t.now(time.Unix(0, p.now)).People...)
	}
	return people
}

// everybody are the people of the roster, in its order.
func (r *roster) everybody() (people []string) {
	for i := range r.People {
		people = append(people, r.People[i].ID)
	}
	return people
}

// firstOn is the first of the people who can be reached on a kind of channel.
func (r *roster) firstOn(kind string, people []string) *target {
	for _, id := range people {
		who := r.people[id]
		if i := slices.IndexFunc(who.Contacts, func(c plant.Contact) bool { return c.Channel == kind }); i >= 0 {
			return &target{who, who.Contacts[i]}
		}
	}
	return nil
}

// shift is when the newest shift of the team began; zero: none has yet.
func (t *team) shift(at time.Time, grid time.Duration) (began time.Time) {
	for _, s := range t.shifts(grid) {
		if k := s.number(at, t.zone); k >= 0 {
			if b := s.handover(k, t.zone); b.After(began) {
				began = b
			}
		}
	}
	return began
}

// nextShift is when the team's next shift begins.
func (t *team) nextShift(at time.Time, grid time.Duration) (next time.Time) {
	for _, s := range t.shifts(grid) {
		if b := s.handover(max(0, s.number(at, t.zone)+1), t.zone); next.IsZero() || b.Before(next) {
			next = b
		}
	}
	return next
}

// shifts are the rotations of a team by when somebody comes to work: at each
// hand-over; daily where turns are of whole days, or people work at hours of the
// day. A team without rotations has shifts of its own, grid long, the first of
// them from dayBegin.
func (t *team) shifts(grid time.Duration) []rotation {
	if len(t.rotations) == 0 {
		return []rotation{{start: dayBegin, turn: wall(grid / time.Second)}}
	}
	var out []rotation
	for i := range t.rotations {
		r := &t.rotations[i]
		s := rotation{start: r.start, turn: r.turn}
		if r.hours != nil {
			date, _ := r.start.date()
			s = rotation{start: date*day + r.hours.from, turn: day}
		} else if r.turn%day == 0 {
			s.turn = day
		}
		out = append(out, s)
	}
	return out
}
