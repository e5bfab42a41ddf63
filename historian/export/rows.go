package export

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"sort"

	"github.com/parquet-go/parquet-go"
)

// rowReader reads some columns of a row of rows side by side, over pages and row
// groups. It holds one page of each column.
type rowReader struct {
	f    *File
	next int64 // row to read
	end  int64
	at   []columnReader
	last int64 // time of the last row, ms; the first column is the time
}

// columnReader is one column on its way.
type columnReader struct {
	column int
	group  int // of pages
	pages  parquet.Pages
	page   parquet.Page
	values parquet.ValueReader
	buf    []parquet.Value // of the last read
	spent  []parquet.Page  // used up, but texts of buf lie in them
}

// readRows is how many rows are read at once.
const readRows = 1024

func (f *File) read(row, end int64, columns ...int) *rowReader {
	r := &rowReader{f: f, next: row, end: end, at: make([]columnReader, len(columns)), last: math.MinInt64}
	for i, c := range columns {
		r.at[i].column = c
	}
	return r
}

// read reads the next rows into the buffers of the columns and says how many they
// are, 0 at the end. Their time ascends.
func (r *rowReader) read(ctx context.Context) (n int, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	n = int(min(r.end-r.next, readRows))
	if n == 0 {
		return 0, nil
	}
	for i := range r.at {
		if err := r.at[i].read(r.f, r.next, n); err != nil {
			return 0, fmt.Errorf("%s: row %d: %w", r.f.f.Name(), r.next, err)
		}
	}
	for _, v := range r.at[0].buf {
		if v.IsNull() || v.Int64() <= r.last || v.Int64() > math.MaxInt64/int64(1e6) {
			return 0, fmt.Errorf("%s: row %d: %w: its times do not ascend", r.f.f.Name(), r.next, ErrDamaged)
		}
		r.last = v.Int64()
	}
	r.next += int64(n)
	return n, nil
}

func (r *rowReader) close() {
	for i := range r.at {
		r.at[i].close()
	}
}

// read reads n values from a row on, which is the one behind the last read.
func (c *columnReader) read(f *File, row int64, n int) (err error) {
	defer guard(&err)
	c.release()
	if cap(c.buf) < n {
		c.buf = make([]parquet.Value, readRows)
	}
	c.buf = c.buf[:n]
	for got := 0; got < n; {
		if c.values == nil {
			if err := c.turn(f, row+int64(got)); err != nil {
				return err
			}
		}
		k, err := c.values.ReadValues(c.buf[got:])
		got += k
		switch {
		case errors.Is(err, io.EOF):
			c.drop()
		case err != nil:
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		case k == 0:
			return fmt.Errorf("%w: a page gives nothing", ErrDamaged)
		}
	}
	return nil
}

// turn goes to the page that has a row.
func (c *columnReader) turn(f *File, row int64) error {
	group := sort.Search(len(f.groups), func(i int) bool { return f.groups[i] > row }) - 1
	if c.pages == nil || c.group != group {
		if c.pages != nil {
			_ = c.pages.Close() // of a file that stays open
		}
		c.group = group
		c.pages = f.p.RowGroups()[group].ColumnChunks()[c.column].Pages()
		if err := c.pages.SeekToRow(row - f.groups[group]); err != nil {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
	}
	page, err := c.pages.ReadPage()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	c.page, c.values = page, page.Values()
	return nil
}

// drop is done with a page.
func (c *columnReader) drop() {
	if c.page != nil {
		c.spent = append(c.spent, c.page)
	}
	c.page, c.values = nil, nil
}

func (c *columnReader) release() {
	for _, p := range c.spent {
		parquet.Release(p)
	}
	c.spent = c.spent[:0]
}

func (c *columnReader) close() {
	c.drop()
	c.release()
	if c.pages != nil {
		_ = c.pages.Close() // of a file that stays open
		c.pages = nil
	}
}
