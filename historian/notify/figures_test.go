package notify

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"millwright/plant"
)

// p95 in milliseconds.
func p95(d []time.Duration) float64 {
	slices.Sort(d)
	return float64(d[len(d)*95/100]) / 1e6
}

// TestFigures measures on the real clock, with MILLWRIGHT_FIGURES=1: how long
// after its raise an alarm is handed to a channel, and how long after an
// acknowledgement nothing is pending for it.
func TestFigures(t *testing.T) {
	if os.Getenv("MILLWRIGHT_FIGURES") == "" {
		t.Skip("MILLWRIGHT_FIGURES is not set")
	}
	r := crew()
	r.People = append(r.People, plant.Person{ID: "cmms", Name: "Work orders", Language: "en", Contacts: []plant.Contact{contact("webhook", "cmms")}})
	r.Routes[0].Steps = []plant.Step{{People: []string{"cmms", "ali", "omar", "boss"}}, {WaitS: 600, People: []string{"boss"}}}
	w := newWorks(t, r)
	defer w.close()

	// Handing over: alarms come one by one, fifty in a second, one in ten as a burst of fifty.
	var mu sync.Mutex
	raised := map[string]time.Time{}
	var took []time.Duration
	w.hook.set(func(m plant.Message) error {
		mu.Lock()
		defer mu.Unlock()
		if at, ok := raised[fmt.Sprint(m.Alarm)]; ok {
			took = append(took, time.Since(at))
			delete(raised, fmt.Sprint(m.Alarm))
		}
		return nil
	})
	n := 0
	for i := range 300 {
		burst := 1
		if i%30 == 29 {
			burst = 50
		}
		for range burst {
			n++
			mu.Lock()
			raised[fmt.Sprint(n)] = time.Now()
			mu.Unlock()
			w.apply(finding(fmt.Sprint("A", n), plant.Raise, 1+n%4))
		}
		time.Sleep(20 * time.Millisecond)
	}
	for until := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		mu.Lock()
		left := len(raised)
		mu.Unlock()
		if left == 0 {
			break
		}
		if time.Now().After(until) {
			t.Fatalf("%d of %d alarms were not handed over", left, n)
		}
	}
	if len(took) != n {
		t.Fatalf("%d of %d alarms handed over", len(took), n)
	}
	fmt.Printf("FIGURE users.alert_handoff_p95_ms %.1f ms\n", p95(took))

	// Acknowledging: every alarm has messages that wait for another try.
	for _, c := range []*wire{w.mail, w.hook} {
		c.set(func(plant.Message) error { return errors.New("421 not now") })
	}
	var cancelled []time.Duration
	for range 100 {
		n++
		w.apply(finding(fmt.Sprint("A", n), plant.Raise, 1))
		id := w.newest()
		time.Sleep(30 * time.Millisecond)
		begin := time.Now()
		if _, err := w.book.Ack(context.Background(), id, "anna", "", ""); err != nil {
			t.Fatal(err)
		}
		for {
			var pending int
			if err := w.desk.db.QueryRow(`SELECT count(*) FROM message JOIN told ON message = id WHERE told.alarm = ? AND state IN ('pending', 'held', 'sending')`, id).Scan(&pending); err != nil {
				t.Fatal(err)
			}
			if pending == 0 {
				break
			}
			if time.Since(begin) > 10*time.Second {
				t.Fatalf("%d messages pending after %v", pending, time.Since(begin))
			}
			time.Sleep(500 * time.Microsecond)
		}
		cancelled = append(cancelled, time.Since(begin))
	}
	fmt.Printf("FIGURE users.ack_cancel_p95_ms %.1f ms\n", p95(cancelled))
}
