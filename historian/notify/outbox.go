package notify

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"millwright/plant"
)

// Why a message is held.
const (
	forQuiet = "quiet"
	forFlood = "flood"
)

const (
	defaultLimit = 1000
	maxLimit     = 10_000
)

// row is a message as the outbox keeps it.
type row struct {
	plant.Message
	episode int64  // number of the alarm's ladder; digests: first message that they tell
	lap     int    // of the ladder
	cause   string // asset and class family: what is grouped
	hold    string // forQuiet, forFlood: held for it, or telling what was
	held    int    // messages that a digest tells
	since   int64  // tried from then on, for Limits.GiveUp
	fell    bool   // another contact was looked for
	instead int64  // of this message, whose channel failed
}

// told is an alarm that a message names, in one of its episodes.
type told struct {
	alarm int64
	count int // plant.Alarm.Count
}

const columns = `id, key, alarm, seq, purpose, step, person, channel, address, language, priority, state, reason,
	created, due, sent, tries, error, subject, text, episode, lap, cause, hold, held, since, fell, instead`

func scanRow(s interface{ Scan(...any) error }) (row, error) {
	var r row
	err := s.Scan(&r.ID, &r.Key, &r.Alarm, &r.Seq, &r.Purpose, &r.Step, &r.Person, &r.Channel, &r.Address, &r.Language, &r.Priority, &r.State, &r.Reason,
		&r.Created, &r.Due, &r.Sent, &r.Tries, &r.Error, &r.Subject, &r.Text, &r.episode, &r.lap, &r.cause, &r.hold, &r.held, &r.since, &r.fell, &r.instead)
	return r, err
}

// key of a message: the same for what the same cause makes, for ever. It is safe
// in a file name, a Message-ID and a header, and gives no address away.
func (d *Desk) key(r *row) string {
	sum := sha256.Sum256([]byte(r.Address))
	return fmt.Sprintf("%s-%d-%d-%s-%d-%d-%s-%s-%x", d.name, r.Alarm, r.episode, r.Purpose, r.Step, r.lap, r.Person, r.Channel, sum[:4])
}

// post puts a message into the outbox and sets its Key and ID. A message whose
// key is there already is not put in again.
func (d *Desk) post(ctx context.Context, tx *sql.Tx, r *row, names ...told) (fresh bool, err error) {
	r.Key = d.key(r)
	res, err := tx.ExecContext(ctx, `INSERT INTO message(key, alarm, episode, seq, purpose, step, lap, person, channel, address, language, priority,
		cause, state, hold, held, reason, created, since, due, handed, sent, tries, fell, instead, error, subject, text)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending', ?, ?, ?, ?, ?, ?, 0, 0, 0, 0, ?, '', '', '') ON CONFLICT (key) DO NOTHING`,
		r.Key, r.Alarm, r.episode, int64(r.Seq), r.Purpose, r.Step, r.lap, r.Person, r.Channel, r.Address, r.Language, r.Priority,
		r.cause, r.hold, r.held, r.Reason, r.Created, r.Created, r.Due, r.instead)
	if err != nil {
		return false, err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return false, err
	}
	if r.ID, err = res.LastInsertId(); err != nil {
		return false, err
	}
	for _, n := range names {
		if err := addName(ctx, tx, r.ID, n); err != nil {
			return false, err
		}
	}
	return true, nil
}

func addName(ctx context.Context, tx *sql.Tx, message int64, n told) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO told VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET count = max(count, excluded.count)`,
		message, n.alarm, n.count)
	return err
}

// join puts an alarm to what follows a message that this person has just been
// given about the same cause; ok is false where there is none. What is more
// urgent than what was told does not wait.
func (d *Desk) join(ctx context.Context, tx *sql.Tx, r *row, n told) (ok bool, err error) {
	head, err := scanRow(tx.QueryRowContext(ctx, `SELECT `+columns+` FROM message
		WHERE cause = ? AND created > ? AND person = ? AND channel = ? AND address = ? AND alarm <> ?
		AND purpose = 'alarm' AND state IN ('pending', 'sending', 'sent') AND priority <= ? ORDER BY id LIMIT 1`,
		r.cause, r.Created-int64(d.Limits.GroupFor), r.Person, r.Channel, r.Address, r.Alarm, r.Priority))
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	more := *r
	more.Alarm, more.episode, more.Step, more.lap = head.Alarm, head.episode, head.Step, head.lap
	more.Purpose, more.Due = plant.PurposeMore, head.Created+int64(d.Limits.GroupFor)
	fresh, err := d.post(ctx, tx, &more, n)
	if err != nil || fresh {
		return fresh, err
	}
	// It was begun already; it can take another alarm until it is handed over.
	err = tx.QueryRowContext(ctx, `UPDATE message SET priority = min(priority, ?), state = CASE state WHEN 'cancelled' THEN 'pending' ELSE state END, reason = ''
		WHERE key = ? AND state IN ('pending', 'held', 'cancelled') AND tries = 0 AND hold = '' AND fell = 0 RETURNING id`, more.Priority, more.Key).Scan(&more.ID)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, addName(ctx, tx, more.ID, n)
}

// Messages returns the messages that the query selects, newest first, and the
// cursor of the next page where there is one. ErrCursor.
func (d *Desk) Messages(ctx context.Context, q plant.MessageQuery) (list []plant.Message, next string, err error) {
	limit := q.Limit
	if limit <= 0 {
		limit = defaultLimit
	}
	limit = min(limit, maxLimit)
	where, args := []string{"1"}, []any{}
	and := func(s string, v any) { where, args = append(where, s), append(args, v) }
	if q.Alarm != 0 {
		and("(alarm = ? OR id IN (SELECT message FROM told WHERE alarm = ?))", q.Alarm)
		args = append(args, q.Alarm)
	}
	if q.Person != "" {
		and("person = ?", q.Person)
	}
	if q.Channel != "" {
		and("channel = ?", q.Channel)
	}
	if q.State != "" {
		and("state = ?", string(q.State))
	}
	if q.After != "" {
		id, err := strconv.ParseInt(q.After, 10, 64)
		if err != nil || id <= 0 {
			return nil, "", fmt.Errorf("notify: messages: %.40q: %w", q.After, ErrCursor)
		}
		and("id < ?", id)
	}
	rows, err := d.db.QueryContext(ctx, `SELECT `+columns+`, coalesce((SELECT group_concat(alarm) FROM told WHERE message = id), '')
		FROM message WHERE `+strings.Join(where, " AND ")+` ORDER BY id DESC LIMIT ?`, append(args, limit+1)...)
	if err != nil {
		return nil, "", fmt.Errorf("notify: messages: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		m, err := scanMessage(rows)
		if err != nil {
			return nil, "", fmt.Errorf("notify: messages: %w", err)
		}
		list = append(list, m)
	}
	if err := rows.Err(); err != nil {
		return nil, "", fmt.Errorf("notify: messages: %w", err)
	}
	if len(list) > limit {
		list = list[:limit]
		next = strconv.FormatInt(list[limit-1].ID, 10)
	}
	return list, next, nil
}

// scanMessage reads a row of columns with the numbers of its alarms behind it.
func scanMessage(s interface{ Scan(...any) error }) (plant.Message, error) {
	var names string
	r, err := scanRow(scanFunc(func(dest ...any) error { return s.Scan(append(dest, &names)...) }))
	if err != nil {
		return r.Message, err
	}
	for id := range strings.SplitSeq(names, ",") {
		if id == "" {
			continue
		}
		n, err := strconv.ParseInt(id, 10, 64)
		if err != nil {
			return r.Message, err
		}
		r.Alarms = append(r.Alarms, n)
	}
	slices.Sort(r.Alarms)
	return r.Message, nil
}

type scanFunc func(...any) error

func (f scanFunc) Scan(dest ...any) error { return f(dest...) }

// message returns one message; ErrNotFound.
func (d *Desk) message(ctx context.Context, id int64) (plant.Message, error) {
	m, err := scanMessage(d.db.QueryRowContext(ctx, `SELECT `+columns+`, coalesce((SELECT group_concat(alarm) FROM told WHERE message = id), '')
		FROM message WHERE id = ?`, id))
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return m, fmt.Errorf("message %d: %w", id, err)
	}
	return m, nil
}

// Retry puts a dead message back into the outbox; ErrNotFound, ErrState.
func (d *Desk) Retry(ctx context.Context, id int64, who string) (plant.Message, error) {
	now := time.Now().UnixNano()
	var channel string
	err := d.write(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `UPDATE message SET state = 'pending', reason = ?, since = ?, due = ?, tries = 0 WHERE id = ? AND state = 'dead' RETURNING channel`,
			"tried again by "+who, now, now, id).Scan(&channel)
	})
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return plant.Message{}, fmt.Errorf("message %d: %w", id, err)
	}
	m, lost := d.message(ctx, id)
	switch {
	case lost != nil:
		return m, lost
	case err != nil:
		return m, fmt.Errorf("message %d is %s: %w", id, m.State, ErrState)
	}
	d.wakeLanes()
	d.Log.Info("message goes out again", "message", id, "by", who)
	return m, nil
}

// Test queues a test message and returns it; ErrNotFound where there is no such
// channel.
func (d *Desk) Test(ctx context.Context, channel, address, language, who string) (plant.Message, error) {
	if !d.able(channel) {
		return plant.Message{}, fmt.Errorf("channel %.40q: %w", channel, ErrNotFound)
	}
	if wrong := checkContact(plant.Contact{Channel: channel, Address: address}); wrong != nil {
		return plant.Message{}, &FaultError{[]string{strings.TrimPrefix(wrong.field, ".") + ": " + wrong.text}}
	}
	now := time.Now().UnixNano()
	r := row{Message: plant.Message{Purpose: plant.PurposeTest, Channel: channel, Address: address, Language: language, Priority: 4,
		Reason: "asked for by " + who, Created: now, Due: now}, episode: now}
	err := d.write(ctx, func(tx *sql.Tx) error {
		fresh, err := d.post(ctx, tx, &r)
		if err == nil && !fresh {
			err = errors.New("another test at the very same moment; try again")
		}
		return err
	})
	if err != nil {
		return r.Message, fmt.Errorf("test of %s: %w", channel, err)
	}
	d.wakeLanes()
	return d.message(ctx, r.ID)
}
