package chunk

import (
	"millwright/plant"
)

// The columns of a chunk, one by one, for formats that pack many tags into one
// value and have no use for a header and a summary for each: the edge's queue.
// A column does not say how long it is: who reads it must know.

// AppendTimes writes all times but the first. They ascend strictly over less than
// 292 years, in any unit.
func (e *Encoder) AppendTimes(dst []byte, times []int64) []byte { return e.appendTimes(dst, times) }

// AppendValues writes at least one value.
func (e *Encoder) AppendValues(dst []byte, values []float64) []byte {
	return e.appendValues(dst, values)
}

// AppendQuality writes runs of equal quality.
func AppendQuality(dst []byte, quality []plant.Quality) []byte { return appendQuality(dst, quality) }

// AppendInts packs integers of any size and order; those that are close to each
// other take few bits.
func AppendInts(dst []byte, ints []int64) []byte { return appendPacked(dst, ints) }

// Columns reads columns off the front of bytes. A column that is not there makes
// it bad, and everything after reads as zero: callers check OK once.
type Columns struct {
	r reader
	d Decoder
}

// Reset starts over with other bytes.
func (c *Columns) Reset(b []byte) { c.r = reader{b: b} }

// OK reports whether all that was read was there.
func (c *Columns) OK() bool { return !c.r.bad }

// Rest is how many bytes have not been read.
func (c *Columns) Rest() int { return len(c.r.b) }

// Uvarint reads one unsigned number.
func (c *Columns) Uvarint() uint64 { return c.r.uvarint() }

// Varint reads one signed number.
func (c *Columns) Varint() int64 { return c.r.varint() }

// Bytes reads n bytes, which stay those of the input.
func (c *Columns) Bytes(n int) []byte { return c.r.bytes(n) }

// Times reads a column whose first time is known. The times of damaged input need
// not ascend.
func (c *Columns) Times(dst []int64, first int64) { c.r.times(dst, first) }

// Values reads a column of values.
func (c *Columns) Values(dst []float64) { c.d.values(&c.r, dst) }

// Quality reads a column of quality.
func (c *Columns) Quality(dst []plant.Quality) { c.r.quality(dst) }

// Ints reads a column of integers.
func (c *Columns) Ints(dst []int64) { c.r.unpack(dst) }
