package queue

import "time"

// Stats are counters since the opening, but for Bytes, Records, Oldest and what
// says so, which describe the queue now.
type Stats struct {
	Bytes    uint64 // of record values, not settled
	Records  uint64 // not settled
	Oldest   int64  // creation time of the oldest unsettled record, ns UTC; 0 none
	Appended uint64 // records
	Settled  uint64 // records settled by the historian's word
	Declared uint64 // samples that were given up and declared as gaps
	Salvaged uint64 // records that came back from a damaged queue
	Lost     uint64 // records that could not be read and were declared

	Lanes [Lanes]LaneStats

	Queued   uint64  // bytes of records that were committed
	Written  uint64  // bytes written to the disk, whatever for
	Syncs    uint64  // of files and folders
	DayBytes float64 // written a day, at the rate since the opening
	Packing  float64 // bytes of a record over those that it takes in a pack; 0: nothing was packed
	Waiting  int     // bytes in memory, for the disk (now)
	Full     bool    // no telemetry is taken: the disk has less than the reserve (now)
	Salvage  bool    // a damaged queue is being read (now)
}

// LaneStats are those of one lane. The loss ledger counts values by class beside
// them: this is the place for its counters.
type LaneStats struct {
	Bytes   uint64 // on disk (now)
	Records uint64 // not settled (now)
	Oldest  int64  // ns UTC, 0 none (now)
	Quota   Quota  // zero: none
	Fill    float64
	Hours   float64 // until the quota is full if nothing is settled, at the present rate; -1: not known
	State   string  // "", "70%", "90%" or "full": how much of the quota is used (now)

	Appended uint64 // records
	Settled  uint64 // records
	GivenUp  uint64 // records that were thinned out or could not be read
	Declared uint64 // values in those, each inside a declared gap
	Queued   uint64 // bytes of records committed
}

// How full a quota is when people are warned.
const (
	warnAt  = 0.7
	alarmAt = 0.9
)

// firstPacking is what packing is taken to gain before anything was packed.
const firstPacking = 4

// Stats describes the queue now.
func (q *Queue) Stats() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	s := q.stats
	packing := float64(firstPacking)
	if q.packed > 0 {
		s.Packing = float64(q.packedIn) / float64(q.packed)
		packing = s.Packing
	}
	for ln := range s.Lanes {
		x := &s.Lanes[ln]
		for _, o := range q.openings {
			l := &o.lanes[ln]
			x.Bytes += l.bytes
			x.Records += l.left.count()
			if t := q.oldest(o, Lane(ln)); t != 0 && (x.Oldest == 0 || t < x.Oldest) {
				x.Oldest = t
			}
		}
		gain := 1.0
		if Lane(ln) == Telemetry {
			gain = packing
		}
		x.fill(q.quotas[ln], q.rates[ln].perSecond/gain, now)
		s.Bytes += x.Bytes
		s.Records += x.Records
		if x.Oldest != 0 && (s.Oldest == 0 || x.Oldest < s.Oldest) {
			s.Oldest = x.Oldest
		}
	}
	s.Written, s.Syncs = q.fs.written.Load(), q.fs.syncs.Load()
	if up := now.Sub(q.began); up >= time.Minute {
		s.DayBytes = float64(s.Written) / up.Hours() * 24
	}
	s.Waiting, s.Full, s.Salvage = q.waiting, q.diskErr != nil, q.salvage.running
	return s
}

// fill reckons how far a quota is used, and for how long it lasts.
func (x *LaneStats) fill(quota Quota, perSecond float64, now time.Time) {
	x.Quota, x.Hours = quota, -1
	if quota.Bytes > 0 {
		x.Fill = float64(x.Bytes) / float64(quota.Bytes)
		if perSecond > 0 {
			x.Hours = max(0, float64(quota.Bytes)-float64(x.Bytes)) / perSecond / 3600
		}
	}
	if quota.Age > 0 && x.Oldest > aClock*msec {
		age := now.Sub(time.Unix(0, x.Oldest))
		x.Fill = max(x.Fill, float64(age)/float64(quota.Age))
		if left := max(0, (quota.Age - age).Hours()); x.Hours < 0 || left < x.Hours {
			x.Hours = left
		}
	}
	switch {
	case x.Fill >= 1:
		x.State = "full"
	case x.Fill >= alarmAt:
		x.State = "90%"
	case x.Fill >= warnAt:
		x.State = "70%"
	}
}

// oldest is when the oldest unsettled record of a lane was made, ns; 0 if there
// is none. The caller holds mu.
func (q *Queue) oldest(o *opening, ln Lane) int64 {
	l := &o.lanes[ln]
	if len(l.items) > 0 {
		return l.items[0].created * msec
	}
	if len(l.left) == 0 || o.counter != q.opening {
		return 0
	}
	for _, list := range [][]*append1{q.flying, q.pending} {
		for _, a := range list {
			for i, r := range a.records {
				if r.Lane == ln && !a.settled[i] {
					return r.Created
				}
			}
		}
	}
	return 0
}
