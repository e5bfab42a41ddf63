package plant

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"math"
	"strings"
	"time"
)

// CertificateStatus is a certificate, or a revocation list, that the connection
// to a PLC or to a broker depends on.
type CertificateStatus struct {
	Who         string `json:"who"` // "own", "user", "server", "issuer", "list" (of revoked ones)
	Subject     string `json:"subject"`
	Fingerprint string `json:"fingerprint"` // SHA-256
	NotAfter    int64  `json:"not_after"`   // ns UTC; of a list, when the next one is due
	Days        int    `json:"days"`        // whole days left, negative after the end
	State       string `json:"state"`
	Reason      string `json:"reason,omitempty"` // of the state, with the next step
}

// States of a certificate.
const (
	CertificateTrusted  = "trusted"
	CertificateExpiring = "expiring" // in 30 days or less
	CertificateExpired  = "expired"
	CertificateRejected = "rejected" // of a server: waits for a person, or is not good
)

// certificateSoon is when a certificate counts as expiring.
const certificateSoon = 30 * 24 * time.Hour

// CertificateOf is the status of a certificate that is trusted as far as its time
// goes. Who is one of those of CertificateStatus.
func CertificateOf(who string, c *x509.Certificate, now time.Time) CertificateStatus {
	left := c.NotAfter.Sub(now)
	s := CertificateStatus{
		Who: who, Subject: c.Subject.CommonName, Fingerprint: Fingerprint(c.Raw), NotAfter: c.NotAfter.UnixNano(),
		Days: int(math.Floor(left.Hours() / 24)), State: CertificateTrusted,
	}
	switch {
	case left < 0:
		s.State = CertificateExpired
	case left <= certificateSoon:
		s.State = CertificateExpiring
	}
	return s
}

// Fingerprint is the SHA-256 of a certificate in DER as people compare it:
// upper-case hexadecimal, two digits between colons.
func Fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	digits := strings.ToUpper(hex.EncodeToString(sum[:]))
	pairs := make([]string, 0, len(sum))
	for i := 0; i < len(digits); i += 2 {
		pairs = append(pairs, digits[i:i+2])
	}
	return strings.Join(pairs, ":")
}
