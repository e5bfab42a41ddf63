package notify

import (
	"context"
	"time"

	"millwright/plant"
)

// fall finds messages that died or whose channel fails for long, and lets the
// same step go to the person's next contact on another channel.
func (p *plan) fall() error {
	stuck, err := p.stuck()
	if err != nil {
		return err
	}
	for i := range stuck {
		r := &stuck[i]
		if _, err := p.tx.ExecContext(p.ctx, `UPDATE message SET fell = 1 WHERE id = ?`, r.ID); err != nil {
			return err
		}
		over, err := overtaken(p.ctx, p.tx, r)
		if err != nil {
			return err
		}
		next, err := p.nextContact(r)
		if err != nil {
			return err
		}
		if over || next == nil {
			continue
		}
		other := *r
		other.Channel, other.Address, other.instead = next.Channel, next.Address, r.ID
		other.Created, other.Due, other.Reason = p.now, p.now, r.Channel+" does not work"
		if next.Channel == r.Channel {
			other.Reason = "the address before it does not work"
		}
		fresh, err := p.post(p.ctx, p.tx, &other)
		if err != nil {
			return err
		}
		if !fresh {
			continue
		}
		if _, err := p.tx.ExecContext(p.ctx, `INSERT INTO told SELECT ?, alarm, count FROM told WHERE message = ?`, other.ID, r.ID); err != nil {
			return err
		}
	}
	return nil
}

// stuck are messages that need another way.
func (p *plan) stuck() ([]row, error) {
	long, now := p.now-int64(p.Limits.FallAfter), time.Unix(0, p.now)
	failing := func(r *row) bool {
		l := p.lane(r.Channel)
		return l == nil || l.circuit(r.Address).failingFor(now) >= p.Limits.FallAfter
	}
	rows, err := p.tx.QueryContext(p.ctx, `SELECT `+columns+` FROM message WHERE fell = 0 AND purpose IN ('alarm', 'more', 'digest')
		AND (state = 'dead' OR state = 'pending' AND (? OR tries > 0 AND created <= ?))`, p.failing(now), long)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []row
	for rows.Next() {
		r, err := scanRow(rows)
		if err != nil {
			return nil, err
		}
		if r.State == plant.MessageDead || r.Tries > 0 && r.Created <= long || failing(&r) {
			out = append(out, r)
		}
	}
	return out, rows.Err()
}

// failing says whether some channel has failed for long.
func (p *plan) failing(now time.Time) (yes bool) {
	for _, l := range p.lanes {
		l.each(func(_ string, b *breaker) { yes = yes || b.failingFor(now) >= p.Limits.FallAfter })
	}
	return yes
}

// nextFall is when a message that waits now will need another way, 0: none will.
func (d *Desk) nextFall(ctx context.Context) (next int64, err error) {
	rows, err := d.db.QueryContext(ctx, `SELECT channel, address, coalesce(min(CASE WHEN tries > 0 THEN created END), 0) FROM message
		WHERE state = 'pending' AND fell = 0 AND purpose IN ('alarm', 'more', 'digest') GROUP BY channel, address`)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	now := time.Now()
	at := func(t int64) {
		if next == 0 || t < next {
			next = t
		}
	}
	for rows.Next() {
		var kind, address string
		var tried int64
		if err := rows.Scan(&kind, &address, &tried); err != nil {
			return 0, err
		}
		if tried != 0 {
			at(tried + int64(d.Limits.FallAfter))
		}
		l := d.lane(kind)
		if l == nil {
			continue
		}
		if long := l.circuit(address).failingFor(now); long > 0 {
			at(now.Add(max(0, d.Limits.FallAfter-long)).UnixNano())
		}
	}
	return next, rows.Err()
}

// nextContact is the person's next contact for a message, to which this step has
// not gone; nil: there is none. Another address on the same channel is one unless
// the channel itself fails.
func (p *plan) nextContact(r *row) (*plant.Contact, error) {
	who := p.roster.people[r.Person]
	if who == nil {
		return nil, nil
	}
	for i := range who.Contacts {
		c := &who.Contacts[i]
		if !p.able(c.Channel) || c.Channel == r.Channel && (c.Address == r.Address || p.broken(c)) {
			continue
		}
		var n int
		if err := p.tx.QueryRowContext(p.ctx, `SELECT count(*) FROM message WHERE alarm = ? AND episode = ? AND purpose = ? AND step = ? AND lap = ? AND person = ? AND channel = ? AND address = ?`,
			r.Alarm, r.episode, r.Purpose, r.Step, r.lap, r.Person, c.Channel, c.Address).Scan(&n); err != nil {
			return nil, err
		}
		if n == 0 {
			return c, nil
		}
	}
	return nil, nil
}

// broken says whether the circuit to a contact is open, or about to.
func (p *plan) broken(c *plant.Contact) bool {
	b := p.lane(c.Channel).circuit(c.Address)
	open, _ := b.state()
	return open || b.failingFor(time.Unix(0, p.now)) >= p.Limits.FallAfter
}
