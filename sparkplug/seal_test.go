package sparkplug

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"millwright/plant"
)

const sealTopic = "spBv1.0/mill/DDATA/f3/plc"

func testKey(b byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{b}, ed25519.SeedSize))
}

func public(k ed25519.PrivateKey) ed25519.PublicKey {
	p, _ := k.Public().(ed25519.PublicKey)
	return p
}

// secondOf is one second of a device as a mill has it: noisy values with the
// resolution of a 12-bit card, in times of one publishing interval.
func secondOf(n int) *Payload {
	r := rand.New(rand.NewPCG(1, 2))
	var p Payload
	const at = int64(1_700_000_000_000) * millisecond
	p.Begin(at, 7)
	for i := range n {
		s := plant.Sample{Time: at + int64(r.IntN(1000))*millisecond, Value: float64(r.IntN(4096)) * 0.05}
		p.AddSample(s, uint64(2*i+1), false)
	}
	p.AddQueue(at, QueueAliases{Epoch: 4, Record: 6, Oldest: 8}, 1<<50, 12345, 12000, false)
	return &p
}

func TestSealRoundTrip(t *testing.T) {
	for name, s := range map[string]*Sealer{
		"plain": {}, "compressed": {Compress: true}, "signed": {Key: testKey(1)}, "both": {Compress: true, Key: testKey(1)},
	} {
		t.Run(name, func(t *testing.T) {
			var keys []ed25519.PublicKey
			if s.Key != nil {
				keys = append(keys, public(testKey(3)), public(s.Key))
			}
			var o Opener
			for range 3 { // the memory of both is used again
				want := secondOf(250)
				want.AddSample(plant.Sample{Time: want.Time, Value: math.NaN(), Quality: plant.Bad}, 901, true) // null
				want.AddSample(plant.Sample{Time: want.Time, Value: math.NaN()}, 903, true)
				want.AddSample(plant.Sample{Time: want.Time, Value: math.Copysign(0, -1)}, 905, true)
				want.AddText("text", 907, want.Time, true)
				b := s.AppendTo([]byte("before"), want, sealTopic, 42, true)[len("before"):]
				t.Logf("%d bytes, %.1f a sample", len(b), float64(len(b))/250)
				var got Payload
				if err := got.Decode(b); err != nil {
					t.Fatal(err)
				}
				if err := o.Open(&got, b, sealTopic, 42, keys...); err != nil {
					t.Fatal(err)
				}
				if got.Time != want.Time || got.Seq != want.Seq || !got.HasSeq || !bytes.Equal((&Payload{Metrics: got.Metrics}).AppendTo(nil), (&Payload{Metrics: want.Metrics}).AppendTo(nil)) {
					t.Errorf("got %d metrics at %d", len(got.Metrics), got.Time)
				}
			}
		})
	}
}

// TestSealForged: whatever a broker changes, moves or keeps for later is refused.
func TestSealForged(t *testing.T) {
	mine, other := &Sealer{Compress: true, Key: testKey(1)}, &Sealer{Compress: true, Key: testKey(2)}
	key := public(mine.Key)
	b := mine.AppendTo(nil, secondOf(20), sealTopic, 42, true)
	open := func(b []byte, topic string, session uint64) error {
		var p Payload
		if err := p.Decode(b); err != nil {
			return err
		}
		return new(Opener).Open(&p, b, topic, session, key)
	}
	if err := open(b, sealTopic, 42); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"another device":    open(b, "spBv1.0/mill/DDATA/f3/plc2", 42),
		"another session":   open(b, sealTopic, 43),
		"another key":       open(other.AppendTo(nil, secondOf(20), sealTopic, 42, true), sealTopic, 42),
		"not signed":        open((&Sealer{Compress: true}).AppendTo(nil, secondOf(20), sealTopic, 42, true), sealTopic, 42),
		"plain":             open(secondOf(20).AppendTo(nil), sealTopic, 42),
		"metric behind":     open(append(bytes.Clone(b), secondOf(1).AppendTo(nil)...), sealTopic, 42),
		"metric in front":   open(append(secondOf(1).AppendTo(nil), b...), sealTopic, 42),
		"another seq, last": open(append(bytes.Clone(b), keyPayloadSeq, 9), sealTopic, 42),
	} {
		if !errors.Is(err, ErrForged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := range b {
		changed := bytes.Clone(b)
		changed[i] ^= 1 << (i % 8)
		if err := open(changed, sealTopic, 42); err == nil {
			t.Errorf("a changed byte %d of %d is taken", i, len(b))
		}
	}
	for n := range len(b) {
		if err := open(b[:n], sealTopic, 42); err == nil {
			t.Errorf("cut at %d of %d is taken", n, len(b))
		}
	}
}

// TestSealBomb: what unpacks to more than a message may be is refused.
func TestSealBomb(t *testing.T) {
	var p Payload
	p.Begin(1, 1)
	p.AddText(string(make([]byte, MaxPayload+1)), 1, 1, false)
	b := (&Sealer{Compress: true}).AppendTo(nil, &p, sealTopic, 0, true)
	var got Payload
	if err := got.Decode(b); err != nil {
		t.Fatal(err)
	}
	if err := new(Opener).Open(&got, b, sealTopic, 0); err == nil {
		t.Errorf("%d bytes that unpack to more than %d are taken", len(b), MaxPayload)
	}
}

func FuzzSeal(f *testing.F) {
	for _, s := range []*Sealer{{}, {Compress: true}, {Compress: true, Key: testKey(1)}} {
		f.Add(s.AppendTo(nil, secondOf(3), sealTopic, 1, true))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var p Payload
		var o Opener
		if p.Decode(b) != nil || o.Open(&p, b, sealTopic, 1) != nil {
			return
		}
		if key := public(testKey(2)); p.Decode(b) == nil && o.Open(&p, b, sealTopic, 1, key) == nil {
			t.Error("taken without the key")
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	for name, s := range map[string]*Sealer{"plain": {}, "compressed": {Compress: true}, "signed": {Key: testKey(1)}} {
		b.Run(name, func(b *testing.B) {
			p := secondOf(500)
			var buf []byte
			for b.Loop() {
				buf = s.AppendTo(buf[:0], p, sealTopic, 1, true)
			}
			b.ReportMetric(float64(len(buf))/500, "B/sample")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/500, "ns/sample")
		})
	}
}
