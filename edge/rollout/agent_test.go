package rollout

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"millwright/models/bundle"
	"millwright/models/bundle/bundletest"
	"millwright/models/detect"
	"millwright/plant"
)

const gbx = "HSM/GBX"

var gbxTags = []string{"HSM/GBX/A", "HSM/GBX/B", "HSM/GBX/C"}

// works is a plant's server: a real repository behind a real HTTP server.
type works struct {
	*bundle.Repository
	t      testing.TB
	keys   string
	server *httptest.Server

	mu     sync.Mutex
	tamper func(name string, b []byte) []byte // of every file that is served; nil: honest
}

func newWorks(t testing.TB) *works {
	t.Helper()
	dir := t.TempDir()
	w := &works{t: t, keys: filepath.Join(dir, "stick")}
	var err error
	if w.Repository, err = bundle.Init(filepath.Join(dir, "models"), w.keys, "eva"); err != nil {
		t.Fatal(err)
	}
	w.server = httptest.NewServer(w)
	t.Cleanup(w.server.Close)
	return w
}

// ServeHTTP serves the repository, or what somebody on the way makes of it.
func (w *works) ServeHTTP(res http.ResponseWriter, r *http.Request) {
	b, err := os.ReadFile(filepath.Join(w.Dir, "repository", filepath.FromSlash(strings.TrimPrefix(r.URL.Path, "/"))))
	if err != nil {
		http.NotFound(res, r)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.tamper != nil {
		b = w.tamper(r.URL.Path, b)
	}
	_, _ = res.Write(b)
}

func (w *works) tampers(f func(name string, b []byte) []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tamper = f
}

func (w *works) push(b *bundle.Bundle) {
	w.t.Helper()
	if _, err := w.Push(bundletest.File(w.t, b), b.ID+bundle.Suffix, w.keys, "eva", ""); err != nil {
		w.t.Fatal(err)
	}
}

func (w *works) change(f func(p *bundle.Plan) error) {
	w.t.Helper()
	if err := w.Change(f); err != nil {
		w.t.Fatal(err)
	}
}

func entry(id string) bundle.Entry {
	return bundle.Entry{At: time.Now().UnixNano(), Who: "eva", Bundle: id, Assets: []string{gbx}, Reason: "better"}
}

func (w *works) promote(id string) {
	w.change(func(p *bundle.Plan) error { return p.Promote(entry(id)) })
}

func (w *works) shadow(id string) {
	w.change(func(p *bundle.Plan) error { return p.Shadow(entry(id)) })
}

func (w *works) rollback() {
	w.change(func(p *bundle.Plan) error { return p.Rollback(entry("")) })
}

// gearbox is a bundle for the gearbox.
func gearbox(t testing.TB, id string, seed uint64) *bundle.Bundle {
	return bundletest.New(t, bundletest.Options{
		ID: id, Asset: gbx, Class: "gearbox", Tags: gbxTags, Seed: seed, Mean: []float64{10, 20, 30},
	})
}

// mill is the models of an edge, with samples that flow.
type mill struct {
	mu   sync.Mutex
	set  *detect.Set
	draw *rand.Rand
	row  int64
	out  plant.Batch
	said []int64 // rows in which a score was told
	find []plant.Finding
}

func newMill(t testing.TB) *mill {
	t.Helper()
	assets := []plant.Asset{{Path: gbx, Class: "gearbox", Model: plant.Model{Learn: 5 * time.Minute}}}
	var tags []plant.Tag
	for _, p := range gbxTags {
		tags = append(tags, plant.Tag{Path: p, Asset: gbx, Kind: plant.Analog, Unit: "mm/s"})
	}
	tags = append(tags, detect.Derived(assets)...)
	for i := range tags {
		tags[i].ID = plant.TagID(i + 1)
	}
	set, err := detect.New(detect.Config{Assets: assets, Tags: tags, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return &mill{set: set, draw: rand.New(rand.NewPCG(1, 2))}
}

// run feeds rows of one second.
func (m *mill) run(rows int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for range rows {
		m.row++
		at := 1_700_000_000_000_000_000 + m.row*1e9
		var b plant.Batch
		for i := range gbxTags {
			b.Samples = append(b.Samples, plant.Sample{Tag: plant.TagID(i + 1), Time: at, Value: float64(10*(i+1)) + m.draw.NormFloat64()})
		}
		m.out.Reset()
		m.set.Observe(&m.out, b)
		for _, s := range m.out.Samples {
			if s.Tag == plant.TagID(len(gbxTags)+1) { // the first derived tag is the score
				m.said = append(m.said, m.row)
			}
		}
		m.find = append(m.find, m.out.Findings...)
	}
}

// longest is the longest run of rows in which no score was told.
func (m *mill) longest() int64 {
	most := int64(0)
	for i := 1; i < len(m.said); i++ {
		most = max(most, m.said[i]-m.said[i-1])
	}
	return max(most, m.row-m.said[len(m.said)-1])
}

func (m *mill) Check(t *detect.Trained) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.set.Check(t)
}
func (m *mill) Shadow(t *detect.Trained) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.set.Shadow(t)
}
func (m *mill) Unshadow(asset string) { m.mu.Lock(); defer m.mu.Unlock(); m.set.Unshadow(asset) }
func (m *mill) Promote(t *detect.Trained) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.set.Promote(t)
}
func (m *mill) Demote(asset string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.set.Demote(asset)
}
func (m *mill) Trained() []detect.TrainedStatus {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.set.Trained()
}

// box is an edge: its agent, over its models.
type box struct {
	*Agent
	*mill
	t        testing.TB
	findings []plant.Finding
	changes  int
}

func newBox(t testing.TB, w *works, dir string) *box {
	t.Helper()
	root, err := w.Root()
	if err != nil {
		t.Fatal(err)
	}
	b := &box{t: t, mill: newMill(t)}
	b.Agent = &Agent{
		Edge: "edge-1", URL: w.server.URL, Root: root, Dir: dir, Models: b.mill,
		Assets:  []plant.Asset{{Path: gbx, Class: "gearbox"}, {Path: "HSM/PUMP", Class: "pump"}},
		Every:   10 * time.Millisecond,
		Tell:    func(f plant.Finding) { b.findings = append(b.findings, f) },
		Changed: func() { b.changes++ },
		Log:     slog.New(slog.DiscardHandler),
	}
	if err := b.Open(); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *box) look() {
	b.t.Helper()
	if err := b.poll(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
}

// runs is what the models run, and fails where the agent says something else.
func (b *box) runs(running, shadow string) {
	b.t.Helper()
	is := plant.ModelStatus{Running: plant.LearnedModel}
	for _, s := range b.Trained() {
		is.Running, is.Shadow = s.Running, s.Shadow
	}
	said := plant.ModelStatus{Running: plant.LearnedModel}
	for _, s := range b.Status() {
		said = s
	}
	if is.Running != running || is.Shadow != shadow || said.Running != running || said.Shadow != shadow {
		b.t.Errorf("runs %q and %q, the agent says %+v, want %q and %q", is.Running, is.Shadow, said, running, shadow)
	}
}

// lines are those of the audit.
func (b *box) lines() (out []line) {
	b.t.Helper()
	for _, name := range []string{b.audit.name + ".old", b.audit.name} {
		f, err := os.Open(name)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			b.t.Fatal(err)
		}
		defer f.Close()
		for s := bufio.NewScanner(f); s.Scan(); {
			var l line
			if err := json.Unmarshal(s.Bytes(), &l); err != nil {
				b.t.Errorf("audit: %v", err)
			}
			out = append(out, l)
		}
	}
	return out
}

func (b *box) actions() string {
	b.t.Helper()
	var out []string
	for _, l := range b.lines() {
		out = append(out, l.Action)
	}
	return strings.Join(out, " ")
}

func TestFollowsThePlan(t *testing.T) {
	w := newWorks(t)
	dir := t.TempDir()
	b := newBox(t, w, dir)
	b.look()
	if len(b.Status()) != 0 || b.actions() != "" {
		t.Error(b.Status(), b.actions())
	}
	w.push(gearbox(t, "gbx-1", 1))
	w.push(gearbox(t, "gbx-2", 2))
	w.shadow("gbx-1")
	b.look()
	b.runs(plant.LearnedModel, "gbx-1")
	w.promote("gbx-1")
	b.look()
	b.runs("gbx-1", "")
	w.shadow("gbx-2")
	b.look()
	b.runs("gbx-1", "gbx-2")
	if st := b.Status()[0]; st.Asset != gbx || st.Since == 0 || st.Refused != "" || b.changes != 3 {
		t.Errorf("%+v after %d changes", st, b.changes)
	}

	// A restart runs the same before it has asked anybody.
	w.server.Close()
	b = newBox(t, w, dir)
	b.runs("gbx-1", "gbx-2")
	b.look()
	b.runs("gbx-1", "gbx-2")

	// The plant is back, and has thought again.
	w.server = httptest.NewServer(w)
	defer w.server.Close()
	b.URL, b.client.URL = w.server.URL, w.server.URL
	w.promote("gbx-2")
	b.look()
	b.runs("gbx-2", "")
	w.rollback()
	b.look()
	b.runs("gbx-1", "")
	w.rollback()
	b.look()
	b.runs(plant.LearnedModel, "")
	b = newBox(t, w, dir)
	b.runs(plant.LearnedModel, "")

	if want := "shadow unshadow promote shadow unshadow promote promote demote"; b.actions() != want {
		t.Errorf("audit: %s, want %s", b.actions(), want)
	}
	if l := b.lines()[2]; l.Bundle != "gbx-1" || l.Asset != gbx || l.Why != "eva: better" || l.Time == "" {
		t.Errorf("%+v", l)
	}
	left, err := os.ReadDir(filepath.Join(dir, bundlesDir))
	if err != nil || len(left) != 0 {
		t.Error("files that nothing runs:", left, err)
	}
}

// TestSwapMissesNoRow lets samples flow while the plant changes its mind again and
// again.
func TestSwapMissesNoRow(t *testing.T) {
	w := newWorks(t)
	w.push(gearbox(t, "gbx-1", 1))
	w.push(gearbox(t, "gbx-2", 2))
	b := newBox(t, w, t.TempDir())
	b.run(1200) // the edge's own model is learned
	b.mill.mu.Lock()
	if len(b.said) == 0 {
		t.Fatal("no score after commissioning")
	}
	b.said = b.said[len(b.said)-1:]
	b.mill.mu.Unlock()
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				b.run(5)
				time.Sleep(100 * time.Microsecond)
			}
		}
	}()
	wait := func() {
		b.mill.mu.Lock()
		until := b.row + 60
		b.mill.mu.Unlock()
		for {
			b.mill.mu.Lock()
			now := b.row
			b.mill.mu.Unlock()
			if now >= until {
				return
			}
			time.Sleep(time.Millisecond)
		}
	}
	swaps := 0
	for range 5 {
		for _, step := range []func(){
			func() { w.shadow("gbx-1") }, func() { w.promote("gbx-1") }, func() { w.promote("gbx-2") },
			w.rollback, func() { w.promote(plant.LearnedModel) },
		} {
			step()
			b.look()
			wait()
			swaps++
			for _, s := range b.Trained() {
				if s.Missed != 0 || s.Fallback != nil {
					t.Errorf("after swap %d: %+v", swaps, s)
				}
			}
		}
	}
	close(stop)
	<-stopped
	if gap := b.longest(); gap > 10 { // an unchanged score is repeated every 10 rows
		t.Errorf("%d rows without a score", gap)
	}
	t.Logf("%d swaps in %d rows, none missed", swaps, b.row)
}

func TestRunLooksBySelf(t *testing.T) {
	w := newWorks(t)
	w.push(gearbox(t, "gbx-1", 1))
	b := newBox(t, w, t.TempDir())
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { done <- b.Run(ctx) }()
	w.promote("gbx-1")
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if st := b.Status(); len(st) == 1 && st[0].Running == "gbx-1" {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the plan was not followed")
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestFallback promotes a model that says nonsense of real rows, though its golden
// windows are good.
func TestFallback(t *testing.T) {
	w := newWorks(t)
	bad := gearbox(t, "gbx-bad", 1)
	layers := bad.Trained.Modes[0].Network.Layers
	layers[0].W[0], layers[0].Linear, layers[1].W[0] = 3e38, true, 3e38 // finite, and their product is not
	g := &bad.Golden[0]
	for i := range g.Windows {
		g.Windows[i], g.Scores[i] = make([]float32, len(g.Windows[i])), 0 // of a zero all is zero
	}
	w.push(bad)
	w.push(gearbox(t, "gbx-2", 2))
	dir := t.TempDir()
	b := newBox(t, w, dir)
	b.run(1200)
	w.promote("gbx-bad")
	b.look()
	b.runs("gbx-bad", "")
	b.run(100)
	b.drop()
	b.runs(plant.LearnedModel, "")
	if st := b.Status()[0]; !strings.HasPrefix(st.Fallback, "gbx-bad: ") {
		t.Errorf("%+v", st)
	}
	told := false
	for _, f := range b.find {
		told = told || f.Kind == plant.KindModel
	}
	if !told {
		t.Error("no finding")
	}
	// It is not tried again, by nobody's asking and by no restart.
	b.look()
	b.drop()
	b.runs(plant.LearnedModel, "")
	b = newBox(t, w, dir)
	b.run(1200)
	b.look()
	b.runs(plant.LearnedModel, "")
	if b.actions() != "promote fallback" {
		t.Error(b.actions())
	}
	// Other assets' lines and refused pushes change the plan, and not this line.
	_, _ = w.Push([]byte("junk"), "junk.mwb", w.keys, "eva", "")
	b.look()
	b.runs(plant.LearnedModel, "")
	// Somebody insists.
	w.promote("gbx-bad")
	b.look()
	b.runs("gbx-bad", "")
	b.run(100)
	b.drop()
	b.runs(plant.LearnedModel, "")
	w.promote("gbx-2")
	b.look()
	b.runs("gbx-2", "")
	if st := b.Status()[0]; st.Fallback != "" {
		t.Errorf("%+v", st)
	}
	// In the shadow it does as little.
	w.shadow("gbx-bad")
	b.look()
	b.runs("gbx-2", "gbx-bad")
	b.run(100)
	b.drop()
	b.look()
	b.runs("gbx-2", "")
}

func TestRefusesWhatDoesNotFit(t *testing.T) {
	w := newWorks(t)
	b := newBox(t, w, t.TempDir())
	w.push(gearbox(t, "gbx-1", 1))
	w.promote("gbx-1")
	b.look()
	f := func(want string, o bundletest.Options, change func(*bundle.Bundle)) {
		t.Helper()
		one := bundletest.New(t, o)
		change(one)
		w.push(one)
		w.promote(one.ID)
		n := len(b.lines())
		for range 3 {
			b.look()
		}
		b.runs("gbx-1", "")
		lines := b.lines()[n:]
		if len(lines) != 1 || lines[0].Action != "refuse" || lines[0].Bundle != one.ID || lines[0].Asset != gbx || !strings.Contains(lines[0].Why, want) {
			t.Errorf("want %q, got %+v", want, lines)
		}
		if st := b.Status()[0]; !strings.Contains(st.Refused, want) || !strings.HasPrefix(st.Refused, one.ID) {
			t.Errorf("%+v", st)
		}
	}
	nothing := func(*bundle.Bundle) {}
	f("is for HSM/PUMP", bundletest.Options{ID: "a", Asset: "HSM/PUMP", Tags: gbxTags}, nothing)
	f("is for the class", bundletest.Options{ID: "b", Class: "pump", Tags: []string{"A"}}, nothing)
	f("not watched", bundletest.Options{ID: "c", Class: "gearbox", Tags: []string{"A", "OIL"}}, nothing)
	f("not watched", bundletest.Options{ID: "d", Asset: gbx, Tags: []string{"HSM/GBX/OIL"}}, nothing)
	f("rows of", bundletest.Options{ID: "e", Asset: gbx, Tags: gbxTags, Grid: time.Minute}, nothing)
	f("mode", bundletest.Options{ID: "f", Asset: gbx, Tags: gbxTags, Mode: "threading"}, nothing)
	f("limit", bundletest.Options{ID: "g", Asset: gbx, Tags: gbxTags}, func(b *bundle.Bundle) { b.Trained.Modes[0].Limit = 100 })
	f(`tag "HSM/GBX/B" was trained in in/s and is in mm/s here`, bundletest.Options{ID: "h", Asset: gbx, Tags: gbxTags}, func(b *bundle.Bundle) { b.Tags[1].Unit = "in/s" })
	f(`tag "HSM/GBX/C" was trained in g and is in mm/s here`, bundletest.Options{ID: "i", Class: "gearbox", Tags: []string{"A", "B", "C"}}, func(b *bundle.Bundle) { b.Tags[2].Unit = "g" })

	// A class's bundle that does fit; of one tag the unit is not known.
	class := bundletest.New(t, bundletest.Options{ID: "class-1", Class: "gearbox", Tags: []string{"A", "B", "C"}, Mean: []float64{10, 20, 30}})
	class.Tags[0].Unit = ""
	w.push(class)
	w.promote("class-1")
	b.look()
	b.runs("class-1", "")
}

// published is what a repository serves, by the path that is asked for.
func (w *works) published() map[string][]byte {
	w.t.Helper()
	public, out := filepath.Join(w.Dir, "repository"), map[string][]byte{}
	for _, pattern := range []string{"*.json", "targets/*"} {
		files, err := filepath.Glob(filepath.Join(public, pattern))
		if err != nil {
			w.t.Fatal(err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				w.t.Fatal(err)
			}
			out[strings.TrimPrefix(f, public)] = b
		}
	}
	return out
}

// TestRefusesWhatWasTamperedWith puts somebody on the line between plant and edge.
// What he changes, cuts, swaps or holds back is refused, each with a line in the
// audit, and the model that runs goes on running. A hundred and more of his attempts
// are on the bundle itself; the rest is on what the plant has signed about it.
func TestRefusesWhatWasTamperedWith(t *testing.T) {
	w := newWorks(t)
	other := newWorks(t) // another plant, with keys of its own
	b := newBox(t, w, t.TempDir())
	w.push(gearbox(t, "gbx-0", 0))
	w.promote("gbx-0")
	oldest := w.published() // of a time that the edge has not seen, nor ever may
	w.push(gearbox(t, "gbx-1", 1))
	w.promote("gbx-1")
	b.look()
	b.runs("gbx-1", "")
	older := w.published()
	w.push(gearbox(t, "gbx-2", 2))
	w.promote("gbx-2")
	other.push(gearbox(t, "gbx-2", 3))
	for range 5 {
		other.promote("gbx-2")
	}
	foreign := other.published()

	refused := map[string]int{} // by what was attacked
	try := func(part, what string, f func(name string, b []byte) []byte) {
		t.Helper()
		w.tampers(f)
		n := len(b.lines())
		b.look()
		b.runs("gbx-1", "")
		lines := b.lines()[n:]
		if len(lines) != 1 || lines[0].Action != "refuse" || lines[0].Why == "" {
			t.Errorf("%s: %s: %+v", part, what, lines)
			return
		}
		refused[part]++
		b.look() // the same again is told once
		if again := b.lines()[n:]; len(again) != 1 {
			t.Errorf("%s: %s: told %d times", part, what, len(again))
		}
	}
	only := func(part string, f func(b []byte) []byte) func(string, []byte) []byte {
		return func(name string, b []byte) []byte {
			if strings.Contains(name, part) {
				return f(b)
			}
			return b
		}
	}
	// of is the file of another state of a repository that takes a part's place.
	of := func(from map[string][]byte, part string) []byte {
		t.Helper()
		last := ""
		for name := range from {
			if strings.HasSuffix(name, part) && (len(name) > len(last) || len(name) == len(last) && name > last) {
				last = name
			}
		}
		if last == "" {
			t.Fatalf("nothing ends in %s", part)
		}
		return from[last]
	}
	const model = "gbx-2.mwb"
	draw := rand.New(rand.NewPCG(5, 5))
	for _, part := range []string{"timestamp.json", ".snapshot.json", ".targets.json", ".rollout.json", model} {
		flips := 24
		if part == model {
			flips = 110
		}
		for i := range flips {
			mask := []byte{1, 2, 4, 8, 16, 64, 128}[draw.IntN(7)] // not the case of a letter: hexadecimal digits have none
			at := draw.Float64()
			try(part, fmt.Sprintf("flip %d", i), only(part, func(b []byte) []byte {
				b[int(at*float64(len(b)))] ^= mask
				return b
			}))
		}
		for _, share := range []float64{0, 0.3, 0.9} {
			try(part, fmt.Sprintf("cut to %v", share), only(part, func(b []byte) []byte { return b[:int(share*float64(len(b)))] }))
		}
		try(part, "longer", only(part, func(b []byte) []byte { return append(b, ' ', '}') }))
		try(part, "huge", only(part, func(b []byte) []byte { return append(b, make([]byte, 9<<20)...) }))
		try(part, "from another plant", only(part, func([]byte) []byte { return of(foreign, part) }))
		if part != model {
			try(part, "unsigned", only(part, func(b []byte) []byte { return unsigned(t, b) }))
		}
	}
	try(model, "the bundle before it", only(model, func([]byte) []byte { return of(older, "gbx-1.mwb") }))
	try(model, "the oldest bundle", only(model, func([]byte) []byte { return of(older, "gbx-0.mwb") }))
	served := func(files map[string][]byte) func(string, []byte) []byte {
		return func(name string, _ []byte) []byte { return files[name] }
	}
	try("repository", "as it was before", served(oldest))
	other.promote("gbx-2") // its timestamp of before was refused, and told, already
	try("repository", "another plant's", served(other.published()))
	// What was good once and is older than what the edge has seen.
	w.tampers(nil)
	late := newBox(t, w, t.TempDir())
	late.look()
	late.runs("gbx-2", "")
	w.tampers(func(name string, b []byte) []byte {
		if was, ok := older[name]; ok {
			return was
		}
		return b
	})
	late.look()
	late.runs("gbx-2", "")
	if a := late.actions(); a != "promote refuse" {
		t.Error(a)
	}
	if refused[model] < 100 {
		t.Errorf("only %d attacks on the bundle", refused[model])
	}
	t.Logf("refused, each with a line: %v", refused)

	if len(b.findings) != 1 || b.findings[0].Phase != plant.Raise || b.findings[0].Asset != "edge-1" {
		t.Errorf("%+v", b.findings)
	}
	w.tampers(nil)
	b.look()
	b.runs("gbx-2", "")
	if len(b.findings) != 2 || b.findings[1].Phase != plant.Clear {
		t.Errorf("%+v", b.findings)
	}
}

// unsigned is a file of metadata without its signatures.
func unsigned(t *testing.T, b []byte) []byte {
	t.Helper()
	var file map[string]json.RawMessage
	if err := json.Unmarshal(b, &file); err != nil || len(file["signatures"]) == 0 {
		t.Fatalf("metadata without signatures: %v", err)
	}
	file["signatures"] = json.RawMessage("[]")
	out, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAnotherPlantsKeys(t *testing.T) {
	w, other := newWorks(t), newWorks(t)
	b := newBox(t, w, t.TempDir())
	w.push(gearbox(t, "gbx-1", 1))
	w.promote("gbx-1")
	b.look()
	other.push(gearbox(t, "gbx-2", 2))
	other.promote("gbx-2")
	b.client.URL = other.server.URL
	b.look()
	b.runs("gbx-1", "")
	if b.actions() != "promote refuse" {
		t.Error(b.actions())
	}
	// No root at all, or none that is one.
	for _, root := range []string{"", "{}", "junk"} {
		c := newBox(t, w, t.TempDir())
		c.client.Root = []byte(root)
		if err := c.poll(t.Context()); err == nil {
			t.Errorf("%q is taken for a root", root)
		}
	}
}

// TestExpired: signatures that are too old keep new models away, and nothing else.
func TestExpired(t *testing.T) {
	w := newWorks(t)
	b := newBox(t, w, t.TempDir())
	w.push(gearbox(t, "gbx-1", 1))
	w.promote("gbx-1")
	b.look()
	later := func() time.Time { return time.Now().Add(400 * 24 * time.Hour) }
	b.Now, b.client.Now = later, later
	w.push(gearbox(t, "gbx-2", 2))
	w.promote("gbx-2")
	for range 3 {
		b.look()
	}
	b.runs("gbx-1", "")
	lines := b.lines()
	if len(lines) != 2 || !strings.Contains(lines[1].Why, "expired") || !strings.Contains(lines[1].Why, "renew") {
		t.Errorf("%+v", lines)
	}
	if len(b.findings) != 1 || b.findings[0].Kind != plant.KindModel {
		t.Errorf("%+v", b.findings)
	}
	w.Now = later
	if did, err := w.Refresh(); !did || err != nil {
		t.Error(did, err)
	}
	b.look()
	b.runs("gbx-2", "")
}

// TestDamagedDisk: what a disk has made of the agent's files is told, and fetched
// again.
func TestDamagedDisk(t *testing.T) {
	w := newWorks(t)
	dir := t.TempDir()
	w.push(gearbox(t, "gbx-1", 1))
	w.promote("gbx-1")
	newBox(t, w, dir).look()
	mwb, err := filepath.Glob(filepath.Join(dir, bundlesDir, "*"))
	if err != nil || len(mwb) != 1 {
		t.Fatal(mwb, err)
	}
	for _, name := range []string{mwb[0], filepath.Join(dir, recordFile)} {
		good, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, bad := range []string{"", "null", string(good[:len(good)/2]), strings.Repeat("\x00", len(good))} {
			if err := os.WriteFile(name, []byte(bad), 0o600); err != nil {
				t.Fatal(err)
			}
			b := newBox(t, w, dir)
			b.runs(plant.LearnedModel, "")
			if a := b.actions(); !strings.HasSuffix(a, "refuse") {
				t.Errorf("%s is %.20q: %s", name, bad, a)
			}
			b.look()
			b.runs("gbx-1", "")
		}
	}
}

func TestAuditIsBounded(t *testing.T) {
	l := audit{name: filepath.Join(t.TempDir(), auditFile)}
	if err := os.WriteFile(l.name, []byte(`{"half`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := l.write(time.Unix(0, 0), line{Action: "refuse", Why: strings.Repeat("x", 5000)}); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(l.name)
	if err != nil || !strings.HasPrefix(string(b), "{\"half\n{\"time\":\"1970-01-01T00:00:00.000Z\",") || len(b) > 2200 {
		t.Errorf("%.100s %v", b, err)
	}
	for range 2 {
		if err := os.Truncate(l.name, auditMax+1); err != nil {
			t.Fatal(err)
		}
		if err := l.write(time.Now(), line{Action: "promote"}); err != nil {
			t.Fatal(err)
		}
	}
	st, err := os.Stat(l.name)
	if err != nil || st.Size() > 200 {
		t.Error(st, err)
	}
	if st, err = os.Stat(l.name + ".old"); err != nil || st.Size() != auditMax+1 {
		t.Error(st, err)
	}
}

func FuzzRecord(f *testing.F) {
	f.Add([]byte(`{"A":{"running":{"id":"x","sha256":"../../x"},"shadow":{},"change":1,"since":2}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, recordFile), b, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := loadRecord(dir)
		if r == nil {
			t.Error("no record", err)
		}
	})
}
