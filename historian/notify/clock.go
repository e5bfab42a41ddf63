package notify

import (
	"context"
	"time"

	"millwright/plant"
)

// backwards says whether the wall clock was set back by more than a minute while
// so much time passed.
func backwards(before, after int64, passed time.Duration) bool {
	return int64(passed)-(after-before) > int64(time.Minute)
}

// rewind mends what was written by a clock that was ahead: nothing waits for
// longer, from now, than it would if it began to wait now.
func (d *Desk) rewind(ctx context.Context) error {
	return d.plan(ctx, func(p *plan) error {
		for _, q := range []string{
			`UPDATE message SET created = ?1 WHERE created > ?1`,
			`UPDATE message SET since = ?1 WHERE since > ?1`,
			`UPDATE message SET handed = ?1 - ?3 WHERE handed > ?1`,
			`UPDATE message SET due = ?1 WHERE state = 'held' AND due > ?1`, // whether they are held still is looked at then
			`UPDATE message SET due = ?1 + ?2 WHERE state = 'pending' AND due > ?1 + ?2`,
			`UPDATE episode SET damped = ?1 + ?4 WHERE damped > ?1 + ?4`,
			`UPDATE episode SET again = ?1 + ?4 WHERE again > ?1 + ?4`,
			`UPDATE wrong SET at = ?1 WHERE at > ?1`,
			`UPDATE link SET expires = ?1 + ?5 WHERE expires > ?1 + ?5`,
			`UPDATE code SET expires = ?1 + ?5 WHERE expires > ?1 + ?5`,
		} {
			if _, err := p.tx.ExecContext(ctx, q, p.now, int64(lastRetry), int64(time.Minute), int64(calm), int64(p.Limits.LinkLife)); err != nil {
				return err
			}
		}
		ahead, err := p.episodes(`due > ? OR due < -?`, p.now, p.now)
		if err != nil {
			return err
		}
		for _, e := range ahead {
			longest := p.now + int64(restart)
			if rt := p.roster.route(&e.alarm); rt != nil && !rt.Mute {
				longest = p.now + int64(wait(rt, min(e.step, len(rt.Steps)-1)))
			}
			switch {
			case e.due > longest:
				e.due = longest
			case -e.due > longest && e.alarm.State == plant.RtnUnacked:
				e.due = -longest
			default:
				continue
			}
			if err := p.keep(e); err != nil {
				return err
			}
		}
		return nil
	})
}
