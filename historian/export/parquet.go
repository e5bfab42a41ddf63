package export

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"
)

// Keys of the metadata of a Parquet file.
const (
	manifestKey = "millwright.manifest"
	sealKey     = "millwright.seal" // seal: so many bytes at the start have this hash
)

// seal lets a reader tell damaged rows: pages have checksums, but what says where
// pages are has none.
type seal struct {
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// parquetTable writes Parquet column by column: rows are never put together.
type parquetTable struct {
	out     *tally
	w       *parquet.GenericWriter[any]
	columns []column
	values  [][]parquet.Value // by column: its words
	buf     []parquet.Value
	rows    int // in a row group
	n       int // in this one
}

func newParquetTable(w *tally, columns []column, rows int, version string) *parquetTable {
	t := &parquetTable{out: w, columns: columns, rows: rows, values: make([][]parquet.Value, len(columns))}
	for i, c := range columns {
		level := 1
		if c.always {
			level = 0
		}
		for _, word := range c.words {
			t.values[i] = append(t.values[i], parquet.ByteArrayValue([]byte(word)).Level(0, level, i))
		}
	}
	t.w = parquet.NewGenericWriter[any](w, newSchema(columns),
		parquet.CreatedBy("millwright", version, ""),
		parquet.WriteBufferSize(0), // the tally has one
		parquet.Compression(&zstd.Codec{Level: zstd.SpeedFastest}),
	)
	return t
}

func newSchema(columns []column) *parquet.Schema {
	group := ordered{parquet.Group{}, nil}
	for _, c := range columns {
		group.Group[c.name] = c.node()
		group.names = append(group.names, c.name)
	}
	return parquet.NewSchema("millwright", group)
}

// ordered is a group whose fields come in our order instead of by name.
type ordered struct {
	parquet.Group
	names []string
}

// Fields implements parquet.Node.
func (o ordered) Fields() []parquet.Field {
	fields := o.Group.Fields()
	slices.SortFunc(fields, func(a, b parquet.Field) int {
		return slices.Index(o.names, a.Name()) - slices.Index(o.names, b.Name())
	})
	return fields
}

func (c *column) node() parquet.Node {
	switch c.kind {
	case timeKind:
		return parquet.Encoded(parquet.Timestamp(parquet.Millisecond), &parquet.DeltaBinaryPacked)
	case floatKind:
		return parquet.Optional(parquet.Encoded(parquet.Leaf(parquet.DoubleType), &parquet.ByteStreamSplit))
	case codeKind:
		return parquet.Encoded(parquet.Uint(32), &parquet.RLEDictionary)
	case flagKind:
		return parquet.Leaf(parquet.BooleanType)
	}
	n := parquet.Encoded(parquet.String(), &parquet.RLEDictionary)
	if c.always {
		return n
	}
	return parquet.Optional(n)
}

func (t *parquetTable) write(b *batch) error {
	columns := t.w.ColumnWriters()
	for i := range t.columns {
		t.buf = t.columns[i].appendValues(t.buf[:0], &b.vectors[i], b.n, t.values[i], i)
		if _, err := columns[i].WriteRowValues(t.buf); err != nil {
			return fmt.Errorf("export: column %s: %w", t.columns[i].name, err)
		}
	}
	if t.n += b.n; t.n >= t.rows {
		t.n = 0
		return t.w.Flush()
	}
	return nil
}

func (c *column) appendValues(dst []parquet.Value, v *vector, n int, words []parquet.Value, at int) []parquet.Value {
	null := parquet.Value{}.Level(0, 0, at)
	switch c.kind {
	case timeKind:
		for _, t := range v.times[:n] {
			dst = append(dst, parquet.Int64Value(t))
		}
	case floatKind:
		for _, f := range v.floats[:n] {
			if f != f {
				dst = append(dst, null)
			} else {
				dst = append(dst, parquet.DoubleValue(f).Level(0, 1, at))
			}
		}
	case codeKind:
		for _, x := range v.codes[:n] {
			dst = append(dst, parquet.Int32Value(int32(x)))
		}
	case flagKind:
		for _, x := range v.flags[:n] {
			dst = append(dst, parquet.BooleanValue(x))
		}
	case wordKind:
		for _, w := range v.words[:n] {
			if w == none {
				dst = append(dst, null)
			} else {
				dst = append(dst, words[w])
			}
		}
	case textKind:
		for i, s := range v.texts[:n] {
			if v.null[i] {
				dst = append(dst, null)
			} else {
				dst = append(dst, parquet.ByteArrayValue([]byte(s)).Level(0, 1, at))
			}
		}
	}
	return dst
}

func (t *parquetTable) close(manifest []byte) error {
	if err := t.w.Flush(); err != nil {
		return err
	}
	s, err := json.Marshal(seal{t.out.n, t.out.sum()})
	if err != nil {
		return err
	}
	t.w.SetKeyValueMetadata(manifestKey, string(manifest))
	t.w.SetKeyValueMetadata(sealKey, string(s))
	return t.w.Close()
}
