package detect

import (
	"math"

	"millwright/plant"
)

// cell is what one tag said within one row.
type cell struct {
	value   float64 // of the last sample
	quality plant.Quality
	samples int32 // 0: silent in this row
}

// openRow is a row that may still get samples.
type openRow struct {
	end   int64 // ns UTC: end of the row on a grid, the source time on a recording
	last  int64 // source time of its youngest sample
	full  int   // cells with a sample
	cells []cell
}

// maxOpen bounds the rows that wait; more are closed early.
const maxOpen = 64

// lateness is how long a row waits for tags that are published later than
// others, ns of source time.
const lateness = 500e6

// rows collects samples into rows and hands them out in order.
type rows struct {
	step   int64 // ns of source time; 0: every distinct source time is a row
	open   []openRow
	n      int   // open rows, oldest first
	newest int64 // youngest source time seen
	closed int64 // end of the row handed out last
	late   int32 // samples in a row that were too late by far
}

func newRows(step int64, slots int) rows {
	keep := maxOpen
	if step > 0 {
		keep = int(min(maxOpen, lateness/step+4))
	}
	r := rows{step: step, open: make([]openRow, keep)}
	for i := range r.open {
		r.open[i].cells = make([]cell, slots)
	}
	return r
}

// end of the row that a source time belongs to: rows are (end-step, end].
func (r *rows) end(t int64) int64 {
	if r.step == 0 {
		return t
	}
	return (t + r.step - 1) / r.step * r.step
}

// find is the open row of time t, opened where missing; nil when t is too late
// or all rows are in use (then the caller closes one and asks again).
func (r *rows) find(t int64) (row *openRow, late bool) {
	end := r.end(t)
	if end <= r.closed {
		return nil, true
	}
	i := r.n
	for i > 0 && r.open[i-1].end > end {
		i--
	}
	if i > 0 && r.open[i-1].end == end {
		return &r.open[i-1], false
	}
	if r.n == len(r.open) {
		return nil, false
	}
	free := r.open[r.n]
	copy(r.open[i+1:r.n+1], r.open[i:r.n])
	free.end, free.last, free.full = end, 0, 0
	clear(free.cells)
	r.open[i] = free
	r.n++
	return &r.open[i], false
}

// ready reports whether the oldest open row may be closed.
func (r *rows) ready() bool {
	if r.n == 0 {
		return false
	}
	o := &r.open[0]
	if r.step == 0 && o.full == len(o.cells) {
		return true
	}
	return r.newest > o.end+lateness || r.n == len(r.open)
}

// drop forgets the oldest row, whose memory goes to the back.
func (r *rows) drop() {
	o := r.open[0]
	r.closed = o.end
	copy(r.open, r.open[1:r.n])
	r.n--
	r.open[r.n] = o
}

// restart forgets where the grid was: the source's clock has stepped back.
func (r *rows) restart() {
	r.n, r.newest, r.closed, r.late = 0, 0, 0, 0
}

// sane keeps grid arithmetic far from overflow.
func sane(t int64) bool { return t > 0 && t < math.MaxInt64/2 }
