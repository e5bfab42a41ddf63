package hmi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"millwright/plant"
)

type alarmBody struct {
	ID       int64            `json:"id"`
	Asset    string           `json:"asset"`
	Class    plant.Class      `json:"class"`
	State    plant.AlarmState `json:"state"`
	Priority int              `json:"priority"`
	Title    string           `json:"title"`
	Raised   *stamp           `json:"raised"`
	Returned *stamp           `json:"returned"`
	Acked    *stamp           `json:"acked"`
	AckedBy  *string          `json:"acked_by"`
	Count    int              `json:"count"`
	Seq      uint64           `json:"seq"`
	Edge     string           `json:"edge"`
	Note     *string          `json:"note"`
	Finding  findingBody      `json:"finding"`
	Label    *labelBody       `json:"label"`
}

type findingBody struct {
	Detector      string             `json:"detector"`
	Score         number             `json:"score"`
	Limit         number             `json:"limit"`
	Contributions []contributionBody `json:"contributions"`
	Key           string             `json:"key"`
	Kind          string             `json:"kind"`
	Phase         plant.Phase        `json:"phase"`
	Tag           *string            `json:"tag"`
	Mode          *string            `json:"mode"`
	Time          *stamp             `json:"time"`
	Value         *number            `json:"value"`
	Unit          *string            `json:"unit"`
	Extrapolated  bool               `json:"extrapolated"`
	Text          *string            `json:"text"`
	Condition     *string            `json:"condition"`
	Loss          *lossBody          `json:"loss"`
}

type contributionBody struct {
	Tag       string `json:"tag"`
	Share     number `json:"share"`
	Value     number `json:"value"`
	Expected  number `json:"expected"`
	Direction string `json:"direction"`
	Unit      string `json:"unit"`
}

func newAlarmBody(a *plant.Alarm) alarmBody {
	f := &a.Finding
	b := alarmBody{
		ID: a.ID, Asset: f.Asset, Class: f.Class, State: a.State, Priority: f.Priority, Title: f.Title(),
		Raised: when(a.Raised), Returned: when(a.Returned), Acked: when(a.Acked), AckedBy: optional(a.AckedBy),
		Count: a.Count, Seq: a.Seq, Edge: a.Edge, Note: optional(a.Note),
		Finding: findingBody{
			Detector: f.Detector, Score: number(f.Score), Limit: number(f.Limit), Contributions: []contributionBody{},
			Key: f.Key, Kind: f.Kind, Phase: f.Phase, Tag: optional(f.Tag), Mode: optional(f.Mode), Time: when(f.Time),
			Unit: optional(f.Unit), Extrapolated: f.Extrapolated,
			Text: optional(f.Text), Condition: optional(f.Condition), Loss: newLossBody(f.Loss),
		},
	}
	if a.Label != nil {
		l := newLabelBody(a.Label)
		b.Label = &l
	}
	if f.Tag != "" {
		v := number(f.Value)
		b.Finding.Value = &v
	}
	for _, c := range f.Contributions {
		b.Finding.Contributions = append(b.Finding.Contributions,
			contributionBody{c.Tag, number(c.Share), number(c.Value), number(c.Expected), c.Direction, c.Unit})
	}
	return b
}

// alarms lists alarms, newest first.
func (s *Server) alarms(w http.ResponseWriter, r *http.Request) error {
	q := newQuery(r.URL.RawQuery, "state", "asset", "since", "limit", "after")
	ask := plant.AlarmQuery{State: q.alarmState("state"), Asset: q.text("asset"), Since: q.time("since"), Limit: q.limit()}
	ask.After, _ = q.after('a')
	if q.err != nil {
		return q.err
	}
	// The journal's end is read first: what comes meanwhile is in the list or
	// after this number, or both, never in neither.
	seq, err := s.journalEnd(r)
	if err != nil {
		return err
	}
	found, after, err := s.Alarms.List(r.Context(), ask)
	if err != nil {
		return s.listProblem(err)
	}
	var next *string
	if after != "" {
		next = cursor('a', after)
	}
	out := make([]alarmBody, len(found))
	for i := range found {
		out[i] = newAlarmBody(&found[i])
	}
	return send(w, struct {
		Alarms []alarmBody `json:"alarms"`
		Next   *string     `json:"next"`
		Seq    uint64      `json:"seq"`
	}{out, next, seq})
}

// journalEnd is the number of the newest entry of the alarm journal.
func (s *Server) journalEnd(r *http.Request) (uint64, error) {
	// Lists begin with the newest journal entry.
	newest, _, err := s.Alarms.List(r.Context(), plant.AlarmQuery{Limit: 1})
	if err != nil || len(newest) == 0 {
		return 0, err
	}
	return newest[0].Seq, nil
}

func (s *Server) alarm(w http.ResponseWriter, r *http.Request) error {
	if q := newQuery(r.URL.RawQuery); q.err != nil {
		return q.err
	}
	id, err := rowID(r, "an alarm")
	if err != nil {
		return err
	}
	a, err := s.Alarms.Get(r.Context(), id)
	if err != nil {
		return s.alarmProblem(id, err)
	}
	return send(w, s.detail(&a))
}

type ackBody struct {
	Note    string `json:"note"`
	IfState string `json:"if_state"`
}

const maxNote = 1000

// ack takes an alarm on behalf of the user.
func (s *Server) ack(w http.ResponseWriter, r *http.Request) error {
	if q := newQuery(r.URL.RawQuery); q.err != nil {
		return q.err
	}
	id, err := rowID(r, "an alarm")
	if err != nil {
		return err
	}
	var body ackBody
	if err := readJSON(r, &body); err != nil {
		return err
	}
	if err := checkNote("note", body.Note); err != nil {
		return err
	}
	if err := checkAlarmState("if_state", body.IfState); err != nil {
		return err
	}
	a, err := s.Alarms.Ack(r.Context(), id, userOf(r).Name, body.Note, plant.AlarmState(body.IfState))
	if err != nil {
		return s.alarmProblem(id, err)
	}
	return send(w, newAlarmBody(&a))
}

// checkNote bounds what people write.
func checkNote(name, note string) error {
	if n := utf8.RuneCountInString(note); n > maxNote {
		return wrong(name, fmt.Sprintf("%d characters", n), fmt.Sprintf("at most %d", maxNote))
	}
	return nil
}

// rowID is the number in the path, of what.
func rowID(r *http.Request, what string) (int64, error) {
	v := r.PathValue("id")
	id, err := strconv.ParseInt(v, 10, 64)
	if err != nil || id < 1 {
		return 0, wrong("id", fmt.Sprintf("%.40q is not %s's number", v, what), "a whole number from 1")
	}
	return id, nil
}

func (s *Server) alarmProblem(id int64, err error) error {
	switch s.refusal(err) {
	case http.StatusNotFound:
		return refuse(http.StatusNotFound, "id: there is no alarm %d", id)
	case http.StatusConflict:
		return refuse(http.StatusConflict, "alarm %d has changed meanwhile; look at it again", id)
	}
	return err
}

// listProblem is the error of a list whose cursor its part alone can read.
func (s *Server) listProblem(err error) error {
	if s.refusal(err) == http.StatusBadRequest {
		return wrong("after", "not a cursor of this list", cursorAllowed)
	}
	return err
}

// readJSON reads a body of one JSON object into v; an empty body leaves v as it is.
func readJSON(r *http.Request, v any) error {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return err
		}
		return wrong("body", "it broke off", "send it whole")
	}
	if len(raw) == 0 {
		return nil
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return refuse(http.StatusUnsupportedMediaType, "Content-Type: send application/json")
	}
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return wrong("body", strings.TrimPrefix(err.Error(), "json: "), "a JSON object as API.md shows")
	}
	if _, err := d.Token(); err != io.EOF {
		return wrong("body", "more than one value", "one JSON object")
	}
	return nil
}
