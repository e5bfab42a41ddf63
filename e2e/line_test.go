package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// line is a works whose broker is a process of its own, with a proxy on either
// side of it:
//
//	mill ── edge ── wire ── broker ── wire ── plant
type line struct {
	*works
	post      *process // the broker
	edgeWire  *proxy   // between edge and broker
	plantWire *proxy   // between broker and plant
}

// newLine writes the configuration files; nothing runs yet.
func newLine(t *testing.T) *line {
	t.Helper()
	w := newWorks(t)
	broker := fmt.Sprintf("127.0.0.1:%d", w.mqtt)
	l := &line{works: w, edgeWire: newProxy(t, broker), plantWire: newProxy(t, broker)}
	w.broker, w.host = "tcp://"+l.edgeWire.addr(), "tcp://"+l.plantWire.addr()
	writeFile(t, filepath.Join(w.dir, "broker.toml"), fmt.Sprintf("[broker]\nlisten = %q\ndata = \"broker\"\n", broker))
	return l
}

func (l *line) startBroker() {
	l.t.Helper()
	l.post = start(l.t, "broker", binary, "run", "-c", filepath.Join(l.dir, "broker.toml"))
}

// startAll brings everything up and waits until values flow.
func (l *line) startAll(millArgs ...string) {
	l.t.Helper()
	l.configure()
	l.startBroker()
	l.startMill(millArgs...)
	l.startPlant()
	l.startEdge()
	l.waitLive(30 * time.Second)
}

// busy is a mill that makes some hundred values a second and an alarm.
func (l *line) busy() {
	l.t.Helper()
	l.startAll("--fault", "HSM/FM/F3/GBX:lubrication:1@5s+60s", "--speed", "10")
}

// suffer lets a busy line suffer a fault, few times in make test, and then be well
// within that time. Hurt plays it once and waits until the worst is over.
func suffer(t *testing.T, few int, within time.Duration, hurt func(l *line, i int)) {
	t.Helper()
	n := times(t, few)
	t.Parallel()
	l := newLine(t)
	l.busy()
	for i := range n {
		hurt(l, i)
	}
	l.well(n, within)
}

// times is how often a fault is played: a few times in make test, not at all where
// few is 0, and as often as MILLWRIGHT_FAULTS says in make soak-delivery.
func times(t *testing.T, few int) int {
	t.Helper()
	n := few
	if s := os.Getenv("MILLWRIGHT_FAULTS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	if n == 0 {
		t.Skip("MILLWRIGHT_FAULTS is not set: make soak-delivery plays this fault")
	}
	return n
}
