package queue

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
)

// old turns a record's value into that of version 2 of the format, which counted
// bytes in the second field.
func old(t *testing.T, r *Record, counted uint64) []byte {
	t.Helper()
	b, err := appendRecord(nil, r)
	if err != nil {
		t.Fatal(err)
	}
	body := append([]byte{b[0]}, binary.AppendUvarint(nil, counted)...)
	return withSum(append(body, b[2:len(b)-4]...))
}

// TestUpgrade: a queue of version 2 is read, record by record, and packed; the
// program of before then refuses it.
func TestUpgrade(t *testing.T) {
	dir := t.TempDir()
	q := open(t, Config{Dir: dir})
	epoch, opening := q.Epoch(), q.opening
	var want []Record
	b := q.db.NewBatch()
	for i := range 60 {
		r := Record{Epoch: epoch, Number: uint64(i + 1), Lane: Telemetry, Device: "plc", Created: 1_790_000_000_000 * msec, Batch: samples(i*100, 100)}
		want = append(want, r)
		_ = b.Set(recordKey(Telemetry, opening, r.Number), old(t, &r, uint64(i)*1500), nil)
	}
	_ = b.Set(metaFormat, []byte{2}, nil)
	if err := b.Commit(pebble.Sync); err != nil {
		t.Fatal(err)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	q = open(t, Config{Dir: dir})
	sameRecords(t, all(t, q, Telemetry), want)
	if packAll(t, q) == 0 {
		t.Error("nothing was packed")
	}
	sameRecords(t, all(t, q, Telemetry), want)
	if v, err := q.get(metaFormat); err != nil || v[0] != formatVersion {
		t.Errorf("format %v, %v", v, err)
	}
	// A newer one, as this program will be to the next.
	if err := q.db.Set(metaFormat, []byte{formatVersion + 1}, pebble.Sync); err != nil {
		t.Fatal(err)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), "use that version, or another folder") {
		t.Errorf("a newer format: %v", err)
	}
}
