package ingest

import (
	"encoding/json"
	"time"

	"millwright/plant"
	"millwright/sparkplug"
)

// assets remembers the machines that the edge serves.
func (d *decoder) assets(n *node) {
	m := d.payload.Find(sparkplug.MetricAssets)
	if m == nil || m.Value.Form != sparkplug.Words || m.Value.Text == n.assets {
		return
	}
	var list []plant.Asset
	if err := json.Unmarshal([]byte(m.Value.Text), &list); err != nil {
		d.g.Log.Warn("assets cannot be read", "edge", n.edge, "err", err)
		return
	}
	if err := d.g.Store.SetAssets(n.edge, list); err != nil {
		d.g.Log.Error("assets are not stored", "edge", n.edge, "err", err)
		return
	}
	n.assets = m.Value.Text
}

// status takes what an edge says of itself.
func (d *decoder) status(n *node, m *sparkplug.Metric, msg *message) {
	if m == nil || m.Value.Form != sparkplug.Words {
		return
	}
	var s plant.EdgeStatus
	if err := json.Unmarshal([]byte(m.Value.Text), &s); err != nil {
		d.g.counts.skipped.Add(1)
		return
	}
	n.status, n.statusAt = s, msg.arrived
	d.silent(n)
	if d.payload.Time != 0 {
		n.offset = (msg.arrived - d.payload.Time) / int64(time.Millisecond)
	}
}

// accounts takes what an edge says of the records that it has sent.
func (d *decoder) accounts(n *node, m *sparkplug.Metric, msg *message) {
	if d.g.Ledger == nil || m == nil || m.Value.Form != sparkplug.Words {
		return
	}
	list, err := sparkplug.ParseAccounts(m.Value.Text)
	if err != nil {
		d.g.counts.skipped.Add(1)
		d.g.Log.Warn("accounts of an edge cannot be read", "edge", n.edge, "err", err)
		return
	}
	d.g.Ledger.State(n.edge, list, time.Unix(0, msg.arrived))
}

// silent marks the tags as not live that the PLC should have sent and has not.
func (d *decoder) silent(n *node) {
	names := map[string]bool{}
	for i := range n.status.PLCs {
		for _, name := range n.status.PLCs[i].StaleTags {
			names[name] = true
		}
	}
	if d.g.Live == nil || len(names) == 0 {
		return
	}
	var ids []plant.TagID
	n.session.Declared("", true, func(x *sparkplug.Declared) {
		if x.Tag != 0 && names[x.Name] {
			ids = append(ids, x.Tag)
		}
	})
	if len(ids) > 0 {
		d.g.Live.Stale(ids, n.statusAt)
	}
}
