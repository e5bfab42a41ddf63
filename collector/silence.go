package collector

import (
	"time"

	"millwright/plant"
)

const (
	leastSilence = 10 * time.Second
	mostNamed    = 20 // stale tags by name
)

// silence is how long a cyclic tag may be silent before it is stale.
func silence(t *plant.Tag) time.Duration { return max(3*t.Sampling, leastSilence) }

// stale gives the tags that their PLC should have sent and has not, although the
// connection lives: how many, and the first of them. Only a cyclic tag can be
// stale by its own silence; any other may just not have changed.
func (p *pump) stale(now time.Time) (n int, first []string) {
	if !flowing(p.src.board.get().State) {
		return 0, nil // the connection is, and says so itself
	}
	for _, i := range p.tr.cyclic {
		since := now.Sub(time.Unix(0, max(p.tr.heard[i], p.began.UnixNano())))
		if !p.items.list[i].monitored || since <= silence(&p.src.Tags[i]) {
			continue
		}
		if n++; len(first) < mostNamed {
			first = append(first, p.src.Tags[i].Path)
		}
	}
	return n, first
}
