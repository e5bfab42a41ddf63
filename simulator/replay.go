package simulator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"millwright/plant"
	"millwright/plant/recording"
	"millwright/simulator/server"
)

// Replay serves a recording in place of the mill: every numeric column that is
// no label becomes the variable and tag REPLAY/<column>. The rows start when all
// columns are monitored and keep their recorded spacing, divided by the
// simulator's speed, but at least 10 ms. All cells of a row carry one source
// time, the clock's in whole ms. A missing cell offers nothing. Behind the last
// row nothing more is offered, unless the recording loops.
type Replay struct {
	File string
	Loop bool

	// Tell gets what a person who watches should know: columns that are left out,
	// rows that are spaced, the beginning, the end. The log gets it where nil.
	Tell func(text string)
}

func (s *Simulator) tell(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if s.Replay.Tell != nil {
		s.Replay.Tell(text)
		return
	}
	s.log().Info(text, "file", s.Replay.File)
}

const (
	// ReplayAssetPath is the path of the asset that a replay's tags belong to.
	ReplayAssetPath = "REPLAY"

	minSpacing  = 10 * time.Millisecond
	replayQueue = 1000 // values; ten times what 1 s of publishing can hold
)

// ReplayTags are the tags of a recording for a collector, and what a person
// should know of the columns that are left out. Repeated values arrive too: the
// trigger is status, value and timestamp, sampling is every change, and the
// queue holds ten times the rows of a publishing interval of 1 s.
func ReplayTags(file string) (tags []plant.Tag, notes []string, err error) {
	r, err := recording.Open(file)
	if err != nil {
		return nil, nil, err
	}
	defer r.Close()
	tags, _ = replayTags(r)
	for _, c := range r.Left() {
		notes = append(notes, fmt.Sprintf("column %q is left out: %s", c.Name, c.Why))
	}
	for _, c := range r.Numeric() {
		if derived(r.Columns[c].Name) {
			notes = append(notes, fmt.Sprintf("column %q is left out: the models write a tag of this name", r.Columns[c].Name))
		}
	}
	return tags, notes, nil
}

// replayTags gives the tags and the column of each.
func replayTags(r *recording.Recording) ([]plant.Tag, []int) {
	columns := slices.DeleteFunc(slices.Clone(r.Numeric()), func(c int) bool { return derived(r.Columns[c].Name) })
	tags := make([]plant.Tag, len(columns))
	for i, c := range columns {
		path := ReplayAssetPath + "/" + r.Columns[c].Name
		tags[i] = plant.Tag{Path: path, Asset: ReplayAssetPath, Node: "nsu=" + server.Namespace + ";s=" + path, Kind: plant.Analog,
			Description: "recorded", Trigger: plant.TriggerStatusValueTimestamp, Queue: replayQueue}
	}
	return tags, columns
}

// derived reports whether a column has the name of a tag that the edge's models
// make.
func derived(column string) bool {
	switch column {
	case plant.TagScore, plant.TagHealth, plant.TagMode, plant.TagModel:
		return true
	}
	return false
}

// ReplayAsset is the asset of a recording. Its model learns the first learn rows;
// its grid is the recording's usual spacing, as it is replayed at the given speed.
func ReplayAsset(file string, learn int, speed float64) (plant.Asset, error) {
	r, err := recording.Open(file)
	if err != nil {
		return plant.Asset{}, err
	}
	defer r.Close()
	grid, err := spacing(r, time.Duration(speed*float64(minSpacing)))
	if err != nil {
		return plant.Asset{}, err
	}
	return plant.Asset{Path: ReplayAssetPath, Name: "Recording", Class: "bench", Model: plant.Model{Rows: learn, Grid: grid}}, nil
}

// spacing is the median time between the first rows of a recording, at least
// low: plant time.
func spacing(r *recording.Recording, low time.Duration) (time.Duration, error) {
	var row recording.Row
	var steps []time.Duration
	for last := int64(0); len(steps) < 1000; last = row.Time {
		err := r.Next(&row)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, err
		}
		if last != 0 {
			steps = append(steps, max(low, time.Duration(row.Time-last)))
		}
	}
	if len(steps) == 0 {
		return max(low, time.Second), nil
	}
	slices.SortFunc(steps, cmp.Compare)
	return steps[len(steps)/2], nil
}

// runReplay checks the recording, serves its columns and plays it.
func (s *Simulator) runReplay(ctx context.Context) error {
	r, err := recording.Open(s.Replay.File)
	if err != nil {
		return err
	}
	defer r.Close()
	for _, c := range r.Left() {
		s.tell("column %q is left out: %s", c.Name, c.Why)
	}
	tags, columns := replayTags(r)
	return s.serve(ctx, tags, func(srv *server.Server, l *logs) error {
		s.begin(nil)
		p := player{tell: s.tell, speed: s.speed(), columns: columns, srv: srv, stop: ctx.Done(), broken: l.broken}
		p.start = time.Now()
		if !p.wait(func() bool { return srv.Monitored() >= len(tags) }) {
			return nil
		}
		s.tell("the replay of %d columns begins, speed %g", len(tags), p.speed)
		if err := p.all(r); err != nil {
			return err
		}
		for s.Replay.Loop && ctx.Err() == nil && !l.broken() {
			if err := p.again(s.Replay.File, len(r.Columns)); err != nil {
				return err
			}
		}
		if l.broken() {
			return nil
		}
		if ctx.Err() == nil {
			s.tell("the replay is over: %d rows were offered", p.rows)
		}
		<-ctx.Done()
		return nil
	})
}
