package train

import (
	"cmp"
	"fmt"
	"html"
	"math"
	"slices"
	"time"

	"millwright/models/bundle"
	"millwright/plant/svg"
)

// mostPanels bounds a picture: a report is read, not scrolled.
const mostPanels = 6

// plots draws the report's pictures, by name.
func (r *Result) plots() []bundle.Plot {
	return []bundle.Plot{
		{Name: "backtest.svg", SVG: r.plotBacktest()},
		{Name: "calibration.svg", SVG: r.plotCalibration()},
		{Name: "loss.svg", SVG: r.plotLoss()},
		{Name: "rows.svg", SVG: r.plotRows()},
	}
}

// tailDecades is from where on a law is no longer empirical.
const tailDecades = 1.7

func number(v float64) string { return fmt.Sprintf("%.4g", v) }

// plotLoss shows how the networks that were kept learned.
func (r *Result) plotLoss() []byte {
	var p svg.Plot
	for _, md := range r.modes[:min(mostPanels, len(r.modes))] {
		curve := md.curves[md.kept]
		low, high := math.Inf(1), 0.0
		var x, loss, validation []float64
		for i, e := range curve {
			x = append(x, float64(i+1))
			loss, validation = append(loss, e.Loss), append(validation, e.Validation)
			low, high = min(low, e.Loss, e.Validation), max(high, e.Loss, e.Validation)
		}
		q := p.Panel("Loss, mode "+md.name, "epoch", "mean squared error", svg.Axis{Low: 1, High: float64(len(curve))}, svg.Axis{Low: 0.9 * low, High: 1.05 * high}, number)
		q.Line(svg.Blue, "", x, loss)
		q.Line(svg.Orange, "", x, validation)
		q.Key(svg.Blue, "fitted", svg.Orange, "validation")
	}
	return p.SVG()
}

// plotCalibration holds the calibration scores against their law.
func (r *Result) plotCalibration() []byte {
	const bins = 60
	var p svg.Plot
	for _, md := range r.modes[:min(mostPanels, len(r.modes))] {
		c := md.calibration
		limit := quantile(&c.law, c.limit)
		low, high := slices.Min(c.scores), 1.1*max(limit, slices.Max(c.scores))
		count := make([]float64, bins)
		for _, s := range c.scores {
			count[min(bins-1, int((s-low)/(high-low)*bins))]++
		}
		top := slices.Max(count)
		q := p.Panel("Calibration scores, mode "+md.name, "mean squared error of a window", "windows", svg.Axis{Low: low, High: high}, svg.Axis{Low: 0.5, High: 2 * top, Log: true}, number)
		var x, law []float64
		for i, n := range count {
			from, to := low+(high-low)*float64(i)/bins, low+(high-low)*float64(i+1)/bins
			if n > 0 {
				q.Bar(svg.Blue, from, to, 0.5, n)
			}
			if c.law.Decades(from) < tailDecades {
				continue // where the law is the rows themselves, in steps
			}
			x = append(x, (from+to)/2)
			law = append(law, max(0.5, float64(len(c.scores))*(math.Pow(10, -c.law.Decades(from))-math.Pow(10, -c.law.Decades(to)))))
		}
		q.Line(svg.Orange, "", x, law)
		q.Upright(svg.Red, limit)
		q.Key(svg.Blue, "windows", svg.Orange, "law", svg.Red, fmt.Sprintf("limit, %.1f decades", c.limit))
	}
	return p.SVG()
}

// plotBacktest shows both scores over the backtest.
func (r *Result) plotBacktest() []byte {
	b := r.Backtest
	var p svg.Plot
	x := make([]float64, curvePoints)
	for i := range x {
		x[i] = float64(b.From) + (float64(i)+0.5)/curvePoints*float64(b.To-b.From)
	}
	layout := "01-02 15:04"
	if b.To-b.From > int64(14*24*time.Hour) {
		layout = "2006-01-02"
	}
	label := func(v float64) string { return time.Unix(0, int64(v)).UTC().Format(layout) }
	f := func(title string, c curve, alarms []Alarm) {
		q := p.Panel(title, "time, UTC", "score", svg.Axis{Low: float64(b.From), High: float64(b.To)}, svg.Axis{Low: 0, High: 1}, label)
		for _, e := range b.Events {
			q.Bar(svg.Pale, float64(e.Label.From), float64(cmp.Or(e.Label.To, b.To)), 0, 1)
		}
		q.Line(svg.Blue, "", x, c.score)
		q.Line(svg.Orange, "5 3", x, c.limit)
		for _, a := range alarms {
			q.Mark(svg.Red, float64(a.Raised), 0)
		}
		q.Key(svg.Blue, "highest score", svg.Orange, "limit", svg.Red, "alarm", svg.Pale, "confirmed fault")
	}
	f("Backtest, trained model", b.trained, b.Trained)
	f("Backtest, learned on the edge", b.learned, b.Learned)
	return p.SVG()
}

// plotRows shows what became of the rows.
func (r *Result) plotRows() []byte {
	d := r.data
	used := d.total
	type bar struct {
		name string
		n    int
	}
	var bars []bar
	for _, why := range reasons {
		if n := d.all[why]; n > 0 {
			bars = append(bars, bar{string(why), n})
			used -= n
		}
	}
	bars = append([]bar{{"used", used}}, bars...)
	const each = 24
	h := 44 + each*len(bars)
	var p svg.Plot
	p.Add(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="system-ui, sans-serif" fill="#22262b">`, svg.Width, h, svg.Width, h)
	p.Add(`<rect width="100%%" height="100%%" fill="#ffffff"/>`)
	p.Add(`<text x="16" y="22" font-size="14">Rows of the training part</text>`)
	for i, b := range bars {
		y := 36 + each*i
		colour := svg.Grey
		if i == 0 {
			colour = svg.Blue
		}
		wide := float64(svg.Width-330) * float64(b.n) / float64(max(1, d.total))
		p.Add(`<text x="160" y="%d" text-anchor="end" font-size="12">%s</text>`, y+13, html.EscapeString(b.name))
		p.Add(`<rect x="170" y="%d" width="%.1f" height="16" fill="%s"/>`, y, max(1, wide), colour)
		p.Add(`<text x="%.1f" y="%d" font-size="12">%d (%.1f %%)</text>`, 176+wide, y+13, b.n, 100*float64(b.n)/float64(max(1, d.total)))
	}
	p.Add(`</svg>`)
	return p.Elements()
}
