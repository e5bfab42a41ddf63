package e2e

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"millwright/plant"
	"millwright/simulator/server"
)

// figures skips unless `make bench-line` asks: figures are printed, not asserted.
func figures(t *testing.T) {
	t.Helper()
	if os.Getenv("MILLWRIGHT_FIGURES") == "" {
		t.Skip("figures are printed by make bench-line")
	}
}

func figure(name string, value float64, unit string) {
	fmt.Printf("FIGURE line.%s %s %s\n", name, strconv.FormatFloat(value, 'g', 4, 64), unit)
}

// TestFigureEdge runs an edge alone against 10,000 tags at 1 Hz in 1,250 assets
// with models on, and prints what it costs and loses.
func TestFigureEdge(t *testing.T) {
	figures(t)
	const assets, perAsset = 1250, 8
	w := newWorks(t)
	w.configure()

	var tags, machines strings.Builder
	tags.WriteString("path,node,unit,low,high,resolution\n")
	vars := make([]server.Variable, 0, assets*perAsset)
	for a := range assets {
		fmt.Fprintf(&machines, "[[asset]]\npath = \"P/A%04d\"\nname = \"Asset %d\"\nclass = \"pump\"\n[asset.model]\nlearn = \"40s\"\n", a, a)
		for k := range perAsset {
			path := fmt.Sprintf("P/A%04d/T%d", a, k)
			vars = append(vars, server.Variable{Path: path, Unit: "bar"})
			fmt.Fprintf(&tags, "%s,nsu=%s;s=%s,bar,-10,10,0.0001\n", path, server.Namespace, path)
		}
	}
	writeFile(t, filepath.Join(w.dir, "tags.csv"), tags.String())
	writeFile(t, filepath.Join(w.dir, "assets.toml"), machines.String())
	writeFile(t, filepath.Join(w.dir, "edge.toml"), fmt.Sprintf(`
[[plc]]
name = "mill"
url = "opc.tcp://127.0.0.1:%d"
tags = "tags.csv"
publishing = "100ms"
[edge]
name = "hsm"
group = "Works"
broker = %q
primary_host = "historian"
data = "edge"
assets = "assets.toml"
`, w.opc, w.broker))

	var mu sync.Mutex
	log := map[string]map[int64]cell{}
	srv := &server.Server{Listen: fmt.Sprintf("127.0.0.1:%d", w.opc), Variables: vars}
	srv.Offered = func(vals []server.Value) {
		mu.Lock()
		defer mu.Unlock()
		for _, v := range vals {
			tag := log[vars[v.Var].Path]
			if tag == nil {
				tag = map[int64]cell{}
				log[vars[v.Var].Path] = tag
			}
			tag[v.Time/int64(time.Millisecond)] = cell{v.Number, v.Quality}
		}
	}
	if err := srv.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	stop := make(chan struct{})
	var feeding sync.WaitGroup
	feeding.Add(1)
	go func() {
		defer feeding.Done()
		feed(srv, len(vars), stop)
	}()

	w.startPlant()
	w.startEdge()
	eventually(t, 60*time.Second, "the PLC is Live with all tags", func() bool {
		e := w.api.edges()
		return len(e) == 1 && len(e[0].PLCs) == 1 && e[0].PLCs[0].State == "Live" && e[0].PLCs[0].Tags == len(vars)
	})
	// Through learning (40 s), so that the models run in the window.
	time.Sleep(60 * time.Second)
	pid := w.edge.cmd.Process.Pid
	before := cpuSeconds(t, pid)
	begin := time.Now()
	time.Sleep(30 * time.Second)
	cpu := cpuSeconds(t, pid) - before
	figure("edge_core_pct", 100*cpu/time.Since(begin).Seconds(), "%")
	figure("edge_rss_mb", peakMB(t, pid), "MB")
	close(stop)
	feeding.Wait()
	w.drained(60 * time.Second)
	mu.Lock()
	defer mu.Unlock()
	c := count(t, w.api, log, time.Now())
	c.check(t)
	figure("edge_lost", float64(c.undeclared), "samples")
}

// TestFigureSize runs the simulated mill into the store until every tag has
// chunks, and prints what a sample takes there.
func TestFigureSize(t *testing.T) {
	figures(t)
	up := start(t, "up", binary, "up", "--no-login", "--data", filepath.Join(t.TempDir(), "data"), "--http", "127.0.0.1:0")
	base := up.find(`page\s+(http://127\.0\.0\.1:\d+)`, 20*time.Second)
	read := api{t, base}.metric
	eventually(t, 5*time.Minute, "chunks of 100,000 samples are cut", func() bool {
		time.Sleep(time.Second)
		return read("store_chunk_samples_total") >= 100_000
	})
	figure("store_bytes_per_sample", read("store_chunk_bytes_total")/read("store_chunk_samples_total"), "B")
}

// feed writes every variable once a second, spread over ten writes.
func feed(srv *server.Server, n int, stop <-chan struct{}) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	vals := make([]server.Value, 0, n/10)
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		case now := <-tick.C:
			vals = vals[:0]
			at := plant.Millis(now.UnixNano())
			for v := i % 10; v < n; v += 10 {
				x := math.Sin(float64(i)/70+float64(v/8)) + 0.1*math.Sin(float64(i*(v%8+1)))
				vals = append(vals, server.Value{Var: v, Time: at, Number: math.Round(x*1e4) / 1e4})
			}
			srv.Write(vals)
		}
	}
}

// cpuSeconds is user and system time of a process.
func cpuSeconds(t *testing.T, pid int) float64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+2:]))
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return (user + system) / 100
}

// peakMB is the peak resident set of a process.
func peakMB(t *testing.T, pid int) float64 {
	t.Helper()
	mb := memoryMB(pid, "VmHWM:")
	if mb == 0 {
		t.Fatal("no VmHWM")
	}
	return mb
}

// memoryMB is a line of a process's status, 0 where there is none.
func memoryMB(pid int, what string) float64 {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, what); ok {
			kb, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kb / 1024
		}
	}
	return 0
}
