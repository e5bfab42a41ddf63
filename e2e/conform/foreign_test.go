package conform

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"millwright/edge/queue"
	"millwright/edge/uplink"
	"millwright/plant"
)

// eachBroker runs a test at both brokers.
func eachBroker(t *testing.T, f func(t *testing.T, url string)) {
	t.Run("embedded", func(t *testing.T) { t.Parallel(); f(t, startEmbedded(t)) })
	if _, ok := mosquitto(t); ok {
		t.Run("mosquitto", func(t *testing.T) { t.Parallel(); f(t, startMosquitto(t)) })
	}
}

// other is a program of other people that tells what happens, a line each.
type other struct {
	t  *testing.T
	in io.Writer

	mu    sync.Mutex // guards lines
	lines []string
}

// startPiped starts a program that is spoken to over its standard input and output.
func startPiped(t *testing.T, cmd *exec.Cmd) (io.WriteCloser, io.Reader) {
	t.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return in, out
}

func startOther(t *testing.T, cmd *exec.Cmd) *other {
	t.Helper()
	in, out := startPiped(t, cmd)
	o := &other{t: t, in: in}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			o.mu.Lock()
			o.lines = append(o.lines, lines.Text())
			o.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // most have ended by themselves
		<-done
		_ = cmd.Wait()
	})
	return o
}

func (o *other) all() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string(nil), o.lines...)
}

// tells waits until a line that begins so has come so often, and returns the last.
func (o *other) tells(begin string, times int) (line string) {
	o.t.Helper()
	await(o.t, fmt.Sprintf("%q, %d times", begin, times), func() bool {
		n := 0
		for _, s := range o.all() {
			if strings.HasPrefix(s, begin) {
				line, n = s, n+1
			}
		}
		return n >= times
	})
	return line
}

func (o *other) say(line string) {
	o.t.Helper()
	if _, err := fmt.Fprintln(o.in, line); err != nil {
		o.t.Fatal(err)
	}
}

// stored is the value that the historian has of a tag at a time in ms.
func (h *host) stored(path string, at int64) (plant.Sample, bool) {
	h.t.Helper()
	for _, tag := range h.store.Tags() {
		if tag.Path != path {
			continue
		}
		for block, err := range h.store.Scan(h.t.Context(), plant.Range{Tag: tag.ID, From: at * ms, To: at*ms + 1}) {
			if err != nil {
				h.t.Fatal(err)
			}
			for i, x := range block.Times {
				if x == at*ms {
					return plant.Sample{Tag: tag.ID, Time: x, Value: block.Values[i], Quality: block.Quality[i]}, true
				}
			}
		}
	}
	return plant.Sample{}, false
}

// has waits until the historian has the values of an edge that edge.js and edge.py
// send, at the node and at its device.
func (h *host) has(node string, at int64) {
	h.t.Helper()
	want := map[string]float64{"Int8": -7, "Int16": -700, "Int32": -70000, "Int64": -7000000000, "UInt8": 200, "UInt16": 60000,
		"UInt32": 4000000000, "UInt64": 9007199254740991, "Float": 21.25, "Double": 0.1, "Boolean": 1, "DateTime": 1700000000000}
	for _, device := range []string{"/", "/press/"} {
		for name, v := range want {
			path := group + "/" + node + device + name
			var got plant.Sample
			await(h.t, path, func() (ok bool) { got, ok = h.stored(path, at); return ok })
			if got.Value != v || got.Quality != plant.Good {
				h.t.Errorf("%s is %v %v, sent was %v", path, got.Value, got.Quality, v)
			}
		}
	}
}

// An edge of the npm library sparkplug-client at our host: births without aliases
// and commands without a primary host, all types that it knows, a value that is
// bad and one that is null, a rebirth on our request, the death of its device and
// its own.
func TestForeignEdge(t *testing.T) {
	eachBroker(t, func(t *testing.T, url string) {
		h := startHost(t, t.TempDir(), url, nil)
		by := newClient(t, url, "spBv1.0/#")
		await(t, "the host is online", func() bool { return len(by.all("STATE")) > 0 })
		at := now() / ms
		e := startOther(t, nodeJS(t, "edge.js", url, group, "npm", fmt.Sprint(at)))
		e.tells("born", 1)
		h.has("npm", at+1)
		path := group + "/npm/press/"
		await(t, "the bad value", func() bool { _, ok := h.stored(path+"Double", at+2); return ok })
		if x, _ := h.stored(path+"Double", at+2); x.Value != 5 || x.Quality != plant.Bad {
			t.Errorf("a value of Quality 0 is %v %v", x.Value, x.Quality)
		}
		await(t, "the null", func() bool { _, ok := h.stored(path+"Float", at+2); return ok })
		if x, _ := h.stored(path+"Float", at+2); !math.IsNaN(x.Value) || x.Quality.IsGood() {
			t.Errorf("a null is %v %v", x.Value, x.Quality)
		}
		for _, tag := range h.store.Tags() {
			if strings.HasPrefix(tag.Path, path) && tag.Unit != "mm" {
				t.Errorf("%s has unit %q", tag.Path, tag.Unit)
			}
		}
		by.say("spBv1.0/"+group+"/NCMD/npm", 0, false, rebirth())
		e.tells("rebirth", 1)
		e.tells("born", 2)
		if c := h.Counts(); c.Unreadable != 0 || c.Dropped != 0 {
			t.Errorf("%+v", c)
		}
		e.say("device")
		e.tells("device gone", 1)
		await(t, "the device's tags are stale", func() bool {
			dead, of := h.stale(path)
			all, _ := h.stale(group + "/npm/")
			return of == 13 && dead == 13 && all == 13
		})
		e.say("node")
		await(t, "the node is down", func() bool { return len(h.Edges()) == 1 && h.Edges()[0].State == "down" })
	})
}

// An edge of the PyPI library pysparkplug at our host.
func TestForeignEdgePython(t *testing.T) {
	eachBroker(t, func(t *testing.T, url string) {
		h := startHost(t, t.TempDir(), url, nil)
		by := newClient(t, url, "spBv1.0/#")
		await(t, "the host is online", func() bool { return len(by.all("STATE")) > 0 })
		address, number, err := net.SplitHostPort(strings.TrimPrefix(url, "tcp://"))
		if err != nil {
			t.Fatal(err)
		}
		e := startOther(t, python(t, "edge.py", address, number, group, "py"))
		var at int64
		if _, err := fmt.Sscanf(e.tells("born", 1), "born %d", &at); err != nil {
			t.Fatal(err)
		}
		h.has("py", at+1)
		if c := h.Counts(); c.Unreadable != 0 || c.Dropped != 0 {
			t.Errorf("%+v", c)
		}
		e.say("leave")
	})
}

// A host of other people's making reads our edge: it waits for its STATE, sends all
// values under aliases that its births explain, is born anew when asked to, and
// leaves when that host does.
func TestForeignHost(t *testing.T) {
	eachBroker(t, func(t *testing.T, url string) {
		by := newClient(t, url, "spBv1.0/#")
		e := startEdge(t, url, "e1", -1, tagsOf("e1"), func(u *uplink.Uplink) { u.PrimaryHost = "elsewhere" })
		e.alive("plc-3", false)
		h := startOther(t, nodeJS(t, "host.js", url, "elsewhere", group, "e1"))
		e.born(1)
		at := now()
		speed, load, mode := e.tags["plc"][0], e.tags["plc"][1], e.tags["plc"][3]
		e.put(queue.Draft{Lane: queue.Telemetry, Device: "plc", Batch: plant.Batch{
			Samples: []plant.Sample{{Tag: speed.ID, Time: at, Value: 12.5}, {Tag: load.ID, Time: at + ms, Value: math.NaN(), Quality: plant.BadSensorFailure}},
			States:  []plant.State{{Tag: mode.ID, Time: at + 2*ms, Value: "Wickeln, heiß"}}}})
		line := func(name, value string, at int64, quality string) string { // whether it is historical stands behind
			return fmt.Sprintf(`{"name":%q,"value":%s,"time":%d,"quality":%s,`, name, value, at/ms, quality)
		}
		h.tells(line(speed.Path, `"12.5"`, at, "null"), 1)
		h.tells(line(load.Path, "null", at+ms, "0"), 1)
		h.tells(line(mode.Path, `"Wickeln, heiß"`, at+2*ms, "null"), 1)
		h.say("rebirth")
		h.tells(`{"kind":"NBIRTH"`, 2)
		h.tells(`{"kind":"DBIRTH"`, 8)
		seq := -1
		for _, s := range h.all() {
			var x struct {
				Kind, Error string
				Seq         *int
			}
			if err := json.Unmarshal([]byte(s), &x); err != nil || x.Error != "" {
				t.Errorf("%s %v", s, err)
			}
			switch {
			case x.Kind == "":
			case x.Seq == nil || *x.Seq != (seq+1)%256 && x.Kind != "NBIRTH":
				t.Errorf("%s behind seq %d", s, seq)
			default:
				seq = *x.Seq
			}
		}
		h.say("leave")
		await(t, "the edge leaves", func() bool { return len(by.all("NDEATH")) > 0 })
	})
}
