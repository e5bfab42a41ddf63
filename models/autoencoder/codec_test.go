package autoencoder

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
)

// random makes a network with weights as a training would leave them.
func random(seed uint64, window, tags int, hidden ...int) *Network {
	rng := rand.New(rand.NewPCG(seed, 7))
	n := &Network{Window: window, Tags: tags}
	in := window * tags
	for i, out := range append(hidden, in) {
		l := Layer{In: in, Out: out, W: make([]float32, in*out), B: make([]float32, out), Linear: i == len(hidden)}
		spread := math.Sqrt(2 / float64(in+out))
		for j := range l.W {
			l.W[j] = float32(spread * rng.NormFloat64())
		}
		for j := range l.B {
			l.B[j] = float32(0.1 * rng.NormFloat64())
		}
		n.Layers = append(n.Layers, l)
		in = out
	}
	return n
}

func TestNetworkSurvivesBytes(t *testing.T) {
	for seed, want := range []*Network{
		random(1, 60, 8, 64, 16, 64), random(2, 1, 1), random(3, 20, 3, 5), random(4, 2, 64, 1, 1, 1),
	} {
		b, err := want.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		var got Network
		if err := got.UnmarshalBinary(b); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(&got, want) {
			t.Errorf("network %d is another one", seed)
		}
	}
}

func TestDamagedNetworkIsRefused(t *testing.T) {
	n := random(1, 6, 3, 4)
	b, err := n.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	refused := func(b []byte) bool {
		got := Network{Window: 99}
		err := got.UnmarshalBinary(b)
		return errors.Is(err, ErrNetwork) && got.Window == 99
	}
	for i := range b {
		bad := append([]byte(nil), b...)
		bad[i] ^= 0x40
		if !refused(bad) {
			t.Fatalf("byte %d changed, and read", i)
		}
		if !refused(b[:i]) {
			t.Fatalf("cut to %d bytes, and read", i)
		}
	}
	if !refused(append(b[:len(b):len(b)], 0)) {
		t.Error("a byte too many, and read")
	}
	// Behind a right checksum: counts, flags and weights that nobody wrote.
	seal := func(at int, v uint32) []byte {
		bad := append([]byte(nil), b[:len(b)-sumBytes]...)
		binary.LittleEndian.PutUint32(bad[at:], v)
		return binary.LittleEndian.AppendUint32(bad, crc32.Checksum(bad, castagnoli))
	}
	for _, at := range []int{4, 8, 12, 16, 20, 24, 28} {
		for _, v := range []uint32{7, 5, 1 << 16, 1 << 31, math.MaxUint32} {
			if !refused(seal(at, v)) {
				t.Errorf("%d at byte %d, and read", v, at)
			}
		}
	}
	if !refused(seal(headBytes+layerBytes, math.Float32bits(float32(math.NaN())))) {
		t.Error("a weight that is no number, and read")
	}
	if _, err := (&Network{}).MarshalBinary(); !errors.Is(err, ErrNetwork) {
		t.Errorf("an empty network: %v", err)
	}
}

// FuzzNetwork gives the decoder bytes behind a right checksum. What it takes is
// sound, runs, and is written as it was read.
func FuzzNetwork(f *testing.F) {
	for _, n := range []*Network{random(1, 3, 2, 4), random(2, 1, 1), random(3, 2, 2, 3, 1, 3)} {
		b, err := n.MarshalBinary()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b[:len(b)-sumBytes])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		b := binary.LittleEndian.AppendUint32(body[:len(body):len(body)], crc32.Checksum(body, castagnoli))
		var n Network
		if n.UnmarshalBinary(b) != nil {
			return
		}
		if err := n.Check(); err != nil {
			t.Fatal(err)
		}
		NewRunner(&n).Score(make([]float32, n.Window*n.Tags))
		again, err := n.MarshalBinary()
		if err != nil || string(again) != string(b) {
			t.Fatalf("written differently: %v", err)
		}
	})
}
