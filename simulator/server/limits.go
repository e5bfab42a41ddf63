package server

import "time"

// Limits bounds what clients may ask for. A zero field takes the default. The
// first four are declared in the address space as operation limits.
type Limits struct {
	MaxNodesPerRead          int // 1,000
	MaxNodesPerBrowse        int // 1,000; also nodes per TranslateBrowsePaths and RegisterNodes
	MaxMonitoredItemsPerCall int // 1,000
	MaxNodesPerHistoryRead   int // 100

	MaxHistoryValues int // in one answer, 10,000
	MaxReferences    int // per node and Browse answer, 500
	MaxConnections   int // 200
	MaxSessions      int // 100
	MaxSubscriptions int // 200
	MaxItems         int // monitored items in all subscriptions, 200,000
	MaxQueue         int // values in the queue of one item, 10,000
	MaxQueued        int // values in all queues (about 64 bytes each), 4,000,000; beyond it queues overflow early
	MaxPublish       int // PublishRequests waiting per session, 100
	MaxRetransmit    int // messages kept for Republish per session, 1,000
	MaxNotifications int // per message, 10,000

	MaxRetransmitBytes int // of messages kept for Republish per session, 64 MB

	MinPublishing   time.Duration // 10 ms
	MinKeepAlive    time.Duration // between keep-alives, one publishing interval
	MinSampling     time.Duration // of a sampling interval above 0, 10 ms
	MaxInterval     time.Duration // of publishing, sampling, keep-alive and lifetime, 1 h
	MinSession      time.Duration // session timeout, 100 ms
	MaxSession      time.Duration // 1 h
	MaxTokenLife    time.Duration // of a secure channel token, 1 h
	MinTokenLife    time.Duration // 1 s
	MaxWriteSilence time.Duration // a connection that takes nothing for so long is cut, 10 s
}

func (l Limits) withDefaults() Limits {
	set := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	setTime := func(v *time.Duration, d time.Duration) {
		if *v <= 0 {
			*v = d
		}
	}
	set(&l.MaxNodesPerRead, 1000)
	set(&l.MaxNodesPerBrowse, 1000)
	set(&l.MaxMonitoredItemsPerCall, 1000)
	set(&l.MaxNodesPerHistoryRead, 100)
	set(&l.MaxHistoryValues, 10_000)
	set(&l.MaxReferences, 500)
	set(&l.MaxConnections, 200)
	set(&l.MaxSessions, 100)
	set(&l.MaxSubscriptions, 200)
	set(&l.MaxItems, 200_000)
	set(&l.MaxQueue, 10_000)
	set(&l.MaxQueued, 4_000_000)
	set(&l.MaxPublish, 100)
	set(&l.MaxRetransmit, 1000)
	set(&l.MaxNotifications, 10_000)
	set(&l.MaxRetransmitBytes, 64<<20)
	setTime(&l.MinPublishing, 10*time.Millisecond)
	setTime(&l.MinSampling, 10*time.Millisecond)
	setTime(&l.MaxInterval, time.Hour)
	setTime(&l.MinSession, 100*time.Millisecond)
	setTime(&l.MaxSession, time.Hour)
	setTime(&l.MaxTokenLife, time.Hour)
	setTime(&l.MinTokenLife, time.Second)
	setTime(&l.MaxWriteSilence, 10*time.Second)
	return l
}

// revise brings a duration in milliseconds, as clients send it, into [lo, hi].
// What is not a positive number becomes lo.
func revise(ms float64, lo, hi time.Duration) time.Duration {
	switch {
	case !(ms > float64(lo)/float64(time.Millisecond)):
		return lo
	case ms >= float64(hi)/float64(time.Millisecond):
		return hi
	}
	return time.Duration(ms * float64(time.Millisecond))
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
