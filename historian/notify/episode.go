package notify

import (
	"database/sql"
	"encoding/json"
	"errors"

	"millwright/plant"
)

// episode is where the escalation of an alarm stands. Step, lap and due are all 0
// where no ladder was begun, or somebody acknowledged.
type episode struct {
	alarm   plant.Alarm // as its last planned journal entry left it
	number  int64       // each time that people are told anew is another
	step    int         // of the ladder, the next one
	lap     int         // how often the ladder was climbed before
	due     int64       // when the next step goes; 0: none does; below 0: the condition is away, at -due once it is back
	recurs  []int64     // source times of its latest recurrences
	damped  int64       // it chatters: nobody is told the same step again before
	again   int64       // then they are, if it is there; 0: nothing was kept from them
	urgency int         // the most urgent priority that was told or acknowledged; 0: none
	acked   uint64      // journal entry of the acknowledgement
}

// begun says that the ladder was begun and nobody has acknowledged since.
func (e *episode) begun() bool { return e.step != 0 || e.lap != 0 || e.due != 0 }

const episodeColumns = `number, step, lap, due, recurs, damped, again, urgency, acked, body`

// episode reads where an alarm's escalation stands; nil: it has none yet.
func (p *plan) episode(alarm int64) (*episode, error) {
	e, err := scanEpisode(p.tx.QueryRowContext(p.ctx, `SELECT `+episodeColumns+` FROM episode WHERE alarm = ?`, alarm))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return e, err
}

func scanEpisode(s interface{ Scan(...any) error }) (*episode, error) {
	var e episode
	var recurs, body string
	if err := s.Scan(&e.number, &e.step, &e.lap, &e.due, &recurs, &e.damped, &e.again, &e.urgency, &e.acked, &body); err != nil {
		return nil, err
	}
	return &e, errors.Join(json.Unmarshal([]byte(recurs), &e.recurs), json.Unmarshal([]byte(body), &e.alarm))
}

func (p *plan) keep(e *episode) error {
	recurs, err := json.Marshal(e.recurs)
	if err != nil {
		return err
	}
	body, err := json.Marshal(&e.alarm)
	if err != nil {
		return err
	}
	_, err = p.tx.ExecContext(p.ctx, `INSERT OR REPLACE INTO episode(alarm, state, `+episodeColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		e.alarm.ID, string(e.alarm.State), e.number, e.step, e.lap, e.due, string(recurs), e.damped, e.again, e.urgency, e.acked, string(body))
	return err
}

// due are episodes whose next step is due.
func (p *plan) due() ([]*episode, error) {
	return p.episodes(`due > 0 AND due <= ?1 OR again > 0 AND again <= ?1 AND state = 'unacked' ORDER BY due LIMIT ?2`, p.now, batch)
}

func (p *plan) episodes(which string, args ...any) ([]*episode, error) {
	rows, err := p.tx.QueryContext(p.ctx, `SELECT `+episodeColumns+` FROM episode WHERE `+which, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []*episode
	for rows.Next() {
		e, err := scanEpisode(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, rows.Err()
}
