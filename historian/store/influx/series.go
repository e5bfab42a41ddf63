package influx

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"

	"millwright/plant"
)

// A series is read as one stream of the field v, in time order, and for each page
// of it the q that are not 0: most are 0, so half of the transfer is saved. The
// order matters: an append that runs meanwhile writes q with v, so a v that was
// seen has its q by the time that q is asked for. A q that says "finite" and has
// no v is of a point that came in between; its append has not returned yet.
//
// Pages grow, so that a short look is quick and a long one asks seldom.
const (
	leastPage = 1 << 10
	mostPage  = 1 << 16
)

// errEnough ends a query from inside.
var errEnough = errors.New("enough")

// series reads one tag. V is the type of the field v.
type series[V any] struct {
	server      *server
	measurement string
	point       string
	from, to    int64
	parse       func([]byte) (V, error)
	// take gets the rows, ascending, one per time; has: v is there. False: enough.
	take func(at int64, v V, has bool, q int64) bool

	times  []int64 // of the page
	values []V
	next   int64 // start of the page
}

func (r *series[V]) selection(field string, from, to int64) *selection {
	return &selection{measurement: r.measurement, points: []string{r.point}, fields: []string{field}, from: from, to: to}
}

func (r *series[V]) run(ctx context.Context) error {
	for range 3 {
		rows, err := r.read(ctx)
		if err == nil && rows == 0 {
			var hidden bool
			if hidden, err = r.hidden(ctx); hidden {
				continue
			}
		}
		if err == nil {
			err = r.flush(ctx, r.to)
		}
		if errors.Is(err, errEnough) {
			err = nil
		}
		return err
	}
	return fmt.Errorf("the field v of %s has two types between %s and %s, and InfluxDB answers with the other one: see docs/influx.md",
		r.measurement, moment(max(r.from, earliest)), moment(min(r.to, latest)))
}

// read reads the field v and hands out full pages; the last one is left. It
// returns how many v there were.
func (r *series[V]) read(ctx context.Context) (rows int, err error) {
	page := leastPage
	r.next = r.from
	err = r.server.rows(ctx, r.selection("v", r.from, r.to), func(t *table) error {
		rows++
		at, err := t.time()
		if err != nil {
			return err
		}
		at = plant.Millis(at) // somebody else's may be finer
		v, err := r.parse(t.cell("_value"))
		if err != nil {
			return fmt.Errorf("%w: value %.40q", errDamaged, t.cell("_value"))
		}
		n := len(r.times)
		switch {
		case at < r.next || n > 0 && at < r.times[n-1]:
			return fmt.Errorf("%w: two series in InfluxDB have the point %s; %s is in both: remove the one that is not Millwright's", errDamaged, r.point, moment(at))
		case n > 0 && at == r.times[n-1]:
			r.values[n-1] = v
			return nil
		case n == page:
			if err := r.flush(ctx, at); err != nil {
				return err
			}
			page = min(4*page, mostPage)
		}
		r.times, r.values = append(r.times, at), append(r.values, v)
		return nil
	})
	return rows, err
}

// hidden reports whether there is a v, though none came: an append was in
// between, or it stays so.
func (r *series[V]) hidden(ctx context.Context) (yes bool, err error) {
	x := r.selection("q", r.from, r.to)
	x.finite, x.last = true, true
	err = r.server.rows(ctx, x, func(*table) error {
		yes = true
		return nil
	})
	return yes, err
}

// flush hands out the page, which has every v up to a time, and starts the next.
func (r *series[V]) flush(ctx context.Context, to int64) error {
	i := 0
	upTo := func(at int64) bool {
		for ; i < len(r.times) && r.times[i] < at; i++ {
			if !r.take(r.times[i], r.values[i], true, 0) {
				return false
			}
		}
		return true
	}
	x := r.selection("q", r.next, to)
	x.nonzero = true
	err := r.server.rows(ctx, x, func(t *table) error {
		at, err := t.time()
		if err != nil {
			return err
		}
		at = plant.Millis(at)
		q, err := strconv.ParseInt(string(t.cell("_value")), 10, 64)
		if err != nil {
			return fmt.Errorf("%w: quality %.40q", errDamaged, t.cell("_value"))
		}
		if !upTo(at) {
			return errEnough
		}
		var v V
		has := i < len(r.times) && r.times[i] == at
		if has {
			v = r.values[i]
			i++
		}
		if !r.take(at, v, has, q) {
			return errEnough
		}
		return nil
	})
	if err == nil && !upTo(math.MaxInt64) {
		err = errEnough
	}
	r.times, r.values, r.next = r.times[:0], r.values[:0], to
	return err
}

func parseFloat(b []byte) (float64, error) { return strconv.ParseFloat(string(b), 64) }

func parseText(b []byte) (string, error) { return string(b), nil }

// bitsAt reads the value of which q says that it is in x.
func (v *server) bitsAt(ctx context.Context, point string, at int64) (float64, error) {
	bits, found := int64(0), false
	x := &selection{measurement: "sensor", points: []string{point}, fields: []string{"x"}, from: at, to: at + ms}
	err := v.rows(ctx, x, func(t *table) (err error) {
		bits, err = strconv.ParseInt(string(t.cell("_value")), 10, 64)
		found = true
		return err
	})
	if err != nil || !found {
		return math.NaN(), err
	}
	return math.Float64frombits(uint64(bits)), nil
}
