package alarm

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"millwright/sparkplug"
)

// mark adds a record number to the committed ones; seen says that it was there.
func mark(ctx context.Context, tx *sql.Tx, edge string, epoch, number uint64) (seen bool, err error) {
	// At most two ranges hold the number or touch it.
	rows, err := tx.QueryContext(ctx, `SELECT first, last FROM mark WHERE edge = ? AND epoch = ? AND first <= ?
		ORDER BY first DESC LIMIT 2`, edge, int64(epoch), int64(number)+1)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	r := sparkplug.Span{First: number, Last: number}
	var old []uint64
	for rows.Next() {
		var s sparkplug.Span
		if err := rows.Scan(&s.First, &s.Last); err != nil {
			return false, err
		}
		switch {
		case s.First <= number && number <= s.Last:
			return true, nil
		case s.Last+1 == number:
			r.First = s.First
			old = append(old, s.First)
		case s.First == number+1:
			r.Last = s.Last
			old = append(old, s.First)
		}
	}
	if err := rows.Err(); err != nil {
		return false, err
	}
	for _, first := range old {
		if _, err := tx.ExecContext(ctx, `DELETE FROM mark WHERE edge = ? AND epoch = ? AND first = ?`,
			edge, int64(epoch), int64(first)); err != nil {
			return false, err
		}
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO mark(edge, epoch, first, last, at) VALUES (?, ?, ?, ?, ?)`,
		edge, int64(epoch), int64(r.First), int64(r.Last), time.Now().UnixNano())
	return false, err
}

// Committed returns the record numbers of an edge's epoch that are in the book,
// ascending and disjoint.
func (b *Book) Committed(edge string, epoch uint64) ([]sparkplug.Span, error) {
	return committed(b.db, edge, epoch)
}

// querier is the database or a transaction.
type querier interface {
	Query(query string, args ...any) (*sql.Rows, error)
}

func committed(db querier, edge string, epoch uint64) ([]sparkplug.Span, error) {
	rows, err := db.Query(`SELECT first, last FROM mark WHERE edge = ? AND epoch = ? ORDER BY first`, edge, int64(epoch))
	if err != nil {
		return nil, fmt.Errorf("alarms: committed: %w", err)
	}
	defer rows.Close()
	var out []sparkplug.Span
	for rows.Next() {
		var s sparkplug.Span
		if err := rows.Scan(&s.First, &s.Last); err != nil {
			return nil, fmt.Errorf("alarms: committed: %w", err)
		}
		out = append(out, s)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("alarms: committed: %w", err)
	}
	return out, nil
}
