package notify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"millwright/plant"

	"pgregory.net/rapid"
)

// zones whose clocks stand still, change by an hour, by half an hour, change at
// midnight, or are off by a quarter of an hour.
var zones = []string{"Asia/Karachi", "Europe/Moscow", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Asia/Kathmandu", "UTC"}

func mustZone(t interface{ Fatal(...any) }, name string) *time.Location {
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// near draws a moment of a year, every second one close to a change of the clocks.
func near(t *rapid.T, zone *time.Location, year int) time.Time {
	at := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(rapid.IntRange(0, 366*24*60).Draw(t, "minute")) * time.Minute)
	if _, change := at.In(zone).ZoneBounds(); !change.IsZero() && rapid.Bool().Draw(t, "change") {
		return change.Add(time.Duration(rapid.IntRange(-300, 300).Draw(t, "off")) * time.Minute)
	}
	return at
}

// The first moment of a wall time is found the slow way too: the earliest minute
// at which the wall clock shows so much.
func TestInstant(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone := mustZone(t, rapid.SampledFrom(zones).Draw(t, "zone"))
		w := wallAt(near(t, zone, rapid.IntRange(2020, 2035).Draw(t, "year")), zone) + 60*wall(rapid.IntRange(-90, 90).Draw(t, "more"))
		got := w.instant(zone)
		if wallAt(got, zone) < w || wallAt(got.Add(-time.Second), zone) >= w {
			t.Fatalf("%v is not the first moment at %v", got, time.Unix(int64(w), 0).UTC())
		}
		for m := got.Add(-3 * time.Hour).Truncate(time.Minute); m.Before(got); m = m.Add(time.Minute) {
			if wallAt(m, zone) >= w {
				t.Fatalf("%v shows %v already, found %v", m, time.Unix(int64(w), 0).UTC(), got)
			}
		}
	})
}

// Whoever comes after the one before: at every instant of a rotation one person
// is on call, turns come in order, and each begins when the wall clock of the
// team shows its hour.
func TestRotation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone := mustZone(t, rapid.SampledFrom(zones).Draw(t, "zone"))
		n := rapid.IntRange(2, 5).Draw(t, "people")
		r := rotation{days: everyDay, turn: 3600 * wall(rapid.SampledFrom([]int{6, 8, 12, 24, 168}).Draw(t, "hours"))}
		for i := range n {
			r.people = append(r.people, fmt.Sprint("p", i))
		}
		begin := time.Date(rapid.IntRange(2024, 2027).Draw(t, "year"), time.Month(rapid.IntRange(1, 12).Draw(t, "month")), rapid.IntRange(1, 28).Draw(t, "day"),
			rapid.IntRange(0, 23).Draw(t, "hour"), rapid.SampledFrom([]int{0, 30}).Draw(t, "minute"), 0, 0, time.UTC)
		r.start = wall(begin.Unix())
		tm := &team{id: "t", zone: zone, rotations: []rotation{r}}

		first := r.start.instant(zone)
		if c := onCallOf(t, tm, first.Add(-time.Second)); len(c.People) != 0 || c.Until != first.UnixNano() {
			t.Fatalf("before the first hand-over: %+v, want nobody until %v", c, first)
		}
		at := near(t, zone, begin.Year()+1)
		was := onCallOf(t, tm, at)
		for range 6 {
			if len(was.People) != 1 || was.Until <= at.UnixNano() {
				t.Fatalf("at %v: %+v", at, was)
			}
			until := time.Unix(0, was.Until)
			if is := tm.now(until.Add(-time.Nanosecond)); !slices.Equal(is.People, was.People) {
				t.Fatalf("just before the hand-over of %v: %v, want %v", until, is.People, was.People)
			}
			is := onCallOf(t, tm, until)
			if next := (slices.Index(r.people, was.People[0]) + 1) % n; is.People[0] != r.people[next] {
				t.Fatalf("at %v %s follows %s", until, is.People[0], was.People[0])
			}
			// By the wall clock a turn begins at the hour; where clocks jump over it, when they have.
			if off := (wallAt(until, zone) - r.start) % r.turn; off != 0 {
				if _, jump := until.Add(-time.Second).In(zone).ZoneBounds(); !jump.Equal(until) {
					t.Fatalf("hand-over at %v, %d s off", until.In(zone), off)
				}
			}
			at, was = until, is
		}
	})
}

// Two rotations that share the day by hours leave no instant without exactly one
// person; an override stands in for both.
func TestHoursAndOverrides(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone := mustZone(t, rapid.SampledFrom(zones).Draw(t, "zone"))
		a := 60 * wall(rapid.IntRange(0, 1439).Draw(t, "from"))
		b := 60 * wall(rapid.IntRange(0, 1439).Filter(func(m int) bool { return wall(m)*60 != a }).Draw(t, "to"))
		of := func(name string, h hours) rotation {
			return rotation{people: []string{name}, turn: day, days: everyDay, hours: &h}
		}
		tm := &team{zone: zone, rotations: []rotation{of("early", hours{a, b}), of("late", hours{b, a})}}
		at := near(t, zone, 2026)
		over := override{person: "boss", from: at.Add(time.Hour), to: at.Add(5 * time.Hour)}
		deputy := override{person: "deputy", from: at.Add(2 * time.Hour), to: at.Add(8 * time.Hour)}
		tm.overrides = []override{deputy, over} // the last one wins

		for m := range 12 * 60 {
			now := at.Add(time.Duration(m) * time.Minute)
			c := tm.now(now)
			_, s := wallAt(now, zone).date()
			want := "late"
			if a < b && s >= a && s < b || a > b && (s >= a || s < b) {
				want = "early"
			}
			if !now.Before(deputy.from) && now.Before(deputy.to) {
				want = "deputy"
			}
			if !now.Before(over.from) && now.Before(over.to) {
				want = "boss"
			}
			if len(c.People) != 1 || c.People[0] != want || c.Override != (want == "boss" || want == "deputy") {
				t.Fatalf("at %v: %+v, want %s", now.In(zone), c, want)
			}
		}
		// The next hand-over is the first moment with another answer.
		c := onCallOf(t, tm, at)
		for m := at; m.UnixNano() < c.Until; m = m.Add(time.Minute) {
			if is := tm.now(m); !slices.Equal(is.People, c.People) {
				t.Fatalf("from %v to %v: %v at %v, not %v", at, time.Unix(0, c.Until).UTC(), is.People, m, c.People)
			}
		}
		if is := tm.now(time.Unix(0, c.Until)); slices.Equal(is.People, c.People) {
			t.Fatalf("no hand-over at %v", time.Unix(0, c.Until))
		}
	})
}

func TestDaysOverMidnight(t *testing.T) {
	zone := mustZone(t, "Asia/Karachi")
	// Friday night only, from 22:00 to 06:00 of Saturday. 2026-11-27 is a Friday.
	r, err := read(plant.Roster{
		People: []plant.Person{{ID: "a", Name: "A", Language: "en", Contacts: []plant.Contact{{Channel: "ntfy", Address: "a"}}}},
		Teams: []plant.Team{{ID: "t", Name: "T", Zone: "Asia/Karachi", Rotations: []plant.Rotation{
			{People: []string{"a"}, Start: "2026-01-01T00:00", Hours: 24, Days: []string{"fri"}, From: "22:00", To: "06:00"}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	f := func(local string, want bool, until string) {
		t.Helper()
		at, err := time.ParseInLocation("2006-01-02 15:04", local, zone)
		if err != nil {
			t.Fatal(err)
		}
		c := onCallOf(t, r.teams[0], at)
		if got := time.Unix(0, c.Until).In(zone).Format("2006-01-02 15:04"); len(c.People) == 1 != want || got != until {
			t.Errorf("%s: %v until %s, want %v until %s", local, c.People, got, want, until)
		}
	}
	f("2026-11-27 21:59", false, "2026-11-27 22:00")
	f("2026-11-27 22:00", true, "2026-11-28 06:00")
	f("2026-11-28 05:59", true, "2026-11-28 06:00")
	f("2026-11-28 06:00", false, "2026-12-04 22:00")
	f("2026-11-28 22:00", false, "2026-12-04 22:00")
	f("2026-11-27 05:00", false, "2026-11-27 22:00")
}

// Quiet hours end at the wall time that was asked for, and hold nothing outside.
func TestQuiet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone := mustZone(t, rapid.SampledFrom(zones).Draw(t, "zone"))
		from := 60 * wall(rapid.IntRange(0, 1439).Draw(t, "from"))
		to := 60 * wall(rapid.IntRange(0, 1439).Filter(func(m int) bool { return wall(m)*60 != from }).Draw(t, "to"))
		q := &quiet{zone: zone, hours: &hours{from, to}, passes: 2}
		at := near(t, zone, 2026)
		if until := q.holds(at, rapid.IntRange(1, 2).Draw(t, "urgent")); !until.IsZero() {
			t.Fatalf("held until %v", until)
		}
		until := q.holds(at, 3)
		if until.IsZero() != !q.hours.on(wallAt(at, zone), everyDay) {
			t.Fatalf("held until %v", until)
		}
		if !until.IsZero() && (!until.After(at) || until.Sub(at) > 26*time.Hour) {
			t.Fatalf("at %v held until %v", at, until)
		}
	})
}

func mustTime(t *testing.T, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// In the night in which the clocks go back, and in the one in which they jump, a
// turn that begins in the hour concerned begins once.
func TestHandoverWhenClocksChange(t *testing.T) {
	f := func(zone, start, night string, want int) {
		t.Helper()
		begin, err := time.Parse("2006-01-02T15:04", start)
		if err != nil {
			t.Fatal(err)
		}
		tm := &team{zone: mustZone(t, zone), rotations: []rotation{{people: []string{"a", "b"}, start: wall(begin.Unix()), turn: 12 * 3600, days: everyDay}}}
		at := mustTime(t, night)
		changes := 0
		for was := tm.now(at).People[0]; at.Before(mustTime(t, night).Add(6 * time.Hour)); at = at.Add(time.Minute) {
			is := onCallOf(t, tm, at)
			if is.People[0] != was {
				changes++
			}
			was = is.People[0]
			if next := tm.now(time.Unix(0, is.Until)); next.People[0] == was {
				t.Errorf("%v: no hand-over at %v", at, time.Unix(0, is.Until).UTC())
			}
		}
		if changes != want {
			t.Errorf("%s: %d hand-overs, want %d", zone, changes, want)
		}
	}
	f("Europe/Berlin", "2026-01-01T02:30", "2026-10-24T22:00:00Z", 1)
	f("Europe/Berlin", "2026-01-01T02:30", "2026-03-28T22:00:00Z", 1)
	f("Australia/Lord_Howe", "2026-01-01T01:45", "2026-04-04T12:00:00Z", 1)
	f("America/New_York", "2026-01-01T01:15", "2026-11-01T03:00:00Z", 1)
	f("Asia/Karachi", "2026-01-01T02:30", "2026-10-24T19:00:00Z", 1)
}

func onCallOf(t interface {
	Helper()
	Fatal(...any)
}, tm *team, at time.Time) plant.OnCall {
	t.Helper()
	c, err := tm.onCall(context.Background(), at)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A roster in which hand-overs by the thousand change nothing holds nobody up, and
// who has gone waits for nothing.
func TestOnCallWithoutEnd(t *testing.T) {
	tm := &team{id: "t", zone: mustZone(t, "Asia/Karachi")}
	for i := range maxRotations {
		tm.rotations = append(tm.rotations, rotation{people: []string{"a"}, turn: 3600, start: wall(60 * i), days: everyDay})
	}
	at := mustTime(t, "2026-11-30T06:00:00Z")
	if c := onCallOf(t, tm, at); c.Until != 0 || !slices.Equal(c.People, []string{"a"}) {
		t.Errorf("%+v", c)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d := &Desk{}
	d.roster.Store(&roster{teams: []*team{tm}})
	if _, err := d.OnCall(ctx, at.UnixNano()); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestRotationsBound(t *testing.T) {
	r := crew()
	r.Teams[0].Rotations = slices.Repeat(r.Teams[0].Rotations[:1], maxRotations)
	r.Teams[0].Overrides = slices.Repeat([]plant.Override{{Person: "ali", From: "2026-11-30T06:00:00Z", To: "2026-11-30T07:00:00Z"}}, maxOverrides)
	if _, err := read(r); err != nil {
		t.Fatal(err)
	}
	r.Teams[0].Rotations = append(r.Teams[0].Rotations, r.Teams[0].Rotations[0])
	r.Teams[0].Overrides = append(r.Teams[0].Overrides, r.Teams[0].Overrides[0])
	_, err := read(r)
	f, ok := errors.AsType[*FaultError](err)
	if want := []string{"teams[0].rotations: 51 of them: at most 50", "teams[0].overrides: 501 of them: at most 500"}; !ok || !slices.Equal(f.Faults(), want) {
		t.Errorf("%v", err)
	}
}
