package main

import (
	"millwright/models/offline"
)

type detectCmd struct {
	TrainRows int      `help:"The first ROWS rows are training." placeholder:"ROWS"`
	Train     string   `help:"A recording of the same columns, all of it training." placeholder:"FILE.csv"`
	In        string   `required:"" help:"Recording to judge." placeholder:"FILE.csv"`
	Out       string   `required:"" help:"CSV to write: timestamp, score, alarm, changepoint, top." placeholder:"FILE.csv"`
	Budget    float64  `default:"1" help:"False alarms per asset-week."`
	Ignore    []string `help:"Columns that are not tags. May be repeated." placeholder:"COLUMN" sep:"none"`
	Report    string   `help:"JSON to write: what was fitted, limits, masked columns." placeholder:"FILE.json"`
}

// Run runs the detectors of the edge over a recording.
func (c *detectCmd) Run(e *env) error {
	return offline.Detect(e.ctx, offline.Options{
		TrainRows: c.TrainRows, Train: c.Train, In: c.In, Out: c.Out,
		Budget: c.Budget, Ignore: c.Ignore, Report: c.Report, Log: newLog(e.stderr, e.calm()),
	})
}
