package text

import (
	"strconv"
	"strings"

	"millwright/historian/notify/text/gsm7"
	"millwright/plant"
)

// note is an SMS in its parts, in the order in which they are read. Empty parts
// are left out.
type note struct {
	l       *language
	badge   string // "P1"
	asset   string
	name    string
	what    string
	tag     string
	value   string
	against string // limit or expected, or what else belongs to the value
	since   string
	cause   string
	first   string
	by      string
	code    string
	link    string
}

func (n *note) String() string {
	var b strings.Builder
	b.WriteString(n.badge)
	join(&b, " ", n.asset)
	if n.name != "" {
		join(&b, " ", "("+n.name+")")
	}
	join(&b, ": ", strings.TrimSpace(n.what+" "+n.tag))
	join(&b, " ", n.value)
	join(&b, n.l.comma, n.against)
	join(&b, n.l.comma, n.since)
	for _, s := range []string{n.cause, n.first, n.by, n.code, n.link} {
		join(&b, n.l.stop, s)
	}
	if n.l.rtl {
		return "\u200f" + b.String() // one unit; without it phones lay the text out from the left
	}
	return b.String()
}

func join(b *strings.Builder, sep, s string) {
	if s == "" {
		return
	}
	if b.Len() > 0 {
		b.WriteString(sep)
	}
	b.WriteString(s)
}

// fits holds a text against what it may cost. What would turn a text of the
// 7-bit alphabet into UCS-2 does not fit: it would halve the room.
func (w *writer) fits(was, s string) bool {
	if w.l == &english {
		_, before := gsm7.Septets(was)
		if n, ok := gsm7.Septets(s); ok {
			return n <= gsm7.One
		} else if before && was != "" {
			return false
		}
	}
	return gsm7.Units(s) <= gsm7.TwoWides
}

// tell keeps what fits: base is said whatever it costs, then each step is tried
// in turn and undone where it is too much.
func (w *writer) tell(base note, steps ...func(*note)) string {
	base.l = w.l
	base.asset, base.what = w.plain(base.asset), w.plain(base.what)
	base.code = w.plain(base.code)
	text := w.shortened(&base)
	for _, step := range steps {
		try := base
		step(&try)
		for _, s := range []*string{&try.name, &try.tag, &try.value, &try.against, &try.since, &try.cause, &try.first, &try.by} {
			*s = w.plain(*s)
		}
		if s := try.String(); w.fits(text, s) {
			base, text = try, s
		}
	}
	return text
}

// shortened makes the base fit by cutting what is said, then the front of the
// asset, whose end says most. The badge and the code stay.
func (w *writer) shortened(base *note) string {
	dots := "…"
	if w.l == &english {
		dots = ".."
	}
	for {
		s := base.String()
		if w.fits("", s) {
			return s
		}
		if r := []rune(base.what); len(r) > len([]rune(dots)) {
			base.what = strings.TrimSuffix(base.what, dots)
			r = []rune(base.what)
			base.what = string(r[:len(r)-1]) + dots
			if len(r) <= 12 {
				base.what = ""
			}
			continue
		}
		r := []rune(strings.TrimPrefix(base.asset, dots))
		if len(r) <= 8 {
			return s
		}
		base.asset = dots + string(r[1:])
	}
}

// sms writes for phones that show nothing else.
func (w *writer) sms() string {
	switch w.Purpose {
	case plant.PurposeMore:
		return w.smsMore()
	case plant.PurposeReturn:
		return w.smsBack()
	case plant.PurposeDigest:
		return w.smsDigest()
	case plant.PurposeTest:
		return w.tell(note{what: w.l.say(smsTest, "time", w.clock(w.Now))}, w.addLink)
	case plant.PurposeHeartbeat:
		return w.tell(note{what: w.l.say(smsAlive, "time", w.clock(w.Now))})
	case ReplyOK, ReplyUnknown:
		return w.tell(note{what: w.reply()})
	}
	return w.smsAlarm()
}

func (w *writer) smsAlarm() string {
	f := &w.Alarm.Finding
	e := w.evidence(f)
	a := w.l.advise(f, w.AssetClass)
	return w.tell(
		note{badge: w.badge(), asset: f.Asset, what: w.title(f), code: w.smsCode()},
		func(n *note) { n.tag, n.value = last(e.tag), e.value },
		func(n *note) { // no code: the link is the way to acknowledge
			if w.Code == "" {
				n.link = w.Link
			}
		},
		func(n *note) { n.against = w.against(e) },
		func(n *note) { n.since = w.smsSince(&w.Alarm) },
		func(n *note) { n.by = w.smsBy() },
		func(n *note) { n.first = a.short },
		func(n *note) {
			if w.Alarm.Count > 1 {
				n.since += w.l.comma + w.l.count(nounTimes, w.Alarm.Count)
			}
		},
		func(n *note) {
			if len(w.Others) > 0 {
				n.since += w.l.comma + w.l.count(nounMore, len(w.Others))
			}
		},
		func(n *note) { n.name = cut(w.AssetName, 24, w.l) },
		func(n *note) { n.cause = w.l.say(smsCause, "cause", a.cause) },
		func(n *note) {
			if !strings.HasPrefix(e.tag, f.Asset+"/") { // else it says nothing new
				n.tag = e.tag
			}
		},
		func(n *note) { n.name = w.AssetName },
		w.addLink,
	)
}

func (w *writer) smsMore() string {
	steps := []func(*note){
		func(n *note) {
			if w.Code == "" {
				n.link = w.Link
			}
		},
		func(n *note) { n.by = w.smsBy() },
	}
	for i := range w.Others {
		f := &w.Others[i].Finding
		e := w.evidence(f)
		told := strings.TrimSpace(w.title(f) + " " + last(e.tag) + " " + e.value)
		steps = append(steps, func(n *note) {
			if n.value != "" {
				n.value += w.l.comma
			} else {
				n.value = "– "
			}
			n.value += told
		})
	}
	return w.tell(note{badge: w.badge(), asset: w.asset(), what: w.l.count(nounMore, len(w.Others)), code: w.smsCode()},
		append(steps, w.addLink)...)
}

func (w *writer) smsBack() string {
	a := &w.Alarm
	e := w.evidence(&a.Finding)
	return w.tell(
		note{badge: "OK", asset: a.Finding.Asset, what: w.l.say(smsReturned), code: w.smsCode()},
		func(n *note) {
			if a.Raised != 0 && a.Returned >= a.Raised {
				n.since = w.l.say(smsSpan, "from", w.clock(a.Raised), "to", w.clock(a.Returned))
			}
		},
		func(n *note) { n.against = strings.TrimSpace(w.title(&a.Finding) + " " + last(e.tag)) },
		func(n *note) {
			if a.AckedBy != "" {
				n.first = w.l.say(ackedBy, "who", a.AckedBy)
			} else {
				n.first = w.l.say(notAcked)
			}
		},
		func(n *note) { n.name = cut(w.AssetName, 24, w.l) },
		w.addLink,
	)
}

func (w *writer) smsDigest() string {
	n := 0
	for i := range w.Others {
		if active(&w.Others[i]) {
			n++
		}
	}
	base := note{what: w.l.say(smsDigest, "messages", w.l.count(nounMessages, w.Held), "alarms", w.l.count(nounAlarms, len(w.Others)), "active", strconv.Itoa(n)), code: w.smsCode()}
	if len(w.Others) == 0 {
		return w.tell(base, w.addLink)
	}
	worst := &w.Others[w.worst()]
	f := &worst.Finding
	e := w.evidence(f)
	head := w.l.say(smsWorst) + " P" + strconv.Itoa(rank(worst)) + " " + f.Asset
	return w.tell(base,
		func(n *note) { n.first = head },
		func(n *note) { n.first = head + " " + w.title(f) },
		func(n *note) { n.first = strings.TrimSpace(head + " " + w.title(f) + " " + last(e.tag)) },
		w.addLink,
	)
}

func (w *writer) badge() string { return "P" + strconv.Itoa(w.priority()) }

func (w *writer) addLink(n *note) { n.link = w.Link }

func (w *writer) smsCode() string {
	if w.Code == "" {
		return ""
	}
	return w.l.say(smsReply, "code", w.Code)
}

func (w *writer) against(e evidence) string {
	switch {
	case e.limit != "":
		return w.l.say(smsLimit, "limit", e.limit)
	case e.expected != "":
		return w.l.say(smsExpected, "expected", e.expected)
	}
	return ""
}

func (w *writer) smsSince(a *plant.Alarm) string {
	if a.Raised == 0 {
		return ""
	}
	return w.l.say(smsSince, "time", w.clock(a.Raised))
}

func (w *writer) smsBy() string {
	switch at := w.respondBy(); {
	case at == 0:
		return w.l.say(nextStop)
	case at <= w.Now:
		return w.l.say(smsOverdue)
	default:
		return w.l.say(smsBy, "time", w.clock(at))
	}
}

// cut shortens s to n characters at the end of a word where it can.
func cut(s string, n int, l *language) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	s = string(r[:n])
	if i := strings.LastIndexAny(s, " ,"); i > len(s)/2 {
		s = s[:i]
	}
	s = strings.TrimRight(s, " ,")
	if l == &english {
		return s + ".."
	}
	return s + "…"
}
