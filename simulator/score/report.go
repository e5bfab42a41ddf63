package score

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// Measure is a line of a report: what was reached, of how many, and the goal for
// a first release.
type Measure struct {
	Name string  `json:"name"`
	Goal string  `json:"goal"` // empty: none is set
	N    float64 `json:"n"`    // of how many the value is made: events, alerts, asset-months
	// Value is a share, but for numbers and rates; without meaning where N is 0.
	Value float64 `json:"value"`
	Met   bool    `json:"met"`

	unit string
}

func (m *Measure) text() string {
	switch {
	case m.N == 0:
		return "–"
	case m.unit == "%":
		return fmt.Sprintf("%.0f %% of %g", 100*m.Value, m.N)
	case m.unit != "":
		return fmt.Sprintf("%.3g %s", m.Value, m.unit)
	}
	return fmt.Sprintf("%g", m.Value)
}

// Measures are the score beside its goals.
func (s *Score) Measures() []Measure {
	var out []Measure
	least := func(name string, k, n int, goal float64) {
		m := Measure{Name: name, N: float64(n), Value: float64(k) / float64(max(n, 1)), unit: "%"}
		if goal > 0 {
			m.Goal = fmt.Sprintf("≥ %.0f %%", 100*goal)
		}
		m.Met = n > 0 && m.Value >= goal
		out = append(out, m)
	}
	least("events found", s.Found, s.Events, 0)
	least("of those with more than a week from P to F", s.LongSeen, s.Long, 0.9)
	least("alerts that are right", s.Right, s.Alerts, 0.8)
	out = append(out, Measure{Name: "median share of P–F left at the first alert", Goal: "≥ 50 %", N: float64(len(s.Leads)), Value: s.Median(),
		Met: s.Median() >= 0.5, unit: "%"})
	rate := s.rate()
	out = append(out, Measure{Name: "false alerts a healthy asset-month", Goal: "≤ 0.1", N: s.Months, Value: rate, Met: s.Months > 0 && rate <= 0.1,
		unit: fmt.Sprintf("(%d in %.3g asset-months)", s.False, s.Months)})
	least("class of fault told first", s.Class1, s.Told, 0.75)
	least("class of fault among the first three", s.Class3, s.Told, 0.9)
	least("faulty tag first", s.Tag1, s.Tagged, 0)
	least("faulty tag among the first three", s.Tag3, s.Tagged, 0)
	least("sensor faults found as such", s.SensorFound, s.SensorEvents, 0)
	called := Measure{Name: "sensor faults called a machine's", Goal: "≤ 5 %", N: float64(s.SensorEvents), unit: "%"}
	called.Value = float64(s.SensorCalled) / float64(max(s.SensorEvents, 1))
	called.Met = s.SensorEvents > 0 && called.Value <= 0.05
	out = append(out, called)
	for _, x := range []struct {
		name string
		n    int
	}{{"false alerts near a change of mode", s.ByMode}, {"near another product", s.ByProduct}, {"of season, weather or nothing", s.BySeason}} {
		out = append(out, Measure{Name: x.name, Goal: "0", N: s.Months, Value: float64(x.n), Met: x.n == 0})
	}
	return out
}

// part is a table of the report, with a row for each run.
type part struct {
	head string
	row  func(*Score) string
}

func parts() []part {
	return []part{
		{"scenario\tevents\tfound\t> week\tfound\tlead\tsensors'\tas such\tas machine's", func(s *Score) string {
			lead := "–"
			if len(s.Leads) > 0 {
				lead = fmt.Sprintf("%.0f %%", 100*s.Median())
			}
			return fmt.Sprintf("%d\t%d\t%d\t%d\t%s\t%d\t%d\t%s", s.Events, s.Found, s.Long, s.LongSeen, lead,
				s.SensorEvents, s.SensorFound, percent(s.SensorCalled, s.SensorEvents))
		}},
		{"scenario\talerts\tright\tsensor's\tfalse\tmonths\trate\tmode\tproduct\tseason", func(s *Score) string {
			rate := "–"
			if s.Months > 0 {
				rate = fmt.Sprintf("%.3g", s.rate())
			}
			return fmt.Sprintf("%d\t%s\t%d\t%d\t%.3g\t%s\t%d\t%d\t%d", s.Alerts, percent(s.Right, s.Alerts), s.Miscalled, s.False,
				s.Months, rate, s.ByMode, s.ByProduct, s.BySeason)
		}},
		{"scenario\tclass 1\tclass 3\ttag 1\ttag 3", func(s *Score) string {
			return fmt.Sprintf("%s\t%s\t%s\t%s", share(s.Class1, s.Told), share(s.Class3, s.Told), share(s.Tag1, s.Tagged), share(s.Tag3, s.Tagged))
		}},
	}
}

// share is a number of another one, and in percent.
func share(k, n int) string {
	if n == 0 {
		return "–"
	}
	return fmt.Sprintf("%d of %d, %s", k, n, percent(k, n))
}

func percent(k, n int) string {
	if n == 0 {
		return "–"
	}
	return fmt.Sprintf("%.0f %%", 100*float64(k)/float64(n))
}

// Run is the score of a case by its name.
type Run struct {
	Name string `json:"name"`
	Score
}

// Print writes what each run reached, in three tables, and in total what was reached
// beside the goals.
func Print(w io.Writer, runs []Run) error {
	var total Score
	for i := range runs {
		total.Add(runs[i].Score)
	}
	t := tabwriter.NewWriter(w, 2, 8, 2, ' ', 0)
	for _, p := range parts() {
		fmt.Fprintln(t, p.head)
		for i := range runs {
			fmt.Fprintf(t, "%s\t%s\n", runs[i].Name, p.row(&runs[i].Score))
		}
		fmt.Fprintln(t)
		if err := t.Flush(); err != nil { // each table has widths of its own
			return err
		}
	}
	fmt.Fprintln(t, "in total, on simulated data\treached\tgoal\t")
	for _, m := range total.Measures() {
		verdict := ""
		if m.Goal != "" && m.N > 0 {
			verdict = map[bool]string{true: "yes", false: "no"}[m.Met]
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", m.Name, m.text(), m.Goal, verdict)
	}
	if total.Unwatched > 0 {
		fmt.Fprintf(t, "models that never began to judge\t%d\t\t\n", total.Unwatched)
	}
	return t.Flush()
}
