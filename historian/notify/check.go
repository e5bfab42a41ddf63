package notify

import (
	"fmt"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // boxes without zone files

	"millwright/plant"
)

// Kinds of channels that a roster may name.
var kinds = []string{"mail", "sms", "ntfy", "webhook"}

// Bounds of a roster.
const (
	maxPeople = 1000
	maxWait   = 24 * 3600 // seconds
	maxRepeat = 20
	maxTurn   = 366 * 24 // hours

	maxRotations = 50 // of a team
	maxOverrides = 500
)

var (
	namePattern  = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	topicPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	phonePattern = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)
)

// FaultError is everything that is wrong with a roster.
type FaultError struct{ faults []string }

func (e *FaultError) Error() string { return "roster: " + strings.Join(e.faults, "; ") }

// Faults are the faults, each with the path of what it concerns.
func (e *FaultError) Faults() []string { return slices.Clone(e.faults) }

// roster is a plant.Roster that has been read.
type roster struct {
	plant.Roster
	people map[string]*person
	teams  []*team
}

type person struct {
	plant.Person
	quiet *quiet
}

func (r *roster) team(id string) *team {
	i := slices.IndexFunc(r.teams, func(t *team) bool { return t.id == id })
	if i < 0 {
		return nil
	}
	return r.teams[i]
}

// reader reads a roster and collects its faults.
type reader struct {
	out    *roster
	faults []string
}

// read reads a roster; the error is a *FaultError with every fault of it.
func read(in plant.Roster) (*roster, error) {
	r := &reader{out: &roster{Roster: in, people: map[string]*person{}}}
	if len(in.People) > maxPeople || len(in.Teams) > maxPeople || len(in.Routes) > maxPeople {
		r.fault("people, teams, routes", "at most %d of each", maxPeople)
		return nil, &FaultError{r.faults}
	}
	people, teams, routes := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for i := range in.People {
		at := fmt.Sprintf("people[%d]", i)
		r.name(at+".id", in.People[i].ID, people)
		r.person(at, &in.People[i])
	}
	for i := range in.Teams {
		at := fmt.Sprintf("teams[%d]", i)
		r.name(at+".id", in.Teams[i].ID, teams)
		r.team(at, &in.Teams[i])
	}
	for i := range in.Routes {
		at := fmt.Sprintf("routes[%d]", i)
		r.name(at+".id", in.Routes[i].ID, routes)
		r.route(at, &in.Routes[i])
	}
	if len(r.faults) > 0 {
		return nil, &FaultError{r.faults}
	}
	return r.out, nil
}

func (r *reader) fault(at, format string, args ...any) {
	r.faults = append(r.faults, at+": "+fmt.Sprintf(format, args...))
}

// name checks an id; seen are those before it.
func (r *reader) name(at, id string, seen map[string]bool) {
	if !namePattern.MatchString(id) {
		r.fault(at, "%.70q is not a name: 1 to 64 letters, digits, \"-\" and \"_\"", id)
	} else if seen[id] {
		r.fault(at, "%q stands here twice", id)
	}
	seen[id] = true
}

// title checks a name for people, which goes into headers of mail.
func (r *reader) title(at, s string) {
	control := strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c == 0x7f })
	if strings.TrimSpace(s) == "" || len(s) > 200 || control {
		r.fault(at, "%.70q is not a name for people: 1 to 200 bytes in one line", s)
	}
}

func (r *reader) zone(at, name string) *time.Location {
	zone, err := time.LoadLocation(name)
	if err != nil || name == "" || name == "Local" {
		r.fault(at, "%.70q is not a zone such as \"Asia/Karachi\" or \"UTC\"", name)
		return time.UTC
	}
	return zone
}

// hours reads a part of the day; nil where from and to are empty.
func (r *reader) hours(at, from, to string) *hours {
	if from == "" && to == "" {
		return nil
	}
	h := &hours{r.clock(at+".from", from), r.clock(at+".to", to)}
	if h.from == h.to && from == to {
		r.fault(at, "from and to are the same time: leave both empty for the whole day")
	}
	return h
}

func (r *reader) clock(at, s string) wall {
	t, err := time.Parse("15:04", s)
	if err != nil || len(s) != 5 {
		r.fault(at, "%.70q is not a time of day such as \"06:00\"", s)
		return 0
	}
	return wall(t.Hour()*3600 + t.Minute()*60)
}

func (r *reader) person(at string, p *plant.Person) {
	r.title(at+".name", p.Name)
	if p.User != "" {
		r.title(at+".user", p.User)
	}
	if !slices.Contains([]string{plant.English, plant.Urdu, plant.Russian}, p.Language) {
		r.fault(at+".language", "%.70q is not one of en, ur, ru", p.Language)
	}
	if len(p.Contacts) == 0 || len(p.Contacts) > 20 {
		r.fault(at+".contacts", "%d of them: 1 to 20", len(p.Contacts))
	}
	for i, c := range p.Contacts {
		if err := checkContact(c); err != nil {
			r.fault(fmt.Sprintf("%s.contacts[%d]%s", at, i, err.field), "%s", err.text)
		}
	}
	out := &person{Person: *p}
	if q := p.Quiet; q != nil {
		out.quiet = &quiet{zone: r.zone(at+".quiet.zone", q.Zone), passes: max(1, q.Passes)}
		out.quiet.hours = r.hours(at+".quiet", q.From, q.To)
		if q.From == "" && q.To == "" {
			r.fault(at+".quiet", "needs from and to")
		}
		if q.Passes < 0 || q.Passes > 4 {
			r.fault(at+".quiet.passes", "%d is not a priority from 1 to 4", q.Passes)
		}
	}
	r.out.people[p.ID] = out
}

// contactFault is what is wrong with a contact.
type contactFault struct{ field, text string }

func checkContact(c plant.Contact) *contactFault {
	wrong := func(what string) *contactFault {
		return &contactFault{".address", fmt.Sprintf("%.70q is not %s", c.Address, what)}
	}
	switch c.Channel {
	case "mail":
		a, err := mail.ParseAddress(c.Address)
		if err != nil || a.Address != c.Address || len(c.Address) > 254 {
			return wrong("a mail address")
		}
	case "sms":
		if !phonePattern.MatchString(phone(c.Address)) {
			return wrong("a phone number with its country, such as \"+923001234567\"")
		}
	case "ntfy":
		if !topicPattern.MatchString(c.Address) {
			return wrong("a topic of ntfy: 1 to 64 letters, digits, \"-\" and \"_\"")
		}
	case "webhook":
		if !namePattern.MatchString(c.Address) {
			return wrong("the name of a configured webhook")
		}
	default:
		return &contactFault{".channel", fmt.Sprintf("%.70q is not one of %s", c.Channel, strings.Join(kinds, ", "))}
	}
	return nil
}

func (r *reader) known(at, id string) {
	if r.out.people[id] == nil {
		r.fault(at, "there is nobody %.70q in people", id)
	}
}

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

func (r *reader) team(at string, t *plant.Team) {
	r.title(at+".name", t.Name)
	out := &team{id: t.ID, name: t.Name, zone: r.zone(at+".zone", t.Zone)}
	if len(t.Rotations) > maxRotations {
		r.fault(at+".rotations", "%d of them: at most %d", len(t.Rotations), maxRotations)
	}
	if len(t.Overrides) > maxOverrides {
		r.fault(at+".overrides", "%d of them: at most %d", len(t.Overrides), maxOverrides)
	}
	for i := range t.Rotations {
		out.rotations = append(out.rotations, r.rotation(fmt.Sprintf("%s.rotations[%d]", at, i), &t.Rotations[i]))
	}
	for i, o := range t.Overrides {
		at := fmt.Sprintf("%s.overrides[%d]", at, i)
		r.known(at+".person", o.Person)
		v := override{person: o.Person, from: r.moment(at+".from", o.From), to: r.moment(at+".to", o.To)}
		if !v.from.IsZero() && !v.to.IsZero() && !v.from.Before(v.to) {
			r.fault(at, "ends before it begins")
		}
		out.overrides = append(out.overrides, v)
	}
	r.out.teams = append(r.out.teams, out)
}

func (r *reader) moment(at, s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		r.fault(at, "%.70q is not a time such as \"2026-11-30T06:00:00+05:00\"", s)
	}
	return t
}

func (r *reader) rotation(at string, in *plant.Rotation) rotation {
	out := rotation{people: in.People, days: everyDay, turn: wall(in.Hours) * 3600}
	if len(in.People) == 0 {
		r.fault(at+".people", "is empty")
	}
	for i, id := range in.People {
		r.known(fmt.Sprintf("%s.people[%d]", at, i), id)
	}
	start, err := time.Parse("2006-01-02T15:04", in.Start)
	if err != nil || start.Year() < 1970 {
		r.fault(at+".start", "%.70q is not a local time such as \"2026-11-30T06:00\"", in.Start)
	}
	out.start = wall(start.Unix())
	if in.Hours < 1 || in.Hours > maxTurn {
		r.fault(at+".hours", "%d is not a turn of 1 to %d hours", in.Hours, maxTurn)
	}
	if len(in.Days) > 0 {
		out.days = [7]bool{}
	}
	for i, d := range in.Days {
		n := slices.Index(weekdays, d)
		if n < 0 {
			r.fault(fmt.Sprintf("%s.days[%d]", at, i), "%.70q is not one of %s", d, strings.Join(weekdays, ", "))
			continue
		}
		out.days[n] = true
	}
	out.hours = r.hours(at, in.From, in.To)
	return out
}

func (r *reader) route(at string, in *plant.Route) {
	if in.Area != "" && (strings.Trim(in.Area, "/") != in.Area || strings.Contains(in.Area, "//") || len(in.Area) > 500) {
		r.fault(at+".area", "%.70q is not the path of an asset such as \"HSM/FM\"", in.Area)
	}
	classes := []plant.Class{plant.Advisory, plant.LimitAlarm, plant.SensorFault, plant.SystemFault, plant.PLCAlarm}
	for i, c := range in.Classes {
		if !slices.Contains(classes, c) {
			r.fault(fmt.Sprintf("%s.classes[%d]", at, i), "%.70q is not one of advisory, alarm, sensor, system, plc", c)
		}
	}
	if in.Priority < 0 || in.Priority > 4 {
		r.fault(at+".priority", "%d is not a priority from 1 to 4", in.Priority)
	}
	if in.Repeat < 0 || in.Repeat > maxRepeat {
		r.fault(at+".repeat", "%d: 0 to %d", in.Repeat, maxRepeat)
	}
	switch {
	case in.Mute && len(in.Steps) > 0:
		r.fault(at, "a muted route has no steps")
	case !in.Mute && len(in.Steps) == 0:
		r.fault(at+".steps", "is empty: a route that tells nobody is muted")
	case len(in.Steps) > 50:
		r.fault(at+".steps", "%d of them: at most 50", len(in.Steps))
	}
	for i := range in.Steps {
		r.step(fmt.Sprintf("%s.steps[%d]", at, i), i, &in.Steps[i])
	}
}

func (r *reader) step(at string, n int, in *plant.Step) {
	if n == 0 && in.WaitS != 0 {
		r.fault(at+".wait_s", "the first step goes at once: 0")
	}
	if in.WaitS < 0 || in.WaitS > maxWait {
		r.fault(at+".wait_s", "%d: 0 to %d seconds", in.WaitS, maxWait)
	}
	if len(in.Teams)+len(in.People) == 0 {
		r.fault(at, "names neither teams nor people")
	}
	for i, id := range in.Teams {
		if r.out.team(id) == nil {
			r.fault(fmt.Sprintf("%s.teams[%d]", at, i), "there is no team %.70q", id)
		}
	}
	for i, id := range in.People {
		r.known(fmt.Sprintf("%s.people[%d]", at, i), id)
	}
	for i, c := range in.Channels {
		if !slices.Contains(kinds, c) {
			r.fault(fmt.Sprintf("%s.channels[%d]", at, i), "%.70q is not one of %s", c, strings.Join(kinds, ", "))
		}
	}
}
