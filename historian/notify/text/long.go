package text

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"millwright/plant"
)

// mostListed is how many alarms a message names one by one.
const mostListed = 20

// page collects the lines of a long text.
type page struct {
	w     *writer
	lines []string
}

// add adds a line. In Urdu the mark makes it a right-to-left one, whatever it
// begins with.
func (p *page) add(line string) {
	if p.w.l.rtl && line != "" {
		line = "\u200f" + line
	}
	p.lines = append(p.lines, line)
}

// fact adds a line with a label, nothing where there is nothing to say.
func (p *page) fact(label phrase, text string) {
	if text != "" {
		p.add(p.w.l.phrases[label] + ": " + text)
	}
}

// finish adds the link as the last line, bare so that it can be pressed.
func (p *page) finish(label phrase) string {
	if p.w.Link != "" {
		p.add("")
		p.add(p.w.l.phrases[label] + ":")
		p.lines = append(p.lines, p.w.Link)
	}
	return strings.Join(p.lines, "\n")
}

// long writes for mail, push and webhooks.
func (w *writer) long() (subject, body string) {
	switch w.Purpose {
	case plant.PurposeMore:
		return w.more()
	case plant.PurposeReturn:
		return w.back()
	case plant.PurposeDigest:
		return w.digest()
	case plant.PurposeTest:
		return w.sentence(w.l.say(testSubject), w.l.say(testBody, "time", w.clock(w.Now)))
	case plant.PurposeHeartbeat:
		return w.sentence(w.l.say(heartbeatSubject), w.l.say(heartbeatBody, "time", w.clock(w.Now)))
	case ReplyOK, ReplyUnknown:
		s := w.reply()
		return w.sentence(s, s)
	}
	return w.alarm()
}

// sentence is a subject and one sentence.
func (w *writer) sentence(subject, text string) (string, string) {
	p := &page{w: w}
	p.add(text)
	return w.marked(subject), p.finish(labelOpen)
}

// marked gives a subject its direction.
func (w *writer) marked(subject string) string {
	if w.l.rtl && !w.short {
		return "\u200f" + subject
	}
	return subject
}

func (w *writer) alarm() (string, string) {
	f := &w.Alarm.Finding
	p := &page{w: w}
	p.head()
	if w.Step > 0 {
		p.add(w.l.say(noWay, "n", strconv.Itoa(w.Step+1)))
	}
	p.where(f.Asset)
	p.fact(labelWhat, w.headline(f, f.Tag))
	p.fact(labelSince, w.since(&w.Alarm))
	p.why(f)
	p.fact(labelPLC, w.own(f.Condition))
	a := w.l.advise(f, w.AssetClass)
	p.fact(labelCause, a.cause)
	p.fact(labelFirst, a.first)
	p.fact(labelRespond, w.deadline())
	if len(w.Others) > 0 {
		p.add("")
		p.add(upper(w.l.count(nounMore, len(w.Others))) + ":")
		p.list(w.Others, f.Asset)
	}
	return w.subject(w.headline(f, "")), p.finish(labelAck)
}

func (w *writer) more() (string, string) {
	p := &page{w: w}
	p.head()
	p.where(w.asset())
	p.fact(labelWhat, w.l.count(nounMore, len(w.Others))+":")
	p.list(w.Others, w.asset())
	if len(w.Others) > 0 {
		a := w.l.advise(&w.subjectAlarm().Finding, w.AssetClass)
		p.fact(labelFirst, a.first)
	}
	p.fact(labelRespond, w.deadline())
	return w.subject(w.l.count(nounMore, len(w.Others))), p.finish(labelAck)
}

func (w *writer) back() (string, string) {
	f := &w.Alarm.Finding
	p := &page{w: w}
	p.add(w.l.say(returned))
	p.where(f.Asset)
	p.fact(labelWhat, w.headline(f, f.Tag))
	p.fact(labelWhen, w.lasted())
	if w.Alarm.AckedBy != "" {
		p.add(w.l.say(ackedBy, "who", w.own(w.Alarm.AckedBy)))
	} else {
		p.add(w.l.say(notAcked))
	}
	label := labelOpen
	if w.Alarm.State == plant.RtnUnacked {
		label = labelAck
	}
	return w.marked(w.l.say(returnSubject, "asset", w.ltr(f.Asset), "what", w.what(f))), p.finish(label)
}

func (w *writer) digest() (string, string) {
	p := &page{w: w}
	n := 0
	for i := range w.Others {
		if active(&w.Others[i]) {
			n++
		}
	}
	if w.Held > 0 {
		p.add(w.l.say(digestHeld, "messages", w.l.count(nounMessages, w.Held)))
	}
	p.list(w.Others, "")
	return w.marked(w.l.say(digestSubject, "alarms", w.l.count(nounAlarms, len(w.Others)), "active", strconv.Itoa(n))), p.finish(labelOpen)
}

// reply is the answer to an SMS.
func (w *writer) reply() string {
	switch {
	case w.Purpose == ReplyOK:
		return w.l.say(replyDone, "p", strconv.Itoa(w.priority()), "asset", w.ltr(w.plain(w.asset())), "time", w.clock(w.Now))
	case w.Code != "":
		return w.l.say(replyUnknownCode, "code", w.ltr(w.plain(w.Code)))
	}
	return w.l.say(replyUnknown)
}

func (p *page) head() {
	n := p.w.priority()
	p.add(p.w.l.say(headPriority, "p", strconv.Itoa(n), "urgency", p.w.l.urgency[n-1]))
}

func (p *page) where(asset string) {
	text := p.w.ltr(asset)
	if p.w.AssetName != "" && p.w.AssetName != asset {
		text += " – " + p.w.own(p.w.AssetName)
	}
	p.fact(labelWhere, text)
}

// why names the tags that the model judged by, the largest first.
func (p *page) why(f *plant.Finding) {
	const most = 3
	if len(f.Contributions) == 0 {
		return
	}
	p.add(p.w.l.phrases[labelWhy] + ":")
	for _, c := range f.Contributions[:min(most, len(f.Contributions))] {
		value, expected := p.w.pair(c.Value, c.Expected, c.Unit)
		direction, ok := p.w.l.direction[c.Direction]
		if !ok {
			direction = c.Direction
		}
		p.add("– " + p.w.l.say(contribution, "tag", p.w.ltr(last(c.Tag)), "value", value, "expected", expected,
			"direction", direction, "share", p.w.ltr(strconv.Itoa(int(c.Share*100+0.5))+"%")))
	}
}

// list names alarms in a line each; the asset only where it is not the message's.
func (p *page) list(alarms []plant.Alarm, asset string) {
	w := p.w
	for i := range alarms {
		if i == mostListed && len(alarms) > mostListed+1 {
			p.add(w.l.say(andMore, "n", strconv.Itoa(len(alarms)-i)))
			return
		}
		a := &alarms[i]
		line := "– " + w.ltr("P"+strconv.Itoa(rank(a))) + " "
		if a.Finding.Asset != asset {
			line += w.ltr(a.Finding.Asset) + " – "
		}
		line += w.headline(&a.Finding, "")
		if a.Raised != 0 {
			line += w.l.comma + w.clock(a.Raised)
		}
		p.add(line + w.l.comma + w.state(a))
	}
}

func (w *writer) state(a *plant.Alarm) string {
	switch {
	case !active(a):
		return w.l.say(stateReturned)
	case a.State == plant.Acked && a.AckedBy != "":
		return w.l.say(stateTaken, "who", w.own(a.AckedBy))
	}
	return w.l.say(stateActive)
}

// what is the kind of a finding and the last element of its tag.
func (w *writer) what(f *plant.Finding) string {
	if e := w.evidence(f); e.tag != "" {
		return w.l.say(withTag, "what", w.title(f), "tag", w.ltr(last(e.tag)))
	}
	return w.title(f)
}

// headline says a finding in a line, with the whole tag where it is given.
func (w *writer) headline(f *plant.Finding, tag string) string {
	e := w.evidence(f)
	if tag == "" {
		tag = last(e.tag)
	}
	pairs := []string{"what", w.title(f), "tag", w.ltr(tag), "value", e.value, "limit", e.limit, "expected", e.expected}
	switch {
	case e.expected != "":
		return w.l.say(withExpected, pairs...)
	case e.limit != "":
		return w.l.say(withLimit, pairs...)
	case e.value != "":
		return w.l.say(withValue, pairs...)
	case tag != "":
		return w.l.say(withTag, pairs...)
	}
	return w.title(f)
}

func (w *writer) subject(what string) string {
	return w.marked(w.l.say(subject, "p", strconv.Itoa(w.priority()), "asset", w.ltr(w.asset()), "what", what))
}

// since says from when, for how long and how often.
func (w *writer) since(a *plant.Alarm) string {
	if a.Raised == 0 {
		return ""
	}
	s := w.clock(a.Raised) + " (" + w.span(w.Now-a.Raised) + ")"
	if a.Count > 1 {
		s += w.l.comma + w.l.count(nounTimes, a.Count)
	}
	if !active(a) && a.State != "" {
		s += w.l.comma + w.l.say(stateReturned)
	}
	return s
}

func (w *writer) lasted() string {
	a := &w.Alarm
	if a.Raised == 0 || a.Returned < a.Raised {
		return ""
	}
	return w.clock(a.Raised) + " – " + w.clock(a.Returned) + " (" + w.span(a.Returned-a.Raised) + ")"
}

func (w *writer) deadline() string {
	switch at := w.respondBy(); {
	case at == 0:
		return w.l.say(nextStop)
	case at <= w.Now:
		return w.l.say(overdue, "time", w.clock(at))
	default:
		return w.clock(at)
	}
}

// upper begins a line with a capital letter.
func upper(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[n:]
}

// own isolates words of people, in whatever direction they are.
func (w *writer) own(s string) string {
	if s == "" || !w.l.rtl || w.short {
		return s
	}
	return "\u2068" + s + "\u2069"
}

// worst is the most urgent of the others that is active, or of all.
func (w *writer) worst() int {
	best, least := 0, 100
	for i := range w.Others {
		a := &w.Others[i]
		r := rank(a)
		if !active(a) {
			r += 10
		}
		if r < least {
			best, least = i, r
		}
	}
	return best
}
