package plant

import (
	"context"
	"time"
)

// TagID is a handle of a tag inside one process. The edge's handles come from
// its queue, the historian's from its store; both are durable in their own data
// folder and mean nothing outside it. Elsewhere the tag's path is the identity.
type TagID uint32

// Sample is one numeric value of one tag at its source time. Booleans and
// integers are samples too (0/1, exact up to 2^53).
type Sample struct {
	Tag     TagID
	Quality Quality
	Time    int64 // ns UTC at the source, whole milliseconds
	Value   float64
}

// State is a text of a tag from its source time on: a mode, a coil id, an enum.
type State struct {
	Tag     TagID
	Quality Quality
	Time    int64 // ns UTC at the source, whole milliseconds
	Value   string
}

// Gap declares that samples of a tag may be missing in the half-open span
// [From, To) and says why. What is lost without a Gap is a fault of Millwright.
type Gap struct {
	Tag      TagID
	From, To int64 // ns UTC, whole milliseconds
	Reason   string
}

// Reasons of gaps that several packages use. They are stable words, translated
// by the HMI.
const (
	GapServerDown    = "server-down"    // OPC UA server or its host away, subscription lost
	GapLinkDown      = "link-down"      // server alive, network away longer than its queues
	GapOverflow      = "queue-overflow" // the server's queue for the item overflowed
	GapFailOver      = "fail-over"      // another of the redundant servers took over
	GapEdgeRestart   = "edge-restart"   // the edge process died
	GapQueueFull     = "queue-full"     // the edge's disk queue was full
	GapDiskFull      = "disk-full"      // the edge's disk had no room: the values were judged, but not kept
	GapQueueDamaged  = "queue-damaged"  // part of the edge's queue could not be read any more
	GapMissedMessage = "missed-message" // a notification the server no longer holds
	GapDeadband      = "deadband"       // the server's deadband kept back values that lie outside of it
	GapNotStored     = "not-stored"     // the edge had it settled and the historian does not have it: restored from an older backup
	GapQuarantined   = "quarantined"    // the tag's node was not what it had been: its values were not taken
	GapRescaled      = "rescaled"       // as quarantined, and what follows is in another unit or range
	GapReplaced      = "replaced"       // as quarantined, and what follows is another quantity
)

// Voids reports whether what a tag was before the gap says nothing of what it is
// after it: an engineer has released it from quarantine as rescaled or new.
func (g *Gap) Voids() bool { return g.Reason == GapRescaled || g.Reason == GapReplaced }

// Batch is what moves between stages in one call.
type Batch struct {
	Samples  []Sample
	States   []State
	Gaps     []Gap
	Findings []Finding

	// Waveforms are few and large: see MaxWaveform.
	Waveforms []Waveform

	// Late marks what a server's history gave of the time before: it is stored, and
	// judged by nobody, since models look at values in their order.
	Late bool
}

// Empty reports whether the batch carries nothing.
func (b *Batch) Empty() bool {
	return len(b.Samples) == 0 && len(b.States) == 0 && len(b.Gaps) == 0 && len(b.Findings) == 0 && len(b.Waveforms) == 0
}

// Reset empties the batch and keeps its memory, but for the values of waveforms.
func (b *Batch) Reset() {
	b.Samples, b.States, b.Gaps, b.Findings, b.Late = b.Samples[:0], b.States[:0], b.Gaps[:0], b.Findings[:0], false
	clear(b.Waveforms) // let go of their values
	b.Waveforms = b.Waveforms[:0]
}

// Sink takes batches. A nil error means accepted, not yet durable; the caller
// may reuse the slices after the return. An error is back-pressure: nothing of
// the batch was taken, and the caller offers it again.
type Sink interface {
	Write(ctx context.Context, b Batch) error
}

// SinkFunc is a function as a Sink.
type SinkFunc func(ctx context.Context, b Batch) error

// Write calls f.
func (f SinkFunc) Write(ctx context.Context, b Batch) error { return f(ctx, b) }

// Source delivers batches until ctx ends. It reconnects by itself and returns
// only what no retry mends.
type Source interface {
	Run(ctx context.Context, out Sink) error
}

// Millis cuts a time to whole milliseconds, towards the past.
func Millis(ns int64) int64 {
	const ms = int64(time.Millisecond)
	r := ns % ms
	if r < 0 {
		r += ms
	}
	return ns - r
}
