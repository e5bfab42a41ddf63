package export

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"runtime/debug"
	"slices"

	"golang.org/x/sync/errgroup"

	"millwright/plant"
)

// Job exports from one source.
type Job struct {
	Source   Source
	Version  string         // of the program, for the manifest
	Progress func(Progress) // may be nil; called from one goroutine, some thousand rows apart

	maxRows, maxBytes int64 // 0: none
}

// Progress is how far a job is.
type Progress struct {
	Rows int64
	Done float64 // share of the work, 0..1
}

// Sizes of what is written at once, in rows.
const (
	batchRows = 16 << 10
	groupRows = 1 << 20 // of Parquet
	wideCells = 8 << 20 // of a row group of a wide file
	maxCells  = 1e9     // of a wide file that a works sends: a quarter of an hour of work
)

// Write writes the file that a query asks for. Faults of the query come as a
// *QueryError before anything is written.
func (j *Job) Write(ctx context.Context, q Query, w io.Writer) (*Manifest, error) {
	if err := q.Check(); err != nil {
		return nil, err
	}
	q = q.withDefaults()
	if j.maxRows > 0 && q.Shape == Wide && (q.To-q.From)/int64(q.Grid) > j.maxRows {
		return nil, j.tooLong() // known before any of them is made
	}
	p, err := q.pick(j.Source)
	if err != nil {
		return nil, err
	}
	if j.maxRows > 0 && q.Shape == Wide && (q.To-q.From)/int64(q.Grid)*int64(len(p.tags)) > maxCells {
		return nil, fmt.Errorf("%w: it has more than %d cells%s", ErrTooLarge, int64(maxCells), askForLess)
	}
	r := &run{q: q, src: j.Source, pick: p, job: j, size: batchRows}
	if err := r.prepare(ctx); err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	if err := r.write(ctx, newTally(w, j.maxBytes)); err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	return r.manifest, nil
}

// recovered turns a panic of a goroutine into an error: a fault of one export must
// not end the works.
func recovered(err *error) {
	if v := recover(); v != nil {
		*err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
	}
}

func (j *Job) tooLong() error {
	return fmt.Errorf("%w: it has more than %d rows%s", ErrTooLarge, j.maxRows, askForLess)
}

// run is one export under way.
type run struct {
	q    Query
	src  Source
	pick pick
	job  *Job

	manifest *Manifest
	gaps     [][]span   // by tag
	labels   []timeline // by asset
	findings []timeline

	modeWords, labelWords, findingWords words
	modeAsset                           int // the asset of modeLine
	modeLine                            timeline

	size       int // rows of a batch
	cur        *batch
	free, full chan *batch
	rows       int64
}

// prepare reads all but the samples: what a file says beside them.
func (r *run) prepare(ctx context.Context) error {
	m := &Manifest{
		Format: manifestFormat, Software: "millwright " + r.job.Version, Query: r.q,
		Tags: []TagInfo{}, Assets: r.pick.served, Gaps: []gapInfo{}, Labels: []labelInfo{}, Alarms: []alarmInfo{},
	}
	r.manifest, r.modeAsset = m, -1
	for i := range r.pick.tags {
		t := &r.pick.tags[i]
		m.Tags = append(m.Tags, newTagInfo(t))
		all, joined, err := gaps(ctx, r.src, t.ID, r.lower(), r.q.To)
		if err != nil {
			return err
		}
		r.gaps = append(r.gaps, joined)
		for _, g := range all {
			if g.To > r.q.From {
				m.Gaps = append(m.Gaps, gapInfo{t.Path, stamp(g.From), stamp(g.To), g.Reason})
			}
		}
	}
	for i := range r.pick.assets {
		if err := r.prepareAsset(ctx, i); err != nil {
			return err
		}
	}
	r.modeWords.closed = true
	slices.SortFunc(m.Labels, compareLabels)
	slices.SortFunc(m.Alarms, compareAlarms)
	return nil
}

func (r *run) prepareAsset(ctx context.Context, i int) error {
	path := r.pick.assets[i].Path
	said, err := labels(ctx, r.src, path, r.q.From, r.q.To)
	if err != nil {
		return err
	}
	r.labels = append(r.labels, verdicts(said, &r.labelWords))
	for _, l := range said {
		r.manifest.Labels = append(r.manifest.Labels, newLabelInfo(l))
	}
	found, err := r.src.Alarms(ctx, path, r.q.From, r.q.To)
	if err != nil {
		return err
	}
	found = slices.DeleteFunc(slices.Clone(found), func(a plant.Alarm) bool { return a.Finding.Asset != path })
	r.findings = append(r.findings, findings(found, &r.findingWords))
	for _, a := range found {
		r.manifest.Alarms = append(r.manifest.Alarms, newAlarmInfo(a))
	}
	_, err = modes(ctx, r.src, r.pick.mode[i], r.q.From, r.q.To, &r.modeWords)
	return err
}

// modesOf is the timeline of an asset's mode. Tags of one asset stand together,
// so one is kept.
func (r *run) modesOf(ctx context.Context, asset int) (timeline, error) {
	if asset == r.modeAsset {
		return r.modeLine, nil
	}
	line, err := modes(ctx, r.src, r.pick.mode[asset], r.q.From, r.q.To, &r.modeWords)
	if err != nil {
		return nil, err
	}
	r.modeAsset, r.modeLine = asset, line
	return line, nil
}

// write makes the rows here and writes them beside.
func (r *run) write(ctx context.Context, out *tally) error {
	columns, produce, group := r.longColumns(), r.long, groupRows
	if r.q.Shape == Wide {
		columns, produce = r.wideColumns(), r.wide
		r.size = min(max(wideCells/32/len(columns), 256), batchRows)
		group = min(max(wideCells/len(columns), r.size), groupRows)
	}
	for _, c := range columns {
		r.manifest.Columns = append(r.manifest.Columns, c.name)
	}
	head, err := json.Marshal(r.manifest)
	if err != nil {
		return err
	}
	t, err := newTable(r.q.Format, out, columns, group, head, r.job.Version)
	if err != nil {
		return err
	}
	const under = 3 // batches: one that is filled, one that waits, one that is written
	r.free, r.full = make(chan *batch, under), make(chan *batch, 1)
	for range under {
		r.free <- newBatch(columns, r.size)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		defer recovered(&err)
		defer close(r.full)
		if err := produce(ctx); err != nil {
			return err
		}
		return r.hand(ctx)
	})
	g.Go(func() (err error) {
		defer recovered(&err)
		for b := range r.full {
			if err := t.write(b); err != nil {
				return err
			}
			b.n = 0
			r.free <- b
		}
		return nil
	})
	if err := g.Wait(); err != nil {
		return err
	}
	return r.finish(t, out)
}

// finish counts, and ends the file.
func (r *run) finish(t table, out *tally) error {
	m := r.manifest
	m.Counted, m.Rows = true, r.rows
	if r.q.Shape == Long {
		for _, info := range m.Tags {
			if info.Rows > 0 && (m.First == 0 || info.First < m.First) {
				m.First = info.First
			}
			m.Last = max(m.Last, info.Last)
		}
	}
	inside, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if err := t.close(inside); err != nil {
		return err
	}
	if err := out.flush(); err != nil {
		return err
	}
	m.File = &FileInfo{out.n, out.sum()}
	return nil
}

// room gives a batch with room for rows and says for how many.
func (r *run) room(ctx context.Context) (int, error) {
	if r.job.maxRows > 0 && r.rows >= r.job.maxRows {
		return 0, r.job.tooLong()
	}
	if r.cur != nil && r.cur.n == r.size {
		if err := r.hand(ctx); err != nil {
			return 0, err
		}
	}
	if r.cur == nil {
		select {
		case r.cur = <-r.free:
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
	return r.size - r.cur.n, nil
}

// take takes n rows of what room gave, from row at on.
func (r *run) take(n int) (b *batch, at int) {
	at = r.cur.n
	r.cur.n += n
	r.rows += int64(n)
	return r.cur, at
}

// hand gives the batch to the writer.
func (r *run) hand(ctx context.Context) error {
	if r.cur == nil || r.cur.n == 0 {
		return nil
	}
	select {
	case r.full <- r.cur:
		r.cur = nil
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// progress tells that a tag is done up to a time.
func (r *run) progress(tag int, t int64) {
	if r.job.Progress == nil {
		return
	}
	r.job.Progress(Progress{r.rows, (float64(tag) + r.share(t)) / float64(len(r.pick.tags))})
}

// share is the part of the span up to a time.
func (r *run) share(t int64) float64 {
	return min(max((float64(t)-float64(r.q.From))/(float64(r.q.To)-float64(r.q.From)), 0), 1)
}

// lower is the first time of which a sample may matter.
func (r *run) lower() int64 {
	if r.q.Shape != Wide {
		return r.q.From
	}
	back := r.q.reach() + int64(r.q.Grid)
	if r.q.From < math.MinInt64+back {
		return math.MinInt64
	}
	return r.q.From - back
}
