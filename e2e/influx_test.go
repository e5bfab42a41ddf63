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
// Every value is in it afterwards, once, as it was offered; the pages read it.
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
	w.account().check(t)
	w.noAlarmTwice()
	var trend struct{ Buckets []struct{ Count int } }
	to := time.Now().UTC()
	w.api.get(fmt.Sprintf("trend?tag=HSM/FM/F3/GBX/VIB_H&from=%s&to=%s&buckets=10",
		to.Add(-time.Minute).Format(time.RFC3339), to.Format(time.RFC3339)), &trend)
	n := 0
	for _, b := range trend.Buckets {
		n += b.Count
	}
	if n == 0 {
		t.Error("the trend over InfluxDB is empty")
	}
}
