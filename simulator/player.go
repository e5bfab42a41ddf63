package simulator

import (
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"millwright/plant"
	"millwright/plant/recording"
	"millwright/simulator/server"
)

// player offers the rows of a recording at their time.
type player struct {
	tell    func(format string, args ...any)
	speed   float64
	columns []int // of the variables
	srv     *server.Server
	stop    <-chan struct{}
	broken  func() bool // the sample log cannot be written

	start  time.Time
	rows   int
	last   int64         // recorded time of the row before
	due    time.Duration // since start, of the next row
	played time.Duration // since start, of the row before
	step   time.Duration // the last spacing, for the seam of a loop
	told   bool
	vals   []server.Value
}

// wait looks every few ms until ok, false where the player is stopped first.
func (p *player) wait(ok func() bool) bool {
	t := time.NewTicker(5 * time.Millisecond)
	defer t.Stop()
	for !ok() {
		select {
		case <-p.stop:
			return false
		case <-t.C:
		}
	}
	return true
}

// all plays the recording to its end or until the player is stopped.
func (p *player) all(r *recording.Recording) error {
	var row recording.Row
	for {
		err := r.Next(&row)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		p.schedule(row.Time)
		if !p.sleep() {
			return nil
		}
		p.play(&row)
		if p.broken() {
			return nil
		}
	}
}

// again plays the file once more, one row's spacing behind the last row.
func (p *player) again(file string, columns int) error {
	r, err := recording.Open(file)
	if err != nil {
		return err
	}
	defer r.Close()
	if len(r.Columns) != columns {
		return fmt.Errorf("%s: has other columns than before", file)
	}
	p.last = math.MinInt64
	return p.all(r)
}

// schedule sets when a row is due.
func (p *player) schedule(recorded int64) {
	switch {
	case p.rows == 0:
		p.due = time.Since(p.start)
		p.played = p.due - minSpacing
	case p.last == math.MinInt64:
		p.due += max(p.step, minSpacing)
	default:
		p.step = time.Duration(float64(recorded-p.last) / p.speed)
		if p.step < minSpacing && !p.told {
			p.told = true
			p.tell("rows closer than 10 ms are spaced 10 ms apart")
		}
		p.due += max(p.step, minSpacing)
	}
	p.last = recorded
}

// sleep waits until the row is due and 10 ms have passed since the row before.
func (p *player) sleep() bool {
	d := max(p.due, p.played+minSpacing) - time.Since(p.start)
	if d <= 0 {
		select {
		case <-p.stop:
			return false
		default:
			return true
		}
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-p.stop:
		return false
	case <-t.C:
		return true
	}
}

func (p *player) play(row *recording.Row) {
	p.played = time.Since(p.start)
	now := plant.Millis(p.start.UnixNano() + int64(p.played))
	p.vals = p.vals[:0]
	for i, c := range p.columns {
		if v := row.Cells[c]; !math.IsNaN(v) {
			p.vals = append(p.vals, server.Value{Var: i, Time: now, Number: v})
		}
	}
	p.srv.Write(p.vals)
	p.rows++
}
