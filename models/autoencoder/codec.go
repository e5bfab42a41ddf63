package autoencoder

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
)

// The bytes of a network: FORMAT.md beside this file draws them.
const (
	magic   = "MWAE"
	version = 1

	headBytes  = 4 + 4 + 3*4 // magic, version, window, tags, layers
	layerBytes = 3 * 4       // in, out, flags
	sumBytes   = 4

	flagLinear = 1
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// MarshalBinary writes a network that Check passes.
func (n *Network) MarshalBinary() ([]byte, error) {
	if err := n.Check(); err != nil {
		return nil, err
	}
	size := headBytes + sumBytes
	for _, l := range n.Layers {
		size += layerBytes + 4*(len(l.W)+len(l.B))
	}
	b := append(make([]byte, 0, size), magic...)
	u32 := func(v int) { b = binary.LittleEndian.AppendUint32(b, uint32(v)) }
	u32(version)
	u32(n.Window)
	u32(n.Tags)
	u32(len(n.Layers))
	for _, l := range n.Layers {
		u32(l.In)
		u32(l.Out)
		flags := 0
		if l.Linear {
			flags = flagLinear
		}
		u32(flags)
		for _, v := range [][]float32{l.W, l.B} {
			for _, x := range v {
				b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
			}
		}
	}
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli)), nil
}

// UnmarshalBinary reads what MarshalBinary wrote and refuses everything else,
// with n as it was: nothing is allocated that the bytes given do not fill.
func (n *Network) UnmarshalBinary(b []byte) error {
	if len(b) < headBytes+sumBytes || string(b[:4]) != magic {
		return fmt.Errorf("%w: not one of ours", ErrNetwork)
	}
	if v := binary.LittleEndian.Uint32(b[4:]); v != version {
		return fmt.Errorf("%w: version %d, this program reads %d", ErrNetwork, v, version)
	}
	body, sum := b[:len(b)-sumBytes], binary.LittleEndian.Uint32(b[len(b)-sumBytes:])
	if crc32.Checksum(body, castagnoli) != sum {
		return fmt.Errorf("%w: checksum does not fit", ErrNetwork)
	}
	r := reader{b: body[8:]}
	got := Network{Window: r.count(MaxWindow), Tags: r.count(MaxTags)}
	for range r.count(maxLayers) {
		l := Layer{In: r.count(maxWidth), Out: r.count(maxWidth), Linear: r.count(flagLinear) == flagLinear}
		l.W = r.floats(l.In * l.Out)
		l.B = r.floats(l.Out)
		if r.bad {
			break
		}
		got.Layers = append(got.Layers, l)
	}
	if r.bad || len(r.b) != 0 {
		return fmt.Errorf("%w: sizes do not fit the %d bytes", ErrNetwork, len(b))
	}
	if err := got.Check(); err != nil {
		return err
	}
	*n = got
	return nil
}

// reader takes numbers from the front of b; bad is set by the first that is out
// of bounds or not there.
type reader struct {
	b   []byte
	bad bool
}

// count is a number up to most.
func (r *reader) count(most int) int {
	if r.bad || len(r.b) < 4 || binary.LittleEndian.Uint32(r.b) > uint32(most) {
		r.bad = true
		return 0
	}
	v := binary.LittleEndian.Uint32(r.b)
	r.b = r.b[4:]
	return int(v)
}

func (r *reader) floats(n int) []float32 {
	if r.bad || n > len(r.b)/4 {
		r.bad = true
		return nil
	}
	v := make([]float32, n)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(r.b[4*i:]))
	}
	r.b = r.b[4*n:]
	return v
}
