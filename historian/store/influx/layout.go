package influx

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"millwright/historian/store"
)

// version of the schema in FORMAT.md, and the point that says so.
const (
	version    = 1
	formatLine = "meta,kind=format version=1i 0"
)

const ms = int64(1_000_000)

// errDamaged is what the database holds that we never wrote.
var errDamaged = store.ErrDamaged

// rows runs a query and reads its rows one by one.
func (v *server) rows(ctx context.Context, x *selection, row func(t *table) error) error {
	if x.empty() {
		return nil
	}
	return v.query(ctx, x.flux(v.bucket), func(r io.Reader) error {
		t := newTable(r)
		for {
			if err := t.next(); err == io.EOF {
				return nil
			} else if err != nil {
				return err
			}
			if err := row(t); err != nil {
				return err
			}
		}
	})
}

// layout checks the version of the schema, or writes it into a new database. Its
// place is the time 0, like that of all that must outlive any retention: a
// database that forgets refuses it.
func (s *Store) layout(ctx context.Context) error {
	found := int64(0)
	err := s.server.rows(ctx, &selection{
		measurement: "meta", tags: [][2]string{{"kind", "format"}}, from: 0, to: ms,
	}, func(t *table) error {
		n, err := strconv.ParseInt(string(t.cell("_value")), 10, 64)
		found = n
		return err
	})
	switch {
	case err != nil:
		return err
	case found > version:
		return fmt.Errorf("database %s has version %d of the schema, this program knows %d: %w", s.server.bucket, found, version, store.ErrNewer)
	}
	// Also where it is there: it tells at the start whether we may write.
	err = s.server.write(ctx, formatLine)
	if errors.Is(err, errRefused) {
		return fmt.Errorf("%w: the database %s must keep data without limit of time (a retention policy of infinite duration), since tags and record numbers are in it too", err, s.server.bucket)
	}
	return err
}
