package text

import (
	"strconv"
	"strings"

	"millwright/plant"
)

// language is all that is said in one language. Every map holds every key of
// its kind; the tests hold the languages to that.
type language struct {
	rtl     bool
	decimal string // between a number's whole and its fraction
	comma   string // between what belongs together
	stop    string // behind a sentence of an SMS
	months  [12]string

	urgency   [4]string // of the priorities
	kinds     map[string]string
	brief     map[string]string // kinds that an SMS says in fewer words
	direction map[string]string // of plant.Contribution
	phrases   map[phrase]string
	nouns     map[noun][3]string // one, few, many: "{n} alarms"
	plural    func(n int) int    // index into a noun
	advice    map[topic]advice
}

// phrase is the key of a piece of text. {x} in a text is filled in.
type phrase string

const (
	labelWhere   phrase = "where"
	labelWhat    phrase = "what"
	labelSince   phrase = "since"
	labelWhen    phrase = "when"
	labelWhy     phrase = "why"
	labelCause   phrase = "cause"
	labelFirst   phrase = "first"
	labelRespond phrase = "respond"
	labelPLC     phrase = "plc"  // before the names that a PLC has for its alarm
	labelAck     phrase = "ack"  // before the link
	labelOpen    phrase = "open" // before the link, where there is nothing to acknowledge

	unknownKind  phrase = "unknown"
	headPriority phrase = "priority" // {p} {urgency}
	subject      phrase = "subject"  // {p} {asset} {what}
	withTag      phrase = "tag"      // {what} {tag}
	withValue    phrase = "value"    // {what} {tag} {value}
	withLimit    phrase = "limit"    // {what} {tag} {value} {limit}
	withExpected phrase = "expected" // {what} {tag} {value} {expected}
	contribution phrase = "contribution"
	said         phrase = "said"      // {what} {text}
	noWay        phrase = "escalated" // {n} the step of the escalation
	nextStop     phrase = "next-stop"
	overdue      phrase = "overdue" // {time}
	justNow      phrase = "now"
	spanMinutes  phrase = "minutes"
	spanHours    phrase = "hours"
	spanDays     phrase = "days"

	stateActive   phrase = "active"
	stateTaken    phrase = "taken" // {who}
	stateReturned phrase = "returned"
	andMore       phrase = "and-more" // {n}

	returnSubject phrase = "return" // {asset} {what}
	returned      phrase = "back"
	ackedBy       phrase = "acked-by" // {who}
	notAcked      phrase = "not-acked"
	digestSubject phrase = "digest" // {alarms} {active}
	digestHeld    phrase = "held"   // {messages}

	testSubject      phrase = "test"
	testBody         phrase = "test-body" // {time}
	heartbeatSubject phrase = "heartbeat"
	heartbeatBody    phrase = "heartbeat-body" // {time}
	replyDone        phrase = "reply-done"     // {p} {asset} {time}
	replyUnknown     phrase = "reply-unknown"
	replyUnknownCode phrase = "reply-unknown-code" // {code}

	smsLimit    phrase = "sms-limit"
	smsExpected phrase = "sms-expected"
	smsSince    phrase = "sms-since"
	smsBy       phrase = "sms-by"
	smsOverdue  phrase = "sms-overdue"
	smsCause    phrase = "sms-cause" // {cause}
	smsReply    phrase = "sms-reply" // {code}
	smsReturned phrase = "sms-returned"
	smsSpan     phrase = "sms-span"   // {from} {to}
	smsDigest   phrase = "sms-digest" // {messages} {alarms} {active}
	smsWorst    phrase = "sms-worst"
	smsTest     phrase = "sms-test"      // {time}
	smsAlive    phrase = "sms-heartbeat" // {time}
)

// noun is the key of a counted word.
type noun string

const (
	nounAlarms   noun = "alarms"
	nounMore     noun = "more-alarms"
	nounMessages noun = "messages"
	nounTimes    noun = "times" // raised
)

// topic is what an advice is about: a quantity of a class of machines, or a kind
// of finding.
type topic string

// advice is what experience says to a topic.
type advice struct {
	cause string // usually
	first string // what to do first
	short string // the same for an SMS
}

// languageOf is the language with the code, English where there is none.
func languageOf(code string) *language {
	switch code {
	case plant.Urdu:
		return &urdu
	case plant.Russian:
		return &russian
	}
	return &english
}

// say fills a phrase: pairs are names and what stands for them.
func (l *language) say(p phrase, pairs ...string) string {
	return fill(l.phrases[p], pairs...)
}

// count says how many of a noun.
func (l *language) count(what noun, n int) string {
	return fill(l.nouns[what][l.plural(n)], "n", strconv.Itoa(n))
}

// fill replaces {name} by its value in one pass, so that a value that looks like
// a name stays as it is.
func fill(text string, pairs ...string) string {
	list := make([]string, len(pairs))
	for i, p := range pairs {
		if i%2 == 0 {
			p = "{" + p + "}"
		}
		list[i] = p
	}
	return strings.NewReplacer(list...).Replace(text)
}

// oneOrMany is the plural of English and of Urdu.
func oneOrMany(n int) int {
	if n == 1 {
		return 0
	}
	return 2
}
