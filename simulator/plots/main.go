// Plots draws what each machine of the reference works that is known deeply looks
// like healthy and failing: go run ./simulator/plots DIR. Two runs with one seed
// stand in the same axes, one of them with a fault that grows over the run: the
// tags that it moves most, and where the machine has accelerometers the envelope
// spectrum of the last burst of the one that it moves most.
package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"millwright/plant"
	"millwright/plant/svg"
	"millwright/simulator"
	"millwright/simulator/server"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go run ./simulator/plots DIR")
		os.Exit(2)
	}
	if err := draw(os.Args[1], stories()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// story is a machine and how it fails.
type story struct{ asset, fault string }

func stories() []story {
	return []story{
		{"BF/TBS/TB1", "fouling"}, {"BF/BF1/ST1", "fouling"}, {"SIN/S1/FAN", "bearing-inner"}, {"BOF/C1/FAN", "dust"},
		{"CC/BC1/OSC", "servo-silting"}, {"CC/BC1/WD", "roll-seizure"}, {"HSM/RHF/F1", "burner-drift"}, {"HSM/FM/F3/GBX", "bearing-outer"},
		{"HSM/FM/F3/AGC", "leak"}, {"HSM/DSC/P1", "cavitation"}, {"HSM/ROT/G1", "roll-seizure"}, {"WAT/CW/P1", "fouling"}, {"UTL/AIR/NET", "air-leaks"},
	}
}

// A run of a day; the fault begins after a quarter of it and fails at its end.
const (
	length = 24 * time.Hour
	onset  = length / 4
	window = 10 * time.Minute // of plant time: a point of a line
	seed   = 1
	panels = 4
)

func draw(dir string, stories []story) error {
	works, err := simulator.Reference()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var errs []error
	for _, s := range stories {
		picture, err := s.draw(works)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, s.file()), picture, 0o644)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", s.asset, err))
		}
	}
	return errors.Join(errs...)
}

// file is the name of the picture.
func (s story) file() string {
	return strings.ToLower(strings.ReplaceAll(s.asset, "/", "-")) + ".svg"
}

// draw is the picture of a story.
func (s story) draw(works simulator.Works) ([]byte, error) {
	healthy, err := s.run(works, false)
	if err != nil {
		return nil, err
	}
	failing, err := s.run(works, true)
	if err != nil {
		return nil, err
	}
	var p svg.Plot
	hours := func(v float64) string { return fmt.Sprintf("%g h", v) }
	for n, c := range telling(healthy.channels, failing.channels) {
		h, f := healthy.channels[c], failing.channels[c]
		title := h.tag.Path
		if n == 0 {
			title += ", " + s.fault
		}
		low, high := limits(h.means, f.means)
		q := p.Panel(title, h.tag.Description, h.tag.Unit, svg.Axis{High: length.Hours()}, svg.Axis{Low: low, High: high}, hours)
		q.Line(svg.Orange, "", healthy.hours(), f.means)
		q.Line(svg.Blue, "", healthy.hours(), h.means)
		q.Upright(svg.Grey, onset.Hours())
		q.Key(svg.Blue, "healthy", svg.Orange, "failing", svg.Grey, "onset")
	}
	if b, hz, h, f := loudest(healthy.bursts, failing.bursts); b != nil {
		_, high := limits(h, f)
		q := p.Panel(b.Path+", envelope", "Hz: envelope spectrum of 2 to 5 kHz, last burst", "m/s²", svg.Axis{High: hz[len(hz)-1]}, svg.Axis{High: high},
			func(v float64) string { return fmt.Sprintf("%g", v) })
		q.Line(svg.Orange, "", hz, f)
		q.Line(svg.Blue, "", hz, h)
		q.Key(svg.Blue, "healthy", svg.Orange, "failing")
	}
	return p.SVG(), nil
}

// recording is what an asset said in a run.
type recording struct {
	channels []*channel
	bursts   []*simulator.Burst // the last one of each accelerometer
}

// loudest is the accelerometer of which the fault changes a line of the envelope
// spectrum most, with the spectra; nil where there is none.
func loudest(healthy, failing []*simulator.Burst) (which *simulator.Burst, hz, h, f []float64) {
	most := 0.0
	for _, b := range healthy {
		i := slices.IndexFunc(failing, func(o *simulator.Burst) bool { return o.Path == b.Path })
		if i < 0 {
			continue
		}
		x, y := envelope(b.Values, b.Rate)
		_, z := envelope(failing[i].Values, b.Rate)
		change := 0.0
		for j := range y {
			change = max(change, math.Abs(z[j]-y[j]))
		}
		if which == nil || change > most {
			which, hz, h, f, most = b, x, y, z, change
		}
	}
	return which, hz, h, f
}

// channel is a tag's means over windows, of the asset's running modes.
type channel struct {
	tag   plant.Tag
	means []float64
	sum   float64
	n     int
	value float64
	known bool
}

func (r *recording) hours() []float64 {
	var out []float64
	for i := range int(length / window) {
		out = append(out, (time.Duration(i)*window + window/2).Hours())
	}
	return out
}

// area is the part of the works that the machine works with.
func (s story) area(works simulator.Works) simulator.Works {
	w := works.Deep()
	area, _, _ := strings.Cut(s.asset, "/")
	elsewhere := func(asset string) bool { return asset != "" && !strings.HasPrefix(asset, area+"/") }
	w.Tags = slices.DeleteFunc(w.Tags, func(t plant.Tag) bool { return elsewhere(t.Asset) })
	w.Assets = slices.DeleteFunc(w.Assets, func(a plant.Asset) bool { return elsewhere(a.Path) })
	return w
}

// run is a day of the story's machine.
func (s story) run(works simulator.Works, failing bool) (*recording, error) {
	mill, err := simulator.NewOffline(s.area(works), seed, time.Second)
	if err != nil {
		return nil, err
	}
	if failing {
		if err := mill.Inject(simulator.Fault{Asset: s.asset, Name: s.fault, Severity: 1, Offset: onset, Growth: length - onset - window}); err != nil {
			return nil, err
		}
	}
	r := &recording{}
	slot := make([]*channel, len(mill.Tags()))
	for i, t := range mill.Tags() {
		if t.Asset == s.asset && (t.Kind == plant.Analog || t.Kind == "") {
			slot[i] = &channel{tag: t}
			r.channels = append(r.channels, slot[i])
		}
	}
	idle, mode := s.idle(works), -1
	for i, t := range mill.Tags() {
		if t.Path == idle.tag {
			mode = i
		}
	}
	var vals []server.Value
	var bursts []simulator.Burst
	running := true
	for mill.Now() < length {
		mill.Step()
		vals, bursts = mill.Values(vals[:0]), mill.Bursts(bursts[:0])
		for i := range vals {
			if v := &vals[i]; v.Var == mode {
				running = !idle.modes[v.Text]
			} else if c := slot[v.Var]; c != nil {
				c.value, c.known = v.Number, true
			}
		}
		for i := range bursts {
			if b := &bursts[i]; strings.HasPrefix(b.Path, s.asset+"/") && running {
				r.keep(b)
			}
		}
		for i := range r.channels {
			r.channels[i].take(running, mill.Now()%window == 0)
		}
	}
	return r, nil
}

// keep puts a burst in place of the one before of its accelerometer.
func (r *recording) keep(b *simulator.Burst) {
	kept := *b
	kept.Values = slices.Clone(b.Values)
	if i := slices.IndexFunc(r.bursts, func(o *simulator.Burst) bool { return o.Path == b.Path }); i >= 0 {
		r.bursts[i] = &kept
		return
	}
	r.bursts = append(r.bursts, &kept)
}

// idleModes are those in which the models rest.
type idleModes struct {
	tag   string
	modes map[string]bool
}

func (s story) idle(works simulator.Works) idleModes {
	out := idleModes{modes: map[string]bool{}}
	for _, a := range works.Assets {
		if a.Path != s.asset {
			continue
		}
		out.tag = a.ModeTag
		for _, m := range a.Modes {
			out.modes[m.Name] = m.Idle
		}
	}
	return out
}
