package collector

import (
	"crypto/x509"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// warnDays before the end of a certificate, each gives one warning.
var warnDays = []int{90, 30, 7}

// CertificateStatus is a certificate that a connection depends on.
type CertificateStatus struct {
	Role        string // "own", "user", "server", "issuer"
	Name        string
	Fingerprint string // SHA-256
	NotAfter    time.Time
	Days        int // whole days left; negative after the end
	Warn        int // 90, 30 or 7: so close is the end, 0: not close, -1: it has passed
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
	for _, d := range warnDays {
		if left <= time.Duration(d)*24*time.Hour {
			c.Warn = d
		}
	}
}

func statusOf(role string, c *x509.Certificate) CertificateStatus {
	return CertificateStatus{Role: role, Name: c.Subject.CommonName, Fingerprint: fingerprint(c.Raw), NotAfter: c.NotAfter}
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
			log.Error(fmt.Sprintf("the %s certificate has expired: %s", x.Role, renewal[x.Role]), at...)
			continue
		}
		log.Warn(fmt.Sprintf("the %s certificate expires soon: %s", x.Role, renewal[x.Role]), at...)
	}
}

// renewal is the next step, by role.
var renewal = map[string]string{
	"own":    "make a new one and let the server trust it before it is used",
	"user":   "get a new one and let the server trust it",
	"server": "renew it at the server, then trust it here",
	"issuer": "have it renewed, with what it issued",
}
