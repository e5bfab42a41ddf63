package notify

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"time"
)

// prepare looks at what the process before left.
func (d *Desk) prepare(ctx context.Context) error {
	if err := d.recognise(ctx); err != nil {
		return err
	}
	now := time.Now().UnixNano()
	// What leads to a channel that is gone is dead; perhaps another contact takes it.
	if err := d.write(ctx, func(tx *sql.Tx) error {
		lost, err := tx.QueryContext(ctx, `SELECT DISTINCT channel FROM message WHERE state IN ('pending', 'held', 'sending')`)
		if err != nil {
			return err
		}
		defer lost.Close()
		var gone []string
		for lost.Next() {
			var kind string
			if err := lost.Scan(&kind); err != nil {
				return err
			}
			if !d.able(kind) {
				gone = append(gone, kind)
			}
		}
		if err := lost.Err(); err != nil {
			return err
		}
		for _, kind := range gone {
			if _, err := tx.ExecContext(ctx, `UPDATE message SET state = 'dead', reason = 'this channel is not configured any more' WHERE channel = ? AND state IN ('pending', 'held', 'sending')`, kind); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, `UPDATE message SET handed = ? WHERE state = 'sending'`, now)
		return err
	}); err != nil {
		return err
	}
	for _, l := range d.lanes {
		l.again = nil
		rows, err := d.db.QueryContext(ctx, `SELECT id FROM message WHERE channel = ? AND state = 'sending' ORDER BY id`, l.name)
		if err != nil {
			return err
		}
		for rows.Next() {
			var id int64
			if err := rows.Scan(&id); err != nil {
				return errors.Join(err, rows.Close())
			}
			l.again = append(l.again, id)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return err
		}
	}
	return nil
}

// recognise looks whether the alarm book is the one that was followed. Where it
// is another (its folder was lost or an older copy put back), the desk begins
// anew with other keys, because the numbers of alarms mean others now.
func (d *Desk) recognise(ctx context.Context) error {
	var cursor int64
	if err := d.db.QueryRowContext(ctx, `SELECT cursor FROM desk`).Scan(&cursor); err != nil {
		return err
	}
	if cursor == 0 {
		return nil
	}
	last, err := d.Alarms.Events(ctx, uint64(cursor-1), 1)
	if err != nil {
		return err
	}
	if len(last) == 1 && last[0].Seq == uint64(cursor) {
		return nil
	}
	d.Log.Warn("the alarm book is not the one that alerts were sent for; beginning anew", "cursor", cursor)
	fresh := make([]byte, 4)
	rand.Read(fresh)
	err = d.write(ctx, func(tx *sql.Tx) error {
		for _, q := range []string{
			`DELETE FROM episode`, `DELETE FROM told`, `DELETE FROM code`, `DELETE FROM link`,
			`UPDATE message SET state = 'cancelled', reason = 'of another alarm book' WHERE state IN ('pending', 'held', 'sending') AND alarm <> 0`,
		} {
			if _, err := tx.ExecContext(ctx, q); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, `UPDATE desk SET name = ?, cursor = 0, first = 1`, hex.EncodeToString(fresh))
		return err
	})
	if err == nil {
		d.name = hex.EncodeToString(fresh)
	}
	return err
}
