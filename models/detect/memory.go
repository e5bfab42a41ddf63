package detect

import "math"

// memoryBytes bounds what one mode of one asset keeps while it is commissioned.
const memoryBytes = 40 << 10

// chunk is the run of rows that is kept or dropped as a whole when a memory is
// full, so that windows inside it stay whole.
const chunk = 64

// memory keeps rows of one mode for the fit. When it is full, every second
// chunk is dropped and from then on only every second (fourth, eighth, …) chunk
// is taken: what stays is spread evenly over the whole commissioning.
type memory struct {
	width  int       // tags
	ref    []float64 // first value of each tag: rows keep the difference
	vals   []float32 // rows × width; NaN where a value is missing
	starts []bool    // the row does not follow the one before it
	stride int32     // chunks: one of so many is taken
	seen   int32     // rows offered
	broken bool      // the next row starts a new segment
}

func newMemory(width int) memory {
	return memory{width: width, stride: 1, broken: true}
}

func (m *memory) rows() int { return len(m.starts) }

func (m *memory) limit() int {
	n := memoryBytes / (4*m.width + 1) / chunk * chunk
	return min(1024, max(4*chunk, n))
}

// interrupt says that the next row does not follow the last one.
func (m *memory) interrupt() { m.broken = true }

// add takes one row; where ok is false the value is missing.
func (m *memory) add(x []float64, ok []bool) {
	if m.ref == nil {
		m.ref = make([]float64, m.width)
		for i := range m.ref {
			m.ref[i] = math.NaN()
		}
	}
	no := m.seen / chunk
	m.seen++
	if no%m.stride != 0 {
		m.broken = true
		return
	}
	if len(m.starts) == m.limit() {
		m.thin()
		if no%m.stride != 0 {
			m.broken = true
			return
		}
	}
	for i, v := range x {
		if !ok[i] {
			m.vals = append(m.vals, float32(math.NaN()))
			continue
		}
		if math.IsNaN(m.ref[i]) {
			m.ref[i] = v
		}
		m.vals = append(m.vals, float32(v-m.ref[i]))
	}
	m.starts = append(m.starts, m.broken)
	m.broken = false
}

// thin drops every second chunk.
func (m *memory) thin() {
	n := 0
	for c := 0; c < len(m.starts); c += 2 * chunk {
		copy(m.vals[n*m.width:(n+chunk)*m.width], m.vals[c*m.width:])
		copy(m.starts[n:n+chunk], m.starts[c:])
		m.starts[n] = true
		n += chunk
	}
	m.vals, m.starts = m.vals[:n*m.width], m.starts[:n]
	m.stride *= 2
	m.broken = true
}

// windows counts the rows that end a full window of w rows.
func (m *memory) windows(w int) int {
	run, n := 0, 0
	for _, s := range m.starts {
		if s {
			run = 0
		}
		run++
		if run >= w {
			n++
		}
	}
	return n
}
