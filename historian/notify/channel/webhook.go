package channel

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"millwright/plant"
)

// Webhook posts alarms in the format of Alertmanager's webhook, version 4, to
// systems that take it: a work order system, a chat, another plant's alert
// manager. The address of a message is the name of a hook.
//
// Where a hook has a secret, the header Millwright-Signature is
// "t=UNIX,v1=HEX" with the HMAC-SHA256 of "UNIX.BODY" under the secret, so that
// the receiver can tell who sent it and refuse what is old. Idempotency-Key is
// the key of the message.
type Webhook struct {
	Hooks    []Hook
	External string // URL of the HMI: "http://plant:8080"

	// Alarm looks an alarm up by its id.
	Alarm func(ctx context.Context, id int64) (plant.Alarm, error)
}

// Hook is one receiver.
type Hook struct {
	Name   string
	URL    string
	Secret string // empty: not signed
	CA     string // PEM file; empty: the system's
}

// Name is the kind of channel.
func (w *Webhook) Name() string { return "webhook" }

// Target is the hooks by name.
func (w *Webhook) Target() string {
	names := make([]string, len(w.Hooks))
	for i, h := range w.Hooks {
		names[i] = h.Name
	}
	return strings.Join(names, ", ")
}

// mostAlerts are told in one call; the rest is counted.
const mostAlerts = 100

type hookBody struct {
	Receiver          string            `json:"receiver"`
	Status            string            `json:"status"`
	Alerts            []hookAlert       `json:"alerts"`
	GroupLabels       map[string]string `json:"groupLabels"`
	CommonLabels      map[string]string `json:"commonLabels"`
	CommonAnnotations map[string]string `json:"commonAnnotations"`
	ExternalURL       string            `json:"externalURL"`
	Version           string            `json:"version"`
	GroupKey          string            `json:"groupKey"`
	TruncatedAlerts   int               `json:"truncatedAlerts"`
}

type hookAlert struct {
	Status       string            `json:"status"`
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"` // the year 1 while it lasts, as Alertmanager has it
	GeneratorURL string            `json:"generatorURL"`
	Fingerprint  string            `json:"fingerprint"`
}

// Send posts a message to its hook.
func (w *Webhook) Send(ctx context.Context, msg plant.Message) error {
	i := slices.IndexFunc(w.Hooks, func(h Hook) bool { return h.Name == msg.Address })
	if i < 0 {
		return Permanent(fmt.Errorf("no webhook has the name %q, configured are %s", msg.Address, w.Target()))
	}
	hook := w.Hooks[i]
	out, err := w.body(ctx, hook.Name, msg)
	if err != nil {
		return err
	}
	body, err := json.Marshal(out)
	if err != nil {
		return Permanent(err)
	}
	header := http.Header{
		"Content-Type":    {"application/json"},
		"User-Agent":      {"Millwright"},
		"Idempotency-Key": {oneLine(msg.Key)},
	}
	if hook.Secret != "" {
		header.Set("Millwright-Signature", sign(hook.Secret, body, time.Now()))
	}
	return post(ctx, hook.URL, hook.CA, bytes.NewReader(body), header)
}

func sign(secret string, body []byte, now time.Time) string {
	t := strconv.FormatInt(now.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(t + "."))
	mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

func (w *Webhook) body(ctx context.Context, receiver string, msg plant.Message) (*hookBody, error) {
	out := &hookBody{
		Receiver: receiver, Status: "resolved", Version: "4", ExternalURL: w.External,
		GroupKey: "millwright/" + msg.Purpose + "/" + msg.Key,
		Alerts:   []hookAlert{}, GroupLabels: map[string]string{}, CommonAnnotations: map[string]string{},
	}
	ids := slices.Clone(msg.Alarms)
	if msg.Alarm != 0 && !slices.Contains(ids, msg.Alarm) {
		ids = slices.Insert(ids, 0, msg.Alarm)
	}
	if msg.Alarm != 0 {
		out.GroupKey = "millwright/alarm/" + strconv.FormatInt(msg.Alarm, 10)
	}
	out.TruncatedAlerts = max(len(ids)-mostAlerts, 0)
	for _, id := range ids[:min(len(ids), mostAlerts)] {
		a, err := w.Alarm(ctx, id)
		if err != nil {
			return nil, fmt.Errorf("alarm %d: %w", id, err)
		}
		out.Alerts = append(out.Alerts, w.alert(&a, msg))
	}
	if len(ids) == 0 { // a test or a sign of life
		out.Alerts = append(out.Alerts, hookAlert{
			Status: "firing", Labels: map[string]string{"alertname": "millwright." + msg.Purpose, "severity": "none"},
			Annotations: map[string]string{"summary": msg.Subject, "description": msg.Text},
			StartsAt:    time.Unix(0, msg.Created).UTC(), GeneratorURL: w.External, Fingerprint: fingerprint(msg.Purpose, ""),
		})
	}
	for _, a := range out.Alerts {
		if a.Status == "firing" {
			out.Status = "firing"
		}
	}
	out.CommonLabels = common(out.Alerts, func(a hookAlert) map[string]string { return a.Labels })
	out.CommonAnnotations = common(out.Alerts, func(a hookAlert) map[string]string { return a.Annotations })
	if asset, ok := out.CommonLabels["asset"]; ok {
		out.GroupLabels["asset"] = asset
	}
	return out, nil
}

func (w *Webhook) alert(a *plant.Alarm, msg plant.Message) hookAlert {
	f := &a.Finding
	out := hookAlert{
		Status: "firing",
		Labels: map[string]string{
			"alertname": f.Kind, "asset": f.Asset, "class": string(f.Class), "detector": f.Detector,
			"priority": strconv.Itoa(f.Priority), "severity": severity(f.Priority), "edge": a.Edge, "alarm": strconv.FormatInt(a.ID, 10),
		},
		Annotations:  map[string]string{"summary": f.Title()},
		StartsAt:     time.Unix(0, a.Raised).UTC(),
		GeneratorURL: strings.TrimRight(w.External, "/") + "/alarms/" + strconv.FormatInt(a.ID, 10),
		Fingerprint:  fingerprint(f.Asset, f.Key),
	}
	if f.Tag != "" {
		out.Labels["tag"] = f.Tag
	}
	if a.ID == msg.Alarm {
		out.Annotations["summary"], out.Annotations["description"] = msg.Subject, msg.Text
	}
	if a.AckedBy != "" {
		out.Annotations["acknowledged_by"] = a.AckedBy
	}
	if a.State == plant.RtnUnacked || a.State == plant.Cleared {
		out.Status, out.EndsAt = "resolved", time.Unix(0, a.Returned).UTC()
	}
	return out
}

// severity is a priority in the words that receivers of this format know.
func severity(priority int) string {
	switch priority {
	case 1:
		return "critical"
	case 2:
		return "error"
	case 3:
		return "warning"
	}
	return "info"
}

// fingerprint names a condition; the same one has the same name for ever.
func fingerprint(asset, key string) string {
	sum := sha256.Sum256([]byte(asset + "\x00" + key))
	return hex.EncodeToString(sum[:8])
}

// common is what all alerts share.
func common(alerts []hookAlert, of func(hookAlert) map[string]string) map[string]string {
	out := map[string]string{}
	for k, v := range of(alerts[0]) {
		if !slices.ContainsFunc(alerts, func(a hookAlert) bool { return of(a)[k] != v }) {
			out[k] = v
		}
	}
	return out
}
