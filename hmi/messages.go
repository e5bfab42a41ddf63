package hmi

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"millwright/plant"
)

type messageBody struct {
	ID         int64              `json:"id"`
	Alarm      *int64             `json:"alarm"`
	Alarms     []int64            `json:"alarms"`
	Purpose    string             `json:"purpose"`
	Step       int                `json:"step"`
	Person     *string            `json:"person"`
	PersonName *string            `json:"person_name"`
	Channel    string             `json:"channel"`
	Address    string             `json:"address"`
	Language   string             `json:"language"`
	Priority   int                `json:"priority"`
	State      plant.MessageState `json:"state"`
	Reason     *string            `json:"reason"`
	Created    *stamp             `json:"created"`
	Due        *stamp             `json:"due"`
	Sent       *stamp             `json:"sent"`
	Tries      int                `json:"tries"`
	Error      *string            `json:"error"`
	Subject    string             `json:"subject"`
	Text       string             `json:"text"`
}

// newMessageBody is a message as others than its reader may see it: without the
// link that acknowledges as the reader, and for those who may not see addresses,
// without its address.
func newMessageBody(m *plant.Message, names map[string]string, open bool) messageBody {
	address, fault := m.Address, m.Error
	if !open {
		address = masked(m.Channel, m.Address)
		if m.Address != address { // a topic, say, has no form of its own
			fault = strings.ReplaceAll(fault, m.Address, address)
		}
		fault = withoutAddresses(fault)
	}
	b := messageBody{ID: m.ID, Alarms: list(m.Alarms), Purpose: m.Purpose, Step: m.Step, Person: optional(m.Person), Channel: m.Channel,
		Address: address, Language: m.Language, Priority: m.Priority, State: m.State, Reason: optional(m.Reason), Created: when(m.Created),
		Due: when(m.Due), Sent: when(m.Sent), Tries: m.Tries, Error: optional(withoutLinks(fault)), Subject: withoutLinks(m.Subject), Text: withoutLinks(m.Text)}
	if m.Alarm != 0 {
		b.Alarm = &m.Alarm
	}
	if m.Person != "" {
		b.PersonName = optional(cmp.Or(names[m.Person], m.Person))
	}
	return b
}

const messageStates = "pending, held, sending, sent, cancelled or dead"

// messages is the log of what was told to whom, newest first.
func (s *Server) messages(w http.ResponseWriter, r *http.Request) error {
	q := newQuery(r.URL.RawQuery, "alarm", "person", "channel", "state", "limit", "after")
	ask := plant.MessageQuery{Alarm: q.row("alarm"), Person: q.text("person"), Channel: q.text("channel"),
		State: plant.MessageState(q.text("state")), Limit: q.limit()}
	switch ask.State {
	case "", plant.MessagePending, plant.MessageHeld, plant.MessageSending, plant.MessageSent, plant.MessageCancelled, plant.MessageDead:
	default:
		q.fail("state", fmt.Sprintf("%.40q is not a state", ask.State), messageStates)
	}
	ask.After, _ = q.after('m')
	if q.err != nil {
		return q.err
	}
	found, after, err := s.Alerts.Messages(r.Context(), ask)
	if err != nil {
		return s.listProblem(err)
	}
	ro, err := s.Alerts.Roster(r.Context())
	if err != nil {
		return fmt.Errorf("names of messages: %w", err)
	}
	var next *string
	if after != "" {
		next = cursor('m', after)
	}
	names, open := peopleNames(&ro), seesAddresses(r)
	out := make([]messageBody, len(found))
	for i := range found {
		out[i] = newMessageBody(&found[i], names, open)
	}
	return send(w, struct {
		Messages []messageBody `json:"messages"`
		Next     *string       `json:"next"`
	}{out, next})
}

// retry sends a message once more that was given up.
func (s *Server) retry(w http.ResponseWriter, r *http.Request) error {
	if q := newQuery(r.URL.RawQuery); q.err != nil {
		return q.err
	}
	id, err := rowID(r, "a message")
	if err != nil {
		return err
	}
	m, err := s.Alerts.Retry(r.Context(), id, userOf(r).Name)
	switch s.refusal(err) {
	case http.StatusNotFound:
		return refuse(http.StatusNotFound, "id: there is no message %d", id)
	case http.StatusConflict:
		return refuse(http.StatusConflict, "message %d was not given up; only a dead one is sent again", id)
	}
	if err != nil {
		return err
	}
	return s.sendMessage(w, r, http.StatusOK, &m)
}

func (s *Server) sendMessage(w http.ResponseWriter, r *http.Request, status int, m *plant.Message) error {
	ro, err := s.Alerts.Roster(r.Context())
	if err != nil {
		return fmt.Errorf("names of messages: %w", err)
	}
	return sendAs(w, status, newMessageBody(m, peopleNames(&ro), seesAddresses(r)))
}

type channelBody struct {
	Name      string  `json:"name"`
	Target    string  `json:"target"`
	State     string  `json:"state"`
	Since     *stamp  `json:"since"`
	Sent      uint64  `json:"sent"`
	Failed    uint64  `json:"failed"`
	Dead      uint64  `json:"dead"`
	Pending   int     `json:"pending"`
	LastSent  *stamp  `json:"last_sent"`
	Error     *string `json:"error"`
	Heartbeat bool    `json:"heartbeat"`
}

// channels tells how the ways out are.
func (s *Server) channels(w http.ResponseWriter, r *http.Request) error {
	if q := newQuery(r.URL.RawQuery); q.err != nil {
		return q.err
	}
	found, err := s.Alerts.Channels(r.Context())
	if err != nil {
		return err
	}
	open := seesAddresses(r)
	out := make([]channelBody, len(found))
	for i, c := range found {
		if !open {
			c.Error = withoutAddresses(c.Error)
		}
		out[i] = channelBody{c.Name, c.Target, c.State, when(c.Since), c.Sent, c.Failed, c.Dead, c.Pending, when(c.LastSent), optional(withoutLinks(c.Error)), c.Heartbeat}
	}
	return send(w, struct {
		Channels []channelBody `json:"channels"`
	}{out})
}

type testAsk struct {
	Address  string `json:"address"`
	Language string `json:"language"`
}

const maxAddress = 320 // of a mail address (RFC 3696, with its erratum)

// testChannel queues a message that says that it is a test.
func (s *Server) testChannel(w http.ResponseWriter, r *http.Request) error {
	if q := newQuery(r.URL.RawQuery); q.err != nil {
		return q.err
	}
	ask := testAsk{Language: plant.English}
	if err := readJSON(r, &ask); err != nil {
		return err
	}
	if n := utf8.RuneCountInString(ask.Address); n == 0 || n > maxAddress {
		return wrong("address", fmt.Sprintf("%d characters", n), fmt.Sprintf("1 to %d: where to send the test", maxAddress))
	}
	if !slices.Contains([]string{plant.English, plant.Urdu, plant.Russian}, ask.Language) {
		return wrong("language", fmt.Sprintf("%.40q is not a language of messages", ask.Language), "en, ur or ru")
	}
	name := r.PathValue("name")
	there, err := s.Alerts.Channels(r.Context())
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(there, func(c plant.ChannelStatus) bool { return c.Name == name }) {
		return refuse(http.StatusNotFound, "name: there is no channel %.40q; %s/channels lists them", name, apiBase)
	}
	m, err := s.Alerts.Test(r.Context(), name, ask.Address, ask.Language, userOf(r).Name)
	if err != nil {
		return err
	}
	return s.sendMessage(w, r, http.StatusAccepted, &m)
}
