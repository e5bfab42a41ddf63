package train

import "math"

// Memory for training rows: what a mode has beyond it is thinned by whole
// chunks, so that windows inside them stay whole.
const (
	memoryBytes = 96 << 20
	maxRows     = 2 << 20
	chunk       = 512
)

// rows are those of one mode that a training may use, oldest first.
type rows struct {
	width  int       // tags
	ref    []float64 // first value of each tag: rows keep the difference
	vals   []float32 // rows × width; NaN where masked
	starts []bool    // the row does not follow the one before it
	times  []int64   // ns UTC

	limit  int // rows
	stride int // chunks: one of so many is taken
	seen   int // rows offered
	broken bool
}

// newRows makes room for one of so many modes.
func newRows(width, modes int) *rows {
	n := memoryBytes / (4*width + 9) / max(1, modes) / (2 * chunk) * 2 * chunk
	r := &rows{width: width, ref: make([]float64, width), stride: 1, broken: true, limit: min(maxRows, max(4*chunk, n))}
	for i := range r.ref {
		r.ref[i] = math.NaN()
	}
	return r
}

func (r *rows) n() int { return len(r.starts) }

// interrupt says that the next row does not follow the last one.
func (r *rows) interrupt() { r.broken = true }

// add takes a row; where ok is false the value is masked.
func (r *rows) add(t int64, x []float64, ok []bool) {
	no := r.seen / chunk
	r.seen++
	if no%r.stride == 0 && r.n() == r.limit {
		r.thin()
	}
	if no%r.stride != 0 {
		r.broken = true
		return
	}
	for i, v := range x {
		if !ok[i] {
			r.vals = append(r.vals, float32(math.NaN()))
			continue
		}
		if math.IsNaN(r.ref[i]) {
			r.ref[i] = v
		}
		r.vals = append(r.vals, float32(v-r.ref[i]))
	}
	r.starts = append(r.starts, r.broken)
	r.times = append(r.times, t)
	r.broken = false
}

// thin drops every second chunk, and takes only every second one from then on.
func (r *rows) thin() {
	n := 0
	for c := 0; c < r.n(); c += 2 * chunk {
		copy(r.vals[n*r.width:(n+chunk)*r.width], r.vals[c*r.width:])
		copy(r.starts[n:n+chunk], r.starts[c:])
		copy(r.times[n:n+chunk], r.times[c:])
		r.starts[n] = true
		n += chunk
	}
	r.vals, r.starts, r.times = r.vals[:n*r.width], r.starts[:n], r.times[:n]
	r.stride *= 2
	r.broken = true
}

// value of tag i in row at; NaN where masked.
func (r *rows) value(at, i int) float64 { return r.ref[i] + float64(r.vals[at*r.width+i]) }

// runs calls f with each run of rows in [from, to) that follow each other.
func (r *rows) runs(from, to int, f func(from, to int)) {
	begin := from
	for at := from + 1; at <= to; at++ {
		if at == to || r.starts[at] {
			f(begin, at)
			begin = at
		}
	}
}

// windows counts the rows in [from, to) that end a whole window.
func (r *rows) windows(from, to, window int) int {
	n := 0
	if from < to {
		r.runs(from, to, func(from, to int) { n += max(0, to-from-window+1) })
	}
	return n
}

// Pieces of a mode's rows: those that calibrate lie between those that are
// fitted, the last one says when to stop.
const (
	pieces    = 12
	stopPiece = pieces - 1
)

var calibrates = [pieces]bool{2: true, 5: true, 8: true, 10: true}

// piece is a run of rows in time.
type piece struct{ from, to int }

func (r *rows) piece(i int) piece { return piece{r.n() * i / pieces, r.n() * (i + 1) / pieces} }

// fitted, calibration and stopping pieces.
func (r *rows) split() (fit, calibration []piece, stop piece) {
	for i := range pieces {
		switch {
		case calibrates[i]:
			calibration = append(calibration, r.piece(i))
		case i != stopPiece:
			fit = append(fit, r.piece(i))
		}
	}
	return fit, calibration, r.piece(stopPiece)
}

// Windows of the autoencoder, rows: the largest one of which a usual run holds
// two.
var windowSizes = [...]int{60, 45, 30, 20, 15, 10}

// windowFor chooses the window of modes whose runs are as these.
func windowFor(all []*rows) int {
	least := windowSizes[0]
	for _, r := range all {
		var lengths []int
		r.runs(0, r.n(), func(from, to int) { lengths = append(lengths, to-from) })
		usual := usualRun(lengths)
		w := windowSizes[len(windowSizes)-1]
		for _, s := range windowSizes {
			if 2*s <= usual {
				w = s
				break
			}
		}
		least = min(least, w)
	}
	return least
}

// usualRun is the length of the run that a row drawn by chance lies in, in the
// median.
func usualRun(lengths []int) int {
	total := 0
	byLength := map[int]int{}
	longest := 0
	for _, n := range lengths {
		total += n
		byLength[n] += n
		longest = max(longest, n)
	}
	sum := 0
	for n := 1; n <= longest; n++ {
		if sum += byLength[n]; 2*sum >= total {
			return n
		}
	}
	return longest
}
