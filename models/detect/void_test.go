package detect

import (
	"math"
	"testing"

	"millwright/plant"
)

// gap hands the Set a gap of tag i that ends at the next row.
func (b *bench) gap(i int, why string) plant.Batch {
	var out plant.Batch
	t := rowTime(b.row, 1e9)
	b.set.Observe(&out, plant.Batch{Gaps: []plant.Gap{{Tag: plant.TagID(i + 1), From: t - 5e8, To: t, Reason: why}}})
	return out
}

// TestQuarantineMakesBlind: tags in quarantine send nothing and have a declared
// gap. With few of them the model goes on without, with many it says that it is
// blind. No sensor is accused.
func TestQuarantineMakesBlind(t *testing.T) {
	b := newBench(t, 8)
	b.learn()
	away := 1
	b.spoil = func(_ int, x []float64, _ []plant.Quality) {
		for i := range away {
			x[i] = math.Inf(-1)
		}
	}
	phase := func() string { return b.set.machines[0].told.phase }
	b.gap(0, plant.GapQuarantined)
	if fs := b.run(300); len(fs) > 0 || phase() != "monitoring" {
		t.Errorf("one tag away: phase %q, %v", phase(), fs)
	}
	away = 5
	for i := range away {
		b.gap(i, plant.GapQuarantined)
	}
	if fs := b.run(300); len(fs) > 0 || phase() != "blind" {
		t.Errorf("five tags away: phase %q, %v", phase(), fs)
	}
	b.spoil = nil
	if fs := b.run(300); len(fs) > 0 || phase() != "monitoring" {
		t.Errorf("all back: phase %q, %v", phase(), fs)
	}
}

// TestVoid: a tag that is released as rescaled makes its asset learn afresh: the
// numbers of the new scale are no anomaly, and what was open ends.
func TestVoid(t *testing.T) {
	for _, why := range []string{plant.GapRescaled, plant.GapReplaced} {
		b := newBench(t, 8)
		b.learn()
		model := b.set.machines[0].minds[1].model
		scale := 1.0
		b.spoil = func(_ int, x []float64, _ []plant.Quality) { x[2] *= scale }
		scale = 3
		expect(t, b.run(600), "wpca", plant.Raise) // what would happen without
		out := b.gap(2, why)
		if len(out.Findings) != 1 || out.Findings[0].Key != plant.AnyKey || out.Findings[0].Phase != plant.Clear || out.Findings[0].Asset != "M" || out.Findings[0].Time == 0 {
			t.Errorf("%s: %+v", why, out.Findings)
		}
		m := &b.set.machines[0]
		if m.minds[1].model != nil || m.done != 0 || m.say.open {
			t.Errorf("%s: it remembers", why)
		}
		if fs := b.run(50); len(fs) > 0 || m.told.phase != "learning" {
			t.Errorf("%s: phase %q, %v", why, m.told.phase, fs)
		}
		b.learn()
		none(t, b.run(600), plant.Advisory)
		if now := m.minds[1].model; now == nil || now == model {
			t.Errorf("%s: nothing was learned", why)
		}
		again := b.fresh()
		state, err := b.set.MarshalBinary()
		if err == nil {
			_, err = again.Restore(state)
		}
		if err != nil {
			t.Errorf("%s: %v", why, err)
		}
	}
}

// TestVoidDropsTrainedModel: a bundle that was trained with the old quantity does
// not judge the new one.
func TestVoidDropsTrainedModel(t *testing.T) {
	b := newBench(t, 8)
	b.learn()
	must(t, b.set.Promote(teach(t, b, "ae-1", "rolling")))
	b.run(200)
	out := b.gap(2, plant.GapReplaced)
	if len(out.Findings) != 2 || out.Findings[1].Kind != plant.KindModel || out.Findings[1].Phase != plant.Raise {
		t.Errorf("%+v", out.Findings)
	}
	s := b.set.Trained()
	if len(s) != 1 || s[0].Running != plant.LearnedModel || s[0].Fallback == nil || s[0].Fallback.Why != "void" || s[0].Fallback.ID != "ae-1" {
		t.Errorf("%+v", s)
	}
	if fs := b.run(50); len(fs) > 0 {
		t.Error(fs)
	}
}
