package hmi

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"millwright/hmi/account"
	"millwright/plant"
)

// Labels are the crew's answers to alarms.
type Labels interface {
	// Label fills in what the label has of its alarm, and its interval where From
	// and To are 0.
	Label(ctx context.Context, l plant.Label) (plant.Label, error)
	Unlabel(ctx context.Context, id int64, who string) error
	Labels(ctx context.Context, q plant.LabelQuery) ([]plant.Label, error)
	Precision(ctx context.Context, asset string, since int64) ([]plant.Precision, error)
}

func (s *Server) labelRoutes() []route {
	return part(s.Labels != nil, "this works keeps no answers to alarms",
		get("/labels", s.labels),
		change(http.MethodPost, "/alarms/{id}/label", account.Operator, s.label),
		change(http.MethodDelete, "/labels/{id}", account.Operator, s.unlabel),
		get("/precision", s.precision),
	)
}

type labelBody struct {
	ID       int64         `json:"id"`
	Alarm    int64         `json:"alarm"`
	Asset    string        `json:"asset"`
	Detector string        `json:"detector"`
	Tag      *string       `json:"tag"`
	Verdict  plant.Verdict `json:"verdict"`
	Code     *string       `json:"code"`
	Of       *int64        `json:"of"`
	Note     *string       `json:"note"`
	From     stamp         `json:"from"`
	To       stamp         `json:"to"`
	Who      string        `json:"who"`
	At       stamp         `json:"at"`
}

func newLabelBody(l *plant.Label) labelBody {
	b := labelBody{ID: l.ID, Alarm: l.Alarm, Asset: l.Asset, Detector: l.Detector, Tag: optional(l.Tag), Verdict: l.Verdict,
		Code: optional(l.Code), Note: optional(l.Note), From: stamp(l.From), To: stamp(l.To), Who: l.Who, At: stamp(l.At)}
	if l.Of != 0 {
		b.Of = &l.Of
	}
	return b
}

// labels lists the valid answers, the one given last first.
func (s *Server) labels(w http.ResponseWriter, r *http.Request) error {
	q := newQuery(r.URL.RawQuery, "alarm", "asset", "from", "to", "limit", "after")
	limit := q.limit()
	ask := plant.LabelQuery{Alarm: q.row("alarm"), Asset: q.text("asset"), From: q.time("from"), To: q.time("to"),
		Before: q.afterTime('l', 0), Limit: limit + 1}
	if q.err != nil {
		return q.err
	}
	found, err := s.Labels.Labels(r.Context(), ask)
	if err != nil {
		return err
	}
	var next *string
	if len(found) > limit {
		found = found[:limit]
		next = cursor('l', strconv.FormatInt(found[limit-1].ID, 10))
	}
	out := make([]labelBody, len(found))
	for i := range found {
		out[i] = newLabelBody(&found[i])
	}
	return send(w, struct {
		Labels []labelBody `json:"labels"`
		Next   *string     `json:"next"`
	}{out, next})
}

// labelAsk is what people answer. Without from and to it is the alarm's interval,
// without tag the sensor that the alarm blames.
type labelAsk struct {
	Verdict plant.Verdict `json:"verdict"`
	Code    string        `json:"code"`
	Of      int64         `json:"of"`
	Tag     string        `json:"tag"`
	Note    string        `json:"note"`
	From    string        `json:"from"`
	To      string        `json:"to"`
}

// label takes an answer to an alarm.
func (s *Server) label(w http.ResponseWriter, r *http.Request) error {
	if q := newQuery(r.URL.RawQuery); q.err != nil {
		return q.err
	}
	id, err := rowID(r, "an alarm")
	if err != nil {
		return err
	}
	var ask labelAsk
	if err := readJSON(r, &ask); err != nil {
		return err
	}
	if err := checkNote("note", ask.Note); err != nil {
		return err
	}
	if err := s.checkSensor(r.Context(), id, ask.Tag); err != nil {
		return err
	}
	l := plant.Label{Alarm: id, Verdict: ask.Verdict, Code: ask.Code, Of: ask.Of, Tag: ask.Tag, Note: ask.Note, Who: userOf(r).Name}
	if ask.From != "" {
		if l.From, err = parseTime("from", ask.From); err != nil {
			return err
		}
	}
	if ask.To != "" {
		if l.To, err = parseTime("to", ask.To); err != nil {
			return err
		}
	}
	if l, err = s.Labels.Label(r.Context(), l); err != nil {
		return s.alarmProblem(id, err)
	}
	return send(w, newLabelBody(&l))
}

// checkSensor says whether path is a sensor of the alarm's asset, or "".
func (s *Server) checkSensor(ctx context.Context, alarm int64, path string) error {
	if path == "" {
		return nil
	}
	a, err := s.Alarms.Get(ctx, alarm)
	if err != nil {
		return s.alarmProblem(alarm, err)
	}
	if t, ok := s.directory.tag(path); !ok || t.Derived || t.Asset != a.Finding.Asset {
		return wrong("tag", fmt.Sprintf("%.200q is no sensor of %s", path, a.Finding.Asset), "the path of a tag of that asset that is measured")
	}
	return nil
}

// labelUndo is how long people may withdraw an answer of their own. Later it may
// have been trained on, and withdrawing is an engineer's decision.
const labelUndo = 24 * time.Hour

// unlabel withdraws an answer.
func (s *Server) unlabel(w http.ResponseWriter, r *http.Request) error {
	if q := newQuery(r.URL.RawQuery); q.err != nil {
		return q.err
	}
	id, err := rowID(r, "an answer")
	if err != nil {
		return err
	}
	found, err := s.Labels.Labels(r.Context(), plant.LabelQuery{ID: id, Limit: 1})
	if err != nil {
		return err
	}
	none := refuse(http.StatusNotFound, "id: there is no answer %d", id)
	if len(found) == 0 {
		return none
	}
	u := userOf(r)
	own := found[0].Who == u.Name && time.Since(time.Unix(0, found[0].At)) < labelUndo
	if !own && !u.Role.Covers(account.Engineer) {
		return refuse(http.StatusForbidden, "an answer of somebody else, or older than a day, is withdrawn by an engineer; %s is %s", u.Name, u.Role)
	}
	if err := s.Labels.Unlabel(r.Context(), id, u.Name); s.refusal(err) == http.StatusNotFound {
		return none // somebody was faster
	} else if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

type precisionBody struct {
	Asset     string  `json:"asset"`
	Detector  string  `json:"detector"`
	Alarms    int     `json:"alarms"`
	Labelled  int     `json:"labelled"`
	Confirmed int     `json:"confirmed"`
	NotFault  int     `json:"not_fault"`
	Sensor    int     `json:"sensor"`
	Process   int     `json:"process"`
	Duplicate int     `json:"duplicate"`
	Share     *number `json:"share"`
}

// precision counts how the alarms of each detector were answered.
func (s *Server) precision(w http.ResponseWriter, r *http.Request) error {
	q := newQuery(r.URL.RawQuery, "asset", "since")
	since := q.time("since")
	if q.err != nil {
		return q.err
	}
	found, err := s.Labels.Precision(r.Context(), q.text("asset"), since)
	if err != nil {
		return fmt.Errorf("precision: %w", err)
	}
	out := make([]precisionBody, len(found))
	for i, p := range found {
		out[i] = precisionBody{p.Asset, p.Detector, p.Alarms, p.Labelled, p.Confirmed, p.NotFault, p.Sensor, p.Process, p.Duplicate, nil}
		if share, ok := p.Share(); ok {
			v := number(share)
			out[i].Share = &v
		}
	}
	return send(w, struct {
		Precision []precisionBody `json:"precision"`
	}{out})
}
