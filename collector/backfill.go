package collector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

const (
	historyTimeout = 10 * time.Second
	historyPause   = 50 * time.Millisecond // at least, between two reads
	historyRate    = 20_000                // values a second, at most
	historyNodes   = 20                    // in one read, at most
	firstValues    = 100                   // in one answer, to begin with
	historyValues  = 5_000                 // and at most
	historyQuick   = 250 * time.Millisecond
	historyPages   = 10_000 // answers to one question
	historyTries   = 4
	firstSlice     = time.Minute
	lastSlice      = 24 * time.Hour
	lagTime        = time.Second // a history that is written late gets this long, a few times
	lagSpan        = 10 * time.Second
	accessNodes    = 500
	accessPause    = 100 * time.Millisecond
	canReadHistory = 4 // bit of AccessLevel
)

// access says whether the server lets us read the history of a tag.
type access uint8

const (
	accessUnknown access = iota
	accessNone
	accessHistory
)

// backfill reads from the server's history what was missed: one read at a time,
// never for longer than half of the time, newest first, and only while the live
// values are taken.
type backfill struct {
	holes  []*hole
	fresh  bool // there is one that the state file does not know
	access []access
	asked  int  // tags whose access has been asked for
	none   bool // the server has no history: nothing is asked for
	refuse int  // failed questions in a row

	values int           // in one read, as the server bears it
	length time.Duration // of a slice

	job     []*slice // being read; nil: none
	batch   plant.Batch
	waiting bool // batch was not taken yet
	touched []*hole
	stale   []*ua.HistoryReadValueID // continuation points to release
	busy    bool                     // a request is on its way
	next    time.Time

	received uint64
}

func newBackfill(tags int) backfill {
	return backfill{access: make([]access, tags), values: firstValues, length: firstSlice}
}

// without says that the server keeps no history.
func (b *backfill) without() {
	b.none = true
	for i := range b.access {
		b.access[i] = accessNone
	}
}

// missed takes a span that may be missing. False: the tag has no history, and
// it is to be declared now.
func (e *engine) missed(i int, from, to int64, why reason) bool {
	b := &e.back
	if b.access[i] == accessNone || e.src.Tags[i].Field != "" || e.src.Tags[i].Kind == plant.Burst || why == wrongType || why == nodeGone || why.ofIdentity() || e.tr.gate.guard[i] == gateClosed || len(b.holes) >= 2*len(e.src.Tags)+1000 {
		return false
	}
	cut := int64(0)
	if why == serverDown || why == failedOver {
		if cut = e.started; cut == 0 {
			return false // nobody knows what its history lost
		}
		if why == failedOver && cut <= from {
			cut = 0 // it ran all the time
		}
	}
	h := newHole(i, from, to, why, cut)
	h.born = time.Now()
	b.holes = append(b.holes, h)
	b.fresh = true
	return true
}

// reading reports whether there is history to be read.
func (b *backfill) reading() bool {
	for _, h := range b.holes {
		if !h.done() && b.access[h.tag] == accessHistory {
			return true
		}
	}
	return false
}

// keepHoles forgets the holes that are filled or declared durably.
func (e *engine) keepHoles() {
	committed := e.src.committed.Load()
	left := e.back.holes[:0]
	for _, h := range e.back.holes {
		h.keep(committed)
		if h.saved.from != h.saved.to {
			left = append(left, h)
		}
	}
	clear(e.back.holes[len(left):])
	e.back.holes = left
}

// declareHoles gives up what no later Run will know of.
func (e *engine) declareHoles(ctx context.Context) {
	b := &e.back
	b.batch.Reset()
	for _, h := range b.holes {
		if !h.done() {
			b.batch.Gaps = h.give(b.batch.Gaps, e.src.Tags[h.tag].ID)
		}
	}
	if !b.batch.Empty() {
		if err := e.out.Write(ctx, b.batch); err != nil {
			e.log.Error("what was missed could not be declared", "gaps", len(b.batch.Gaps), "err", err)
		}
	}
}

// fetch goes on with the history, if its time has come.
func (p *pump) fetch(ctx context.Context, now time.Time) {
	b := &p.back
	if b.busy || now.Before(b.next) || len(p.answers) > 0 || p.hole != 0 {
		return
	}
	if b.waiting && !p.handOver(ctx) {
		b.next = now.Add(500 * time.Millisecond)
		return
	}
	switch {
	case len(b.stale) > 0:
		p.release(ctx)
	case p.askAccess(ctx, now):
	default:
		if b.job == nil {
			p.pick(now)
		}
		if b.job != nil {
			p.readHistory(ctx)
		}
	}
}

// handOver offers what the history gave. It is never waited for here.
func (p *pump) handOver(ctx context.Context) bool {
	b := &p.back
	if !b.waiting {
		return true
	}
	if !b.batch.Empty() {
		b.batch.Late = true
		if err := p.out.Write(ctx, b.batch); err != nil {
			return false
		}
		p.wrote++
	}
	for _, h := range b.touched {
		h.dirty, h.batch = false, p.wrote
	}
	b.touched = b.touched[:0]
	b.batch.Reset()
	b.waiting = false
	return true
}

// touch says that the span of h is about to change together with the batch.
func (p *pump) touch(h *hole) {
	h.keep(p.src.committed.Load())
	h.dirty = true
	p.back.touched = append(p.back.touched, h)
	p.back.waiting = true
}

// askAccess asks which tags have history, those with holes at once, the others
// by and by. It reports whether it asked.
func (p *pump) askAccess(ctx context.Context, now time.Time) bool {
	b := &p.back
	if b.none {
		p.giveHoles() // of a Run that thought otherwise
		return false
	}
	if len(b.holes) == 0 && b.asked == len(b.access) {
		return false
	}
	most := min(accessNodes, p.limits.read.size())
	var which []int
	seen := map[int]bool{}
	for _, h := range b.holes {
		if b.access[h.tag] == accessUnknown && !seen[h.tag] && len(which) < most {
			seen[h.tag] = true
			which = append(which, h.tag)
		}
	}
	hurry := len(which) > 0
	if !hurry {
		for ; b.asked < len(b.access) && len(which) < most; b.asked++ {
			if p.items.list[b.asked].monitored {
				which = append(which, b.asked)
			}
		}
	}
	if len(which) == 0 {
		return false
	}
	ids := make([]*ua.NodeID, 0, len(which))
	asked := which[:0]
	for _, i := range which {
		id, err := p.items.list[i].node.resolve(p.peer.namespaces)
		if err != nil || p.items.list[i].fault != nil {
			b.access[i] = accessNone
			continue
		}
		ids, asked = append(ids, id), append(asked, i)
	}
	if len(ids) == 0 {
		p.giveHoles()
		return true
	}
	b.busy = true
	p.do(ctx, func() answer {
		v, err := p.link.read(ctx, requestTimeout, ua.AttributeIDAccessLevel, ids...)
		return answer{kind: gotAccess, asked: asked, values: v, err: err}
	})
	return true
}

func (p *pump) learned(a answer) {
	b := &p.back
	b.busy = false
	b.next = time.Now().Add(accessPause)
	if a.err != nil {
		if b.refuse++; b.refuse < historyTries && !refusedService(a.err) {
			b.next = time.Now().Add(lagTime)
			return
		}
		p.log.Warn("the server does not say which tags have history; gaps are declared instead", "err", a.err)
		a.values = make([]*ua.DataValue, len(a.asked))
	}
	b.refuse = 0
	for k, i := range a.asked {
		b.access[i] = accessNone
		if level, ok := good[uint8](a.values[k]); ok && level&canReadHistory != 0 {
			b.access[i] = accessHistory
		}
	}
	p.giveHoles()
}

// giveHoles declares the holes of tags without history.
func (p *pump) giveHoles() {
	for _, h := range p.back.holes {
		if !h.done() && p.back.access[h.tag] == accessNone {
			p.giveUp(h)
		}
	}
}

func (p *pump) giveUp(h *hole) {
	p.touch(h)
	p.back.batch.Gaps = h.give(p.back.batch.Gaps, p.src.Tags[h.tag].ID)
}

// pick chooses what is read next: the end of the newest hole, and with it the
// ends of others that lie in the same time, because one read has one span.
func (p *pump) pick(now time.Time) {
	b := &p.back
	ready := func(h *hole) bool {
		return !h.done() && b.access[h.tag] == accessHistory && !h.after.After(now) && p.tr.gate.guard[h.tag] == gateOpen
	}
	var first *hole
	for _, h := range b.holes {
		if ready(h) && (first == nil || h.to > first.to) {
			first = h
		}
	}
	if first == nil {
		return
	}
	most := p.limits.history.size()
	length := plant.Millis(int64(b.length))
	start := max(first.from, first.to-length)
	near := int64(time.Second) + length/8
	seen := map[int]bool{}
	add := func(h *hole) {
		seen[h.tag] = true
		id, err := p.items.list[h.tag].node.resolve(p.peer.namespaces)
		if err != nil {
			p.giveUp(h)
			return
		}
		b.job = append(b.job, newSlice(h, id, max(h.from, start)))
	}
	add(first)
	for _, h := range b.holes {
		if len(b.job) >= most {
			break
		}
		if ready(h) && !seen[h.tag] && h.to >= first.to-near && h.to > start && h.from <= start+near {
			add(h)
		}
	}
}

// readHistory asks for what is left of the job.
func (p *pump) readHistory(ctx context.Context) {
	b := &p.back
	from, to := b.job[0].from, b.job[0].hole.to
	var asked []*slice
	req := &ua.HistoryReadRequest{TimestampsToReturn: ua.TimestampsToReturnSource}
	for _, s := range b.job {
		from, to = min(from, s.from), max(to, s.hole.to)
		if !s.read {
			asked = append(asked, s)
			req.NodesToRead = append(req.NodesToRead, &ua.HistoryReadValueID{NodeID: s.node, DataEncoding: &ua.QualifiedName{}, ContinuationPoint: s.point})
		}
	}
	// The values before and after the hole show that nothing is missing at its ends.
	req.HistoryReadDetails = ua.NewExtensionObject(&ua.ReadRawModifiedDetails{
		StartTime:        time.Unix(0, from-oneMilli).UTC(),
		EndTime:          time.Unix(0, to+oneMilli).UTC(),
		NumValuesPerNode: uint32(max(1, b.values/len(asked))),
	})
	b.busy = true
	p.do(ctx, func() answer {
		begin := time.Now()
		res, err := call[*ua.HistoryReadResponse](ctx, p.link, req, historyTimeout)
		if err == nil && len(res.Results) != len(asked) {
			err = fmt.Errorf("asked for the history of %d nodes, got %d results", len(asked), len(res.Results))
		}
		return answer{kind: gotHistory, history: res, slices: asked, took: time.Since(begin), err: err}
	})
}

// given takes an answer of the history.
func (p *pump) given(ctx context.Context, a answer) {
	b := &p.back
	b.busy = false
	fate := p.limits.history.judge(len(a.slices), a.err)
	if errors.Is(a.err, ua.StatusBadTimeout) { // it does not break the connection
		fate = p.limits.history.judge(len(a.slices), ua.StatusBadResponseTooLarge)
	}
	if a.err != nil {
		b.next = time.Now().Add(lagTime)
		p.drop()
		if p.fewer(a.err); fate != smaller { // else the same is asked for again, in parts
			p.failed(a.slices, a.err)
		}
		return
	}
	n := 0
	for k, s := range a.slices {
		r := a.history.Results[k]
		switch {
		case p.tr.gate.guard[s.hole.tag] != gateOpen:
			// The node may be another: nothing of it is taken.
			s.read, s.point = true, nil
			continue
		case r == nil || r.StatusCode>>30 >= 2:
			code := ua.StatusBadUnexpectedError
			if r != nil {
				code = r.StatusCode
			}
			s.read, s.point = true, nil
			if p.fewer(code); tooMuch(code) {
				p.limits.history.judge(len(a.slices), code)
			}
			p.failed([]*slice{s}, code)
			continue
		case r.HistoryData != nil:
			if d, ok := r.HistoryData.Value.(*ua.HistoryData); ok {
				n += len(d.DataValues)
				p.receive(s, d.DataValues, a.at)
			}
		}
		s.point = r.ContinuationPoint
		if s.pages++; len(s.point) > 0 && s.pages > historyPages {
			p.stalePoint(s)
			s.read = true
			p.failed([]*slice{s}, errors.New("its history does not end"))
			continue
		}
		if len(s.point) == 0 {
			p.finish(s)
		}
	}
	left := false
	for _, s := range b.job {
		left = left || !s.read
	}
	switch {
	case !left:
		b.job = nil
		if n*4 < b.values {
			b.length = min(2*b.length, lastSlice)
		}
	case len(a.slices) > 0 && a.slices[0].pages > 8:
		b.length = max(b.length/2, firstSlice)
	}
	if a.took > historyQuick {
		b.values = max(b.values/2, firstValues)
	} else {
		b.values = min(2*b.values, historyValues)
	}
	p.handOver(ctx)
	b.next = time.Now().Add(max(historyPause, a.took, time.Duration(n)*time.Second/historyRate))
}

// finish ends a slice, unless the history seems not to be written yet.
func (p *pump) finish(s *slice) {
	h := s.hole
	s.read = true
	if h.to == h.next && h.open && !s.end && h.tries < historyTries && time.Since(h.born) < lagSpan {
		h.tries++
		h.after = time.Now().Add(lagTime)
		return
	}
	p.touch(h)
	p.back.batch.Gaps = s.finish(p.back.batch.Gaps, p.src.Tags[h.tag].ID)
}

// receive takes values of the history that are missing.
func (p *pump) receive(s *slice, values []*ua.DataValue, arrived int64) {
	b := &p.back
	tag := &p.src.Tags[s.hole.tag]
	for _, v := range values {
		if v == nil || instant(v.SourceTimestamp) == 0 {
			continue // a bound that was not found
		}
		q := plant.Quality(v.Status).WithoutInfo()
		if q == plant.BadWaitingForInitialData || q == plant.Quality(ua.StatusBadBoundNotFound) {
			continue
		}
		at := plant.Millis(v.SourceTimestamp.UnixNano())
		var want bool
		if b.batch.Gaps, want = s.take(b.batch.Gaps, tag.ID, at); !want {
			continue
		}
		b.waiting = true
		if !p.keep(s, v, q, at) {
			b.batch.Gaps = appendGap(b.batch.Gaps, tag.ID, at-oneMilli, at+oneMilli, GapWrongType)
		}
	}
}

// keep takes a value of the history into the batch. It reports whether it is one of
// the tag's kind.
func (p *pump) keep(s *slice, v *ua.DataValue, q plant.Quality, at int64) bool {
	b, tag := &p.back, &p.src.Tags[s.hole.tag]
	if tag.Kind == plant.Text {
		x, ok := p.tr.names[s.hole.tag].text(v.Value)
		if !ok || len(x) > maxText {
			return false
		}
		b.batch.States = append(b.batch.States, plant.State{Tag: tag.ID, Quality: nullQuality(q, v.Value), Time: at, Value: x})
		b.received++
		return true
	}
	x, ok := number(v.Value)
	if !ok {
		return false
	}
	if n := len(b.batch.Samples); n > 0 && b.batch.Samples[n-1].Tag == tag.ID && b.batch.Samples[n-1].Time == at {
		b.batch.Samples = b.batch.Samples[:n-1] // one value per ms, the last
	}
	b.batch.Samples = append(b.batch.Samples, plant.Sample{Tag: tag.ID, Quality: nullQuality(q, v.Value), Time: at, Value: scaled(tag, v.Value, x)})
	b.received++
	return true
}

// fewer makes the next question ask for fewer values, if err says so.
func (p *pump) fewer(err error) {
	b := &p.back
	if !tooMuch(err) && !errors.Is(err, ua.StatusBadTimeout) {
		return
	}
	if b.values = max(b.values/2, firstValues); b.values == firstValues {
		b.length = max(b.length/2, firstSlice)
	}
}

// failed puts slices aside: for a while, or for good.
func (p *pump) failed(list []*slice, err error) {
	b := &p.back
	never := errors.Is(err, ua.StatusBadHistoryOperationUnsupported) || errors.Is(err, ua.StatusBadServiceUnsupported) ||
		errors.Is(err, ua.StatusBadUserAccessDenied) || errors.Is(err, ua.StatusBadNotReadable) || errors.Is(err, ua.StatusBadNodeIDUnknown)
	for _, s := range list {
		h := s.hole
		h.tries++
		h.after = time.Now().Add(lagTime)
		if never {
			b.access[h.tag] = accessNone
		}
		if (never || h.tries > 2*historyTries) && !h.done() {
			p.log.Warn("the history cannot be read; the gap is declared", "tag", p.src.Tags[h.tag].Path, "err", err)
			p.giveUp(h)
		}
	}
}

// drop ends the job; what it left open at the server is released.
func (p *pump) drop() {
	for _, s := range p.back.job {
		if !s.read && len(s.point) > 0 {
			p.stalePoint(s)
		}
	}
	p.back.job = nil
}

func (p *pump) stalePoint(s *slice) {
	p.back.stale = append(p.back.stale, &ua.HistoryReadValueID{NodeID: s.node, DataEncoding: &ua.QualifiedName{}, ContinuationPoint: s.point})
	s.point = nil
}

// release gives continuation points back; the server keeps few.
func (p *pump) release(ctx context.Context) {
	b := &p.back
	req := &ua.HistoryReadRequest{TimestampsToReturn: ua.TimestampsToReturnSource, ReleaseContinuationPoints: true, NodesToRead: b.stale,
		HistoryReadDetails: ua.NewExtensionObject(&ua.ReadRawModifiedDetails{StartTime: time.Unix(0, 0).UTC(), EndTime: time.Unix(1, 0).UTC(), NumValuesPerNode: 1})}
	b.stale = nil
	b.busy = true
	p.do(ctx, func() answer {
		_, err := call[*ua.HistoryReadResponse](ctx, p.link, req, historyTimeout)
		return answer{kind: gotReleased, err: err}
	})
}

// pause ends the reading with the connection. It goes on with the next one.
func (p *pump) pause() {
	p.drop()
	p.back.busy = false
}
