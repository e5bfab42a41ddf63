package plant

// Spare is a part of a machine that is kept, or has to be ordered.
type Spare struct {
	Part     string `json:"part"`             // "bearing DE", for people
	Number   string `json:"number,omitempty"` // of the store or the maker
	Stock    *int   `json:"stock,omitempty"`  // pieces; nil: nobody has said
	LeadDays int    `json:"lead_days,omitempty"`
	Place    string `json:"place,omitempty"` // where it lies
}

// Drawing is a paper about a machine: its number, and where it can be read.
type Drawing struct {
	Title  string `json:"title"`
	Number string `json:"number,omitempty"`
	Link   string `json:"link,omitempty"` // http or https
}
