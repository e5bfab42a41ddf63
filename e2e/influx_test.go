package e2e

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"millwright/historian/store/influx/influxtest"
)

// TestInfluxKilled runs the plant over a real InfluxDB that is killed, stopped for
// a while and started again under load, beside a historian that is killed too.
// Every value is in it afterwards, once, as it was offered, and a trend over all that
// time counts them all. What the pages make of it is TestPageOverInflux.
func TestInfluxKilled(t *testing.T) {
	t.Parallel() // waits most of its time
	server := influxtest.Start(t, influxtest.Options{})
	w := newWorks(t)
	w.store = fmt.Sprintf("store = \"influx\"\n[historian.influx]\nurl = %q\n", server.URL)
	w.startAll("--speed", "10")
	time.Sleep(3 * time.Second)
	for range 2 {
		server.Kill(t)
		time.Sleep(time.Duration(1000+rand.IntN(3000)) * time.Millisecond)
		server.Restart(t)
		time.Sleep(time.Duration(1000+rand.IntN(2000)) * time.Millisecond)
		w.plant.kill()
		time.Sleep(time.Duration(rand.IntN(500)) * time.Millisecond)
		w.startPlant()
		w.waitLive(60 * time.Second)
	}
	to := time.Now().UTC().Truncate(time.Second)
	w.account().check(t) // all up to then is stored
	w.noAlarmTwice()
	const tag = "HSM/FM/F3/GBX/VIB_H"
	from := to.Add(-time.Hour)
	stored, counted := 0, 0
	for _, sample := range w.api.samples(tag) {
		if !sample.T.Before(from) && sample.T.Before(to) {
			stored++
		}
	}
	var trend struct{ Buckets []struct{ Count int } }
	w.api.get(fmt.Sprintf("trend?tag=%s&from=%s&to=%s&buckets=10", tag, from.Format(time.RFC3339), to.Format(time.RFC3339)), &trend)
	for _, b := range trend.Buckets {
		counted += b.Count
	}
	if stored == 0 || counted != stored {
		t.Errorf("the trend over InfluxDB counts %d of %d samples", counted, stored)
	}
}
