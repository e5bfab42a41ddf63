package collector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

const (
	pulseHandle   = math.MaxUint32 - 2 // client handle of the pulse; no tag may have it
	pulseTime     = time.Second        // how often the server is asked to sample its clock
	pulseDeadline = 5 * time.Second
	longestBeat   = time.Minute // a clock that was set is no slow one
	mostPatience  = 5 * time.Minute
)

// errNumb: the server keeps the subscription alive and samples nothing in it.
var errNumb = errors.New("the server samples nothing, not even its own clock: a new subscription is made")

// pulse is the server's own clock as a monitored item in the subscription of the
// values: as long as it beats, sampling and publishing work, however seldom the
// tags change and however long the keep-alives are that the server grants. All
// belongs to the goroutine of Run.
type pulse struct {
	log *slog.Logger

	met     int64         // start of the server that proven and numb are about
	here    bool          // the subscription has the item
	refused string        // why it has none
	granted time.Duration // sampling, 0 unknown: made by a process before this one
	beats   [2]time.Duration
	at      time.Time // what the newest beat says
	proven  bool      // it has been seen to beat
	numb    int       // subscriptions that were given up for it since it beat last
}

// begin forgets the item of the subscription before, and what was seen of another
// run of the server.
func (x *pulse) begin(started int64) {
	if started != x.met {
		x.met, x.proven, x.numb = started, false, 0
	}
	x.here, x.granted, x.at, x.beats = false, 0, time.Time{}, [2]time.Duration{}
}

// create asks for the item, if the budget of the PLC has room for it beside its
// tags. A server that refuses is watched by its keep-alives alone. The error is
// one of the connection.
func (x *pulse) create(ctx context.Context, l *link, s subscription, b plant.Budget, tags []plant.Tag) error {
	why, err := "the budget of this PLC has no room for it", error(nil)
	if items, rate := b.Load(tags); (b.Tags == 0 || items < b.Tags) && (b.Values == 0 || rate+1 <= b.Values) {
		if why, err = x.ask(ctx, l, s, max(pulseTime, b.Sampling)); err != nil {
			return fmt.Errorf("asking for the server's clock: %w", err)
		}
	}
	if why != "" && why != x.refused {
		x.log.Warn("the server's clock is no monitored item: that it samples no more cannot be told from tags that do not change", "why", why, "silence_noticed_after", s.deadline())
	}
	x.refused, x.here = why, why == ""
	return nil
}

// ask gives the reason of a refusal.
func (x *pulse) ask(ctx context.Context, l *link, s subscription, sampling time.Duration) (string, error) {
	res, err := call[*ua.CreateMonitoredItemsResponse](ctx, l, &ua.CreateMonitoredItemsRequest{
		SubscriptionID: s.id, TimestampsToReturn: ua.TimestampsToReturnNeither,
		ItemsToCreate: []*ua.MonitoredItemCreateRequest{{
			ItemToMonitor:       &ua.ReadValueID{NodeID: ua.NewNumericNodeID(0, id.Server_ServerStatus_CurrentTime), AttributeID: ua.AttributeIDValue, DataEncoding: &ua.QualifiedName{}},
			MonitoringMode:      ua.MonitoringModeReporting,
			RequestedParameters: &ua.MonitoringParameters{ClientHandle: pulseHandle, SamplingInterval: inMillis(sampling), QueueSize: 1, DiscardOldest: true},
		}}}, requestTimeout)
	switch {
	case refusedService(err) && !sessionGone(err) && !subscriptionGone(err):
		return callText(err), nil
	case err != nil:
		return "", err
	case len(res.Results) != 1 || res.Results[0] == nil:
		return "", errors.New("the server's answer makes no sense")
	case res.Results[0].StatusCode != ua.StatusOK:
		return statusText(res.Results[0].StatusCode), nil
	}
	x.granted = max(sampling, millis(res.Results[0].RevisedSamplingInterval))
	return "", nil
}

// beat takes a value of the item.
func (x *pulse) beat(v *ua.DataValue) {
	at, ok := good[time.Time](v)
	if !ok {
		return
	}
	x.here = true // also where a process before this one asked for it
	if d := at.Sub(x.at); !x.at.IsZero() && d > 0 {
		x.beats = [2]time.Duration{min(d, longestBeat), x.beats[0]}
		x.proven, x.numb = x.proven || x.beats[1] > 0, 0
	}
	x.at = at
}

// deadline is how long nothing may come of a subscription that publishes so often.
func (x *pulse) deadline(publishing time.Duration) time.Duration {
	return max(pulseDeadline, 2*(max(x.granted, x.beats[0], x.beats[1])+publishing))
}

// patience is how long it may last before a new subscription is made, each time
// that this did not help for longer.
func (x *pulse) patience(publishing time.Duration) time.Duration {
	return max(min(x.deadline(publishing)<<min(x.numb, 10), mostPatience), x.deadline(publishing))
}

// deadline is how long the server may be silent.
func (e *engine) deadline() time.Duration {
	d := e.sub.deadline()
	if e.pulse.here && e.pulse.proven {
		d = min(d, e.pulse.deadline(e.sub.publishing))
	}
	return d
}

// feel tells a server that keeps the subscription alive but samples nothing in
// it any more. After a pause of the server its first keep-alive may come before
// its first value: what counts is silence beside keep-alives.
func (p *pump) feel(now time.Time) error {
	x := &p.pulse
	since, empty := now.Sub(p.began), time.Duration(p.empty.Load())
	quiet, deadline := since-time.Duration(p.fed.Load()), x.deadline(p.sub.publishing)
	if !x.here || empty == 0 || quiet <= deadline || since-empty <= deadline/2 || p.outstanding == 0 || len(p.answers) > 0 {
		return nil
	}
	if !p.numbed {
		p.numbed = true
		p.log.Warn("the server samples nothing, not even its own clock", "for", quiet.Round(time.Millisecond))
	}
	p.src.board.set(plant.Stale, "the server answers, but samples nothing, not even its own clock")
	if x.proven && quiet > x.patience(p.sub.publishing) {
		x.numb++
		return errNumb
	}
	return nil
}

// listened notes what kind of Publish answer arrived, and when. Any goroutine may
// call it.
func (p *pump) listened(m *ua.NotificationMessage) {
	at := int64(time.Since(p.began))
	p.spoke.Store(at)
	if m != nil && len(m.NotificationData) == 0 {
		p.empty.CompareAndSwap(0, at)
		return
	}
	p.fed.Store(at)
	p.empty.Store(0)
}

// moving notes that values come: the first ones of a new subscription say nothing,
// a server sends them without sampling.
func (p *pump) moving() {
	p.numbed = false
	if time.Since(p.began) > pulseDeadline/2 {
		p.pulse.numb = 0
	}
}
