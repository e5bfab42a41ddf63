package collector

import (
	"context"
	"fmt"
	"time"

	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

// bury puts aside the tags whose nodes have gone, and deletes monitored items that stay
// dead even when a node of the same id comes back.
func (p *pump) bury(ctx context.Context) {
	if len(p.tr.gone) > 0 {
		p.forsake()
	}
	if ids, sub := p.items.dead, p.sub.id; len(ids) > 0 {
		p.items.dead = nil
		p.do(ctx, func() answer {
			return answer{kind: gotNothing, err: p.link.deleteItems(ctx, sub, ids)}
		})
	}
}

// forsake puts the tags aside whose nodes are gone.
func (p *pump) forsake() {
	for i, q := range p.tr.gone {
		it := &p.items.list[i]
		p.doubt(i)
		p.tr.gate.take(i)
		if !it.monitored {
			continue
		}
		p.items.refuse(i, q.String()+": the node is gone")
		it.lost = true
		p.log.Warn("tag refused", "tag", p.items.tags[i].Path+": "+it.refused)
		p.items.drop(i)
		p.exam.gone[i] = false // the next item is made when the node is back
	}
	clear(p.tr.gone)
	p.put()
	monitored, refused := p.items.count(p.tr.wrong)
	p.src.board.update(true, func(s *plant.PLCStatus) { s.Tags, s.Rejected = monitored, refused })
}

// deleteItems deletes monitored items. One that the server refuses to delete stays
// as dead as it is.
func (l *link) deleteItems(ctx context.Context, subscription uint32, ids []uint32) error {
	return l.limits.items.each(len(ids), func(from, to int) error {
		_, err := call[*ua.DeleteMonitoredItemsResponse](ctx, l, &ua.DeleteMonitoredItemsRequest{SubscriptionID: subscription, MonitoredItemIDs: ids[from:to]}, requestTimeout)
		return err
	}, func(int, error, bool) {})
}

// retry asks for the refused items whose time has come, off the receive path.
func (p *pump) retry(ctx context.Context, now time.Time) {
	due := p.items.due(now, p.limits.items.size())
	if p.retrying || len(due) == 0 {
		return
	}
	p.retrying = true
	resolve := p.items.curious(due)
	p.do(ctx, func() answer {
		srv, err := p.link.describe(ctx)
		if err != nil {
			return answer{kind: gotServer, err: err}
		}
		asked, nodes := resolve(srv.namespaces)
		d, err := p.link.details(ctx, srv, nodes)
		if refusedService(err) && !sessionGone(err) {
			err = nil // said when it was asked for all
		}
		return answer{kind: gotServer, describe: &srv, asked: asked, details: d, err: err}
	})
}

// retried goes on with refused items: first with the namespaces as they are
// now, then with the server's word on the items.
func (p *pump) retried(ctx context.Context, a answer) error {
	p.retrying = false
	if a.kind == gotItems {
		switch p.limits.items.judge(len(a.asked), a.err) {
		case taken:
		case smaller:
			return nil // they are still due
		case single:
			p.items.failed(a.asked[0], a.err, true)
			return nil
		case enough:
			p.items.failed(a.asked[0], a.err, true)
			for _, i := range p.items.due(time.Now(), len(p.items.list)) {
				p.items.failed(i, a.err, false)
			}
			return nil
		case broken:
			return fmt.Errorf("retrying refused tags: %w", a.err)
		}
	} else if a.err != nil {
		return fmt.Errorf("retrying refused tags: %w", a.err)
	}
	if a.kind == gotServer {
		if err := p.respace(a.describe.namespaces); err != nil {
			return err
		}
		p.know(a.asked, a.details)
		req, asked := p.items.request(p.sub, *a.describe, p.items.due(time.Now(), p.limits.items.size()))
		p.suspect(asked)
		if len(asked) == 0 {
			return nil
		}
		p.retrying = true
		p.do(ctx, func() answer {
			res, err := call[*ua.CreateMonitoredItemsResponse](ctx, p.link, req, requestTimeout)
			return answer{kind: gotItems, items: res, asked: asked, err: err}
		})
		return nil
	}
	if err := p.items.apply(p.sub, a.asked, a.items); err != nil {
		return err
	}
	for _, i := range a.asked {
		if b := p.tr.bands[i]; b != nil && p.items.list[i].monitored {
			b.remade = false
		}
	}
	p.queues()
	p.showRevised()
	p.query(a.asked...)
	monitored, refused := p.items.count(p.tr.wrong)
	back := monitored - p.src.board.get().Tags
	p.src.board.update(true, func(s *plant.PLCStatus) { s.Tags, s.Rejected = monitored, refused })
	if back > 0 {
		p.log.Info("refused tags are monitored now", "count", back, "still_refused", len(refused))
		p.put()
	}
	return nil
}
