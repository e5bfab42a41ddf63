package collector

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/gopcua/opcua"
	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

// rival is gopcua's own client with its own reconnect, subscribed to the same
// tags with the same parameters as ours.
type rival struct {
	out   *store
	state func() opcua.ConnState
}

func newRival(t *testing.T, url string, tags []plant.Tag, publishing time.Duration, queue uint32) *rival {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	c, err := opcua.NewClient(url, opcua.AutoReconnect(true), opcua.ReconnectInterval(time.Second), opcua.SessionTimeout(sessionLife))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Connect(ctx); err != nil {
		t.Fatal(err)
	}
	notes := make(chan *opcua.PublishNotificationData, 1000)
	sub, err := c.Subscribe(ctx, &opcua.SubscriptionParameters{Interval: publishing,
		MaxKeepAliveCount: ceil(keepAliveGoal, publishing), LifetimeCount: ceil(lifeGoal, publishing)}, notes)
	if err != nil {
		t.Fatal(err)
	}
	ns, err := c.FindNamespace(ctx, "urn:test:mill")
	if err != nil {
		t.Fatal(err)
	}
	p := &rival{out: newStore(&Source{}), state: c.State}
	for i := range tags {
		it := opcua.NewMonitoredItemCreateRequestWithDefaults(ua.NewStringNodeID(ns, tags[i].Path), ua.AttributeIDValue, uint32(tags[i].ID))
		it.RequestedParameters.QueueSize, it.RequestedParameters.SamplingInterval = queue, 0
		if r, err := sub.Monitor(ctx, ua.TimestampsToReturnBoth, it); err != nil || r.Results[0].StatusCode != ua.StatusOK {
			t.Fatal(r, err)
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() { // translated as ours are, with gaps for what the overflow bit tells
		tr := newTranslator(tags)
		for {
			select {
			case <-ctx.Done():
				return
			case n := <-notes:
				if d, ok := n.Value.(*ua.DataChangeNotification); ok {
					tr.translate(message{&ua.NotificationMessage{NotificationData: []*ua.ExtensionObject{{Value: d}}}, time.Now().UnixNano()})
					_ = p.out.Write(ctx, tr.batch)
				}
			}
		}
	})
	t.Cleanup(func() {
		closing, stop := context.WithTimeout(context.Background(), 2*time.Second)
		defer stop()
		_ = c.Close(closing)
		cancel()
		wg.Wait()
	})
	return p
}

// TestFigurePeer does the same to gopcua's client and to ours, at the same time
// and to the same server, and counts what either lost without a word.
func TestFigurePeer(t *testing.T) {
	figures(t)
	const tags = 30
	var mu sync.Mutex
	sums := map[string]account{}
	deaths := map[string]int{} // says that it is connected, and has delivered nothing for 10 s
	kinds := []struct {
		name string
		does func(srv *foreign, ways []*proxy)
	}{
		{"TCP cut", func(_ *foreign, ways []*proxy) {
			for _, p := range ways {
				p.cut()
			}
		}},
		{"half open for 18 s", func(_ *foreign, ways []*proxy) {
			for _, p := range ways {
				p.hush(true)
			}
			time.Sleep(18 * time.Second)
			for _, p := range ways {
				p.hush(false)
			}
		}},
		{"restart with fewer items per call", func(srv *foreign, _ []*proxy) {
			srv.kill()
			srv.set["tick"], srv.set["perCall"] = 100_000, tags/3
			srv.start()
		}},
	}
	t.Run("lane", func(t *testing.T) {
		for _, k := range kinds {
			t.Run(k.name, func(t *testing.T) {
				t.Parallel()
				srv := newNodeServer(t, map[string]any{"nodes": tags, "run": true, "good": true, "tick": 0})
				ways := []*proxy{newProxy(t, srv.port), newProxy(t, srv.port)}
				s := &Source{Name: "PLC", URL: ways[0].url(), Tags: srv.tags(tags), StateFile: filepath.Join(t.TempDir(), "plc")}
				out := newStore(s)
				start(t, s, out)
				eventually(t, patience, "live", live(s))
				p := newRival(t, ways[1].url(), s.Tags, DefaultPublishing, changeQueue)
				time.Sleep(3 * time.Second)
				k.does(srv, ways)
				time.Sleep(20 * time.Second)
				ours, theirs := grows(out), grows(p.out)
				time.Sleep(10 * time.Second)
				dead := map[string]bool{"ours": s.Status().State == plant.Live && !ours(), "gopcua": p.state() == opcua.Connected && !theirs()}
				srv.say("halt")
				time.Sleep(3 * time.Second)
				offered := offeredBy(t, srv.logFile())
				mu.Lock()
				defer mu.Unlock()
				for who, o := range map[string]*store{"ours": out, "gopcua": p.out} {
					a, _ := o.account(offered)
					fmt.Printf("%-6s %-34s %v, silently dead: %v\n", who, k.name+":", a, dead[who])
					sum := sums[who]
					sum.offered, sum.undeclared = sum.offered+a.offered, sum.undeclared+a.undeclared
					sums[who] = sum
					if dead[who] {
						deaths[who]++
					}
				}
			})
		}
	})
	figure("peer_silent_deaths", float64(deaths["ours"]), fmt.Sprintf("of %d", len(kinds)))
	figure("peer_undeclared", float64(sums["ours"].undeclared), fmt.Sprintf("values of %d", sums["ours"].offered))
	fmt.Printf("PEER gopcua collector.peer_silent_deaths %d of %d\n", deaths["gopcua"], len(kinds))
	fmt.Printf("PEER gopcua collector.peer_undeclared %d values of %d\n", sums["gopcua"].undeclared, sums["gopcua"].offered)
	if deaths["ours"] > 0 || sums["ours"].undeclared > 0 {
		t.Errorf("ours: %v, %d silent deaths", sums["ours"], deaths["ours"])
	}
}
