package notify

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"millwright/historian/notify/text"
	"millwright/plant"
)

// Why a link cannot be used.
const (
	linkUsed    = "used"
	linkExpired = "expired"
	linkTaken   = "acknowledged"
)

var encoding = base64.RawURLEncoding

// token is the secret in the link of a message: 128 bits that nobody can guess
// who has not the desk's key. A message that is sent again has the same.
func (d *Desk) token(key string) string {
	h := hmac.New(sha256.New, d.secret)
	h.Write([]byte("link " + key))
	return encoding.EncodeToString(h.Sum(nil)[:16])
}

// hashOf is what is kept of a token.
func hashOf(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// answerable gives a message its link, or on a channel with answers its code,
// durably, and returns the secret in it.
func (d *Desk) answerable(ctx context.Context, r *row, c *text.Context) (secret string, err error) {
	home := strings.TrimRight(d.PublicURL, "/")
	acks := r.Purpose == plant.PurposeAlarm || r.Purpose == plant.PurposeMore || r.Purpose == plant.PurposeReturn
	if !acks || r.Channel == webhook || r.Person == "" {
		if home != "" {
			c.Link = home + "/"
		}
		return "", nil
	}
	expires := c.Now + int64(d.Limits.LinkLife)
	if _, ok := d.lane(r.Channel).channel.(Replies); ok {
		if c.Code, err = d.newCode(ctx, r, c.Now, expires); err != nil || c.Code != "" {
			return "", err
		}
	}
	if home == "" {
		return "", nil
	}
	secret = d.token(r.Key)
	err = d.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO link VALUES (?, ?, ?, 0) ON CONFLICT DO UPDATE SET expires = excluded.expires`, hashOf(secret), r.ID, expires)
		return err
	})
	c.Link = home + "/ack/" + secret
	return secret, err
}

// newCode returns the two digits that answer a message: unique among what is open
// on the phone, the same for one alarm. Empty: all hundred are in use.
func (d *Desk) newCode(ctx context.Context, r *row, now, expires int64) (code string, err error) {
	number := phone(r.Address)
	err = d.write(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT code, m.alarm = ? AND m.purpose = ?, c.expires < ? OR NOT EXISTS
			(SELECT 1 FROM told t JOIN episode e USING (alarm) WHERE t.message = c.message AND e.state IN ('unacked', 'rtn_unacked'))
			FROM code c LEFT JOIN message m ON m.id = c.message WHERE phone = ? ORDER BY c.expires`, r.Alarm, r.Purpose, now, number)
		if err != nil {
			return err
		}
		defer rows.Close()
		taken, oldest := map[string]bool{}, ""
		for rows.Next() {
			var known string
			var same sql.NullBool
			var free bool
			if err := rows.Scan(&known, &same, &free); err != nil {
				return err
			}
			taken[known] = true
			switch {
			case same.Bool:
				code = known
			case free && oldest == "":
				oldest = known // used again only when all hundred have been
			}
		}
		if err := rows.Err(); err != nil {
			return err
		}
		if code == "" {
			code = oldest
			if left := 100 - len(taken); left > 0 {
				n := rand.IntN(left)
				for i := range 100 {
					if c := fmt.Sprintf("%02d", i); !taken[c] {
						if n == 0 {
							code = c
						}
						n--
					}
				}
			}
		}
		if code == "" {
			return nil
		}
		_, err = tx.ExecContext(ctx, `INSERT OR REPLACE INTO code VALUES (?, ?, ?, ?)`, number, code, r.ID, expires)
		return err
	})
	return code, err
}

// answer is what a link or a code leads to.
type answer struct {
	message plant.Message
	expires int64
	used    int64
	alarms  []plant.Alarm // that the message names, as they are now
	counts  []int         // of their episodes, when it was written
}

// answerTo reads the message that a link or a code belongs to.
func (d *Desk) answerTo(ctx context.Context, message int64) (a answer, err error) {
	if a.message, err = d.message(ctx, message); err != nil {
		return a, err
	}
	for _, id := range a.message.Alarms {
		now, err := d.Alarms.Get(ctx, id)
		if err != nil {
			return a, err
		}
		var count int
		if err := d.db.QueryRowContext(ctx, `SELECT count FROM told WHERE message = ? AND alarm = ?`, message, id).Scan(&count); err != nil {
			return a, err
		}
		a.alarms, a.counts = append(a.alarms, now), append(a.counts, count)
	}
	if len(a.alarms) == 0 {
		return a, ErrNotFound
	}
	return a, nil
}

// why says why an answer cannot acknowledge, empty: it can. Whoever is not in the
// roster any more cannot.
func (d *Desk) why(a *answer, now int64) string {
	why := a.why(now)
	if why == "" && d.roster.Load().people[a.message.Person] == nil {
		return linkExpired
	}
	return why
}

// why is Desk.why for somebody in the roster.
func (a *answer) why(now int64) string {
	switch {
	case a.used != 0:
		return linkUsed
	case now >= a.expires:
		return linkExpired
	}
	why := linkExpired // the alarm came back since: of that the message told nothing
	for i := range a.alarms {
		if a.alarms[i].Count != a.counts[i] {
			continue
		}
		if open(a.alarms[i].State) {
			return ""
		}
		why = linkTaken
	}
	return why
}

func open(s plant.AlarmState) bool { return s == plant.Unacked || s == plant.RtnUnacked }

// first is the alarm that the page of the link shows: one that is open, if any.
func (a *answer) first() plant.Alarm {
	for i := range a.alarms {
		if a.alarms[i].Count == a.counts[i] && open(a.alarms[i].State) {
			return a.alarms[i]
		}
	}
	return a.alarms[0]
}

// Link shows what the page behind a link of a message shows; it uses nothing.
// ErrNotFound: nobody was ever sent this link.
func (d *Desk) Link(ctx context.Context, token string) (plant.AckLink, error) {
	a, err := d.link(ctx, token)
	if err != nil {
		return plant.AckLink{}, fmt.Errorf("link: %w", err)
	}
	return d.page(&a, d.why(&a, time.Now().UnixNano())), nil
}

func (d *Desk) page(a *answer, why string) plant.AckLink {
	return plant.AckLink{Alarm: a.first(), Person: d.person(a.message.Person), Language: a.message.Language, Text: a.message.Text, Valid: why == "", Why: why}
}

// UseLink acknowledges what the message told, as the person that it was sent to.
// Valid says whether it did.
func (d *Desk) UseLink(ctx context.Context, token string) (plant.AckLink, error) {
	a, err := d.link(ctx, token)
	if err != nil {
		return plant.AckLink{}, fmt.Errorf("link: %w", err)
	}
	now := time.Now().UnixNano()
	why := d.why(&a, now)
	if why == "" {
		// The alarm first: a link that died with the process can be used again.
		won, err := d.acknowledge(ctx, &a, "via link")
		if err != nil {
			return plant.AckLink{}, fmt.Errorf("link: %w", err)
		}
		if !won {
			why = linkTaken
		}
		err = d.write(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `UPDATE link SET used = ? WHERE hash = ?`, now, hashOf(token))
			return err
		})
		if err != nil {
			return plant.AckLink{}, fmt.Errorf("link: %w", err)
		}
	}
	return d.page(&a, why), nil
}

func (d *Desk) link(ctx context.Context, token string) (answer, error) {
	if raw, err := encoding.DecodeString(token); err != nil || len(raw) != 16 {
		return answer{}, ErrNotFound
	}
	var message, expires, used int64
	err := d.db.QueryRowContext(ctx, `SELECT message, expires, used FROM link WHERE hash = ?`, hashOf(token)).Scan(&message, &expires, &used)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return answer{}, err
	}
	a, err := d.answerTo(ctx, message)
	a.expires, a.used = expires, used
	return a, err
}

// acknowledge takes the alarms of a message for its person, all that are open
// and in the episode that it told. won is false where somebody else was faster
// with all of them. The alarms of a are left as they are afterwards.
func (d *Desk) acknowledge(ctx context.Context, a *answer, note string) (won bool, err error) {
	who := name(d.person(a.message.Person))
	for i := range a.alarms {
		for open(a.alarms[i].State) && a.alarms[i].Count == a.counts[i] {
			after, err := d.Alarms.Ack(ctx, a.alarms[i].ID, who, note, a.alarms[i].State)
			if err == nil {
				a.alarms[i], won = after, true
				d.Log.Info("alarm acknowledged", "alarm", after.ID, "by", who, "how", note)
				break
			}
			// Somebody was faster, or it went back to normal this moment.
			now, lost := d.Alarms.Get(ctx, a.alarms[i].ID)
			if lost != nil || now.State == a.alarms[i].State && now.Seq == a.alarms[i].Seq {
				return won, err
			}
			a.alarms[i] = now
		}
	}
	return won, nil
}

// person is somebody by the newest roster; who is not in it any more keeps the id.
func (d *Desk) person(id string) plant.Person {
	if p := d.roster.Load().people[id]; p != nil {
		return p.Person
	}
	return plant.Person{ID: id, Name: id}
}

// name is what the alarm book calls a person: the account, else the name.
func name(p plant.Person) string {
	if p.User != "" {
		return p.User
	}
	return p.Name
}
