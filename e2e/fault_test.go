package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"millwright/e2e/port"
)

// TestServerDies kills the OPC UA server and brings it back on the same port.
func TestServerDies(t *testing.T) {
	w := newWorks(t)
	w.startAll()
	time.Sleep(2 * time.Second)
	for range 2 {
		w.mill.kill()
		eventually(t, 5*time.Second, "the state says that the PLC is away", func() bool {
			s := w.api.plcState()
			return s != "" && s != "Live"
		})
		time.Sleep(2 * time.Second)
		w.startMill()
		w.waitLive(5 * time.Second)
		time.Sleep(2 * time.Second)
	}
	w.account().check(t)
}

// TestHalfOpen makes the link to the PLC swallow everything without closing.
func TestHalfOpen(t *testing.T) {
	w := newWorks(t)
	p := newProxy(t, fmt.Sprintf("127.0.0.1:%d", w.opc))
	if _, err := fmt.Sscanf(p.addr(), "127.0.0.1:%d", &w.plcPort); err != nil {
		t.Fatal(err)
	}
	w.startAll()
	time.Sleep(2 * time.Second)
	p.hush(true)
	eventually(t, 5500*time.Millisecond, "the state says that nothing arrives", func() bool {
		s := w.api.plcState()
		return s != "" && s != "Live"
	})
	time.Sleep(3 * time.Second)
	p.hush(false)
	w.waitLive(5 * time.Second)
	time.Sleep(2 * time.Second)
	w.account().check(t)
}

// TestBrokerAway takes a real Mosquitto away for 30 s.
func TestBrokerAway(t *testing.T) {
	t.Parallel() // waits most of its time
	path, err := exec.LookPath("mosquitto")
	if err != nil {
		path = "/usr/sbin/mosquitto"
	}
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("mosquitto is not installed: make tools")
		}
		t.Skip("mosquitto is not installed: make tools")
	}
	w := newWorks(t)
	free := port.Free(t)
	w.broker = fmt.Sprintf("tcp://127.0.0.1:%d", free)
	conf := filepath.Join(w.dir, "mosquitto.conf")
	writeFile(t, conf, fmt.Sprintf("listener %d 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location %s/\nautosave_interval 1\nmax_queued_messages 0\nmax_inflight_messages 1000\n", free, w.dir))
	broker := start(t, "mosquitto", path, "-c", conf)
	w.startAll()
	time.Sleep(3 * time.Second)
	broker.kill()
	eventually(t, 5*time.Second, "the edge is shown as away", func() bool {
		e := w.api.edges()
		return len(e) == 1 && e[0].State != "live"
	})
	time.Sleep(30 * time.Second)
	start(t, "mosquitto again", path, "-c", conf)
	eventually(t, 30*time.Second, "the edge is live again", func() bool {
		e := w.api.edges()
		return len(e) == 1 && (e[0].State == "live" || e[0].State == "catching-up")
	})
	w.account().check(t)
	w.noAlarmTwice()
}
