package channel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"millwright/plant"
)

// spool makes the folders that the package smstools makes.
func spool(t *testing.T) *Spool {
	t.Helper()
	s := &Spool{Dir: t.TempDir(), Every: 5 * time.Millisecond, Log: slog.New(slog.DiscardHandler)}
	for _, d := range []string{"outgoing", "checked", "sent", "failed", "incoming"} {
		if err := os.Mkdir(filepath.Join(s.Dir, d), 0o770); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func (s *Spool) files(t *testing.T, folder string) (names []string) {
	t.Helper()
	list, err := os.ReadDir(filepath.Join(s.Dir, folder))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for _, e := range list {
		if e.Type().IsRegular() {
			names = append(names, e.Name())
		}
	}
	return names
}

func sms(text string) plant.Message {
	return plant.Message{Key: "alarm/12/0/ali", Address: "+92 300-1234567", Channel: "sms", Purpose: plant.PurposeAlarm, Priority: 1, Text: text}
}

func ucs2(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, byte(u>>8), byte(u))
	}
	return b
}

func TestSpoolSend(t *testing.T) {
	f := func(text, wantAlphabet string, wantBody []byte) {
		t.Helper()
		s := spool(t)
		if err := s.Send(t.Context(), sms(text)); err != nil {
			t.Fatal(err)
		}
		names := s.files(t, "outgoing")
		if !slices.Equal(names, []string{"mw-alarm=2f12=2f0=2fali"}) {
			t.Fatal(names)
		}
		path := filepath.Join(s.Dir, "outgoing", names[0])
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want := append([]byte("To: 923001234567\nAlphabet: "+wantAlphabet+"\n\n"), wantBody...)
		if !bytes.Equal(b, want) {
			t.Errorf("%q\nwant\n%q", b, want)
		}
		if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o660 {
			t.Error(st.Mode(), err)
		}
		// smsd takes every file of outgoing/: nothing else may lie there.
		if left := s.files(t, "outgoing/.millwright"); len(left) != 0 {
			t.Error(left)
		}
	}
	f("P1 HSM/FM/F3/GBX: Very high VIB_H 6.21 mm/s. Reply 47", "ISO", []byte("P1 HSM/FM/F3/GBX: Very high VIB_H 6.21 mm/s. Reply 47"))
	f("Lüfter [1]", "ISO", []byte("L\xfcfter [1]"))
	f("Ответьте 47", "UCS2", ucs2("Ответьте 47"))
	f("\u200fجواب میں 47 بھیجیں۔", "UCS2", ucs2("\u200fجواب میں 47 بھیجیں۔"))
	f("45 °C", "UCS2", ucs2("45 °C"))
}

// Wherever smsd has moved the file to, the message is not written again.
func TestSpoolOnce(t *testing.T) {
	for _, station := range []string{"outgoing", "checked", "sent"} {
		s := spool(t)
		for range 3 {
			if err := s.Send(t.Context(), sms("a")); err != nil {
				t.Fatal(err)
			}
			if name := s.files(t, "outgoing"); len(name) == 1 && station != "outgoing" {
				if err := os.Rename(filepath.Join(s.Dir, "outgoing", name[0]), filepath.Join(s.Dir, station, name[0])); err != nil {
					t.Fatal(err)
				}
			}
		}
		n := 0
		for _, d := range stations {
			n += len(s.files(t, d))
		}
		if n != 1 {
			t.Errorf("%s: %d files", station, n)
		}
	}
}

func TestSpoolFailed(t *testing.T) {
	s := spool(t)
	fail := func(key, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(s.Dir, "failed", fileName(key)), []byte(content), 0o660); err != nil {
			t.Fatal(err)
		}
	}
	fail("alarm/12/0/ali", "To: 923001234567\nAlphabet: ISO\nFailed: 26-11-30 03:02:00\nFail_reason: CMS ERROR: 38 (network out of order)\n\ntext")
	fail("ä=ö", "garbage")
	if err := os.WriteFile(filepath.Join(s.Dir, "failed", "of-another-program"), nil, 0o660); err != nil {
		t.Fatal(err)
	}
	told := map[string]string{}
	tell := func(key, why string) error { told[key] += why; return nil }
	refused := errors.New("not now")
	if err := s.Failed(t.Context(), func(string, string) error { return refused }); !errors.Is(err, refused) {
		t.Error(err)
	}
	for range 2 {
		if err := s.Failed(t.Context(), tell); err != nil {
			t.Fatal(err)
		}
	}
	if len(told) != 2 || told["alarm/12/0/ali"] != "CMS ERROR: 38 (network out of order)" || told["ä=ö"] != "the modem could not send it" {
		t.Errorf("%q", told)
	}
	// It was told: when somebody tries again, it is sent again.
	if err := s.Send(t.Context(), sms("a")); err != nil || len(s.files(t, "outgoing")) != 1 {
		t.Error(err, s.files(t, "outgoing"))
	}

	// What fails before anybody looked is said by the next try, once.
	s = spool(t)
	fail("alarm/12/0/ali", "To: 1\nFail_reason: no credit\n\n")
	if err := s.Send(t.Context(), sms("a")); !errors.Is(err, ErrPermanent) || !strings.Contains(err.Error(), "no credit") {
		t.Error(err)
	}
	if err := s.Send(t.Context(), sms("a")); err != nil || len(s.files(t, "outgoing")) != 1 {
		t.Error(err)
	}
	if err := (&Spool{Dir: filepath.Join(s.Dir, "none")}).Failed(t.Context(), tell); err != nil {
		t.Error(err)
	}
}

func TestSpoolRefuses(t *testing.T) {
	s := spool(t)
	for _, number := range []string{"", "ali", "0300-1234567", "+92", "+9230012345671234", "923001234567\nTo: 92", "+92300123456x"} {
		m := sms("a")
		m.Address = number
		if err := s.Send(t.Context(), m); !errors.Is(err, ErrPermanent) {
			t.Errorf("%q: %v", number, err)
		}
	}
	if left := s.files(t, "outgoing"); len(left) != 0 {
		t.Error(left)
	}
	s.Dir = filepath.Join(s.Dir, "none")
	if err := s.Send(t.Context(), sms("a")); err == nil || errors.Is(err, ErrPermanent) {
		t.Error(err)
	}
}

func TestNumber(t *testing.T) {
	f := func(address, want string) {
		t.Helper()
		if got, err := number(address); err != nil || got != want {
			t.Errorf("%q is %q, %v, want %q", address, got, err, want)
		}
	}
	f("+923001234567", "923001234567")
	f("923001234567", "923001234567")
	f("00923001234567", "923001234567")
	f("+7 (495) 123-45-67", "74951234567")
	f("+92\u00a0300.123/4567", "923001234567")
}

func TestFileName(t *testing.T) {
	f := func(key, want string) {
		t.Helper()
		name := fileName(key)
		if want != "" && name != want || strings.ContainsAny(name, "/\x00\n .'$") && !strings.HasPrefix(name, "mw.sha256-") || len(name) > 210 {
			t.Errorf("%q is %q", key, name)
		}
		if back, ours := keyOf(name); ours && back != key {
			t.Errorf("%q read back as %q", key, back)
		}
	}
	f("a-b_C9", "mw-a-b_C9")
	f("../../etc/passwd", "mw-=2e=2e=2f=2e=2e=2fetc=2fpasswd")
	f("$(reboot)\n\x00'", "")
	f("شفٹ", "")
	f(strings.Repeat("x", 500), "")
	f("x.LOCK", "mw-x=2eLOCK") // smsd leaves files alone that end so
	for _, name := range []string{"GSM1.abc", "mw-x" + told, "mw-x=", "mw-x=2", "mw-x=zz", "mw-x.LOCK"} {
		if _, ours := keyOf(name); ours {
			t.Errorf("%q is taken for ours", name)
		}
	}
}

type taken struct{ from, text string }

// replies runs the poller over what lies in incoming/ until want answers were
// taken or nothing is left there.
func (s *Spool) replies(t *testing.T, take func(from, text string) (string, error)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Replies(ctx, take) }()
	for end := time.Now().Add(10 * time.Second); len(s.files(t, "incoming")) > 0; time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Errorf("left: %v", s.files(t, "incoming"))
			break
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// arrive puts a file into incoming/ as if smsd had written it a while ago.
func (s *Spool) arrive(t *testing.T, name string, content []byte) {
	t.Helper()
	path := filepath.Join(s.Dir, "incoming", name)
	if err := os.WriteFile(path, content, 0o660); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Minute)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
}

const fromPhone = "From: 923001234567\nFrom_TOA: 91 international, ISDN/telephone\nFrom_SMSC: 923000000001\nSent: 26-11-30 03:05:00\nReceived: 26-11-30 03:05:04\nSubject: GSM1\nModem: GSM1\nIMSI: 410010000000000\nReport: no\n"

func TestReplies(t *testing.T) {
	s := spool(t)
	s.arrive(t, "GSM1.1", []byte(fromPhone+"Alphabet: ISO\nLength: 2\n\n47"))
	s.arrive(t, "GSM1.2", append([]byte(fromPhone+"Alphabet: UCS2\nLength: 9\n\n"), ucs2("۴۷ ٹھیک ہے")...))
	s.arrive(t, "GSM1.3", []byte(fromPhone+"Alphabet: UTF-8\r\n\r\nпринято 47\n"))
	s.arrive(t, "GSM1.4", []byte("From: 8888\nFrom_TOA: A1 national\n\nYour balance is 12"))
	s.arrive(t, "GSM1.5", []byte("From: TELCO\n\nOffer! \xe9"))
	s.arrive(t, "GSM1.6", []byte(fromPhone+"\nSMS STATUS REPORT\nMessage_id: 47\nStatus: 0"))
	s.arrive(t, "GSM1.7", []byte(fromPhone+"Call_type: missed\n\nCALL MISSED"))
	s.arrive(t, "GSM1.8", []byte("no header at all"))
	s.arrive(t, "GSM1.9", append([]byte(fromPhone+"Alphabet: UCS2\n\n"), 0x06, 0x24, 0x06))
	s.arrive(t, "GSM2.1", []byte(fromPhone+"Alphabet: binary\n\n\x00\x01"))
	s.arrive(t, "GSM2.2", bytes.Repeat([]byte("x"), mostFile+1))
	s.arrive(t, "GSM2.3", []byte("From_TOA: 91\n\n47"))
	var got []taken
	s.replies(t, func(from, text string) (string, error) {
		got = append(got, taken{from, text})
		if from == "+923001234567" {
			return "ٹھیک " + text[:1], nil
		}
		return "who are you?", nil
	})
	want := []taken{{"+923001234567", "47"}, {"+923001234567", "۴۷ ٹھیک ہے"}, {"+923001234567", "принято 47"}, {"8888", "Your balance is 12"}, {"TELCO", "Offer! é"}}
	if !slices.Equal(got, want) {
		t.Errorf("%q\nwant\n%q", got, want)
	}
	if aside := s.files(t, "quarantine"); !slices.Equal(aside, []string{"GSM1.6", "GSM1.7", "GSM1.8", "GSM1.9", "GSM2.1", "GSM2.2", "GSM2.3"}) {
		t.Error(aside)
	}
	answers := s.files(t, "outgoing")
	if len(answers) != 3 { // a number without country code and a name get none
		t.Fatal(answers)
	}
	for _, name := range answers {
		b, err := os.ReadFile(filepath.Join(s.Dir, "outgoing", name))
		if err != nil || !bytes.HasPrefix(b, []byte("To: 923001234567\nAlphabet: UCS2\n\n")) {
			t.Errorf("%q %v", b, err)
		}
	}
}

// TestAnswersAreFoundSoon writes answers as smsd does, and wants one found in the
// time that leaves half a second to cancel what is pending. On a busy machine others
// may be later; none can be sooner than what the poll and its settling take.
func TestAnswersAreFoundSoon(t *testing.T) {
	s := spool(t)
	s.Every = 0 // as the plant runs it
	found := make(chan time.Time)
	go func() {
		_ = s.Replies(t.Context(), func(string, string) (string, error) {
			found <- time.Now()
			return "", nil
		})
	}()
	quickest := time.Hour
	for i := range 8 {
		path := filepath.Join(s.Dir, "incoming", fmt.Sprintf("GSM1.%d", i))
		written := time.Now()
		if err := os.WriteFile(path, []byte(fromPhone+"\n47"), 0o660); err != nil {
			t.Fatal(err)
		}
		took := (<-found).Sub(written)
		if took < settleAfter-10*time.Millisecond { // file systems keep coarse times
			t.Errorf("taken after %v: it may still have been written", took)
		}
		quickest = min(quickest, took)
	}
	if quickest > 600*time.Millisecond {
		t.Errorf("an answer is found after %v at best", quickest)
	}
	t.Logf("found after %v at best", quickest.Round(time.Millisecond))
}

// A reply is offered until it was taken, and goes only then; its answer is
// written once, though the program died between the answer and the removal.
func TestReplyUntilTaken(t *testing.T) {
	s := spool(t)
	content := []byte(fromPhone + "Alphabet: ISO\n\n47")
	s.arrive(t, "GSM1.1", content)
	tries := 0
	s.replies(t, func(string, string) (string, error) {
		if tries++; tries < 4 {
			if len(s.files(t, "incoming")) != 1 {
				t.Error("the file went before it was taken")
			}
			return "", errors.New("database is locked")
		}
		return "OK", nil
	})
	if tries != 4 || len(s.files(t, "outgoing")) != 1 {
		t.Error(tries, s.files(t, "outgoing"))
	}
	s.arrive(t, "GSM1.1", content) // as a crash leaves it
	s.replies(t, func(string, string) (string, error) { return "No open alarm has the code 47", nil })
	if n := len(s.files(t, "outgoing")); n != 1 {
		t.Errorf("%d answers", n)
	}
	s.arrive(t, "GSM1.1", []byte(fromPhone+"Alphabet: ISO\n\n48")) // another one under a name of before
	s.replies(t, func(string, string) (string, error) { return "OK", nil })
	if n := len(s.files(t, "outgoing")); n != 2 {
		t.Errorf("%d answers", n)
	}
}

// A file that smsd is still writing is left alone.
func TestReplyYoung(t *testing.T) {
	s := spool(t)
	path := filepath.Join(s.Dir, "incoming", "GSM1.1")
	if err := os.WriteFile(path, []byte("From: 9230"), 0o660); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".LOCK", []byte("1"), 0o660); err != nil {
		t.Fatal(err)
	}
	s.look(t.Context(), func(from, text string) (string, error) {
		t.Errorf("taken: %s %s", from, text)
		return "", nil
	}, map[string]bool{})
	if got := s.files(t, "incoming"); len(got) != 2 || len(s.files(t, "quarantine")) != 0 {
		t.Error(got, s.files(t, "quarantine"))
	}
}

// A folder that is away is said once and looked at again.
func TestRepliesAway(t *testing.T) {
	s := spool(t)
	var log bytes.Buffer
	s.Log = slog.New(slog.NewTextHandler(&log, nil))
	dir := filepath.Join(s.Dir, "incoming")
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	said := map[string]bool{}
	for range 3 {
		s.look(t.Context(), nil, said)
	}
	if n := strings.Count(log.String(), "\n"); n != 1 {
		t.Errorf("%d lines:\n%s", n, &log)
	}
	if err := os.Mkdir(dir, 0o770); err != nil {
		t.Fatal(err)
	}
	s.arrive(t, "GSM1.1", []byte(fromPhone+"\n47"))
	n := 0
	s.look(t.Context(), func(string, string) (string, error) { n++; return "", nil }, said)
	if n != 1 || len(s.files(t, "incoming")) != 0 {
		t.Error(n)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(fromPhone + "Alphabet: ISO\n\n47"))
	f.Add(append([]byte(fromPhone+"Alphabet: UCS2\nLength: 9\n\n"), ucs2("۴۷ ٹھیک ہے")...))
	f.Add([]byte("From: 1\r\nAlphabet: UTF-8\r\n\r\nпринято"))
	f.Add([]byte("\n"))
	f.Add([]byte(":\n\n"))
	f.Add([]byte("Alphabet: Unicode\n\n\xd8\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := parse(b)
		if err != nil {
			return
		}
		if p == nil || len(p.text) > 3*len(b) {
			t.Fatal("more came out than went in")
		}
		from := p.sender()
		if n, err := number(from); err == nil {
			if strings.ContainsAny(n, "\r\n: ") || len(n) > 15 {
				t.Fatalf("number %q", n)
			}
		}
	})
}

// Whatever the text, smsd reads back what was meant.
func FuzzEncode(f *testing.F) {
	f.Add("P1 HSM: Reply 47")
	f.Add("Ответьте 47")
	f.Add("\u200fجواب میں 47")
	f.Add("[€]~\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		alphabet, body := encode(text)
		p, err := parse(append(fmt.Appendf(nil, "To: 1\nAlphabet: %s\n\n", alphabet), body...))
		if err != nil {
			t.Fatal(err)
		}
		if want := string([]rune(text)); p.text != want {
			t.Fatalf("%q came back as %q", want, p.text)
		}
	})
}
