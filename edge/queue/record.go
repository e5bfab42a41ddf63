package queue

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"time"

	"millwright/plant"
)

// Record is one entry of the queue and exactly one message when it is sent. It
// is immutable; its batch is the queue's own copy.
type Record struct {
	Epoch   uint64
	Number  uint64
	Lane    Lane
	Device  string // Sparkplug device; empty for the node itself
	Created int64  // ns UTC, whole milliseconds
	Batch   plant.Batch
}

// ErrDamaged says that the bytes of a record cannot be read.
var ErrDamaged = errors.New("damaged record")

// Versions of records. Those without waveforms are still written as version 1.
const (
	recordVersion = 1
	waveVersion   = 2 // waveforms behind the findings
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const msec = int64(time.Millisecond)

// appendRecord encodes r behind dst.
func appendRecord(dst []byte, r *Record) ([]byte, error) {
	start := len(dst)
	created := r.Created / msec
	version := byte(recordVersion)
	if len(r.Batch.Waveforms) > 0 {
		version = waveVersion
	}
	dst = append(dst, version)
	dst = append(dst, 0) // where versions before 3 of the format counted bytes
	dst = binary.AppendVarint(dst, created)
	dst = appendText(dst, r.Device)

	dst = binary.AppendUvarint(dst, uint64(len(r.Batch.Samples)))
	for _, s := range r.Batch.Samples {
		dst = binary.AppendUvarint(dst, uint64(s.Tag))
		dst = binary.AppendVarint(dst, s.Time/msec-created)
		dst = binary.AppendUvarint(dst, uint64(s.Quality))
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(s.Value))
	}
	dst = binary.AppendUvarint(dst, uint64(len(r.Batch.States)))
	for _, s := range r.Batch.States {
		dst = binary.AppendUvarint(dst, uint64(s.Tag))
		dst = binary.AppendVarint(dst, s.Time/msec-created)
		dst = binary.AppendUvarint(dst, uint64(s.Quality))
		dst = appendText(dst, s.Value)
	}
	dst = binary.AppendUvarint(dst, uint64(len(r.Batch.Gaps)))
	for _, g := range r.Batch.Gaps {
		dst = binary.AppendUvarint(dst, uint64(g.Tag))
		dst = binary.AppendVarint(dst, g.From/msec-created)
		dst = binary.AppendUvarint(dst, uint64(max(0, g.To/msec-g.From/msec)))
		dst = appendText(dst, g.Reason)
	}
	if len(r.Batch.Findings) == 0 {
		dst = append(dst, 0)
	} else {
		js, err := json.Marshal(r.Batch.Findings)
		if err != nil {
			return dst[:start], fmt.Errorf("finding: %w", err)
		}
		dst = binary.AppendUvarint(dst, uint64(len(js)))
		dst = append(dst, js...)
	}
	if version == waveVersion {
		dst = appendWaveforms(dst, r.Batch.Waveforms, created)
	}
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli)), nil
}

func appendText(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

// decodeRecord reads a record's value; epoch, number and lane come from its key.
func decodeRecord(b []byte) (r Record, err error) {
	if len(b) < 5 || b[0] != recordVersion && b[0] != waveVersion {
		return r, fmt.Errorf("%w: version", ErrDamaged)
	}
	body, sum := b[:len(b)-4], binary.LittleEndian.Uint32(b[len(b)-4:])
	if crc32.Checksum(body, castagnoli) != sum {
		return r, fmt.Errorf("%w: checksum", ErrDamaged)
	}
	d := decoder{b: body[1:]}
	d.uvarint()
	created := d.varint()
	r.Created = created * msec
	r.Device = d.text()

	if n := d.count(11); n > 0 {
		r.Batch.Samples = make([]plant.Sample, n)
		for i := range r.Batch.Samples {
			r.Batch.Samples[i] = plant.Sample{
				Tag:     plant.TagID(d.uvarint()),
				Time:    (created + d.varint()) * msec,
				Quality: plant.Quality(d.uvarint()),
				Value:   math.Float64frombits(d.uint64()),
			}
		}
	}
	if n := d.count(4); n > 0 {
		r.Batch.States = make([]plant.State, n)
		for i := range r.Batch.States {
			r.Batch.States[i] = plant.State{
				Tag:     plant.TagID(d.uvarint()),
				Time:    (created + d.varint()) * msec,
				Quality: plant.Quality(d.uvarint()),
				Value:   d.text(),
			}
		}
	}
	if n := d.count(4); n > 0 {
		r.Batch.Gaps = make([]plant.Gap, n)
		for i := range r.Batch.Gaps {
			g := plant.Gap{Tag: plant.TagID(d.uvarint()), From: (created + d.varint()) * msec}
			g.To = g.From + int64(d.uvarint())*msec
			g.Reason = d.text()
			r.Batch.Gaps[i] = g
		}
	}
	if js := d.bytes(); len(js) > 0 && d.ok() {
		if err := json.Unmarshal(js, &r.Batch.Findings); err != nil {
			return r, fmt.Errorf("%w: findings: %w", ErrDamaged, err)
		}
	}
	if b[0] == waveVersion {
		r.Batch.Waveforms = d.waveforms(created)
	}
	if !d.ok() || len(d.b) != 0 {
		return Record{}, fmt.Errorf("%w: length", ErrDamaged)
	}
	return r, nil
}

// createdIn is the creation time in ms that the value of a record names, without
// looking at the rest.
func createdIn(b []byte) (int64, bool) {
	d := decoder{b: b}
	d.take(1)
	d.uvarint()
	created := d.varint()
	return created, d.ok()
}

// decoder reads fields off the front of b; after a fault every read gives zero.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) ok() bool { return !d.bad }

func (d *decoder) take(n int) []byte {
	if d.bad || n < 0 || n > len(d.b) {
		d.bad, d.b = true, nil
		return nil
	}
	out := d.b[:n]
	d.b = d.b[n:]
	return out
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		n = -1
	}
	if d.take(n) == nil {
		return 0
	}
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		n = -1
	}
	if d.take(n) == nil {
		return 0
	}
	return v
}

func (d *decoder) uint64() uint64 {
	b := d.take(8)
	if b == nil {
		return 0
	}
	return binary.LittleEndian.Uint64(b)
}

// count reads the number of entries of at least size bytes each, so that a
// damaged count cannot ask for more memory than the bytes could fill.
func (d *decoder) count(size int) int {
	n := d.uvarint()
	if n > uint64(len(d.b)/size) {
		d.bad, d.b = true, nil
		return 0
	}
	return int(n)
}

func (d *decoder) bytes() []byte {
	n := d.uvarint()
	if n > uint64(len(d.b)) {
		d.bad, d.b = true, nil
		return nil
	}
	return d.take(int(n))
}

func (d *decoder) text() string { return string(d.bytes()) }
