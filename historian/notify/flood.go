package notify

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"millwright/plant"
)

// urgent messages may use what a flood leaves them of the messages of a minute.
func urgent(r *row) bool { return r.Priority == 1 && r.Purpose != plant.PurposeReturn }

// counted says whether a message counts for the flood limit and can be held.
func counted(purpose string) bool {
	switch purpose {
	case plant.PurposeAlarm, plant.PurposeMore, plant.PurposeReturn, plant.PurposeDigest:
		return true
	}
	return false
}

const countedPurposes = ` purpose IN ('alarm', 'more', 'return', 'digest') `

// allowance is how many messages a person gets in a minute: two of them are kept
// for what is urgent.
func (d *Desk) allowance(urgent bool) int {
	if n := d.Limits.PerMinute; urgent || n < 5 {
		return n
	}
	return d.Limits.PerMinute - 2
}

// room says when a person may get another message; 0: now. A message that is on
// its way counts until it is known to be back.
func (d *Desk) room(ctx context.Context, tx *sql.Tx, person string, urgent bool, now int64) (int64, error) {
	var handed int64
	err := tx.QueryRowContext(ctx, `SELECT CASE state WHEN 'sending' THEN ?1 ELSE handed END AS h FROM message
		WHERE person = ?2 AND handed > 0 AND handed > ?3 AND (state = 'sent' AND handed <= ?1 OR +state = 'sending')
		AND channel <> 'webhook' AND `+countedPurposes+` ORDER BY h DESC LIMIT 1 OFFSET ?4`,
		now, person, now-int64(time.Minute), d.allowance(urgent)-1).Scan(&handed)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return handed + int64(time.Minute), err
}

// hold puts what is due for a person on a channel on hold until a time. What was
// tried already or went another way, and heartbeats, only wait: they stay the
// messages that they are.
func (d *Desk) hold(ctx context.Context, tx *sql.Tx, r *row, why, reason string, passes int, now, until int64) error {
	if r.Tries > 0 || r.fell || !counted(r.Purpose) {
		_, err := tx.ExecContext(ctx, `UPDATE message SET due = ?, reason = ? WHERE id = ?`, until, reason, r.ID)
		return err
	}
	_, err := tx.ExecContext(ctx, `UPDATE message SET state = 'held', hold = CASE hold WHEN 'quiet' THEN hold ELSE ? END, due = ?, reason = ?
		WHERE channel = ? AND state = 'pending' AND due <= ? AND person = ? AND tries = 0 AND fell = 0 AND priority > ? AND `+countedPurposes,
		why, until, reason, r.Channel, now, r.Person, passes)
	return err
}

// group is what waits for one person on one channel for one reason.
type group struct {
	row
	urgent bool
	n      int
}

// release lets go what was held, where its time has come: as one digest, or as
// itself where a flood held it alone.
func (p *plan) release() error {
	groups, err := p.held()
	if err != nil {
		return err
	}
	for _, h := range groups {
		until, err := p.holds(&h)
		if err != nil {
			return err
		}
		switch {
		case until > p.now:
			err = p.update(&h, `due = ?`, until)
		case h.n == 1 && (h.hold == forFlood || h.Purpose == plant.PurposeDigest):
			err = p.update(&h, `state = 'pending', reason = '', due = ?`, p.now)
		default:
			err = p.digest(&h)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// sameHeld selects the messages of a group.
const sameHeld = ` state = 'held' AND due <= ? AND person = ? AND channel = ? AND address = ? AND hold = ? AND (priority = 1 AND purpose <> 'return') = ? `

func (h *group) args(now int64) []any {
	return []any{now, h.Person, h.Channel, h.Address, h.hold, h.urgent}
}

func (p *plan) update(h *group, set string, v any) error {
	_, err := p.tx.ExecContext(p.ctx, `UPDATE message SET `+set+` WHERE `+sameHeld, append([]any{v}, h.args(p.now)...)...)
	return err
}

// held returns what is due of what is held, urgent things first.
func (p *plan) held() ([]group, error) {
	rows, err := p.tx.QueryContext(p.ctx, `SELECT person, channel, address, max(language), hold, (priority = 1 AND purpose <> 'return') AS urgent, count(*), min(id), min(priority), min(purpose), sum(max(1, held))
		FROM message WHERE state = 'held' AND due <= ? GROUP BY person, channel, address, hold, urgent ORDER BY urgent DESC, min(id)`, p.now)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []group
	for rows.Next() {
		var h group
		if err := rows.Scan(&h.Person, &h.Channel, &h.Address, &h.Language, &h.hold, &h.urgent, &h.n, &h.episode, &h.Priority, &h.Purpose, &h.held); err != nil {
			return nil, err
		}
		out = append(out, h)
	}
	return out, rows.Err()
}

// holds says how long a group is held still.
func (p *plan) holds(h *group) (int64, error) {
	if h.hold == forFlood {
		return p.room(p.ctx, p.tx, h.Person, h.urgent, p.now)
	}
	if who := p.roster.people[h.Person]; who != nil {
		if until := who.quiet.holds(time.Unix(0, p.now), h.Priority); !until.IsZero() {
			return until.UnixNano(), nil
		}
	}
	return 0, nil
}

// digest makes one message of a group.
func (p *plan) digest(h *group) error {
	r := h.row
	r.Purpose, r.Created, r.Due = plant.PurposeDigest, p.now, p.now
	fresh, err := p.post(p.ctx, p.tx, &r)
	if err != nil {
		return err
	}
	if !fresh {
		return fmt.Errorf("digest %s is there already", r.Key)
	}
	if _, err := p.tx.ExecContext(p.ctx, `INSERT INTO told SELECT ?, alarm, max(count) FROM told WHERE message IN (SELECT id FROM message WHERE `+sameHeld+`) GROUP BY alarm`,
		append([]any{r.ID}, h.args(p.now)...)...); err != nil {
		return err
	}
	return p.update(h, `state = 'cancelled', reason = ?`, toldIn(r.ID))
}

// toldIn is the reason of messages that a digest tells.
func toldIn(digest int64) string { return fmt.Sprintf("told in message %d", digest) }
