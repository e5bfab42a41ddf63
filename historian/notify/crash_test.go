package notify

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"millwright/historian/alarm"
	"millwright/plant"
)

// inbox is a channel whose far side keeps each message in a file with its key as
// name: a message that comes again is recognised, as modems and receivers of
// webhooks do.
type inbox struct{ kind, dir string }

func (i inbox) Name() string   { return i.kind }
func (i inbox) Target() string { return i.dir }

func (i inbox) Send(_ context.Context, m plant.Message) error {
	time.Sleep(time.Duration(rand.IntN(2000)) * time.Microsecond)
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	tmp := filepath.Join(i.dir, fmt.Sprintf("new-%d-%d", os.Getpid(), rand.Int64()))
	if err := os.WriteFile(tmp, b, 0o600); err != nil {
		return err
	}
	defer os.Remove(tmp)
	err = os.Link(tmp, filepath.Join(i.dir, i.kind+"."+m.Key))
	if errors.Is(err, fs.ErrExist) {
		err = os.Link(tmp, filepath.Join(i.dir, fmt.Sprintf("again.%d", rand.Int64())))
	}
	time.Sleep(time.Duration(rand.IntN(2000)) * time.Microsecond)
	return err
}

// crashRoster tells a system, a person, and later another person.
func crashRoster() plant.Roster {
	person := func(id, channel, address string) plant.Person {
		return plant.Person{ID: id, Name: id, Language: "en", Contacts: []plant.Contact{{Channel: channel, Address: address}}}
	}
	return plant.Roster{
		People: []plant.Person{person("cmms", "webhook", "cmms"), person("ali", "mail", "ali@mill"), person("boss", "ntfy", "boss")},
		Routes: []plant.Route{{ID: "all", Steps: []plant.Step{{People: []string{"cmms", "ali"}}, {WaitS: 1, People: []string{"boss"}}}}},
	}
}

// crashChild raises, clears and acknowledges alarms without end, with a desk
// that tells of them; with NOTIFY_CRASH_DRAIN it only finishes what there is.
func crashChild(dir string) {
	fail := func(err error) {
		if err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
	}
	ctx := context.Background()
	book, err := alarm.Open(filepath.Join(dir, "alarms"))
	fail(err)
	in := filepath.Join(dir, "inbox")
	fail(os.MkdirAll(in, 0o700))
	d := &Desk{Dir: filepath.Join(dir, "notify"), Alarms: book, PublicURL: "http://plant", Via: []Channel{inbox{"webhook", in}, inbox{"mail", in}, inbox{"ntfy", in}},
		Limits: Limits{PerMinute: 1_000_000, GroupFor: 100 * time.Millisecond, Heartbeat: -1}}
	fail(d.Open())
	if r, err := d.Roster(ctx); err != nil || r.Revision == 0 {
		fail(err)
		_, err = d.SaveRoster(ctx, crashRoster(), "", "")
		fail(err)
	}
	go func() { fail(d.Run(ctx)) }()
	if os.Getenv("NOTIFY_CRASH_DRAIN") != "" {
		end := time.Now().Add(2 * time.Minute)
		for calm := 0; calm < 20; time.Sleep(100 * time.Millisecond) {
			s, err := d.Stats(ctx)
			fail(err)
			b, err := book.Stats(ctx)
			fail(err)
			next, err := d.nextDue(ctx)
			fail(err)
			if calm++; s.Pending+s.Held+s.Sending > 0 || s.Cursor != b.Journal || next != 0 {
				calm = 0
			}
			if time.Now().After(end) {
				fail(fmt.Errorf("not done in two minutes: %+v", s))
			}
		}
		fmt.Println("done")
		os.Exit(0)
	}
	epoch := 1 + rand.Uint64N(1<<40)
	for n := uint64(1); ; n++ {
		f := finding(fmt.Sprintf("A%02d", rand.IntN(40)), plant.Raise, 1+rand.IntN(4))
		f.Key = fmt.Sprintf("%d-%d", epoch, n)
		fail(book.Apply(ctx, "e", epoch, 2*n, []plant.Finding{f}))
		switch rand.IntN(8) {
		case 0:
			f.Phase, f.Time = plant.Clear, f.Time+1
			fail(book.Apply(ctx, "e", epoch, 2*n+1, []plant.Finding{f}))
		case 1:
			list, _, err := book.List(ctx, plant.AlarmQuery{Limit: 1})
			fail(err)
			_, err = book.Ack(ctx, list[0].ID, "anna", "", "")
			fail(err)
		}
		fmt.Println(n)
		time.Sleep(time.Duration(rand.IntN(4000)) * time.Microsecond)
	}
}

func crashRun(t *testing.T, dir string, env ...string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(append(os.Environ(), "NOTIFY_CRASH_DIR="+dir), env...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatal("no word from the process")
	}
	if strings.HasPrefix(lines.Text(), "error") {
		t.Fatal(lines.Text())
	}
	return cmd, lines
}

// A process that is killed at any moment under a load of alarms loses no
// message, and repeats none but by its key: each alarm that nobody took was told to
// everybody who is to be told, once, and what was handed over again is no more than
// what can have been under way at the kills. MILLWRIGHT_KILLS sets how often.
func TestKill(t *testing.T) {
	t.Parallel()
	kills := 10
	if n, err := strconv.Atoi(os.Getenv("MILLWRIGHT_KILLS")); err == nil {
		kills = n
	} else if testing.Short() || slow {
		kills = 4
	}
	dir := t.TempDir()
	for range kills {
		cmd, lines := crashRun(t, dir)
		for left := rand.IntN(40); left > 0 && lines.Scan(); left-- {
		}
		time.Sleep(time.Duration(rand.IntN(20_000)) * time.Microsecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
	}
	cmd, lines := crashRun(t, dir, "NOTIFY_CRASH_DRAIN=1")
	if lines.Text() != "done" {
		t.Fatal(lines.Text())
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}

	// What arrived, by person and alarm.
	files, err := os.ReadDir(filepath.Join(dir, "inbox"))
	if err != nil {
		t.Fatal(err)
	}
	arrived := map[string]map[int64]int{"cmms": {}, "ali": {}, "boss": {}}
	keys := map[string]bool{}
	again, more := 0, 0
	for _, f := range files {
		if strings.HasPrefix(f.Name(), "again.") {
			again++
			continue
		}
		if strings.HasPrefix(f.Name(), "new-") {
			continue // killed while it was written
		}
		b, err := os.ReadFile(filepath.Join(dir, "inbox", f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		var m plant.Message
		if err := json.Unmarshal(b, &m); err != nil {
			t.Fatalf("%s: %v", f.Name(), err)
		}
		keys[m.Key] = true
		if m.Purpose == plant.PurposeReturn {
			continue
		}
		if m.Purpose == plant.PurposeMore {
			more++
		}
		for _, id := range m.Alarms {
			arrived[m.Person][id]++
		}
	}
	book, err := alarm.Open(filepath.Join(dir, "alarms"))
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	list, _, err := book.List(t.Context(), plant.AlarmQuery{Limit: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	wrong := 0
	for _, a := range list {
		for who, told := range arrived {
			n := told[a.ID]
			lost := n == 0 && a.State == plant.Unacked
			if lost || n > 1 {
				wrong++
				t.Errorf("alarm %d (%s) was told to %s %d times", a.ID, a.State, who, n)
			}
		}
	}
	// What the outbox calls sent has arrived, and nothing else has.
	d := &Desk{Dir: filepath.Join(dir, "notify"), Alarms: book}
	if err := d.Open(); err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	sent := 0
	for q := (plant.MessageQuery{State: plant.MessageSent, Limit: 10_000}); ; {
		page, next, err := d.Messages(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range page {
			sent++
			if !keys[m.Key] {
				wrong++
				t.Errorf("%s is called sent and did not arrive", m.Key)
			}
		}
		if q.After = next; next == "" {
			break
		}
	}
	if sent != len(keys) {
		wrong++
		t.Errorf("%d messages sent, %d arrived", sent, len(keys))
	}
	if most := kills * len(arrived) * d.Limits.Parallel; again > most { // each person has a channel
		t.Errorf("%d messages handed over again, at most %d were under way", again, most)
	}
	if len(list) < 5*kills || more == 0 {
		t.Errorf("only %d alarms and %d grouped messages in %d runs", len(list), more, kills)
	}
	t.Logf("%d kills: %d alarms, %d messages, %d of them grouped, %d sent again and recognised by key, %d wrong", kills, len(list), sent, more, again, wrong)
}
