package notify

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"millwright/historian/notify/channel"
	"millwright/plant"
)

// A modem that takes an SMS and cannot send it: the message is dead, and the
// person's next contact is told.
func TestNotSentAfterAll(t *testing.T) {
	r := crew()
	r.People[0].Contacts = []plant.Contact{contact("sms", "+923001111111"), contact("mail", "ali@mill")}
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC)))
		w := newWorks(t, r)
		defer w.close()
		w.stop()
		dir := t.TempDir()
		for _, d := range []string{"outgoing", "incoming", "checked", "sent", "failed"} {
			if err := os.Mkdir(filepath.Join(dir, d), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		w.desk = &Desk{Dir: filepath.Join(w.dir, "notify"), Alarms: w.book, Limits: w.limits, Via: []Channel{&channel.Spool{Dir: dir}, w.mail}}
		if err := w.desk.Open(); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- w.desk.Run(ctx) }()
		w.stop = func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
			if err := w.desk.Close(); err != nil {
				t.Error(err)
			}
		}
		w.raise("A", 2)
		w.wait(time.Second)
		names, err := filepath.Glob(filepath.Join(dir, "outgoing", "mw-*"))
		if err != nil || len(names) != 1 {
			t.Fatal(names, err)
		}
		// As smsd does.
		b, err := os.ReadFile(names[0])
		if err != nil {
			t.Fatal(err)
		}
		b = append([]byte("Fail_reason: no network for 923001111111\n"), b...)
		if err := os.WriteFile(filepath.Join(dir, "failed", filepath.Base(names[0])), b, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(names[0]); err != nil {
			t.Fatal(err)
		}
		w.wait(11 * time.Second)
		w.expect(w.mail, "alarm ali")
		m := w.messages(plant.MessageQuery{Channel: "sms"})[0]
		if m.State != plant.MessageDead || !strings.Contains(m.Error, "no network") || strings.Contains(m.Error, "923001111111") || m.Reason == "" {
			t.Errorf("%+v", m)
		}
		if s, err := w.desk.Channels(t.Context()); err != nil || s[0].Dead != 1 || s[0].Failed != 1 {
			t.Errorf("%+v %v", s, err)
		}
		w.wait(time.Minute)
		w.expect(w.mail)
	})
}
