package plant

// EdgeLedger is what an edge has sent, held against what the plant has of it.
// Cumulative over the epochs that are remembered.
type EdgeLedger struct {
	Edge    string // group/node
	At      int64  // ns UTC: when the edge said last what it had sent
	Since   int64  // ns UTC: from when on it is counted
	Classes [CountClasses]LedgerClass
	Loss    *Loss // nil: no difference
	Notes   []LossNote

	// Of the backlog: about how long until it is drained at the present pace, in
	// seconds; 0 where there is none, -1 where it is not known or grows.
	DoneIn float64
}

// LedgerClass is one class of it: Sent = Stored + Declared + what is under way,
// and what is lost.
type LedgerClass struct {
	Name                   string
	Sent, Stored, Declared uint64
	Lost                   int64 // neither stored nor declared nor under way, and not explained; negative: stored and never sent
	Explained              int64 // was lost, and somebody has said why
}

// UnderWay is what was sent and is neither here nor lost: queued on the edge, on the
// wire, or not yet counted.
func (c *LedgerClass) UnderWay() uint64 {
	return uint64(max(0, int64(c.Sent)-int64(c.Stored)-int64(c.Declared)-c.Lost-c.Explained))
}

// Reasons of a loss.
const (
	LossGone    = "gone"    // the edge has its queue no more
	LossStore   = "store"   // the plant's store had the records and has them no more
	LossMissing = "missing" // the edge does not have them any more, and they never were in the store
	LossContent = "content" // records have come, and some of their values have not
	LossSurplus = "surplus" // more is stored than was sent
)

// Loss is a difference between an edge and the plant.
type Loss struct {
	Reason  string              `json:"reason"`
	From    int64               `json:"from"` // ns UTC: between these the records concerned were made
	To      int64               `json:"to"`
	Records uint64              `json:"records"`
	Numbers string              `json:"numbers,omitempty"` // the first of them, as ranges
	Epoch   uint64              `json:"epoch"`             // of the first of them
	Values  [CountClasses]int64 `json:"values"`            // by class, in the order of CountNames
}

// Lost is the number of values of all classes.
func (l *Loss) Lost() (n int64) {
	for _, v := range l.Values {
		n += v
	}
	return n
}

// LossNote is what an engineer has said about a loss.
type LossNote struct {
	At   int64 // ns UTC
	Who  string
	Text string
	Loss Loss
}
