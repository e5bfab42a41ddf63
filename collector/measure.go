package collector

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"millwright/plant"
)

const (
	liveWithin = 15 * time.Second
	liveEach   = 10 * time.Millisecond // more for each tag: a small PLC makes its items slowly
)

// Measured is what a server was seen to do. Times are ms.
type Measured struct {
	RoundTripP50 float64 `json:"round_trip_p50_ms"`
	RoundTripP95 float64 `json:"round_trip_p95_ms"`
	Clock        float64 `json:"clock_ms"` // the server's minus ours

	Tags        int     `json:"tags"` // monitored
	Refused     int     `json:"refused"`
	Seconds     float64 `json:"seconds"`
	Values      int     `json:"values"` // received in these
	ValuesS     float64 `json:"values_s"`
	IntervalP50 float64 `json:"interval_p50_ms"` // between notifications
	IntervalP95 float64 `json:"interval_p95_ms"`
	DelayP50    float64 `json:"delay_p50_ms"` // from the time that a value carries to its arrival, by the server's clock
	DelayP95    float64 `json:"delay_p95_ms"`
	Revised     int     `json:"revised"` // tags that the server grants less for than was asked
	Overflows   uint64  `json:"overflows"`
	Missing     uint64  `json:"missing"` // times that a notification had to be fetched again
}

// tally notes what arrives.
type tally struct {
	mu     sync.Mutex
	since  time.Time     // zero: not yet
	offset time.Duration // of the server's clock
	all    int           // values, since the beginning
	values int           // since then
	last   time.Time
	gaps   []time.Duration
	delays []time.Duration
}

func (y *tally) Write(_ context.Context, b plant.Batch) error {
	now := time.Now()
	y.mu.Lock()
	defer y.mu.Unlock()
	n := len(b.Samples) + len(b.States)
	y.all += n
	if y.since.IsZero() {
		return nil
	}
	y.values += n
	if !y.last.IsZero() {
		y.gaps = append(y.gaps, now.Sub(y.last))
	}
	y.last = now
	here := now.Add(y.offset)
	for i := range b.Samples {
		if at := time.Unix(0, b.Samples[i].Time); at.After(y.since.Add(y.offset)) { // not of before
			y.delays = append(y.delays, here.Sub(at))
		}
	}
	return nil
}

// begin starts the measurement.
func (y *tally) begin() {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.since = time.Now()
}

// budget is the load that a product bears.
func (x *Examination) budget(of Product) plant.Budget {
	if x.Manners == nil {
		return plant.Budget{}
	}
	return x.Manners(of)
}

// measure receives the values of the tags for a while, as an edge would.
func (x *Examination) measure(ctx context.Context, d *Diagnosis) {
	budget := x.budget(d.Product)
	budget.NoHistory = true // an edge that lives may be reading it
	tags, err := x.some(ctx, budget)
	if err != nil {
		d.fail("values", fmt.Sprintf("finding variables to measure: %v", err), "give the user the right to browse and read; if the server gave up in the middle, look at its log")
		return
	}
	if len(tags) == 0 {
		d.warn("values", "no variable was found that could be measured", "give the user the right to browse and read")
		return
	}
	m := d.Measured
	y := &tally{offset: time.Duration(m.Clock * float64(time.Millisecond))}
	s := &Source{Name: "doctor", URL: x.URL, Tags: tags, Security: x.Security, Publishing: x.Publishing, Budget: budget, Log: slog.New(slog.DiscardHandler)}
	run, stop := context.WithCancel(ctx)
	var done sync.WaitGroup
	defer done.Wait()
	defer stop()
	done.Go(func() { _ = s.Run(run, y) })
	within := liveWithin + time.Duration(len(tags))*liveEach
	for end := time.Now().Add(within); s.Status().State != plant.Live; {
		select {
		case <-ctx.Done():
			return
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(end) {
			st := s.Status()
			d.fail("values", fmt.Sprintf("no values within %v: %s", within, line(cmp.Or(st.Reason, string(st.State)), maxMessage)), "look at the server's log: it lets us in and gives nothing")
			return
		}
	}
	before := s.Status()
	y.begin()
	select {
	case <-ctx.Done():
		return
	case <-time.After(x.Measure):
	}
	st := s.Status()
	y.mu.Lock()
	defer y.mu.Unlock()
	m.Tags, m.Refused = st.Tags, len(st.Rejected)
	m.Seconds, m.Values = time.Since(y.since).Seconds(), y.values
	m.ValuesS = float64(m.Values) / m.Seconds
	m.IntervalP50, m.IntervalP95 = ms(quantile(y.gaps, 50)), ms(quantile(y.gaps, 95))
	m.DelayP50, m.DelayP95 = ms(quantile(y.delays, 50)), ms(quantile(y.delays, 95))
	m.Revised, m.Overflows, m.Missing = st.RevisedCount, st.Overflows-before.Overflows, st.SequenceGaps-before.SequenceGaps
	d.judge(m, y.all, &st)
}

// judge says what the measurement means.
func (d *Diagnosis) judge(m *Measured, all int, st *plant.PLCStatus) {
	switch {
	case m.Refused > 0 && m.Tags == 0:
		d.fail("items", fmt.Sprintf("the server monitors none of %s", some(st.Rejected)), "read the reasons")
	case m.Refused > 0:
		d.fail("items", fmt.Sprintf("the server does not monitor %s", some(st.Rejected)), "read the reasons; the others are not held up by these")
	default:
		d.ok("items", fmt.Sprintf("%d tags are monitored", m.Tags))
	}
	switch {
	case all == 0:
		d.fail("values", "not a single value came, not even the first of each tag", "look whether the PLC runs, and at the server's log")
	case m.Values == 0:
		d.ok("values", fmt.Sprintf("the first value of each tag came; nothing changed in the %.0f s after", m.Seconds))
	default:
		text := []string{fmt.Sprintf("%d in %.1f s (%.1f/s)", m.Values, m.Seconds, m.ValuesS)}
		if m.IntervalP95 > 0 {
			text = append(text, fmt.Sprintf("a notification every %.0f ms, p95 %.0f ms", m.IntervalP50, m.IntervalP95))
		}
		if m.DelayP95 != 0 {
			text = append(text, fmt.Sprintf("delay p50 %.0f ms, p95 %.0f ms", m.DelayP50, m.DelayP95))
		}
		d.ok("values", strings.Join(text, ", "))
	}
	if uneven := m.DelayP95 - m.DelayP50; uneven > 1000 {
		d.warn("jitter", fmt.Sprintf("values arrive unevenly: %.0f ms lie between the middle and p95 of their delay", uneven),
			"look at the network and at the load of the PLC, or sample fewer tags or more slowly")
	}
	if m.Revised > 0 {
		d.warn("sampling", fmt.Sprintf("for %d tags the server grants other sampling intervals or queues than were asked: %s", m.Revised, revisedText(st.Revised)),
			"ask for what it grants, or raise its limits")
	}
	if m.Overflows > 0 {
		d.warn("queues", fmt.Sprintf("%d times a queue of the server ran over: values are lost", m.Overflows), "give these tags longer queues or a longer sampling interval, or publish more often")
	}
	if m.Missing > 0 {
		d.warn("order", fmt.Sprintf("%d times a notification was missing and had to be fetched again", m.Missing), "look at the server's log: it drops what it has promised")
	}
}

func revisedText(list []plant.RevisedTag) string {
	var text []string
	for _, r := range list[:min(len(list), mostListed)] {
		text = append(text, fmt.Sprintf("%s every %v ms for %v ms, queue %d for %d", r.Tag, r.GrantedSamplingMS, r.SamplingMS, r.GrantedQueue, r.Queue))
	}
	return strings.Join(text, "; ")
}

// some are the tags to measure: the plant's own, as many as the budget allows, else
// the first that are found, asked for slowly enough for a small PLC.
func (x *Examination) some(ctx context.Context, budget plant.Budget) ([]plant.Tag, error) {
	tags := slices.Clone(x.Tags[:least(len(x.Tags), budget.Tags)])
	if x.Tags == nil {
		most := least(mostTried, budget.Tags)
		found := &Discovery{URL: x.URL, Security: x.Security, Manners: x.Manners, Most: most}
		draft, err := found.Run(ctx)
		if draft == nil {
			return nil, err
		}
		tags = draft.Tags[:min(len(draft.Tags), most)]
		for i := range tags {
			tags[i].Sampling = triedEvery
		}
	}
	for i := range tags {
		tags[i].ID = plant.TagID(i + 1)
	}
	return tags, nil
}

// quantile is the nearest of the times that a part of all lie below; 0 of none.
func quantile(all []time.Duration, percent int) time.Duration {
	if len(all) == 0 {
		return 0
	}
	all = slices.Sorted(slices.Values(all))
	return all[max(0, (len(all)*percent+99)/100-1)]
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// short is a time as people read it.
func short(d time.Duration) string {
	switch {
	case d >= time.Minute:
		return d.Round(time.Second).String()
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	}
	return d.Round(10 * time.Microsecond).String()
}
