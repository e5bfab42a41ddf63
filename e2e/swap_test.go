package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"millwright/plant"
)

// box is a folder that stands for a machine.
type box struct {
	*works
	dir  string
	file string // configuration
}

// run calls a verb on the box and returns what it printed, and whether it succeeded.
func (b *box) run(args ...string) (string, bool) {
	b.t.Helper()
	cmd := exec.Command(binary, append(args, "-c", b.file)...)
	out, err := cmd.CombinedOutput()
	b.t.Logf("millwright %s\n%s", strings.Join(args, " "), out)
	return string(out), err == nil
}

// swap is a works whose edge keeps checkpoints at the plant, and a spare.
func newSwap(t *testing.T) (w *works, edge, spare *box) {
	w = newWorks(t)
	w.configure()
	demo, err := os.ReadFile(w.assets)
	if err != nil {
		t.Fatal(err)
	}
	// The machines are learned in some seconds, so that a test can wait for it.
	// Not the fan: of each blow's warming they see no more than a beginning.
	quick := regexp.MustCompile(`(?m)^learn = .*$`).ReplaceAllString(string(demo), `learn = "200s"`)
	i := strings.LastIndex(quick, `path = "BOF/C1/FAN"`)
	quick = quick[:i] + strings.Replace(quick[i:], `learn = "200s"`, "off = true", 1)
	tags, err := os.ReadFile(w.tags)
	if err != nil {
		t.Fatal(err)
	}
	edge = &box{works: w, dir: filepath.Join(w.dir, "box-a")}
	spare = &box{works: w, dir: filepath.Join(w.dir, "box-b")}
	for _, b := range []*box{edge, spare} {
		if err := os.MkdirAll(filepath.Join(b.dir, "secrets"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	// Absolute paths and such in other folders are what installed boxes have.
	elsewhere := filepath.Join(edge.dir, "lists")
	if err := os.Mkdir(elsewhere, 0o700); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(elsewhere, "tags.csv"), string(tags))
	writeFile(t, filepath.Join(edge.dir, "assets.toml"), quick)
	edge.file, spare.file = filepath.Join(edge.dir, "edge.toml"), filepath.Join(spare.dir, "spare.toml")
	writeFile(t, edge.file, fmt.Sprintf(`
[[plc]]
name = "mill"
url = "opc.tcp://127.0.0.1:%d"
tags = %q
[edge]
name = "hsm"
group = "Works"
broker = %q
broker_user = "box-a"
broker_password_file = "password"
primary_host = "historian"
data = "data"
assets = "assets.toml"
speed = 20
plant = %q
`, w.plcPort, filepath.Join(elsewhere, "tags.csv"), w.broker, w.api.base))
	writeFile(t, spare.file, fmt.Sprintf("[spare]\nname = \"box-b\"\nplant = %q\nbroker_user = \"box-b\"\nbroker_password_file = \"password\"\ndata = \"data\"\n", w.api.base))
	writeFile(t, filepath.Join(edge.dir, "password"), "of box a\n")
	writeFile(t, filepath.Join(spare.dir, "password"), "of box b\n")
	writeFile(t, filepath.Join(w.dir, "plant.password"), "of the plant\n")
	writeFile(t, filepath.Join(w.dir, "users.csv"), fmt.Sprintf("name,role,group,node,password\nbox-a,edge,Works,hsm,file:%s\nbox-b,spare,Works,,file:%s\nplant,host,,historian,file:plant.password\n",
		filepath.Join(edge.dir, "password"), filepath.Join(spare.dir, "password")))
	file := filepath.Join(w.dir, "plant.toml")
	toml := mustRead(t, file)
	toml = strings.Replace(toml, "[broker]\n", "[broker]\nusers = \"users.csv\"\n", 1)
	toml = strings.Replace(toml, "[historian]\n", "[historian]\nbroker_user = \"plant\"\nbroker_password_file = \"plant.password\"\n", 1)
	writeFile(t, file, toml)
	return w, edge, spare
}

// models is the state of the models of all assets.
func (a api) models() map[string]plant.ModelState {
	a.t.Helper()
	var assets struct{ Assets []struct{ Path string } }
	a.get("assets", &assets)
	out := map[string]plant.ModelState{}
	for _, x := range assets.Assets {
		var page struct {
			States []struct{ V string }
		}
		a.get("states?from=2000-01-01T00:00:00Z&to=2100-01-01T00:00:00Z&limit=10000&tag="+x.Path+"/"+plant.TagModel, &page)
		if n := len(page.States); n > 0 {
			var s plant.ModelState
			if err := json.Unmarshal([]byte(page.States[n-1].V), &s); err != nil {
				a.t.Fatal(err)
			}
			out[x.Path] = s
		}
	}
	return out
}

// boxes is what the plant says of the only edge's box.
func (a api) box() (e struct {
	Box    *string
	Number int64
	Ready  []string
}) {
	var body struct {
		Edges []struct {
			Box    *string
			Number int64
			Ready  []string
		}
	}
	if a.try("boxes", &body) == nil && len(body.Edges) == 1 {
		return body.Edges[0]
	}
	return e
}

// TestSwap is the drill: an edge learns its machines, its box is destroyed, and a
// spare takes its place. Values flow, nothing is learned again, no machine is
// accused, the dead box does not fight when it comes back, and what its disk still
// held is sent with the numbers that it had. make soak-delivery does it again and
// again.
func TestSwap(t *testing.T) {
	t.Parallel() // waits most of its time
	for range times(t, 1) {
		t.Run("drill", drill)
	}
}

func drill(t *testing.T) {
	w, a, b := newSwap(t)
	w.startMill("--speed", "20")
	w.startPlant()
	w.plant.find(`historian is online`, 20*time.Second)
	w.edge = start(t, "box a", binary, "run", "-c", a.file)
	start(t, "box b", binary, "run", "-c", b.file)
	w.waitLive(30 * time.Second)

	if out, ok := b.run("edge", "adopt", "hsm"); ok || !strings.Contains(out, "delivers") {
		t.Fatal("a living edge was taken over")
	}
	if out, ok := b.run("edge", "adopt", "hms"); ok || !strings.Contains(out, "hsm") {
		t.Fatal("a wrong name was taken")
	}
	if out, ok := b.run("edge", "prepare"); !ok || !strings.Contains(out, "ready for 1") {
		t.Fatal("the spare is not ready")
	}
	eventually(t, 5*time.Second, "the plant shows that the spare is ready", func() bool { return len(w.api.box().Ready) == 1 })

	learned := func(s plant.ModelState) bool { return s.Phase == "monitoring" }
	eventually(t, 60*time.Second, "a machine is learned", func() bool {
		for _, s := range w.api.models() {
			if learned(s) {
				return true
			}
		}
		return false
	})
	w.edge.stop() // a clean stop saves what was learned last; the checkpoint is told by the next start
	w.edge = start(t, "box a", binary, "run", "-c", a.file)
	w.waitLive(30 * time.Second)
	before := w.api.models()
	alarms := map[int64]bool{}
	for _, x := range w.api.alarms() {
		alarms[x.ID] = true
	}

	// The plant goes away, so that the box dies with unsent records.
	w.plant.kill()
	time.Sleep(2 * time.Second)
	w.edge.kill()
	w.startPlant()
	w.plant.find(`historian is online`, 20*time.Second)

	begin := time.Now()
	out, ok := b.run("edge", "adopt", "hsm")
	if !ok {
		t.Fatal("not adopted")
	}
	if !strings.Contains(out, "lets this box in") || !strings.Contains(out, "retired the box box-a") {
		t.Error("the adoption does not say what it did")
	}
	w.waitLive(30 * time.Second)
	swapped := time.Since(begin)
	for asset, s := range before {
		if now := w.api.models()[asset]; learned(s) && !learned(now) {
			t.Errorf("%s learns again: %+v", asset, now)
		}
	}

	// The dead box comes back.
	back := start(t, "box a again", binary, "run", "-c", a.file)
	back.find(`does not start as an edge.*box-b took the place`, 20*time.Second)
	if box := w.api.box(); box.Box == nil || *box.Box != "box-b" {
		t.Errorf("%+v", box)
	}
	back.kill()

	// Even where it does not ask the plant, the broker refuses it.
	old := filepath.Join(a.dir, "old.toml")
	writeFile(t, old, regexp.MustCompile(`(?m)^plant = .*$`).ReplaceAllString(mustRead(t, a.file), ""))
	back = start(t, "box a that does not ask", binary, "run", "-c", old)
	back.find(`does not let user`, 20*time.Second)
	back.kill()

	// Its disk, in a case on the desk.
	if out, ok := b.run("edge", "recover", filepath.Join(a.dir, "data")); !ok || !strings.Contains(out, "taken all of it in") {
		t.Error("the old disk was not recovered")
	}
	c := w.account()
	c.check(t)
	w.record(1, swapped, time.Since(begin), c)
	for _, x := range w.api.alarms() {
		if !alarms[x.ID] && !strings.Contains(x.Asset, "hsm") { // of the edge itself there is one, rightly
			t.Errorf("false finding: %s %s", x.Asset, x.Title)
		}
	}
	// The wrong name after all.
	if _, ok := b.run("edge", "release"); !ok {
		t.Error("not released")
	}
	start(t, "box a for good", binary, "run", "-c", a.file)
	eventually(t, 30*time.Second, "the first box is the edge again", func() bool {
		box := w.api.box()
		return box.Box != nil && *box.Box == "box-a" && w.api.plcState() == "Live"
	})
	noSecrets(t, filepath.Join(w.dir, "historian", "boxes"))
}

func mustRead(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// noSecrets fails when a file below a folder holds a key or a password.
func noSecrets(t *testing.T, dir string) {
	t.Helper()
	if err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err == nil && (bytes.Contains(b, []byte("PRIVATE KEY")) || bytes.Contains(b, []byte("of box a"))) {
			t.Errorf("%s holds a key or a password", path)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}
