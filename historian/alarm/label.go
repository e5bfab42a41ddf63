package alarm

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"millwright/plant"
)

// Bounds of a label's interval: so far before its alarm, and so far ahead of this
// clock, which is not the PLC's.
const (
	labelBefore = 366 * 24 * time.Hour
	labelAhead  = time.Hour
)

// refused is what is wrong with a label that somebody gave, a sentence for each
// fault that begins with the field's name.
type refused []string

func (r refused) Error() string    { return strings.Join(r, "; ") }
func (r refused) Faults() []string { return r }

// Label writes down what the crew found behind an alarm. The alarm's valid
// answer, where it has one, is replaced and kept. Asset, Detector and At are the
// Book's to fill in, Tag where a sensor fault names none, and From and To where
// they are 0: from the alarm's raise to its return, or to now while it is active. ErrNotFound says that there is no
// such alarm; an error with Faults() []string, what is wrong with the answer.
func (b *Book) Label(ctx context.Context, l plant.Label) (plant.Label, error) {
	err := b.write(ctx, func(tx *sql.Tx) error {
		a, err := get(ctx, tx, l.Alarm)
		if err != nil {
			return err
		}
		now := plant.Millis(time.Now().UnixNano())
		complete(&l, &a, now)
		faults := check(&l, &a, now)
		if l.Verdict == plant.Duplicate {
			fault, err := checkDuplicate(ctx, tx, &l)
			if err != nil {
				return err
			}
			faults = append(faults, fault...)
		}
		if len(faults) > 0 {
			return faults
		}
		if err := endLabel(ctx, tx, l.Alarm, now, l.Who); err != nil {
			return err
		}
		if l.ID, err = insertLabel(ctx, tx, &l); err != nil {
			return err
		}
		a.Label = &l
		return record(ctx, tx, &a, "label", l.Who, l.Note)
	})
	if err != nil {
		return plant.Label{}, fmt.Errorf("label of alarm %d: %w", l.Alarm, err)
	}
	b.announce()
	return l, nil
}

// Unlabel withdraws a valid answer; it stays in the journal. ErrNotFound.
func (b *Book) Unlabel(ctx context.Context, id int64, who string) error {
	err := b.write(ctx, func(tx *sql.Tx) error {
		var alarm int64
		err := tx.QueryRowContext(ctx, `SELECT alarm FROM label WHERE id = ? AND ended = 0`, id).Scan(&alarm)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNotFound
		}
		if err != nil {
			return err
		}
		a, err := get(ctx, tx, alarm)
		if err != nil {
			return err
		}
		if err := endLabel(ctx, tx, alarm, plant.Millis(time.Now().UnixNano()), who); err != nil {
			return err
		}
		a.Label = nil
		return record(ctx, tx, &a, "unlabel", who, "")
	})
	if err != nil {
		return fmt.Errorf("label %d: %w", id, err)
	}
	b.announce()
	return nil
}

// Labels returns the valid answers that the query selects, the one given last
// first. Limit 0 means all.
func (b *Book) Labels(ctx context.Context, q plant.LabelQuery) ([]plant.Label, error) {
	var w where
	w.and("ended = 0")
	if q.ID != 0 {
		w.and("id = ?", q.ID)
	}
	if q.Before != 0 {
		w.and("id < ?", q.Before)
	}
	if q.Alarm != 0 {
		w.and("alarm = ?", q.Alarm)
	}
	if q.From != 0 {
		w.and("last > ?", q.From)
	}
	if q.To != 0 {
		w.and("first < ?", q.To)
	}
	w.below("asset", q.Asset)
	limit := q.Limit
	if limit <= 0 {
		limit = -1 // none
	}
	rows, err := b.db.QueryContext(ctx, `SELECT id, body FROM label`+w.text()+` ORDER BY id DESC LIMIT ?`, append(w.args, limit)...)
	if err != nil {
		return nil, fmt.Errorf("labels: %w", err)
	}
	defer rows.Close()
	var out []plant.Label
	for rows.Next() {
		var id int64
		var body string
		if err := rows.Scan(&id, &body); err != nil {
			return nil, fmt.Errorf("labels: %w", err)
		}
		l, err := parseLabel(id, body)
		if err != nil {
			return nil, fmt.Errorf("labels: %w", err)
		}
		out = append(out, l)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("labels: %w", err)
	}
	return out, nil
}

// complete fills in what the label has of its alarm.
func complete(l *plant.Label, a *plant.Alarm, now int64) {
	f := &a.Finding
	l.ID, l.At = 0, now
	l.Asset, l.Detector = f.Asset, f.Detector
	if l.Tag == "" {
		l.Tag = f.Tag
		if l.Tag == "" && l.Verdict == plant.SensorWrong && len(f.Contributions) > 0 {
			l.Tag = f.Contributions[0].Tag // what the finding blames most
		}
	}
	l.Note = strings.TrimSpace(l.Note)
	l.From, l.To = plant.Millis(l.From), plant.Millis(l.To)
	if l.From == 0 {
		l.From = plant.Millis(a.Raised)
	}
	if l.To == 0 {
		l.To = a.Returned
		if l.To == 0 {
			l.To = now
		}
		// An episode of no length, or a PLC whose clock is ahead.
		l.To = max(plant.Millis(l.To), l.From+int64(time.Millisecond))
	}
}

// check says what is wrong with a label.
func check(l *plant.Label, a *plant.Alarm, now int64) (faults refused) {
	wrong := func(is bool, format string, args ...any) {
		if is {
			faults = append(faults, fmt.Sprintf(format, args...))
		}
	}
	verdicts := []plant.Verdict{plant.Confirmed, plant.NotAFault, plant.SensorWrong, plant.ProcessChange, plant.Duplicate}
	wrong(!slices.Contains(verdicts, l.Verdict), "verdict: %.40q is not allowed; %s, %s, %s, %s or %s",
		l.Verdict, plant.Confirmed, plant.NotAFault, plant.SensorWrong, plant.ProcessChange, plant.Duplicate)
	confirmed, duplicate := l.Verdict == plant.Confirmed, l.Verdict == plant.Duplicate
	wrong(confirmed && !slices.Contains(plant.Codes, l.Code), "code: %.40q is not allowed; one of %s", l.Code, strings.Join(plant.Codes, ", "))
	wrong(!confirmed && l.Code != "", "code: only a confirmed fault has one; leave it out")
	wrong(!duplicate && l.Of != 0, "of: only a duplicate has one; leave it out")
	wrong(l.Verdict != plant.SensorWrong && l.Tag != a.Finding.Tag, "tag: only a sensor fault names its sensor; leave it out")
	wrong((l.Verdict == plant.NotAFault || l.Verdict == plant.ProcessChange) && l.Note == "", "note: missing; the reason, so that others learn from it")
	wrong(l.Who == "", "who: missing")
	wrong(l.From >= l.To, "from: not before to; a span [from, to)")
	wrong(l.From < a.Raised-int64(labelBefore), "from: more than a year before the alarm; a time nearer to it")
	wrong(l.To > max(now, a.Finding.Time, a.Returned)+int64(labelAhead), "to: in the future; a time up to now")
	return faults
}

// checkDuplicate says what is wrong with the other alarm of a duplicate: there is
// none, or it is in the end a duplicate of this one.
func checkDuplicate(ctx context.Context, tx *sql.Tx, l *plant.Label) (refused, error) {
	if l.Of == l.Alarm {
		return refused{"of: the alarm itself; the number of another alarm"}, nil
	}
	if _, err := get(ctx, tx, l.Of); errors.Is(err, ErrNotFound) {
		return refused{fmt.Sprintf("of: there is no alarm %d; the number of another alarm", l.Of)}, nil
	} else if err != nil {
		return nil, err
	}
	// The chain ends: no label was ever taken that closed one.
	for at := l.Of; at != 0; {
		err := tx.QueryRowContext(ctx, `SELECT of FROM label WHERE alarm = ? AND ended = 0`, at).Scan(&at)
		if errors.Is(err, sql.ErrNoRows) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if at == l.Alarm {
			return refused{fmt.Sprintf("of: alarm %d is itself a duplicate of this one; answer one of them otherwise", l.Of)}, nil
		}
	}
	return nil, nil
}

// endLabel ends the valid label of an alarm, where it has one.
func endLabel(ctx context.Context, tx *sql.Tx, alarm, at int64, who string) error {
	_, err := tx.ExecContext(ctx, `UPDATE label SET ended = ?, ended_by = ? WHERE alarm = ? AND ended = 0`, at, who, alarm)
	return err
}

func insertLabel(ctx context.Context, tx *sql.Tx, l *plant.Label) (id int64, err error) {
	body, err := json.Marshal(l)
	if err != nil {
		return 0, err
	}
	res, err := tx.ExecContext(ctx, `INSERT INTO label(alarm, asset, detector, verdict, of, first, last, body, ended, ended_by)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, '')`, l.Alarm, l.Asset, l.Detector, string(l.Verdict), l.Of, l.From, l.To, string(body))
	if err != nil {
		return 0, err
	}
	return res.LastInsertId()
}

// parseLabel reads a row of label. The body was written before its number was
// known.
func parseLabel(id int64, body string) (plant.Label, error) {
	var l plant.Label
	if err := json.Unmarshal([]byte(body), &l); err != nil {
		return l, fmt.Errorf("label %d: %w", id, err)
	}
	l.ID = id
	return l, nil
}
