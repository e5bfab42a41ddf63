// Package text writes what people read at three in the morning: the messages
// about alarms in English, Urdu and Russian, long for mail and push, short for
// SMS. It says where, what, why, since when, what to do first and until when,
// from the facts of the alarm and from a small table of what experience says to
// such a finding on such a machine.
//
// A long text has one fact in a line. In Urdu each line begins with a
// right-to-left mark and what is written from left to right (tags, numbers,
// units) is isolated. The link stands in a line of its own without any mark, the
// last one, so that it can be found and pressed; the line before says what it is
// for.
//
// An SMS costs at most one message of 160 characters in English and two messages
// of 67 UTF-16 units in the others. What does not fit is left out, what matters
// least first; the priority, the asset and the code to answer with always stay.
package text

import (
	"cmp"
	"strings"
	"time"
	"unicode"

	"millwright/plant"
)

// Purposes of answers to a person's SMS, beside those of plant.Message.
const (
	ReplyOK      = "reply-ok"      // the alarm is acknowledged
	ReplyUnknown = "reply-unknown" // no alarm has this code
)

// Context is what a message is about.
type Context struct {
	Purpose    string // plant.PurposeAlarm … or ReplyOK, ReplyUnknown
	Channel    string // kind; "sms" makes it short
	Language   string // plant.English where unknown
	Alarm      plant.Alarm
	AssetName  string        // for people; empty: the path stands alone
	AssetClass string        // "gearbox", "pump", "fan", "motor": what to look at first
	Others     []plant.Alarm // what joined, or what the digest tells
	Held       int           // messages that quiet hours or a flood held
	Now        int64         // ns UTC
	Zone       *time.Location
	Link       string // opens the page that acknowledges
	Code       string // two digits to answer by SMS
	RespondBy  int64  // ns UTC; 0: by the priority
	Step       int    // of the escalation, from 0
}

// Write makes the subject and the text of a message. An SMS has no subject.
func Write(c Context) (subject, body string) {
	w := &writer{Context: c, l: languageOf(c.Language), short: c.Channel == "sms", zone: cmp.Or(c.Zone, time.UTC)}
	w.AssetName, w.Link, w.Code = clean(c.AssetName), clean(c.Link), clean(c.Code)
	w.Alarm = cleaned(c.Alarm)
	w.Others = make([]plant.Alarm, len(c.Others))
	for i, a := range c.Others {
		w.Others[i] = cleaned(a)
	}
	if w.short {
		return "", w.sms()
	}
	return w.long()
}

// writer writes one message.
type writer struct {
	Context
	l     *language
	short bool
	zone  *time.Location
}

// cleaned is an alarm whose words cannot break a line, a header or the direction
// of a text: they come from edges and from people.
func cleaned(a plant.Alarm) plant.Alarm {
	f := &a.Finding
	a.AckedBy = clean(a.AckedBy)
	f.Asset, f.Kind, f.Tag, f.Unit = clean(f.Asset), clean(f.Kind), clean(f.Tag), clean(f.Unit)
	f.Text, f.Condition = clean(f.Text), clean(f.Condition)
	list := make([]plant.Contribution, len(f.Contributions))
	for i, c := range f.Contributions {
		c.Tag, c.Unit = clean(c.Tag), clean(c.Unit)
		list[i] = c
	}
	f.Contributions = list
	return a
}

// clean makes one line of s, without control and direction characters.
func clean(s string) string {
	const most = 400
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\t':
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == unicode.ReplacementChar || r == '\u2028' || r == '\u2029':
			return -1
		}
		return r
	}, s)
	if r := []rune(s); len(r) > most {
		s = string(r[:most-1]) + "…"
	}
	return strings.TrimSpace(s)
}

// title is a kind of finding in a few words, and what a PLC says itself.
func (w *writer) title(f *plant.Finding) string {
	if f.Text != "" {
		return w.l.say(said, "what", w.kind(f), "text", w.own(f.Text))
	}
	return w.kind(f)
}

func (w *writer) kind(f *plant.Finding) string {
	if t, ok := w.l.brief[f.Kind]; ok && w.short {
		return t
	}
	if t, ok := w.l.kinds[f.Kind]; ok {
		return t
	}
	return w.l.say(unknownKind, "kind", w.ltr(f.Kind))
}

// evidence is the tag that says most about a finding and its value against the
// limit or against what the model expected; texts are empty where there is
// nothing to say.
type evidence struct {
	tag, value string
	limit      string
	expected   string
}

func (w *writer) evidence(f *plant.Finding) (e evidence) {
	if strings.HasPrefix(f.Kind, "system.") {
		return e
	}
	e.tag = f.Tag
	switch {
	case f.Tag == "" && len(f.Contributions) > 0:
		c := f.Contributions[0]
		e.tag = c.Tag
		e.value, e.expected = w.pair(c.Value, c.Expected, c.Unit)
	case f.Tag == "" || f.Kind == plant.KindDropout || f.Kind == plant.KindBad || f.Class == plant.PLCAlarm:
	case strings.HasPrefix(f.Kind, "sensor."):
		e.value = w.quantity(f.Value, f.Unit)
	default:
		e.value, e.limit = w.pair(f.Readable())
	}
	return e
}

// respondBy is until when somebody must have looked, 0: at the next planned
// stop.
func (w *writer) respondBy() int64 {
	if w.RespondBy != 0 {
		return w.RespondBy
	}
	var within time.Duration
	switch w.priority() {
	case 1:
		within = 15 * time.Minute
	case 2:
		within = time.Hour
	case 3:
		within = 8 * time.Hour
	default:
		return 0
	}
	from := w.subjectAlarm().Raised
	if from == 0 || from > w.Now {
		from = w.Now
	}
	return from + int64(within)
}

// subjectAlarm is the alarm that the message is news of: of what joined, the
// most urgent one.
func (w *writer) subjectAlarm() *plant.Alarm {
	if w.Purpose == plant.PurposeMore && len(w.Others) > 0 {
		return &w.Others[w.worst()]
	}
	return &w.Alarm
}

func (w *writer) priority() int { return rank(w.subjectAlarm()) }

// rank is an alarm's priority, from 1 to 4 whatever was found.
func rank(a *plant.Alarm) int { return min(max(a.Finding.Priority, 1), 4) }

// asset is where the message is about: an alarm's, or that of what joined it.
func (w *writer) asset() string {
	if w.Alarm.Finding.Asset == "" {
		return w.subjectAlarm().Finding.Asset
	}
	return w.Alarm.Finding.Asset
}

func active(a *plant.Alarm) bool { return a.State == plant.Unacked || a.State == plant.Acked }
