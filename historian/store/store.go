package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"millwright/plant"
	"millwright/sparkplug"
)

// Errors of every back end. They come wrapped with the particulars.
var (
	ErrClosed     = errors.New("store is closed")
	ErrUnknownTag = errors.New("unknown tag")
	ErrDiskFull   = errors.New("disk almost full")
	ErrNewer      = errors.New("written by a newer version of millwright")
	ErrInUse      = errors.New("in use by another process")
	ErrDamaged    = errors.New("damaged")
)

// Mark is the number that an edge gave to a record (design of the
// acknowledgement: one counter per edge and epoch), and what the record carries.
type Mark struct {
	Edge          string
	Epoch, Number uint64
	Counts        plant.Counts
}

// Check says what is wrong with a mark.
func (m Mark) Check() error {
	if m.Edge == "" || len(m.Edge) > MaxEdge || m.Epoch == 0 || m.Number == 0 || m.Number > sparkplug.MaxNumber {
		return fmt.Errorf("record %d of epoch %d of edge %.40q: not a record number", m.Number, m.Epoch, m.Edge)
	}
	return nil
}

// MaxEdge is the longest name of an edge, in bytes.
const MaxEdge = 255

// KeepMarks is for how long the numbers of an epoch are kept after its last record.
const KeepMarks = 90 * 24 * time.Hour

// Store is the plant's memory. All methods may be called from any goroutine.
// Slices that go in are the caller's again after the return; slices that come
// out are the caller's, except those of a plant.Block.
type Store interface {
	// Intern gives every tag its durable ID (written to tags[i].ID) by path and
	// remembers the rest as the tag's metadata; the last one wins.
	Intern(tags []plant.Tag) error
	// Tags returns every tag ever interned, by path.
	Tags() []plant.Tag

	// Append stores the samples, states, waveforms and gaps of b together with the record
	// numbers in one durable step. A nil error means durable. Findings are not
	// the store's business. Where marks is not empty and all of them are
	// committed already, nothing is applied: the record was delivered again.
	// On an error nothing may be acknowledged; the batch may be given again.
	Append(ctx context.Context, b plant.Batch, marks []Mark) error
	// Committed returns the durable record numbers of an edge's epoch,
	// ascending and disjoint. An epoch is forgotten KeepMarks after its last one.
	Committed(edge string, epoch uint64) ([]sparkplug.Span, error)

	// Tallies returns what the records of an edge's epoch carried, ascending by block,
	// each one counted once and in the step that makes its number durable, and the
	// numbers of those records at that same moment: some of them may wait for the disk
	// still. Where there are more numbers than the tallies count, some are not counted:
	// their epoch began before there were tallies.
	Tallies(edge string, epoch uint64) (list []plant.Tally, of []sparkplug.Span, err error)
	// FoldTallies allows the tallies of all blocks below one to be added up.
	FoldTallies(edge string, epoch, below uint64) error

	// SetAssets replaces the assets that an edge serves; Assets returns those
	// of all edges by path.
	SetAssets(edge string, assets []plant.Asset) error
	Assets() []plant.Asset

	// Last returns the sample with the latest source time of each tag that has
	// one, in the order of tags. LastStates does so for texts.
	Last(ctx context.Context, tags []plant.TagID) ([]plant.Sample, error)
	LastStates(ctx context.Context, tags []plant.TagID) ([]plant.State, error)

	// Scan yields the samples of a tag, ascending, one per millisecond, as they
	// were when the first block was asked for. An error ends it.
	Scan(ctx context.Context, r plant.Range) iter.Seq2[plant.Block, error]
	// Trend summarises the samples of a tag in equal slices of time.
	Trend(ctx context.Context, q plant.TrendQuery) ([]plant.Bucket, error)
	// Gaps returns the declared gaps that touch the range, ascending; those of
	// one reason that overlap or meet are merged.
	Gaps(ctx context.Context, r plant.Range) ([]plant.Gap, error)
	// States returns the texts of a tag, ascending, one per millisecond.
	States(ctx context.Context, r plant.Range) ([]plant.State, error)

	// Waveforms yields the waveforms of a tag, ascending, one per millisecond. The
	// values belong to the store and are valid until the next one. An error ends
	// it. A back end that keeps none declares each as a gap (plant.GapNotKept).
	Waveforms(ctx context.Context, r plant.Range) iter.Seq2[plant.Waveform, error]

	// LastWaveform is the one with the latest source time; Tag is 0 where there is none.
	LastWaveform(ctx context.Context, tag plant.TagID) (plant.Waveform, error)

	// Delete removes the samples, states and waveforms of the range, durably.
	Delete(ctx context.Context, r plant.Range) error

	Stats() Stats
	Close() error
}

// Stats are counts since the store was opened, and sizes as they are now.
type Stats struct {
	Tags         int
	Appended     uint64 // samples accepted
	Repeated     uint64 // appends whose marks were all committed already
	Refused      uint64 // appends refused, for want of disk space
	Commits      uint64 // durable steps
	UncutSamples int    // samples in heads
	UncutBytes   int64  // batches that reopening would read back
	Chunks       uint64 // chunks cut
	ChunkSamples uint64 // samples in them
	ChunkBytes   uint64 // their size, keys included
	DiskBytes    uint64 // the folder, as far as the engine knows
}
