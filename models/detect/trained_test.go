package detect

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"millwright/models/autoencoder"
	"millwright/plant"
)

const trainedWindow = 60

// teach makes a trained model of the bench's machine as models/train would, but
// without a gradient: a linear network that takes what all tags of a row have in
// common for its load and rebuilds each tag from that. Its law is that of a
// healthy run.
func teach(tb testing.TB, b *bench, id string, modes ...string) *Trained {
	tb.Helper()
	t := &Trained{ID: id, Asset: b.asset.Path, Grid: time.Second}
	for _, mode := range modes {
		var rows [][]float64
		school := newBench(tb, b.n)
		school.rng, school.mode = rand.New(rand.NewPCG(21, 22)), mode
		for range 10_000 {
			x := make([]float64, school.n)
			for _, s := range school.next().Samples {
				x[s.Tag-1] = s.Value
			}
			rows = append(rows, x)
		}
		d := TrainedMode{Mode: mode, Reach: 8, Limit: 5, Guess: true, Network: common(trainedWindow, b.n)}
		for i := range b.n {
			var sum, sq float64
			for _, x := range rows {
				sum, sq = sum+x[i], sq+x[i]*x[i]
			}
			mean := sum / float64(len(rows))
			d.Tags = append(d.Tags, b.tags[i].Path)
			d.Mean = append(d.Mean, mean)
			d.Scale = append(d.Scale, math.Sqrt(sq/float64(len(rows))-mean*mean))
		}
		pupil := newNeural(id, &d, features(b.n), stopwatch{}, quiet())
		ok := slices.Repeat([]bool{true}, b.n)
		var scores []float64
		for i, x := range rows {
			pupil.push(x, ok)
			if pupil.full() && i%5 == 0 {
				s, _ := pupil.runner.Score(pupil.window())
				scores = append(scores, s)
			}
		}
		d.Law = NewLaw(scores)
		t.Modes = append(t.Modes, d)
	}
	return t
}

// copied shares nothing with t but weights.
func copied(t *Trained) *Trained {
	c := *t
	c.Modes = slices.Clone(t.Modes)
	for i := range c.Modes {
		d := &c.Modes[i]
		network := *d.Network
		d.Network = &network
		d.Tags, d.Mean, d.Scale = slices.Clone(d.Tags), slices.Clone(d.Mean), slices.Clone(d.Scale)
	}
	return &c
}

func features(n int) []int32 {
	tags := make([]int32, n)
	for i := range tags {
		tags[i] = int32(i)
	}
	return tags
}

// common is the network that teach describes.
func common(window, tags int) *autoencoder.Network {
	wide := window * tags
	down := autoencoder.Layer{In: wide, Out: window, W: make([]float32, wide*window), B: make([]float32, window), Linear: true}
	up := autoencoder.Layer{In: window, Out: wide, W: make([]float32, wide*window), B: make([]float32, wide), Linear: true}
	for r := range window {
		for i := range tags {
			down.W[r*wide+r*tags+i] = 1 / float32(tags)
			up.W[(r*tags+i)*window+r] = 1
		}
	}
	return &autoencoder.Network{Window: window, Tags: tags, Layers: []autoencoder.Layer{down, up}}
}

// anyNetwork makes a network of any weights.
func anyNetwork(rng *rand.Rand, window, tags int, spread float64) *autoencoder.Network {
	n := &autoencoder.Network{Window: window, Tags: tags}
	in := window * tags
	for i, out := range []int{5, window * tags} {
		l := autoencoder.Layer{In: in, Out: out, W: make([]float32, in*out), B: make([]float32, out), Linear: i == 1}
		for j := range l.W {
			l.W[j] = float32(spread * rng.NormFloat64())
		}
		n.Layers = append(n.Layers, l)
		in = out
	}
	return n
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// watchRows makes the bench's Set anew, with the hook.
func (b *bench) watchRows(judged func(Row), change ...func(*Config)) {
	b.tb.Helper()
	cfg := Config{Assets: []plant.Asset{b.asset}, Tags: b.tags, Log: quiet(), Judged: judged}
	for _, f := range change {
		f(&cfg)
	}
	s, err := New(cfg)
	must(b.tb, err)
	b.set = s
}

func (b *bench) status() TrainedStatus {
	b.tb.Helper()
	all := b.set.Trained()
	if len(all) != 1 || all[0].Asset != "M" {
		b.tb.Fatalf("status %+v", all)
	}
	return all[0]
}

// samplesOf a derived tag.
func (b *bench) samplesOf(name string) []plant.Sample {
	var out []plant.Sample
	for _, s := range b.out.Samples {
		if b.tags[s.Tag-1].Path == "M/"+name {
			out = append(out, s)
		}
	}
	return out
}

func TestTrainedModelFindsAndExplains(t *testing.T) {
	b := newBench(t, 8)
	b.learn()
	must(t, b.set.Promote(teach(t, b, "ae-1", "rolling")))
	for _, f := range b.run(5000) {
		t.Errorf("finding on a healthy machine: %+v", f)
	}
	for tag := range 8 {
		for _, sign := range []float64{1, -1} {
			b.spoil = func(row int, x []float64, q []plant.Quality) { x[tag] += 3 * sign }
			raised := expect(t, b.run(90), "wpca", plant.Raise)[0]
			if raised.Detector != "autoencoder" || raised.Class != plant.Advisory || raised.Kind != plant.KindAnomaly || !raised.Extrapolated || raised.Score <= raised.Limit || raised.Limit != 5./8 {
				t.Errorf("finding %+v", raised)
			}
			sum := 0.0
			for _, c := range raised.Contributions {
				sum += c.Share
			}
			if math.Abs(sum-1) > 1e-9 {
				t.Errorf("shares sum to %v", sum)
			}
			top := raised.Contributions[0]
			want := map[float64]string{1: "high", -1: "low"}[sign]
			if top.Tag != b.tags[tag].Path || top.Direction != want || sign*(top.Value-top.Expected) < 0.5 || top.Unit != "mm/s" {
				t.Errorf("tag %d %v: led by %+v", tag, sign, top)
			}
			b.spoil = nil
			expect(t, b.run(200), "wpca", plant.Clear)
		}
	}
	if st := b.status(); st.Running != "ae-1" || st.Shadow != "" || st.Fallback != nil || st.Scored < 9000 || st.Missed != 0 {
		t.Errorf("status %+v", st)
	}
}

func TestNoiseIsExplainedByATrainedModel(t *testing.T) {
	b := newBench(t, 8)
	b.learn()
	must(t, b.set.Promote(teach(t, b, "ae-1", "rolling")))
	b.run(100)
	b.spoil = func(row int, x []float64, q []plant.Quality) { x[5] += 6 * (float64(row%2) - 0.5) }
	raised := expect(t, b.run(60), "wpca", plant.Raise)[0]
	if top := raised.Contributions[0]; top.Tag != b.tags[5].Path || top.Direction != "noisy" {
		t.Errorf("led by %+v", top)
	}
}

func TestMaskedTagIsNoFindingOfATrainedModel(t *testing.T) {
	b := newBench(t, 8)
	b.learn()
	must(t, b.set.Promote(teach(t, b, "ae-1", "rolling")))
	b.run(100)
	b.spoil = func(row int, x []float64, q []plant.Quality) { x[3], q[3] = 0, plant.BadSensorFailure }
	none(t, b.run(300), plant.Advisory)
	b.spoil = func(row int, x []float64, q []plant.Quality) {
		for i := range 3 {
			x[i], q[i] = 99, plant.BadDeviceFailure
		}
	}
	none(t, b.run(100), plant.Advisory)
	if p := b.set.machines[0].told.phase; p != "blind" {
		t.Errorf("phase %q, want blind", p)
	}
}

// TestFindingOutlivesTheSwap: who sees a condition changes, the condition does not.
func TestFindingOutlivesTheSwap(t *testing.T) {
	b := newBench(t, 8)
	b.learn()
	b.spoil = func(row int, x []float64, q []plant.Quality) { x[2] += 3 }
	raised := expect(t, b.run(60), "wpca", plant.Raise)[0]
	must(t, b.set.Promote(teach(t, b, "ae-1", "rolling")))
	b.spoil = func(row int, x []float64, q []plant.Quality) { x[2] += 3 + 0.01*float64(row-700) }
	updates := only(b.run(400), "wpca")
	if raised.Detector != "wpca" || len(updates) == 0 {
		t.Fatalf("raised by %s, %d updates", raised.Detector, len(updates))
	}
	for _, f := range updates {
		if f.Phase != plant.Update {
			t.Errorf("finding %+v", f)
		}
	}
	if f := updates[len(updates)-1]; f.Detector != "autoencoder" {
		t.Errorf("updated by %s", f.Detector)
	}
	must(t, b.set.Demote("M"))
	if fs := only(b.run(30), "wpca"); len(fs) > 1 {
		t.Errorf("findings of the way back: %+v", fs)
	}
	b.spoil = nil
	cleared := expect(t, b.run(200), "wpca", plant.Clear)
	if cleared[0].Detector != "wpca" {
		t.Errorf("cleared by %s", cleared[0].Detector)
	}
}

// TestOnlyTheHeirTakesBack: what the trained model alone sees stays open while
// the learned one stands in for it after a restart.
func TestOnlyTheHeirTakesBack(t *testing.T) {
	b := newBench(t, 8)
	b.learn()
	sharp := teach(t, b, "sharp", "rolling")
	sharp.Modes[0].Limit = 0.01 // sees a fault in nearly every row
	must(t, b.set.Promote(sharp))
	expect(t, b.run(100), "wpca", plant.Raise)
	state, err := b.set.MarshalBinary()
	must(t, err)
	b.set = b.fresh()
	if rep, err := b.set.Restore(state); err != nil || len(rep.Fresh) > 0 {
		t.Fatal(err, rep)
	}
	must(t, b.set.Promote(sharp))
	for _, f := range only(b.run(300), "wpca") {
		if f.Phase != plant.Update {
			t.Errorf("after the restart: %+v", f)
		}
	}
}

// TestSwapMissesNothing makes one swap more at a time, in modes that change, and
// holds it against the same samples without that swap, trained models before it
// included: for a span after each, wherever the one before has a score, the one that
// swaps has one, and each row is judged once.
func TestSwapMissesNothing(t *testing.T) {
	const span = 200 // rows: a visit of another mode and a window, so that the new one is in charge at the end
	b := newBench(t, 8)
	a := teach(t, b, "a", "rolling", "threading")
	c := teach(t, b, "c", "rolling")
	promote := func(m *Trained) func(*Set) error { return func(s *Set) error { return s.Promote(m) } }
	demote := func(s *Set) error { return s.Demote("M") }
	swaps := []struct {
		at   int
		make func(*Set) error
	}{
		{1500, promote(a)}, // from what was learned
		{1520, promote(c)}, // before a has a full window
		{1900, func(s *Set) error { return s.Shadow(a) }},
		{2200, promote(a)}, // from the shadow
		{2206, demote},
		{2210, promote(c)},
		{2700, promote(a)},
		{2800, promote(c)}, // from a trained one in charge
		{2900, demote},     // back to what was learned
	}
	var known uint64 // missed, as the Set says
	// run is what is judged with the first of the swaps, until a span after the one that follows.
	run := func(first int) []Row {
		b := newBench(t, 8)
		var rows []Row
		b.watchRows(func(r Row) { rows = append(rows, r) })
		missed := func() {
			for _, st := range b.set.Trained() {
				known += st.Missed
			}
		}
		for i := range swaps[min(first, len(swaps)-1)].at + span {
			b.mode = []string{"rolling", "rolling", "rolling", "threading"}[i/97%4]
			for _, s := range swaps[:first] {
				if s.at == i {
					missed()
					must(t, s.make(b.set))
				}
			}
			b.run(1)
		}
		missed()
		return rows
	}
	missed, by := 0, map[string]int{}
	want := run(0)
	for k, s := range swaps {
		got, lacks := run(k+1), 0
		for i := range want {
			if i >= len(got) || got[i].Time != want[i].Time {
				t.Fatalf("swap at %d: row %d is not judged once", s.at, i)
			}
			if math.IsNaN(got[i].Score) && !math.IsNaN(want[i].Score) {
				lacks++
			}
			if i >= s.at && !math.IsNaN(got[i].Score) {
				by[got[i].Model]++
			}
		}
		if lacks > 0 {
			t.Errorf("swap at %d: %d rows without a score that the model before would have given", s.at, lacks)
		}
		missed += lacks
		want = got
	}
	if by["a"] < 100 || by["c"] < 200 || by[plant.LearnedModel] < 300 {
		t.Errorf("rows after the swaps judged by %v", by)
	}
	if known > 0 {
		t.Errorf("the Set knows of %d rows without a score", known)
	}
	if os.Getenv("MILLWRIGHT_FIGURES") == "1" {
		fmt.Printf("FIGURE users.swap_missed_samples %d rows\n", missed)
	}
	t.Logf("%d rows missed in %d swaps; rows after them judged by %v", missed, len(swaps), by)
}

// TestOtherModesKeepWhatWasLearned: a bundle judges in the modes that it names.
func TestOtherModesKeepWhatWasLearned(t *testing.T) {
	b := newBench(t, 4)
	var last Row
	b.watchRows(func(r Row) { last = r })
	for range 10 {
		for _, m := range []string{"rolling", "threading"} {
			b.mode = m
			b.run(150)
		}
	}
	must(t, b.set.Promote(teach(t, b, "ae-1", "threading")))
	for _, want := range []string{plant.LearnedModel, "ae-1", plant.LearnedModel, "ae-1"} {
		b.mode = map[string]string{"ae-1": "threading"}[want]
		if b.mode == "" {
			b.mode = "rolling"
		}
		b.run(100)
		if last.Model != want || math.IsNaN(last.Score) {
			t.Errorf("mode %s is judged by %s, score %v", last.Mode, last.Model, last.Score)
		}
	}
	var told []string
	for _, s := range b.out.States {
		if b.tags[s.Tag-1].Path != "M/$MODEL" {
			continue
		}
		var st plant.ModelState
		must(t, json.Unmarshal([]byte(s.Value), &st))
		told = append(told, st.Mode+" "+st.Model)
		if st.Model == "ae-1" && (st.Limit != 5./8 || len(st.Bands) != 4) {
			t.Errorf("told %+v", st)
		}
	}
	for _, want := range []string{"threading ae-1", "rolling learned"} {
		if !slices.Contains(told[len(told)-4:], want) {
			t.Errorf("told %q, not %q", told[len(told)-4:], want)
		}
	}
}

// TestLearningGoesOnUnderATrainedModel: an asset that was never commissioned may
// be watched at once, and still learns.
func TestLearningGoesOnUnderATrainedModel(t *testing.T) {
	b := newBench(t, 8)
	var last Row
	b.watchRows(func(r Row) { last = r })
	must(t, b.set.Promote(teach(t, b, "ae-1", "rolling")))
	b.run(100)
	if last.Phase != "monitoring" || last.Model != "ae-1" {
		t.Errorf("row %+v", last)
	}
	if told := b.out.States[len(b.out.States)-1].Value; !strings.Contains(told, `"learned":0.1`) {
		t.Errorf("told %s", told)
	}
	must(t, b.set.Demote("M")) // nothing is learned yet
	b.run(1)
	if last.Phase != "learning" || !math.IsNaN(last.Score) {
		t.Errorf("row %+v", last)
	}
	must(t, b.set.Promote(teach(t, b, "ae-1", "rolling")))
	b.run(benchLearn)
	m := &b.set.machines[0]
	if m.minds[1].model == nil || last.Model != "ae-1" {
		t.Fatalf("model %v, judged by %s", m.minds[1].model, last.Model)
	}
	must(t, b.set.Demote("M"))
	b.run(1)
	if last.Model != plant.LearnedModel || math.IsNaN(last.Score) {
		t.Errorf("row %+v", last)
	}
}

func TestShadowTellsWhatItWouldSay(t *testing.T) {
	b := newBench(t, 8)
	b.learn()
	must(t, b.set.Shadow(teach(t, b, "ae-1", "rolling")))
	b.run(200)
	if st := b.status(); st.Running != plant.LearnedModel || st.Shadow != "ae-1" || st.Shadowed < 100 || st.Scored != 0 {
		t.Errorf("status %+v", st)
	}
	if n := len(b.samplesOf("$SHADOW")); n < 10 || n > 140 {
		t.Errorf("%d samples of $SHADOW in 140 rows", n)
	}
	b.spoil = func(row int, x []float64, q []plant.Quality) { x[2] += 3 }
	b.run(80)
	would := b.samplesOf("$WOULD")
	if last := would[len(would)-1]; last.Value != 1 {
		t.Errorf("$WOULD %+v while the machine is broken", last)
	}
	b.spoil = nil
	b.run(200)
	if would = b.samplesOf("$WOULD"); would[len(would)-1].Value != 0 {
		t.Error("$WOULD stays 1")
	}
	b.spoil = func(row int, x []float64, q []plant.Quality) { x[2] += 3 }
	b.run(80)
	b.set.Unshadow("M")
	b.set.Unshadow("nobody")
	b.run(5)
	if would = b.samplesOf("$WOULD"); would[len(would)-1].Value != 0 {
		t.Error("$WOULD says 1 though there is no shadow")
	}
	n := len(b.samplesOf("$SHADOW"))
	if b.run(50); len(b.samplesOf("$SHADOW")) != n || len(b.set.Trained()) != 0 {
		t.Error("the shadow goes on")
	}
}

// TestShadowNeverAlarms gives shadows of any weights, limits and laws to a
// machine that breaks: what it says otherwise is what it says without one.
func TestShadowNeverAlarms(t *testing.T) {
	long(t)
	b := newBench(t, 6, eventful)
	in := record(b)
	alone := feed(b.fresh(), in)
	rapid.Check(t, func(rt *rapid.T) {
		seed := rapid.Uint64().Draw(rt, "seed")
		rng := rand.New(rand.NewPCG(seed, 1))
		spread := rapid.SampledFrom([]float64{0, 0.05, 1, 1e20}).Draw(rt, "spread")
		shadow := &Trained{ID: "any", Asset: "M", Grid: time.Second}
		for _, mode := range rapid.SampledFrom([][]string{{"rolling"}, {"rolling", "threading"}, {"new one"}}).Draw(rt, "modes") {
			d := TrainedMode{Mode: mode, Reach: rapid.Float64Range(0.1, 1000).Draw(rt, "reach"), Limit: rapid.Float64Range(1e-6, 7.9).Draw(rt, "limit"), Law: someLaw(seed, 200)}
			order := rng.Perm(6)[:rapid.IntRange(1, 6).Draw(rt, "tags")]
			for _, i := range order {
				d.Tags = append(d.Tags, b.tags[i].Path)
				d.Mean, d.Scale = append(d.Mean, 10*rng.Float64()), append(d.Scale, 0.1+rng.Float64())
			}
			d.Network = anyNetwork(rng, rapid.IntRange(1, 24).Draw(rt, "window"), len(order), spread)
			shadow.Modes = append(shadow.Modes, d)
		}
		from := rapid.IntRange(0, len(in)).Draw(rt, "from")
		to := rapid.IntRange(from, len(in)).Draw(rt, "to")
		set := b.fresh()
		got := feed(set, in[:from])
		for i, part := range [][]plant.Batch{in[from:to], in[to:]} {
			if i == 0 {
				if err := set.Shadow(shadow); err != nil {
					rt.Fatal(err)
				}
			} else {
				set.Unshadow("M")
			}
			more := feed(set, part)
			got.Findings = append(got.Findings, more.Findings...)
			got.Samples = append(got.Samples, more.Samples...)
			got.States = append(got.States, more.States...)
		}
		if !reflect.DeepEqual(got.Findings, alone.Findings) {
			rt.Fatalf("%d findings with a shadow, %d without", len(got.Findings), len(alone.Findings))
		}
		got.Samples = slices.DeleteFunc(got.Samples, func(s plant.Sample) bool {
			return strings.HasSuffix(b.tags[s.Tag-1].Path, plant.TagShadow) || strings.HasSuffix(b.tags[s.Tag-1].Path, plant.TagWould)
		})
		if !reflect.DeepEqual(got.Samples, alone.Samples) {
			rt.Fatal("scores differ with a shadow")
		}
	})
}

// failing runs a promoted model that is spoiled behind Check's back, and expects
// that the learned one goes on in the very row.
func failing(t *testing.T, why string, spoil func(*Trained), change ...func(*Config)) *bench {
	t.Helper()
	b := newBench(t, 8)
	var rows []Row
	b.watchRows(func(r Row) { rows = append(rows, r) }, change...)
	b.learn()
	bad := teach(t, b, "bad", "rolling", "threading")
	must(t, b.set.Promote(bad))
	b.run(100)
	if st := b.status(); st.Running != "bad" || st.Scored == 0 {
		t.Fatalf("%s: status %+v", why, st)
	}
	spoil(bad)
	n := len(rows)
	fs := b.run(100)
	raised := expect(t, fs, "model/M", plant.Raise)[0]
	if raised.Kind != plant.KindModel || raised.Class != plant.SystemFault || raised.Priority != 3 || raised.Asset != "M" || raised.Detector != why {
		t.Errorf("%s: %+v", why, raised)
	}
	none(t, fs, plant.Advisory)
	for _, r := range rows[n:] {
		if math.IsNaN(r.Score) || r.Time >= raised.Time && r.Model != plant.LearnedModel {
			t.Fatalf("%s: row %+v", why, r)
		}
	}
	st := b.status()
	if st.Running != plant.LearnedModel || st.Missed != 0 || st.Fallback == nil || *st.Fallback != (Fallback{ID: "bad", Why: why, Time: raised.Time}) {
		t.Errorf("%s: status %+v, fallback %+v", why, st, st.Fallback)
	}
	return b
}

func noNumber(t *Trained) { t.Modes[0].Network.Layers[0].W[0] = float32(math.NaN()) }

func TestModelWithoutANumberIsDropped(t *testing.T) {
	b := failing(t, "nan", noNumber)
	// The finding is over when a model runs again.
	must(t, b.set.Promote(teach(t, b, "good", "rolling")))
	if st := b.status(); st.Running != "good" || st.Fallback != nil {
		t.Errorf("status %+v", st)
	}
	cleared := expect(t, b.run(100), "model/M", plant.Clear)[0]
	if late := rowOf(cleared.Time, time.Second) - b.row; late > -30 {
		t.Errorf("cleared before the window was full")
	}

	b = failing(t, "nan", func(t *Trained) {
		for _, l := range t.Modes[0].Network.Layers {
			for i := range l.W {
				l.W[i] = 1e30 // finite, and its sums are not
			}
		}
	})
	// It fails again, and again: one finding.
	for i := range 3 {
		bad := teach(t, b, fmt.Sprint("bad", i), "rolling")
		must(t, b.set.Promote(bad))
		noNumber(bad)
		for _, f := range only(b.run(100), "model/M") {
			if f.Phase != plant.Update {
				t.Errorf("finding %+v", f)
			}
		}
	}
	// Or when somebody says that the learned one it shall be.
	must(t, b.set.Demote("M"))
	expect(t, b.run(2), "model/M", plant.Clear)
}

func TestPanickingModelIsDropped(t *testing.T) {
	failing(t, "panic", func(t *Trained) { t.Modes[0].Network.Layers[1].W = nil })
}

// ticking is a clock that each look moves on by a step.
type ticking struct{ now, step int64 }

func (c *ticking) read() int64 {
	c.now += c.step
	return c.now
}

func TestSlowModelIsDropped(t *testing.T) {
	clock := &ticking{step: int64(5 * time.Millisecond)}
	timed := func(c *Config) { c.Clock = clock.read }
	failing(t, "slow", func(*Trained) { clock.step++ }, timed)

	// Four slow rows in succession are a busy processor.
	clock.step = 1
	b := newBench(t, 4)
	b.watchRows(nil, timed)
	b.learn()
	must(t, b.set.Promote(teach(t, b, "a", "rolling")))
	b.run(100)
	for range 20 {
		clock.step = int64(time.Second)
		b.run(4)
		clock.step = 1
		b.run(1)
	}
	if st := b.status(); st.Running != "a" {
		t.Errorf("status %+v", st)
	}
}

func TestMisbehavingShadowLeavesQuietly(t *testing.T) {
	f := func(why string, spoil func(*Trained)) {
		t.Helper()
		b := newBench(t, 8)
		b.learn()
		must(t, b.set.Promote(teach(t, b, "good", "rolling")))
		bad := teach(t, b, "bad", "rolling")
		must(t, b.set.Shadow(bad))
		b.run(100)
		spoil(bad)
		for _, f := range b.run(100) {
			t.Errorf("%s: finding %+v", why, f)
		}
		st := b.status()
		if st.Running != "good" || st.Shadow != "" || st.Fallback == nil || st.Fallback.ID != "bad" || st.Fallback.Why != why || !st.Fallback.Shadow {
			t.Errorf("%s: status %+v %+v", why, st, st.Fallback)
		}
	}
	f("nan", noNumber)
	f("panic", func(t *Trained) { t.Modes[0].Network.Layers[0].W = t.Modes[0].Network.Layers[0].W[:7] })
}

// TestSuccessorThatFailsNeverTakesOver: a successor that fails before it was ever
// in charge changes nothing but the status.
func TestSuccessorThatFailsNeverTakesOver(t *testing.T) {
	b := newBench(t, 8)
	var rows []Row
	b.watchRows(func(r Row) { rows = append(rows, r) })
	b.learn()
	must(t, b.set.Promote(teach(t, b, "a", "rolling")))
	b.run(100)
	bad := teach(t, b, "bad", "rolling")
	must(t, b.set.Promote(bad))
	noNumber(bad)
	n := len(rows)
	expect(t, b.run(100), "model/M", plant.Raise)
	for _, r := range rows[n:] {
		if math.IsNaN(r.Score) || r.Model == "bad" {
			t.Fatalf("row %+v", r)
		}
	}
}

// withModels runs a trace in which a trained model takes over and another one
// watches, from row 650 on.
func withModels(tb testing.TB, b *bench, in []plant.Batch, cut func([]plant.Batch) []plant.Batch) plant.Batch {
	tb.Helper()
	s := b.fresh()
	out := feed(s, cut(in[:650]))
	must(tb, s.Promote(teach(tb, b, "a", "rolling")))
	must(tb, s.Shadow(teach(tb, b, "c", "rolling", "threading")))
	rest := feed(s, cut(in[650:]))
	out.Findings = append(out.Findings, rest.Findings...)
	out.Samples = append(out.Samples, rest.Samples...)
	out.States = append(out.States, rest.States...)
	return out
}

func TestTrainedFindingsDoNotDependOnBatches(t *testing.T) {
	b := newBench(t, 8, eventful)
	in := record(b)
	whole := func(in []plant.Batch) []plant.Batch { return in }
	want := withModels(t, b, in, whole)
	neural := 0
	for _, f := range want.Findings {
		if f.Detector == detectorNeural {
			neural++
		}
	}
	if neural < 2 {
		t.Fatalf("only %d findings of the trained model", neural)
	}
	if got := withModels(t, b, in, whole); !reflect.DeepEqual(got, want) {
		t.Error("a second run differs")
	}
	got := withModels(t, b, in, func(in []plant.Batch) []plant.Batch {
		var single []plant.Batch
		for _, x := range in {
			single = append(single, plant.Batch{States: x.States})
			for _, s := range x.Samples {
				single = append(single, plant.Batch{Samples: []plant.Sample{s}})
			}
		}
		return single
	})
	if !reflect.DeepEqual(got, want) {
		t.Error("other batches, other findings")
	}
}

// TestRestartUnderATrainedModel saves, restores and promotes again, in the middle
// of a fault and of none: nothing is told twice or taken back, no row is without a
// score, and once the window is full everything is as if nothing had happened.
func TestRestartUnderATrainedModel(t *testing.T) {
	b := newBench(t, 8, func(b *bench) {
		b.spoil = func(row int, x []float64, q []plant.Quality) {
			if row > 800 && row < 1100 {
				x[3] += 3
			}
		}
	})
	in := record(b)
	ae := teach(t, b, "a", "rolling")
	run := func(cut int) (fs []plant.Finding, rows []Row) {
		b.watchRows(func(r Row) { rows = append(rows, r) })
		var out plant.Batch
		for i, x := range in {
			if i == 700 {
				must(t, b.set.Promote(ae))
			}
			if i == cut {
				state, err := b.set.MarshalBinary()
				must(t, err)
				b.watchRows(func(r Row) { rows = append(rows, r) })
				rep, err := b.set.Restore(state)
				if err != nil || len(rep.Fresh) > 0 {
					t.Fatal(err, rep)
				}
				must(t, b.set.Promote(ae))
			}
			b.set.Observe(&out, x)
		}
		return out.Findings, rows
	}
	want, wantRows := run(-1)
	if expect(t, want, "wpca", plant.Raise, plant.Clear)[0].Detector != detectorNeural {
		t.Fatal("not the trained model's finding")
	}
	for _, cut := range []int{760, 850, 1000, 1200} {
		got, rows := run(cut)
		if len(rows) != len(wantRows) {
			t.Fatalf("cut %d: %d rows, want %d", cut, len(rows), len(wantRows))
		}
		expect(t, got, "wpca", plant.Raise, plant.Clear)
		for i, r := range rows {
			w := wantRows[i]
			if math.IsNaN(r.Score) && !math.IsNaN(w.Score) {
				t.Fatalf("cut %d: row %d has no score, want %v", cut, i, w.Score)
			}
			away := i >= cut-2 && i <= cut+trainedWindow+2 || i > 880 && i < 1010 // idle: the learned one stands in for longer
			if !away && !math.IsNaN(r.Score) && (r.Score != w.Score || r.Model != w.Model) {
				t.Fatalf("cut %d: row %d: %v of %s, want %v of %s", cut, i, r.Score, r.Model, w.Score, w.Model)
			}
		}
	}
}

// TestDroppedModelIsRememberedOverARestart: its finding must not stay for ever.
func TestDroppedModelIsRememberedOverARestart(t *testing.T) {
	b := failing(t, "nan", noNumber)
	state, err := b.set.MarshalBinary()
	must(t, err)
	b.set = b.fresh()
	must(t, b.set.UnmarshalBinary(state))
	must(t, b.set.Promote(teach(t, b, "good", "rolling")))
	expect(t, b.run(100), "model/M", plant.Clear)
}

func TestCheckNamesEveryFault(t *testing.T) {
	b := newBench(t, 4)
	good := teach(t, b, "x", "rolling")
	f := func(change func(*Trained), want ...string) {
		t.Helper()
		m := copied(good)
		if err := b.set.Check(m); err != nil {
			t.Fatal(err)
		}
		change(m)
		err := b.set.Check(m)
		if !errors.Is(err, ErrFit) {
			t.Errorf("want %q, got %v", want, err)
			return
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%v: does not say %q", err, w)
			}
		}
		if b.set.Promote(m) == nil || b.set.Shadow(m) == nil || len(b.set.Trained()) > 0 {
			t.Errorf("%q: taken all the same", want)
		}
	}
	mode := func(change func(*TrainedMode)) func(*Trained) {
		return func(t *Trained) { change(&t.Modes[0]) }
	}
	f(func(t *Trained) { t.Asset = "N" }, `no asset "N"`)
	f(func(t *Trained) { t.ID = "" }, "id")
	f(func(t *Trained) { t.ID = plant.LearnedModel }, "id")
	f(func(t *Trained) { t.Grid = time.Minute }, "rows of 1m0s", "rows of 1s")
	f(func(t *Trained) { t.Modes = nil }, "names no mode")
	f(func(t *Trained) { t.Modes = append(t.Modes, t.Modes[0]) }, `"rolling": named twice`)
	f(mode(func(m *TrainedMode) { m.Mode = "idle" }), "the machine stands")
	f(mode(func(m *TrainedMode) { m.Mode = "" }), "without a name")
	f(mode(func(m *TrainedMode) { m.Tags[1] = "M/XX" }), `"M/XX" is not watched`)
	f(mode(func(m *TrainedMode) { m.Tags[1] = "M/MODE" }), `"M/MODE" is not watched`)
	f(mode(func(m *TrainedMode) { m.Tags[1] = m.Tags[0] }), "named twice")
	f(mode(func(m *TrainedMode) { m.Tags = m.Tags[:3] }), "takes 4 tags, it names 3", "3 tags, 4 means, 4 scales")
	f(mode(func(m *TrainedMode) { m.Network = nil }), "no network")
	f(mode(func(m *TrainedMode) { m.Network.Window = 59 }), "layer 0 does not fit")
	f(mode(func(m *TrainedMode) { m.Mean[0] = math.NaN() }), "mean NaN")
	f(mode(func(m *TrainedMode) { m.Scale[0] = 0 }), "scale 0")
	f(mode(func(m *TrainedMode) { m.Reach = math.Inf(1) }), "reach +Inf")
	f(mode(func(m *TrainedMode) { m.Law = Law{} }), "share 0")
	f(mode(func(m *TrainedMode) { m.Limit = 8 }), "limit 8")
	f(mode(func(m *TrainedMode) { m.Limit, m.Scale[0], m.Tags[2] = 0, -1, "Z" }), "limit 0", "scale -1", `"Z"`)
	f(func(t *Trained) {
		for i := range maxModes {
			m := t.Modes[0]
			m.Mode = fmt.Sprint("mode ", i)
			t.Modes = append(t.Modes, m)
		}
	}, "no room")

	// A mode that the PLC has not named yet is as good as any; rules name all theirs.
	if err := b.set.Check(teach(t, b, "x", "reversing")); err != nil {
		t.Error(err)
	}
	ruled := newBench(t, 4, func(b *bench) { b.asset.ModeTag = "" })
	if err := ruled.set.Check(teach(t, b, "x", "reversing")); err == nil || !strings.Contains(err.Error(), "no such mode") {
		t.Errorf("error %v", err)
	}
	off := newBench(t, 4, func(b *bench) { b.asset.Model.Off = true })
	if err := off.set.Check(teach(t, b, "x", "rolling")); err == nil || !strings.Contains(err.Error(), "is off") {
		t.Errorf("error %v", err)
	}
	if err := b.set.Check(nil); !errors.Is(err, ErrFit) {
		t.Errorf("error %v", err)
	}
	if err := b.set.Demote("N"); !errors.Is(err, ErrFit) {
		t.Errorf("error %v", err)
	}
}

// TestModeThatComesLater: a bundle may know a mode that this edge has not met.
func TestModeThatComesLater(t *testing.T) {
	b := newBench(t, 8)
	var last Row
	b.watchRows(func(r Row) { last = r })
	must(t, b.set.Promote(teach(t, b, "a", "reversing")))
	b.run(50)
	state, err := b.set.MarshalBinary()
	must(t, err)
	must(t, b.fresh().UnmarshalBinary(state))
	b.mode = "reversing"
	b.run(100)
	if last.Model != "a" || last.Mode != "reversing" {
		t.Errorf("row %+v", last)
	}
}

func TestDerivedTags(t *testing.T) {
	tags := Derived([]plant.Asset{{Path: "A"}, {Path: "B", Model: plant.Model{Off: true}}})
	var got []string
	for _, x := range tags {
		if !x.Derived {
			t.Errorf("%+v", x)
		}
		got = append(got, x.Path)
	}
	want := []string{"A/$SCORE", "A/$HEALTH", "A/$MODE", "A/$MODEL", "A/$SHADOW", "A/$WOULD", "B/$SCORE", "B/$HEALTH", "B/$MODE", "B/$MODEL"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// FuzzTrained reads a model as it comes in a bundle, with any network of its size.
// What Check passes runs, and what it says is finite.
func FuzzTrained(f *testing.F) {
	mk := func(tb testing.TB) *bench {
		return newBench(tb, 3, func(b *bench) { b.asset.Model.Learn = 60 * time.Second })
	}
	b := mk(f)
	for _, modes := range [][]string{{"rolling"}, {"rolling", "new"}, nil} {
		text, err := json.Marshal(teach(f, b, "x", modes...))
		must(f, err)
		f.Add(text, uint8(10), 1.0)
	}
	f.Fuzz(func(t *testing.T, text []byte, window uint8, spread float64) {
		var m Trained
		if json.Unmarshal(text, &m) != nil || len(m.Modes) > 8 {
			return
		}
		for i := range m.Modes {
			d := &m.Modes[i]
			d.Network = anyNetwork(rand.New(rand.NewPCG(1, 2)), 1+int(window%32), min(max(1, len(d.Tags)), autoencoder.MaxTags), spread)
		}
		b := mk(t)
		if b.set.Check(&m) != nil {
			return
		}
		must(t, b.set.Shadow(&m))
		b.run(70)
		must(t, b.set.Promote(&m))
		b.spoil = func(row int, x []float64, q []plant.Quality) { x[0] = math.MaxFloat64 }
		b.run(70)
		for _, s := range b.out.Samples {
			if !(s.Value >= 0 && s.Value <= 1) {
				t.Fatalf("derived sample %+v", s)
			}
		}
		if _, err := json.Marshal(b.out.Findings); err != nil {
			t.Fatal(err)
		}
	})
}
