package e2e

import (
	"fmt"
	"os"
	"time"
)

// well ends a fault test: within a time after the fault the works runs as before
// it, and nothing is lost without a gap, nothing surplus, nothing different, and no
// alarm told twice. n is how often the fault was played.
func (w *works) well(n int, within time.Duration) {
	w.t.Helper()
	begin := time.Now()
	eventually(w.t, within, "normal service is back", w.normal)
	back := time.Since(begin)
	c := w.account()
	all := time.Since(begin)
	c.check(w.t)
	w.noAlarmTwice()
	w.nothingLost()
	w.record(n, back, all, c)
}

// normal says that the PLC delivers, the edge is there and values are stored as they
// come.
func (w *works) normal() bool {
	e := w.api.edges()
	if len(e) != 1 || e[0].State != "live" && e[0].State != "catching-up" || len(e[0].PLCs) != 1 || e[0].PLCs[0].State != "Live" {
		return false
	}
	if w.press != nil {
		return true // offers when the test says so
	}
	var page struct{ Samples []sampleJSON }
	err := w.api.try("samples?limit=1&tag=HSM/FM/F3/GBX/SPEED&from="+time.Now().Add(-2*time.Second).UTC().Format(time.RFC3339Nano)+"&to=2100-01-01T00:00:00Z", &page)
	return err == nil && len(page.Samples) > 0
}

// record appends what a fault test counted to the file of make soak-delivery.
func (w *works) record(n int, back, all time.Duration, c account) {
	w.t.Helper()
	text := fmt.Sprintf("%s %d times, offered %d, declared %d, undeclared %d, surplus %d, differing %d, back in %.1f s, complete in %.1f s",
		w.t.Name(), n, c.offered, c.declared, c.undeclared, c.surplus, c.differing, back.Seconds(), all.Seconds())
	w.t.Log(text)
	file := os.Getenv("MILLWRIGHT_SOAK")
	if file == "" {
		return
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		w.t.Fatal(err)
	}
	defer f.Close()
	if _, err := fmt.Fprintf(f, "%s %s\n", time.Now().UTC().Format(time.RFC3339), text); err != nil {
		w.t.Fatal(err)
	}
}
