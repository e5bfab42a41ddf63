package notify

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"millwright/historian/alarm"
	"millwright/plant"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("NOTIFY_CRASH_DIR"); dir != "" {
		crashChild(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

// wire is a channel that remembers what it was given, and fails as told.
type wire struct {
	kind  string
	fault func(m plant.Message) error // nil: none
	delay time.Duration               // of a hand-over

	mu   sync.Mutex
	sent []handed
}

type handed struct {
	plant.Message
	at time.Time // it was begun
}

func (w *wire) Name() string   { return w.kind }
func (w *wire) Target() string { return w.kind + ".example" }

func (w *wire) Send(ctx context.Context, m plant.Message) error {
	at := time.Now()
	if w.delay > 0 {
		select {
		case <-time.After(w.delay):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fault != nil {
		if err := w.fault(m); err != nil {
			return err
		}
	}
	w.sent = append(w.sent, handed{m, at})
	return nil
}

func (w *wire) set(f func(plant.Message) error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fault = f
}

// take returns what was handed over since the last take.
func (w *wire) take() []handed {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.sent
	w.sent = nil
	return out
}

// phones is a wire on which people answer.
type phones struct {
	wire
	answers chan [2]string
	said    chan string
}

func (p *phones) Replies(ctx context.Context, take func(from, text string) (string, error)) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case a := <-p.answers:
			said, err := take(a[0], a[1])
			if err != nil {
				said = "error: " + err.Error()
			}
			p.said <- said
		}
	}
}

func (p *phones) answer(from, text string) string {
	p.answers <- [2]string{from, text}
	return <-p.said
}

// works is an alarm book with a desk before it, in a bubble of time.
type works struct {
	t              tester
	dir            string
	book           *alarm.Book
	desk           *Desk
	mail, ntfy     *wire
	hook           *wire
	sms            *phones
	number         uint64
	stop           func()
	limits         Limits
	withoutChannel string
}

// inBubble runs f with a running desk at 2026-11-30 08:00 UTC, a Monday.
func inBubble(t *testing.T, r plant.Roster, f func(t *testing.T, w *works)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC)))
		w := newWorks(t, r)
		defer w.close()
		f(t, w)
	})
}

func newWorks(t testing.TB, r plant.Roster) *works { return newWorksIn(t, t.TempDir(), r) }

// tester is what the harness needs of a test.
type tester interface {
	Helper()
	Error(...any)
	Fatal(...any)
	Fatalf(string, ...any)
	Context() context.Context
}

func newWorksIn(t tester, dir string, r plant.Roster) *works {
	w := &works{t: t, dir: dir, limits: Limits{Heartbeat: -1}, mail: &wire{kind: "mail"}, ntfy: &wire{kind: "ntfy"}, hook: &wire{kind: "webhook"},
		sms: &phones{wire: wire{kind: "sms"}, answers: make(chan [2]string), said: make(chan string)}}
	var err error
	if w.book, err = alarm.Open(filepath.Join(w.dir, "alarms")); err != nil {
		t.Fatal(err)
	}
	w.start()
	if _, err := w.desk.SaveRoster(context.Background(), r, "test", "first"); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *works) start() {
	w.t.Helper()
	w.desk = &Desk{Dir: filepath.Join(w.dir, "notify"), Alarms: w.book, PublicURL: "http://plant:8080", Limits: w.limits,
		Assets: func() []plant.Asset {
			return []plant.Asset{{Path: "HSM/FM/F3/GBX", Name: "Gearbox F3", Class: "gearbox"}}
		}}
	for _, c := range []Channel{w.mail, w.ntfy, w.hook, w.sms} {
		if c.Name() != w.withoutChannel {
			w.desk.Via = append(w.desk.Via, c)
		}
	}
	if err := w.desk.Open(); err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.desk.Run(ctx) }()
	w.stop = func() {
		w.t.Helper()
		cancel()
		if err := <-done; err != nil {
			w.t.Error(err)
		}
		if err := w.desk.Close(); err != nil {
			w.t.Error(err)
		}
	}
}

func (w *works) restart() {
	w.t.Helper()
	w.stop()
	w.start()
}

func (w *works) close() {
	w.t.Helper()
	w.stop()
	if err := w.book.Close(); err != nil {
		w.t.Error(err)
	}
}

func (w *works) apply(f ...plant.Finding) {
	w.t.Helper()
	w.number++
	if err := w.book.Apply(context.Background(), "edge-1", 77, w.number, f); err != nil {
		w.t.Fatal(err)
	}
}

func finding(asset string, phase plant.Phase, priority int) plant.Finding {
	return plant.Finding{Asset: asset, Key: "limit", Kind: plant.KindHigh, Class: plant.LimitAlarm, Phase: phase, Detector: "limit",
		Tag: asset + "/VIB", Time: time.Now().UnixNano(), Priority: priority, Value: 9, Limit: 7, Unit: "mm/s"}
}

// raise raises an alarm and returns its number, after everybody has done what
// there is to do at once.
func (w *works) raise(asset string, priority int) int64 {
	w.t.Helper()
	w.apply(finding(asset, plant.Raise, priority))
	synctest.Wait()
	return w.newest()
}

func (w *works) newest() int64 {
	w.t.Helper()
	list, _, err := w.book.List(context.Background(), plant.AlarmQuery{Limit: 1})
	if err != nil {
		w.t.Fatal(err)
	}
	return list[0].ID
}

func (w *works) clear(asset string) {
	w.t.Helper()
	w.apply(finding(asset, plant.Clear, 0))
	synctest.Wait()
}

func (w *works) ack(id int64, who string) {
	w.t.Helper()
	if _, err := w.book.Ack(context.Background(), id, who, "", ""); err != nil {
		w.t.Fatal(err)
	}
	synctest.Wait()
}

func (w *works) wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// messages are all of the outbox, oldest first.
func (w *works) messages(q plant.MessageQuery) []plant.Message {
	w.t.Helper()
	list, _, err := w.desk.Messages(context.Background(), q)
	if err != nil {
		w.t.Fatal(err)
	}
	slices.Reverse(list)
	return list
}

// states are the messages in words, oldest first.
func (w *works) states() (out []string) {
	w.t.Helper()
	for _, m := range w.messages(plant.MessageQuery{}) {
		out = append(out, fmt.Sprintf("%s %s %s %s", m.Purpose, m.Person, m.Channel, m.State))
	}
	return out
}

// expect checks what a channel was given since the last look: "PURPOSE PERSON".
func (w *works) expect(c interface{ take() []handed }, want ...string) []handed {
	w.t.Helper()
	got := c.take()
	var words []string
	for _, h := range got {
		words = append(words, h.Purpose+" "+h.Person)
	}
	slices.Sort(words)
	if !slices.Equal(words, slices.Sorted(slices.Values(want))) {
		w.t.Fatalf("at %v handed over %q, want %q; outbox %q", time.Now().UTC().Format("15:04:05"), words, want, w.states())
	}
	return got
}

func contact(channel, address string) plant.Contact {
	return plant.Contact{Channel: channel, Address: address}
}

// crew is a roster: ali (mail, SMS), omar (mail), boss (mail), and a ladder over
// the three.
func crew() plant.Roster {
	return plant.Roster{
		People: []plant.Person{
			{ID: "ali", Name: "Ali", User: "ali.k", Language: "en", Contacts: []plant.Contact{contact("mail", "ali@mill"), contact("sms", "+923001111111")}},
			{ID: "omar", Name: "Omar", Language: "en", Contacts: []plant.Contact{contact("mail", "omar@mill"), contact("sms", "+923002222222")}},
			{ID: "boss", Name: "Boss", Language: "en", Contacts: []plant.Contact{contact("mail", "boss@mill")}},
		},
		Teams: []plant.Team{{ID: "mech", Name: "Mechanics", Zone: "UTC", Rotations: []plant.Rotation{
			{People: []string{"ali"}, Start: "2026-01-01T06:00", Hours: 8},
			{People: []string{"omar"}, Start: "2026-01-01T06:00", Hours: 8}}}},
		Routes: []plant.Route{{ID: "all", Steps: []plant.Step{
			{Teams: []string{"mech"}}, {WaitS: 300, Teams: []string{"mech"}}, {WaitS: 600, People: []string{"boss"}}}}},
	}
}
