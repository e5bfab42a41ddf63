package plant

// Roster says who is told of which alarm, when and how. It is one document,
// saved as a whole: Revision grows by one with each save, and what was saved
// before is kept. Names of people, teams and routes are letters, digits, "-"
// and "_".
type Roster struct {
	Revision int64    `json:"revision"`
	Saved    int64    `json:"-"` // ns UTC
	SavedBy  string   `json:"-"`
	Note     string   `json:"-"` // why
	People   []Person `json:"people"`
	Teams    []Team   `json:"teams"`
	Routes   []Route  `json:"routes"`
}

// Languages of messages.
const (
	English = "en"
	Urdu    = "ur"
	Russian = "ru"
)

// Person is somebody, or a system, who gets messages.
type Person struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	Language string    `json:"language"`       // English, Urdu or Russian
	User     string    `json:"user,omitempty"` // account of the HMI
	Contacts []Contact `json:"contacts"`       // in order of preference
	Quiet    *Quiet    `json:"quiet,omitempty"`
}

// Contact is one way to reach a person.
type Contact struct {
	Channel string `json:"channel"` // kind of channel: "mail", "sms", "ntfy", "webhook"
	Address string `json:"address"` // mail address, "+923001234567", ntfy topic, name of a configured webhook
}

// Quiet are hours of the day in which messages are held, never dropped.
type Quiet struct {
	From   string `json:"from"`   // "22:00"
	To     string `json:"to"`     // "06:00"
	Zone   string `json:"zone"`   // "Asia/Karachi"
	Passes int    `json:"passes"` // priorities up to this one pass; 1 always does
}

// Team is people who take turns.
type Team struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Zone      string     `json:"zone"` // IANA: "Asia/Karachi"
	Rotations []Rotation `json:"rotations"`
	Overrides []Override `json:"overrides,omitempty"`
}

// Rotation hands over from one of its people to the next. Each rotation of a team
// puts one person on call (the first is asked first), unless it rests: outside
// its days, or outside its hours.
type Rotation struct {
	People []string `json:"people"`
	Start  string   `json:"start"`          // local time of the first hand-over: "2026-11-30T06:00"
	Hours  int      `json:"hours"`          // length of a turn by the wall clock: 8, 12, 24, 168
	Days   []string `json:"days,omitempty"` // "mon" … "sun"; empty: every day
	From   string   `json:"from,omitempty"` // hours of the day, "06:00"; empty: all
	To     string   `json:"to,omitempty"`
}

// Override puts a person on call in place of everybody in the team's rotations.
type Override struct {
	Person string `json:"person"`
	From   string `json:"from"` // RFC 3339
	To     string `json:"to"`
	Note   string `json:"note,omitempty"`
}

// Route leads alarms to people. The first route that matches is taken.
type Route struct {
	ID       string  `json:"id"`
	Area     string  `json:"area,omitempty"`     // asset path; this one and all below it; empty: all
	Classes  []Class `json:"classes,omitempty"`  // empty: all
	Priority int     `json:"priority,omitempty"` // this urgent or more (1 … 4); 0: all
	Mute     bool    `json:"mute,omitempty"`     // matches, and tells nobody
	Steps    []Step  `json:"steps"`
	Repeat   int     `json:"repeat,omitempty"` // the ladder is climbed so many times more
}

// Step of an escalation.
type Step struct {
	WaitS    int      `json:"wait_s"` // seconds after the step before, 0 for the first
	Teams    []string `json:"teams,omitempty"`
	People   []string `json:"people,omitempty"`
	Channels []string `json:"channels,omitempty"` // kinds; empty: each person's first contact
}

// OnCall is who a team's alarms go to at a moment.
type OnCall struct {
	Team     string
	People   []string // ids, the one to ask first first
	Override bool
	Until    int64 // ns UTC: the next hand-over; 0: none
}

// MessageState is where a message is.
type MessageState string

// States of a message. Held is by quiet hours or by a flood; dead is given up
// and shown to people.
const (
	MessagePending   MessageState = "pending"
	MessageHeld      MessageState = "held"
	MessageSending   MessageState = "sending"
	MessageSent      MessageState = "sent"
	MessageCancelled MessageState = "cancelled"
	MessageDead      MessageState = "dead"
)

// Purposes of messages.
const (
	PurposeAlarm     = "alarm"     // a step of an escalation
	PurposeMore      = "more"      // what joined an alarm that was told
	PurposeReturn    = "return"    // back to normal
	PurposeDigest    = "digest"    // what a flood or quiet hours held
	PurposeTest      = "test"      // somebody pressed the button
	PurposeHeartbeat = "heartbeat" // a shift begins
)

// Message is one row of the outbox.
type Message struct {
	ID       int64
	Key      string // idempotency key: the same message has the same key, for ever
	Alarm    int64  // 0: none
	Alarms   []int64
	Seq      uint64 // journal entry that made it
	Purpose  string
	Step     int // of the escalation, from 0
	Person   string
	Channel  string
	Address  string
	Language string
	Priority int
	State    MessageState
	Reason   string // why it is held, cancelled or dead
	Created  int64  // ns UTC
	Due      int64  // not to be sent before
	Sent     int64  // handed to the channel
	Tries    int
	Error    string // of the last try
	Subject  string
	Text     string
}

// MessageQuery selects messages, newest first. Zero fields do not restrict.
type MessageQuery struct {
	Alarm   int64
	Person  string
	Channel string
	State   MessageState
	After   string
	Limit   int
}

// ChannelStatus is the health of one channel.
type ChannelStatus struct {
	Name     string // kind
	Target   string // server or folder, without secrets
	State    string // "ok", "failing" (its circuit is open), "unused"
	Since    int64  // ns UTC
	Sent     uint64
	Failed   uint64
	Dead     uint64
	Pending  int
	LastSent int64
	Error    string // of the last failure

	Heartbeat bool // somebody of the roster gets the channel's heartbeats
}

// AckLink is what the page behind a link of a message shows before it is used.
type AckLink struct {
	Alarm    Alarm
	Person   Person
	Language string
	Text     string // what the message said
	Valid    bool   // it may be used
	Why      string // why not: "used", "expired", "acknowledged"
}
