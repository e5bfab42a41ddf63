package alarm

import (
	"context"
	"fmt"

	"millwright/plant"
)

// Precision counts alarms and their answers for each asset, at and below the one
// named, and each detector: those whose last raise was at or after since. A label
// counts for the detector that was answered, also where another one has taken the
// condition over meanwhile. Alarms of PLCs are no word of a detector.
func (b *Book) Precision(ctx context.Context, asset string, since int64) ([]plant.Precision, error) {
	var w where
	w.and("a.raised >= ?", since)
	w.below("a.asset", asset)
	w.and("coalesce(json_extract(a.finding, '$.class'), '') <> ?", string(plant.PLCAlarm))
	verdicts := []any{string(plant.Confirmed), string(plant.NotAFault), string(plant.SensorWrong), string(plant.ProcessChange), string(plant.Duplicate)}
	rows, err := b.db.QueryContext(ctx, `SELECT asset, detector, count(*), count(verdict),
			count(*) FILTER (WHERE verdict = ?), count(*) FILTER (WHERE verdict = ?), count(*) FILTER (WHERE verdict = ?),
			count(*) FILTER (WHERE verdict = ?), count(*) FILTER (WHERE verdict = ?)
		FROM (SELECT a.asset AS asset, coalesce(l.detector, json_extract(a.finding, '$.detector'), '') AS detector, l.verdict AS verdict
			FROM alarm a LEFT JOIN label l ON l.alarm = a.id AND l.ended = 0`+w.text()+`)
		GROUP BY asset, detector ORDER BY asset, detector`,
		append(verdicts, w.args...)...)
	if err != nil {
		return nil, fmt.Errorf("precision: %w", err)
	}
	defer rows.Close()
	var out []plant.Precision
	for rows.Next() {
		var p plant.Precision
		err := rows.Scan(&p.Asset, &p.Detector, &p.Alarms, &p.Labelled, &p.Confirmed, &p.NotFault, &p.Sensor, &p.Process, &p.Duplicate)
		if err != nil {
			return nil, fmt.Errorf("precision: %w", err)
		}
		out = append(out, p)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("precision: %w", err)
	}
	return out, nil
}
