package notify

import (
	"context"
	"fmt"
	"time"

	"millwright/plant"
)

// Channels returns the health of the channels.
func (d *Desk) Channels(ctx context.Context) ([]plant.ChannelStatus, error) {
	var out []plant.ChannelStatus
	r := d.roster.Load()
	for _, l := range d.lanes {
		s := plant.ChannelStatus{Name: l.name, Target: l.channel.Target(), State: "unused",
			Heartbeat: d.Limits.Heartbeat >= time.Second && r.firstOn(l.name, r.everybody()) != nil}
		err := d.db.QueryRowContext(ctx, `SELECT coalesce(max(sent), 0), coalesce(max(failed), 0), coalesce(max(dead), 0), coalesce(max(last_sent), 0), coalesce(max(error), ''),
			(SELECT count(*) FROM message WHERE channel = ?1 AND state IN ('pending', 'held', 'sending')) FROM channel WHERE name = ?1`, l.name).
			Scan(&s.Sent, &s.Failed, &s.Dead, &s.LastSent, &s.Error, &s.Pending)
		if err != nil {
			return nil, fmt.Errorf("notify: channels: %w", err)
		}
		if s.Sent+s.Failed > 0 {
			s.State = "ok"
		}
		l.each(func(_ string, b *breaker) {
			open, since := b.state()
			if since.IsZero() || s.State == "failing" && !open {
				return
			}
			if open {
				s.State = "failing"
			}
			s.Since = since.UnixNano()
		})
		out = append(out, s)
	}
	return out, nil
}
