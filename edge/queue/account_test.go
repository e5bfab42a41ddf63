package queue

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"millwright/plant"
	"millwright/sparkplug"
)

// plantSide is what a historian keeps: the numbers that it has, and what was in them.
type plantSide struct {
	have   map[uint64][]sparkplug.Span
	counts map[uint64]map[uint64]plant.Counts // by epoch and number
}

func (p *plantSide) store(r *Record, c plant.Counts) {
	if p.counts[r.Epoch] == nil {
		p.counts[r.Epoch] = map[uint64]plant.Counts{}
	}
	p.have[r.Epoch] = sparkplug.AddSpan(p.have[r.Epoch], one(r.Number))
	p.counts[r.Epoch][r.Number] = c
}

// compare holds the accounts of an edge against it.
func (p *plantSide) compare(list []sparkplug.Account) (faults []string) {
	for i := range list {
		a := &list[i]
		if lost := sparkplug.CutSpans(a.Settled(), p.have[a.Epoch]); len(lost) > 0 {
			faults = append(faults, fmt.Sprintf("epoch %d: %v are neither there nor queued nor declared", a.Epoch, lost))
		}
		for c := range plant.CountClasses {
			var stored uint64
			for n, counts := range p.counts[a.Epoch] {
				if n <= a.Through[c] && sparkplug.Contains(a.Settled(), n) {
					stored += counts[c]
				}
			}
			if a.Sent[c] != stored+a.Declared[c] {
				faults = append(faults, fmt.Sprintf("epoch %d, %s: sent %d, stored %d, declared %d", a.Epoch, plant.CountNames()[c], a.Sent[c], stored, a.Declared[c]))
			}
		}
	}
	return faults
}

// What the queue says of its records is exact whatever happens to them: sent in any
// order, thinned out, settled before their commit, over restarts. A record that is
// gone and was neither sent nor declared is seen.
func TestAccounts(t *testing.T) {
	t.Parallel() // waits most of its time
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(5, 6))
	p := &plantSide{have: map[uint64][]sparkplug.Span{}, counts: map[uint64]map[uint64]plant.Counts{}}
	var made plant.Counts
	for range 4 {
		q := openQueue(t, Config{Dir: dir, Quotas: &Quotas{Telemetry: {Bytes: 3_000}, Waveforms: {Bytes: 1_000}}})
		tags := []plant.Tag{{Path: "A/X"}, {Path: "A/$SCORE"}, {Path: "A/W", Kind: plant.Burst}}
		if err := q.Intern("d", tags); err != nil {
			t.Fatal(err)
		}
		for range 40 {
			var drafts []Draft
			for range 1 + r.IntN(8) {
				b := plant.Batch{}
				d := Draft{Lane: Telemetry, Device: "d"}
				switch r.IntN(6) {
				case 0:
					d.Lane = Findings
					b.Findings = []plant.Finding{{Key: "k", Phase: plant.Raise}}
				case 1:
					d.Lane = Waveforms
					b.Waveforms = []plant.Waveform{{Tag: tags[2].ID, Time: 5 * msec, Values: make([]float32, 100)}}
				default:
					for i := range 1 + r.IntN(60) {
						b.Samples = append(b.Samples, plant.Sample{Tag: tags[r.IntN(2)].ID, Time: int64(i) * msec})
					}
				}
				d.Batch = b
				drafts = append(drafts, d)
			}
			records, err := q.Append(drafts, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range records {
				c := q.countOf(&x.Batch)
				made.Add(c)
				if r.IntN(4) == 0 { // its answer overtakes the commit
					p.store(x, c)
					settle(t, q, x.Epoch, x.Number)
				}
			}
			flush(t, q)
			for ln := range Lane(Lanes) {
				list, _, err := q.Backlog(ln, Pos{}, 100)
				if err != nil {
					t.Fatal(err)
				}
				for i := range list {
					if r.IntN(3) > 0 {
						continue
					}
					c := q.countOf(&list[i].Batch)
					p.store(&list[i], c)
					settle(t, q, list[i].Epoch, list[i].Number)
				}
			}
			accounts, err := sparkplug.ParseAccounts(sparkplug.FormatAccounts(q.Accounts()))
			if err != nil {
				t.Fatal(err)
			}
			if faults := p.compare(accounts); len(faults) > 0 {
				t.Fatal(faults)
			}
		}
		for end := time.Now().Add(2 * time.Second); q.Stats().Declared == 0 && time.Now().Before(end); {
			time.Sleep(10 * time.Millisecond)
		}
		if err := q.Close(); err != nil {
			t.Fatal(err)
		}
	}

	q := openQueue(t, Config{Dir: dir})
	// Everything is accounted for, and what is queued still was never lost.
	for ln := range Lane(Lanes) {
		list, _, err := q.Backlog(ln, Pos{}, 100_000)
		if err != nil {
			t.Fatal(err)
		}
		for i := range list {
			c := q.countOf(&list[i].Batch)
			p.store(&list[i], c)
			settle(t, q, list[i].Epoch, list[i].Number)
		}
	}
	var sent, declared plant.Counts
	list := q.Accounts()
	for i := range list {
		sent.Add(list[i].Sent)
		declared.Add(list[i].Declared)
		if list[i].Sent != list[i].Total {
			t.Errorf("nothing is queued, and %v of %v are compared", list[i].Sent, list[i].Total)
		}
	}
	made[plant.CountGaps] = sent[plant.CountGaps] // those of the thinning itself
	if sent != made || declared == (plant.Counts{}) {
		t.Errorf("sent %v, made %v, declared %v", sent, made, declared)
	}
	if faults := p.compare(list); len(faults) > 0 {
		t.Error(faults)
	}

	// A record that is destroyed on the disk.
	for range 3 {
		if _, err := q.Append([]Draft{{Lane: Telemetry, Batch: plant.Batch{Samples: []plant.Sample{{Tag: 1}, {Tag: 1}}}}}, nil); err != nil {
			t.Fatal(err)
		}
	}
	flush(t, q)
	epoch, opening := q.Epoch(), q.opening
	if err := q.db.Delete(recordKey(Telemetry, opening, 2), pebble.Sync); err != nil {
		t.Fatal(err)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	q = openQueue(t, Config{Dir: dir})
	records, _, err := q.Backlog(Telemetry, Pos{}, 10)
	if err != nil || len(records) != 2 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	for i := range records {
		p.store(&records[i], plant.Counts{2})
		settle(t, q, epoch, records[i].Number)
	}
	want := []string{
		fmt.Sprintf("epoch %d: [{2 2}] are neither there nor queued nor declared", epoch),
		fmt.Sprintf("epoch %d, measured: sent 6, stored 4, declared 0", epoch),
	}
	if got := p.compare(q.Accounts()); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func openQueue(t *testing.T, c Config) *Queue {
	t.Helper()
	q, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	return q
}

func flush(t *testing.T, q *Queue) {
	t.Helper()
	done := make(chan error, 1)
	if err := q.Flushed(func(err error) { done <- err }); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func settle(t *testing.T, q *Queue, epoch, number uint64) {
	t.Helper()
	if _, err := q.Settle(epoch, []sparkplug.Span{one(number)}); err != nil {
		t.Fatal(err)
	}
}

// Old books go, those that the plant may not have seen stay.
func TestBooksKept(t *testing.T) {
	dir := t.TempDir()
	for i := range keptBooks + 5 {
		q := openQueue(t, Config{Dir: dir})
		records, err := q.Append([]Draft{{Lane: Findings}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		flush(t, q)
		if i > 1 { // those of the first two openings stay in the queue
			settle(t, q, q.Epoch(), records[0].Number)
		}
		if err := q.Close(); err != nil {
			t.Fatal(err)
		}
	}
	q := openQueue(t, Config{Dir: dir})
	list := q.Accounts()
	if len(list) != keptBooks+2 || list[0].Queued != "1" || list[1].Queued != "1" || list[2].Queued != "" {
		t.Errorf("%d accounts, first %+v", len(list), list[0])
	}
}

func FuzzRow(f *testing.F) {
	x := row{written: 7, thinned: 1}
	x.sent[0], x.declared[2] = 300, 9
	f.Add(x.append(nil, 1_700_000_000_000))
	f.Add((&row{}).append(nil, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		x, ended, err := parseRow(b)
		if err != nil {
			return
		}
		again, at, err := parseRow(x.append(nil, ended))
		if err != nil || again != x || at != ended {
			t.Fatalf("%+v at %d is read as %+v at %d, %v", x, ended, again, at, err)
		}
	})
}
