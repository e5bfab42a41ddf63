package hmi

import "millwright/plant"

// backlogBody is what waits on an edge's disk, and what that wears.
type backlogBody struct {
	Classes  []backlogClassBody `json:"classes"`
	Full     bool               `json:"full"`
	Salvage  bool               `json:"salvage"`
	Salvaged uint64             `json:"salvaged"`
	Lost     uint64             `json:"lost"`
	Written  uint64             `json:"written"`
	Syncs    uint64             `json:"syncs"`
	DayBytes number             `json:"day_bytes"`
}

type backlogClassBody struct {
	Name     string  `json:"name"`
	Bytes    uint64  `json:"bytes"`
	Records  uint64  `json:"records"`
	Oldest   *stamp  `json:"oldest"`
	Quota    int64   `json:"quota"`
	MaxAge   int64   `json:"max_age_s"`
	Fill     number  `json:"fill"`
	Hours    *number `json:"hours"` // null: not known
	State    string  `json:"state"`
	Declared uint64  `json:"declared"`
}

func newBacklogBody(q *plant.Backlog) *backlogBody {
	if q == nil {
		return nil
	}
	b := &backlogBody{Classes: []backlogClassBody{}, Full: q.Full, Salvage: q.Salvage, Salvaged: q.Salvaged, Lost: q.Lost,
		Written: q.Written, Syncs: q.Syncs, DayBytes: number(q.DayBytes)}
	for _, c := range q.Classes {
		x := backlogClassBody{Name: c.Name, Bytes: c.Bytes, Records: c.Records, Oldest: when(c.Oldest), Quota: c.Quota, MaxAge: c.MaxAge,
			Fill: number(c.Fill), State: c.State, Declared: c.Declared}
		if c.Hours >= 0 {
			hours := number(c.Hours)
			x.Hours = &hours
		}
		b.Classes = append(b.Classes, x)
	}
	return b
}
