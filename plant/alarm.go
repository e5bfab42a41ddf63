package plant

// AlarmState is the state of an alarm (ISA-18.2, without the suppressed states).
type AlarmState string

// Alarm states.
const (
	Unacked    AlarmState = "unacked"     // active, nobody has taken it
	Acked      AlarmState = "acked"       // active, taken
	RtnUnacked AlarmState = "rtn_unacked" // back to normal, nobody has seen it
	Cleared    AlarmState = "cleared"     // back to normal and taken
)

// Alarm is a finding with a life. Times are ns UTC, 0 where it has not happened.
type Alarm struct {
	ID       int64
	Seq      uint64 // number of the last journal entry that changed it
	State    AlarmState
	Edge     string // node that found it
	Finding  Finding
	Raised   int64 // source time of the last raise; a recurrence moves it
	Returned int64 // source time of the return to normal
	Acked    int64 // wall time of the acknowledgement
	AckedBy  string
	Note     string
	Count    int // raises since the alarm was last cleared and forgotten

	Label *Label `json:",omitempty"` // the crew's answer that is valid now
}

// AlarmQuery selects alarms, newest journal entry first. Zero fields do not
// restrict.
type AlarmQuery struct {
	State AlarmState
	Asset string // this asset and all below it
	Since int64  // raised at or after, ns UTC
	After string // cursor of the page before
	Limit int
}
