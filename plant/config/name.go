package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// checkName checks a name that becomes a level of an MQTT topic (Sparkplug B
// group, edge node and device ids).
func checkName(s string) error {
	if i := strings.IndexFunc(s, func(r rune) bool {
		return strings.ContainsRune("+#/", r) || unicode.IsSpace(r) || unicode.IsControl(r) || r == unicode.ReplacementChar
	}); i >= 0 {
		r := []rune(s[i:])[0]
		return fmt.Errorf("%q holds %q, allowed is a name without blanks and without + # /", s, r)
	}
	return nil
}

// checkPath checks the path of a tag or an asset.
func checkPath(s string) error {
	if s == "" {
		return errors.New("is empty, allowed is a path such as HSM/FM/F3/GBX/VIB_H")
	}
	for _, part := range strings.Split(s, "/") {
		if part == "" {
			return fmt.Errorf("%q has an empty level, allowed are names divided by single slashes", s)
		}
		if strings.TrimSpace(part) != part {
			return fmt.Errorf("%q has a blank beside a slash or at an end", s)
		}
		if strings.HasPrefix(part, "$") {
			return fmt.Errorf("%q: names that begin with $ are kept for what Millwright derives itself", s)
		}
		if strings.ContainsAny(part, "+#") || strings.ContainsFunc(part, unicode.IsControl) {
			return fmt.Errorf("%q holds + or # or a control character, allowed are other letters", s)
		}
	}
	return nil
}

var nodeID = regexp.MustCompile(`^(?:ns=(\d{1,5});|nsu=[^;]+;)?(?:i=\d{1,10}|s=.+|g=[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|b=[A-Za-z0-9+/]+={0,2})$`)

// checkNode checks the text form of an OPC UA NodeId (OPC 10000-6, 5.3.1.10).
func checkNode(s string) error {
	m := nodeID.FindStringSubmatch(s)
	if m != nil && m[1] != "" {
		if n, _ := strconv.Atoi(m[1]); n > 65535 {
			m = nil
		}
	}
	if m == nil {
		return fmt.Errorf("%q is no OPC UA node, allowed are ns=2;s=Name, nsu=urn:maker:plc;s=Name, ns=2;i=1001 and the like", s)
	}
	return nil
}

// checkURL checks scheme and host of a URL that may not carry credentials.
func checkURL(s string, schemes ...string) error {
	u, err := url.Parse(s)
	if err != nil || !slices.Contains(schemes, u.Scheme) || u.Hostname() == "" {
		return fmt.Errorf("%q is no usable URL, allowed is %s://HOST:PORT", s, strings.Join(schemes, ":// or "))
	}
	if u.User != nil {
		return fmt.Errorf("%q carries a user or password, these have their own keys", u.Redacted())
	}
	if p := u.Port(); p != "" {
		return checkPort(p)
	}
	return nil
}

// checkListen checks HOST:PORT.
func checkListen(s string) error {
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return fmt.Errorf("%q is no address, allowed is HOST:PORT such as 127.0.0.1:8080", s)
	}
	return checkPort(port)
}

func checkPort(s string) error {
	if n, err := strconv.Atoi(s); err != nil || n < 0 || n > 65535 {
		return fmt.Errorf("port %q, allowed is 0 to 65535", s)
	}
	return nil
}

// loopback reports whether only this machine can reach HOST:PORT.
func loopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
