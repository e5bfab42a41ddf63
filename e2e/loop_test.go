package e2e

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// rig writes a recording of a machine with six tags, one row a plant second.
// From row broken on a bearing fails: one tag leaves what the others let expect.
func rig(t *testing.T, name string, rows, broken int, seed uint64) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 1))
	var b strings.Builder
	b.WriteString("time,RIG/SPEED,RIG/LOAD,RIG/CURRENT,RIG/TEMP,RIG/VIB,RIG/FLOW\n")
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	temp, phase := 66.6, 0.0 // warm: a cold start is a difference, too
	for row := range rows {
		phase += 0.05 + 0.01*rng.NormFloat64()
		speed := 900 + 60*math.Sin(phase/3) + 3*rng.NormFloat64()
		load := 55 + 12*math.Sin(phase) + rng.NormFloat64()
		current := 0.05*speed + 1.4*load + 0.6*rng.NormFloat64()
		temp += 0.02*(30+0.3*current-temp) + 0.05*rng.NormFloat64()
		vib := 1.2 + 0.0012*speed + 0.01*load + 0.08*rng.NormFloat64()
		if row >= broken {
			vib += min(2, 0.02*float64(row-broken))
		}
		flow := 0.2*speed + 1.5*rng.NormFloat64()
		fmt.Fprintf(&b, "%s,%.1f,%.2f,%.2f,%.2f,%.3f,%.1f\n", start.Add(time.Duration(row)*time.Second).Format(time.RFC3339),
			speed, load, current, temp, vib, flow)
	}
	writeFile(t, name, b.String())
}

const (
	rigTags = `path,node,unit,low,high,resolution
REPLAY/RIG/SPEED,nsu=urn:millwright:mill;s=REPLAY/RIG/SPEED,r/min,0,1500,0.1
REPLAY/RIG/LOAD,nsu=urn:millwright:mill;s=REPLAY/RIG/LOAD,%,0,120,0.01
REPLAY/RIG/CURRENT,nsu=urn:millwright:mill;s=REPLAY/RIG/CURRENT,A,0,300,0.01
REPLAY/RIG/TEMP,nsu=urn:millwright:mill;s=REPLAY/RIG/TEMP,°C,0,150,0.01
REPLAY/RIG/VIB,nsu=urn:millwright:mill;s=REPLAY/RIG/VIB,mm/s,0,20,0.001
REPLAY/RIG/FLOW,nsu=urn:millwright:mill;s=REPLAY/RIG/FLOW,l/min,0,400,0.1
`
	// What the edge learns by itself takes longer than this test: what judges is
	// the trained model, or nothing.
	rigAssets = `[[asset]]
path = "REPLAY/RIG"
name = "Test rig"
class = "pump"
[asset.model]
learn = "60d"
`
)

// rolloutJSON is the page of models, as far as the test looks.
type rolloutJSON struct {
	Assets []struct {
		Asset  string
		Wanted string
		Shadow *string
		Status *struct {
			Running  string
			Shadow   *string
			Fallback *string
			Refused  *string
		}
	}
	Bundles []struct{ ID string }
}

// TestLoop closes the circle of a model's life with real processes and no network
// but a loopback of their own: the historian's data is exported, a model is trained on it,
// signed and pushed, runs in the shadow, is promoted, finds a fault that nobody
// has shown it; the crew answers, and the next training leaves the fault out.
func TestLoop(t *testing.T) {
	t.Parallel() // waits most of its time
	if aside(t) {
		return
	}
	w := newWorks(t)
	tags, assets := filepath.Join(w.dir, "rig.csv"), filepath.Join(w.dir, "rig.toml")
	writeFile(t, tags, rigTags)
	writeFile(t, assets, rigAssets)
	healthy, faulty := filepath.Join(w.dir, "healthy.csv"), filepath.Join(w.dir, "faulty.csv")
	rig(t, healthy, 60_000, math.MaxInt, 1)
	rig(t, faulty, 30_000, 1500, 2)

	w.watch(tags, assets)
	w.edgeKeys = "speed = 100\n" + w.repository()
	w.configure()
	w.startPlant()
	w.startMill("--replay", healthy, "--speed", "100")
	w.startEdge()
	w.waitLive(30 * time.Second)
	begin := time.Now().Add(time.Second)
	period := []string{"--from", begin.UTC().Format(time.RFC3339Nano)}
	export := filepath.Join(w.dir, "rig.parquet")

	train := func(out string, more ...string) (bundle, report string, err error) {
		t.Helper()
		_, err = w.try(append([]string{"train", "--asset", "REPLAY/RIG", "--speed", "100", "--epochs", "12", "--nets", "1", "--who", "eva", "-o", out}, more...)...)
		if err != nil {
			return "", "", err
		}
		files, err := filepath.Glob(filepath.Join(out, "*.mwb"))
		if err != nil || len(files) != 1 {
			t.Fatalf("bundles in %s: %v %v", out, files, err)
		}
		reports, err := filepath.Glob(filepath.Join(out, "*", "report.md"))
		if err != nil || len(reports) != 1 {
			t.Fatalf("reports in %s: %v %v", out, reports, err)
		}
		b, err := os.ReadFile(reports[0])
		if err != nil {
			t.Fatal(err)
		}
		return files[0], string(b), nil
	}
	// A row of a plant second each, a hundred a second. A busy machine loses some, and
	// with each a window: a training that has too little is given more.
	var first, report string
	for rows, end := 9000, time.Now().Add(4*time.Minute); ; rows += 3000 {
		eventually(t, time.Until(end), fmt.Sprintf("the historian holds %d rows", rows), func() bool {
			time.Sleep(time.Second)
			return w.api.count("REPLAY/RIG/SPEED", begin) >= rows
		})
		w.run(append([]string{"export", "--asset", "REPLAY/RIG", "--url", w.api.base, "-o", export}, period...)...)
		var err error
		first, report, err = train(filepath.Join(w.dir, "first"), "--in", export)
		if err == nil {
			break
		}
		if !strings.Contains(err.Error(), "too little healthy data") {
			t.Fatal(err)
		}
		t.Logf("%d rows are not enough: %v", rows, err)
		if err := os.Remove(export); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("first training:\n%s", tail(report, 40))
	if n := leftOut(t, report, "confirmed fault"); n != 0 {
		t.Errorf("the first training leaves out %d rows for faults that nobody has confirmed", n)
	}
	w.run("models", "verify", first)
	w.push(first)
	id := strings.TrimSuffix(filepath.Base(first), ".mwb")

	var r rolloutJSON
	w.api.send("POST", "models/shadow", object{"id": id, "assets": []string{"REPLAY/RIG"}, "reason": "look"}, &r)
	status := func(want func(running, shadow string) bool) func() bool {
		return func() bool {
			w.api.get("models", &r)
			for _, a := range r.Assets {
				if a.Asset == "REPLAY/RIG" && a.Status != nil {
					if a.Status.Fallback != nil || a.Status.Refused != nil {
						t.Fatalf("the edge has dropped or refused it: %+v", *a.Status)
					}
					shadow := ""
					if a.Status.Shadow != nil {
						shadow = *a.Status.Shadow
					}
					return want(a.Status.Running, shadow)
				}
			}
			return false
		}
	}
	eventually(t, 60*time.Second, "it runs in the shadow", status(func(running, shadow string) bool { return running == "learned" && shadow == id }))
	eventually(t, 30*time.Second, "the shadow's scores are stored", func() bool { return len(w.api.samples("REPLAY/RIG/$SHADOW")) > 5 })
	w.api.send("POST", "models/promote", object{"id": id, "assets": []string{"REPLAY/RIG"}, "reason": "quiet in the shadow"}, &r)
	eventually(t, 60*time.Second, "it judges", status(func(running, shadow string) bool { return running == id && shadow == "" }))
	promoted := time.Now()
	eventually(t, 30*time.Second, "its scores are stored", func() bool {
		s := w.api.samples("REPLAY/RIG/$SCORE")
		return len(s) > 0 && s[len(s)-1].T.After(promoted)
	})
	for _, a := range w.api.alarms() {
		if a.Asset == "REPLAY/RIG" && a.Class == "advisory" {
			t.Errorf("an alarm of a healthy machine: %s", a.Title)
		}
	}

	// A restart runs the same model again.
	w.edge.kill()
	restarted := time.Now()
	w.startEdge()
	eventually(t, 60*time.Second, "the restarted edge judges by it", func() bool {
		s := w.api.samples("REPLAY/RIG/$SCORE")
		return len(s) > 0 && s[len(s)-1].T.After(restarted.Add(time.Second)) && status(func(running, _ string) bool { return running == id })()
	})

	// The machine breaks as nobody has shown the model.
	w.mill.kill()
	w.startMill("--replay", faulty, "--speed", "100")
	var found alarmJSON
	eventually(t, 90*time.Second, "the trained model finds the fault", func() bool {
		for _, a := range w.api.alarms() {
			if a.Asset == "REPLAY/RIG" && a.Class == "advisory" {
				found = a
				return true
			}
		}
		return false
	})
	if found.Finding.Detector != "autoencoder" {
		t.Errorf("found by %q, want autoencoder", found.Finding.Detector)
	}
	if c := found.Finding.Contributions; len(c) == 0 || c[0].Tag != "REPLAY/RIG/VIB" {
		t.Errorf("the finding blames %+v, want the vibration first", c)
	}
	var label struct{ Verdict, Who string }
	w.api.send("POST", fmt.Sprintf("alarms/%d/label", found.ID), object{"verdict": "confirmed", "code": "VIB", "note": "bearing pitted"}, &label)
	if label.Verdict != "confirmed" || label.Who == "" {
		t.Errorf("label: %+v", label)
	}
	// The answer is part of what an export holds, and the next training obeys it, once
	// the fault lies before the last twentieth, which is for the backtest.
	const backtest = 0.05
	time.Sleep(time.Until(begin.Add(time.Duration(float64(found.Raised.Sub(begin)) / (1 - 2*backtest)))))
	_, report, err := train(filepath.Join(w.dir, "second"), append(period, "--url", w.api.base, "--backtest", fmt.Sprint(backtest),
		"--before", "10m", "--after", "5m")...)
	if err != nil {
		t.Fatal(err)
	}
	if n := leftOut(t, report, "confirmed fault"); n == 0 {
		t.Errorf("the second training leaves no row out for the confirmed fault:\n%s", report)
	}
	w.api.send("POST", "models/rollback", object{"assets": []string{"REPLAY/RIG"}, "reason": "the loop is closed"}, &r)
	eventually(t, 60*time.Second, "the edge is back at what it has learned", status(func(running, _ string) bool { return running == "learned" }))
}

// asideEnv is set for a test that runs in a network namespace of its own.
const asideEnv = "MILLWRIGHT_E2E_ASIDE"

// aside runs the calling test anew in a network namespace that has nothing but its own
// loopback, all its processes and clients in it, and reports whether that has been
// done. Where it is not permitted, the log says so and the test goes on as it is.
func aside(t *testing.T) bool {
	t.Helper()
	if os.Getenv(asideEnv) != "" {
		list, err := net.Interfaces()
		if err != nil || len(list) != 1 || list[0].Flags&net.FlagLoopback == 0 {
			t.Fatalf("not cut off from every network: %v %v", list, err)
		}
		return false
	}
	if out, err := exec.Command("unshare", "-n", "ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		t.Logf("this machine's network is there: a namespace is not permitted here (%v %s): run as root", err, out)
		return false
	}
	again := exec.CommandContext(t.Context(), "unshare", "-n", "sh", "-c", `ip link set lo up && exec "$@"`, "sh",
		os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v")
	again.Env = append(os.Environ(), asideEnv+"=1", "MILLWRIGHT_BINARY="+binary)
	again.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	runtime.LockOSThread() // it dies with the thread that has started it
	defer runtime.UnlockOSThread()
	out, err := again.CombinedOutput()
	t.Logf("in a network namespace of its own:\n%s", out)
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Errorf("it failed there: %v", err)
	}
	return true
}

// leftOut is how many rows a training's report says to have left out for a reason; a
// reason for which there are none is not in it.
func leftOut(t *testing.T, report, why string) int {
	t.Helper()
	if !strings.Contains(report, "| used |") {
		t.Fatalf("the report has no table of rows:\n%s", report)
	}
	m := regexp.MustCompile(`(?m)^\| (\d+) \|[^|]*\| left out: ` + regexp.QuoteMeta(why) + ` \|$`).FindStringSubmatch(report)
	if m == nil {
		return 0
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// count is how many samples of a tag are stored from a time on.
func (a api) count(tag string, from time.Time) int {
	a.t.Helper()
	var trend struct{ Buckets []struct{ Count int } }
	a.get(fmt.Sprintf("trend?tag=%s&from=%s&to=%s&buckets=1", tag, from.UTC().Format(time.RFC3339Nano), time.Now().UTC().Format(time.RFC3339Nano)), &trend)
	n := 0
	for _, b := range trend.Buckets {
		n += b.Count
	}
	return n
}

// repository makes the plant's repository of models and orders; the keys of an edge
// that fetches from it.
func (w *works) repository() string {
	w.t.Helper()
	w.run("models", "init", "-c", "plant.toml", "--keys", "keys", "--who", "eva")
	root, err := os.ReadFile(filepath.Join(w.dir, "historian", "models", "root.json"))
	if err != nil {
		w.t.Fatal(err)
	}
	writeFile(w.t, filepath.Join(w.dir, "root.json"), string(root))
	return fmt.Sprintf("models = %q\nmodels_root = \"root.json\"\n", w.api.base)
}

// push signs a bundle and brings it into the repository.
func (w *works) push(bundle string) {
	w.t.Helper()
	w.run("models", "push", bundle, "-c", "plant.toml", "--keys", "keys", "--who", "eva", "--reason", "first model")
}

// run runs a verb to its end and returns what it printed.
func (w *works) run(args ...string) string {
	w.t.Helper()
	out, err := w.try(args...)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// try is run for a verb that may fail; the error says what it printed.
func (w *works) try(args ...string) (string, error) {
	cmd := exec.Command(binary, args...)
	cmd.Dir = w.dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("millwright %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return string(out), nil
}
