package export

import (
	"fmt"
)

// kind is what the cells of a column are.
type kind int

const (
	timeKind  kind = iota // ms since 1970 in UTC, always there
	floatKind             // NaN is no value
	codeKind              // unsigned 32 bit, always there
	flagKind              // always there
	wordKind              // one of column.words, or none
	textKind              // any text, or none
)

// column of a table. Words are known before the first row.
type column struct {
	name   string
	kind   kind
	words  []string
	always bool // a word that is always there
}

// vector is the cells of one column in a batch: the slice of its kind has as many
// as the batch has rows.
type vector struct {
	times  []int64
	floats []float64
	codes  []uint32
	flags  []bool
	words  []int32
	texts  []string
	null   []bool // beside texts
}

// batch is some rows, column by column. Its memory is used again.
type batch struct {
	n       int
	vectors []vector
}

// newBatch makes a batch that holds size rows.
func newBatch(columns []column, size int) *batch {
	b := &batch{vectors: make([]vector, len(columns))}
	for i, c := range columns {
		v := &b.vectors[i]
		switch c.kind {
		case timeKind:
			v.times = make([]int64, size)
		case floatKind:
			v.floats = make([]float64, size)
		case codeKind:
			v.codes = make([]uint32, size)
		case flagKind:
			v.flags = make([]bool, size)
		case wordKind:
			v.words = make([]int32, size)
		case textKind:
			v.texts, v.null = make([]string, size), make([]bool, size)
		}
	}
	return b
}

// table writes batches as a file. Both shapes look the same to it.
type table interface {
	write(b *batch) error
	// close ends the file, with the manifest in it where the format has a place
	// for one.
	close(manifest []byte) error
}

// newTable begins a file. head is the manifest as far as it is known now.
func newTable(format Format, w *tally, columns []column, rows int, head []byte, version string) (table, error) {
	switch format {
	case Parquet:
		return newParquetTable(w, columns, rows, version), nil
	case Arrow:
		return newArrowTable(w, columns, head)
	case CSV:
		return newCSVTable(w, columns)
	}
	return nil, fmt.Errorf("export: no format %q", format)
}

// fill sets all of s to v.
func fill[T any](s []T, v T) {
	for i := range s {
		s[i] = v
	}
}
