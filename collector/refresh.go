package collector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

const (
	firstRefresh = 10 * time.Second // until it is asked for again
	lastRefresh  = 10 * time.Minute
)

// refreshing is how far the server has got with saying which conditions are active:
// it sends their events again, between one that it starts and one that it ends
// (OPC 10000-9, 5.5.7).
type refreshing struct {
	wanted  bool
	again   bool // also after the one under way
	refused bool // this server has none
	asked   bool // one whose end has not come
	open    bool // its start has come
	next    time.Time
	wait    time.Duration
}

// due reports whether to ask, not sooner and sooner after what brought no answer.
func (r *refreshing) due(now time.Time) bool {
	if !r.wanted || r.refused || now.Before(r.next) {
		return false
	}
	r.wait = min(max(2*r.wait, firstRefresh), lastRefresh)
	r.next = now.Add(r.wait)
	r.asked, r.open = true, false
	return true
}

// begin takes the start of a refresh. One that we did not ask for is not for us:
// some servers send that of another client to all.
func (r *refreshing) begin() bool {
	r.open = r.asked
	return r.open
}

// end takes its end. Only of one that is whole may anything be concluded.
func (r *refreshing) end() bool {
	if !r.open {
		return false
	}
	r.asked, r.open, r.wait = false, false, 0
	r.wanted, r.again = r.again, false
	return true
}

// require asks for one, after the one that is under way.
func (r *refreshing) require() {
	r.again = r.asked
	r.wanted = true
}

// lost says that events were lost, which may have been of a refresh.
func (r *refreshing) lost() {
	r.open, r.wanted = false, true
}

// conditionRefresh asks the server to send the events of all conditions again that
// are of interest. It is the one method that is ever called: nothing in the PLC
// changes by it, and this function can call no other.
func conditionRefresh(ctx context.Context, l *link, subscription uint32) error {
	res, err := call[*ua.CallResponse](ctx, l, &ua.CallRequest{MethodsToCall: []*ua.CallMethodRequest{{
		ObjectID:       ua.NewNumericNodeID(0, id.ConditionType),
		MethodID:       ua.NewNumericNodeID(0, id.ConditionType_ConditionRefresh),
		InputArguments: []*ua.Variant{ua.MustVariant(subscription)},
	}}}, requestTimeout)
	switch {
	case err != nil:
		return err
	case len(res.Results) != 1 || res.Results[0] == nil:
		return errors.New("the server's answer makes no sense")
	case res.Results[0].StatusCode != ua.StatusOK:
		return res.Results[0].StatusCode
	}
	return nil
}

// askRefresh asks for a refresh where one is due, off the receive path.
func (p *pump) askRefresh(ctx context.Context, now time.Time) {
	c := p.alarms
	if !c.on || p.events.refused != "" || !c.refresh.due(now) {
		return
	}
	subscription := p.sub.id
	p.do(ctx, func() answer { return answer{kind: gotRefresh, err: conditionRefresh(ctx, p.link, subscription)} })
}

// askedRefresh takes the server's word on it. The events come by themselves.
func (p *pump) askedRefresh(a answer) error {
	r := &p.alarms.refresh
	switch {
	case a.err == nil:
		return nil
	case errors.Is(a.err, ua.StatusBadRefreshInProgress), errors.Is(a.err, ua.StatusBadTimeout):
		return nil // it is asked for again
	case sessionGone(a.err) || !refusedService(a.err):
		return fmt.Errorf("asking for the active alarms: %w", a.err)
	}
	r.refused, r.asked = true, false
	p.log.Info("the server does not say again which alarms are active: those from before the connection are not seen", "why", a.err)
	return nil
}
