package config

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Policies are the security policies that need no exception, the best last.
var Policies = []string{"Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss"}

// WeakPolicies are those that only an exception allows. Basic128Rsa15 is none of
// them: its padding lets who listens find the keys, so it would only look safe.
var WeakPolicies = []string{"None", "Basic256"}

// Exception says who allowed that an old PLC is read with a weak policy, or
// without encryption, until
// when and why, section [plc.exception].
type Exception struct {
	Approver string
	Until    time.Time // the end of its last day, local time
	Reason   string
}

// Over reports whether its time has passed.
func (x *Exception) Over(now time.Time) bool { return now.After(x.Until) }

// Text is the exception in words, with what it is from.
func (x *Exception) Text(p *PLC) string {
	how := "security policy " + p.SecurityPolicy
	if p.SecurityMode == signed {
		how += " and security mode Sign, which encrypts nothing"
	}
	return fmt.Sprintf("%s is read with %s, approved by %s until %s: %s", strings.Join(p.urls(), " and "), how, x.Approver, x.Until.Format(time.DateOnly), x.Reason)
}

// signed is the security mode in which others can read what is sent, a user's
// name too.
const signed = "Sign"

// exceptionLines are what makes an exception, for who has to add them.
const exceptionLines = `the lines [plc.exception], approver = "WHO DECIDED IT", until = 2027-06-30, reason = "WHY" at the end of this [[plc]]`

// exception reads the section. Only a machine that talks to itself may go
// without security unasked.
func (t *table) exception(p *PLC) *Exception {
	weak, open := slices.Contains(WeakPolicies, p.SecurityPolicy), p.SecurityMode == signed
	away := slices.ContainsFunc(p.urls(), func(u string) bool { return !onLoopback(u) })
	sub := t.table("exception")
	if sub == nil {
		said, named := t.m["security_policy"]
		if weak && !t.has("exception") && (!named || said == p.SecurityPolicy) && checkURL(p.URL, "opc.tcp") == nil && (p.SecurityPolicy != "None" || away) {
			t.fault("security_policy", "%s protects too little: others on the network could read and forge the values; allowed are %s, or a section [plc.exception] with approver, until and reason",
				p.SecurityPolicy, strings.Join(Policies, ", "))
		}
		if !weak && open && away && !t.has("exception") && checkURL(p.URL, "opc.tcp") == nil {
			t.fault("security_mode", "Sign lets others on the network read the values and who logs in; allowed is SignAndEncrypt, or "+exceptionLines)
		}
		return nil
	}
	defer sub.close()
	x := &Exception{Approver: sub.need("approver", "M. Weber, plant security"), Reason: sub.need("reason", "the PLC of 2009 knows no other"), Until: sub.day("until")}
	if !weak && !open {
		t.fault("exception", "excepts nothing, security_policy is %q and security_mode %q: leave the section out", p.SecurityPolicy, p.SecurityMode)
	}
	return x
}

// day is the end of a day in local time.
func (t *table) day(key string) time.Time {
	v, ok := t.get(key)
	if !ok {
		t.fault(key, "is missing, for example %s = 2027-06-30", key)
		return time.Time{}
	}
	d, ok := v.(time.Time)
	if !ok {
		var err error
		text, _ := v.(string)
		if d, err = time.Parse(time.DateOnly, text); err != nil {
			t.fault(key, "is %s, allowed is a date such as 2027-06-30", kindOf(v))
			return time.Time{}
		}
	}
	return time.Date(d.Year(), d.Month(), d.Day(), 23, 59, 59, 0, time.Local)
}

// onLoopback reports whether a URL leads to this machine itself.
func onLoopback(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return true // said by others
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}
