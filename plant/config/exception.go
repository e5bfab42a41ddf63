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

// Exception says who allowed that an old PLC is read with a weak policy, until
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
	return fmt.Sprintf("%s is read with security policy %s, approved by %s until %s: %s", strings.Join(p.urls(), " and "), p.SecurityPolicy, x.Approver, x.Until.Format(time.DateOnly), x.Reason)
}

// exception reads the section. Only a machine that talks to itself may go
// without security unasked.
func (t *table) exception(p *PLC) *Exception {
	weak := slices.Contains(WeakPolicies, p.SecurityPolicy)
	sub := t.table("exception")
	if sub == nil {
		said, named := t.m["security_policy"]
		if weak && !t.has("exception") && (!named || said == p.SecurityPolicy) && checkURL(p.URL, "opc.tcp") == nil && (p.SecurityPolicy != "None" || slices.ContainsFunc(p.urls(), func(u string) bool { return !onLoopback(u) })) {
			t.fault("security_policy", "%s protects too little: others on the network could read and forge the values; allowed are %s, or a section [plc.exception] with approver, until and reason",
				p.SecurityPolicy, strings.Join(Policies, ", "))
		}
		return nil
	}
	defer sub.close()
	x := &Exception{Approver: sub.need("approver", "M. Weber, plant security"), Reason: sub.need("reason", "the PLC of 2009 knows no other"), Until: sub.day("until")}
	if !weak {
		t.fault("exception", "excepts nothing, security_policy is %q: leave the section out", p.SecurityPolicy)
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
