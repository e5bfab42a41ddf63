package collector

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"millwright/plant"
)

type key struct {
	tag plant.TagID
	ms  int64
}

type fact struct {
	value   float64
	text    string
	quality plant.Quality
	seq     int // place in the server's log, from 1; 0 unknown
}

// store is a sink that remembers everything.
type store struct {
	mu    sync.Mutex
	facts map[key]fact
	gaps  []plant.Gap

	findings []plant.Finding

	writes uint64
	fail   error // while set, Write refuses
	source *Source
	lag    time.Duration // until Committed; 0 at once
	count  atomicCount
	fresh  map[plant.TagID]bool  // heard since mark
	first  map[plant.TagID]int64 // ms of what came first of a tag
	newest map[plant.TagID]int64 // ns, of batches in order
	late   map[plant.TagID]late
}

// late counts the values that came from history.
type late struct {
	n     int
	again int // that were there
}

type atomicCount struct {
	n, again int
	late     int // of batches that say so
	behind   int // older than what was there of the tag, in batches that do not
}

func newStore(s *Source) *store {
	return &store{facts: map[key]fact{}, source: s, fresh: map[plant.TagID]bool{}, first: map[plant.TagID]int64{}, newest: map[plant.TagID]int64{}, late: map[plant.TagID]late{}}
}

// mark begins to count the tags that have a new value.
func (s *store) mark() func() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.fresh)
	return func() int {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.fresh)
	}
}

func (s *store) Write(_ context.Context, b plant.Batch) error {
	s.mu.Lock()
	if s.fail != nil {
		defer s.mu.Unlock()
		return s.fail
	}
	s.add(b)
	s.writes++
	n, source, lag := s.writes, s.source, s.lag
	s.mu.Unlock()
	if lag == 0 {
		source.Committed(n)
		return nil
	}
	time.AfterFunc(lag, func() { source.Committed(n) })
	return nil
}

func (s *store) add(b plant.Batch) {
	for _, x := range b.Samples {
		s.count.n++
		switch {
		case b.Late:
			s.count.late++
		case x.Time < s.newest[x.Tag]:
			s.count.behind++
		default:
			s.newest[x.Tag] = x.Time
		}
		k := key{x.Tag, x.Time / oneMilli}
		s.heard(k)
		_, again := s.facts[k]
		if again {
			s.count.again++
		}
		if b.Late {
			l := s.late[x.Tag]
			l.n++
			if again {
				l.again++
			}
			s.late[x.Tag] = l
		}
		s.facts[k] = fact{value: x.Value, quality: x.Quality}
	}
	for _, x := range b.States {
		s.count.n++
		s.heard(key{x.Tag, x.Time / oneMilli})
		s.facts[key{x.Tag, x.Time / oneMilli}] = fact{text: x.Value, quality: x.Quality}
	}
	s.gaps = append(s.gaps, b.Gaps...)
	s.findings = append(s.findings, b.Findings...)
}

func (s *store) heard(k key) {
	s.fresh[k.tag] = true
	if _, ok := s.first[k.tag]; !ok {
		s.first[k.tag] = k.ms
	}
}

func (s *store) refuse(err error) {
	s.mu.Lock()
	s.fail = err
	s.mu.Unlock()
}

func (s *store) size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.facts)
}

// account counts loss as the product defines it.
type account struct {
	offered, stored, declared, undeclared, surplus, differing int
}

func (a account) String() string {
	return fmt.Sprintf("offered %d, stored %d, declared and not stored %d, UNDECLARED %d, surplus %d, differing %d",
		a.offered, a.stored, a.declared, a.undeclared, a.surplus, a.differing)
}

// offeredBy reads a server's log.
func offeredBy(t testing.TB, name string) map[key]fact {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all := map[key]fact{}
	seq := 0
	for sc := bufio.NewScanner(f); sc.Scan(); {
		seq++
		var row [4]any
		if err := json.Unmarshal(sc.Bytes(), &row); err != nil {
			continue // the last line of a killed server, or the empty one behind it
		}
		k := key{plant.TagID(row[0].(float64)) + 1, int64(row[1].(float64))}
		x := fact{quality: plant.Quality(row[3].(float64)), seq: seq}
		switch v := row[2].(type) {
		case float64:
			x.value = v
		case string:
			x.text = v
		}
		all[k] = x
	}
	return all
}

// reckon compares what was offered since a tag was first stored with what is
// stored and declared.
func (s *store) reckon(t testing.TB, offered map[key]fact) account {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.gaps {
		if g.From >= g.To || g.From%oneMilli != 0 || g.To%oneMilli != 0 || g.Reason == "" {
			t.Errorf("malformed gap %+v", g)
		}
	}
	gaps := s.gapsByTag()
	a, lost := s.compare(offered, gaps)
	for i, k := range lost {
		if i < 4 {
			t.Errorf("undeclared: tag %d at %s", k.tag, time.UnixMilli(k.ms).UTC().Format("05.000"))
		}
	}
	for k := range s.facts {
		if _, ok := offered[k]; !ok {
			if a.surplus++; a.surplus <= 4 {
				t.Logf("never offered: tag %d at %s", k.tag, time.UnixMilli(k.ms).UTC().Format("05.000"))
			}
		}
	}
	return a
}

// account is the same while values are still on their way, with the keys that
// are neither stored nor declared.
func (s *store) account(offered map[key]fact) (account, []key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.compare(offered, s.gapsByTag())
}

func (s *store) gapsByTag() map[plant.TagID][]plant.Gap {
	gaps := map[plant.TagID][]plant.Gap{}
	for _, g := range s.gaps {
		gaps[g.Tag] = append(gaps[g.Tag], g)
	}
	return gaps
}

func (s *store) compare(offered map[key]fact, gaps map[plant.TagID][]plant.Gap) (a account, lost []key) {
	for k, want := range offered {
		since, ok := s.first[k.tag]
		if !ok || want.seq == 0 && k.ms < since || want.seq < offered[key{k.tag, since}].seq {
			continue
		}
		want.seq = 0
		a.offered++
		got, ok := s.facts[k]
		switch {
		case ok:
			a.stored++
			if got != want && !(math.IsNaN(got.value) && math.IsNaN(want.value)) {
				a.differing++
			}
		case within(gaps[k.tag], k.ms*oneMilli):
			a.declared++
		default:
			a.undeclared++
			lost = append(lost, k)
		}
	}
	return a, lost
}

func within(gaps []plant.Gap, at int64) bool {
	for _, g := range gaps {
		if g.From <= at && at < g.To {
			return true
		}
	}
	return false
}

// gapsNow are the gaps so far, in the order in which they were declared.
func (s *store) gapsNow() []plant.Gap {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.gaps)
}

// fromHistory is what came from history so far.
func (s *store) fromHistory() map[plant.TagID]late {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.late)
}

// gapReasons counts the gaps by reason.
func (s *store) gapReasons() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := map[string]int{}
	for _, g := range s.gaps {
		n[g.Reason]++
	}
	return n
}
