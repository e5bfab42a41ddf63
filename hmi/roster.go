package hmi

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"time"

	"millwright/hmi/account"
	"millwright/plant"
)

const rosterPath = apiBase + "/roster"

// revisionBody is a saved roster without its contents.
type revisionBody struct {
	Revision int64   `json:"revision"`
	Saved    *stamp  `json:"saved"`
	SavedBy  *string `json:"saved_by"`
	Note     *string `json:"note"`
}

type rosterBody struct {
	revisionBody
	People []plant.Person `json:"people"`
	Teams  []plant.Team   `json:"teams"`
	Routes []plant.Route  `json:"routes"`
}

func newRevisionBody(ro *plant.Roster) revisionBody {
	return revisionBody{ro.Revision, when(ro.Saved), optional(ro.SavedBy), optional(ro.Note)}
}

// newRosterBody copies a roster: lists are never null, and who may not see
// addresses gets them masked.
func newRosterBody(ro *plant.Roster, open bool) rosterBody {
	b := rosterBody{newRevisionBody(ro), list(slices.Clone(ro.People)), list(slices.Clone(ro.Teams)), list(slices.Clone(ro.Routes))}
	for i := range b.People {
		p := &b.People[i]
		p.Contacts = list(slices.Clone(p.Contacts))
		for j := range p.Contacts {
			if c := &p.Contacts[j]; !open {
				c.Address = masked(c.Channel, c.Address)
			}
		}
	}
	for i := range b.Teams {
		t := &b.Teams[i]
		t.Rotations = list(slices.Clone(t.Rotations))
		for j := range t.Rotations {
			t.Rotations[j].People = list(t.Rotations[j].People)
		}
	}
	for i := range b.Routes {
		b.Routes[i].Steps = list(b.Routes[i].Steps)
	}
	return b
}

// seesAddresses reports whether the user may read how people are reached.
func seesAddresses(r *http.Request) bool { return userOf(r).Role.Covers(account.Operator) }

func (s *Server) roster(w http.ResponseWriter, r *http.Request) error {
	if q := newQuery(r.URL.RawQuery); q.err != nil {
		return q.err
	}
	ro, err := s.Alerts.Roster(r.Context())
	if err != nil {
		return err
	}
	return send(w, newRosterBody(&ro, seesAddresses(r)))
}

func (s *Server) revision(w http.ResponseWriter, r *http.Request) error {
	if q := newQuery(r.URL.RawQuery); q.err != nil {
		return q.err
	}
	n, err := rowID(r, "a revision")
	if err != nil {
		return err
	}
	ro, err := s.Alerts.RosterAt(r.Context(), n)
	if s.refusal(err) == http.StatusNotFound {
		return refuse(http.StatusNotFound, "id: there is no revision %d", n)
	}
	if err != nil {
		return err
	}
	return send(w, newRosterBody(&ro, seesAddresses(r)))
}

func (s *Server) revisions(w http.ResponseWriter, r *http.Request) error {
	q := newQuery(r.URL.RawQuery, "limit")
	limit := q.limit()
	if q.err != nil {
		return q.err
	}
	found, err := s.Alerts.Revisions(r.Context(), limit)
	if err != nil {
		return err
	}
	out := make([]revisionBody, len(found))
	for i := range found {
		out[i] = newRevisionBody(&found[i])
	}
	return send(w, struct {
		Revisions []revisionBody `json:"revisions"`
	}{out})
}

type rosterAsk struct {
	Revision int64          `json:"revision"`
	Note     string         `json:"note"`
	People   []plant.Person `json:"people"`
	Teams    []plant.Team   `json:"teams"`
	Routes   []plant.Route  `json:"routes"`
}

func (s *Server) saveRoster(w http.ResponseWriter, r *http.Request) error {
	if q := newQuery(r.URL.RawQuery); q.err != nil {
		return q.err
	}
	var ask rosterAsk
	if err := readJSON(r, &ask); err != nil {
		return err
	}
	// An absent list is a slip, and would take everybody off the roster.
	if ask.People == nil || ask.Teams == nil || ask.Routes == nil {
		return wrong("body", "people, teams or routes is missing", "the whole roster, as GET roster gives it")
	}
	if err := checkNote("note", ask.Note); err != nil {
		return err
	}
	ro := plant.Roster{Revision: ask.Revision, People: ask.People, Teams: ask.Teams, Routes: ask.Routes}
	saved, err := s.Alerts.SaveRoster(r.Context(), ro, userOf(r).Name, ask.Note)
	if s.refusal(err) == http.StatusConflict {
		return refuse(http.StatusConflict, "the roster has changed since revision %d; look at it again", ask.Revision)
	}
	if err != nil {
		return err
	}
	return send(w, newRosterBody(&saved, true))
}

type onCallBody struct {
	Team     string       `json:"team"`
	Name     string       `json:"name"`
	People   []personBody `json:"people"`
	Override bool         `json:"override"`
	Until    *stamp       `json:"until"`
}

type personBody struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// onCall tells who is on call now, or at a time.
func (s *Server) onCall(w http.ResponseWriter, r *http.Request) error {
	q := newQuery(r.URL.RawQuery, "at")
	at := cmp.Or(q.time("at"), plant.Millis(time.Now().UnixNano()))
	if q.err != nil {
		return q.err
	}
	found, err := s.Alerts.OnCall(r.Context(), at)
	if err != nil {
		return err
	}
	ro, err := s.Alerts.Roster(r.Context())
	if err != nil {
		return fmt.Errorf("names on call: %w", err)
	}
	people, teams := peopleNames(&ro), map[string]string{}
	for _, t := range ro.Teams {
		teams[t.ID] = t.Name
	}
	out := make([]onCallBody, len(found))
	for i, c := range found {
		out[i] = onCallBody{Team: c.Team, Name: cmp.Or(teams[c.Team], c.Team), People: []personBody{}, Override: c.Override, Until: when(c.Until)}
		for _, id := range c.People {
			out[i].People = append(out[i].People, personBody{id, cmp.Or(people[id], id)})
		}
	}
	return send(w, struct {
		At    stamp        `json:"at"`
		Teams []onCallBody `json:"teams"`
	}{stamp(at), out})
}

// peopleNames are the names for people, by id.
func peopleNames(ro *plant.Roster) map[string]string {
	names := map[string]string{}
	for _, p := range ro.People {
		names[p.ID] = p.Name
	}
	return names
}
