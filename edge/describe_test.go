package edge

import (
	"log/slog"
	"testing"
	"time"

	"millwright/plant"
)

// telling is a source that learns units.
type telling struct {
	*script
	tags    []plant.Tag
	version uint64
}

func (s *telling) Described(version uint64) ([]plant.Tag, uint64) {
	if version == s.version {
		return nil, version
	}
	return append([]plant.Tag(nil), s.tags...), s.version
}

type reborn struct {
	sent
	births int
}

func (r *reborn) Rebirth() { r.births++ }

func TestDescribe(t *testing.T) {
	src := &telling{script: &script{}}
	a, _ := newAgent(t, src.script)
	a.Log = slog.New(slog.DiscardHandler)
	up := &reborn{}
	p := &a.PLCs[0]
	a.Uplink, p.Source, src.tags = up, src, append([]plant.Tag(nil), p.Tags...)
	unit := func() string {
		for _, x := range a.Queue.Tags() {
			if x.Path == p.Tags[7].Path {
				return x.Unit
			}
		}
		return "none"
	}
	var d description
	now := time.Now()
	look := func() { now = now.Add(describeTime); a.describe(p, &d, now) }
	look()
	src.version = 1
	if look(); up.births != 0 {
		t.Error("nothing is new")
	}
	src.version, src.tags[7].Unit = 2, "°C"
	a.describe(p, &d, now.Add(time.Second))
	if up.births != 0 {
		t.Error("too soon")
	}
	look()
	look()
	if up.births != 1 || unit() != "°C" || p.Tags[7].Unit != "" {
		t.Errorf("%d births, unit %q, models see %q", up.births, unit(), p.Tags[7].Unit)
	}
}
