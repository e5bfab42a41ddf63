package plant

// RevisedTag is what was asked of a server for a tag and what it granted.
type RevisedTag struct {
	Tag               string  `json:"tag"`
	SamplingMS        float64 `json:"sampling_ms"` // 0: on every change
	GrantedSamplingMS float64 `json:"granted_sampling_ms"`
	Queue             uint32  `json:"queue"`
	GrantedQueue      uint32  `json:"granted_queue"`
	Deadband          string  `json:"deadband,omitempty"` // who applies it: DeadbandServer and so on; empty without one
}

// Who applies the deadband of a tag.
const (
	DeadbandServer = "server"
	DeadbandEdge   = "edge" // the server refuses it, or was seen not to apply it, or nothing is known of it
	DeadbandNone   = "none" // a percentage, and nobody knows of what range
)

// Deadbands counts the tags with a deadband by who applies it.
type Deadbands struct {
	Server  int    `json:"server"`
	Edge    int    `json:"edge"`
	None    int    `json:"none"`
	Thinned uint64 `json:"thinned"` // values within a deadband that the edge did not hand on
}

// TagCount is a number of things that concern a tag.
type TagCount struct {
	Tag   string `json:"tag"`
	Count uint64 `json:"count"`
}
