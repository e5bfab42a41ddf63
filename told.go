package main

import (
	"path/filepath"

	"millwright/historian/notify"
	"millwright/historian/notify/channel"
	"millwright/plant/config"
)

// openDesk opens the desk that tells people of alarms; nil where nobody is to be
// told.
func (w *works) openDesk(c *config.Notify, m *memory) (*notify.Desk, error) {
	if c == nil {
		return nil, nil
	}
	log := w.log.With("role", "notify")
	d := &notify.Desk{
		Dir: filepath.Join(m.dir, "notify"), Alarms: m.book, Assets: m.store.Assets,
		PublicURL: c.PublicURL, Zone: c.Zone, Log: log,
	}
	if mail := c.Mail; mail != nil {
		d.Via = append(d.Via, &channel.Mail{
			Server: mail.Server, From: mail.From, User: mail.User, Password: mail.Password, CA: mail.CA, StartTLS: mail.StartTLS,
		})
	}
	if s := c.SMS; s != nil {
		spool := &channel.Spool{Dir: s.Spool, Log: log}
		if s.Replies {
			d.Via = append(d.Via, spool)
		} else {
			d.Via = append(d.Via, oneWay{spool, spool})
		}
	}
	if n := c.Ntfy; n != nil {
		d.Via = append(d.Via, &channel.Ntfy{URL: n.URL, Token: n.Token, CA: n.CA})
	}
	if len(c.Webhooks) > 0 {
		hook := &channel.Webhook{External: c.PublicURL, Alarm: m.book.Get}
		for _, h := range c.Webhooks {
			hook.Hooks = append(hook.Hooks, channel.Hook{Name: h.Name, URL: h.URL, Secret: h.Secret, CA: h.CA})
		}
		d.Via = append(d.Via, hook)
	}
	return d, d.Open()
}

// oneWay is a spool whose answers nobody takes. What its modem could not send is
// looked for all the same.
type oneWay struct {
	notify.Channel
	notify.Failures
}
