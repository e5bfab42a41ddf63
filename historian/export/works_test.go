package export_test

import (
	"context"
	"time"

	"millwright/historian/alarm"
	"millwright/plant"
)

var begin = time.Date(2026, 3, 1, 6, 0, 0, 0, time.UTC).UnixNano()

// noBook is the alarm book of a plant in which nothing ever happened.
type noBook struct{}

func (noBook) Labels(context.Context, plant.LabelQuery) ([]plant.Label, error) { return nil, nil }
func (noBook) List(context.Context, plant.AlarmQuery) ([]plant.Alarm, string, error) {
	return nil, "", nil
}
func (noBook) Journal(context.Context, int64) ([]alarm.Entry, error) { return nil, nil }
