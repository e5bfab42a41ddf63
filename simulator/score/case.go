package score

import (
	"time"

	"millwright/plant"
	"millwright/simulator/ledger"
)

// Case is one run of a works, as a judge sees it. Times are ns UTC.
type Case struct {
	To       int64 // end of the run
	Assets   []Asset
	Faults   []ledger.Episode
	Changes  []Change  // by time
	Findings []Finding // by time
}

// Asset is one whose machine was watched.
type Asset struct {
	Path    string
	Watched int64             // from when on its model judges; 0: never
	Class   *plant.AssetClass // nil: unknown; nothing is then said of faulty tags
}

// Change is another mode or another product of an asset.
type Change struct {
	Asset   string
	Time    int64
	Product bool
}

// Finding is what a detector said, with the causes that were told with it.
type Finding struct {
	plant.Finding
	Causes []plant.Cause
	Told   bool // causes were asked for
}

// Times by which findings and changes belong together.
const (
	together  = 10 * time.Minute // findings of one alert
	afterMode = 10 * time.Minute
	afterCoil = 30 * time.Minute
	week      = 7 * 24 * time.Hour
	month     = 30 * 24 * time.Hour
)

// machineFinding reports whether a finding says that the machine is at fault.
func machineFinding(f *Finding) bool { return f.Class == plant.Advisory || f.Class == plant.LimitAlarm }

// failure is the end of the P–F interval.
func failure(e *ledger.Episode, to int64) int64 {
	switch {
	case e.Failed != 0:
		return e.Failed
	case e.Ended != 0:
		return e.Ended
	}
	return to
}

// present is the end of the time in which the fault is there.
func present(e *ledger.Episode, to int64) int64 {
	if e.Ended != 0 {
		return e.Ended
	}
	return to
}
