package hmi

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"time"

	"millwright/plant"
)

// linkBase is where the links of messages lead. They open without login: who has
// the link got the message.
const linkBase = "/ack/"

const maxToken = 200

// linkView is what the page behind a link shows. It is empty where the link is
// not known.
type linkView struct {
	Known    bool
	Priority int
	Urgency  string
	Name     string // of the asset
	Asset    string // path, where it is not the name
	What     string
	Said     string // by the PLC itself
	Tag      string // below the asset
	Since    string
	For      string // how long it has been there; "" where it is back to normal
	Returned string
	Means    string // what the button does; "" where there is none
	Done     string
	Text     string // what the message said
}

// linkPage shows what a link is about and uses nothing: mail servers open the
// links of the mails that they carry.
func (s *Server) linkPage(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("X-Robots-Tag", "noindex, nofollow")
	if wait := s.guesses.Begin(time.Now(), "link "+source(r)); wait > 0 {
		return s.tooMany(w, r, "link.html", wait, pageBody{})
	}
	l, known, err := s.link(r, func(token string) (plant.AckLink, error) { return s.Alerts.Link(r.Context(), token) })
	if err != nil || !known {
		return s.unknownLink(w, r, err)
	}
	page := s.newLinkPage(&l)
	status := http.StatusOK
	if l.Valid {
		page.Link.Means = fmt.Sprintf(catalogue(page.Lang)["link.means"], l.Person.Name)
	} else {
		page.Fault, page.Link.Done, status = s.spent(&l, page.Lang)
	}
	return s.render(w, r, "link.html", status, page)
}

// useLink acknowledges as the link's person.
func (s *Server) useLink(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("X-Robots-Tag", "noindex, nofollow")
	if wait := s.guesses.Begin(time.Now(), "link "+source(r)); wait > 0 {
		return s.tooMany(w, r, "link.html", wait, pageBody{})
	}
	l, known, err := s.link(r, func(token string) (plant.AckLink, error) { return s.Alerts.UseLink(r.Context(), token) })
	if err != nil || !known {
		return s.unknownLink(w, r, err)
	}
	page := s.newLinkPage(&l)
	if !l.Valid {
		fault, done, status := s.spent(&l, page.Lang)
		page.Fault, page.Link.Done = fault, done
		return s.render(w, r, "link.html", max(status, http.StatusConflict), page)
	}
	s.log().Info("acknowledged by a link", "alarm", l.Alarm.ID, "person", l.Person.ID, "source", source(r))
	page.Link.Done = fmt.Sprintf(catalogue(page.Lang)["link.done"], l.Person.Name, s.clock(page.Lang, cmp.Or(l.Alarm.Acked, time.Now().UnixNano())))
	return s.render(w, r, "link.html", http.StatusOK, page)
}

// link asks for a link; known is false for those that were never made. An attempt
// at a known one is no guess.
func (s *Server) link(r *http.Request, ask func(token string) (plant.AckLink, error)) (l plant.AckLink, known bool, err error) {
	token := r.PathValue("token")
	if s.Alerts == nil || len(token) > maxToken {
		return l, false, nil
	}
	l, err = ask(token)
	if s.refusal(err) == http.StatusNotFound {
		return l, false, nil
	}
	if err != nil {
		return l, false, err
	}
	s.guesses.Succeeded("", "link "+source(r))
	return l, true, nil
}

func (s *Server) unknownLink(w http.ResponseWriter, r *http.Request, err error) error {
	if err != nil {
		return err
	}
	return s.render(w, r, "link.html", http.StatusNotFound, pageBody{Fault: "link.unknown"})
}

// spent says why a link may not be used, as a key of the catalogue or as a text.
func (s *Server) spent(l *plant.AckLink, language string) (fault, done string, status int) {
	by := ""
	if l.Alarm.AckedBy != "" {
		by = fmt.Sprintf(catalogue(language)["link.acknowledged"], l.Alarm.AckedBy, s.clock(language, l.Alarm.Acked))
	}
	switch {
	case l.Why == "expired":
		return "link.expired", by, http.StatusGone
	case l.Why == "acknowledged" && by != "":
		return "", by, http.StatusOK
	}
	return "link.used", by, http.StatusGone
}

// newLinkPage tells of a link's alarm in the language of its message.
func (s *Server) newLinkPage(l *plant.AckLink) pageBody {
	page := pageBody{Lang: preferred(cmp.Or(l.Language, l.Person.Language))}
	t := catalogue(page.Lang)
	a, f := &l.Alarm, &l.Alarm.Finding
	tag := f.Tag
	if tag == "" && len(f.Contributions) > 0 {
		tag = f.Contributions[0].Tag
	}
	page.Link = linkView{
		Known: true, Priority: f.Priority, Urgency: fmt.Sprintf(t["link.priority"], f.Priority), Name: f.Asset, What: cmp.Or(t["kind."+f.Kind], f.Title()), Said: f.Text, Tag: strings.TrimPrefix(tag, f.Asset+"/"),
		Since: s.clock(page.Lang, a.Raised), Text: strings.TrimSpace(linkLine.ReplaceAllString(l.Text, "")),
	}
	if name := s.assetNames()[f.Asset]; name != "" {
		page.Link.Name, page.Link.Asset = name, f.Asset
	}
	if a.Returned != 0 {
		page.Link.Returned = s.clock(page.Lang, a.Returned)
	} else if d := time.Since(time.Unix(0, a.Raised)); d >= time.Minute {
		page.Link.For = fmt.Sprintf(t["link.for"], span(t, d))
	}
	return page
}

// clock is a time for people, in the plant's zone.
func (s *Server) clock(language string, ns int64) string {
	return time.Unix(0, ns).In(cmp.Or(s.Zone, time.Local)).Format(catalogue(language)["time"])
}

// span is a length of time in one unit.
func span(t map[string]string, d time.Duration) string {
	switch {
	case d < 2*time.Hour:
		return fmt.Sprintf(t["span.minutes"], int(d/time.Minute))
	case d < 48*time.Hour:
		return fmt.Sprintf(t["span.hours"], int(d/time.Hour))
	}
	return fmt.Sprintf(t["span.days"], int(d/(24*time.Hour)))
}
