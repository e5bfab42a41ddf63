package notify

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"millwright/historian/notify/channel"
	"millwright/plant"
)

const (
	firstRetry = 2 * time.Second
	lastRetry  = 5 * time.Minute
)

// gate says whether a message may go now; where it may not, it has put it off.
func (d *Desk) gate(ctx context.Context, tx *sql.Tx, r *row, now int64) (bool, error) {
	cancel := func(why string) (bool, error) {
		_, err := tx.ExecContext(ctx, `UPDATE message SET state = 'cancelled', reason = ? WHERE id = ?`, why, r.ID)
		return false, err
	}
	who := d.roster.Load().people[r.Person]
	switch {
	case r.Purpose == plant.PurposeTest:
		return true, nil
	case who == nil:
		return cancel("this person is not in the roster any more")
	case r.Purpose == plant.PurposeAlarm || r.Purpose == plant.PurposeMore:
		var worth int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM told JOIN episode USING (alarm) WHERE message = ?
			AND (state <> 'rtn_unacked' OR json_extract(body, '$.Returned') > ?)`, r.ID, now-int64(d.Limits.Ended)).Scan(&worth); err != nil {
			return false, err
		}
		if worth == 0 {
			return cancel("the condition ended before it could be told")
		}
	}
	if until := who.quiet.holds(time.Unix(0, now), r.Priority); !until.IsZero() {
		return false, d.hold(ctx, tx, r, forQuiet, "quiet hours until "+until.Format("15:04"), who.quiet.passes, now, until.UnixNano())
	}
	if !counted(r.Purpose) || r.Channel == webhook {
		return true, nil
	}
	until, err := d.room(ctx, tx, r.Person, urgent(r), now)
	if err != nil || until == 0 {
		return true, err
	}
	return false, d.hold(ctx, tx, r, forFlood, fmt.Sprintf("more than %d messages in a minute", d.Limits.PerMinute), 0, now, until)
}

// try sends a message, writes down how it went, and takes the next in the same
// transaction.
func (l *lane) try(ctx context.Context, r *row) (next *row) {
	d := l.desk
	m, shown, err := d.compose(ctx, r)
	if err == nil {
		once, done := context.WithTimeout(ctx, d.Limits.Send)
		err = l.channel.Send(once, m)
		done()
	}
	if err != nil && ctx.Err() != nil {
		return nil // the process stops; it is sent again at the next start
	}
	now := time.Now()
	r.Subject, r.Text, r.Error = m.Subject, shown, ""
	permanent := errors.Is(err, channel.ErrPermanent)
	l.circuit(r.Address).result(now, err != nil && !permanent)
	if err != nil {
		r.Error = strings.ReplaceAll(err.Error(), r.Address, masked(r.Address))
		d.Log.Warn("message was not handed over", "message", r.ID, "channel", l.name, "try", r.Tries, "permanent", permanent, "err", r.Error)
	}
	which, _ := l.passable(now)
	lasting := context.WithoutCancel(ctx)
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 10*time.Second) {
		wrong := d.write(lasting, func(tx *sql.Tx) error {
			next = nil
			if err := d.settle(lasting, tx, r, err, now.UnixNano()); err != nil || ctx.Err() != nil {
				return err
			}
			var err error
			next, err = l.take(lasting, tx, which)
			return err
		})
		if wrong == nil || d.isClosed() {
			break
		}
		d.Log.Error("outbox cannot be written; trying again", "message", r.ID, "err", wrong)
		time.Sleep(pause)
	}
	if err != nil {
		wake(d.kick) // perhaps another channel takes it
	}
	if next != nil {
		l.circuit(next.Address).begin()
	}
	return next
}

// masked is an address as logs may show it.
func masked(address string) string {
	return "…" + address[max(0, len(address)-4):]
}

func (d *Desk) isClosed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.closed
}

// settle writes down how a try went.
func (d *Desk) settle(ctx context.Context, tx *sql.Tx, r *row, failure error, now int64) error {
	count := func(what string) error { return count(ctx, tx, r.Channel, what, now, r.Error) }
	set := func(state plant.MessageState, reason string, due, handed, sent int64) error {
		_, err := tx.ExecContext(ctx, `UPDATE message SET state = ?, reason = ?, due = ?, handed = ?, sent = ?, error = ?, subject = ?, text = ? WHERE id = ?`,
			string(state), reason, due, handed, sent, r.Error, r.Subject, r.Text, r.ID)
		return err
	}
	if failure == nil {
		// What it stands for on a channel that fails need not come as well.
		if _, err := tx.ExecContext(ctx, `UPDATE message SET state = 'cancelled', reason = ? WHERE state = 'pending' AND (id = ? OR id IN (SELECT instead FROM message WHERE instead > 0 AND reason = ?))`,
			"told by "+r.Channel, r.instead, toldIn(r.ID)); err != nil {
			return err
		}
		return errors.Join(count(`sent = sent + 1, last_sent = ?2`), set(plant.MessageSent, "", r.Due, now, now))
	}
	permanent := errors.Is(failure, channel.ErrPermanent)
	if permanent || now-r.since > int64(d.Limits.GiveUp) {
		reason := "refused for good"
		if !permanent {
			reason = "tried for " + d.Limits.GiveUp.String()
		}
		return errors.Join(count(`failed = failed + 1, dead = dead + 1, error = ?3`), set(plant.MessageDead, reason, r.Due, 0, 0))
	}
	if err := count(`failed = failed + 1, error = ?3`); err != nil {
		return err
	}
	over, err := overtaken(ctx, tx, r)
	if err != nil {
		return err
	}
	if over {
		return set(plant.MessageCancelled, "acknowledged meanwhile", r.Due, 0, 0)
	}
	var other string
	err = tx.QueryRowContext(ctx, `SELECT channel FROM message WHERE instead > 0 AND instead = ? AND state = 'sent'`, r.ID).Scan(&other)
	if err == nil {
		return set(plant.MessageCancelled, "told by "+other, r.Due, 0, 0)
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	return set(plant.MessagePending, "", now+int64(backoff(r.Tries, failure)), 0, 0)
}

// count changes the counters of a channel; ?2 is now, ?3 the failure.
func count(ctx context.Context, tx *sql.Tx, channel, what string, now int64, failure string) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO channel VALUES (?1, 0, 0, 0, 0, '') ON CONFLICT DO NOTHING`, channel)
	if err == nil {
		_, err = tx.ExecContext(ctx, `UPDATE channel SET `+what+` WHERE name = ?1`, channel, now, failure)
	}
	return err
}

// overtaken says whether all alarms that a message names were acknowledged while
// it was on its way; what tells of something later than that is not.
func overtaken(ctx context.Context, tx *sql.Tx, r *row) (bool, error) {
	if !counted(r.Purpose) || r.hold == forQuiet || r.Channel == webhook && r.Purpose == plant.PurposeReturn {
		return false, nil
	}
	var open int
	err := tx.QueryRowContext(ctx, `SELECT count(*) FROM told JOIN episode USING (alarm) WHERE message = ?
		AND (state IN ('unacked', 'rtn_unacked') OR state = 'acked' AND alarm = ? AND ? > acked)`, r.ID, r.Alarm, int64(r.Seq)).Scan(&open)
	return open == 0, err
}

// backoff is the wait before the next try: twice as long each time, and not the
// same for all that failed together. A server may ask for more.
func backoff(tries int, failure error) time.Duration {
	wait := lastRetry
	if tries < 9 {
		wait = min(wait, firstRetry<<(tries-1))
	}
	wait = wait*3/4 + rand.N(wait/2)
	if asked, ok := errors.AsType[*channel.RetryError](failure); ok {
		wait = max(wait, min(asked.After, time.Hour))
	}
	return min(wait, time.Hour)
}
