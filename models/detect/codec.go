package detect

import (
	"encoding/binary"
	"errors"
	"math"
)

// codec walks a structure once for both directions: each field is named in one
// place only, so what is written is what is read. Numbers are little-endian.
type codec struct {
	b       []byte // written, or what is left to read
	read    bool
	version uint32 // of the bytes
	err     error
}

var errShort = errors.New("state ends early")

func (c *codec) u64(v *uint64) {
	if !c.read {
		c.b = binary.LittleEndian.AppendUint64(c.b, *v)
		return
	}
	if len(c.b) < 8 || c.err != nil {
		c.fail(errShort)
		return
	}
	*v = binary.LittleEndian.Uint64(c.b)
	c.b = c.b[8:]
}

func (c *codec) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

func (c *codec) i64(v *int64) {
	u := uint64(*v)
	c.u64(&u)
	if c.read {
		*v = int64(u)
	}
}

func (c *codec) i32(v *int32) {
	u := int64(*v)
	c.i64(&u)
	if c.read {
		if u < math.MinInt32 || u > math.MaxInt32 {
			c.fail(errors.New("number out of range"))
			return
		}
		*v = int32(u)
	}
}

func (c *codec) num(v *int) {
	u := int64(*v)
	c.i64(&u)
	if c.read {
		*v = int(u)
	}
}

func (c *codec) f64(v *float64) {
	u := math.Float64bits(*v)
	c.u64(&u)
	if c.read {
		*v = math.Float64frombits(u)
	}
}

func (c *codec) bit(v *bool) {
	if !c.read {
		n := byte(0)
		if *v {
			n = 1
		}
		c.b = append(c.b, n)
		return
	}
	if len(c.b) < 1 || c.err != nil {
		c.fail(errShort)
		return
	}
	*v = c.b[0] == 1
	c.b = c.b[1:]
}

func (c *codec) text(v *string) {
	n := len(*v)
	c.size(&n, 1)
	if !c.read {
		c.b = append(c.b, *v...)
		return
	}
	if c.err == nil {
		*v = string(c.b[:n])
		c.b = c.b[n:]
	}
}

// size of a list whose elements take at least each bytes: a length that the
// bytes left cannot hold is refused before anything is allocated.
func (c *codec) size(n *int, each int) {
	c.num(n)
	if c.read && (*n < 0 || *n > len(c.b)/each) {
		*n = 0
		c.fail(errShort)
	}
}

// floats of any length.
func (c *codec) floats(v *[]float64) {
	n := len(*v)
	c.size(&n, 8)
	if c.read {
		*v = make([]float64, n)
	}
	c.fixed(*v)
}

// fixed is a list whose length the reader knows.
func (c *codec) fixed(v []float64) {
	for i := range v {
		c.f64(&v[i])
	}
}

func (c *codec) singles(v *[]float32) {
	n := len(*v)
	c.size(&n, 4)
	if !c.read {
		for _, x := range *v {
			c.b = binary.LittleEndian.AppendUint32(c.b, math.Float32bits(x))
		}
		return
	}
	*v = make([]float32, n)
	for i := range *v {
		(*v)[i] = math.Float32frombits(binary.LittleEndian.Uint32(c.b[4*i:]))
	}
	c.b = c.b[4*n:]
}

func (c *codec) bits(v *[]bool) {
	n := len(*v)
	c.size(&n, 1)
	if c.read {
		*v = make([]bool, n)
	}
	for i := range *v {
		c.bit(&(*v)[i])
	}
}
