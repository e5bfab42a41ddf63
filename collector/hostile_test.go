package collector

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

// pumpOf is a pump without a connection, in the middle of a subscription.
func pumpOf(t testing.TB, s *Source, next uint32) (*pump, *store) {
	t.Helper()
	s.URL = "opc.tcp://127.0.0.1:1"
	out := newStore(s)
	e, err := newEngine(s, out)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.close)
	e.sub = subscription{id: 7, publishing: DefaultPublishing, keepAlive: 20}
	e.seq = newSequencer(next)
	return &pump{engine: e, link: &link{channel: &channel{}, session: &session{}, limits: e.limits}, answers: make(chan answer, 100)}, out
}

func published(m message) answer {
	return answer{kind: gotPublish, publish: &ua.PublishResponse{SubscriptionID: 7, NotificationMessage: m.NotificationMessage}, at: m.at}
}

// TestNumbersGoBack: a server that begins to count its notifications anew is not
// taken for one that sends old ones again for ever, with its values lost and
// nothing said.
func TestNumbersGoBack(t *testing.T) {
	for name, number := range map[string]func(i int) uint32{
		"anew": func(i int) uint32 { return uint32(1 + i) },
		"zero": func(int) uint32 { return 0 },
		"far":  func(i int) uint32 { return 1<<31 + 600 + uint32(i) },
	} {
		t.Run(name, func(t *testing.T) {
			p, _ := pumpOf(t, &Source{Name: "PLC", Tags: []plant.Tag{{ID: 1, Path: "T"}}}, 500)
			begin := time.Now()
			for i := range 100 {
				m := dataChange(number(i), value(1, float64(i), 0, begin.Add(time.Duration(i)*time.Second)))
				m.PublishTime = begin.Add(time.Duration(i) * time.Second)
				if err := p.published(context.Background(), published(m)); err != nil {
					if p.classify(err); !errors.Is(err, errNumbers) || p.sub.id != 0 || p.mute != 7 {
						t.Errorf("%v, subscription %d, mute %d", err, p.sub.id, p.mute)
					}
					return
				}
			}
			t.Errorf("100 notifications were dropped, state %q", p.src.Status().State)
		})
	}
}

// TestLateNumbers: answers that are late, or come twice, are no reason to make a
// subscription anew.
func TestLateNumbers(t *testing.T) {
	p, _ := pumpOf(t, &Source{Name: "PLC", Tags: []plant.Tag{{ID: 1, Path: "T"}}}, 1)
	begin := time.Now()
	for i := range uint32(100) {
		for _, n := range []uint32{i + 1, i/2 + 1} {
			m := dataChange(n, value(1, float64(n), 0, begin.Add(time.Duration(n)*time.Second)))
			m.PublishTime = begin.Add(time.Duration(n) * time.Second)
			if err := p.published(context.Background(), published(m)); err != nil {
				t.Fatal(i, n, err)
			}
		}
	}
}
