package detect

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"reflect"
	"testing"
	"time"

	"millwright/plant"
)

// TestRestoredSetGoesOnBitForBit saves and restores in the middle of learning,
// of a row, of a sensor fault, of a machine finding.
func TestRestoredSetGoesOnBitForBit(t *testing.T) {
	b := newBench(t, 8, eventful)
	in := record(b)
	want := feed(b.fresh(), in)
	for _, cut := range []int{0, 1, 30, 399, 640, 703, 725, 765, 815, 885, 1010, 1060, 1250} {
		first := b.fresh()
		got := feed(first, in[:cut])
		state, err := first.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		second := b.fresh()
		rep, err := second.Restore(state)
		if err != nil || len(rep.Restored) != 1 || len(rep.Fresh) != 0 {
			t.Fatalf("cut %d: %v %+v", cut, err, rep)
		}
		again, err := second.MarshalBinary()
		if err != nil || string(again) != string(state) {
			t.Fatalf("cut %d: a restored set saves other bytes", cut)
		}
		rest := feed(second, in[cut:])
		got.Findings = append(got.Findings, rest.Findings...)
		got.Samples = append(got.Samples, rest.Samples...)
		got.States = append(got.States, rest.States...)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("cut %d: the run differs after the restart", cut)
		}
	}
}

// TestSetObservesWhileItIsSaved feeds samples between the parts of a state: each asset
// is whole, though of a moment of its own.
func TestSetObservesWhileItIsSaved(t *testing.T) {
	assets := []plant.Asset{{Path: "A"}, {Path: "B"}}
	tags := []plant.Tag{{ID: 1, Path: "A/X", Asset: "A"}, {ID: 2, Path: "B/X", Asset: "B"}}
	fresh := func() *Set {
		s, err := New(Config{Assets: assets, Tags: tags, Log: quiet()})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	at := int64(0)
	step := func(s *Set) {
		at += 1e9
		var out plant.Batch
		s.Observe(&out, plant.Batch{Samples: []plant.Sample{{Tag: 1, Time: at, Value: float64(at)}, {Tag: 2, Time: at, Value: 1}}})
	}
	s := fresh()
	for range 5 {
		step(s)
	}
	var state []byte
	for part := range s.Saved() {
		state = append(state, part...)
		step(s)
	}
	again := fresh()
	rep, err := again.Restore(state)
	if err != nil || len(rep.Restored) != 2 {
		t.Fatalf("%+v, %v", rep, err)
	}
	if a, b := again.machines[0].rows.newest, again.machines[1].rows.newest; b-a != 1e9 {
		t.Errorf("A is of %d, B of %d, want a second between them", a, b)
	}
}

func TestStateOfOtherTagsIsRefusedPerAsset(t *testing.T) {
	assets := []plant.Asset{{Path: "A"}, {Path: "B"}}
	tags := []plant.Tag{{ID: 1, Path: "A/X", Asset: "A"}, {ID: 2, Path: "B/X", Asset: "B"}}
	old, err := New(Config{Assets: assets, Tags: tags, Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	var out plant.Batch
	old.Observe(&out, plant.Batch{Samples: []plant.Sample{{Tag: 1, Time: epoch, Value: 3}, {Tag: 2, Time: epoch, Value: 4}}})
	state, err := old.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	tags = append(tags, plant.Tag{ID: 3, Path: "B/Y", Asset: "B"})
	now, err := New(Config{Assets: append(assets, plant.Asset{Path: "C"}), Tags: tags, Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	rep, err := now.Restore(state)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(rep.Restored, []string{"A"}) || len(rep.Fresh) != 2 || rep.Fresh[0].Asset != "B" || rep.Fresh[1].Asset != "C" {
		t.Errorf("report %+v", rep)
	}
}

func TestDamagedStateIsRefused(t *testing.T) {
	b := newBench(t, 4)
	b.learn()
	state, err := b.set.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(state); i += 1 + len(state)/200 {
		bad := append([]byte(nil), state...)
		bad[i] ^= 0x10
		if err := b.fresh().UnmarshalBinary(bad); !errors.Is(err, ErrState) {
			t.Fatalf("byte %d changed: error %v", i, err)
		}
		if err := b.fresh().UnmarshalBinary(state[:i]); !errors.Is(err, ErrState) {
			t.Fatalf("cut to %d bytes: error %v", i, err)
		}
	}
	next := append([]byte(nil), state[:len(state)-4]...)
	binary.LittleEndian.PutUint32(next[4:], stateVersion+1)
	next = binary.LittleEndian.AppendUint32(next, crc32.Checksum(next, castagnoli))
	if err := b.fresh().UnmarshalBinary(next); err == nil {
		t.Error("a newer version was read")
	}
}

func TestStateIsSmall(t *testing.T) {
	b := newBench(t, 8)
	b.run(200)
	learning, err := b.set.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	b.run(500)
	done, err := b.set.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("state of an asset with 8 tags: %d bytes while learning, %d after", len(learning), len(done))
	if len(learning) > 64<<10 || len(done) > 64<<10 {
		t.Error("more than 64 kB")
	}
}

// TestOldStateIsRead takes what version 2 saved: a finding that is open was the
// learned model's, the only one that there was.
func TestOldStateIsRead(t *testing.T) {
	b := newBench(t, 8)
	b.learn()
	b.spoil = func(row int, x []float64, q []plant.Quality) { x[2] += 3 }
	expect(t, b.run(60), "wpca", plant.Raise)
	old := codec{version: 2}
	m := &b.set.machines[0]
	m.code(&old)
	head := codec{b: binary.LittleEndian.AppendUint32([]byte(stateMagic), 2), version: 2}
	for _, v := range []uint64{b.set.seen, b.set.next, 1} {
		head.u64(&v)
	}
	path, print, size := m.asset.Path, m.fingerprint(), uint64(len(old.b))
	head.text(&path)
	head.u64(&print)
	head.u64(&size)
	state := append(head.b, old.b...)
	state = binary.LittleEndian.AppendUint32(state, crc32.Checksum(state, castagnoli))

	restored := b.fresh()
	rep, err := restored.Restore(state)
	if err != nil || len(rep.Restored) != 1 {
		t.Fatal(err, rep)
	}
	if by := restored.machines[0].say.by; by != "wpca" {
		t.Errorf("the open finding is of %q", by)
	}
	var in []plant.Batch
	for range 300 {
		x := b.next()
		in = append(in, plant.Batch{Samples: append([]plant.Sample(nil), x.Samples...), States: append([]plant.State(nil), x.States...)})
	}
	if got, want := feed(restored, in), feed(b.set, in); !reflect.DeepEqual(got, want) {
		t.Error("it goes on differently")
	}
	new, err := restored.MarshalBinary()
	if err != nil || binary.LittleEndian.Uint32(new[4:]) != stateVersion {
		t.Error("saved in the old version")
	}
}

// FuzzRestore gives the decoder bytes behind a right checksum; whatever it
// takes, the set must go on without a panic.
func FuzzRestore(f *testing.F) {
	mk := func(tb testing.TB) *bench { return newBench(tb, 3, func(b *bench) { eventfulSmall(b) }) }
	b := mk(f)
	for _, n := range []int{0, 5, 640, 80} {
		b.run(n)
		m := &b.set.machines[0]
		c := codec{version: stateVersion}
		m.code(&c)
		f.Add(c.b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		b := mk(t)
		m := &b.set.machines[0]
		if err := m.restore(data, stateVersion); err != nil {
			return
		}
		b.run(30)
		b.set.Flush(&b.out)
		if _, err := b.set.MarshalBinary(); err != nil {
			t.Fatal(err)
		}
	})
}

func eventfulSmall(b *bench) {
	b.asset.Limits = []plant.Limit{{Tag: "M/TA", Kind: plant.LimitRate, Value: 0.4}, {Tag: "M/TB", Kind: plant.LimitHigh, Value: 14, Delay: time.Second}}
}
