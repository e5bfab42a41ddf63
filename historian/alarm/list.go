package alarm

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"millwright/plant"
)

const (
	defaultLimit = 1000
	maxLimit     = 10_000
)

// where collects conditions of a query. The zero value lets everything through.
type where struct {
	conditions []string
	args       []any
}

func (w *where) and(condition string, args ...any) {
	w.conditions, w.args = append(w.conditions, condition), append(w.args, args...)
}

// below keeps the rows of an asset and all below it; all where asset is "".
func (w *where) below(column, asset string) {
	if asset != "" {
		// "0" is the character behind "/": all paths below the asset.
		w.and("("+column+" = ? OR "+column+" > ? AND "+column+" < ?)", asset, asset+"/", asset+"0")
	}
}

func (w *where) text() string {
	if len(w.conditions) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.conditions, " AND ")
}

// Get returns an alarm; ErrNotFound.
func (b *Book) Get(ctx context.Context, id int64) (plant.Alarm, error) {
	a, err := get(ctx, b.db, id)
	if err != nil {
		return a, fmt.Errorf("alarm %d: %w", id, err)
	}
	return a, nil
}

// List returns the alarms that the query selects, newest journal entry first,
// and the cursor of the next page where there is one. ErrCursor.
func (b *Book) List(ctx context.Context, q plant.AlarmQuery) (alarms []plant.Alarm, next string, err error) {
	limit := q.Limit
	if limit <= 0 {
		limit = defaultLimit
	}
	limit = min(limit, maxLimit)
	var w where
	if q.Since != 0 {
		w.and("a.raised >= ?", q.Since)
	}
	if q.State != "" {
		w.and("a.state = ?", string(q.State))
	}
	w.below("a.asset", q.Asset)
	if q.After != "" {
		seq, err := strconv.ParseInt(q.After, 10, 64)
		if err != nil || seq <= 0 {
			return nil, "", fmt.Errorf("alarms: %.40q: %w", q.After, ErrCursor)
		}
		w.and("a.seq < ?", seq)
	}
	rows, err := b.db.QueryContext(ctx, reading+w.text()+` ORDER BY a.seq DESC LIMIT ?`, append(w.args, limit+1)...)
	if err != nil {
		return nil, "", fmt.Errorf("alarms: list: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		a, err := scan(rows)
		if err != nil {
			return nil, "", fmt.Errorf("alarms: list: %w", err)
		}
		alarms = append(alarms, a)
	}
	if err := rows.Err(); err != nil {
		return nil, "", fmt.Errorf("alarms: list: %w", err)
	}
	if len(alarms) > limit {
		alarms = alarms[:limit]
		next = strconv.FormatUint(alarms[limit-1].Seq, 10)
	}
	return alarms, next, nil
}

// Events returns up to max journal entries after a number, ascending: each
// alarm as it was after the entry that is its Seq.
func (b *Book) Events(ctx context.Context, after uint64, max int) ([]plant.Alarm, error) {
	rows, err := b.db.QueryContext(ctx, `SELECT after FROM journal WHERE seq > ? ORDER BY seq LIMIT ?`, int64(after), max)
	if err != nil {
		return nil, fmt.Errorf("alarms: events: %w", err)
	}
	defer rows.Close()
	var out []plant.Alarm
	for rows.Next() {
		var text string
		var a plant.Alarm
		if err := rows.Scan(&text); err != nil {
			return nil, fmt.Errorf("alarms: events: %w", err)
		}
		if err := json.Unmarshal([]byte(text), &a); err != nil {
			return nil, fmt.Errorf("alarms: events: %w", err)
		}
		out = append(out, a)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("alarms: events: %w", err)
	}
	return out, nil
}

// Entry is a line of the journal: what happened to an alarm, when by the wall
// clock, by whom and why. Event is "raise", "recur", "change", "return", "ack",
// "label" or "unlabel"; Who is the edge, or the user.
type Entry struct {
	Seq            uint64
	At             int64
	Event          string
	Who, Note      string
	State          plant.AlarmState // after it
	Label          *plant.Label     // after it
	Raised, Source int64            // source times: of the episode, and of the evidence
}

// Journal returns all entries of an alarm, oldest first; ErrNotFound.
func (b *Book) Journal(ctx context.Context, id int64) ([]Entry, error) {
	rows, err := b.db.QueryContext(ctx, `SELECT seq, at, event, who, note, after FROM journal WHERE alarm = ? ORDER BY seq`, id)
	if err != nil {
		return nil, fmt.Errorf("alarm %d: journal: %w", id, err)
	}
	defer rows.Close()
	var out []Entry
	for rows.Next() {
		var e Entry
		var text string
		var a plant.Alarm
		if err := rows.Scan(&e.Seq, &e.At, &e.Event, &e.Who, &e.Note, &text); err != nil {
			return nil, fmt.Errorf("alarm %d: journal: %w", id, err)
		}
		if err := json.Unmarshal([]byte(text), &a); err != nil {
			return nil, fmt.Errorf("alarm %d: journal: %w", id, err)
		}
		e.State, e.Label, e.Raised, e.Source = a.State, a.Label, a.Raised, max(a.Finding.Time, a.Returned)
		out = append(out, e)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("alarm %d: journal: %w", id, err)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("alarm %d: %w", id, ErrNotFound)
	}
	return out, nil
}

// Stats counts alarms.
type Stats struct {
	Unacked, Acked, RtnUnacked, Cleared int
	Journal                             uint64 // number of the last entry
}

// Stats counts the alarms in the book by state.
func (b *Book) Stats(ctx context.Context) (Stats, error) {
	var s Stats
	rows, err := b.db.QueryContext(ctx, `SELECT state, count(*) FROM alarm GROUP BY state
		UNION ALL SELECT '', coalesce(max(seq), 0) FROM journal`)
	if err != nil {
		return s, fmt.Errorf("alarms: stats: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var state plant.AlarmState
		var n int
		if err := rows.Scan(&state, &n); err != nil {
			return s, fmt.Errorf("alarms: stats: %w", err)
		}
		switch state {
		case plant.Unacked:
			s.Unacked = n
		case plant.Acked:
			s.Acked = n
		case plant.RtnUnacked:
			s.RtnUnacked = n
		case plant.Cleared:
			s.Cleared = n
		case "":
			s.Journal = uint64(n)
		}
	}
	return s, rows.Err()
}
