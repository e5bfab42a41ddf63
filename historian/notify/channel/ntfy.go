package channel

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"unicode/utf8"

	"millwright/plant"
)

// Ntfy publishes to an ntfy server, the plant's own. The address of a message is
// the topic. The message's key makes its sequence id: a server that knows them
// (2.16 on) shows a message that came twice once.
type Ntfy struct {
	URL   string // "https://ntfy.works.local"
	Token string // access token; empty: none
	CA    string // PEM file; empty: the system's
}

// Name is the kind of channel.
func (n *Ntfy) Name() string { return "ntfy" }

// Target is the server.
func (n *Ntfy) Target() string { return n.URL }

var topicName = regexp.MustCompile(`^[-_A-Za-z0-9]{1,64}$`)

// The server makes an attachment of what is longer than 4096 bytes.
const mostNtfy = 4000

type ntfyMessage struct {
	Topic    string       `json:"topic"`
	Title    string       `json:"title,omitempty"`
	Message  string       `json:"message"`
	Priority int          `json:"priority"`
	Tags     []string     `json:"tags,omitempty"`
	Click    string       `json:"click,omitempty"`
	Actions  []ntfyAction `json:"actions,omitempty"`
	Sequence string       `json:"sequence_id"`
}

type ntfyAction struct {
	Action string `json:"action"`
	Label  string `json:"label"`
	URL    string `json:"url"`
}

// Send publishes a message.
func (n *Ntfy) Send(ctx context.Context, msg plant.Message) error {
	if !topicName.MatchString(msg.Address) {
		return Permanent(fmt.Errorf("topic %q: allowed are up to 64 letters, digits, - and _", msg.Address))
	}
	sum := sha256.Sum256([]byte(msg.Key))
	rest, label, target := link(msg.Text)
	out := ntfyMessage{
		Topic: msg.Address, Title: oneLine(msg.Subject), Message: clip(rest, mostNtfy),
		Priority: urgency(msg), Tags: tags(msg), Click: target, Sequence: hex.EncodeToString(sum[:16]),
	}
	if target != "" {
		if label == "" {
			label = "→"
		}
		out.Actions = []ntfyAction{{Action: "view", Label: label, URL: target}}
	}
	body, err := json.Marshal(out)
	if err != nil {
		return Permanent(err)
	}
	header := http.Header{"Content-Type": {"application/json"}, "User-Agent": {"Millwright"}}
	if n.Token != "" {
		header.Set("Authorization", "Bearer "+n.Token)
	}
	return post(ctx, strings.TrimRight(n.URL, "/")+"/", n.CA, bytes.NewReader(body), header)
}

// urgency is ntfy's priority: 5 rings through, 3 is usual, 2 makes no sound.
func urgency(msg plant.Message) int {
	switch msg.Purpose {
	case plant.PurposeHeartbeat:
		return 2
	case plant.PurposeTest, plant.PurposeReturn, plant.PurposeDigest:
		return 3
	}
	return min(max(6-msg.Priority, 2), 5)
}

// tags are shown as a sign before the title.
func tags(msg plant.Message) []string {
	switch {
	case msg.Purpose == plant.PurposeReturn:
		return []string{"white_check_mark"}
	case msg.Purpose != plant.PurposeAlarm && msg.Purpose != plant.PurposeMore:
		return nil
	case msg.Priority == 1:
		return []string{"rotating_light"}
	case msg.Priority == 2:
		return []string{"warning"}
	}
	return nil
}

// clip cuts a text to n bytes at the end of a character.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	n -= len("…")
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
