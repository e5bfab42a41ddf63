package notify

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"millwright/plant"
)

// lane hands the messages of one channel over, a few at a time, so that a server
// that hangs delays nobody on another channel.
type lane struct {
	desk    *Desk
	channel Channel
	name    string
	wake    chan struct{}
	again   []int64 // on their way when the process before this one died

	mu       sync.Mutex
	circuits map[string]*breaker // guarded by mu; of each webhook, or one with the name ""
}

// circuit is the breaker of an address. Webhooks lead to servers of their own,
// the other channels to one.
func (l *lane) circuit(address string) *breaker {
	if l.name != webhook {
		address = ""
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.circuits[address]
	if b == nil {
		b = &breaker{}
		l.circuits[address] = b
	}
	return b
}

// each calls f with every circuit.
func (l *lane) each(f func(address string, b *breaker)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for address, b := range l.circuits {
		f(address, b)
	}
}

// run sends until ctx ends and what is under way has come back.
func (l *lane) run(ctx context.Context) {
	slots := make(chan struct{}, l.desk.Limits.Parallel)
	defer func() {
		for range cap(slots) {
			slots <- struct{}{}
		}
	}()
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case slots <- struct{}{}:
		}
		r, wait, err := l.next(ctx)
		if r != nil {
			go func() {
				for r != nil {
					r = l.try(ctx, r)
				}
				<-slots
				wake(l.wake)
			}()
			continue
		}
		<-slots
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			l.desk.Log.Error("outbox cannot be read; trying again", "channel", l.name, "err", err)
			wait = time.Second
		}
		pause.Reset(wait)
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
			if err != nil {
				<-pause.C // not in a circle
			}
		case <-pause.C:
		}
	}
}

// next takes the next message from the outbox, marked as being sent, or says how
// long there is none.
func (l *lane) next(ctx context.Context) (r *row, wait time.Duration, err error) {
	if len(l.again) > 0 {
		r, err = l.resume(ctx, l.again[0])
		if err == nil {
			l.again = l.again[1:]
			l.circuit(r.Address).begin()
		}
		return r, 0, err
	}
	which, blocked := l.passable(time.Now())
	r, wait, err = l.claim(ctx, which)
	if r != nil {
		l.circuit(r.Address).begin()
	}
	if blocked > 0 {
		wait = min(wait, blocked)
	}
	return r, wait, err
}

// passable selects the messages whose circuit lets them pass, and says when
// another opens. A test always passes: somebody wants to see whether it works.
func (l *lane) passable(now time.Time) (which string, blocked time.Duration) {
	shut := []string{}
	l.each(func(address string, b *breaker) {
		if wait := b.blocked(now); wait > 0 {
			shut = append(shut, address)
			if blocked == 0 || wait < blocked {
				blocked = wait
			}
		}
	})
	switch {
	case len(shut) == 0:
		return "", 0
	case l.name != webhook:
		return ` AND purpose = 'test'`, blocked
	}
	// Names of webhooks are letters, digits, "-" and "_".
	list, err := json.Marshal(shut)
	if err != nil {
		return ` AND purpose = 'test'`, blocked
	}
	return ` AND (purpose = 'test' OR address NOT IN (SELECT value FROM json_each('` + string(list) + `')))`, blocked
}

// resume takes a message again that was on its way when the process died.
// Whether it arrived nobody knows; its key tells the channel.
func (l *lane) resume(ctx context.Context, id int64) (*row, error) {
	r, err := scanRow(l.desk.db.QueryRowContext(ctx, `SELECT `+columns+` FROM message WHERE id = ?`, id))
	if err != nil {
		return nil, err
	}
	return &r, nil
}

// claim marks the next message that may go as being sent, durably.
func (l *lane) claim(ctx context.Context, which string) (out *row, wait time.Duration, err error) {
	d := l.desk
	// Usually there is nothing, and looking needs no lock.
	var due sql.NullInt64
	if err := d.db.QueryRowContext(ctx, `SELECT min(due) FROM message WHERE channel = ? AND state = 'pending'`+which, l.name).Scan(&due); err != nil {
		return nil, 0, err
	}
	if !due.Valid {
		return nil, time.Hour, nil
	}
	if wait := time.Until(time.Unix(0, due.Int64)); wait > 0 {
		return nil, wait, nil
	}
	err = d.write(ctx, func(tx *sql.Tx) error {
		out, err = l.take(ctx, tx, which)
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	return out, 0, nil
}

// take marks the next message that may go as being sent, and puts off those
// before it that may not.
func (l *lane) take(ctx context.Context, tx *sql.Tx, which string) (*row, error) {
	now := time.Now().UnixNano()
	for {
		r, err := scanRow(tx.QueryRowContext(ctx, `SELECT `+columns+` FROM message WHERE channel = ? AND state = 'pending' AND due <= ?`+which+`
			ORDER BY purpose = 'return', priority, id LIMIT 1`, l.name, now))
		if errors.Is(err, sql.ErrNoRows) {
			return nil, nil // the next look finds when to come again
		}
		if err != nil {
			return nil, err
		}
		may, err := l.desk.gate(ctx, tx, &r, now)
		if err != nil {
			return nil, err
		}
		if !may {
			wake(l.desk.kick) // the planner has a new time to wait for
			continue
		}
		r.Tries++
		r.State = plant.MessageSending
		_, err = tx.ExecContext(ctx, `UPDATE message SET state = 'sending', tries = tries + 1, handed = ?, reason = '' WHERE id = ?`, now, r.ID)
		return &r, err
	}
}
