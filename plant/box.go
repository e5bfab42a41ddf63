package plant

// EdgeBox is what the plant knows of the box that is an edge, and of those that
// could take its place. Times are ns UTC by the plant's clock.
type EdgeBox struct {
	Group string `json:"group"`
	Edge  string `json:"edge"`
	Box   string `json:"box"`   // account of the box; empty: none at present
	Since int64  `json:"since"` // it is that box

	Number int64  `json:"number"` // of the last checkpoint, 0 none
	Saved  int64  `json:"saved"`  // when it came last, changed or not
	Size   int64  `json:"size"`   // bytes
	Epoch  uint64 `json:"epoch"`  // of the box's queue then
	Oldest int64  `json:"oldest"` // creation time of the oldest record that was not stored then, where it lagged behind; else 0
	SHA256 string `json:"sha256"`

	Retired []RetiredBox `json:"retired"` // newest last
}

// RetiredBox is a box that was this edge and must not be it any more.
type RetiredBox struct {
	Box   string `json:"box"`
	At    int64  `json:"at"`
	By    string `json:"by"`    // box that took its place
	Epoch uint64 `json:"epoch"` // the last that was heard of
}

// SpareBox is a box that waits, or has taken an edge's place.
type SpareBox struct {
	Name        string       `json:"name"`
	Seen        int64        `json:"seen"` // of its last report
	Program     string       `json:"program"`
	Certificate string       `json:"certificate"` // SHA-256 of the one that PLCs must trust
	Edge        string       `json:"edge"`        // "group/edge" whose place it took; empty: it waits
	Ready       []SpareReady `json:"ready"`       // for which edges, as it has tried
}

// SpareReady is whether a spare could take the place of one edge.
type SpareReady struct {
	Edge     string   `json:"edge"`
	Number   int64    `json:"number"`   // of the checkpoint that it tried with
	Problems []string `json:"problems"` // none: it is ready
}

// Adoption is what a spare is told that takes an edge's place.
type Adoption struct {
	Group  string           `json:"group"`
	Edge   string           `json:"edge"`
	Box    string           `json:"box"`    // that was retired, empty: none
	Number int64            `json:"number"` // of the checkpoint
	Behind int64            `json:"behind"` // creation time of the oldest record that was not stored, ns UTC, 0 none
	Last   map[string]int64 `json:"last"`   // newest source time stored of each tag, ns UTC
}
