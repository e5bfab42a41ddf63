package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"millwright/e2e/port"
)

// TestFigureFirstValue prints how long it takes from the start of the binary to
// the first live value on the page.
func TestFigureFirstValue(t *testing.T) {
	figures(t)
	b := newBrowser(t)
	b.do("open", args{"page": "p", "url": "about:blank"}, nil)
	listen := port.Address(t)
	base := "http://" + listen
	begin := time.Now()
	start(t, "up", binary, "up", "--no-login", "--data", filepath.Join(t.TempDir(), "data"), "--http", listen)
	for {
		if err := b.try("goto", args{"page": "p", "url": base + "/a/HSM/FM/F3/GBX"}, nil); err == nil {
			break
		}
		if time.Since(begin) > 30*time.Second {
			t.Fatal("the page does not come")
		}
		time.Sleep(20 * time.Millisecond)
	}
	b.wait("p", `document.querySelector("[data-tag][data-quality=good]") !== null`, 20000)
	figure("first_value_s", time.Since(begin).Seconds(), "s")
}

// TestFigurePixel prints the time from the OPC UA server's write of a value to
// the animation frame after its change in the page, at 100 ms publishing. The
// value is a counter, so each frame says which write it shows.
func TestFigurePixel(t *testing.T) {
	figures(t)
	const rows = 600
	var csv strings.Builder
	csv.WriteString("time,N\n")
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range rows {
		fmt.Fprintf(&csv, "%s,%d\n", at.Add(time.Duration(i)*100*time.Millisecond).Format("2006-01-02 15:04:05.000"), 1000+i)
	}
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "counter.csv"), csv.String())
	samples := filepath.Join(dir, "samples.log")
	b := newBrowser(t)
	p := start(t, "up", binary, "up", "--no-login", "--data", filepath.Join(dir, "data"), "--http", "127.0.0.1:0",
		"--replay", filepath.Join(dir, "counter.csv"), "--samples", samples)
	base := p.find(`page\s+(http://127\.0\.0\.1:\d+)`, 20*time.Second)
	b.do("open", args{"page": "p", "url": base + "/a/REPLAY"}, nil)
	b.wait("p", `document.querySelector("[data-tag='REPLAY/N'][data-quality=good]") !== null`, 15000)
	b.do("eval", args{"page": "p", "js": `(() => {
		globalThis.seen = [];
		let last = "";
		const frame = () => {
			const text = document.querySelector("[data-tag='REPLAY/N']").textContent.replace(/[^0-9.]/g, "");
			if (text !== last) { last = text; globalThis.seen.push([Math.round(Number(text)), Date.now()]); }
			requestAnimationFrame(frame);
		};
		requestAnimationFrame(frame);
	})()`}, nil)
	p.find(`(replay is over)`, 90*time.Second)
	time.Sleep(time.Second)
	var seen [][2]float64
	b.do("eval", args{"page": "p", "js": "globalThis.seen"}, &seen)
	written := map[int]int64{}
	for ms, c := range offered(t, samples)["REPLAY/N"] {
		written[int(c.v)] = ms
	}
	var late []float64
	for _, s := range seen[min(5, len(seen)):] {
		if ms, ok := written[int(s[0])]; ok {
			late = append(late, s[1]-float64(ms))
		}
	}
	if len(late) < 50 {
		t.Fatalf("only %d of %d changes were seen: %v", len(late), rows, seen[:min(5, len(seen))])
	}
	slices.Sort(late)
	figure("pixel_p50_ms", late[len(late)/2], "ms")
	figure("pixel_p95_ms", late[len(late)*95/100], "ms")
	t.Logf("%d of %d writes were seen as frames", len(late), rows)
}

// TestFigurePress prints how long a press of a button takes on the busiest page, as
// it is and on a processor that is slowed down to a tenth, a poor phone's.
func TestFigurePress(t *testing.T) {
	figures(t)
	b := newBrowser(t)
	p := start(t, "up", binary, "up", "--no-login", "--data", filepath.Join(t.TempDir(), "data"), "--http", "127.0.0.1:0", "--speed", "10")
	base := p.find(`page\s+(http://127\.0\.0\.1:\d+)`, 20*time.Second)
	b.do("open", args{"page": "p", "url": base + "/a/HSM/FM/F3/GBX"}, nil)
	b.wait("p", `document.querySelectorAll("[data-tag][data-quality=good]").length >= 10`, patience)
	for _, slower := range []int{1, 10} {
		b.do("slow", args{"page": "p", "rate": slower}, nil)
		time.Sleep(5 * time.Second)
		var took []float64
		for i := range 20 {
			begin := time.Now()
			b.click("p", fmt.Sprintf(`[data-trend="HSM/FM/F3/GBX/VIB_H"] button[aria-pressed=%t]`, i%2 == 1))
			took = append(took, float64(time.Since(begin).Milliseconds()))
		}
		slices.Sort(took)
		figure(fmt.Sprintf("press_%dx_p50_ms", slower), took[len(took)/2], "ms")
		figure(fmt.Sprintf("press_%dx_p95_ms", slower), took[len(took)*95/100], "ms")
	}
}

// TestFigureScript prints the size of the initial JavaScript, gzip.
func TestFigureScript(t *testing.T) {
	figures(t)
	index, err := os.ReadFile("../hmi/web/dist/index.html")
	if err != nil {
		t.Fatal(err)
	}
	var size int64
	for _, part := range strings.Split(string(index), `"`) {
		if !strings.HasSuffix(part, ".js") {
			continue
		}
		st, err := os.Stat(filepath.Join("../hmi/web/dist", part+".gz"))
		if err != nil {
			t.Fatal(err)
		}
		size += st.Size()
	}
	if size == 0 {
		t.Fatal("index.html names no script")
	}
	figure("js_gzip_kb", float64(size)/1000, "kB")
}
