package notify

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"millwright/plant"
)

// failuresEvery is how often a channel is asked what it could not send.
const failuresEvery = 10 * time.Second

// watch takes what a channel could not send after it had taken it.
func (d *Desk) watch(ctx context.Context, name string, f Failures) {
	next := time.NewTicker(failuresEvery)
	defer next.Stop()
	said := false
	for {
		err := f.Failed(ctx, func(key, why string) error { return d.failed(ctx, name, key, why) })
		if err != nil && ctx.Err() == nil && !errors.Is(err, errUnderWay) && !said {
			d.Log.Error("what a channel could not send cannot be read; trying again", "channel", name, "err", err)
		}
		said = err != nil
		select {
		case <-ctx.Done():
			return
		case <-next.C:
		}
	}
}

var errUnderWay = errors.New("the message is being handed over")

// failed writes down that a message that its channel took was not sent after all,
// and lets it go another way.
func (d *Desk) failed(ctx context.Context, name, key, why string) error {
	err := d.write(ctx, func(tx *sql.Tx) error {
		var id int64
		var state plant.MessageState
		var address string
		err := tx.QueryRowContext(ctx, `SELECT id, state, address FROM message WHERE key = ? AND channel = ?`, key, name).Scan(&id, &state, &address)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return nil // of another desk, or forgotten
		case err != nil:
			return err
		case state == plant.MessageSending:
			return errUnderWay // its outcome comes first
		case state != plant.MessageSent:
			return nil
		}
		why = strings.ReplaceAll(why, strings.TrimPrefix(address, "+"), masked(address))
		if _, err := tx.ExecContext(ctx, `UPDATE message SET state = 'dead', reason = 'taken, but not sent', error = ?, handed = 0, sent = 0 WHERE id = ?`, why, id); err != nil {
			return err
		}
		d.Log.Warn("message was taken by its channel and not sent", "message", id, "channel", name, "err", why)
		return count(ctx, tx, name, `failed = failed + 1, dead = dead + 1, error = ?3`, time.Now().UnixNano(), why)
	})
	if err != nil {
		return fmt.Errorf("notify: failure of %s: %w", name, err)
	}
	wake(d.kick) // perhaps another channel takes it
	return nil
}
