package collector

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

const (
	mostPerReply  = 2000 // notifications in one message: they fit into one chunk, and what comes in several is copied once more
	slowPerReply  = 1000 // on a slow way, where a large message would look like silence
	slowTrip      = 50 * time.Millisecond
	bytesOfValue  = 100 // generous: handle, value, status and two times
	keepAliveGoal = 2 * time.Second
	silenceLimit  = 24 * time.Hour
	lifeGoal      = 20 * time.Minute // how long the server keeps the subscription for us
	queueSpan     = 10 * time.Second // what a queue of a cyclic tag should bridge
	minQueue      = 10
	changeQueue   = 100 // of a tag that is sent on change
	maxQueue      = 10_000
	firstRetry    = 5 * time.Second
	lastRetry     = 5 * time.Minute
	soonRetry     = time.Second
	steadyTime    = 10 * time.Second
)

// subscription is the one that the server keeps for us.
type subscription struct {
	id         uint32 // 0: none
	publishing time.Duration
	keepAlive  uint32 // publishing intervals
	since      int64  // ns UTC on the server's clock; names the subscription in our files
}

// deadline is how long the server may be silent.
func (s subscription) deadline() time.Duration {
	return time.Duration(min(2*float64(s.keepAlive)*float64(s.publishing), float64(silenceLimit)))
}

func createSubscription(ctx context.Context, l *link, publishing time.Duration, since int64, largest uint32, on bool) (subscription, error) {
	keepAlive := ceil(keepAliveGoal, publishing)
	reply := min(uint32(mostPerReply), max(1, l.conn.MaxMessageSize()/largest))
	if l.rtt > slowTrip {
		reply = min(reply, slowPerReply)
	}
	res, err := call[*ua.CreateSubscriptionResponse](ctx, l, &ua.CreateSubscriptionRequest{
		RequestedPublishingInterval: float64(publishing) / float64(time.Millisecond),
		RequestedMaxKeepAliveCount:  keepAlive,
		RequestedLifetimeCount:      max(ceil(lifeGoal, publishing), 3*keepAlive),
		MaxNotificationsPerPublish:  reply,
		PublishingEnabled:           on,
	}, requestTimeout)
	if err != nil {
		return subscription{}, fmt.Errorf("creating the subscription: %w", err)
	}
	s := subscription{id: res.SubscriptionID, publishing: millis(res.RevisedPublishingInterval), keepAlive: res.RevisedMaxKeepAliveCount, since: since}
	if s.id == 0 || s.publishing <= 0 || s.keepAlive == 0 {
		return subscription{}, errors.New("creating the subscription: the server's answer makes no sense")
	}
	return s, nil
}

func ceil(a, b time.Duration) uint32 {
	return uint32(min((a+b-1)/b, math.MaxUint32))
}

// item is how far the monitored item of a tag has got.
type item struct {
	node      node
	fault     error // the node id as written is wrong: never asked for
	lead      int   // position of the tag whose item carries this one's values
	others    []int // positions of the other tags whose values this one carries
	odd       error // why the structure of the node cannot be read
	monitored bool
	id        uint32        // of the monitored item, while the server has one
	queue     uint32        // granted for it, 0 unknown
	sampling  time.Duration // granted; known where queue is
	filtered  bool          // the server took the tag's deadband and was not seen to ignore it
	plain     bool          // its deadband is not asked of the server, which refuses or ignores it
	span      float64       // of the server's EURange, 0 unknown
	refused   string        // why not
	lost      bool          // because the server does not know the node
	since     time.Time     // when the server last took it
	retry     time.Time
	wait      time.Duration
}

// items are the monitored items by position of their tag.
type items struct {
	list   []item
	tags   []plant.Tag
	budget plant.Budget
	idle   bool     // they are made to sample nothing yet
	met    int64    // start time of the server that plain is about
	again  []int    // whose deadbands the server refused in the last call: to be asked for without
	dead   []uint32 // items to be deleted

	// Since the subscription was made: items that the server samples more slowly
	// than asked, with shorter queues than asked, with a queue of one, which
	// overwrites without saying so.
	slower, shorter, blind int
}

func newItems(tags []plant.Tag) *items {
	x := &items{list: make([]item, len(tags)), tags: tags}
	for i, lead := range carriers(tags) {
		if x.list[i].lead = lead; lead != i {
			x.list[lead].others = append(x.list[lead].others, i)
		}
		x.list[i].node, x.list[i].fault = parseNode(tags[i].Node)
		if err := x.list[i].fault; err != nil {
			x.list[i].refused = err.Error()
		}
	}
	return x
}

// make asks for the items of all tags in a new subscription.
func (x *items) make(ctx context.Context, l *link, s subscription, srv peer) error {
	x.slower, x.shorter, x.blind, x.dead = 0, 0, 0, nil
	x.meet(srv)
	all := make([]int, len(x.list))
	for i := range all {
		all[i] = i
		x.list[i].monitored, x.list[i].id, x.list[i].filtered = false, 0, false
	}
	return x.create(ctx, l, s, srv, all)
}

// create asks for the items of the tags in which, a call after the other
// because some servers count what is outstanding. Refused items wait for a
// retry, the rest runs. The error is one of the connection.
func (x *items) create(ctx context.Context, l *link, s subscription, srv peer, which []int) error {
	for x.again = x.again[:0]; len(which) > 0; which, x.again = x.again, nil {
		err := l.limits.items.each(len(which), func(from, to int) error {
			return x.createSome(ctx, l, s, srv, which[from:to])
		}, func(i int, err error, asked bool) {
			x.failed(which[i], err, asked)
		})
		if err != nil {
			return fmt.Errorf("creating monitored items: %w", err)
		}
	}
	return nil
}

// failed puts a tag aside for which a whole call failed, for longer if it was
// the only one in it.
func (x *items) failed(i int, err error, asked bool) {
	if asked {
		x.refuse(i, callText(err))
		return
	}
	it := &x.list[i]
	it.monitored, it.refused = false, "waits: the server refuses calls for tags before it with "+callText(err)
	it.retry = time.Now().Add(soonRetry)
}

// callText is the status of a call without decoration.
func callText(err error) string {
	var code ua.StatusCode
	if errors.As(err, &code) {
		return statusText(code)
	}
	return err.Error()
}

func (x *items) createSome(ctx context.Context, l *link, s subscription, srv peer, which []int) error {
	req, asked := x.request(s, srv, which)
	if len(asked) == 0 {
		return nil
	}
	res, err := call[*ua.CreateMonitoredItemsResponse](ctx, l, req, requestTimeout)
	if err != nil {
		return err
	}
	return x.apply(s, asked, res)
}

// request makes the call for those of which that can be asked for.
func (x *items) request(s subscription, srv peer, which []int) (*ua.CreateMonitoredItemsRequest, []int) {
	req := &ua.CreateMonitoredItemsRequest{SubscriptionID: s.id, TimestampsToReturn: ua.TimestampsToReturnBoth}
	mode := ua.MonitoringModeReporting
	if x.idle {
		mode = ua.MonitoringModeDisabled
	}
	var asked []int
	for _, i := range which {
		it := &x.list[i]
		if it.fault != nil || it.lead != i {
			continue
		}
		id, err := it.node.resolve(srv.namespaces)
		if err == nil {
			err = it.odd
		}
		if err != nil {
			x.refuse(i, err.Error())
			x.list[i].lost = errors.Is(err, errNamespace)
			continue
		}
		asked = append(asked, i)
		params := parameters(&x.tags[i], s.publishing, x.filter(i))
		params.SamplingInterval = max(params.SamplingInterval, float64(x.budget.Sampling)/float64(time.Millisecond))
		req.ItemsToCreate = append(req.ItemsToCreate, &ua.MonitoredItemCreateRequest{
			ItemToMonitor:       &ua.ReadValueID{NodeID: id, AttributeID: ua.AttributeIDValue, DataEncoding: &ua.QualifiedName{}},
			MonitoringMode:      mode,
			RequestedParameters: params,
		})
	}
	return req, asked
}

// apply takes the server's answer to request.
func (x *items) apply(s subscription, asked []int, res *ua.CreateMonitoredItemsResponse) error {
	if len(res.Results) != len(asked) {
		return fmt.Errorf("asked for %d items, got %d results", len(asked), len(res.Results))
	}
	for k, r := range res.Results {
		i := asked[k]
		switch {
		case r == nil:
			x.refuse(i, "no result")
		case filterRefused(r.StatusCode) && x.asksDeadband(i):
			it := &x.list[i]
			it.plain, it.monitored, it.refused, it.retry = true, false, statusText(r.StatusCode), time.Time{}
			x.again = append(x.again, i)
		case r.StatusCode != ua.StatusOK:
			x.refuse(i, statusText(r.StatusCode))
			x.list[i].lost = r.StatusCode == ua.StatusBadNodeIDUnknown || r.StatusCode == ua.StatusBadNodeIDInvalid
		default:
			it := &x.list[i]
			it.queue, it.sampling, it.filtered = r.RevisedQueueSize, millis(r.RevisedSamplingInterval), x.asksDeadband(i)
			it.monitored, it.refused, it.id, it.since = true, "", r.MonitoredItemID, time.Now()
			for _, j := range it.others {
				o := &x.list[j]
				o.monitored, o.refused, o.queue, o.sampling, o.since = true, "", it.queue, it.sampling, it.since
			}
			if x.tags[i].Sampling > 0 && millis(r.RevisedSamplingInterval) > x.tags[i].Sampling {
				x.slower++
			}
			if r.RevisedQueueSize < queueSize(&x.tags[i], s.publishing) {
				x.shorter++
			}
			if r.RevisedQueueSize == 1 {
				x.blind++
			}
		}
	}
	return nil
}

// parameters are what is asked of the server for a tag.
func parameters(t *plant.Tag, publishing time.Duration, filter *ua.DataChangeFilter) *ua.MonitoringParameters {
	p := &ua.MonitoringParameters{
		ClientHandle:     uint32(t.ID),
		SamplingInterval: float64(t.Sampling) / float64(time.Millisecond),
		QueueSize:        queueSize(t, publishing),
		DiscardOldest:    t.Discard != plant.DiscardNewest,
	}
	if filter != nil {
		p.Filter = ua.NewExtensionObject(filter)
	}
	return p
}

// queueSize never asks for 1: such a queue overwrites without saying so.
func queueSize(t *plant.Tag, publishing time.Duration) uint32 {
	switch {
	case t.Queue > 1:
		return t.Queue
	case t.Kind == plant.Burst:
		return burstQueue
	case t.Sampling <= 0:
		return changeQueue
	}
	return min(max(ceil(publishing+queueSpan, t.Sampling), minQueue), maxQueue)
}

// drop lets the item of a tag be deleted; of one that an earlier process made nobody knows
// the number.
func (x *items) drop(i int) {
	if it := &x.list[i]; it.id != 0 {
		x.dead, it.id = append(x.dead, it.id), 0
	}
}

// rest takes a tag, and those that share its item, for not monitored, and says why.
func (x *items) rest(i int, why string) {
	for _, j := range append([]int{i}, x.list[i].others...) {
		x.list[j].monitored, x.list[j].refused = false, why
	}
}

// refuse puts a tag aside for a while, for longer each time unless it was
// monitored well in between.
func (x *items) refuse(i int, why string) {
	x.rest(i, why)
	it := &x.list[i]
	if !it.since.IsZero() && time.Since(it.since) > steadyTime {
		it.wait = 0
	}
	it.since = time.Time{}
	it.wait = min(max(2*it.wait, firstRetry), lastRetry)
	it.retry = time.Now().Add(it.wait)
}

// due lists the refused tags whose time has come, at most so many.
func (x *items) due(now time.Time, most int) []int {
	var which []int
	for i := range x.list {
		it := &x.list[i]
		if !it.monitored && it.fault == nil && it.lead == i && !it.retry.After(now) {
			which = append(which, i)
			if len(which) == most {
				break
			}
		}
	}
	return which
}

// count gives the number of monitored tags and the refused ones with reasons.
func (x *items) count(wrong map[int]string) (monitored int, refused []string) {
	for i := range x.list {
		switch it := &x.list[i]; {
		case it.monitored:
			monitored++
			if w, ok := wrong[i]; ok {
				refused = append(refused, x.tags[i].Path+": "+w)
			}
		case it.refused != "":
			refused = append(refused, x.tags[i].Path+": "+it.refused)
		}
	}
	return monitored, refused
}

// statusText is a status without the codec's decoration.
func statusText(code ua.StatusCode) string {
	if d, ok := ua.StatusCodes[code]; ok {
		return d.Name[len("Status"):]
	}
	return fmt.Sprintf("0x%08X", uint32(code))
}
