package edge

import (
	"millwright/edge/queue"
	"millwright/plant"
)

// A record is one message: below 64 KiB but for a waveform, and of one device.
const (
	samplesPerRecord  = 2000
	statesPerRecord   = 200
	gapsPerRecord     = 1500
	findingsPerRecord = 1

	smaller = 8 // records on a thin link
)

// groups sorts a batch by device, reusing its memory from call to call.
type groups struct {
	names  []string
	byName map[string]*plant.Batch
	small  bool
}

// most is how many of something a record takes.
func (g *groups) most(n int) int {
	if g.small {
		return n / smaller
	}
	return n
}

// split appends the drafts that carry b: findings and gaps for the node, the rest
// for its devices, each waveform by itself. The drafts refer to b and to the groups.
func (g *groups) split(dst []queue.Draft, b plant.Batch, device map[plant.TagID]string) []queue.Draft {
	for _, part := range chunks(b.Findings, findingsPerRecord) {
		dst = append(dst, queue.Draft{Lane: queue.Findings, Batch: plant.Batch{Findings: part}})
	}
	for _, part := range chunks(b.Gaps, g.most(gapsPerRecord)) {
		dst = append(dst, queue.Draft{Lane: queue.Findings, Batch: plant.Batch{Gaps: part}})
	}
	if g.byName == nil {
		g.byName = map[string]*plant.Batch{}
	}
	g.names = g.names[:0]
	for _, s := range b.Samples {
		group := g.of(device[s.Tag])
		group.Samples = append(group.Samples, s)
	}
	for _, s := range b.States {
		group := g.of(device[s.Tag])
		group.States = append(group.States, s)
	}
	for i := range b.Waveforms {
		dst = append(dst, queue.Draft{Lane: queue.Waveforms, Device: device[b.Waveforms[i].Tag], Batch: plant.Batch{Waveforms: b.Waveforms[i : i+1]}})
	}
	for _, name := range g.names {
		group := g.byName[name]
		for _, part := range chunks(group.Samples, g.most(samplesPerRecord)) {
			dst = append(dst, queue.Draft{Lane: queue.Telemetry, Device: name, Batch: plant.Batch{Samples: part}})
		}
		for _, part := range chunks(group.States, g.most(statesPerRecord)) {
			dst = append(dst, queue.Draft{Lane: queue.Telemetry, Device: name, Batch: plant.Batch{States: part}})
		}
	}
	return dst
}

// of is the group of a device, empty at its first use in a split.
func (g *groups) of(name string) *plant.Batch {
	group := g.byName[name]
	if group == nil {
		group = &plant.Batch{}
		g.byName[name] = group
	}
	for _, have := range g.names {
		if have == name {
			return group
		}
	}
	group.Reset()
	g.names = append(g.names, name)
	return group
}

func chunks[T any](s []T, n int) [][]T {
	if len(s) == 0 {
		return nil
	}
	if len(s) <= n {
		return [][]T{s}
	}
	var out [][]T
	for len(s) > n {
		out = append(out, s[:n])
		s = s[n:]
	}
	return append(out, s)
}
