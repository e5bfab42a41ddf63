package train

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// report writes what was done and what came of it, for people.
func (r *Result) report(cannot []Short) {
	r.Plots = r.plots()
	var w page
	r.head(&w)
	r.reportRows(&w, cannot)
	r.reportModes(&w)
	r.reportBacktest(&w)
	r.Report = w.String()
}

// page is Markdown in the making.
type page struct{ strings.Builder }

func (w *page) line(format string, args ...any) {
	fmt.Fprintf(w, format, args...)
	w.WriteByte('\n')
}

// row of a table. A bar in a cell would end it.
func (w *page) row(cells ...any) {
	for _, c := range cells {
		fmt.Fprintf(w, "| %s ", strings.ReplaceAll(fmt.Sprint(c), "|", "\\|"))
	}
	w.WriteString("|\n")
}

func (r *Result) head(w *page) {
	d, b := r.data, r.Backtest
	w.line("# Model %s\n", r.Trained.ID)
	name := d.asset.Path
	if d.asset.Name != "" {
		name = d.asset.Name + " (" + d.asset.Path + ")"
	}
	w.line("Window autoencoder of %s, trained on %s to %s, tried on %s to %s (UTC). Budget: %.3g false alarms per asset-week. Seed %d.\n",
		name, date(d.from), date(d.split), date(b.From), date(b.To), r.opts.Budget, r.opts.Seed)
	if d.speed != 1 {
		w.line("The plant's time runs %.4g times as fast as the clock; weeks, hours and minutes below are the plant's.\n", d.speed)
	}
	w.line("**In short:** %s\n", r.Verdict())
}

// Verdict is the backtest in a sentence or two.
func (r *Result) Verdict() string {
	b := r.Backtest
	var s []string
	perWeek := r.Metrics["false_week"]
	switch {
	case b.Rows == 0:
		return "the machine did not run in a trained mode during the backtest, which says nothing about the model."
	case perWeek > 2*r.opts.Budget && b.False(b.Trained) > 1:
		s = append(s, fmt.Sprintf("%.2g alarms per asset-week of running without a confirmed fault, more than twice the budget of %.3g: look at them below before the model is used", perWeek, r.opts.Budget))
	default:
		s = append(s, fmt.Sprintf("%.2g alarms per asset-week of running without a confirmed fault, budget %.3g", perWeek, r.opts.Budget))
	}
	if b.Ready {
		s = append(s, fmt.Sprintf("what the edge learned by itself raised %.2g", r.Metrics["false_week_learned"]))
	} else {
		s = append(s, "the edge's own model was still learning")
	}
	if n := len(b.Events); n > 0 {
		s = append(s, fmt.Sprintf("found %.0f of %d confirmed faults (the edge's own model %.0f)", r.Metrics["events_found"], n, r.Metrics["events_found_learned"]))
	} else {
		s = append(s, "there was no confirmed fault to find")
	}
	return strings.Join(s, "; ") + "."
}

func (r *Result) reportRows(w *page, cannot []Short) {
	d := r.data
	w.line("## Rows\n")
	w.line("%d rows of %v (plant time) from %s to %s. %d labels were taken into account, %d alarms had no label.\n", d.total, d.grid, date(d.from), date(d.split), d.exclusions.labels, d.exclusions.alarms)
	w.line("![Rows](rows.svg)\n")
	w.row("rows", "share", "what became of them")
	w.row("---:", "---:", "---")
	used := d.total
	for _, why := range reasons {
		used -= d.all[why]
	}
	share := func(n int) string { return fmt.Sprintf("%.1f %%", 100*float64(n)/float64(max(1, d.total))) }
	w.row(used, share(used), "used")
	for _, why := range reasons {
		if n := d.all[why]; n > 0 {
			w.row(n, share(n), "left out: "+string(why))
		}
	}
	w.line("")
	if len(cannot) > 0 {
		w.line("Not trained, the edge's own model goes on there:\n")
		for _, s := range cannot {
			w.line("* %s", s)
		}
		w.line("")
	}
	w.line("SHA-256 of the rows: `%s`\n", d.print)
}

func (r *Result) reportModes(w *page) {
	w.line("## Modes\n")
	w.row("mode", "rows", "windows fitted", "tags", "window", "networks", "epochs", "loss", "validation", "edge differs by")
	w.row("---", "---:", "---:", "---:", "---:", "---:", "---:", "---:", "---:", "---:")
	for _, md := range r.modes {
		curve := md.curves[md.kept]
		best := curve[0]
		for _, e := range curve {
			if e.Validation < best.Validation {
				best = e
			}
		}
		w.row(md.name, md.rows.n(), len(md.material.fit), md.material.tags, md.material.window, len(md.curves), len(curve),
			fmt.Sprintf("%.4f", best.Loss), fmt.Sprintf("%.4f", best.Validation), fmt.Sprintf("%.1e", md.agree))
	}
	w.line("\n![Loss](loss.svg)\n")
	for _, md := range r.modes {
		for _, l := range md.scaling.left {
			w.line("* %s is not in the model of mode %s: it %s.", l.Tag, md.name, l.Why)
		}
	}
	w.line("\n## Limits\n")
	w.line("A limit is set where the largest deciding score of a block (8 of 10 rows are beyond) has the probability that the budget allows. Scores are those of windows that the network was not fitted to.\n")
	w.row("mode", "calibration windows", "blocks", "limit, decades", "limit, score", "alarms it raises there", "extrapolated")
	w.row("---", "---:", "---:", "---:", "---:", "---:", "---")
	for _, md := range r.modes {
		c := md.calibration
		guess := "no"
		if c.guess {
			guess = fmt.Sprintf("yes: the budget speaks of one block in %.0f", week/(r.opts.Budget*c.block))
		}
		w.row(md.name, len(c.scores), len(c.maxima), fmt.Sprintf("%.2f", c.limit), fmt.Sprintf("%.2f", c.limit/topDecades), c.alarms, guess)
	}
	w.line("\n![Calibration](calibration.svg)\n")
	for _, md := range r.modes {
		if c := md.calibration; c.wanted > c.limit {
			w.line("* Mode %s: the budget asks for a limit of %.1f decades, the highest one is %d. More alarms than the budget are likely.", md.name, c.wanted, highestLimit)
		}
	}
}

func (r *Result) reportBacktest(w *page) {
	b := r.Backtest
	w.line("## Backtest\n")
	w.line("%s to %s. No row of it was trained or calibrated on. A week below is one in which the machine ran and was judged, as the budget means it; standing counts for nothing.\n", date(b.From), date(b.To))
	w.line("![Backtest](backtest.svg)\n")
	w.row("", "trained", "learned on the edge")
	w.row("---", "---:", "---:")
	w.row("asset-weeks by the calendar", fmt.Sprintf("%.3f", b.Weeks), fmt.Sprintf("%.3f", b.Weeks))
	w.row("asset-weeks judged", fmt.Sprintf("%.3f", b.Running), fmt.Sprintf("%.3f", b.Own))
	w.row("alarms", len(b.Trained), len(b.Learned))
	w.row("of them without a confirmed fault", b.False(b.Trained), b.False(b.Learned))
	perWeek := func(n int, judged float64) string { return fmt.Sprintf("%.2f", rate(n, judged)) }
	w.row("alarms per asset-week judged", perWeek(len(b.Trained), b.Running), perWeek(len(b.Learned), b.Own))
	w.row("without a confirmed fault, per asset-week judged", perWeek(b.False(b.Trained), b.Running), perWeek(b.False(b.Learned), b.Own))
	w.row("budget", fmt.Sprintf("%.3g", r.opts.Budget), "")
	w.row("confirmed faults found", fmt.Sprintf("%.0f of %d", r.Metrics["events_found"], len(b.Events)), fmt.Sprintf("%.0f of %d", r.Metrics["events_found_learned"], len(b.Events)))
	w.line("")
	if math.IsNaN(b.Rank) {
		w.line("Too few rows have both scores to compare them.\n")
	} else {
		w.line("Rank correlation of the two scores: %.2f.\n", b.Rank)
	}
	if len(b.Events) > 0 {
		w.line("### Confirmed faults\n")
		w.row("from", "to", "code", "note", "trained: lead", "learned: lead", "trained: before the end")
		w.row("---", "---", "---", "---", "---:", "---:", "---:")
		for _, e := range b.Events {
			l := e.Label
			w.row(date(l.From), date(l.To), l.Code, l.Note, r.lead(l.From, e.Trained), r.lead(l.From, e.Learned), r.lead(l.To, e.Trained))
		}
		w.line("\nLead: from the first alarm to the time that the label gives; negative where the alarm came later.\n")
	}
	r.list(w, "Alarms that appear", "the trained model raises them, the edge's own did not", b.Appear)
	r.list(w, "Alarms that vanish", "the edge's own model raised them, the trained one does not", b.Vanish)
}

// lead is the plant time from an alarm to a moment.
func (r *Result) lead(to, alarm int64) string {
	if alarm == 0 {
		return "not found"
	}
	return time.Duration(float64(to-alarm) * r.data.speed).Round(time.Second).String()
}

// mostAlarms bounds a list in the report.
const mostAlarms = 100

func (r *Result) list(w *page, title, about string, alarms []Alarm) {
	w.line("### %s\n", title)
	if len(alarms) == 0 {
		w.line("None.\n")
		return
	}
	w.line("%d: %s.\n", len(alarms), about)
	w.row("raised", "lasted", "mode", "score", "tags", "confirmed")
	w.row("---", "---:", "---", "---:", "---", "---")
	for _, a := range alarms[:min(mostAlarms, len(alarms))] {
		confirmed := "no"
		if a.Of >= 0 {
			confirmed = r.Backtest.Events[a.Of].Label.Code
		}
		w.row(date(a.Raised), r.lead(a.end(r.Backtest.To), a.Raised), a.Mode, fmt.Sprintf("%.2f", a.Score), strings.Join(a.Tags, ", "), confirmed)
	}
	w.line("")
}
