package hmi

import (
	"millwright/plant"
)

// plcBody is one connection: what it does, what stands in its way, and what an
// engineer has to decide.
type plcBody struct {
	Name      string         `json:"name"`
	URL       string         `json:"url"`
	State     plant.PLCState `json:"state"`
	Reason    *string        `json:"reason"`
	Since     *stamp         `json:"since"`
	Tags      int            `json:"tags"`
	ValuesS   number         `json:"values_s"`
	Rejected  []string       `json:"rejected"`
	Overflows uint64         `json:"overflows"`
	Received  uint64         `json:"received"`

	Link plcLinkBody `json:"link"`

	Stale       int               `json:"stale"`
	StaleTags   []string          `json:"stale_tags"`
	Quarantine  []quarantinedBody `json:"quarantine"`
	Quarantined int               `json:"quarantined"` // all, also those that are not listed
	Revised     []revisedBody     `json:"revised"`
	RevisedAll  int               `json:"revised_count"`
	Overflowing []plant.TagCount  `json:"overflowing"`
	Deadbands   plant.Deadbands   `json:"deadbands"`

	Conditions int          `json:"conditions"`
	Servers    []serverBody `json:"servers"`

	Certificates  []certificateBody `json:"certificates"`
	Clock         *string           `json:"clock"`
	Exception     *string           `json:"exception"`
	ExceptionOver bool              `json:"exception_over"`
}

// plcLinkBody is how the connection has fared since the edge's start.
type plcLinkBody struct {
	Connects    uint64  `json:"connects"`
	LastError   *string `json:"last_error"`
	LastErrorAt *stamp  `json:"last_error_at"`
	RTTMS       number  `json:"rtt_ms"`
	Publishing  number  `json:"publishing_ms"`
	KeepAlive   number  `json:"keep_alive_ms"`
	NoPulse     *string `json:"no_pulse"`
	InFlight    int     `json:"in_flight"`
	Window      int     `json:"window"`
	Gaps        uint64  `json:"sequence_gaps"`
	Republished uint64  `json:"republished"`
	Holes       int     `json:"holes"`
	Backfilled  uint64  `json:"backfilled"`
}

type quarantinedBody struct {
	Tag   string   `json:"tag"`
	Since *stamp   `json:"since"`
	Was   string   `json:"was"`
	Is    string   `json:"is"`
	What  []string `json:"what"`
}

type revisedBody struct {
	Tag        string  `json:"tag"`
	SamplingMS number  `json:"sampling_ms"`
	GrantedMS  number  `json:"granted_sampling_ms"`
	Queue      uint32  `json:"queue"`
	Granted    uint32  `json:"granted_queue"`
	Deadband   *string `json:"deadband"`
}

type serverBody struct {
	URL    string  `json:"url"`
	Level  *int    `json:"service_level"`
	State  string  `json:"state"`
	Reason *string `json:"reason"`
	Active bool    `json:"active"`
}

type certificateBody struct {
	Who         string  `json:"who"`
	Subject     string  `json:"subject"`
	Fingerprint string  `json:"fingerprint"`
	Ends        *stamp  `json:"ends"`
	Days        int     `json:"days"`
	State       string  `json:"state"`
	Reason      *string `json:"reason"`
}

func newPLCBody(p *plant.PLCStatus) plcBody {
	b := plcBody{Name: p.Name, URL: p.URL, State: p.State, Reason: optional(p.Reason), Since: when(p.Since),
		Tags: p.Tags, ValuesS: number(p.ValuesS), Rejected: list(p.Rejected), Overflows: p.Overflows, Received: p.Received,
		Link: plcLinkBody{Connects: p.Connects, LastError: optional(p.LastError), LastErrorAt: when(p.LastErrorAt), RTTMS: number(p.RTTMS),
			Publishing: number(p.PublishingMS), KeepAlive: number(p.KeepAliveMS), NoPulse: optional(p.NoPulse),
			InFlight: p.InFlight, Window: p.Window, Gaps: p.SequenceGaps, Republished: p.Republished, Holes: p.Holes, Backfilled: p.Backfilled},
		Stale: p.Stale, StaleTags: list(p.StaleTags), Quarantine: []quarantinedBody{}, Quarantined: len(p.Quarantined) + p.QuarantinedMore,
		Revised: []revisedBody{}, RevisedAll: p.RevisedCount, Overflowing: p.Overflowing, Deadbands: p.Deadbands,
		Conditions: p.Conditions, Servers: []serverBody{},
		Clock: optional(p.Clock), Exception: optional(p.Exception), ExceptionOver: p.ExceptionOver}
	if b.Overflowing == nil {
		b.Overflowing = []plant.TagCount{}
	}
	for _, q := range p.Quarantined {
		b.Quarantine = append(b.Quarantine, quarantinedBody{q.Tag, when(q.Since), q.Was, q.Is, list(q.What)})
	}
	for _, r := range p.Revised {
		b.Revised = append(b.Revised, revisedBody{r.Tag, number(r.SamplingMS), number(r.GrantedSamplingMS), r.Queue, r.GrantedQueue, optional(r.Deadband)})
	}
	for _, x := range p.Servers {
		v := serverBody{URL: x.URL, State: x.State, Reason: optional(x.Reason), Active: x.Active}
		if x.ServiceLevel >= 0 {
			v.Level = &x.ServiceLevel
		}
		b.Servers = append(b.Servers, v)
	}
	b.Certificates = newCertificateBodies(p.Certificates)
	return b
}

func newCertificateBodies(list []plant.CertificateStatus) []certificateBody {
	all := []certificateBody{}
	for _, c := range list {
		all = append(all, certificateBody{c.Who, c.Subject, c.Fingerprint, when(c.NotAfter), c.Days, c.State, optional(c.Reason)})
	}
	return all
}
