package collector

import "time"

// settle moves what has become durable from unacked to acks. Before a number is
// acknowledged, the files say that nothing up to it will be asked for again.
func (e *engine) settle() {
	if e.keeper.written.Load() < e.need || e.alarms.file.keeper.written.Load() < e.alarms.file.need {
		return
	}
	committed := e.src.committed.Load()
	n := 0
	for n < len(e.unacked) && e.unacked[n].batch <= committed {
		n++
	}
	if n == 0 {
		return
	}
	if err := e.mark.set(e.sub.since, e.unacked[n-1].number); err != nil {
		e.log.Error("the acknowledgement mark could not be written", "err", err)
		return
	}
	for _, d := range e.unacked[:n] {
		e.acks = append(e.acks, d.number)
	}
	e.unacked = append(e.unacked[:0], e.unacked[n:]...)
}

// openGaps opens a gap on the tags that were heard before, everywhere: in what
// is durable too, so that the file knows of it before the server forgets what
// came after.
func (e *engine) openGaps(why reason) {
	e.tr.quiet, e.tr.top = e.heard, noTime
	for _, t := range e.tr.last {
		e.tr.top = max(e.tr.top, t)
	}
	for i := range e.tr.last {
		e.tr.open(i, why)
	}
	e.persistGaps()
}

// holdAcks keeps the server from forgetting what came after a hole that the
// state file does not know yet.
func (e *engine) holdAcks() {
	if e.back.fresh {
		e.need = e.version + 1
	}
}

func (e *engine) persistGaps() {
	for i, why := range e.tr.reason {
		if why != noGap {
			e.candidate.open(i, why)
			e.durable.open(i, why)
		}
	}
	e.need = e.version + 1
	e.put()
}

// put hands the durable state to the keeper.
func (e *engine) put() {
	e.version++
	e.back.fresh = false
	e.keepHoles()
	s := &state{items: e.hash, started: e.started, subscription: e.sub.id, next: e.seq.next,
		publishing: e.sub.publishing, keepAlive: e.sub.keepAlive, since: e.sub.since, tags: make([]tagState, len(e.src.Tags))}
	if e.session != nil {
		token, err := e.session.token.Encode()
		if err == nil && len(token) <= maxStateBlob && len(e.session.nonce) <= maxStateBlob {
			s.token, s.nonce = token, e.session.nonce
		}
	}
	committed := e.src.committed.Load()
	for _, d := range e.unacked {
		if d.batch > committed {
			s.next = d.number
			break
		}
	}
	for i := range e.src.Tags {
		s.tags[i] = tagState{id: e.src.Tags[i].ID, last: e.durable.last[i], reason: e.durable.reason[i], rejected: !e.items.list[i].monitored}
	}
	for _, h := range e.back.holes {
		s.holes = append(s.holes, holeState{e.src.Tags[h.tag].ID, h.why, h.saved})
	}
	e.keeper.put(s.append, e.version)
}

// snapshot lets the state file follow what has become durable.
func (e *engine) snapshot(now time.Time, last bool) {
	if e.back.fresh || len(e.back.holes) > 0 && (last || now.Sub(e.holesKept) >= snapshotTime) {
		e.holesKept = now
		e.put()
	}
	if e.candAt > 0 && e.src.committed.Load() >= e.candAt {
		e.durable.copyFrom(&e.candidate)
		e.candAt = 0
		e.put()
	}
	if e.candAt == 0 && e.wrote > e.snapWrote && (last || now.Sub(e.snapped) >= snapshotTime) {
		e.candidate.copyFrom(&e.tr.tracks)
		e.candAt, e.snapWrote, e.snapped = e.wrote, e.wrote, now
		if last && e.src.committed.Load() >= e.candAt {
			e.durable.copyFrom(&e.candidate)
			e.candAt = 0
			e.put()
		}
	}
}
