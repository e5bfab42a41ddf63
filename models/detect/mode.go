package detect

import (
	"time"

	"millwright/plant"
)

// unknown is the mode while nothing names one.
const unknown = -1

// maxModes bounds the modes that a PLC may name beside those of the asset file.
const maxModes = 16

// rule is a mode's condition on a slot.
type rule struct {
	slot  int
	op    string
	value float64
}

func (r rule) holds(v float64) bool {
	switch r.op {
	case ">":
		return v > r.value
	case ">=":
		return v >= r.value
	case "<":
		return v < r.value
	case "<=":
		return v <= r.value
	}
	return false
}

// modes recognises the operating mode row by row.
type modes struct {
	names []string
	idle  []bool
	rules [][]rule
	tag   int   // slot of the PLC's mode tag, or -1
	named bool  // the asset file lists modes
	wait  int32 // settle time in rows
	dwell int32 // rows that conditions must hold before they change the mode

	cur       int
	heard     int   // what the mode tag said last; rows are behind it
	since     int32 // rows in cur
	candidate int
	held      int32 // rows of the candidate
}

// dwellTime keeps conditions on noisy tags from toggling the mode.
const dwellTime = 5 * time.Second

// settleTime is how long a mode change is given where the asset file is silent.
const settleTime = 10 * time.Second

func newModes(a *plant.Asset, grid time.Duration, slot func(path string) int) modes {
	m := modes{tag: -1, cur: unknown, heard: unknown, candidate: unknown, named: len(a.Modes) > 0}
	for _, d := range a.Modes {
		m.names = append(m.names, d.Name)
		m.idle = append(m.idle, d.Idle)
		var rs []rule
		for _, c := range d.When {
			rs = append(rs, rule{slot: slot(c.Tag), op: c.Op, value: c.Value})
		}
		m.rules = append(m.rules, rs)
	}
	if a.ModeTag != "" {
		m.tag = slot(a.ModeTag)
	}
	if m.tag < 0 && !m.named {
		m.names, m.idle, m.rules = []string{"running"}, []bool{false}, [][]rule{nil}
		return m
	}
	settle := a.Settle
	if settle == 0 {
		settle = settleTime
	}
	m.wait = int32(settle / grid)
	m.dwell = max(1, int32(dwellTime/grid))
	return m
}

// find is the index of a name that is known, or unknown.
func (m *modes) find(name string) int {
	for i, n := range m.names {
		if n == name {
			return i
		}
	}
	return unknown
}

// index of a name that the PLC gives. A name that the asset file does not list
// is a running mode of its own, as far as there is room.
func (m *modes) index(name string) int {
	if i := m.find(name); i != unknown {
		return i
	}
	if name == "" || len(m.names) >= maxModes {
		return unknown
	}
	m.names = append(m.names, name)
	m.idle = append(m.idle, false)
	m.rules = append(m.rules, nil)
	return len(m.names) - 1
}

// name of the present mode.
func (m *modes) name() string {
	if m.cur == unknown {
		return "unknown"
	}
	return m.names[m.cur]
}

// present is the mode for a limit that looks at samples as they come: none while
// the mode tag already says another mode than the rows.
func (m *modes) present() string {
	if m.tag >= 0 && m.heard != m.cur {
		return "unknown"
	}
	return m.name()
}

// raw is the mode that the values name, without dwell.
func (m *modes) raw(slots []slot) int {
	if m.tag >= 0 {
		s := &slots[m.tag]
		if !s.ok {
			return unknown
		}
		return int(s.value)
	}
	for i, rs := range m.rules {
		all := true
		for _, r := range rs {
			if r.slot < 0 || !slots[r.slot].ok || !r.holds(slots[r.slot].value) {
				all = false
				break
			}
		}
		if all {
			return i
		}
	}
	return unknown
}

// update takes one row and reports whether the mode changed.
func (m *modes) update(slots []slot) bool {
	raw := m.raw(slots)
	if m.since < 1<<30 {
		m.since++
	}
	if raw == m.cur {
		m.candidate, m.held = raw, 0
		return false
	}
	if raw != m.candidate {
		m.candidate, m.held = raw, 0
	}
	m.held++
	if m.tag < 0 && m.cur != unknown && m.held < m.dwell {
		return false
	}
	m.cur, m.since, m.held = raw, 0, 0
	return true
}

// settled reports whether rows of now may be judged: the mode is known, no
// other is about to take over, and the transition is over.
func (m *modes) settled() bool {
	return m.cur != unknown && m.candidate == m.cur && m.since >= m.wait
}

// running reports whether the machine works in the present mode.
func (m *modes) running() bool { return m.cur != unknown && !m.idle[m.cur] }
