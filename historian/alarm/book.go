package alarm

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"millwright/plant"
	"millwright/plant/sqlite"
	"millwright/sparkplug"
)

// Errors that callers tell apart.
var (
	ErrNotFound = errors.New("no such alarm or label")
	ErrChanged  = errors.New("the alarm has changed meanwhile")
	ErrCursor   = errors.New("not a cursor of this list")
	ErrNewer    = sqlite.ErrNewer
)

// Book is the alarms of the plant. Its methods may be called from any
// goroutine.
type Book struct {
	db *sql.DB

	writing sync.Mutex // one writer at a time; SQLite would poll

	mu      sync.Mutex
	changed chan struct{} // closed when the journal has grown
	closed  bool
}

// markAge is how long the record numbers of an epoch are kept after its last
// record.
const markAge = 90 * 24 * time.Hour

// Open opens the book in a folder (file alarms.db), or makes one.
func Open(dir string) (*Book, error) {
	db, err := sqlite.Open(filepath.Join(dir, "alarms.db"), steps()...)
	if err != nil {
		return nil, fmt.Errorf("alarms: %w", err)
	}
	_, err = db.Exec(`DELETE FROM mark WHERE (edge, epoch) IN
		(SELECT edge, epoch FROM mark GROUP BY edge, epoch HAVING max(at) < ?)`,
		time.Now().Add(-markAge).UnixNano())
	if err == nil {
		_, err = db.Exec(`DELETE FROM tally WHERE (edge, epoch) NOT IN (SELECT edge, epoch FROM mark)`)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("alarms: %w", err), db.Close())
	}
	return &Book{db: db, changed: make(chan struct{})}, nil
}

// Close closes the file.
func (b *Book) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil
	}
	b.closed = true
	if err := b.db.Close(); err != nil {
		return fmt.Errorf("alarms: close: %w", err)
	}
	return nil
}

// Changed returns a channel that is closed when the journal grows after the
// call. Whoever waits asks for the next one before reading Events.
func (b *Book) Changed() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.changed
}

func (b *Book) announce() {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.changed)
	b.changed = make(chan struct{})
}

// Apply brings the findings of one record of an edge into the book, in their
// order, in one durable step with the record's number. A number that is
// committed already is not applied again.
func (b *Book) Apply(ctx context.Context, edge string, epoch, number uint64, findings []plant.Finding) error {
	if edge == "" || epoch == 0 || epoch > sparkplug.MaxNumber || number == 0 || number > sparkplug.MaxNumber {
		return fmt.Errorf("alarms: record %d of epoch %d of edge %.40q: not a record number", number, epoch, edge)
	}
	journal := 0
	err := b.write(ctx, func(tx *sql.Tx) error {
		seen, err := mark(ctx, tx, edge, epoch, number)
		if err != nil || seen {
			return err
		}
		if err := tally(ctx, tx, edge, epoch, number, len(findings)); err != nil {
			return err
		}
		for i := range findings {
			f := findings[i]
			finite(&f)
			n, err := apply(ctx, tx, edge, &f)
			if err != nil {
				return err
			}
			journal += n
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("alarms: record %d of %s: %w", number, edge, err)
	}
	if journal > 0 {
		b.announce()
	}
	return nil
}

// Ack acknowledges an alarm. ifState, where not empty, is the state that it must
// still be in. With ErrChanged the alarm comes back as it is now; ErrNotFound
// says that there is none. An alarm that somebody has taken already comes back
// unchanged.
func (b *Book) Ack(ctx context.Context, id int64, who, note string, ifState plant.AlarmState) (plant.Alarm, error) {
	var a plant.Alarm
	grown := false
	err := b.write(ctx, func(tx *sql.Tx) error {
		var err error
		if a, err = get(ctx, tx, id); err != nil {
			return err
		}
		if ifState != "" && a.State != ifState {
			return ErrChanged
		}
		after, out := acknowledged(a, who, note, plant.Millis(time.Now().UnixNano()))
		if out == ignored {
			return nil
		}
		a, grown = after, true
		return record(ctx, tx, &a, "ack", who, note)
	})
	if err != nil {
		return a, fmt.Errorf("alarm %d: %w", id, err)
	}
	if grown {
		b.announce()
	}
	return a, nil
}

// write runs f in a transaction; nil means that it is on the disk.
func (b *Book) write(ctx context.Context, f func(tx *sql.Tx) error) error {
	b.writing.Lock()
	defer b.writing.Unlock()
	return sqlite.Update(ctx, b.db, f)
}
