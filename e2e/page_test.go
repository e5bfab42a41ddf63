package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// patience is how long what must come may take on a machine that does other work, ms.
const patience = 60_000

// TestFaultOnThePage breaks the gearbox of the demo and looks at the page as an
// engineer would: it says which machine, and why; an acknowledgement in one
// browser shows in another; nothing is asked of another host; axe finds nothing.
func TestFaultOnThePage(t *testing.T) {
	t.Parallel() // waits most of its time
	b := newBrowser(t)
	up := start(t, "up", binary, "up", "--no-login", "--data", filepath.Join(t.TempDir(), "data"), "--http", "127.0.0.1:0",
		"--fault", "HSM/FM/F3/GBX:bearing-outer:1@22m+6m")
	base := up.find(`page\s+(http://127\.0\.0\.1:\d+)`, 60*time.Second)
	a := api{t, base}

	b.do("open", args{"page": "one", "url": base}, nil)
	b.do("open", args{"page": "two", "url": base + "/alarms"}, nil)
	b.wait("one", `document.body.innerText.includes("HSM/FM/F3/GBX")`, patience)
	b.shoot("one", "plant-learning")

	eventually(t, 150*time.Second, "the gearbox's model finds something", func() bool {
		for _, al := range a.alarms() {
			if al.Asset == "HSM/FM/F3/GBX" && al.Class == "advisory" && len(al.Finding.Contributions) > 0 {
				return true
			}
		}
		return false
	})
	var found alarmJSON
	for _, al := range a.alarms() {
		if al.Asset == "HSM/FM/F3/GBX" && al.Class == "advisory" {
			found = al
		}
	}
	t.Logf("found: %s, score %.2f, contributions %+v", found.Title, found.Finding.Score, found.Finding.Contributions)

	// The plant page ranks it first and says what is wrong.
	b.wait("one", `(() => { const first = document.querySelector(".asset-list > li"); return first && first.innerText.includes("HSM/FM/F3/GBX") && /unusual/i.test(first.innerText) })()`, patience)
	b.shoot("one", "plant-fault")
	// The asset page explains it by tags with shares.
	b.do("goto", args{"page": "one", "url": base + "/a/HSM/FM/F3/GBX"}, nil)
	b.wait("one", `document.querySelectorAll(".contributions tbody tr").length >= 1`, patience)
	b.wait("one", `document.querySelectorAll("[data-tag][data-quality=good]").length >= 10`, patience)
	b.shoot("one", "asset-fault")

	// Acknowledging in one browser shows in the other.
	b.do("goto", args{"page": "one", "url": base + "/alarms"}, nil)
	b.wait("two", `document.querySelector("main .ack button") !== null`, patience)
	b.click("one", "main .ack button")
	eventually(t, 30*time.Second, "an alarm is acknowledged", func() bool {
		for _, al := range a.alarms() {
			if al.State == "acked" || al.State == "cleared" {
				return true
			}
		}
		return false
	})
	b.wait("two", `/acknowledged/i.test(document.querySelector("main").innerText)`, patience)
	b.shoot("two", "alarms")

	b.do("close", args{"page": "one"}, nil)
	b.do("close", args{"page": "two"}, nil)
	b.harmless()
	// The app's own scripts look at every page, in both themes and both widths:
	// axe, texts, the keyboard. They wait for pages to come to rest, two side by side.
	var both sync.WaitGroup
	for _, scripts := range [][]string{{"render", "keyboard"}, {"axe", "texts"}} {
		both.Go(func() {
			for _, script := range scripts {
				cmd := exec.Command("node", "../hmi/web/e2e/"+script+".mjs")
				cmd.Env = append(os.Environ(), "BASE_URL="+base)
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("%s: %v\n%s", script, err, tail(string(out), 40))
				}
			}
		})
	}
	both.Wait()
	if d := up.stop(); d > 30*time.Second {
		t.Errorf("Ctrl-C took %v", d)
	}
}

// TestStalePage kills the OPC UA server, and separately the HMI's process: the
// page marks its values stale, within 3 s on an idle machine, and is live again by
// itself. How long it took is printed: what else the machine does is not judged.
func TestStalePage(t *testing.T) {
	b := newBrowser(t)
	w := newWorks(t)
	w.startAll("--speed", "20")
	const asset = "/a/HSM/FM/F3/GBX"
	const live = `document.querySelectorAll("[data-tag][data-quality=good]").length >= 10`
	const stale = `document.querySelectorAll("[data-tag][data-quality=good]").length === 0 && document.querySelectorAll("[data-tag]").length >= 10`
	b.do("open", args{"page": "p", "url": w.api.base + asset}, nil)
	b.wait("p", live, patience)

	w.mill.kill()
	begin := time.Now()
	b.wait("p", stale, patience)
	t.Logf("OPC UA server killed: stale after %v", time.Since(begin).Round(time.Millisecond))
	b.shoot("p", "stale-server")
	w.startMill("--speed", "20")
	begin = time.Now()
	b.wait("p", live, patience)
	t.Logf("OPC UA server back: live after %v", time.Since(begin).Round(time.Millisecond))

	w.plant.kill()
	begin = time.Now()
	b.wait("p", stale, patience)
	t.Logf("HMI killed: stale after %v", time.Since(begin).Round(time.Millisecond))
	b.shoot("p", "stale-hmi")
	w.startPlant()
	begin = time.Now()
	b.wait("p", live, patience)
	t.Logf("HMI back: live after %v", time.Since(begin).Round(time.Millisecond))
}
