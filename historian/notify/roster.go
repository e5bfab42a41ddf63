package notify

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"millwright/plant"
)

// Roster returns the newest roster; where none was saved yet it is empty, with
// revision 0.
func (d *Desk) Roster(ctx context.Context) (plant.Roster, error) {
	r, err := scanRoster(d.db.QueryRowContext(ctx, `SELECT revision, saved, saved_by, note, body FROM roster ORDER BY revision DESC LIMIT 1`))
	if errors.Is(err, sql.ErrNoRows) {
		return plant.Roster{}, nil
	}
	if err != nil {
		return r, fmt.Errorf("notify: roster: %w", err)
	}
	return r, nil
}

// RosterAt returns a roster as it was saved; ErrNotFound.
func (d *Desk) RosterAt(ctx context.Context, revision int64) (plant.Roster, error) {
	r, err := scanRoster(d.db.QueryRowContext(ctx, `SELECT revision, saved, saved_by, note, body FROM roster WHERE revision = ?`, revision))
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return r, fmt.Errorf("notify: roster %d: %w", revision, err)
	}
	return r, nil
}

func scanRoster(row interface{ Scan(...any) error }) (plant.Roster, error) {
	var r plant.Roster
	var revision, saved int64
	var by, note, body string
	if err := row.Scan(&revision, &saved, &by, &note, &body); err != nil {
		return r, err
	}
	if err := json.Unmarshal([]byte(body), &r); err != nil {
		return r, err
	}
	r.Revision, r.Saved, r.SavedBy, r.Note = revision, saved, by, note
	return r, nil
}

// Revisions returns who saved when and why, newest first, without the content.
func (d *Desk) Revisions(ctx context.Context, limit int) ([]plant.Roster, error) {
	rows, err := d.db.QueryContext(ctx, `SELECT revision, saved, saved_by, note, '{}' FROM roster ORDER BY revision DESC LIMIT ?`, max(1, limit))
	if err != nil {
		return nil, fmt.Errorf("notify: revisions: %w", err)
	}
	defer rows.Close()
	var out []plant.Roster
	for rows.Next() {
		r, err := scanRoster(rows)
		if err != nil {
			return nil, fmt.Errorf("notify: revisions: %w", err)
		}
		out = append(out, r)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("notify: revisions: %w", err)
	}
	return out, nil
}

// SaveRoster saves a roster, made from the newest one, as its successor.
// ErrChanged says that it was not made from the newest; a *FaultError what is
// wrong with it.
func (d *Desk) SaveRoster(ctx context.Context, in plant.Roster, who, note string) (plant.Roster, error) {
	r, err := read(in)
	if err != nil {
		return in, err
	}
	body, err := json.Marshal(in)
	if err != nil {
		return in, fmt.Errorf("notify: save roster: %w", err)
	}
	err = d.write(ctx, func(tx *sql.Tx) error {
		var newest int64
		if err := tx.QueryRowContext(ctx, `SELECT coalesce(max(revision), 0) FROM roster`).Scan(&newest); err != nil {
			return err
		}
		if in.Revision != newest {
			return ErrChanged
		}
		r.Revision, r.Saved, r.SavedBy, r.Note = newest+1, plant.Millis(time.Now().UnixNano()), who, note
		_, err := tx.ExecContext(ctx, `INSERT INTO roster VALUES (?, ?, ?, ?, ?)`, r.Revision, r.Saved, who, note, string(body))
		return err
	})
	if err != nil {
		return in, fmt.Errorf("notify: save roster: %w", err)
	}
	d.adopt(r)
	wake(d.kick)
	return r.Roster, nil
}

// adopt makes r the newest roster, unless a newer one is in use.
func (d *Desk) adopt(r *roster) {
	for {
		old := d.roster.Load()
		if old.Revision >= r.Revision || d.roster.CompareAndSwap(old, r) {
			return
		}
	}
}

// OnCall returns who is on call in each team at a moment (ns UTC). Until is 0 where
// nobody else follows within a year, or after very many hand-overs to the same.
func (d *Desk) OnCall(ctx context.Context, at int64) ([]plant.OnCall, error) {
	var out []plant.OnCall
	for _, t := range d.roster.Load().teams {
		c, err := t.onCall(ctx, time.Unix(0, at))
		if err != nil {
			return nil, fmt.Errorf("notify: on call: %w", err)
		}
		out = append(out, c)
	}
	return out, nil
}
