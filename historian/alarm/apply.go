package alarm

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"millwright/plant"
)

// apply brings one finding into the book and returns the number of journal
// entries that it made.
func apply(ctx context.Context, tx *sql.Tx, edge string, f *plant.Finding) (int, error) {
	if f.Key == plant.AnyKey {
		return clearAll(ctx, tx, edge, f)
	}
	a, err := newest(ctx, tx, f.Asset, f.Key)
	if err != nil {
		return 0, err
	}
	after, out := next(a, f)
	switch {
	case out == ignored && f.Phase == plant.Clear:
		return 0, keepEarly(ctx, tx, &a, f)
	case out == ignored:
		return 0, nil
	case out == refreshed:
		return 0, replace(ctx, tx, &after)
	}
	event := "change"
	switch {
	case out == another:
		after, event = begin(edge, f), "raise"
	case f.Phase == plant.Clear:
		event = "return"
	case after.Count > a.Count:
		event = "recur"
	}
	after.Edge = edge
	if err := record(ctx, tx, &after, event, edge, ""); err != nil {
		return 0, err
	}
	if event != "raise" && event != "recur" {
		return 1, nil
	}
	// Its return to normal may have overtaken it.
	at, err := early(ctx, tx, f)
	if err != nil || at == 0 {
		return 1, err
	}
	if after, out = returned(after, at); out != changed {
		return 1, nil
	}
	return 2, record(ctx, tx, &after, "return", edge, "")
}

// clearAll applies a clear to every open condition of its asset.
func clearAll(ctx context.Context, tx *sql.Tx, edge string, f *plant.Finding) (int, error) {
	if f.Phase != plant.Clear {
		return 0, nil
	}
	keys, err := openKeys(ctx, tx, f.Asset)
	if err != nil {
		return 0, err
	}
	entries := 0
	for _, key := range keys {
		single := *f
		single.Key = key
		n, err := apply(ctx, tx, edge, &single)
		if err != nil {
			return 0, err
		}
		entries += n
	}
	return entries, nil
}

// openKeys are the conditions of an asset whose alarms are active, without those
// that its PLC has found: who asks knows nothing of them.
func openKeys(ctx context.Context, tx *sql.Tx, asset string) ([]string, error) {
	rows, err := tx.QueryContext(ctx, `SELECT DISTINCT key FROM alarm WHERE asset = ? AND state IN (?, ?)
		AND coalesce(json_extract(finding, '$.class'), '') <> ?`, asset, plant.Unacked, plant.Acked, string(plant.PLCAlarm))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var keys []string
	for rows.Next() {
		var key string
		if err := rows.Scan(&key); err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, rows.Err()
}

// keepEarly remembers a clear that found nothing to clear: where the raise that
// it belongs to comes later, the alarm must not stand for ever.
func keepEarly(ctx context.Context, tx *sql.Tx, a *plant.Alarm, f *plant.Finding) error {
	if a.ID != 0 && (active(a.State) || f.Time <= a.Returned) {
		return nil // older than what is known
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO early(asset, key, at) VALUES (?, ?, ?)
		ON CONFLICT (asset, key) DO UPDATE SET at = max(at, excluded.at)`, f.Asset, f.Key, f.Time)
	return err
}

// early returns the time of a clear that came before the raise f, or 0.
func early(ctx context.Context, tx *sql.Tx, f *plant.Finding) (int64, error) {
	var at int64
	err := tx.QueryRowContext(ctx, `DELETE FROM early WHERE asset = ? AND key = ? RETURNING at`, f.Asset, f.Key).Scan(&at)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if at < f.Time {
		at = 0 // of an episode before this one
	}
	return at, err
}

// reading selects alarms with their valid labels, for scan.
const reading = `SELECT a.id, a.seq, a.state, a.edge, a.raised, a.returned, a.acked, a.acked_by, a.note, a.count, a.finding,
	coalesce(l.id, 0), coalesce(l.body, '') FROM alarm a LEFT JOIN label l ON l.alarm = a.id AND l.ended = 0`

// scan reads a row of reading.
func scan(row interface{ Scan(...any) error }) (plant.Alarm, error) {
	var a plant.Alarm
	var finding, body string
	var label int64
	err := row.Scan(&a.ID, &a.Seq, &a.State, &a.Edge, &a.Raised, &a.Returned, &a.Acked, &a.AckedBy, &a.Note, &a.Count, &finding, &label, &body)
	if err != nil {
		return a, err
	}
	if err := json.Unmarshal([]byte(finding), &a.Finding); err != nil {
		return a, fmt.Errorf("finding of alarm %d: %w", a.ID, err)
	}
	if label != 0 {
		l, err := parseLabel(label, body)
		if err != nil {
			return a, err
		}
		a.Label = &l
	}
	return a, nil
}

// newest returns the last alarm of a condition; ID 0: there was none.
func newest(ctx context.Context, tx *sql.Tx, asset, key string) (plant.Alarm, error) {
	a, err := scan(tx.QueryRowContext(ctx, reading+
		` WHERE a.asset = ? AND a.key = ? ORDER BY a.id DESC LIMIT 1`, asset, key))
	if errors.Is(err, sql.ErrNoRows) {
		return plant.Alarm{}, nil
	}
	return a, err
}

func get(ctx context.Context, q interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
}, id int64) (plant.Alarm, error) {
	a, err := scan(q.QueryRowContext(ctx, reading+` WHERE a.id = ?`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return a, ErrNotFound
	}
	return a, err
}

// record writes an alarm as it is now, with a journal entry that says what
// happened, who did it and why. It sets ID and Seq.
func record(ctx context.Context, tx *sql.Tx, a *plant.Alarm, event, who, note string) error {
	res, err := tx.ExecContext(ctx, `INSERT INTO journal(alarm, at, event, who, note, after) VALUES (?, ?, ?, ?, ?, '')`,
		a.ID, plant.Millis(time.Now().UnixNano()), event, who, note)
	if err != nil {
		return err
	}
	seq, err := res.LastInsertId()
	if err != nil {
		return err
	}
	a.Seq = uint64(seq)
	if err := replace(ctx, tx, a); err != nil {
		return err
	}
	after, err := json.Marshal(a)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE journal SET alarm = ?, after = ? WHERE seq = ?`, a.ID, string(after), seq)
	return err
}

// replace writes the row of an alarm and sets its ID where it is new.
func replace(ctx context.Context, tx *sql.Tx, a *plant.Alarm) error {
	finding, err := json.Marshal(&a.Finding)
	if err != nil {
		return err
	}
	var id any
	if a.ID != 0 {
		id = a.ID
	}
	res, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO alarm(id, seq, state, edge, raised, returned, acked, acked_by, note, count,
		finding, asset, key) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)`,
		id, int64(a.Seq), string(a.State), a.Edge, a.Raised, a.Returned, a.Acked, a.AckedBy, a.Note, a.Count, string(finding),
		a.Finding.Asset, a.Finding.Key)
	if err != nil || a.ID != 0 {
		return err
	}
	a.ID, err = res.LastInsertId()
	return err
}

// finite puts numbers that JSON cannot say into its range. The vocabulary has
// no others; a record that breaks it must not block those behind it.
func finite(f *plant.Finding) {
	for _, v := range []*float64{&f.Score, &f.Limit, &f.Value} {
		*v = number(*v)
	}
	own := make([]plant.Contribution, len(f.Contributions))
	copy(own, f.Contributions)
	for i := range own {
		c := &own[i]
		c.Share, c.Value, c.Expected = number(c.Share), number(c.Value), number(c.Expected)
	}
	f.Contributions = own
	if len(own) == 0 {
		f.Contributions = nil
	}
}

func number(v float64) float64 {
	if v != v {
		return 0
	}
	return min(max(v, -math.MaxFloat64), math.MaxFloat64)
}
