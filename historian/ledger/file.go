package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"millwright/plant"
	"millwright/plant/sqlite"
)

// write puts entries, and a note where there is one, onto the disk in one step.
func (l *Ledger) write(ctx context.Context, name string, entries []*entry, note *plant.LossNote) error {
	return sqlite.Update(ctx, l.db, func(tx *sql.Tx) error {
		for _, x := range entries {
			body, err := json.Marshal(x)
			if err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO entry(edge, epoch, body) VALUES (?, ?, ?)`,
				name, int64(x.Account.Epoch), string(body)); err != nil {
				return err
			}
		}
		if note == nil {
			return nil
		}
		body, err := json.Marshal(note)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO note(edge, body) VALUES (?, ?)`, name, string(body))
		return err
	})
}

func (l *Ledger) loadEntries() error {
	return l.each(`SELECT edge, body FROM entry ORDER BY edge, epoch`, func(e *edge, body []byte) error {
		x := &entry{}
		if err := json.Unmarshal(body, x); err != nil {
			return err
		}
		e.entries = append(e.entries, x)
		return nil
	})
}

func (l *Ledger) loadNotes() error {
	return l.each(`SELECT edge, body FROM note ORDER BY id DESC`, func(e *edge, body []byte) error {
		if len(e.notes) == mostSaid {
			return nil
		}
		var n plant.LossNote
		if err := json.Unmarshal(body, &n); err != nil {
			return err
		}
		e.notes = append(e.notes, n)
		return nil
	})
}

func (l *Ledger) each(query string, f func(e *edge, body []byte) error) error {
	rows, err := l.db.Query(query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var name, body string
		if err := rows.Scan(&name, &body); err != nil {
			return err
		}
		if err := f(l.of(name), []byte(body)); err != nil {
			return fmt.Errorf("edge %s: %w", name, err)
		}
	}
	return rows.Err()
}
