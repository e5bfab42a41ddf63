package config

import (
	"fmt"
	"net/mail"
	"strings"
	"time"
)

// Notify says how people are told of alarms, section [notify]. It needs
// [historian]. A channel whose section is absent is nil. Who is told of what is
// not here but in the roster, which people change while the plant runs.
type Notify struct {
	PublicURL string // where phones and mail readers reach the HMI: "http://plant.works.local:8080"
	Zone      *time.Location
	Mail      *Mail
	SMS       *SMS
	Ntfy      *Ntfy
	Webhooks  []Webhook
}

// Mail is the plant's SMTP server, section [notify.mail].
type Mail struct {
	Server         string // "smtp://HOST:PORT", "smtps://HOST:PORT"
	From           string
	User, Password string // empty: it takes mail without
	CA             string // PEM file; empty: the system's
	StartTLS       string // "require", "opportunistic", "none"; of no meaning with smtps
}

// SMS is the spool of the SMS Server Tools (smsd), section [notify.sms].
type SMS struct {
	Spool   string // folder with outgoing/ and incoming/
	Replies bool   // answers acknowledge
}

// Ntfy is the plant's ntfy server, section [notify.ntfy].
type Ntfy struct {
	URL   string
	Token string // empty: none
	CA    string // PEM file; empty: the system's
}

// Webhook is a system that takes alarms, section [[notify.webhook]].
type Webhook struct {
	Name   string // its address in the roster
	URL    string
	Secret string // signs what is sent; empty: not signed
	CA     string // PEM file; empty: the system's
}

func (root *table) notify(h *Historian) *Notify {
	t := root.table("notify")
	if t == nil {
		return nil
	}
	defer t.close()
	n := &Notify{
		PublicURL: strings.TrimRight(t.need("public_url", "http://plant.works.local:8080"), "/"),
		Zone:      t.zone("zone"),
		Mail:      t.mail(),
		SMS:       t.sms(),
		Ntfy:      t.ntfy(),
		Webhooks:  t.webhooks(),
	}
	if n.PublicURL != "" {
		t.check("public_url", checkURL(n.PublicURL, "http", "https"))
	}
	if h == nil && !root.has("historian") {
		root.fault("notify", "has no [historian] section whose alarms it could tell")
	}
	if !t.has("mail") && !t.has("sms") && !t.has("ntfy") && !t.has("webhook") {
		root.fault("notify", "names no way to tell people, allowed are the sections [notify.mail], [notify.sms], [notify.ntfy], [[notify.webhook]]")
	}
	return n
}

// check makes a fault of an error.
func (t *table) check(key string, err error) {
	if err != nil {
		t.fault(key, "%v", err)
	}
}

// zone is a time zone that must be named: a message that says 03:00 of another
// country is worse than none.
func (t *table) zone(key string) *time.Location {
	name := t.need(key, "Asia/Karachi")
	if name == "" {
		return nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.fault(key, "%q is no time zone, allowed are names such as Asia/Karachi, Europe/Moscow, UTC", name)
	}
	return zone
}

func (notify *table) mail() *Mail {
	t := notify.table("mail")
	if t == nil {
		return nil
	}
	defer t.close()
	m := &Mail{
		Server:   t.need("server", "smtp://mail.works.local:25"),
		From:     t.need("from", "Millwright <millwright@works.example>"),
		User:     t.text("user", ""),
		Password: t.secret("password_file"),
		CA:       t.readable("ca"),
		StartTLS: t.oneOf("starttls", "require", "require", "opportunistic", "none"),
	}
	if m.Server != "" {
		t.check("server", checkURL(m.Server, "smtp", "smtps"))
	}
	if _, err := mail.ParseAddress(m.From); err != nil && m.From != "" {
		t.fault("from", "%q is no mail address, allowed is millwright@works.example or Millwright <millwright@works.example>", m.From)
	}
	t.credentials("user", "password_file")
	secure := strings.HasPrefix(m.Server, "smtps:")
	switch {
	case secure && t.has("starttls"):
		t.fault("starttls", "is of no use with smtps://, which is TLS from the first byte on")
	case !secure && t.has("user") && m.StartTLS != "require":
		t.fault("starttls", "%q would send the password in the clear, with user it must be \"require\"", m.StartTLS)
	case !secure && t.has("ca") && m.StartTLS == "none":
		t.fault("ca", "is of no use with starttls = \"none\"")
	}
	return m
}

func (notify *table) sms() *SMS {
	t := notify.table("sms")
	if t == nil {
		return nil
	}
	defer t.close()
	return &SMS{Spool: t.folder("spool", "/var/spool/sms"), Replies: t.flag("replies")}
}

func (notify *table) ntfy() *Ntfy {
	t := notify.table("ntfy")
	if t == nil {
		return nil
	}
	defer t.close()
	n := &Ntfy{
		URL:   t.need("url", "http://ntfy.works.local"),
		Token: t.secret("token_file"),
		CA:    t.readable("ca"),
	}
	if n.URL != "" {
		t.check("url", checkURL(n.URL, "http", "https"))
	}
	return n
}

func (notify *table) webhooks() (hooks []Webhook) {
	seen := map[string]bool{}
	for _, t := range notify.tables("webhook") {
		h := Webhook{
			Name:   t.need("name", "work-orders"),
			URL:    t.need("url", "https://cmms.works.local/hooks/millwright"),
			Secret: t.secret("secret_file"),
			CA:     t.readable("ca"),
		}
		t.check("name", checkName(h.Name))
		if h.URL != "" {
			t.check("url", checkURL(h.URL, "http", "https"))
		}
		if seen[h.Name] && h.Name != "" {
			t.check("name", fmt.Errorf("%q is the name of two webhooks", h.Name))
		}
		seen[h.Name] = true
		t.close()
		hooks = append(hooks, h)
	}
	return hooks
}
