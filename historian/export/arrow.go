package export

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// arrowTable writes the Arrow IPC file format, a record batch for each batch.
type arrowTable struct {
	w       *ipc.FileWriter
	schema  *arrow.Schema
	columns []column
	words   []arrow.Array // by column: its dictionary
	valid   []bool
	times   []arrow.Timestamp
}

func newArrowTable(w *tally, columns []column, head []byte) (*arrowTable, error) {
	t := &arrowTable{columns: columns, words: make([]arrow.Array, len(columns))}
	fields := make([]arrow.Field, len(columns))
	for i, c := range columns {
		fields[i] = arrow.Field{Name: c.name, Type: c.arrowType(), Nullable: c.mayLack()}
		if c.kind == wordKind {
			b := array.NewStringBuilder(memory.DefaultAllocator)
			b.AppendValues(c.words, nil)
			t.words[i] = b.NewArray()
		}
	}
	about := arrow.NewMetadata([]string{manifestKey}, []string{string(head)})
	t.schema = arrow.NewSchema(fields, &about)
	var err error
	t.w, err = ipc.NewFileWriter(w, ipc.WithSchema(t.schema), ipc.WithZstd(), ipc.WithAllocator(memory.DefaultAllocator))
	return t, err
}

// mayLack reports whether a cell may be without a value.
func (c *column) mayLack() bool {
	return c.kind == floatKind || c.kind == textKind || c.kind == wordKind && !c.always
}

var wordType = &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String}

func (c *column) arrowType() arrow.DataType {
	switch c.kind {
	case timeKind:
		return arrow.FixedWidthTypes.Timestamp_ms
	case floatKind:
		return arrow.PrimitiveTypes.Float64
	case codeKind:
		return arrow.PrimitiveTypes.Uint32
	case flagKind:
		return arrow.FixedWidthTypes.Boolean
	case wordKind:
		return wordType
	}
	return arrow.BinaryTypes.String
}

func (t *arrowTable) write(b *batch) error {
	arrays := make([]arrow.Array, len(t.columns))
	for i := range t.columns {
		arrays[i] = t.array(i, &b.vectors[i], b.n)
		defer arrays[i].Release()
	}
	rec := array.NewRecordBatch(t.schema, arrays, int64(b.n))
	defer rec.Release()
	if err := t.w.Write(rec); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	return nil
}

func (t *arrowTable) array(i int, v *vector, n int) arrow.Array {
	mem := memory.DefaultAllocator
	t.valid = t.valid[:0]
	switch t.columns[i].kind {
	case timeKind:
		t.times = t.times[:0]
		for _, ms := range v.times[:n] {
			t.times = append(t.times, arrow.Timestamp(ms))
		}
		b := array.NewTimestampBuilder(mem, arrow.FixedWidthTypes.Timestamp_ms.(*arrow.TimestampType))
		b.AppendValues(t.times, nil)
		return b.NewArray()
	case floatKind:
		for _, f := range v.floats[:n] {
			t.valid = append(t.valid, f == f)
		}
		b := array.NewFloat64Builder(mem)
		b.AppendValues(v.floats[:n], t.valid)
		return b.NewArray()
	case codeKind:
		b := array.NewUint32Builder(mem)
		b.AppendValues(v.codes[:n], nil)
		return b.NewArray()
	case flagKind:
		b := array.NewBooleanBuilder(mem)
		b.AppendValues(v.flags[:n], nil)
		return b.NewArray()
	case wordKind:
		for _, w := range v.words[:n] {
			t.valid = append(t.valid, w != none)
		}
		b := array.NewInt32Builder(mem)
		b.AppendValues(v.words[:n], t.valid)
		index := b.NewArray()
		defer index.Release()
		return array.NewDictionaryArray(wordType, index, t.words[i])
	}
	for _, null := range v.null[:n] {
		t.valid = append(t.valid, !null)
	}
	b := array.NewStringBuilder(mem)
	b.AppendValues(v.texts[:n], t.valid)
	return b.NewArray()
}

func (t *arrowTable) close([]byte) error { return t.w.Close() }
