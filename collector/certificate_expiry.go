package collector

import (
	"crypto/x509"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"millwright/plant"
)

// warnDays before the end of a certificate, each gives one warning.
var warnDays = []int{90, 30, 7}

const lateList = 7 * 24 * time.Hour // at most, before a revocation list runs out; a quarter of its life at least

// CertificateStatus is a certificate that a connection depends on.
type CertificateStatus struct {
	Role        string // "own", "user", "server", "issuer", "list" (of revoked ones)
	Name        string
	Fingerprint string // SHA-256
	NotAfter    time.Time
	Days        int    // whole days left; negative after the end
	Warn        int    // 90, 30 or 7: so close is the end, 0: not close, -1: it has passed
	Refused     string // why a server's certificate is not relied on; empty: it is

	life time.Duration // of a list
}

// CertificatesStatus is what Source.Certificates tells.
type CertificatesStatus struct {
	List         []CertificateStatus
	ClockUnknown string // why the clock cannot be relied on; empty: it can
}

// certificates are those of the present connection. Any goroutine may ask.
type certificates struct {
	mu      sync.Mutex
	list    []CertificateStatus // guarded by mu
	unknown string              // guarded by mu
	warned  map[string]int      // guarded by mu; by fingerprint: Warn of the newest warning
}

// Certificates lists the certificates of the connection and how long they last,
// reckoned at now. It is empty before the first connection and where nothing is
// secured.
func (s *Source) Certificates(now time.Time) CertificatesStatus {
	s.certs.mu.Lock()
	defer s.certs.mu.Unlock()
	all := CertificatesStatus{List: slices.Clone(s.certs.list), ClockUnknown: s.certs.unknown}
	for i := range all.List {
		all.List[i].reckon(now)
	}
	return all
}

func (c *CertificateStatus) reckon(now time.Time) {
	left := c.NotAfter.Sub(now)
	c.Days, c.Warn = int(left/(24*time.Hour)), 0
	if left < 0 {
		c.Days, c.Warn = c.Days-1, -1
		return
	}
	if c.Role == "list" {
		// Lists are made to be replaced: what matters is that the next one is late.
		if left <= min(lateList, c.life/4) {
			c.Warn = 7
		}
		return
	}
	for _, d := range warnDays {
		if left <= time.Duration(d)*24*time.Hour {
			c.Warn = d
		}
	}
}

func statusOf(role string, c *x509.Certificate) CertificateStatus {
	return CertificateStatus{Role: role, Name: c.Subject.CommonName, Fingerprint: fingerprint(c.Raw), NotAfter: c.NotAfter}
}

// listsOf are the revocation lists that the issuers of a chain have, the newest
// of each.
func listsOf(pki string, chain []*x509.Certificate) []CertificateStatus {
	if len(chain) < 2 {
		return nil
	}
	s, err := readStock(pki)
	if err != nil {
		return nil // the check of the chain says so
	}
	var all []CertificateStatus
	for i, ca := range chain[1:] {
		l, _, _ := s.listOf(&conditions{sha1: true}, chain[i], ca)
		if l == nil || l.NextUpdate.IsZero() {
			continue
		}
		all = append(all, CertificateStatus{Role: "list", Name: ca.Subject.CommonName, Fingerprint: fingerprint(l.Raw), NotAfter: l.NextUpdate, life: l.NextUpdate.Sub(l.ThisUpdate)})
	}
	return all
}

// shown is the list as the plant sees it.
func (s *Source) shown(now time.Time) (all []plant.CertificateStatus, clock string) {
	c := s.Certificates(now)
	for _, x := range s.spare.others() {
		if x.reckon(now); !slices.ContainsFunc(c.List, func(o CertificateStatus) bool { return o.Fingerprint == x.Fingerprint }) {
			c.List = append(c.List, x)
		}
	}
	for _, x := range c.List {
		p := plant.CertificateStatus{Who: x.Role, Subject: oneLine(x.Name), Fingerprint: x.Fingerprint, NotAfter: x.NotAfter.UnixNano(), Days: x.Days, State: plant.CertificateTrusted, Reason: oneLine(x.Refused)}
		switch {
		case x.Refused != "":
			p.State = plant.CertificateRejected
		case x.Warn < 0:
			p.State, p.Reason = plant.CertificateExpired, renewal[x.Role]
		case x.Warn == 7 || x.Warn == 30:
			p.State, p.Reason = plant.CertificateExpiring, renewal[x.Role]
		}
		all = append(all, p)
	}
	if c.ClockUnknown != "" {
		clock = "unknown: " + strings.TrimPrefix(c.ClockUnknown, "clock unknown: ")
	}
	return all, clock
}

// others are those that are not our own.
func (c *certificates) others() (list []CertificateStatus) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, x := range c.list {
		if x.Role != "own" && x.Role != "user" {
			list = append(list, x)
		}
	}
	return list
}

// set replaces the list by the one of a new connection. Own ones are put in by
// the security settings, the server's with its issuers by the check of them.
func (c *certificates) set(own, server []CertificateStatus, unknown string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list, c.unknown = slices.Concat(own, server), unknown
}

// warn logs what comes close to its end, once for each of warnDays.
func (c *certificates) warn(now time.Time, log *slog.Logger) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.warned == nil {
		c.warned = map[string]int{}
	}
	for i := range c.list {
		x := c.list[i]
		x.reckon(now)
		if before, ok := c.warned[x.Fingerprint]; x.Warn == 0 || ok && before == x.Warn {
			continue
		}
		c.warned[x.Fingerprint] = x.Warn
		at := []any{"days", x.Days, "until", date(x.NotAfter), "certificate", x.Name, "sha256", x.Fingerprint}
		if x.Warn < 0 {
			log.Error(fmt.Sprintf("the %s has expired: %s", paper(x.Role), renewal[x.Role]), at...)
			continue
		}
		log.Warn(fmt.Sprintf("the %s expires soon: %s", paper(x.Role), renewal[x.Role]), at...)
	}
}

func paper(role string) string {
	if role == "list" {
		return "revocation list"
	}
	return role + " certificate"
}

// renewal is the next step, by role.
var renewal = map[string]string{
	"own":    "make a new one and let the server trust it before it is used",
	"user":   "get a new one and let the server trust it",
	"server": "renew it at the server, then trust it here",
	"issuer": "have it renewed, with what it issued",
	"list":   "put the issuer's present revocation list beside its certificate",
}
