package channel

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"millwright/plant"
)

// call is what a server got.
type call struct {
	header http.Header
	path   string
	body   []byte
}

// receiver is an HTTP server that keeps what it got and answers as told.
func receiver(t *testing.T, respond http.HandlerFunc) (url string, got *[]call) {
	t.Helper()
	got = new([]call)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost {
			t.Errorf("%s %v", r.Method, err)
		}
		*got = append(*got, call{r.Header, r.URL.Path, b})
		if respond != nil {
			respond(w, r)
		}
	}))
	t.Cleanup(srv.Close)
	return srv.URL, got
}

// book is where the webhook looks alarms up.
func book(alarms ...plant.Alarm) func(context.Context, int64) (plant.Alarm, error) {
	return func(_ context.Context, id int64) (plant.Alarm, error) {
		for _, a := range alarms {
			if a.ID == id {
				return a, nil
			}
		}
		return plant.Alarm{}, errors.New("there is no such alarm")
	}
}

func alarm(id int64, state plant.AlarmState) plant.Alarm {
	return plant.Alarm{ID: id, State: state, Edge: "hsm-edge-1", Raised: 1_800_000_000_000_000_000, Returned: 1_800_000_060_000_000_000, AckedBy: "Bilal",
		Finding: plant.Finding{Asset: "HSM/FM/F3/GBX", Key: "limit/" + strconv.FormatInt(id, 10), Kind: plant.KindHighHigh, Class: plant.LimitAlarm, Detector: "limit",
			Tag: "HSM/FM/F3/GBX/VIB_H", Value: 6.2, Limit: 5.6, Unit: "mm/s", Priority: 1}}
}

func TestWebhook(t *testing.T) {
	url, got := receiver(t, nil)
	w := &Webhook{External: "http://plant:8080/", Alarm: book(alarm(12, plant.Acked), alarm(13, plant.Cleared)),
		Hooks: []Hook{{Name: "open", URL: url + "/open"}, {Name: "cmms", URL: url + "/hook", Secret: "s3cret"}}}
	if w.Name() != "webhook" || w.Target() != "open, cmms" {
		t.Error(w.Name(), w.Target())
	}
	msg := message()
	msg.Address, msg.Alarms = "cmms", []int64{12, 13}
	begin := time.Now().Unix()
	if err := w.Send(t.Context(), msg); err != nil {
		t.Fatal(err)
	}
	c := (*got)[0]
	if c.path != "/hook" || c.header.Get("Idempotency-Key") != msg.Key || c.header.Get("Content-Type") != "application/json" {
		t.Errorf("%+v", c)
	}
	// The receiver's side of the signature, by its description.
	stamp, mac, ok := strings.Cut(c.header.Get("Millwright-Signature"), ",v1=")
	stamp, isStamp := strings.CutPrefix(stamp, "t=")
	at, err := strconv.ParseInt(stamp, 10, 64)
	if !ok || !isStamp || err != nil || at < begin || at > time.Now().Unix() {
		t.Fatal(c.header)
	}
	h := hmac.New(sha256.New, []byte("s3cret"))
	fmt.Fprintf(h, "%s.%s", stamp, c.body)
	if mac != hex.EncodeToString(h.Sum(nil)) {
		t.Error("the signature does not fit")
	}
	var b hookBody
	dec := json.NewDecoder(bytes.NewReader(c.body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&b); err != nil {
		t.Fatal(err)
	}
	if b.Version != "4" || b.Receiver != "cmms" || b.Status != "firing" || len(b.Alerts) != 2 || b.GroupKey != "millwright/alarm/12" || b.TruncatedAlerts != 0 {
		t.Errorf("%+v", b)
	}
	a := b.Alerts[0]
	if a.Status != "firing" || !a.EndsAt.IsZero() || a.Labels["alertname"] != plant.KindHighHigh || a.Labels["severity"] != "critical" || a.Labels["alarm"] != "12" ||
		a.Annotations["description"] != msg.Text || a.Annotations["acknowledged_by"] != "Bilal" || a.GeneratorURL != "http://plant:8080/alarms/12" || len(a.Fingerprint) != 16 {
		t.Errorf("%+v", a)
	}
	r := b.Alerts[1]
	if r.Status != "resolved" || r.EndsAt.Sub(r.StartsAt) != time.Minute || r.Annotations["summary"] != "Very high: HSM/FM/F3/GBX/VIB_H" || r.Fingerprint == a.Fingerprint {
		t.Errorf("%+v", r)
	}
	if b.CommonLabels["asset"] != "HSM/FM/F3/GBX" || b.CommonLabels["alarm"] != "" || b.GroupLabels["asset"] != "HSM/FM/F3/GBX" || b.CommonAnnotations["acknowledged_by"] != "Bilal" {
		t.Errorf("%+v", b)
	}
	if !bytes.Contains(c.body, []byte(`"endsAt":"0001-01-01T00:00:00Z"`)) {
		t.Errorf("%s", c.body)
	}

	// Without a secret there is no signature; a return is resolved; a test has an
	// alert of its own.
	msg.Address, msg.Alarm, msg.Alarms, msg.Purpose = "open", 13, nil, plant.PurposeReturn
	if err := w.Send(t.Context(), msg); err != nil {
		t.Fatal(err)
	}
	msg.Alarm, msg.Purpose = 0, plant.PurposeTest
	if err := w.Send(t.Context(), msg); err != nil {
		t.Fatal(err)
	}
	if (*got)[1].header.Get("Millwright-Signature") != "" || !bytes.Contains((*got)[1].body, []byte(`"status":"resolved","alerts"`)) {
		t.Errorf("%s", (*got)[1].body)
	}
	if !bytes.Contains((*got)[2].body, []byte(`"alertname":"millwright.test"`)) {
		t.Errorf("%s", (*got)[2].body)
	}

	msg.Address = "none"
	if err := w.Send(t.Context(), msg); !errors.Is(err, ErrPermanent) || !strings.Contains(err.Error(), "configured are open, cmms") {
		t.Error(err)
	}
	msg.Address, msg.Alarm = "open", 99
	if err := w.Send(t.Context(), msg); err == nil || errors.Is(err, ErrPermanent) {
		t.Error(err)
	}
	if len(*got) != 3 {
		t.Error(len(*got))
	}
}

func TestWebhookMany(t *testing.T) {
	url, got := receiver(t, nil)
	var all []plant.Alarm
	msg := message()
	msg.Address, msg.Alarm = "a", 0
	for i := range 130 {
		all = append(all, alarm(int64(i+1), plant.Unacked))
		msg.Alarms = append(msg.Alarms, int64(i+1))
	}
	w := &Webhook{Hooks: []Hook{{Name: "a", URL: url}}, Alarm: book(all...)}
	if err := w.Send(t.Context(), msg); err != nil {
		t.Fatal(err)
	}
	var b hookBody
	if err := json.Unmarshal((*got)[0].body, &b); err != nil || len(b.Alerts) != mostAlerts || b.TruncatedAlerts != 30 {
		t.Error(len(b.Alerts), b.TruncatedAlerts, err)
	}
}

// What an answer means is the same for every channel that posts.
func TestAnswers(t *testing.T) {
	f := func(status int, header string, wantPermanent bool, wantAfter time.Duration) {
		t.Helper()
		url, _ := receiver(t, func(w http.ResponseWriter, r *http.Request) {
			if name, value, ok := strings.Cut(header, ": "); ok {
				w.Header().Set(name, value)
			}
			w.WriteHeader(status)
			io.WriteString(w, "because\nof this")
		})
		n := &Ntfy{URL: url}
		msg := message()
		msg.Address = "shift"
		err := n.Send(t.Context(), msg)
		if (err == nil) != (status/100 == 2) || errors.Is(err, ErrPermanent) != wantPermanent {
			t.Errorf("%d: permanent %v: %v", status, errors.Is(err, ErrPermanent), err)
		}
		if err != nil && !strings.Contains(err.Error(), `"because of this"`) {
			t.Errorf("%d: %v", status, err)
		}
		after := time.Duration(0)
		if r, ok := errors.AsType[*RetryError](err); ok {
			after = r.After
		}
		if (after - wantAfter).Abs() > 2*time.Second {
			t.Errorf("%d: again after %v, want %v", status, after, wantAfter)
		}
	}
	f(200, "", false, 0)
	f(204, "", false, 0)
	f(302, "Location: http://127.0.0.1:1/", true, 0)
	f(400, "", true, 0)
	f(401, "", true, 0)
	f(404, "", true, 0)
	f(408, "", false, 0)
	f(409, "", false, 0)
	f(413, "", true, 0)
	f(425, "", false, 0)
	f(429, "", false, 0)
	f(429, "Retry-After: 120", false, 2*time.Minute)
	f(429, "Retry-After: "+time.Now().Add(time.Minute).UTC().Format(http.TimeFormat), false, time.Minute)
	f(429, "Retry-After: 999999999", false, mostWait)
	f(429, "Retry-After: -5", false, 0)
	f(429, "Retry-After: soon", false, 0)
	f(500, "", false, 0)
	f(503, "Retry-After: 7", false, 7*time.Second)

	n := &Ntfy{URL: "http://127.0.0.1:1"}
	msg := message()
	msg.Address = "shift"
	if err := n.Send(t.Context(), msg); err == nil || errors.Is(err, ErrPermanent) {
		t.Errorf("nobody there: %v", err)
	}
}

// An endless answer is not read to its end, and one that does not come ends
// with the context.
func TestAnswerBounds(t *testing.T) {
	msg := message()
	msg.Address = "shift"
	var wrote atomic.Int64
	url, _ := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(500)
		for wrote.Load() < 64<<20 {
			n, err := w.Write(make([]byte, 64<<10))
			wrote.Add(int64(n))
			if err != nil {
				return
			}
		}
	})
	if err := (&Ntfy{URL: url}).Send(t.Context(), msg); err == nil || len(err.Error()) > 1000 {
		t.Error(err)
	}
	url, _ = receiver(t, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := (&Ntfy{URL: url}).Send(ctx, msg); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrPermanent) {
		t.Error(err)
	}
	if n := wrote.Load(); n >= 64<<20 {
		t.Errorf("%d bytes were written", n)
	}
}

func TestNtfy(t *testing.T) {
	url, got := receiver(t, nil)
	n := &Ntfy{URL: url, Token: "tk_x"}
	if n.Name() != "ntfy" || n.Target() != url {
		t.Error(n.Name(), n.Target())
	}
	msg := message()
	msg.Address = "mill-shift_1"
	for range 2 {
		if err := n.Send(t.Context(), msg); err != nil {
			t.Fatal(err)
		}
	}
	var m, again ntfyMessage
	if err := json.Unmarshal((*got)[0].body, &m); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal((*got)[1].body, &again); err != nil {
		t.Fatal(err)
	}
	want := ntfyAction{"view", "الارم قبول کریں", "http://plant:8080/ack/abc?x=1&y=2"}
	if m.Topic != msg.Address || m.Title != msg.Subject || m.Priority != 5 || m.Click != want.URL || len(m.Actions) != 1 || m.Actions[0] != want || m.Tags[0] != "rotating_light" {
		t.Errorf("%+v", m)
	}
	if strings.Contains(m.Message, "http") || !strings.HasPrefix(m.Message, "\u200fP1") {
		t.Errorf("%q", m.Message)
	}
	if m.Sequence != again.Sequence || !topicName.MatchString(m.Sequence) {
		t.Errorf("%q, %q", m.Sequence, again.Sequence)
	}
	if (*got)[0].header.Get("Authorization") != "Bearer tk_x" || (*got)[0].path != "/" {
		t.Errorf("%+v", (*got)[0])
	}

	f := func(purpose string, priority, want int) {
		t.Helper()
		if got := urgency(plant.Message{Purpose: purpose, Priority: priority}); got != want {
			t.Errorf("%s P%d: %d, want %d", purpose, priority, got, want)
		}
	}
	f(plant.PurposeAlarm, 1, 5)
	f(plant.PurposeAlarm, 2, 4)
	f(plant.PurposeMore, 3, 3)
	f(plant.PurposeAlarm, 4, 2)
	f(plant.PurposeReturn, 1, 3)
	f(plant.PurposeHeartbeat, 0, 2)

	for _, topic := range []string{"", "a/b", "a b", "شفٹ", strings.Repeat("x", 65), "a\nb"} {
		msg.Address = topic
		if err := n.Send(t.Context(), msg); !errors.Is(err, ErrPermanent) {
			t.Errorf("%q: %v", topic, err)
		}
	}
	msg.Address, msg.Text = "x", strings.Repeat("ٹیکسٹ ", 1000)
	if err := n.Send(t.Context(), msg); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal((*got)[len(*got)-1].body, &m); err != nil || len(m.Message) > mostNtfy || !utf8.ValidString(m.Message) || !strings.HasSuffix(m.Message, "…") {
		t.Error(len(m.Message), err)
	}
}

func TestLink(t *testing.T) {
	f := func(text, wantRest, wantLabel, wantLink string) {
		t.Helper()
		rest, label, target := link(text)
		if rest != wantRest || label != wantLabel || target != wantLink {
			t.Errorf("%q: %q, %q, %q", text, rest, label, target)
		}
	}
	f("", "", "", "")
	f("a\nb", "a\nb", "", "")
	f("a\n\nOpen:\nhttp://x/y", "a", "Open", "http://x/y")
	f("a\n\n\u200fکھولیں:\nhttps://x/y", "a", "کھولیں", "https://x/y")
	f("http://x/y", "", "", "http://x/y")
	f("see http://x/y", "see http://x/y", "", "")
	f("a\njavascript:alert(1)", "a\njavascript:alert(1)", "", "")
	f("a\nhttp:///y", "a\nhttp:///y", "", "")
}
