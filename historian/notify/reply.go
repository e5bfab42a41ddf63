package notify

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"millwright/historian/notify/text"
	"millwright/plant"
)

// wrongPerHour is how many wrong codes a phone may send in an hour; what it
// sends then is not looked at. Texts without a code are answered as often.
const wrongPerHour = 5

// closed is the answer to the last wrong code.
var closed = map[string]string{
	plant.English: "Too many wrong codes. Answers are not read for an hour: use the page",
	plant.Urdu:    "بہت سے غلط کوڈ۔ ایک گھنٹے تک جواب نہیں پڑھے جائیں گے: صفحہ کھولیں",
	plant.Russian: "Слишком много неверных кодов. Ответы час не читаются: откройте страницу",
}

// listen takes the answers of a channel.
func (d *Desk) listen(ctx context.Context, r Replies) {
	for ctx.Err() == nil {
		err := r.Replies(ctx, func(from, words string) (string, error) { return d.reply(ctx, from, words) })
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			return // it has no answers to give
		}
		d.Log.Error("answers cannot be read; trying again", "err", err)
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Second):
		}
	}
}

// reply acts on an answer from a phone and says what to answer. A number that is
// in no contact gets none.
func (d *Desk) reply(ctx context.Context, from, words string) (string, error) {
	number := phone(from)
	who := d.owner(number)
	if who == nil {
		d.Log.Warn("an SMS from a number that is not in the roster was dropped")
		return "", nil
	}
	now := time.Now().UnixNano()
	var wrong, idle int
	if err := d.db.QueryRowContext(ctx, `SELECT coalesce(sum(coded), 0), coalesce(sum(1 - coded), 0) FROM wrong WHERE phone = ? AND at > ?`, number, now-int64(time.Hour)).Scan(&wrong, &idle); err != nil {
		return "", fmt.Errorf("reply: %w", err)
	}
	if wrong >= wrongPerHour {
		d.Log.Warn("too many wrong codes from a phone; its answers are dropped for now", "person", who.ID)
		return "", nil
	}
	c := text.Context{Purpose: text.ReplyUnknown, Channel: "sms", Language: who.Language, Now: now, Zone: d.Zone}
	digits, coded := code(words)
	if !coded && idle >= wrongPerHour {
		return "", nil // perhaps an answering machine
	}
	c.Code = digits
	a, err := d.codeOf(ctx, number, digits)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return "", fmt.Errorf("reply: %w", err)
	}
	why := linkExpired
	if err == nil {
		why = d.why(&a, now)
	}
	switch why {
	case "":
		if _, err := d.acknowledge(ctx, &a, "by SMS"); err != nil {
			return "", fmt.Errorf("reply: %w", err)
		}
		fallthrough
	case linkTaken:
		c.Purpose, c.Alarm = text.ReplyOK, a.alarms[0]
	default:
		err := d.write(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `INSERT INTO wrong VALUES (?, ?, ?)`, number, now, coded)
			return err
		})
		if err != nil {
			return "", fmt.Errorf("reply: %w", err)
		}
		if coded && wrong+1 == wrongPerHour {
			last := closed[who.Language]
			if d.PublicURL != "" {
				last += " " + strings.TrimRight(d.PublicURL, "/") + "/"
			}
			return last, nil
		}
	}
	_, body := text.Write(c)
	return body, nil
}

// owner is the first person in the roster with a phone number.
func (d *Desk) owner(number string) *plant.Person {
	r := d.roster.Load()
	for i := range r.People {
		for _, c := range r.People[i].Contacts {
			if number != "" && c.Channel == "sms" && phone(c.Address) == number {
				return &r.People[i]
			}
		}
	}
	return nil
}

func (d *Desk) codeOf(ctx context.Context, number, digits string) (answer, error) {
	var message, expires int64
	err := d.db.QueryRowContext(ctx, `SELECT message, expires FROM code WHERE phone = ? AND code = ?`, number, digits).Scan(&message, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return answer{}, err
	}
	a, err := d.answerTo(ctx, message)
	a.expires = expires
	return a, err
}
