package plant

// CertificateStatus is a certificate, or a revocation list, that the connection
// to a PLC depends on.
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
