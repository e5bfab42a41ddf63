package account

import (
	"fmt"
	"testing"
	"time"
)

func TestAttempts(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	a := &Attempts{Free: 3, First: 10 * time.Second, Max: time.Minute}
	for i := range 3 {
		if w := a.Begin(now, "anna"); w != 0 {
			t.Fatalf("attempt %d waits %v", i, w)
		}
	}
	for _, want := range []time.Duration{10 * time.Second, 20 * time.Second, 40 * time.Second, time.Minute, time.Minute} {
		if w := a.Begin(now, "anna"); w != want {
			t.Fatalf("waits %v, want %v", w, want)
		}
		now = now.Add(want)
		if w := a.Begin(now, "anna"); w != 0 {
			t.Fatalf("after the wait: %v", w)
		}
	}
	if w := a.Begin(now, "bob"); w != 0 {
		t.Fatalf("somebody else waits %v", w)
	}
	now = now.Add(2*time.Minute + time.Second)
	for i := range 3 {
		if w := a.Begin(now, "anna"); w != 0 {
			t.Fatalf("forgotten key, attempt %d waits %v", i, w)
		}
	}
}

func TestAttemptsSucceeded(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	a := &Attempts{Free: 3, First: 10 * time.Second, Max: time.Minute}
	// One good password among bad ones does not clear the source.
	for range 2 {
		a.Begin(now, "ip", "bob")
	}
	a.Begin(now, "ip", "anna")
	a.Succeeded("anna", "ip")
	if w := a.Begin(now, "ip", "carl"); w != 0 {
		t.Fatalf("waits %v: the good login was counted", w)
	}
	if w := a.Begin(now, "ip", "carl"); w != 10*time.Second {
		t.Fatalf("waits %v: the good login cleared the source", w)
	}
	// Many good logins are never a reason to wait.
	for range 50 {
		if w := a.Begin(now, "ip2", "anna"); w != 0 {
			t.Fatalf("waits %v", w)
		}
		a.Succeeded("anna", "ip2")
	}
}

func TestAttemptsBounded(t *testing.T) {
	a := &Attempts{Free: 3, First: time.Second, Max: time.Minute}
	now := time.Unix(1_800_000_000, 0)
	for i := range 3 * maxKeys {
		a.Begin(now, fmt.Sprint(i))
	}
	if len(a.keys) > maxKeys {
		t.Errorf("%d keys", len(a.keys))
	}
}
