package conform

import (
	"context"
	"fmt"
	"testing"

	"millwright/edge/queue"
	"millwright/edge/uplink"
)

// twins is what became of two edges, and of two hosts, of one name.
type twins struct {
	edge, host []session // of the first of each
	ids        []string  // client ids of both edges and both hosts
	refused    int       // ids that no topic may have, and that an edge refused
	taken      []string  // or did not
}

// rival lets a second edge and a second host of the same name come.
func rival(t *testing.T, url string) (tw twins) {
	alone := func(u *uplink.Uplink) { u.PrimaryHost = "" } // births at once
	first, second := newTap(t, url), newTap(t, url)
	a := startEdge(t, first.url(), "e1", -1, tagsOf("e1"), alone)
	a.born(1)
	b := startEdge(t, second.url(), "e1", -1, tagsOf("e1"), alone)
	await(t, "the first edge's connection is ended", func() bool { return first.sessions()[0].ended })
	b.stop()
	a.stop()
	hostA, hostB := newTap(t, url), newTap(t, url)
	h := startHost(t, t.TempDir(), hostA.url(), nil)
	await(t, "the first host is online", func() bool { return len(own(hostA.last(), true)) > 0 })
	g := startHost(t, t.TempDir(), hostB.url(), nil)
	await(t, "the first host's connection is ended", func() bool { return hostA.sessions()[0].ended })
	g.stop()
	h.stop()
	tw.refuse(t)
	tw.edge, tw.host = first.sessions(), hostA.sessions()
	for _, x := range []*tap{first, second, hostA, hostB} {
		tw.ids = append(tw.ids, x.sessions()[0].connect.ClientIdentifier)
	}
	return tw
}

// oneOfAName asks that the broker bears one edge of a name only: the second ends
// the first, since both use the client id that follows from the name.
func oneOfAName(t judge, ev *evidence) {
	tw := ev.twins
	if tw.ids[0] != tw.ids[1] || tw.ids[0] == tw.ids[2] {
		t.Errorf("client ids %v", tw.ids)
	}
	if s := tw.edge[0]; !s.ended || s.goodbye >= 0 {
		t.Error("the first edge was not put out by the second")
	}
	for _, s := range append(ev.edge, ev.second...) {
		if s.connect != nil && (s.connect.ClientIdentifier == tw.ids[0]) != (will(s.connect).level[3] == "e1") {
			t.Errorf("%s connects as %s", s.connect.WillTopic, s.connect.ClientIdentifier)
		}
	}
}

// oneHostOfAName asks the same of hosts.
func oneHostOfAName(t judge, ev *evidence) {
	tw := ev.twins
	if tw.ids[2] != tw.ids[3] {
		t.Errorf("client ids %v", tw.ids)
	}
	if s := tw.host[0]; !s.ended || s.goodbye >= 0 {
		t.Error("the first host was not put out by the second")
	}
}

// refuse gives an edge ids that no topic may have.
func (tw *twins) refuse(t *testing.T) {
	q, err := queue.Open(queue.Config{Dir: t.TempDir(), Reserve: 1, Log: quiet(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	for _, bad := range []string{"", "a/b", "a+", "#", "a\x00b", "\xff"} {
		for _, u := range []*uplink.Uplink{{Group: bad, Node: "n"}, {Group: "g", Node: bad}, {Group: "g", Node: "n", PrimaryHost: "p/" + bad}} {
			u.Broker, u.StateDir, u.Queue, u.Log = "tcp://127.0.0.1:1", t.TempDir(), q, quiet(t)
			u.Devices = func() []uplink.Device { return nil }
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := u.Run(ctx); err == nil {
				tw.taken = append(tw.taken, fmt.Sprintf("group %q, node %q, primary host %q", u.Group, u.Node, u.PrimaryHost))
			} else {
				tw.refused++
			}
		}
	}
}

// refusesIDs asks that an edge with an id that no topic may have says nothing, and
// that those on the wire are fit.
func refusesIDs(t judge, ev *evidence) {
	if tw := ev.twins; tw.refused == 0 || len(tw.taken) > 0 {
		t.Errorf("%d ids were refused, taken were %v", tw.refused, tw.taken)
	}
	ofKind(topic, bodied()...)(t, ev)
}
