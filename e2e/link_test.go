package e2e

import (
	"testing"
	"time"

	"millwright/sparkplug/dial"
)

// TestR09RoughLink has a third of the segments lost, 300 ms to the other side and
// back, and 256 kbit/s between edge and broker (R9). The loss is a proxy's, that
// holds back what TCP would send again; TestR09Namespace has the kernel's.
func TestR09RoughLink(t *testing.T) {
	n := times(t, 1)
	t.Parallel()
	l := newLine(t)
	l.startAll()
	for range n {
		l.edgeWire.roughen(rough{delay: 150 * time.Millisecond, rate: 256_000 / 8, loss: 0.3, stall: 200 * time.Millisecond})
		time.Sleep(15 * time.Second)
		l.edgeWire.roughen(rough{})
		time.Sleep(2 * time.Second)
	}
	l.well(n, 60*time.Second)
}

// TestR10Flapping lets the link to the broker come and go (R10).
func TestR10Flapping(t *testing.T) {
	suffer(t, 2, 60*time.Second, func(l *line, i int) {
		wire := l.edgeWire
		if i%2 == 1 {
			wire = l.plantWire
		}
		wire.close(true)
		time.Sleep(5 * time.Second)
		wire.close(false)
		time.Sleep(5 * time.Second)
	})
}

// TestR11HalfOpen lets a link swallow everything without closing (R11), long
// enough for either side to notice.
func TestR11HalfOpen(t *testing.T) {
	suffer(t, 1, 60*time.Second, func(l *line, i int) {
		wire, who := l.edgeWire, l.works.edge
		if i%2 == 1 {
			wire, who = l.plantWire, l.plant
		}
		before := who.lines("not connected")
		wire.hush(true)
		eventually(t, dial.Silence+10*time.Second, who.name+" notices that nothing comes", func() bool { return who.lines("not connected") > before })
		wire.hush(false)
		l.waitLive(60 * time.Second)
	})
}
