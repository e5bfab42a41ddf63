package plant

// Backlog describes an edge's queue on its disk.
type Backlog struct {
	Classes  []BacklogClass `json:"classes"` // findings, telemetry, waveforms, audit
	Full     bool           `json:"full,omitempty"`
	Salvage  bool           `json:"salvage,omitempty"`  // what can be read of a damaged queue is coming back
	Salvaged uint64         `json:"salvaged,omitempty"` // records that came back so
	Lost     uint64         `json:"lost,omitempty"`     // records that could not be read, declared

	// What wears flash, since the edge started.
	Queued     uint64  `json:"queued"`       // bytes of records
	Written    uint64  `json:"written"`      // bytes written to the disk for them, in all
	Syncs      uint64  `json:"syncs"`        // of files
	DayBytes   float64 `json:"day_bytes"`    // bytes written a day at that rate; 0 in the first minute
	PackedGain float64 `json:"packing_gain"` // bytes of records over those of their packs, 0 where none was made
}

// BacklogClass is one class of records in the queue.
type BacklogClass struct {
	Name     string  `json:"name"` // "findings", "telemetry", "waveforms", "audit"
	Bytes    uint64  `json:"bytes"`
	Records  uint64  `json:"records"`
	Oldest   int64   `json:"oldest"`  // creation of the oldest, ns UTC; 0 none
	Quota    int64   `json:"quota"`   // bytes; 0: none
	MaxAge   int64   `json:"max_age"` // seconds; 0: none
	Fill     float64 `json:"fill"`    // used part of the quota that is used most
	Hours    float64 `json:"hours"`   // until that is full with the plant away, at the present rate; -1: not known
	State    string  `json:"state"`   // "", "70%", "90%", "full": people are to be warned
	Declared uint64  `json:"declared"`
}
