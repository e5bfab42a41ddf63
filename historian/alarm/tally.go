package alarm

import (
	"context"
	"database/sql"
	"fmt"

	"millwright/plant"
	"millwright/sparkplug"
)

// tally counts a record that is new in the book.
func tally(ctx context.Context, tx *sql.Tx, edge string, epoch, number uint64, findings int) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO tally(edge, epoch, block, records, findings) VALUES (?, ?, ?, 1, ?)
		ON CONFLICT DO UPDATE SET records = records + 1, findings = findings + excluded.findings`,
		edge, int64(epoch), int64(plant.BlockOf(number)), findings)
	return err
}

// Tallies returns what the records of an edge's epoch that are in the book carried,
// ascending by block, each one counted once and in the transaction that brought it into
// the book, and the numbers of those records. Where there are more numbers than the
// tallies count, their epoch began before there were tallies.
func (b *Book) Tallies(edge string, epoch uint64) (list []plant.Tally, of []sparkplug.Span, err error) {
	tx, err := b.db.BeginTx(context.Background(), &sql.TxOptions{ReadOnly: true}) // one moment for both
	if err != nil {
		return nil, nil, fmt.Errorf("alarms: tallies: %w", err)
	}
	defer tx.Rollback()
	if of, err = committed(tx, edge, epoch); err != nil {
		return nil, nil, err
	}
	rows, err := tx.Query(`SELECT block, records, findings FROM tally WHERE edge = ? AND epoch = ? ORDER BY block`, edge, int64(epoch))
	if err != nil {
		return nil, nil, fmt.Errorf("alarms: tallies: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var t plant.Tally
		if err := rows.Scan(&t.Last, &t.Records, &t.Counts[plant.CountFindings]); err != nil {
			return nil, nil, fmt.Errorf("alarms: tallies: %w", err)
		}
		t.First = t.Last
		list = append(list, t)
	}
	if err := rows.Err(); err != nil {
		return nil, nil, fmt.Errorf("alarms: tallies: %w", err)
	}
	return list, of, nil
}
