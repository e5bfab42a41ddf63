package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// TestWaveforms: bursts of a foreign OPC UA server come into the plant's store bit
// for bit, while edge and plant are killed under them. None is lost without a gap.
func TestWaveforms(t *testing.T) {
	t.Parallel() // waits most of its time
	w := newWorks(t)
	tags, assets := filepath.Join(w.dir, "tags.csv"), filepath.Join(w.dir, "assets.toml")
	writeFile(t, tags, `path,node,kind,rate,unit,field
F3/GBX/ACC,nsu=urn:test:mill;s=Single,waveform,25600,m/s²,
F3/GBX/CURRENT,nsu=urn:test:mill;s=Whole,waveform,1000,A,
F3/GBX/SPEED,nsu=urn:test:mill;s=Motor,,,1/min,Speed
`)
	writeFile(t, assets, "[[asset]]\npath = \"F3/GBX\"\nname = \"Gearbox\"\n")
	w.watch(tags, assets)
	startForeign(t, "nodeopcua_structures.mjs", w.opc, object{"dir": w.dir, "log": filepath.Join(w.dir, "offered.log"), "stay": true, "burstEvery": 150})
	w.startPlant()
	w.startEdge()
	w.waitLive(30 * time.Second)
	for range 2 {
		time.Sleep(1500 * time.Millisecond)
		w.edge.kill()
		time.Sleep(500 * time.Millisecond)
		w.startEdge()
		w.waitLive(30 * time.Second)
		w.plant.kill()
		time.Sleep(1500 * time.Millisecond)
		w.startPlant()
		w.waitLive(30 * time.Second)
	}
	time.Sleep(time.Second)
	until := time.Now()
	time.Sleep(time.Second)
	due := burstLog(t, filepath.Join(w.dir, "bursts.log")) // megabytes: read once for all looks
	// What is sent again comes behind what is new.
	missing := func(i int, tag string) (n int) {
		stored, gaps := w.api.waveforms(tag), w.api.gaps(tag)
		if len(stored) == 0 {
			return -1
		}
		have := map[int64]bool{}
		for _, x := range stored {
			have[x.T.UnixMilli()] = true
		}
		for ms := range due[i] {
			if !have[ms] && ms >= stored[0].T.UnixMilli() && ms <= until.UnixMilli() && !inGap(gaps, ms) {
				n++
			}
		}
		return n
	}
	eventually(t, 60*time.Second, "the waveforms have caught up", func() bool {
		time.Sleep(200 * time.Millisecond)
		return missing(0, "F3/GBX/ACC") == 0 && missing(2, "F3/GBX/CURRENT") == 0
	})

	for i, tag := range map[int]string{0: "F3/GBX/ACC", 2: "F3/GBX/CURRENT"} {
		stored := w.api.waveforms(tag)
		log := burstLog(t, filepath.Join(w.dir, "bursts.log")) // written before the values are offered
		gaps := w.api.gaps(tag)
		if len(stored) < 20 {
			t.Errorf("%s: %d waveforms", tag, len(stored))
			continue
		}
		have := map[int64]bool{}
		for _, x := range stored {
			ms := x.T.UnixMilli()
			want, ok := log[i][ms]
			if have[ms] || x.Q != "Good" || !ok && ms > slices.Min(keys(log[i])) {
				t.Errorf("%s at %d: twice %t, offered %t, %s", tag, ms, have[ms], ok, x.Q)
			}
			if have[ms] = true; !ok {
				continue // what the variable held before the log began
			}
			var got struct {
				Rate   float64
				Values []float32
			}
			w.api.get(fmt.Sprintf("waveforms/%s?t=%s", tag, url.QueryEscape(x.T.Format(time.RFC3339Nano))), &got)
			if !slices.Equal(got.Values, want) || x.N != len(want) || got.Rate != x.Rate || got.Rate == 0 {
				t.Errorf("%s at %d: %d values at %v Hz differ from the %d offered", tag, ms, x.N, got.Rate, len(want))
			}
		}
		declared := 0
		for ms := range log[i] {
			switch {
			case have[ms] || ms < stored[0].T.UnixMilli() || ms > until.UnixMilli():
			case inGap(gaps, ms):
				declared++
			default:
				t.Errorf("%s at %d is lost without a gap: %v", tag, ms, gaps)
			}
		}
		t.Logf("%s: %d offered, %d stored equal, %d declared", tag, len(log[i]), len(stored), declared)
	}
	if n := len(w.api.samples("F3/GBX/SPEED")); n < 50 {
		t.Errorf("%d samples beside the waveforms", n)
	}
}

func keys(m map[int64][]float32) []int64 {
	var out []int64
	for k := range m {
		out = append(out, k)
	}
	return out
}

type waveformJSON struct {
	T    time.Time
	Rate float64
	N    int
	RMS  *float64
	Q    string
}

func (a api) waveforms(tag string) []waveformJSON {
	a.t.Helper()
	var page struct{ Waveforms []waveformJSON }
	a.get("waveforms?from=2000-01-01T00:00:00Z&to=2100-01-01T00:00:00Z&limit=1000&tag="+url.QueryEscape(tag), &page)
	return page.Waveforms
}

// burstLog reads the server's log: number of the array → source ms → values.
func burstLog(t *testing.T, name string) map[int]map[int64][]float32 {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all := map[int]map[int64][]float32{}
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 8<<20)
	for sc.Scan() {
		var row [3]json.RawMessage
		var i int
		var ms int64
		var values []float32
		if json.Unmarshal(sc.Bytes(), &row) != nil || json.Unmarshal(row[0], &i) != nil || json.Unmarshal(row[1], &ms) != nil || json.Unmarshal(row[2], &values) != nil {
			continue // the last line, half written
		}
		if all[i] == nil {
			all[i] = map[int64][]float32{}
		}
		all[i][ms] = values
	}
	return all
}
