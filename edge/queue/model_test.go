package queue

import (
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millwright/plant"
	"millwright/sparkplug"
)

// model is what a queue has promised, whatever becomes of its disk: what it called
// durable is there, or in a declared gap, or was settled.
type model struct {
	mu      sync.Mutex
	made    map[string]Record // by epoch and number
	durable map[string]bool
	settled map[string]bool // settling may come back: the historian knows the number
}

func newModel() *model {
	return &model{made: map[string]Record{}, durable: map[string]bool{}, settled: map[string]bool{}}
}

func name(epoch, number uint64) string { return fmt.Sprintf("%d/%d", epoch, number) }

// snapshot is what was promised up to now.
func (m *model) snapshot() *model {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := newModel()
	for k, v := range m.made {
		s.made[k] = v
	}
	for k := range m.durable {
		s.durable[k] = true
	}
	for k := range m.settled {
		s.settled[k] = true
	}
	return s
}

// put appends a record; its promise is noted when it is made. A finding goes to
// the disk at once and takes what waits along.
func (m *model) put(q *Queue, lane Lane, b plant.Batch) (*Record, error) {
	var mine *Record
	ready := make(chan struct{})
	rs, err := q.Append([]Draft{{Lane: lane, Device: "plc", Batch: b}}, func(err error) {
		<-ready
		if err == nil {
			m.mu.Lock()
			m.durable[name(mine.Epoch, mine.Number)] = true
			m.mu.Unlock()
		}
	})
	if err != nil {
		close(ready)
		return nil, err
	}
	mine = rs[0]
	m.mu.Lock()
	m.made[name(mine.Epoch, mine.Number)] = *mine
	m.mu.Unlock()
	close(ready)
	return mine, nil
}

func (m *model) settle(q *Queue, epoch, first, last uint64) error {
	m.mu.Lock()
	for n := first; n <= last; n++ {
		m.settled[name(epoch, n)] = true
	}
	m.mu.Unlock()
	_, err := q.Settle(epoch, []sparkplug.Span{{First: first, Last: last}})
	return err
}

// fataler is what check needs of a test; a child process has its own.
type fataler interface {
	Helper()
	Errorf(string, ...any)
}

// check opens what a crash has left and compares.
func (m *model) check(t fataler, what string, fs vfs.FS, dir string) {
	t.Helper()
	q, err := Open(Config{Dir: dir, fs: fs, Log: silent()})
	if err != nil {
		t.Errorf("%s: the queue does not open: %v", what, err)
		return
	}
	defer q.Close()
	for q.Stats().Salvage {
		time.Sleep(time.Millisecond)
	}
	there := map[string]int{}
	var gaps []plant.Gap
	for _, lane := range []Lane{Findings, Telemetry, Waveforms, Audit} {
		var pos Pos
		for {
			rs, next, err := q.Backlog(lane, pos, 50)
			if err != nil {
				t.Errorf("%s: %v", what, err)
				return
			}
			if len(rs) == 0 {
				break
			}
			pos = next
			for _, r := range rs {
				key := name(r.Epoch, r.Number)
				there[key]++
				gaps = append(gaps, r.Batch.Gaps...)
				if want, ok := m.made[key]; ok && fmt.Sprint(r.Batch) != fmt.Sprint(want.Batch) {
					t.Errorf("%s: record %s is not what it was", what, key)
				} else if !ok && len(r.Batch.Gaps) == 0 {
					t.Errorf("%s: record %s was never made", what, key)
				}
			}
		}
	}
	for key, n := range there {
		if n != 1 {
			t.Errorf("%s: record %s is there %d times", what, key, n)
		}
	}
	var lost []string
	for key := range m.durable {
		if there[key] == 0 && !m.settled[key] && !declared(m.made[key].Batch, gaps) {
			lost = append(lost, fmt.Sprint(key, " ", m.made[key].Lane))
		}
	}
	if len(lost) > 0 {
		t.Errorf("%s: %d of %d durable records are neither there nor declared, set aside %q: %v", what, len(lost), len(m.durable), q.Damaged(), lost[:min(10, len(lost))])
	}
}

func declared(b plant.Batch, gaps []plant.Gap) bool {
	if len(b.Findings) > 0 {
		return false
	}
	for _, s := range b.Samples {
		ok := false
		for _, g := range gaps {
			ok = ok || g.Tag == s.Tag && g.From <= s.Time && s.Time < g.To
		}
		if !ok {
			return false
		}
	}
	return len(b.Samples) > 0
}

// life is a queue's in short: two openings, records of all lanes, packing,
// settling, thinning. It ends early with the first error.
func (m *model) life(cfg Config, rng *rand.Rand) error {
	cfg.Quotas = &Quotas{Telemetry: {Bytes: 200_000}}
	cfg.Log = silent()
	at := 0
	for range 2 {
		q, err := Open(cfg)
		if err != nil {
			return err
		}
		err = m.day(q, rng, &at)
		if cerr := q.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (m *model) day(q *Queue, rng *rand.Rand, at *int) error {
	tags := make([]plant.Tag, 7)
	for i := range tags {
		tags[i].Path = fmt.Sprint("tag", i)
	}
	if err := q.Intern("plc", tags); err != nil {
		return err
	}
	var p packer
	for i := range 40 {
		n := 100 + rng.IntN(200)
		*at += n
		b := samples(*at, n)
		for j := range b.Samples {
			b.Samples[j].Value = rng.NormFloat64()
		}
		if _, err := m.put(q, Telemetry, b); err != nil {
			return err
		}
		if i%4 == 3 {
			if err := m.sync(q); err != nil {
				return err
			}
		}
		if i%16 == 11 {
			if _, err := q.packSome(&p, later()); err != nil {
				return err
			}
		}
		if i%16 == 15 {
			first := uint64(1 + rng.IntN(30))
			if err := m.settle(q, q.Epoch(), first, first+uint64(rng.IntN(10))); err != nil {
				return err
			}
			q.thin(Telemetry, false)
		}
	}
	return m.sync(q)
}

// sync has a finding take along what waits.
func (m *model) sync(q *Queue) error {
	if _, err := m.put(q, Findings, plant.Batch{Findings: []plant.Finding{{Asset: "A", Phase: plant.Raise}}}); err != nil {
		return err
	}
	done := make(chan error, 1)
	if err := q.Flushed(func(err error) { done <- err }); err != nil {
		return err
	}
	return <-done
}

func silent() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

var _ fataler = (*testing.T)(nil)
