package ingest_test

import (
	"slices"
	"testing"
	"time"

	"millwright/plant"
	"millwright/sparkplug"
)

// TestForeignWaveforms: a FloatArray of any edge is a waveform; one that is none is
// told of, and what stands beside it is stored.
func TestForeignWaveforms(t *testing.T) {
	t.Parallel()
	b := newNATS(t)
	m := newMemory()
	h := startHost(t, b.url(), m, nil, nil)
	f := &foreign{peer: newPeer(t, b.url()), node: "other"}
	eventually(t, "host online", 5*time.Second, func() bool { return len(f.heard(sparkplug.STATE)) > 0 })
	f.p.SetNodeBirth(time.Now().UnixNano(), 1)
	f.p.Declare(time.Now().UnixNano(), "Wave", 3, sparkplug.FloatArray, sparkplug.Value{}, false)
	f.p.Declare(time.Now().UnixNano(), "Speed", 4, sparkplug.Double, sparkplug.Value{}, false)
	f.pay(sparkplug.NBIRTH, f.node, "", &f.p)

	want := plant.Waveform{Time: 1000 * ms, Values: []float32{1, -2, 0.5}}
	f.p.Begin(time.Now().UnixNano(), 1)
	f.p.AddWaveform(&want, 3, false, nil)
	f.p.AddWaveform(&plant.Waveform{Time: 2000 * ms}, 3, false, nil) // null
	f.p.AddSample(plant.Sample{Time: 1000 * ms, Value: 7}, 4, false)
	bad := f.p.Metrics[0]
	bad.Time, bad.Value.Bytes = 3000*ms, make([]byte, 7)
	f.p.Metrics = append(f.p.Metrics, bad)
	f.pay(sparkplug.NDATA, f.node, "", &f.p)
	eventually(t, "two waveforms and a sample", 5*time.Second, func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		return len(m.waves) >= 2 && len(m.values) == 1
	})
	m.mu.Lock()
	defer m.mu.Unlock()
	id := m.ids["mill/other/Wave"].ID
	if got := m.waves[0]; got.Tag != id || got.Time != want.Time || got.Rate != 0 || !slices.Equal(got.Values, want.Values) {
		t.Errorf("%+v", got)
	}
	if got := m.waves[1]; len(m.waves) != 2 || got.Quality != plant.BadNoData || len(got.Values) != 0 || m.ids["mill/other/Wave"].Kind != plant.Burst {
		t.Errorf("%d waveforms, %+v, kind %s", len(m.waves), got, m.ids["mill/other/Wave"].Kind)
	}
	if c := h.Counts(); c.Unreadable != 1 {
		t.Errorf("%+v", c)
	}
}
