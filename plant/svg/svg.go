// Package svg draws the plots of reports and pages: panels with a pair of axes, one
// below the other.
package svg

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// Colours of the plots, told apart by people who see no red and green as well.
const (
	Blue   = "#2563a8"
	Orange = "#d9822b"
	Red    = "#b3261e"
	Grey   = "#8a8f98"
	Pale   = "#f3d9a4"
)

// Size of a panel and its margins, px.
const (
	Width       = 820
	panelHeight = 240
	marginLeft  = 64
	marginRight = 16
	marginTop   = 34
	marginFoot  = 40
)

// Axis maps numbers to pixels.
type Axis struct {
	Low, High float64
	Log       bool
	from, to  float64 // px
}

func (a Axis) px(v float64) float64 {
	low, high := a.Low, a.High
	if a.Log {
		v, low, high = math.Log10(max(v, 1e-12)), math.Log10(low), math.Log10(high)
	}
	return a.from + (v-low)/(high-low)*(a.to-a.from)
}

// ticks are round numbers on the axis.
func (a Axis) ticks(n int) []float64 {
	var out []float64
	if a.Log {
		for e := math.Floor(math.Log10(a.Low)); e <= math.Ceil(math.Log10(a.High)); e++ {
			for _, m := range []float64{1, 2, 5} {
				if v := m * math.Pow(10, e); v >= a.Low*0.999 && v <= a.High*1.001 {
					if v == 0 {
						v = 0 // not -0, which is written so
					}
					out = append(out, v)
				}
			}
		}
		return out
	}
	step := math.Pow(10, math.Floor(math.Log10((a.High-a.Low)/float64(n))))
	for _, m := range []float64{1, 2, 5, 10} {
		if (a.High-a.Low)/(m*step) <= float64(n) {
			step *= m
			break
		}
	}
	for v := math.Ceil(a.Low/step)*step + 0; v <= a.High+step/1e6; v += step {
		out = append(out, v)
	}
	return out
}

// Plot is an SVG of panels below each other.
type Plot struct {
	b      strings.Builder
	panels int
}

// Panel is one pair of axes.
type Panel struct {
	p    *Plot
	x, y Axis
}

// Panel begins one. label writes the ticks of x.
func (p *Plot) Panel(title, xName, yName string, x, y Axis, label func(float64) string) Panel {
	top := float64(p.panels * panelHeight)
	p.panels++
	x.from, x.to = marginLeft, Width-marginRight
	y.from, y.to = top+panelHeight-marginFoot, top+marginTop
	if x.High <= x.Low {
		x.High = x.Low + 1
	}
	if y.High <= y.Low {
		y.High = y.Low + 1
	}
	q := Panel{p, x, y}
	q.text(marginLeft, top+18, "start", 14, title)
	for _, v := range y.ticks(5) {
		py := y.px(v)
		p.Add(`<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" stroke="#e3e5e8"/>`, marginLeft, py, Width-marginRight, py)
		q.text(marginLeft-6, py+4, "end", 11, fmt.Sprintf("%.4g", v))
	}
	for _, v := range x.ticks(7) {
		q.text(x.px(v), y.from+16, "middle", 11, label(v))
	}
	p.Add(`<path d="M%d %.1fV%.1fH%d" fill="none" stroke="%s"/>`, marginLeft, y.to, y.from, Width-marginRight, Grey)
	q.text((x.from+x.to)/2, y.from+32, "middle", 11, xName)
	p.Add(`<text transform="translate(14 %.1f) rotate(-90)" text-anchor="middle" font-size="11">%s</text>`, (y.from+y.to)/2, html.EscapeString(yName))
	return q
}

// Add appends an element of SVG.
func (p *Plot) Add(format string, args ...any) {
	fmt.Fprintf(&p.b, format, args...)
	p.b.WriteByte('\n')
}

func (q Panel) text(x, y float64, anchor string, size int, s string) {
	q.p.Add(`<text x="%.1f" y="%.1f" text-anchor="%s" font-size="%d">%s</text>`, x, y, anchor, size, html.EscapeString(s))
}

// Line joins points; NaN interrupts it.
func (q Panel) Line(colour, dash string, x, y []float64) {
	var b strings.Builder
	up := true
	for i, v := range y {
		if math.IsNaN(v) {
			up = true
			continue
		}
		letter := "L"
		if up {
			letter = "M"
		}
		fmt.Fprintf(&b, "%s%.1f %.1f", letter, q.x.px(x[i]), q.y.px(min(q.y.High, max(q.y.Low, v))))
		up = false
	}
	q.p.Add(`<path d="%s" fill="none" stroke="%s" stroke-width="1.4" stroke-dasharray="%s"/>`, b.String(), colour, dash)
}

// Upright marks a place.
func (q Panel) Upright(colour string, x float64) {
	px := q.x.px(x)
	q.p.Add(`<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" stroke-width="1.4" stroke-dasharray="4 3"/>`, px, q.y.from, px, q.y.to, colour)
}

// Bar fills a box of the panel's numbers.
func (q Panel) Bar(colour string, x0, x1, y0, y1 float64) {
	clip := func(a Axis, v float64) float64 { return a.px(min(a.High, max(a.Low, v))) }
	left, right := clip(q.x, x0), clip(q.x, x1)
	foot, top := clip(q.y, y0), clip(q.y, y1)
	q.p.Add(`<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`, left, top, max(0.5, right-left), max(0, foot-top), colour)
}

// Mark is a small triangle at the top of the panel.
func (q Panel) Mark(colour string, x, row float64) {
	px, py := q.x.px(x), q.y.to+10*row
	q.p.Add(`<path d="M%.1f %.1fl-4 -7h8z" fill="%s"/>`, px, py+7, colour)
}

// Key explains colours, at the right of the title.
func (q Panel) Key(pairs ...string) {
	x := float64(Width - marginRight)
	top := q.y.to - marginTop + 18
	for i := len(pairs) - 2; i >= 0; i -= 2 {
		q.text(x, top, "end", 11, pairs[i+1])
		x -= 6.1*float64(len([]rune(pairs[i+1]))) + 8
		q.p.Add(`<rect x="%.1f" y="%.1f" width="10" height="10" fill="%s"/>`, x-10, top-9, pairs[i])
		x -= 24
	}
}

// Elements is what was added, where the caller draws all of it.
func (p *Plot) Elements() []byte { return []byte(p.b.String()) }

// SVG is the finished picture.
func (p *Plot) SVG() []byte {
	h := max(1, p.panels) * panelHeight
	return fmt.Appendf(nil, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="system-ui, sans-serif" fill="#22262b">
<rect width="100%%" height="100%%" fill="#ffffff"/>
%s</svg>
`, Width, h, Width, h, p.b.String())
}
