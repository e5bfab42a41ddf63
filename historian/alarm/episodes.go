package alarm

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"millwright/plant"
)

// Alarms returns the episodes of an asset and all below it that touch [from, to),
// ascending by Raised: an alarm that came back stands there once for each time,
// with that time's Raised and Returned. to 0 means no end. An episode before the
// last is as the journal has it after its end, without evidence that came later
// and changed nothing. Label is the answer that is valid now, where its interval
// touches the episode.
func (b *Book) Alarms(ctx context.Context, asset string, from, to int64) ([]plant.Alarm, error) {
	past, err := b.episodes(ctx, asset)
	if err != nil {
		return nil, fmt.Errorf("alarms of %s: %w", asset, err)
	}
	now, err := b.present(ctx, asset)
	if err != nil {
		return nil, fmt.Errorf("alarms of %s: %w", asset, err)
	}
	var out []plant.Alarm
	for _, e := range past {
		last := now[e.ID]
		if e.Raised == last.Raised {
			e = last
		}
		if to != 0 && e.Raised >= to || !reaches(&e, from) {
			continue
		}
		e.Label = last.Label
		if l := e.Label; l != nil && (!reaches(&e, l.From) || e.Raised >= l.To) {
			e.Label = nil
		}
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b plant.Alarm) int { return cmp.Or(cmp.Compare(a.Raised, b.Raised), cmp.Compare(a.ID, b.ID)) })
	return out, nil
}

// reaches reports whether an episode is there at a time or later.
func reaches(e *plant.Alarm, at int64) bool {
	return e.Returned == 0 || e.Returned > at || e.Raised >= at
}

// episodes returns each alarm as it was after the last entry of each of its
// episodes. Raised names an episode: a recurrence comes after the return.
func (b *Book) episodes(ctx context.Context, asset string) ([]plant.Alarm, error) {
	var w where
	w.below("a.asset", asset)
	rows, err := b.db.QueryContext(ctx, `SELECT after FROM journal WHERE seq IN (SELECT max(j.seq) FROM alarm a JOIN journal j ON j.alarm = a.id`+
		w.text()+` GROUP BY j.alarm, json_extract(j.after, '$.Raised'))`, w.args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []plant.Alarm
	for rows.Next() {
		var text string
		var a plant.Alarm
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(text), &a); err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, rows.Err()
}

// present returns the alarms of an asset and all below it as they are now, by
// number.
func (b *Book) present(ctx context.Context, asset string) (map[int64]plant.Alarm, error) {
	var w where
	w.below("a.asset", asset)
	rows, err := b.db.QueryContext(ctx, reading+w.text(), w.args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[int64]plant.Alarm{}
	for rows.Next() {
		a, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out[a.ID] = a
	}
	return out, rows.Err()
}
