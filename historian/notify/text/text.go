// Package text writes what people read: the messages about alarms in English,
// Urdu and Russian, long for mail and short for SMS.
package text

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"millwright/plant"
)

// Purposes of answers to a person's SMS, beside those of plant.Message.
const (
	ReplyOK      = "reply-ok"      // the alarm is acknowledged
	ReplyUnknown = "reply-unknown" // no alarm has this code
)

// Context is what a message is about.
type Context struct {
	Purpose    string // plant.PurposeAlarm … or ReplyOK, ReplyUnknown
	Channel    string // kind; "sms" makes it short
	Language   string // plant.English where unknown
	Alarm      plant.Alarm
	AssetName  string        // for people; empty: the path stands alone
	AssetClass string        // "gearbox", "pump", "fan", "motor": what to look at first
	Others     []plant.Alarm // what joined, or what the digest tells
	Held       int           // messages that quiet hours or a flood held
	Now        int64         // ns UTC
	Zone       *time.Location
	Link       string // opens the page that acknowledges
	Code       string // two digits to answer by SMS
	RespondBy  int64  // ns UTC; 0: by the priority
	Step       int    // of the escalation, from 0
}

// Write makes the subject and the text of a message. An SMS has no subject.
func Write(c Context) (subject, body string) {
	f := &c.Alarm.Finding
	zone := cmp.Or(c.Zone, time.UTC)
	subject = fmt.Sprintf("P%d %s: %s", f.Priority, f.Asset, f.Title())
	lines := []string{subject}
	if c.Alarm.Raised != 0 {
		lines = append(lines, "Since "+time.Unix(0, c.Alarm.Raised).In(zone).Format("15:04"))
	}
	for _, o := range c.Others {
		lines = append(lines, fmt.Sprintf("P%d %s: %s", o.Finding.Priority, o.Finding.Asset, o.Finding.Title()))
	}
	if c.Link != "" {
		lines = append(lines, c.Link)
	}
	if c.Code != "" {
		lines = append(lines, "Answer "+c.Code+" to acknowledge")
	}
	if c.Channel == "sms" {
		return "", strings.Join(lines, ". ")
	}
	return subject, strings.Join(lines, "\n")
}
