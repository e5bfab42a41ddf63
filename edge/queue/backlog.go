package queue

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// Pos is a place in a lane. The zero Pos is its start.
type Pos struct {
	opening uint32
	number  uint64
}

// place is an item and where it belongs.
type place struct {
	item
	lane    Lane
	opening uint32
	epoch   uint64
}

func (p *place) key() []byte {
	if p.pack {
		return placeKey(packPrefix, p.lane, p.opening, p.last)
	}
	return recordKey(p.lane, p.opening, p.last)
}

// Backlog reads up to max unsettled records of a lane behind after, oldest
// first, and the place of the last one. Records that are not committed yet are
// not among them. A value that cannot be read is passed over, and its loss
// declared.
func (q *Queue) Backlog(lane Lane, after Pos, max int) ([]Record, Pos, error) {
	var out []Record
	misses := 0
	for len(out) < max {
		places, err := q.places(lane, after, max-len(out))
		if err != nil {
			return nil, after, err
		}
		if len(places) == 0 {
			break
		}
		for i := range places {
			p := &places[i]
			records, err := q.read(p)
			if errors.Is(err, pebble.ErrNotFound) && misses < 3 {
				misses++ // settled meanwhile, or packed: look again
				break
			}
			if errors.Is(err, pebble.ErrClosed) {
				return nil, after, ErrClosed
			}
			if err != nil {
				q.cfg.Log.Error("queued records cannot be read", "epoch", p.epoch, "first", p.first, "last", p.last, "err", err)
				q.breakItem(p)
				after = Pos{p.opening, p.last}
				continue
			}
			for j := range records {
				r := &records[j]
				if len(out) == max {
					break
				}
				if at := (Pos{p.opening, r.Number}); at.after(after) {
					after = at
					if q.isLeft(p, r.Number) {
						out = append(out, *r)
					}
				}
			}
			if len(out) < max {
				after = Pos{p.opening, p.last}
			}
		}
	}
	return out, after, nil
}

// places lists the items of a lane behind after: up to max records, or up to one
// pack.
func (q *Queue) places(lane Lane, after Pos, max int) (out []place, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return nil, ErrClosed
	}
	for _, o := range q.openings {
		if o.counter < after.opening {
			continue
		}
		l := &o.lanes[lane]
		i := 0
		if o.counter == after.opening {
			i = l.from(after.number + 1)
		}
		for _, it := range l.items[i:] {
			if len(out) == max {
				return out, nil
			}
			if it.broken {
				continue
			}
			out = append(out, place{it, lane, o.counter, o.epoch})
			if it.pack {
				return out, nil
			}
		}
	}
	return out, nil
}

func (q *Queue) isLeft(p *place, number uint64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, o := range q.openings {
		if o.counter == p.opening {
			return o.lanes[p.lane].left.has(number)
		}
	}
	return false
}

func (p Pos) after(o Pos) bool {
	return p.opening > o.opening || p.opening == o.opening && p.number > o.number
}

// lastPack is the pack that was unpacked last: a backlog is read a few records at
// a time.
type lastPack struct {
	mu      sync.Mutex
	key     []byte
	records []Record
}

// read returns the records of an item, with epoch, lane and number. They are not
// to be changed.
func (q *Queue) read(p *place) ([]Record, error) {
	key := p.key()
	if !p.pack {
		v, closer, err := q.db.Get(key)
		if err != nil {
			return nil, fmt.Errorf("read record: %w", err)
		}
		r, err := decodeRecord(v)
		if err := errors.Join(err, closer.Close()); err != nil {
			return nil, err
		}
		r.Epoch, r.Number, r.Lane = p.epoch, p.last, p.lane
		return []Record{r}, nil
	}
	c := &q.unpacked
	c.mu.Lock()
	defer c.mu.Unlock()
	if slices.Equal(c.key, key) {
		return c.records, nil
	}
	c.key, c.records = nil, nil
	var pack []byte
	for part := 0; len(pack) < int(p.bytes); part++ {
		v, closer, err := q.db.Get(partKey(p.lane, p.opening, p.last, part))
		if err != nil {
			return nil, fmt.Errorf("read pack: %w", err)
		}
		pack = append(pack, v...)
		if err := closer.Close(); err != nil {
			return nil, err
		}
	}
	records, err := decodePack(pack)
	if err != nil {
		return nil, err
	}
	for i := range records {
		records[i].Epoch, records[i].Lane = p.epoch, p.lane
	}
	c.key, c.records = key, records
	return records, nil
}

// forget lets go of the pack that was read last, when nobody reads.
func (c *lastPack) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.key, c.records = nil, nil
}
