package collector

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"time"

	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

const (
	trialTime       = 10 * time.Second
	trialFirst      = 2 * time.Second // at first, after the connection
	trialFirstLooks = 10
	trialNodes      = 100 // in one look
	trialPause      = 500 * time.Millisecond

	trialLate    = 10 * time.Millisecond // that another value may be sent instead of the one read, beside sampling
	trialStrikes = 3
	trialLooks   = 12 // at one suspect
)

// errKeepsBack: the subscription has items that keep back values, and nobody
// knows which.
var errKeepsBack = errors.New("the server's deadbands keep back values: a new subscription is made")

// trial looks whether a server's deadbands keep back values that lie outside of
// them, as those do that compare a value with the sample before instead of the
// value sent last: a slow drift is never reported. Now and then it reads the
// present values of some tags. One that lies outside has to be sent; one that is
// not is a strike, and so many in a row are no chance.
type trial struct {
	next     time.Time
	at       int // position to go on with
	busy     bool
	looks    int
	suspects map[int]suspect // by position
}

// suspect is a tag of which a value was found outside.
type suspect struct {
	strikes int
	looks   int
	seen    int64 // source time of the value that has to come, 0 none
	since   int64 // local time of the look, ns UTC
}

// try takes a look, if it is time for one.
func (p *pump) try(ctx context.Context, now time.Time) {
	t := &p.trial
	if t.next.IsZero() {
		t.next = now.Add(trialFirst)
	}
	if t.busy || now.Before(t.next) || p.hole != 0 || len(p.answers) > 0 {
		return
	}
	t.next = now.Add(trialTime)
	if t.looks++; t.looks < trialFirstLooks {
		t.next = now.Add(trialFirst - time.Duration(rand.Int64N(int64(trialFirst/4)))) // not in step with what is looked at
	}
	req := &ua.ReadRequest{TimestampsToReturn: ua.TimestampsToReturnSource, MaxAge: math.MaxInt32} // what the server sampled will do
	var asked []int
	for _, i := range p.onTrial() {
		id, err := p.items.list[i].node.resolve(p.peer.namespaces)
		if err != nil {
			continue
		}
		asked = append(asked, i)
		req.NodesToRead = append(req.NodesToRead, &ua.ReadValueID{NodeID: id, AttributeID: ua.AttributeIDValue, DataEncoding: &ua.QualifiedName{}})
	}
	if len(asked) == 0 {
		return
	}
	t.busy = true
	p.do(ctx, func() answer {
		res, err := call[*ua.ReadResponse](ctx, p.link, req, requestTimeout)
		p.limits.read.judge(len(asked), err)
		if err != nil || len(res.Results) != len(asked) {
			return answer{kind: gotTrial, err: err}
		}
		return answer{kind: gotTrial, asked: asked, values: res.Results}
	})
}

// onTrial lists the tags to look at: those found outside, else the next of those
// whose deadband the server applies.
func (p *pump) onTrial() []int {
	t := &p.trial
	most := min(trialNodes, p.limits.read.size())
	var which []int
	for i := range t.suspects {
		which = append(which, i)
	}
	if len(which) > 0 {
		return which
	}
	for range p.items.list {
		if t.at++; t.at >= len(p.items.list) {
			t.at = 0
		}
		if it := &p.items.list[t.at]; it.monitored && it.filtered {
			if which = append(which, t.at); len(which) == most {
				break
			}
		}
	}
	return which
}

// tried judges what a look has shown.
func (p *pump) tried(ctx context.Context, a answer) error {
	t := &p.trial
	t.busy = false
	before := t.suspects
	t.suspects = map[int]suspect{}
	wait := time.Duration(0)
	var kept []int
	for k, i := range a.asked {
		it, b := &p.items.list[i], p.tr.bands[i]
		if !it.monitored || !it.filtered || p.tr.gate.guard[i] != gateOpen { // what waits or is dropped is not heard
			continue
		}
		s := before[i]
		silent := s.seen != 0 && p.heard.Load() < s.since+int64(p.sub.publishing)
		switch late := s.seen + int64(it.sampling+trialLate); {
		case s.seen == 0 || silent: // the server has said nothing at all since
		case b.next == 0 || b.next > late:
			s.strikes++
		default:
			continue
		}
		if !silent {
			if s.seen = p.tr.outside(i, a.values[k]); s.seen != 0 {
				s.since, b.next = a.at, 0
			}
		}
		s.looks++
		switch {
		case s.strikes >= trialStrikes:
			kept = append(kept, i)
		case s.looks < trialLooks && (s.seen != 0 || s.strikes > 0):
			t.suspects[i] = s
			wait = max(wait, 2*(it.sampling+p.sub.publishing)+p.window.rtt+trialPause)
		}
	}
	if len(t.suspects) > 0 {
		t.next = time.Now().Add(wait)
	}
	if len(kept) == 0 {
		return nil
	}
	return p.distrust(ctx, kept)
}

// outside gives the source time of a value that was read, if it has to be sent,
// else 0.
func (t *translator) outside(i int, v *ua.DataValue) int64 {
	b := t.bands[i]
	if b == nil || t.reason[i] != noGap || v == nil || instant(v.SourceTimestamp) == 0 {
		return 0
	}
	at := plant.Millis(v.SourceTimestamp.UnixNano())
	f, ok := number(v.Value)
	if !ok || at <= t.last[i] {
		return 0
	}
	q := nullQuality(plant.Quality(v.Status).WithoutInfo(), v.Value)
	width := b.width
	if !b.seen {
		// What the server sent last a process before this one knew. It lies no further
		// than the deadband from what is found first.
		if width *= 2; !b.base {
			b.base, b.last, b.quality = true, f, q
			return 0
		}
	}
	if q == b.quality && !(math.Abs(f-b.last) > width+width/100) {
		return 0
	}
	return at
}

// distrust makes the items of all tags with a deadband of the kind of those kept
// back anew, without it. What they may have missed while the server applied it is
// declared.
func (p *pump) distrust(ctx context.Context, kept []int) error {
	percent := map[bool]bool{}
	for _, i := range kept {
		percent[p.items.tags[i].DeadbandPercent] = true
	}
	p.tr.begin()
	var ids []uint32
	n, unknown := 0, false
	for i := range p.items.list {
		it, b := &p.items.list[i], p.tr.bands[i]
		if !it.monitored || !it.filtered || !percent[p.items.tags[i].DeadbandPercent] {
			continue
		}
		n++
		if last := p.tr.last[i]; b.seen && p.tr.reason[i] == noGap {
			p.tr.last[i] = b.since
			p.tr.lose(i, last, heldBack)
			p.tr.last[i] = last
		}
		p.tr.open(i, heldBack)
		b.remade = true
		ids, unknown = append(ids, it.id), unknown || it.id == 0
		it.id, it.monitored, it.filtered, it.plain = 0, false, false, true
		it.retry = time.Now().Add(trialPause) // the old items are gone then
	}
	p.log.Warn("the server's deadbands keep back values that lie outside of them: they are applied here, gaps are declared",
		"tags", n, "first", p.items.tags[kept[0]].Path)
	p.holdAcks()
	if !p.tr.batch.Empty() {
		if err := p.write(ctx); err != nil {
			return err
		}
	}
	p.persistGaps()
	if unknown { // made by a process before this one: only the subscription can be given up
		return errKeepsBack
	}
	sub := p.sub.id
	p.do(ctx, func() answer {
		return answer{kind: gotNothing, err: p.link.deleteItems(ctx, sub, ids)}
	})
	return nil
}
