package store

import (
	"context"
	"encoding/binary"
	"slices"

	"millwright/plant"

	"github.com/cockroachdb/pebble/v2"
)

// A gap is all in its key: declaring it twice is declaring it once.

func parseGap(k []byte) (plant.Gap, error) {
	if len(k) < 21 {
		return plant.Gap{}, damagedKey(k)
	}
	return plant.Gap{
		Tag:    plant.TagID(binary.BigEndian.Uint32(k[1:])),
		From:   keyTime(k[5:]),
		To:     keyTime(k[13:]),
		Reason: string(k[21:]),
	}, nil
}

// Gaps implements Store. Limit counts merged gaps.
func (s *Pebble) Gaps(ctx context.Context, r plant.Range) ([]plant.Gap, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	// A gap that reaches into the range may start long before it: all gaps of a
	// tag are few enough to be read.
	it, err := s.db.NewIter(&pebble.IterOptions{
		LowerBound: tagKey(nil, prefixGap, r.Tag),
		UpperBound: appendTime(tagKey(nil, prefixGap, r.Tag), r.To),
	})
	if err != nil {
		return nil, err
	}
	defer it.Close()
	var out []plant.Gap
	open := map[string]int{} // by reason: place in out of the gap that may go on
	for ok := it.First(); ok; ok = it.Next() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		g, err := parseGap(it.Key())
		if err != nil {
			return nil, err
		}
		if i, ok := open[g.Reason]; ok && g.From <= out[i].To {
			out[i].To = max(out[i].To, g.To)
			continue
		}
		open[g.Reason] = len(out)
		out = append(out, g)
	}
	if err := it.Error(); err != nil {
		return nil, err
	}
	out = slices.DeleteFunc(out, func(g plant.Gap) bool { return g.To <= r.From })
	if r.Limit > 0 && len(out) > r.Limit {
		out = out[:r.Limit]
	}
	return out, nil
}
