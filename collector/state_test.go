package collector

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"millwright/plant"
	"millwright/plant/disk"
)

func sampleState() *state {
	return &state{items: 1 << 63, started: 1_700_000_000_123_456_700, token: []byte{1, 2, 3}, nonce: make([]byte, 32), subscription: 77, next: 1<<32 - 1,
		publishing: 100 * time.Millisecond, keepAlive: 20, since: 1_800_000_000_000_000_001, tags: []tagState{
			{id: 1, last: 1_800_000_000_000 * oneMilli}, {id: 2, last: noTime, rejected: true},
			{id: 9, last: 1_700_000_000_000 * oneMilli, reason: wrongType}, {id: 1<<32 - 1, last: 0, reason: serverDown, rejected: true}},
		holes: []holeState{{id: 9, why: overflowed, span: span{from: 1_700_000_000_001 * oneMilli, to: 1_700_000_060_000 * oneMilli, next: 1_700_000_070_000 * oneMilli, open: true}},
			{id: 1, why: serverDown, span: span{from: 5 * oneMilli, to: 9 * oneMilli, next: 9 * oneMilli, cut: 5 * oneMilli}}}}
}

func TestStateRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := sampleState()
		s.items, s.next = rapid.Uint64().Draw(t, "items"), rapid.Uint32().Draw(t, "next")
		s.token = rapid.SliceOfN(rapid.Byte(), 1, 100).Draw(t, "token")
		s.tags = rapid.SliceOf(rapid.Custom(func(t *rapid.T) tagState {
			x := tagState{id: plant.TagID(rapid.Uint32().Draw(t, "id")), last: noTime, reason: reason(rapid.IntRange(0, int(replaced)).Draw(t, "reason")),
				rejected: rapid.Bool().Draw(t, "rejected")}
			if rapid.Bool().Draw(t, "seen") {
				x.last = rapid.Int64Range(-1<<40, 1<<43).Draw(t, "ms") * oneMilli
			}
			return x
		})).Draw(t, "tags")
		s.holes = rapid.SliceOf(rapid.Custom(func(t *rapid.T) holeState {
			ms := rapid.Int64Range(0, 1<<32)
			h := holeState{id: plant.TagID(rapid.Uint32().Draw(t, "id")), why: reason(rapid.IntRange(1, int(replaced)).Draw(t, "why"))}
			h.from = ms.Draw(t, "from") * oneMilli
			h.to = h.from + ms.Draw(t, "long")*oneMilli
			h.next = h.to + ms.Draw(t, "next")*oneMilli
			h.open = rapid.Bool().Draw(t, "open")
			if rapid.Bool().Draw(t, "cut") {
				h.cut = h.from + ms.Draw(t, "cut at")*oneMilli
			}
			return h
		})).Draw(t, "holes")
		got, err := decodeState(s.append(nil))
		if err != nil {
			t.Fatal(err)
		}
		if len(s.holes) == 0 {
			s.holes, got.holes = nil, nil
		}
		if len(s.tags) == 0 {
			s.tags, got.tags = nil, nil
		}
		if !reflect.DeepEqual(s, got) {
			t.Fatalf("got %+v, want %+v", got, s)
		}
	})
}

// TestStateDamage: no cut and no flipped bit is taken for a state.
func TestStateDamage(t *testing.T) {
	b := sampleState().append(nil)
	for i := range b {
		if _, err := decodeState(b[:i]); err == nil {
			t.Errorf("cut at %d was read", i)
		}
		for bit := range 8 {
			c := append([]byte(nil), b...)
			c[i] ^= 1 << bit
			if _, err := decodeState(c); err == nil {
				t.Errorf("bit %d of byte %d flipped was read", bit, i)
			}
		}
	}
}

func TestReadState(t *testing.T) {
	name := filepath.Join(t.TempDir(), "plc")
	if s, err := readState(name); s != nil || err != nil {
		t.Errorf("nothing there: %v, %v", s, err)
	}
	st := sampleState()
	st.next = 10
	if err := disk.Replace(name, st.append(nil), 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := openMark(name + markSuffix)
	if err != nil {
		t.Fatal(err)
	}
	defer m.close()
	next := func(want uint32, what string) {
		t.Helper()
		s, err := readState(name)
		if err != nil || s.next != want {
			t.Errorf("%s: next %v, %v, want %d", what, s, err, want)
		}
	}
	next(10, "no mark")
	set := func(since int64, n uint32) {
		t.Helper()
		if err := m.set(since, n); err != nil {
			t.Fatal(err)
		}
	}
	set(st.since, 15)
	next(16, "mark ahead")
	set(st.since, 5)
	next(10, "mark behind")
	set(st.since+1, 500)
	next(10, "mark of another subscription with the same id")
	set(st.since, 1<<32-1)
	next(10, "mark behind, across the wrap")
	if err := os.WriteFile(name+markSuffix, make([]byte, markSize), 0o600); err != nil {
		t.Fatal(err)
	}
	next(10, "damaged mark")
}

// TestKeeper: the newest state wins, a failed write is tried again, and closing
// leaves the last one on disk.
func TestKeeper(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "missing")
	k := newKeeper(filepath.Join(dir, "plc"), logger(t))
	s := sampleState()
	k.put(s.append, 1)
	time.Sleep(50 * time.Millisecond)
	if k.written.Load() != 0 {
		t.Error("written into a folder that is not there")
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	s.next = 3
	k.put(s.append, 2)
	eventually(t, 3*time.Second, "written after all", func() bool { return k.written.Load() == 2 })
	for i := range uint32(100) {
		s.next = 100 + i
		k.put(s.append, uint64(3+i))
	}
	k.close()
	got, err := readState(filepath.Join(dir, "plc"))
	if err != nil || got.next != 199 || k.written.Load() != 102 {
		t.Errorf("%+v, %v, version %d", got, err, k.written.Load())
	}
}

func FuzzState(f *testing.F) {
	f.Add(sampleState().append(nil))
	f.Add((&state{}).append(nil))
	f.Add([]byte(stateMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := decodeState(b)
		if err != nil {
			// The checksum keeps nearly everything out: try the inside too.
			if len(b) < len(stateMagic) {
				return
			}
			fixed := append([]byte(stateMagic), b[len(stateMagic):]...)
			if s, err = decodeState(appendSum(fixed)); err != nil {
				return
			}
		}
		again, err := decodeState(s.append(nil))
		if err != nil || !reflect.DeepEqual(s, again) {
			t.Fatalf("%+v became %+v, %v", s, again, err)
		}
	})
}

func FuzzMark(f *testing.F) {
	f.Add([]byte("0123456789abcdef"), int64(1))
	f.Fuzz(func(t *testing.T, b []byte, since int64) {
		name := filepath.Join(t.TempDir(), "m")
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		readMark(name, since)
	})
}
