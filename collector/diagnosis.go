package collector

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

const (
	roundTrips  = 20
	clockReads  = 60 // more, of a clock that stands still meanwhile
	clockPause  = 20 * time.Millisecond
	mostTried   = 500 // tags in the measurement, where none are given
	triedEvery  = time.Second
	clockOff    = time.Second // values carry the server's time
	clockWrong  = time.Minute
	serviceFull = 200 // ServiceLevel of a server that is healthy (OPC 10000-4, 6.6.2.4.2)
	mostListed  = 5   // tags in one sentence
)

// Grade is how good the outcome of a check is.
type Grade string

// Grades. With Fail values cannot be had, or cannot be relied on.
const (
	OK   Grade = "OK"
	Warn Grade = "WARN"
	Fail Grade = "FAIL"
)

// Check is one thing that was looked at.
type Check struct {
	Grade Grade  `json:"grade"`
	Name  string `json:"name"`
	Text  string `json:"text"`
	Next  string `json:"next,omitempty"` // what to do about it
}

// Diagnosis is what stands between us and a server. What was not reached is empty.
type Diagnosis struct {
	URL       string           `json:"url"`
	Checks    []Check          `json:"checks"`
	Transport *Transport       `json:"transport,omitempty"`
	Product   Product          `json:"product"`
	Endpoints []EndpointReport `json:"endpoints,omitempty"`
	Limits    []Limit          `json:"limits,omitempty"`
	Measured  *Measured        `json:"measured,omitempty"`

	// Stranger: the server does not know our certificate, which has this SHA-256.
	Stranger    bool   `json:"stranger"`
	Certificate string `json:"certificate,omitempty"`

	say func(Check)
}

// Failed reports whether a check failed.
func (d *Diagnosis) Failed() bool {
	return slices.ContainsFunc(d.Checks, func(c Check) bool { return c.Grade == Fail })
}

func (d *Diagnosis) note(c Check) {
	d.Checks = append(d.Checks, c)
	if d.say != nil {
		d.say(c)
	}
}

func (d *Diagnosis) ok(name, text string)         { d.note(Check{Grade: OK, Name: name, Text: text}) }
func (d *Diagnosis) warn(name, text, next string) { d.note(Check{Warn, name, text, next}) }

// fail is false, so that a caller can end with it.
func (d *Diagnosis) fail(name, text, next string) bool {
	d.note(Check{Fail, name, text, next})
	return false
}

// Examination looks for what stands between us and a server, in the order in which
// a connection meets it, with a session of its own.
type Examination struct {
	URL        string
	Security   Security
	Tags       []plant.Tag   // the plant's own; where nil the first variables that are found are measured
	Publishing time.Duration // of the measurement; DefaultPublishing where 0
	Measure    time.Duration // how long values are received; 0: not at all

	// Manners, where not nil, gives the budget of load for a server that says it
	// is this product.
	Manners func(Product) plant.Budget
	// Say, where not nil, hears of each check as soon as it is done.
	Say func(Check)
}

// Run ends at the first failure that hides what comes behind it.
func (x *Examination) Run(ctx context.Context) *Diagnosis {
	d := &Diagnosis{URL: x.URL, say: x.Say}
	if !d.reachable(ctx, x.URL) {
		return d
	}
	r, l, srv, err := meet(ctx, x.URL, x.Security)
	d.Endpoints = r.Endpoints
	d.Product = Product{Name: strings.TrimSpace(r.ProductURI + " " + r.Server + " " + r.ApplicationURI)} // until it is known better
	if err != nil {
		d.fail("endpoints", err.Error(), "look at the settings, and whether the server has just started")
		return d
	}
	if !d.met(x.URL, x.Security, &r) {
		return d
	}
	err = d.inside(ctx, l, srv, &r, x)
	l.leave(ctx) // before the measurement: small PLCs have few sessions
	if err != nil {
		d.fail("session", err.Error(), "the server gave up in the middle: look at its log")
		return d
	}
	if x.Measure > 0 {
		x.measure(ctx, d)
	}
	return d
}

// met judges how far the connection got.
func (d *Diagnosis) met(url string, sec Security, r *Report) bool {
	var offers []string
	for _, e := range r.Endpoints {
		offers = append(offers, e.Policy+"/"+e.Mode)
	}
	all := strings.Join(dedupe(offers), ", ")
	for _, c := range r.Certificates.List {
		if c.Role == "own" {
			d.Certificate = c.Fingerprint
		}
	}
	if len(r.Endpoints) == 0 {
		return d.fail("endpoints", "the server offers no endpoint", "turn on at least one security policy at the server")
	}
	if r.Chosen < 0 {
		return d.fail("endpoints", fmt.Sprintf("the server offers no %s/%s; it offers %s", policyOf(sec), modeOf(sec), all),
			"choose one of these (--policy and --mode, security_policy and security_mode in the configuration), or turn this one on at the server")
	}
	end := r.Endpoints[r.Chosen]
	d.ok("endpoints", fmt.Sprintf("%s; %s/%s is used, for %s", all, end.Policy, end.Mode, strings.Join(end.Users, ", ")))
	d.protection(url, end)
	if r.Certificates.ClockUnknown != "" {
		d.warn("our clock", r.Certificates.ClockUnknown, "set the clock of this machine (NTP, or a battery)")
	}
	if r.Trusted != nil {
		return d.fail("certificate", r.Trusted.Error(), "")
	}
	d.expiry(r.Certificates.List)
	switch {
	case r.Login == nil:
		d.ok("login", fmt.Sprintf("session opened as %s", who(sec)))
		return true
	case errors.As(r.Login, new(choiceError)):
		return d.fail("login", r.Login.Error(), "give a user of the kind that the server takes, or let it take this kind")
	case errors.Is(r.Login, errStranger):
		d.Stranger = true
		return d.fail("trust in us", r.Login.Error(), "let the server trust our certificate")
	case errors.Is(r.Login, errLogin):
		return d.fail("login", r.Login.Error(), "compare user and password with what is set at the server, and whether this user may log in over OPC UA; do not try often, servers lock accounts")
	case errors.Is(r.Login, ua.StatusBadTooManySessions):
		return d.fail("login", r.Login.Error(), "the server has no session left: end clients that nobody needs, or raise its limit")
	}
	return d.fail("login", r.Login.Error(), "look at the server's log, which may say more than it tells us")
}

// protection warns of what protects too little.
func (d *Diagnosis) protection(url string, end EndpointReport) {
	host, _, _ := address(url)
	ip := net.ParseIP(host)
	here := host == "localhost" || ip != nil && ip.IsLoopback()
	switch {
	case end.Policy == "None" && !here:
		d.warn("security", "nothing is signed or encrypted: whoever is on the network can read and forge values",
			"use Basic256Sha256 or better with SignAndEncrypt; if the PLC cannot, an exception with approver and end (docs/plc.md)")
	case end.Policy == "Basic256" || end.Policy == "Basic128Rsa15":
		d.warn("security", end.Policy+" is broken (SHA-1)", "turn on Basic256Sha256 or better at the server")
	case end.Mode == "Sign":
		d.warn("security", "values are signed but can be read by whoever is on the network", "use SignAndEncrypt where the server bears it")
	case end.Policy != "None":
		d.ok("security", end.Policy+", "+end.Mode)
	}
}

func (d *Diagnosis) expiry(list []CertificateStatus) {
	var fine []string
	for _, c := range list {
		text := fmt.Sprintf("%s %q until %s", c.Role, line(c.Name, maxName), c.NotAfter.UTC().Format(time.DateOnly))
		switch {
		case c.Warn < 0 || c.Warn == 7:
			d.warn("certificate", fmt.Sprintf("%s: %d days left", text, c.Days), cmp.Or(renewal[c.Role], "renew it"))
		case c.Warn == 30 || c.Warn == 90 && c.Role != "list":
			d.warn("certificate", fmt.Sprintf("%s: %d days left", text, c.Days), cmp.Or(renewal[c.Role], "plan its renewal"))
		default:
			fine = append(fine, text)
		}
	}
	if len(fine) > 0 {
		d.ok("certificate", strings.Join(fine, "; "))
	}
}

func policyOf(sec Security) string { return cmp.Or(sec.Policy, "None") }

func modeOf(sec Security) string {
	switch {
	case sec.Mode != "":
		return sec.Mode
	case policyOf(sec) == "None":
		return "None"
	}
	return "SignAndEncrypt"
}

func who(sec Security) string {
	switch {
	case sec.User != "":
		return fmt.Sprintf("user %q", sec.User)
	case sec.UserCertificate != "":
		return "the user of " + sec.UserCertificate
	}
	return "an anonymous user"
}
