package e2e

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/emersion/go-smtp"
)

// crew is what receives alerts: a real SMTP server, a webhook, an ntfy server's
// door and a spool of SMS files.
type crew struct {
	smtp  string // HOST:PORT
	hook  string // URL
	ntfy  string // URL
	spool string // folder

	slow    time.Duration // servers answer after up to this long
	refusal int           // what a web server answers that refuses; 503 where 0

	mu   sync.Mutex
	got  []handed
	deaf string // channel whose server refuses for now
}

// handed is one message as its receiver saw it.
type handed struct {
	channel, to, key, text string
	alarm                  string
	status                 string
	at                     time.Time
}

func newCrew(t *testing.T) *crew {
	t.Helper()
	c := &crew{spool: t.TempDir()}
	for _, dir := range []string{"outgoing", "incoming", "sent", "checked", "failed"} {
		if err := os.Mkdir(filepath.Join(c.spool, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := smtp.NewServer(c)
	server.Domain, server.AllowInsecureAuth = "localhost", true
	server.ErrorLog = log.New(io.Discard, "", 0) // of clients that are killed
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	c.smtp = l.Addr().String()
	web := func(channel string, read func(r *http.Request, body []byte) handed) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil || c.refuses(channel) {
				w.WriteHeader(cmp.Or(c.refusal, http.StatusServiceUnavailable))
				return
			}
			m := read(r, body)
			m.channel, m.at = channel, time.Now()
			c.take(m)
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	c.hook = web("webhook", func(r *http.Request, body []byte) handed {
		var v struct {
			Alerts []struct {
				Status      string            `json:"status"`
				Labels      map[string]string `json:"labels"`
				Fingerprint string            `json:"fingerprint"`
			} `json:"alerts"`
		}
		if err := json.Unmarshal(body, &v); err != nil || len(v.Alerts) == 0 {
			t.Errorf("webhook body: %v: %.200s", err, body)
			return handed{}
		}
		a := v.Alerts[0]
		return handed{key: r.Header.Get("Idempotency-Key"), text: string(body), alarm: a.Labels["asset"], status: a.Status}
	})
	c.ntfy = web("ntfy", func(_ *http.Request, body []byte) handed {
		var v struct {
			Topic   string `json:"topic"`
			Title   string `json:"title"`
			Message string `json:"message"`
		}
		if err := json.Unmarshal(body, &v); err != nil {
			t.Errorf("ntfy body: %v: %.200s", err, body)
		}
		return handed{to: v.Topic, text: v.Title + "\n" + v.Message}
	})
	return c
}

// deafen lets the server of a channel refuse what comes; no channel: all take it.
func (c *crew) deafen(channel string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deaf = channel
}

func (c *crew) refuses(channel string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.deaf == channel
}

// take keeps a message, and is slow to say so. A shift may begin during a test: its
// heartbeats are not kept.
func (c *crew) take(m handed) {
	if strings.Contains(m.key, "-heartbeat-") {
		return
	}
	c.mu.Lock()
	c.got = append(c.got, m)
	c.mu.Unlock()
	if c.slow > 0 {
		time.Sleep(rand.N(c.slow))
	}
}

// by returns what came on a channel, in order.
func (c *crew) by(channel string) []handed {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []handed
	for _, m := range c.got {
		if m.channel == channel {
			out = append(out, m)
		}
	}
	return out
}

// NewSession takes one mail after the other.
func (c *crew) NewSession(*smtp.Conn) (smtp.Session, error) { return &mailbox{crew: c}, nil }

type mailbox struct {
	crew *crew
	to   string
}

func (m *mailbox) Mail(string, *smtp.MailOptions) error { return nil }

func (m *mailbox) Rcpt(to string, _ *smtp.RcptOptions) error {
	m.to = to
	return nil
}

func (m *mailbox) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if m.crew.refuses("mail") {
		return &smtp.SMTPError{Code: 451, Message: "come back later"}
	}
	key := ""
	for line := range bytes.SplitSeq(b, []byte("\r\n")) {
		if v, ok := bytes.CutPrefix(line, []byte("X-Millwright-Key: ")); ok {
			key = string(v)
		}
	}
	m.crew.take(handed{channel: "mail", to: m.to, key: key, text: unfold(string(b)), at: time.Now()})
	return nil
}

func (m *mailbox) Reset()        {}
func (m *mailbox) Logout() error { return nil }

// unfold takes the soft line breaks of quoted-printable out.
func unfold(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "=\r\n", ""), "=3D", "=")
}

// sms reads the files that wait for the modem; key is the file's name.
func (c *crew) sms(t *testing.T) []handed {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(c.spool, "outgoing", "mw*"))
	if err != nil {
		t.Fatal(err)
	}
	var out []handed
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		head, body, _ := strings.Cut(string(b), "\n\n")
		if strings.Contains(head, "\nAlphabet: UCS2") {
			units := make([]uint16, len(body)/2)
			for i := range units {
				units[i] = uint16(body[2*i])<<8 | uint16(body[2*i+1])
			}
			body = string(utf16.Decode(units))
		}
		to, _, _ := strings.Cut(strings.TrimPrefix(head, "To: "), "\n")
		out = append(out, handed{channel: "sms", to: to, key: filepath.Base(f), text: body})
	}
	return out
}

// await waits for a message to somebody that names an asset.
func (c *crew) await(t *testing.T, what, channel, to, asset string) (m handed) {
	t.Helper()
	eventually(t, 60*time.Second, what, func() bool {
		list := c.by(channel)
		if channel == "sms" {
			list = c.sms(t)
		}
		i := slices.IndexFunc(list, func(m handed) bool { return m.to == to && strings.Contains(m.text, asset) })
		if i >= 0 {
			m = list[i]
		}
		return i >= 0
	})
	return m
}

// answer answers an SMS with the command that README shows, with the number and the
// digits of this one.
func (c *crew) answer(t *testing.T, sms handed) {
	t.Helper()
	b, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile(`(?m)^(printf 'From: )\d+(\\n\\n)\d\d(\\n' > )millwright-data/sms(/incoming/\S+)$`).FindStringSubmatch(string(b))
	digits := regexp.MustCompile(`\b(\d\d)\s*$`).FindStringSubmatch(sms.text)
	if shown == nil || digits == nil {
		t.Fatalf("README shows no answer to an SMS, or %q has no digits", sms.text)
	}
	command := shown[1] + sms.to + shown[2] + digits[1] + shown[3] + c.spool + shown[4]
	if out, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", command, err, out)
	}
}

// notify is the section of the plant's configuration that leads to this crew.
func (c *crew) notify(public string) string {
	return fmt.Sprintf(`
[notify]
public_url = %q
zone = "Asia/Karachi"

[notify.mail]
server = "smtp://%s"
from = "Millwright <millwright@works.example>"
starttls = "none"

[notify.ntfy]
url = %q

[notify.sms]
spool = %q
replies = true

[[notify.webhook]]
name = "cmms"
url = %q
`, public, c.smtp, c.ntfy, c.spool, c.hook)
}

// send asks the API to change something and decodes its answer.
func (a api) send(method, path string, body, into any) {
	a.t.Helper()
	if err := a.trySend(method, path, body, into); err != nil {
		a.t.Fatal(err)
	}
}

func (a api) trySend(method, path string, body, into any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequest(method, a.base+"/api/v1/"+path, bytes.NewReader(b))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	client := http.Client{Timeout: 10 * time.Second}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	out, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s: %s", method, path, res.Status, out)
	}
	if into == nil || len(out) == 0 {
		return nil
	}
	return json.Unmarshal(out, into)
}

// messageJSON is a row of the outbox.
type messageJSON struct {
	ID      int64      `json:"id"`
	Alarm   *int64     `json:"alarm"`
	Purpose string     `json:"purpose"`
	Step    int        `json:"step"`
	Person  string     `json:"person"`
	Channel string     `json:"channel"`
	State   string     `json:"state"`
	Created time.Time  `json:"created"`
	Sent    *time.Time `json:"sent"`
	Text    string     `json:"text"`
}

func (a api) messages(query string) []messageJSON {
	a.t.Helper()
	var v struct{ Messages []messageJSON }
	a.get("messages?limit=10000"+query, &v)
	return v.Messages
}

// ladder writes a recording of n columns. Column k rises above 5 in row 5+k and
// stays there, so that with a limit of 5 a new alarm comes with each row.
func ladder(t *testing.T, name string, n int, spacing time.Duration) {
	t.Helper()
	var b strings.Builder
	b.WriteString("time")
	for k := range n {
		fmt.Fprintf(&b, ",M%03d/V", k)
	}
	b.WriteByte('\n')
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for row := range n + 20 {
		b.WriteString(start.Add(time.Duration(row) * spacing).Format("2006-01-02T15:04:05.000Z"))
		for k := range n {
			v := "0"
			if row >= 5+k {
				v = "10"
			}
			b.WriteString("," + v)
		}
		b.WriteByte('\n')
	}
	writeFile(t, name, b.String())
}

// ladderAssets is the asset file and tag list for a ladder.
func ladderAssets(t *testing.T, dir string, n int) (tags, assets string) {
	t.Helper()
	var a, g strings.Builder
	g.WriteString("path,node\n")
	for k := range n {
		fmt.Fprintf(&g, "REPLAY/M%03d/V,nsu=urn:millwright:mill;s=REPLAY/M%03d/V\n", k, k)
		fmt.Fprintf(&a, "[[asset]]\npath = \"REPLAY/M%03d\"\nname = \"Machine %d\"\nclass = \"pump\"\n[asset.model]\noff = true\n[[asset.limit]]\ntag = \"V\"\nkind = \"high\"\nvalue = 5.0\ndeadband = 0.5\npriority = %d\n\n", k, k, k%3+1)
	}
	tags, assets = filepath.Join(dir, "ladder.csv"), filepath.Join(dir, "ladder.toml")
	writeFile(t, tags, g.String())
	writeFile(t, assets, a.String())
	return tags, assets
}
