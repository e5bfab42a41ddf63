package main

import (
	"path/filepath"

	"millwright/historian/alarm"
	"millwright/historian/notify"
	"millwright/historian/notify/channel"
	"millwright/historian/store"
	"millwright/plant/config"
)

// openDesk opens the desk that tells people of alarms; nil where nobody is to be
// told.
func (w *works) openDesk(c *config.Notify, data string, st store.Store, book *alarm.Book) (*notify.Desk, error) {
	if c == nil {
		return nil, nil
	}
	log := w.log.With("role", "notify")
	d := &notify.Desk{
		Dir: filepath.Join(data, "notify"), Alarms: book, Assets: st.Assets,
		PublicURL: c.PublicURL, Zone: c.Zone, Log: log,
	}
	if m := c.Mail; m != nil {
		d.Via = append(d.Via, &channel.Mail{Server: m.Server, From: m.From, User: m.User, Password: m.Password, CA: m.CA, StartTLS: m.StartTLS})
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
		hook := &channel.Webhook{External: c.PublicURL, Alarm: book.Get}
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
