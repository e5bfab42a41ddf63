package e2e

import (
	"cmp"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"millwright/e2e/port"
)

// works is a mill, an edge and a plant as three processes.
type works struct {
	t       *testing.T
	dir     string
	samples []string // logs of the mill, one for each start
	press   *press   // what offers values instead of the mill; nil: the mill
	opc     int      // ports
	mqtt    int
	http    int
	plcPort int // port that the edge dials: the mill's, or a proxy's
	broker  string
	host    string // the broker as the historian dials it, where it is not broker
	tags    string // tag list and asset file of the edge: those of the demo where empty
	assets  string
	extra   string // more of the plant's configuration
	store   string // keys of its historian
	mill    *process

	plcKeys  string // more keys of the PLC
	edgeKeys string // more keys of the edge
	edge     *process
	plant    *process
	api      api
}

// newWorks writes the two configuration files of a small works; nothing runs yet.
func newWorks(t *testing.T) *works {
	t.Helper()
	w := &works{t: t, dir: t.TempDir(), opc: port.Free(t), mqtt: port.Free(t), http: port.Free(t)}
	w.plcPort = w.opc
	w.api = api{t, fmt.Sprintf("http://127.0.0.1:%d", w.http)}
	w.broker = fmt.Sprintf("tcp://127.0.0.1:%d", w.mqtt)
	return w
}

func (w *works) configure() {
	w.t.Helper()
	if w.tags == "" {
		demo, err := filepath.Abs("../firmware-configs/demo")
		if err != nil {
			w.t.Fatal(err)
		}
		w.tags, w.assets = filepath.Join(demo, "tags.csv"), filepath.Join(demo, "assets.toml")
	}
	assets := ""
	if w.assets != "" {
		assets = fmt.Sprintf("assets = %q", w.assets)
	}
	writeFile(w.t, filepath.Join(w.dir, "edge.toml"), fmt.Sprintf(`
[[plc]]
name = "mill"
url = "opc.tcp://127.0.0.1:%d"
tags = %q
publishing = "100ms"
%s
[edge]
name = "hsm"
group = "Works"
broker = %q
primary_host = "historian"
data = "edge"
%s
%s`, w.plcPort, w.tags, w.plcKeys, w.broker, assets, w.edgeKeys))
	own := ""
	if w.broker == fmt.Sprintf("tcp://127.0.0.1:%d", w.mqtt) {
		own = fmt.Sprintf("[broker]\nlisten = \"127.0.0.1:%d\"\ndata = \"broker\"\n", w.mqtt)
	}
	writeFile(w.t, filepath.Join(w.dir, "plant.toml"), fmt.Sprintf(`%s
[historian]
data = "historian"
broker = %q
host_id = "historian"
%s
[hmi]
listen = "127.0.0.1:%d"
data = "hmi"
no_login = true
%s`, own, cmp.Or(w.host, w.broker), w.store, w.http, w.extra))
}

// watch lets the edge read other tags than the demo's.
func (w *works) watch(tags, assets string) {
	w.t.Helper()
	w.tags, w.assets = tags, assets
	w.configure()
}

func (w *works) startMill(args ...string) {
	w.t.Helper()
	log := filepath.Join(w.dir, fmt.Sprintf("samples-%d.log", len(w.samples)))
	w.samples = append(w.samples, log)
	w.mill = start(w.t, "mill", binary, append([]string{"sim", "--listen", fmt.Sprintf("opc.tcp://127.0.0.1:%d", w.opc),
		"--samples", log, "--seed", "7"}, args...)...)
}

func (w *works) startEdge() {
	w.t.Helper()
	w.edge = start(w.t, "edge", binary, "run", "-c", filepath.Join(w.dir, "edge.toml"))
}

func (w *works) startPlant() {
	w.t.Helper()
	w.plant = start(w.t, "plant", binary, "run", "-c", filepath.Join(w.dir, "plant.toml"))
}

// startAll brings everything up and waits until values flow.
func (w *works) startAll(millArgs ...string) {
	w.t.Helper()
	w.configure()
	w.startMill(millArgs...)
	w.startPlant()
	w.startEdge()
	w.waitLive(30 * time.Second)
}

func (w *works) waitLive(within time.Duration) {
	w.t.Helper()
	eventually(w.t, within, "the PLC is Live", func() bool { return w.api.plcState() == "Live" })
}

func (w *works) drained(within time.Duration) {
	w.t.Helper()
	quiet := 0
	eventually(w.t, within, "the edge's queue is empty", func() bool {
		e := w.api.edges()
		if len(e) == 1 && e[0].QueueBytes < 20_000 {
			quiet++
		} else {
			quiet = 0
		}
		time.Sleep(100 * time.Millisecond)
		return quiet > 15
	})
}

// account counts what was offered up to now, once the line has caught up. The
// mill goes on: a mill that stops takes its last queues with it.
func (w *works) account() account {
	w.t.Helper()
	w.waitLive(60 * time.Second)
	until := time.Now()
	if w.press != nil {
		until = until.Add(w.press.ahead)
	}
	// The edge's own word on its queue may be half a minute old. What is on its way, or
	// was missed while the plant started and comes again, is there at some time.
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(time.Second) {
		a := count(w.t, w.api, w.offered(), until)
		if a.undeclared+a.surplus == 0 || time.Now().After(end) {
			return a
		}
	}
}

// offered is what the PLC has offered so far.
func (w *works) offered() map[string]map[int64]cell {
	if w.press != nil {
		return w.press.offered()
	}
	return offered(w.t, w.samples...)
}

// noAlarmTwice fails when two alarms tell of the same condition at the same time.
func (w *works) noAlarmTwice() {
	w.t.Helper()
	seen := map[string]int64{}
	for _, a := range w.api.alarms() {
		key := a.Asset + "|" + a.Title + "|" + a.Raised.String()
		if id, ok := seen[key]; ok {
			w.t.Errorf("alarms %d and %d are the same: %s", id, a.ID, key)
		}
		seen[key] = a.ID
	}
	w.t.Logf("%d alarms, none twice", len(seen))
}
