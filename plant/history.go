package plant

// Range selects samples of one tag in the half-open span [From, To), ns UTC.
// Limit 0 means all.
type Range struct {
	Tag      TagID
	From, To int64
	Limit    int
}

// Block is a run of samples of one tag, columns of equal length, ascending by
// time. The slices belong to the callee and are valid until the next block.
type Block struct {
	Tag     TagID
	Times   []int64 // ns UTC, whole milliseconds
	Values  []float64
	Quality []Quality
}

// TrendQuery asks for Buckets equal slices of [From, To).
type TrendQuery struct {
	Tag      TagID
	From, To int64
	Buckets  int
}

// Bucket summarises the samples of one slice of time. Mean is time-weighted
// (each value holds until the next sample), over good values only. Min, Max and
// Mean are NaN where Count is 0.
type Bucket struct {
	Time           int64 // start of the slice, ns UTC
	Min, Max, Mean float64
	Count          int     // samples in the slice
	Good           float64 // share of samples of good quality, 0..1
}

// PLCState is the state of a connection to an OPC UA server.
type PLCState string

// States of a PLC connection. Live means that values or keep-alives of the
// subscription arrive; nothing else is called Live.
const (
	Connecting  PLCState = "Connecting"
	Live        PLCState = "Live"
	CatchingUp  PLCState = "Catching-up"
	Backfilling PLCState = "Backfilling"
	Stale       PLCState = "Stale"
	Down        PLCState = "Down"
)

// PLCStatus is one connection as its collector sees it.
type PLCStatus struct {
	Name      string   `json:"name"`
	URL       string   `json:"url"`
	State     PLCState `json:"state"`
	Reason    string   `json:"reason,omitempty"`
	Since     int64    `json:"since"` // ns UTC
	Tags      int      `json:"tags"`  // monitored
	Rejected  []string `json:"rejected,omitempty"`
	ValuesS   float64  `json:"values_s"`
	Overflows uint64   `json:"overflows"`
	Received  uint64   `json:"received"`

	Holes        int               `json:"holes,omitempty"`         // spans that are being read from history or not declared yet
	Backfilled   uint64            `json:"backfilled,omitempty"`    // values that history gave
	RTTMS        float64           `json:"rtt_ms,omitempty"`        // round trip to the server, ms
	InFlight     int               `json:"in_flight,omitempty"`     // Publish requests at the server
	Window       int               `json:"window,omitempty"`        // Publish requests that should be there
	SequenceGaps uint64            `json:"sequence_gaps,omitempty"` // times that a notification was missing and asked for again
	Republished  uint64            `json:"republished,omitempty"`   // notifications that the server sent again
	Connects     uint64            `json:"connects,omitempty"`      // connections tried
	LastError    string            `json:"last_error,omitempty"`    // why the last connection failed, also when it is long mended
	LastErrorAt  int64             `json:"last_error_at,omitempty"` // ns UTC
	Stale        int               `json:"stale,omitempty"`         // cyclic tags that are silent although the connection is live
	StaleTags    []string          `json:"stale_tags,omitempty"`    // the first of them
	Requests     map[string]uint64 `json:"requests,omitempty"`      // sent, by service

	// Quarantined are the tags whose nodes are not what they were, at most
	// MostQuarantined of them, and the number of those that are not listed.
	Quarantined     []QuarantinedTag `json:"quarantined,omitempty"`
	QuarantinedMore int              `json:"quarantined_more,omitempty"`

	Conditions int `json:"conditions,omitempty"` // alarms that are active in the PLC itself

	PublishingMS float64 `json:"publishing_ms,omitempty"` // as the server grants it
	KeepAliveMS  float64 `json:"keep_alive_ms,omitempty"` // likewise: silent so long at most where no value changes
	NoPulse      string  `json:"no_pulse,omitempty"`      // why the server's clock is no monitored item, by which it shows that it samples

	Revised      []RevisedTag `json:"revised,omitempty"`       // the first of those that the server grants otherwise than asked
	RevisedCount int          `json:"revised_count,omitempty"` // all of them
	Overflowing  []TagCount   `json:"overflowing,omitempty"`   // tags with most values that carried the overflow bit
	Deadbands    Deadbands    `json:"deadbands,omitzero"`

	Servers []ServerStatus `json:"servers,omitempty"` // where there are redundant ones

	Certificates  []CertificateStatus `json:"certificates,omitempty"`
	Clock         string              `json:"clock,omitempty"`          // "unknown: why"; empty: it is known
	Exception     string              `json:"exception,omitempty"`      // what security is given up, by whom, until when and why
	ExceptionOver bool                `json:"exception_over,omitempty"` // its time has passed
}

// MostQuarantined bounds PLCStatus.Quarantined: a status stays a small message
// when a whole program has changed.
const MostQuarantined = 200

// QuarantinedTag is a tag of which nothing is taken until an engineer has said
// what its node is now.
type QuarantinedTag struct {
	Tag   string   `json:"tag"`   // path
	Since int64    `json:"since"` // ns UTC
	Was   string   `json:"was"`   // for people: "Double, °C, 0 to 200"
	Is    string   `json:"is"`
	What  []string `json:"what"` // of "type", "unit", "range", "path"
}

// ServerStatus is one of the redundant servers of a PLC.
type ServerStatus struct {
	URL          string `json:"url"`
	ServiceLevel int    `json:"service_level"` // 200 to 255 healthy, 2 to 199 degraded, 1 no data, 0 maintenance; -1 unknown
	State        string `json:"state"`         // "active", "standby hot", "standby warm", "standby cold", "connecting", "left", "down"; empty: not looked at
	Reason       string `json:"reason,omitempty"`
	Active       bool   `json:"active"`
}

// EdgeStatus is one edge as the historian sees it. The edge sends the part that
// it knows itself about twice a minute and on every change.
type EdgeStatus struct {
	Name       string      `json:"name"`
	State      string      `json:"state"` // "live", "catching-up", "down"
	Since      int64       `json:"since"` // ns UTC
	QueueBytes uint64      `json:"queue_bytes"`
	Oldest     int64       `json:"oldest"` // creation time of the oldest unsettled record, 0 none
	Sent       uint64      `json:"sent"`   // records published at least once
	Acked      uint64      `json:"acked"`  // records settled by the historian's word
	Declared   uint64      `json:"declared"`
	ClockMS    int64       `json:"clock_ms"` // historian's clock minus the edge's, at arrival
	Version    string      `json:"version"`
	PLCs       []PLCStatus `json:"plcs"`

	// Messages of it that the historian could not read: those that it keeps, and
	// those that it did not keep or no longer has.
	Unread        int    `json:"unread,omitempty"`
	UnreadDropped uint64 `json:"unread_dropped,omitempty"`

	Models []ModelStatus `json:"models,omitempty"`
	Orders *OrderStatus  `json:"orders,omitempty"` // nil: it follows no plant's orders
	Queue  *Backlog      `json:"queue,omitempty"`  // nil: an edge of before there was any
	Broker BrokerStatus  `json:"broker,omitzero"`

	Ledger *EdgeLedger `json:"-"` // nil: none is kept, or the edge has not said anything yet
}

// BrokerStatus is an edge's connection to the plant.
type BrokerStatus struct {
	URL          string              `json:"url"`   // of the broker that it is connected to, or tries
	State        string              `json:"state"` // "live", "waiting" for the primary host, "down"
	Since        int64               `json:"since"` // ns UTC
	Reason       string              `json:"reason,omitempty"`
	Certificates []CertificateStatus `json:"certificates,omitempty"`
}

// States of an edge's connection to the plant.
const (
	BrokerLive    = "live"
	BrokerWaiting = "waiting"
	BrokerDown    = "down"
)
