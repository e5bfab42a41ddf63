package queue

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"millwright/plant"
	"millwright/sparkplug"
)

const (
	keptBooks  = 16 // of openings that have nothing queued any more
	mostRanges = 64 // of an account: more are joined where they are near
	foldAfter  = 16 // blocks
	mostRows   = 1 << 22
)

// book is what is known of the records of one opening after they are gone: how
// much was in them, block by block, and which of them will never be sent. It is
// written with the records, so that it says of a record that it was there exactly
// if it was on the disk. FORMAT.md has its keys.
type book struct {
	counter uint32
	Epoch   uint64 `json:"epoch"`
	Began   int64  `json:"began"` // ms UTC
	Ended   int64  `json:"ended"` // creation of the newest record
	Last    uint64 `json:"last"`  // highest number on the disk

	// Of the blocks below Folded, all of whose records have left the queue:
	Folded   uint64       `json:"folded"`
	Sent     plant.Counts `json:"sent"`
	Declared plant.Counts `json:"declared"`
	Never    string       `json:"never,omitempty"` // spans: given up, or never written

	Unread uint64 `json:"unread,omitempty"` // records given up of which nobody knows what was in them

	rows []row // of the blocks from Folded on
}

// row is one block of a book.
type row struct {
	written, thinned uint64 // a bit for each number
	sent, declared   [plant.CountClasses]uint32
}

// laneOf is the lane in which records of a class are.
func laneOf(class int) Lane {
	switch class {
	case plant.CountWaveforms:
		return Waveforms
	case plant.CountFindings, plant.CountGaps:
		return Findings
	}
	return Telemetry
}

// firstOf is the lowest number that is left in the lanes that records of a class may
// be in, 0 where none is.
func (o *opening) firstOf(class int) (n uint64) {
	for ln := range o.lanes {
		if Lane(ln) != laneOf(class) && Lane(ln) <= Waveforms {
			continue // other lanes may hold anything
		}
		if left := o.lanes[ln].left; len(left) > 0 && (n == 0 || left[0].First < n) {
			n = left[0].First
		}
	}
	return n
}

// row is that of a block, nil where it is folded.
func (b *book) row(block uint64) *row {
	if block < b.Folded {
		return nil
	}
	for uint64(len(b.rows)) <= block-b.Folded {
		b.rows = append(b.rows, row{})
	}
	return &b.rows[block-b.Folded]
}

func bit(number uint64) uint64 { return 1 << ((number - 1) % plant.TallyBlock) }

// write notes a record that is being written.
func (b *book) write(r *Record, c plant.Counts) {
	x := b.row(plant.BlockOf(r.Number))
	x.written |= bit(r.Number)
	for i, n := range c {
		x.sent[i] += uint32(n)
	}
	b.Last, b.Ended = max(b.Last, r.Number), max(b.Ended, r.Created/msec)
}

// declare notes a record that was thinned out and declared.
func (b *book) declare(number uint64, c plant.Counts) {
	x := b.row(plant.BlockOf(number))
	if x == nil || x.thinned&bit(number) != 0 {
		return
	}
	x.thinned |= bit(number)
	for i, n := range c {
		x.declared[i] += uint32(n)
	}
}

// never are the numbers of the rows from block on up to Last that will not be sent.
func (b *book) never(from, to uint64) (spans []sparkplug.Span) {
	for i := from; i < to && i < b.Folded+uint64(len(b.rows)); i++ {
		x := &b.rows[i-b.Folded]
		off := ^x.written | x.thinned
		if off == 0 {
			continue
		}
		for n := i*plant.TallyBlock + 1; n <= min((i+1)*plant.TallyBlock, b.Last); n++ {
			if off&bit(n) != 0 {
				spans = sparkplug.AddSpan(spans, one(n))
			}
		}
	}
	return spans
}

// sum adds up what the records of all blocks below one carried.
func (b *book) sum(below uint64) (sent, declared plant.Counts) {
	sent, declared = b.Sent, b.Declared
	for i := range b.rows[:min(uint64(len(b.rows)), below-min(below, b.Folded))] {
		for c := range sent {
			sent[c] += uint64(b.rows[i].sent[c])
			declared[c] += uint64(b.rows[i].declared[c])
		}
	}
	return sent, declared
}

// account is what the plant is told, with what is left of the opening (nil:
// nothing).
func (b *book) account(o *opening) sparkplug.Account {
	a := sparkplug.Account{Epoch: b.Epoch, Last: b.Last, Began: b.Began, Ended: b.Ended, Unread: b.Unread}
	end := b.Folded + uint64(len(b.rows))
	a.Total, a.TotalDeclared = b.sum(end)
	for c := range plant.CountClasses {
		a.Through[c], a.Sent[c], a.Declared[c] = b.Last, a.Total[c], a.TotalDeclared[c]
		if o == nil {
			continue
		}
		// What is above Last is not on the disk yet, and no loss if it never is.
		first := o.firstOf(c)
		if first == 0 || first > b.Last {
			continue
		}
		below := plant.BlockOf(first)
		sent, declared := b.sum(below)
		a.Through[c], a.Sent[c], a.Declared[c] = below*plant.TallyBlock, sent[c], declared[c]
	}
	a.Queued = o.queued()
	a.Never = formatCoarse(sparkplug.AddSpans(parseOwn(b.Never), b.never(b.Folded, end)))
	return a
}

// queued are the numbers that are left, as ranges; o may be nil.
func (o *opening) queued() string {
	if o == nil {
		return ""
	}
	var spans []sparkplug.Span
	for ln := range o.lanes {
		spans = sparkplug.AddSpans(spans, o.lanes[ln].left)
	}
	return formatCoarse(spans)
}

func formatCoarse(spans []sparkplug.Span) string {
	return sparkplug.FormatSpans(sparkplug.CoarseSpans(spans, mostRanges))
}

// parseOwn reads what formatCoarse wrote.
func parseOwn(text string) []sparkplug.Span {
	if text == "" {
		return nil
	}
	spans, err := sparkplug.ParseSpans(text)
	if err != nil {
		return nil // a book of our own: Pebble's checksums hold it
	}
	return spans
}

// fold makes one figure of the blocks below one.
func (b *book) fold(below uint64) {
	n := below - b.Folded
	never := sparkplug.AddSpans(parseOwn(b.Never), b.never(b.Folded, below))
	b.Sent, b.Declared = b.sum(below)
	b.Never = formatCoarse(never)
	b.rows = slices.Delete(b.rows, 0, int(n))
	b.Folded = below
}

// Accounts is what the queue has to say of each epoch that it remembers, oldest
// first.
func (q *Queue) Accounts() []sparkplug.Account {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || q.failed != nil {
		return nil
	}
	out := make([]sparkplug.Account, 0, len(q.books))
	for _, o := range q.openings {
		if q.bookOf(o.counter) == nil { // salvaged, or of before there were books
			out = append(out, sparkplug.Account{Epoch: o.epoch, Queued: o.queued()})
		}
	}
	drop := q.db.NewBatch()
	defer drop.Close()
	for _, b := range q.books {
		if b.Last == 0 {
			continue // nothing was written yet
		}
		a := b.account(q.openingOf(b.counter))
		if below := slices.Min(a.Through[:]) / plant.TallyBlock; below >= b.Folded+foldAfter {
			_ = drop.DeleteRange(rowKey(b.counter, b.Folded), rowKey(b.counter, below), nil)
			b.fold(below)
			_ = drop.Set(bookKey(b.counter), b.header(), nil)
		}
		out = append(out, a)
	}
	if !drop.Empty() {
		// A fold that is lost is made again.
		if err := drop.Commit(pebble.NoSync); err != nil {
			q.cfg.Log.Error("queue: books are not folded", "err", err)
		}
	}
	return out[max(0, len(out)-sparkplug.MaxAccounts):]
}

// openingOf is what is left of an opening, nil where nothing is. The caller holds mu.
func (q *Queue) openingOf(counter uint32) *opening {
	for _, o := range q.openings {
		if o.counter == counter {
			return o
		}
	}
	return nil
}

// bookOf is the book of an opening, nil where none is kept. The caller holds mu.
func (q *Queue) bookOf(counter uint32) *book {
	for _, b := range q.books {
		if b.counter == counter {
			return b
		}
	}
	return nil
}

// enter notes the records of a group in this opening's book and puts the rows that
// change into the batch that writes them.
func (q *Queue) enter(b *pebble.Batch, records []*Record) {
	if len(records) == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	mine := q.books[len(q.books)-1]
	changed := map[uint64]bool{}
	for _, r := range records {
		mine.write(r, q.count(&r.Batch))
		changed[plant.BlockOf(r.Number)] = true
	}
	for block := range changed {
		_ = b.Set(rowKey(mine.counter, block), mine.row(block).append(nil, mine.Ended), nil)
	}
}

// key names a record.
type key struct{ epoch, number uint64 }

// counted is what records carry that are about to be given up.
type counted map[key]plant.Counts

// enterDeclared notes what is given up, after the gaps that stand for it were
// committed and before it goes. The caller holds mu.
func (q *Queue) enterDeclared(list []place, counts counted) error {
	b := q.db.NewBatch()
	defer b.Close()
	for i := range list {
		p := &list[i]
		k, o := q.bookOf(p.opening), q.openingOf(p.opening)
		if k == nil || o == nil {
			continue
		}
		changed := map[uint64]bool{}
		unread := k.Unread
		for _, s := range o.lanes[p.lane].left.part(p.first, p.last) {
			for n := s.First; n <= s.Last; n++ {
				c, ok := counts[key{p.epoch, n}]
				if !ok {
					k.Unread++
				}
				k.declare(n, c)
				changed[plant.BlockOf(n)] = true
			}
		}
		for block := range changed {
			if x := k.row(block); x != nil {
				_ = b.Set(rowKey(k.counter, block), x.append(nil, k.Ended), nil)
			}
		}
		if k.Unread != unread {
			_ = b.Set(bookKey(k.counter), k.header(), nil)
		}
	}
	return b.Commit(pebble.NoSync)
}

// countOf counts what a batch carries. The caller does not hold mu.
func (q *Queue) countOf(b *plant.Batch) plant.Counts {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.count(b)
}

func (q *Queue) count(b *plant.Batch) plant.Counts {
	return plant.CountOf(b, func(id plant.TagID) bool { return int(id) < len(q.tags.derived) && q.tags.derived[id] })
}

// loadBooks reads the books, after the openings, and begins one for this opening.
// Those of openings that have nothing left are kept for a while: the plant may have
// been away when the last record went.
func (q *Queue) loadBooks() error {
	err := q.each(bookKey(0), bookKey(q.opening), func(key, value []byte) error {
		b := &book{}
		if len(key) != 5 || json.Unmarshal(value, b) != nil {
			return fmt.Errorf("%w: book", ErrDamaged)
		}
		b.counter = binary.BigEndian.Uint32(key[1:])
		q.books = append(q.books, b)
		return nil
	})
	if err != nil {
		return err
	}
	drop := q.db.NewBatch()
	defer drop.Close()
	settled := 0
	for i := len(q.books) - 1; i >= 0; i-- {
		b := q.books[i]
		if q.openingOf(b.counter) == nil {
			settled++
		}
		if settled > keptBooks && q.openingOf(b.counter) == nil {
			_ = drop.Delete(bookKey(b.counter), nil)
			_ = drop.DeleteRange(rowKey(b.counter, 0), rowKey(b.counter+1, 0), nil)
			q.books = slices.Delete(q.books, i, i+1)
			continue
		}
		if err := q.loadRows(b); err != nil {
			return err
		}
	}
	mine := &book{counter: q.opening, Epoch: q.epoch, Began: time.Now().UnixMilli()}
	q.books = append(q.books, mine)
	_ = drop.Set(bookKey(mine.counter), mine.header(), nil)
	return drop.Commit(pebble.Sync)
}

func (q *Queue) loadRows(b *book) error {
	return q.each(rowKey(b.counter, b.Folded), rowKey(b.counter+1, 0), func(key, value []byte) error {
		x, ended, err := parseRow(value)
		if err != nil || len(key) != 13 {
			return fmt.Errorf("%w: row of a book", ErrDamaged)
		}
		block := binary.BigEndian.Uint64(key[5:])
		if block-b.Folded > mostRows { // no queue is so long
			return fmt.Errorf("%w: row of a book", ErrDamaged)
		}
		*b.row(block) = x
		b.Ended = max(b.Ended, ended)
		for n := (block + 1) * plant.TallyBlock; n > block*plant.TallyBlock; n-- {
			if x.written&bit(n) != 0 {
				b.Last = max(b.Last, n)
				break
			}
		}
		return nil
	})
}

func bookKey(opening uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{bookPrefix}, opening)
}

func rowKey(opening uint32, block uint64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32([]byte{rowPrefix}, opening), block)
}

// header is the value of a book's key.
func (b *book) header() []byte {
	js, err := json.Marshal(b)
	if err != nil { // numbers and a text
		panic(err)
	}
	return js
}

// append encodes a row: see FORMAT.md.
func (x *row) append(dst []byte, ended int64) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, x.written)
	dst = binary.LittleEndian.AppendUint64(dst, x.thinned)
	dst = binary.AppendVarint(dst, ended)
	for _, n := range x.sent {
		dst = binary.AppendUvarint(dst, uint64(n))
	}
	if x.thinned != 0 {
		for _, n := range x.declared {
			dst = binary.AppendUvarint(dst, uint64(n))
		}
	}
	return dst
}

func parseRow(b []byte) (x row, ended int64, err error) {
	d := decoder{b: b}
	x.written, x.thinned, ended = d.uint64(), d.uint64(), d.varint()
	for i := range x.sent {
		x.sent[i] = uint32(d.uvarint())
	}
	if x.thinned != 0 {
		for i := range x.declared {
			x.declared[i] = uint32(d.uvarint())
		}
	}
	if !d.ok() || len(d.b) != 0 {
		return row{}, 0, fmt.Errorf("%w: row", ErrDamaged)
	}
	return x, ended, nil
}
