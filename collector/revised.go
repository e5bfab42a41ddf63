package collector

import (
	"cmp"
	"slices"
	"time"

	"millwright/plant"
)

const (
	mostRevised     = 20 // tags listed in the status
	mostOverflowing = 20
)

// deadbandPlace says who applies the deadband of tag i: "server", "edge", "none"
// where its percentage has no range, "" where it has no deadband.
func (e *engine) deadbandPlace(i int) string {
	switch b, it := e.tr.bands[i], &e.items.list[i]; {
	case b == nil:
		return ""
	case b.width == 0:
		return plant.DeadbandNone
	case it.filtered:
		return plant.DeadbandServer
	}
	return plant.DeadbandEdge
}

// revised lists what the server grants otherwise than asked, as far as the
// status takes, and counts it all.
func (e *engine) revised() (list []plant.RevisedTag, count int, bands plant.Deadbands) {
	for i := range e.items.list {
		it, t := &e.items.list[i], &e.items.tags[i]
		place := e.deadbandPlace(i)
		switch place {
		case plant.DeadbandServer:
			bands.Server++
		case plant.DeadbandEdge:
			bands.Edge++
		case plant.DeadbandNone:
			bands.None++
		}
		if !it.monitored || it.queue == 0 { // made by a process before this one: nobody here was told
			continue
		}
		queue := queueSize(t, e.sub.publishing)
		if it.queue == queue && it.sampling == t.Sampling && (place == "" || place == plant.DeadbandServer) {
			continue
		}
		if count++; count <= mostRevised {
			list = append(list, plant.RevisedTag{Tag: t.Path, SamplingMS: inMillis(t.Sampling), GrantedSamplingMS: inMillis(it.sampling),
				Queue: queue, GrantedQueue: it.queue, Deadband: place})
		}
	}
	return list, count, bands
}

func inMillis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// showRevised puts what the server grants into the status.
func (e *engine) showRevised() {
	list, count, bands := e.revised()
	e.src.board.update(false, func(s *plant.PLCStatus) {
		bands.Thinned = e.tr.thinned
		s.PublishingMS, s.KeepAliveMS, s.NoPulse = inMillis(e.sub.publishing), inMillis(time.Duration(e.sub.keepAlive)*e.sub.publishing), e.pulse.refused
		s.Revised, s.RevisedCount, s.Deadbands = list, count, bands
	})
}

// overflowing lists the tags whose queues at the server ran over most often.
func (t *translator) overflowing() []plant.TagCount {
	var list []plant.TagCount
	for i, n := range t.spilled {
		if n > 0 {
			list = append(list, plant.TagCount{Tag: t.tags[i].Path, Count: n})
		}
	}
	slices.SortFunc(list, func(a, b plant.TagCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Tag, b.Tag))
	})
	return list[:min(len(list), mostOverflowing)]
}
