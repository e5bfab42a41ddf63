package queue

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// Pos is a place in a lane. The zero Pos is its start.
type Pos struct {
	opening uint32
	number  uint64
}

// Backlog reads up to max unsettled records of a lane behind after, oldest
// first, and the place of the last one. Records that are not committed yet are
// not among them. A record that cannot be read is skipped and logged.
func (q *Queue) Backlog(lane Lane, after Pos, max int) ([]Record, Pos, error) {
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return nil, after, ErrClosed
	}
	// Start at what is known to be left, not at the lane's start, or every read
	// walks over the tombstones of what was freed.
	from := after
	from.number++
	epochs := make(map[uint32]uint64, len(q.openings))
	bounded := false
	for _, o := range q.openings {
		epochs[o.counter] = o.epoch
		left := o.lanes[lane].left
		if bounded || len(left) == 0 {
			continue
		}
		bounded = true
		if first := (Pos{o.counter, left[0].First}); first.after(from) {
			from = first
		}
	}
	it, err := q.db.NewIter(&pebble.IterOptions{
		LowerBound: recordKey(lane, from.opening, from.number),
		UpperBound: recordKey(lane+1, 0, 0),
	})
	q.mu.Unlock()
	if err != nil {
		return nil, after, fmt.Errorf("read backlog: %w", err)
	}
	defer it.Close()

	var out []Record
	for it.First(); it.Valid() && len(out) < max; it.Next() {
		_, counter, number, ok := parseRecordKey(it.Key())
		epoch, known := epochs[counter]
		if !ok || !known {
			continue
		}
		after = Pos{counter, number}
		r, _, err := decodeRecord(it.Value())
		if err != nil {
			q.cfg.Log.Error("queued record cannot be read", "epoch", epoch, "record", number, "err", err)
			continue
		}
		r.Epoch, r.Number, r.Lane = epoch, number, lane
		out = append(out, r)
	}
	return out, after, it.Error()
}

func (p Pos) after(o Pos) bool {
	return p.opening > o.opening || p.opening == o.opening && p.number > o.number
}

// header reads what the value of one record says of itself: bytes queued before
// it, its own size, its creation time.
func (q *Queue) header(lane Lane, counter uint32, number uint64) (cum uint64, size int, created int64, err error) {
	v, closer, err := q.db.Get(recordKey(lane, counter, number))
	if err != nil {
		return 0, 0, 0, err
	}
	d := decoder{b: v}
	d.take(1)
	cum, size, created = d.uvarint(), len(v), d.varint()*msec
	return cum, size, created, closer.Close()
}
