package collector

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

// host is one of the servers that a Source may read: what is learnt of it lives
// as long as the Run.
type host struct {
	url    string
	limits *limits
	pace   *pace
}

func newHost(url string, b plant.Budget, life time.Duration) *host {
	h := &host{url: url, limits: new(limits), pace: newPace(b)}
	h.pace.sessions = newSessions(b, life)
	for _, x := range []*batch{&h.limits.items, &h.limits.read, &h.limits.browse, &h.limits.translate} {
		x.bound(b.Batch)
	}
	h.limits.history.bound(historyNodes)
	return h
}

// urls are the servers of a source, in the order of preference.
func (s *Source) urls() []string { return append([]string{s.URL}, s.Standby...) }

// Values of Source.StandbyMode: what is kept ready at the standby (OPC 10000-4,
// 6.6.2.4).
const (
	StandbyCold = "cold" // a session
	StandbyWarm = "warm" // and the subscription, whose items sample nothing
	StandbyHot  = "hot"  // and they sample into their queues
)

// standing is how a server says that it stands to the others of its set.
type standing struct {
	level uint8 // ServiceLevel
	mode  string
	now   int64 // ns, what its clock is ahead of ours

	since time.Time // of a standby: from when on it has been ready
}

// rank is the range of a ServiceLevel (OPC 10000-4, 6.6.2.4.2): maintenance, no
// data, degraded, healthy.
func rank(level uint8) int {
	switch {
	case level >= 200:
		return 3
	case level >= 2:
		return 2
	}
	return int(level)
}

const degradedStep = 20 // of the ServiceLevels of two degraded servers, less is no reason to move

// better reports whether a server of level b is worth leaving one of level a.
// Healthy servers are as good as each other, however their levels differ; one
// without data is worth nothing.
func better(b, a uint8) bool {
	return rank(b) > max(rank(a), 1) || rank(b) == 2 && rank(a) == 2 && int(b)-int(a) >= degradedStep
}

// standing reads how the server stands. It is sent at once, as the heartbeat is.
// A server that does not tell its level is healthy.
func (l *link) standing(ctx context.Context) (standing, error) {
	s := standing{level: 255, mode: StandbyWarm}
	req := &ua.ReadRequest{TimestampsToReturn: ua.TimestampsToReturnNeither}
	for _, n := range []uint32{id.Server_ServiceLevel, id.Server_ServerRedundancy_RedundancySupport, id.Server_ServerStatus_CurrentTime} {
		req.NodesToRead = append(req.NodesToRead, &ua.ReadValueID{NodeID: ua.NewNumericNodeID(0, n), AttributeID: ua.AttributeIDValue, DataEncoding: &ua.QualifiedName{}})
	}
	begin := time.Now()
	res, err := send[*ua.ReadResponse](ctx, l.channel, l.session.token, req, levelTimeout)
	if err != nil {
		return s, err
	}
	if len(res.Results) != len(req.NodesToRead) {
		return s, fmt.Errorf("read %d nodes, got %d results", len(req.NodesToRead), len(res.Results))
	}
	if x, ok := good[uint8](res.Results[0]); ok {
		s.level = x
	}
	if x, ok := good[int32](res.Results[1]); ok {
		switch ua.RedundancySupport(x) {
		case ua.RedundancySupportCold:
			s.mode = StandbyCold
		case ua.RedundancySupportHot, ua.RedundancySupportHotAndMirrored:
			s.mode = StandbyHot
		}
	}
	if x, ok := good[time.Time](res.Results[2]); ok {
		s.now = x.Sub(begin.Add(time.Since(begin) / 2)).Nanoseconds()
	}
	return s, nil
}

// servers are the servers of a source as others see them. Any goroutine may ask.
type servers struct {
	mu   sync.Mutex
	list []plant.ServerStatus // guarded by mu
}

// set changes what is said of a server, and reports whether that is news.
func (s *servers) set(at int, change func(*plant.ServerStatus)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.list[at]
	change(&s.list[at])
	return s.list[at] != was
}

func (s *servers) get() []plant.ServerStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.list)
}

// begin lists the servers, none where there is only one.
func (s *servers) begin(urls []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = nil
	if len(urls) < 2 {
		return
	}
	for _, u := range urls {
		s.list = append(s.list, plant.ServerStatus{URL: u, ServiceLevel: -1})
	}
}
