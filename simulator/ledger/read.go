package ledger

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"math/bits"
	"strings"

	"millwright/plant"
)

// ReadSamples reads a sample log. A last frame that is not whole, which a kill
// can leave, is dropped. It stops at the first error, "name: offset …". Values
// of one tag come in the order in which they were written.
func ReadSamples(name string, r io.Reader) iter.Seq2[Offer, error] {
	return func(yield func(Offer, error) bool) {
		d := decoder{r: bufio.NewReaderSize(r, 1<<20), yield: yield}
		at, err := d.all()
		if err != nil {
			yield(Offer{}, fmt.Errorf("%s: offset %d: %w", name, at, err))
		}
	}
}

// IsSamples reports whether a file that begins so is a sample log.
func IsSamples(head []byte) bool {
	return len(head) > 0 && strings.HasPrefix(magic, string(head[:min(len(head), len(magic))]))
}

// decoder reads what Samples has written.
type decoder struct {
	r     *bufio.Reader
	yield func(Offer, error) bool
	body  bytes.Buffer

	paths []string
	seq   []uint64
	tags  []memory
	time  int64 // of the last group, ms

	enough bool // the caller wants no more
}

// all reads frames to the end. It returns the offset of the frame that is wrong.
func (d *decoder) all() (at int64, err error) {
	head := make([]byte, frameHead)
	n, err := io.ReadFull(d.r, head[:len(magic)])
	if !strings.HasPrefix(magic, string(head[:n])) {
		return 0, errors.New("is no sample log of this version")
	}
	for at = int64(len(magic)); err == nil && !d.enough; at += frameHead + int64(d.body.Len()) {
		if _, err = io.ReadFull(d.r, head); err != nil {
			break
		}
		var length int
		if length, err = bodyLength(head); err != nil {
			return at, err
		}
		d.body.Reset()
		if _, err = io.CopyN(&d.body, d.r, int64(length)); err != nil {
			break
		}
		body := d.body.Bytes()
		if checksum(body) != binary.LittleEndian.Uint32(head[4:]) {
			return at, errors.New("a frame is damaged: its checksum is another one")
		}
		if err := d.frame(body); err != nil {
			return at, err
		}
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return at, nil
	}
	return at, err
}

func (d *decoder) frame(body []byte) error {
	c := cursor{b: body[1:]}
	switch body[0] {
	case tableFrame:
		d.table(&c)
	case sampleFrame:
		for len(c.b) > 0 && c.err == nil && !d.enough {
			d.group(&c)
		}
	default:
		return fmt.Errorf("a frame of kind %d is not known: read it with the version that wrote it", body[0])
	}
	return c.err
}

func (d *decoder) table(c *cursor) {
	const least = 10 // bytes of a tag: the length of its path, its kind and its step
	n := c.count()
	if n > len(c.b)/least {
		c.fail("%d tags in %d bytes", n, len(c.b))
		return
	}
	d.paths, d.seq, d.tags, d.time = make([]string, n), make([]uint64, n), make([]memory, n), 0
	for i := range n {
		d.paths[i] = c.text()
		kind := c.bytes(1)
		step := c.bytes(8)
		if c.err != nil {
			return
		}
		d.tags[i].text, d.tags[i].burst = kind[0] == textTag, kind[0] == burstTag
		d.tags[i].scale = scaleOf(math.Float64frombits(binary.LittleEndian.Uint64(step)))
	}
}

func (d *decoder) group(c *cursor) {
	d.time += c.varint()
	n := c.count()
	if c.err == nil && !msFits(d.time) {
		c.fail("the time is out of range")
	}
	tag := uint64(0)
	for range n {
		head := c.uvarint()
		tag += head >> entryFlags
		if c.err == nil && tag >= uint64(len(d.tags)) {
			c.fail("there is no tag %d", tag)
		}
		if c.err != nil {
			return
		}
		o := Offer{Tag: d.paths[tag], Time: d.time * 1e6}
		d.tags[tag].read(c, head, &o)
		d.seq[tag]++
		o.Seq = d.seq[tag]
		if c.err != nil {
			return
		}
		if d.enough = !d.yield(o, nil); d.enough {
			return
		}
	}
}

// read is the other way of append.
func (m *memory) read(c *cursor, head uint64, o *Offer) {
	if head&requalify != 0 {
		q := c.uvarint()
		if q > math.MaxUint32 {
			c.fail("the quality %d is out of range", q)
		}
		m.quality = plant.Quality(q)
	}
	o.Quality, o.IsText, o.IsBurst = m.quality, m.text, m.burst
	switch {
	case m.text:
		if head&otherwise != 0 {
			m.last = c.text()
		}
		o.Text = m.last
	case head&otherwise == 0:
		m.k += c.varint()
		o.Value = m.scale.value(m.k)
	default:
		m.bits ^= bits.ReverseBytes64(c.uvarint())
		o.Value = math.Float64frombits(m.bits)
	}
}

// cursor takes parts off a body. After an error all parts are zero.
type cursor struct {
	b   []byte
	err error
}

func (c *cursor) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf(format, args...)
	}
}

func (c *cursor) took(n int) bool {
	if c.err != nil || n <= 0 {
		c.fail("a frame ends in the middle of an entry")
		return false
	}
	c.b = c.b[n:]
	return true
}

func (c *cursor) uvarint() uint64 {
	v, n := binary.Uvarint(c.b)
	if !c.took(n) {
		return 0
	}
	return v
}

func (c *cursor) varint() int64 {
	v, n := binary.Varint(c.b)
	if !c.took(n) {
		return 0
	}
	return v
}

// count is the number of things that follow, each of a byte or more.
func (c *cursor) count() int {
	n := c.uvarint()
	if n > uint64(len(c.b)) {
		c.fail("%d entries in %d bytes", n, len(c.b))
		return 0
	}
	return int(n)
}

func (c *cursor) bytes(n int) []byte {
	if c.err != nil || n > len(c.b) {
		c.fail("a frame ends in the middle of an entry")
		return nil
	}
	b := c.b[:n]
	c.b = c.b[n:]
	return b
}

func (c *cursor) text() string { return string(c.bytes(c.count())) }
