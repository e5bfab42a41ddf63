package sparkplug

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// HostState is the body of a STATE message: whether a host application is
// there. Birth and Will of one connection share one Timestamp.
type HostState struct {
	Online    bool
	Timestamp int64 // ms UTC
}

// AppendTo appends the JSON of the state.
func (s HostState) AppendTo(dst []byte) []byte {
	dst = append(dst, `{"online":`...)
	dst = strconv.AppendBool(dst, s.Online)
	dst = append(dst, `,"timestamp":`...)
	dst = strconv.AppendInt(dst, s.Timestamp, 10)
	return append(dst, '}')
}

var errState = errors.New("STATE: not an object with online and timestamp")

// maxState is far more than any STATE needs.
const maxState = 4096

// ParseHostState reads the JSON of a STATE message. Both members must be there:
// the texts ONLINE and OFFLINE of version 2 carry no time, and a death without a
// time cannot be told from an old one.
func ParseHostState(b []byte) (HostState, error) {
	var s struct {
		Online    *bool  `json:"online"`
		Timestamp *int64 `json:"timestamp"`
	}
	if len(b) > maxState {
		return HostState{}, fmt.Errorf("%w: %d bytes", errState, len(b))
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return HostState{}, fmt.Errorf("%w: %w", errState, err)
	}
	if s.Online == nil || s.Timestamp == nil || *s.Timestamp < 0 {
		return HostState{}, errState
	}
	return HostState{*s.Online, *s.Timestamp}, nil
}
