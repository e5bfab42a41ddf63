package plant

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// Release is what an engineer says of a tag that was put in quarantine because
// its node is not what it was.
type Release string

// Releases.
const (
	ReleaseSame     Release = "same"     // the quantity of before: its values go on
	ReleaseRescaled Release = "rescaled" // the same quantity in another unit or range: models learn it afresh
	ReleaseNew      Release = "new"      // another quantity: what was stored before is not its past
)

// Check says what is wrong with r.
func (r Release) Check() error {
	switch r {
	case ReleaseSame, ReleaseRescaled, ReleaseNew:
		return nil
	}
	return fmt.Errorf("%.40q, allowed are same, rescaled and new", string(r))
}

// Order is what an engineer at the plant decides about a PLC: to trust a
// certificate that its server has shown, or to release a tag. Nothing can be
// ordered of the PLC itself. The plant signs orders, the edge fetches them.
type Order struct {
	Number int64  `json:"number"` // grows with every order of a plant
	At     int64  `json:"at"`     // ns UTC
	Who    string `json:"who"`
	Reason string `json:"reason"`
	Edge   string `json:"edge"`
	PLC    string `json:"plc"`

	Trust string  `json:"trust,omitempty"` // SHA-256 of the certificate, 64 hex digits
	Tag   string  `json:"tag,omitempty"`   // path
	As    Release `json:"as,omitempty"`    // goes with Tag
}

// Check says what is wrong with o.
func (o *Order) Check() error {
	const most = 512
	for what, s := range map[string]string{"edge": o.Edge, "plc": o.PLC, "who": o.Who, "reason": o.Reason} {
		if strings.TrimSpace(s) == "" || len(s) > most {
			return fmt.Errorf("order: %s is empty or longer than %d bytes", what, most)
		}
	}
	switch {
	case (o.Trust == "") == (o.Tag == ""):
		return errors.New("order: want a certificate to trust or a tag to release")
	case o.Trust != "":
		if b, err := hex.DecodeString(o.Trust); err != nil || len(b) != 32 || o.As != "" {
			return errors.New("order: the fingerprint of a certificate has 64 hex digits")
		}
	case len(o.Tag) > most:
		return errors.New("order: the tag's path is too long")
	default:
		if err := o.As.Check(); err != nil {
			return fmt.Errorf("order: release %w", err)
		}
	}
	return nil
}

// What is the order in a few words.
func (o *Order) What() string {
	if o.Trust != "" {
		return "trust " + o.Trust
	}
	return "release " + o.Tag + " as " + string(o.As)
}

// OrderStatus is how far an edge has got with the plant's orders.
type OrderStatus struct {
	Done    int64          `json:"done"` // number of the newest that was looked at
	Refused []OrderRefusal `json:"refused,omitempty"`
}

// OrderRefusal is an order that an edge could not carry out.
type OrderRefusal struct {
	Number int64  `json:"number"`
	Why    string `json:"why"`
}
