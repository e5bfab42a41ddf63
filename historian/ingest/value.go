package ingest

import (
	"fmt"
	"math"

	"millwright/plant"
	"millwright/sparkplug"
)

// begin makes the decoder ready for the values of a message.
func (d *decoder) begin(place uint64, late bool) {
	d.batch.Reset()
	d.shown.Reset()
	d.place, d.late, d.spoilt = place, late, ""
}

// spoil notes that a part of the message cannot be read.
func (d *decoder) spoil(format string, args ...any) {
	if d.spoilt == "" {
		d.spoilt = fmt.Sprintf(format, args...)
	}
}

// show hands the batch to those who watch, as far as nothing later was shown.
func (d *decoder) show(historical bool) {
	b := &d.batch
	d.g.counts.samples.Add(uint64(len(b.Samples) + len(b.States) + len(b.Waveforms)))
	if historical || d.g.Live == nil {
		return
	}
	if d.late {
		b = &d.shown
	}
	if len(b.Samples)+len(b.States) > 0 {
		d.g.Live.Values(plant.Batch{Samples: b.Samples, States: b.States})
	}
}

// value adds a metric's value to the batch.
func (d *decoder) value(decl *sparkplug.Declared, x *sparkplug.Metric, arrived int64) {
	at := x.Time
	if !x.HasTime { // against the specification, and seen in the field
		if at = d.payload.Time; at == 0 {
			at = arrived
		}
		at = plant.Millis(at)
	}
	if at-arrived > int64(farAhead) {
		d.g.counts.future.Add(1)
	}
	if decl.Type == sparkplug.FloatArray {
		d.waveform(decl, x, at)
		return
	}
	newest := false
	if !x.Historical {
		if newest = d.place >= decl.Shown; newest {
			decl.Shown = d.place
		}
	}
	q := x.Quality
	if x.Null && q.IsGood() {
		q = plant.BadNoData
	}
	if x.Null && isText(decl.Type) || !x.Null && x.Value.Form == sparkplug.Words {
		s := plant.State{Tag: decl.Tag, Quality: q, Time: at}
		if !x.Null {
			s.Value = x.Value.Text
		}
		d.batch.States = append(d.batch.States, s)
		if newest && d.late {
			d.shown.States = append(d.shown.States, s)
		}
		return
	}
	v, ok := math.NaN(), true
	if !x.Null {
		if v, ok = x.Value.Number(decl.Type); !ok {
			d.g.counts.skipped.Add(1)
			return
		}
	}
	s := plant.Sample{Tag: decl.Tag, Quality: q, Time: at, Value: v}
	d.batch.Samples = append(d.batch.Samples, s)
	if newest && d.late {
		d.shown.Samples = append(d.shown.Samples, s)
	}
}

// waveform adds a burst to the batch.
func (d *decoder) waveform(decl *sparkplug.Declared, x *sparkplug.Metric, at int64) {
	w, err := x.Waveform()
	if err != nil {
		d.spoil("%v", err)
		return
	}
	if w.Tag, w.Time = decl.Tag, at; x.Null && w.Quality.IsGood() {
		w.Quality = plant.BadNoData
	}
	d.batch.Waveforms = append(d.batch.Waveforms, w)
}

func isText(t sparkplug.DataType) bool {
	return t == sparkplug.String || t == sparkplug.Text || t == sparkplug.UUID
}
