package collector

import (
	"math"
	"time"

	"millwright/plant"
)

// reason is why samples of a tag may be missing since the last one; it is kept
// in the state file, so the numbers are for ever.
type reason uint8

const (
	noGap reason = iota
	serverDown
	linkDown
	edgeRestart
	missedMessage
	wrongType
	nodeGone
	overflowed
	heldBack
	quarantined
	rescaled
	replaced
	failedOver

	lastReason = failedOver
)

// GapWrongType is the reason of a span in which the PLC sent values that do not
// fit the kind of the tag: text for a number, an array for a scalar.
const GapWrongType = "wrong-type"

// GapNodeGone is the reason of a span in which the server did not have the tag's
// node, as while a PLC program is loaded.
const GapNodeGone = "node-gone"

// ofIdentity reports whether the values are missing because the tag's node was
// another, so that no history gives them.
func (r reason) ofIdentity() bool { return r >= quarantined && r <= replaced }

func (r reason) String() string {
	switch r {
	case serverDown:
		return plant.GapServerDown
	case linkDown:
		return plant.GapLinkDown
	case edgeRestart:
		return plant.GapEdgeRestart
	case missedMessage:
		return plant.GapMissedMessage
	case wrongType:
		return GapWrongType
	case nodeGone:
		return GapNodeGone
	case overflowed:
		return plant.GapOverflow
	case heldBack:
		return plant.GapDeadband
	case quarantined:
		return plant.GapQuarantined
	case rescaled:
		return plant.GapRescaled
	case replaced:
		return plant.GapReplaced
	case failedOver:
		return plant.GapFailOver
	}
	return ""
}

const (
	oneMilli = int64(time.Millisecond)
	noTime   = math.MinInt64

	setBackMargin = int64(2 * time.Second)
)

// tracks holds, for each tag by position, the source time of the last value and
// whether a gap has been open since. It exists three times: as it is, as it was
// at a batch that is not durable yet, and as the state file has it. A restart
// begins with the last; it may lag, so a gap may be declared too long, never
// too short.
type tracks struct {
	last   []int64 // ns UTC, whole ms; noTime before the first value
	reason []reason
}

func newTracks(n int) tracks {
	t := tracks{last: make([]int64, n), reason: make([]reason, n)}
	for i := range t.last {
		t.last[i] = noTime
	}
	return t
}

func (t *tracks) copyFrom(o *tracks) {
	copy(t.last, o.last)
	copy(t.reason, o.reason)
}

// open opens a gap after the last value of tag i, if there was one and none is
// open yet. It reports whether it did.
func (t *tracks) open(i int, why reason) bool {
	if t.last[i] == noTime || t.reason[i] != noGap {
		return false
	}
	t.reason[i] = why
	return true
}

// appendGap declares what lies between the last value seen and `to`.
func appendGap(dst []plant.Gap, tag plant.TagID, last, to int64, why string) []plant.Gap {
	if last == noTime || last+oneMilli >= to {
		return dst
	}
	return append(dst, plant.Gap{Tag: tag, From: last + oneMilli, To: to, Reason: why})
}
