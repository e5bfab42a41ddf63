package queue

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"millwright/plant"
	"millwright/sparkplug"
)

// mixed makes records of every kind that a lane may hold.
func mixed(rng *rand.Rand, n int) []Record {
	odd := []float64{math.NaN(), math.Inf(1), math.Copysign(0, -1), math.Float64frombits(0x7FF4000000000123)}
	records := make([]Record, n)
	number, created := uint64(rng.IntN(5)+1), int64(1_790_000_000_000)
	for i := range records {
		r := &records[i]
		number += 1 + uint64(rng.IntN(3))
		created += int64(rng.IntN(1500)) - 100
		r.Number, r.Created, r.Device = number, created*msec, fmt.Sprint("plc-", rng.IntN(3))
		switch rng.IntN(8) {
		case 0:
			r.Batch.States = []plant.State{{Tag: 900, Time: r.Created, Value: "rolling", Quality: plant.Uncertain}}
		case 1:
			r.Batch = samples(i, 3)
			r.Batch.States = []plant.State{{Tag: 901, Time: r.Created, Value: "x"}}
		case 2: // as they come: any tags, any times, some twice
			for range rng.IntN(40) {
				s := plant.Sample{Tag: plant.TagID(1 + rng.IntN(30)), Time: (created + int64(rng.IntN(100_000)) - 50_000) * msec, Value: rng.NormFloat64()}
				if rng.IntN(9) == 0 {
					s.Value, s.Quality = odd[rng.IntN(len(odd))], plant.BadSensorFailure
				}
				r.Batch.Samples = append(r.Batch.Samples, s)
			}
		case 3: // nothing at all
		default: // a scan
			for tag := range 40 {
				r.Batch.Samples = append(r.Batch.Samples, plant.Sample{Tag: plant.TagID(100 + tag), Time: created * msec, Value: math.Round(rng.NormFloat64()*100) / 100})
			}
		}
	}
	return records
}

// sameRecords compares bit by bit: NaN is not NaN for DeepEqual.
func sameRecords(t *testing.T, got, want []Record) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d records, want %d", len(got), len(want))
	}
	for i := range want {
		g, w := got[i], want[i]
		if len(g.Batch.Samples) != len(w.Batch.Samples) {
			t.Fatalf("record %d: %d samples, want %d", w.Number, len(g.Batch.Samples), len(w.Batch.Samples))
		}
		for j, x := range w.Batch.Samples {
			y := g.Batch.Samples[j]
			if math.Float64bits(x.Value) != math.Float64bits(y.Value) {
				t.Fatalf("record %d, sample %d: %v, want %v", w.Number, j, y, x)
			}
			x.Value, y.Value = 0, 0
			if x != y {
				t.Fatalf("record %d, sample %d: %+v, want %+v", w.Number, j, y, x)
			}
		}
		g.Batch.Samples, w.Batch.Samples = nil, nil
		if !reflect.DeepEqual(g, w) {
			t.Fatalf("got %+v\nwant %+v", g, w)
		}
	}
}

func TestPackGivesBackEveryBit(t *testing.T) {
	var p packer
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		want := mixed(rng, 1+rng.IntN(60))
		b, err := p.appendPack([]byte("before"), want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodePack(b[len("before"):])
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		sameRecords(t, got, want)

		x := indexOf(want, len(b))
		y, err := decodeIndex(x.append(nil))
		if err != nil || !reflect.DeepEqual(x, y) {
			t.Fatalf("index %+v, was %+v, %v", y, x, err)
		}
	}
	if _, err := p.appendPack(nil, nil); err == nil {
		t.Error("an empty pack was made")
	}
}

// withSum ends bytes as packs and indexes end, so that a fuzzer gets behind it.
func withSum(b []byte) []byte {
	return binary.LittleEndian.AppendUint32(b[:len(b):len(b)], crc32.Checksum(b, castagnoli))
}

func FuzzDecodePack(f *testing.F) {
	var p packer
	for seed := range uint64(8) {
		b, err := p.appendPack(nil, mixed(rand.New(rand.NewPCG(seed, 2)), 1+int(seed)*3))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b[:len(b)-4])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		records, err := decodePack(withSum(b))
		if err != nil {
			return
		}
		var p packer
		again, err := p.appendPack(nil, records)
		if err != nil {
			return // numbers that do not ascend, and the like: no pack of ours
		}
		if _, err := decodePack(again); err != nil {
			t.Error(err)
		}
	})
}

func FuzzDecodeIndex(f *testing.F) {
	for seed := range uint64(8) {
		x := indexOf(mixed(rand.New(rand.NewPCG(seed, 3)), 1+int(seed)*3), 1000)
		b := x.append(nil)
		f.Add(b[:len(b)-4])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := decodeIndex(withSum(b))
		if err != nil {
			return
		}
		if y, err := decodeIndex(x.append(nil)); err != nil || !reflect.DeepEqual(x, y) {
			t.Errorf("%+v, was %+v, %v", y, x, err)
		}
	})
}

// packAll packs all that is old enough an hour later.
func packAll(t fataler, q *Queue) (packs int) {
	t.Helper()
	var p packer
	for {
		did, err := q.packSome(&p, time.Now().Add(time.Hour))
		if err != nil {
			t.Errorf("%v", err)
			return packs
		}
		if !did {
			return packs
		}
		packs++
	}
}

// TestPackedBacklog: packed records are read, settled one by one, counted and
// found again as if they lay there one by one.
func TestPackedBacklog(t *testing.T) {
	dir := t.TempDir()
	q := open(t, Config{Dir: dir})
	const n, each = 80, 200
	for i := range n {
		if i%10 == 5 {
			put(t, q, Findings, plant.Batch{Findings: []plant.Finding{{Asset: "A", Phase: plant.Raise}}})
		}
		if _, err := q.Append([]Draft{{Lane: Telemetry, Device: "plc", Batch: samples(i*each, each)}}, nil); err != nil {
			t.Fatal(err)
		}
	}
	epoch := q.Epoch()
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	q = open(t, Config{Dir: dir})
	want := all(t, q, Telemetry)
	before := q.Stats()
	if packs := packAll(t, q); packs != 1 {
		t.Fatalf("%d packs", packs)
	}
	after := q.Stats()
	if after.Records != before.Records || after.Bytes >= before.Bytes*3/4 || after.Oldest != before.Oldest || after.Packing < 1.3 {
		t.Errorf("before %+v\nafter %+v", before, after)
	}
	sameRecords(t, all(t, q, Telemetry), want)

	settled := []sparkplug.Span{{First: want[3].Number, Last: want[20].Number}, one(want[40].Number)}
	if k, err := q.Settle(epoch, settled); err != nil || k != 18+1+2 { // with the findings in between
		t.Fatalf("settled %d, %v", k, err)
	}
	left := append(append(append([]Record{}, want[:3]...), want[21:40]...), want[41:]...)
	sameRecords(t, all(t, q, Telemetry), left)
	if s := q.Stats().Lanes[Telemetry]; s.Records != uint64(len(left)) {
		t.Errorf("%d records left, want %d", s.Records, len(left))
	}
	put(t, q, Telemetry, samples(1, 1))
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}

	// What was settled out of a pack that is still there is sent again after a restart.
	q = open(t, Config{Dir: dir})
	sameRecords(t, all(t, q, Telemetry)[:n], want)
	if _, err := q.Settle(epoch, []sparkplug.Span{{First: 1, Last: 1000}}); err != nil {
		t.Fatal(err)
	}
	if rest := all(t, q, Telemetry); len(rest) != 1 || q.Oldest(epoch) != 0 {
		t.Errorf("%d records left", len(rest))
	}
	_ = q.Close()
	q = open(t, Config{Dir: dir})
	if s := q.Stats(); s.Records != 1 {
		t.Errorf("%d records after the pack was settled", s.Records)
	}
}
