package notify

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"millwright/historian/notify/text"
	"millwright/plant"
)

// compose writes a message as it goes out, with what is true now. shown is its
// text for the outbox: without the secret of its link.
func (d *Desk) compose(ctx context.Context, r *row) (m plant.Message, shown string, err error) {
	m = r.Message
	c := text.Context{Purpose: r.Purpose, Channel: r.Channel, Language: r.Language, Now: time.Now().UnixNano(), Zone: d.Zone, Step: r.Step}
	alarms, err := alarmsOf(ctx, d.db, r.ID)
	if err != nil {
		return m, "", err
	}
	for i := range alarms {
		m.Alarms = append(m.Alarms, alarms[i].ID)
	}
	switch r.Purpose {
	case plant.PurposeAlarm, plant.PurposeReturn:
		if len(alarms) == 1 {
			c.Alarm = alarms[0]
			if fresh, err := d.Alarms.Get(ctx, r.Alarm); err == nil {
				c.Alarm = fresh // newer evidence is not in the journal
			}
		}
	case plant.PurposeMore:
		c.Alarm = plant.Alarm{ID: r.Alarm, Finding: plant.Finding{Asset: assetOf(r.cause), Priority: r.Priority}}
		if a, err := d.Alarms.Get(ctx, r.Alarm); err == nil {
			c.Alarm = a
		}
		c.Others = slices.DeleteFunc(alarms, func(a plant.Alarm) bool { return a.State == plant.Acked || a.State == plant.Cleared })
	case plant.PurposeDigest:
		slices.SortStableFunc(alarms, func(a, b plant.Alarm) int { return priority(&a.Finding) - priority(&b.Finding) })
		c.Others, c.Held = alarms, r.held
		if len(alarms) > 0 {
			c.Alarm = alarms[0]
		}
	}
	if d.Assets != nil && c.Alarm.Finding.Asset != "" {
		for _, a := range d.Assets() {
			if a.Path == c.Alarm.Finding.Asset {
				c.AssetName, c.AssetClass = a.Name, a.Class
			}
		}
	}
	if r.Purpose == plant.PurposeAlarm {
		if err := d.db.QueryRowContext(ctx, `SELECT coalesce((SELECT max(due, 0) FROM episode WHERE alarm = ?), 0)`, r.Alarm).Scan(&c.RespondBy); err != nil {
			return m, "", err
		}
	}
	secret, err := d.answerable(ctx, r, &c)
	if err != nil {
		return m, "", err
	}
	m.Subject, m.Text = text.Write(c)
	shown = m.Text
	if secret != "" {
		shown = strings.ReplaceAll(shown, secret, "…")
	}
	return m, shown, nil
}

func assetOf(cause string) string {
	asset, _, _ := strings.Cut(cause, "|")
	return asset
}

// alarmsOf are the alarms that a message names, as the journal knows them.
func alarmsOf(ctx context.Context, q interface {
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
}, message int64) ([]plant.Alarm, error) {
	rows, err := q.QueryContext(ctx, `SELECT body FROM told JOIN episode USING (alarm) WHERE message = ? ORDER BY alarm`, message)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []plant.Alarm
	for rows.Next() {
		var body string
		var a plant.Alarm
		if err := rows.Scan(&body); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(body), &a); err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, rows.Err()
}
