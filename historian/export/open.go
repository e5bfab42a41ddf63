package export

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"os"
	"slices"
	"sort"
	"sync"

	"github.com/parquet-go/parquet-go"

	"millwright/plant"
)

// File is a long Parquet file of an export as a Source: the tags, assets, gaps,
// labels and alarms of its manifest, and the samples and texts of its rows. Times
// outside of the span that was exported have none. Its methods may be called from
// any goroutine.
type File struct {
	f        *os.File
	p        *parquet.File
	manifest *Manifest
	tags     []plant.Tag
	rows     []int64 // first row of each tag, and behind the last
	groups   []int64 // first row of each row group, and behind the last

	mu    sync.Mutex
	index [][]int64 // by tag: the time of every indexRows-th row, once it was asked for
}

var _ Source = (*File)(nil)

// indexRows is how many rows are read to find a time.
const indexRows = 4096

// Open opens a file and reads it once to see that it is whole. What is no such
// file (ErrForeign), damaged (ErrDamaged) or of a newer version (ErrNewer) is
// refused.
func Open(name string) (*File, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	file, err := open(f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), f.Close())
	}
	return file, nil
}

func open(f *os.File) (file *File, err error) {
	defer guard(&err)
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: no file", ErrForeign)
	}
	if err := checkEnds(f, st.Size()); err != nil {
		return nil, err
	}
	// The index of pages is read when it is known to lie in the file.
	p, err := parquet.OpenFile(f, st.Size(), parquet.SkipBloomFilters(true), parquet.SkipPageIndex(true))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	about, ok := p.Lookup(manifestKey)
	if !ok {
		return nil, fmt.Errorf("%w: it has no manifest inside", ErrForeign)
	}
	m, err := parseManifest([]byte(about))
	if err != nil {
		return nil, err
	}
	if m.Query.Shape != Long || m.Query.Format != Parquet {
		return nil, fmt.Errorf("%w: its shape is %s; export again with shape long", ErrForeign, m.Query.Shape)
	}
	file = &File{f: f, p: p, manifest: m, index: make([][]int64, len(m.Tags))}
	if err := file.checkRows(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if err := file.checkSeal(st.Size()); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if file.p, err = parquet.OpenFile(f, st.Size(), parquet.SkipBloomFilters(true)); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return file, nil
}

// checkEnds looks at the first and last bytes, which say how long the footer is:
// the Parquet reader believes them.
func checkEnds(f *os.File, size int64) error {
	var head, tail [8]byte
	if n, _ := f.ReadAt(head[:4], 0); n < 4 || string(head[:4]) != "PAR1" {
		return fmt.Errorf("%w: not Parquet", ErrForeign)
	}
	if size < 12 {
		return fmt.Errorf("%w: %d bytes", ErrDamaged, size)
	}
	if _, err := f.ReadAt(tail[:], size-8); err != nil {
		return err
	}
	if footer := int64(binary.LittleEndian.Uint32(tail[:])); string(tail[4:]) != "PAR1" || footer > size-12 {
		return fmt.Errorf("%w: it does not end as a Parquet file does", ErrDamaged)
	}
	return nil
}

// guard turns a panic of the Parquet reader into an error. It panics on some
// damaged files, and a file from outside must not end the program.
func guard(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%w: %v", ErrDamaged, p)
	}
}

// checkRows holds the columns and rows against the manifest.
func (f *File) checkRows() error {
	m := f.manifest
	r := run{manifest: m}
	for i := range m.Tags {
		t := m.Tags[i].tag(plant.TagID(i + 1))
		f.tags = append(f.tags, t)
		r.pick.tags = append(r.pick.tags, t)
	}
	if !parquet.EqualNodes(f.p.Schema(), newSchema(r.longColumns())) {
		return errors.New("its columns are not those of an export")
	}
	row := int64(0)
	for i := range m.Tags {
		f.rows = append(f.rows, row)
		row += m.Tags[i].Rows
	}
	f.rows = append(f.rows, row)
	if row != f.p.NumRows() {
		return fmt.Errorf("%d rows, the manifest says %d", f.p.NumRows(), row)
	}
	row = 0
	for _, g := range f.p.RowGroups() {
		f.groups = append(f.groups, row)
		if g.NumRows() <= 0 {
			return errors.New("a row group without rows")
		}
		row += g.NumRows()
	}
	f.groups = append(f.groups, row)
	if row != f.p.NumRows() {
		return fmt.Errorf("%d rows in row groups, %d in all", row, f.p.NumRows())
	}
	return nil
}

// checkSeal reads the rows once and compares their hash.
func (f *File) checkSeal(size int64) error {
	text, _ := f.p.Lookup(sealKey)
	var s seal
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	if s.Size < 0 || s.Size > size {
		return fmt.Errorf("seal of %d bytes, the file has %d", s.Size, size)
	}
	for _, g := range f.p.Metadata().RowGroups {
		for _, c := range g.Columns {
			from := c.MetaData.DataPageOffset
			if d := c.MetaData.DictionaryPageOffset; d > 0 {
				from = min(from, d)
			}
			if from < 0 || c.MetaData.TotalCompressedSize < 0 || from > s.Size || c.MetaData.TotalCompressedSize > s.Size-from {
				return errors.New("a column reaches behind what is sealed")
			}
			if !within(c.ColumnIndexOffset, c.ColumnIndexLength, s.Size, size) || !within(c.OffsetIndexOffset, c.OffsetIndexLength, s.Size, size) {
				return errors.New("an index of pages does not lie behind the rows")
			}
		}
	}
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(f.f, 0, s.Size)); err != nil {
		return err
	}
	if hex.EncodeToString(h.Sum(nil)) != s.SHA256 {
		return errors.New("its bytes are not those that were written")
	}
	return nil
}

// within reports whether length bytes at an offset lie in [from, to).
func within(offset int64, length int32, from, to int64) bool {
	return offset >= from && length >= 0 && offset <= to-int64(length)
}

// Manifest is the manifest inside the file; it has no File.
func (f *File) Manifest() *Manifest { return f.manifest }

// Close closes the file.
func (f *File) Close() error {
	err := f.f.Close()
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

// Tags implements Source.
func (f *File) Tags() []plant.Tag { return slices.Clone(f.tags) }

// Assets implements Source.
func (f *File) Assets() []plant.Asset { return slices.Clone(f.manifest.Assets) }

// Gaps implements Source.
func (f *File) Gaps(_ context.Context, r plant.Range) ([]plant.Gap, error) {
	var out []plant.Gap
	if r.Tag == 0 || int(r.Tag) > len(f.tags) {
		return nil, nil
	}
	path := f.tags[r.Tag-1].Path
	for _, g := range f.manifest.Gaps {
		if g.Tag == path && int64(g.From) < r.To && int64(g.To) > r.From {
			out = append(out, plant.Gap{Tag: r.Tag, From: int64(g.From), To: int64(g.To), Reason: g.Reason})
		}
	}
	slices.SortFunc(out, compareGaps)
	if r.Limit > 0 && len(out) > r.Limit {
		out = out[:r.Limit]
	}
	return out, nil
}

// Labels implements Source.
func (f *File) Labels(_ context.Context, q plant.LabelQuery) ([]plant.Label, error) {
	var out []plant.Label
	for i := range f.manifest.Labels {
		l := f.manifest.Labels[i].label()
		switch {
		case q.ID != 0 && l.ID != q.ID, q.Alarm != 0 && l.Alarm != q.Alarm, q.Before != 0 && l.ID >= q.Before:
		case q.Asset != "" && !below(l.Asset, q.Asset):
		case l.To <= q.From, q.To != 0 && l.From >= q.To:
		default:
			out = append(out, l)
		}
	}
	slices.SortFunc(out, func(a, b plant.Label) int { return int(min(max(b.ID-a.ID, -1), 1)) })
	if q.Limit > 0 && len(out) > q.Limit {
		out = out[:q.Limit]
	}
	return out, nil
}

// Alarms implements Source.
func (f *File) Alarms(_ context.Context, asset string, from, to int64) ([]plant.Alarm, error) {
	var out []plant.Alarm
	for i := range f.manifest.Alarms {
		a := f.manifest.Alarms[i].alarm()
		if (asset == "" || below(a.Finding.Asset, asset)) && a.Raised < to && (a.Returned == 0 || a.Returned > from) {
			out = append(out, a)
		}
	}
	return out, nil
}

// Scan implements Source.
func (f *File) Scan(ctx context.Context, r plant.Range) iter.Seq2[plant.Block, error] {
	return func(yield func(plant.Block, error) bool) {
		if r.Tag == 0 || int(r.Tag) > len(f.tags) || f.tags[r.Tag-1].Kind == plant.Text {
			return
		}
		rows, err := f.from(ctx, int(r.Tag-1), r.From, longTime, longValue, longQuality)
		if err != nil {
			yield(plant.Block{}, err)
			return
		}
		defer rows.close()
		left := r.Limit
		if left <= 0 {
			left = math.MaxInt
		}
		block := plant.Block{Tag: r.Tag}
		for left > 0 {
			n, err := rows.read(ctx)
			if err != nil {
				yield(plant.Block{}, err)
				return
			}
			block.Times, block.Values, block.Quality = block.Times[:0], block.Values[:0], block.Quality[:0]
			over := n == 0
			for i := range n {
				t := rows.at[0].buf[i].Int64() * 1e6
				if over = t >= r.To || len(block.Times) == left; over {
					break
				}
				if t < r.From {
					continue
				}
				v := math.NaN()
				if x := rows.at[1].buf[i]; !x.IsNull() {
					v = x.Double()
				}
				block.Times = append(block.Times, t)
				block.Values = append(block.Values, v)
				block.Quality = append(block.Quality, plant.Quality(rows.at[2].buf[i].Uint32()))
			}
			left -= len(block.Times)
			if len(block.Times) > 0 && !yield(block, nil) || over {
				return
			}
		}
	}
}

// States implements Source.
func (f *File) States(ctx context.Context, r plant.Range) ([]plant.State, error) {
	if r.Tag == 0 || int(r.Tag) > len(f.tags) || f.tags[r.Tag-1].Kind != plant.Text {
		return nil, nil
	}
	rows, err := f.from(ctx, int(r.Tag-1), r.From, longTime, longText, longQuality)
	if err != nil {
		return nil, err
	}
	defer rows.close()
	var out []plant.State
	for {
		n, err := rows.read(ctx)
		if err != nil {
			return nil, err
		}
		for i := range n {
			t := rows.at[0].buf[i].Int64() * 1e6
			if t >= r.To || r.Limit > 0 && len(out) == r.Limit {
				return out, nil
			}
			if text := rows.at[1].buf[i]; t >= r.From && !text.IsNull() {
				q := plant.Quality(rows.at[2].buf[i].Uint32())
				out = append(out, plant.State{Tag: r.Tag, Quality: q, Time: t, Value: string(text.ByteArray())})
			}
		}
		if n == 0 {
			return out, nil
		}
	}
}

// from reads columns of a tag from a row on that is not after the first one at or
// after a time.
func (f *File) from(ctx context.Context, tag int, t int64, columns ...int) (*rowReader, error) {
	row := f.rows[tag]
	if t > int64(f.manifest.Tags[tag].First) && f.rows[tag+1]-row > indexRows {
		index, err := f.times(ctx, tag)
		if err != nil {
			return nil, err
		}
		if i := sort.Search(len(index), func(i int) bool { return index[i] > t }); i > 0 {
			row += int64(i-1) * indexRows
		}
	}
	return f.read(row, f.rows[tag+1], columns...), nil
}

// times is the time of every indexRows-th row of a tag.
func (f *File) times(ctx context.Context, tag int) ([]int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.index[tag] != nil {
		return f.index[tag], nil
	}
	rows := f.read(f.rows[tag], f.rows[tag+1], longTime)
	defer rows.close()
	var index []int64
	for seen := 0; ; {
		n, err := rows.read(ctx)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			f.index[tag] = index
			return index, nil
		}
		for i := (indexRows - seen%indexRows) % indexRows; i < n; i += indexRows {
			index = append(index, rows.at[0].buf[i].Int64()*1e6)
		}
		seen += n
	}
}
