package collector

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	minKeyBits  = 2048 // of all policies that we speak (OPC 10000-7)
	mostKeyBits = 4096 // likewise; larger ones only cost time
	mostSent    = 8    // certificates that a server may show as its chain
)

// fault is one condition of OPC 10000-4, 6.1.3 that a certificate does not
// meet, with the name that the standard gives it.
type fault struct {
	code string
	text string // what is wrong, and what to do next
}

func faultf(code, format string, args ...any) fault {
	return fault{code, fmt.Sprintf(format, args...)}
}

// certificateError says all that is wrong with a server's certificate.
type certificateError struct {
	leaf   *x509.Certificate
	faults []fault
}

func (e *certificateError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "server certificate %q, SHA-256 %s", e.leaf.Subject.CommonName, fingerprint(e.leaf.Raw))
	b.WriteString(": " + e.why())
	return b.String()
}

func (e *certificateError) why() string {
	all := make([]string, len(e.faults))
	for i, f := range e.faults {
		all[i] = f.text + " (" + f.code + ")"
	}
	return strings.Join(all, "; ")
}

func (e *certificateError) Is(target error) bool {
	return target == ErrUntrusted && slices.ContainsFunc(e.faults, func(f fault) bool { return f.code == codeUntrusted })
}

const (
	codeInvalid          = "BadCertificateInvalid"
	codeIncomplete       = "BadCertificateChainIncomplete"
	codePolicy           = "BadCertificatePolicyCheckFailed"
	codeUntrusted        = "BadCertificateUntrusted"
	codeTime             = "BadCertificateTimeInvalid"
	codeIssuerTime       = "BadCertificateIssuerTimeInvalid"
	codeHost             = "BadCertificateHostNameInvalid"
	codeURI              = "BadCertificateUriInvalid"
	codeUse              = "BadCertificateUseNotAllowed"
	codeIssuerUse        = "BadCertificateIssuerUseNotAllowed"
	codeRevoked          = "BadCertificateRevoked"
	codeIssuerRevoked    = "BadCertificateIssuerRevoked"
	codeRevocation       = "BadCertificateRevocationUnknown"
	codeIssuerRevocation = "BadCertificateIssuerRevocationUnknown"
)

// conditions says what a certificate must be for.
type conditions struct {
	now     time.Time // not the system's, see clock
	host    string    // of the URL that was dialled; empty: any will do
	applURI string    // of the server, by its own word
	sha1    bool      // allowed
	missing bool      // a revocation list may be missing or out of date
}

// checkLeaf looks at the server's certificate alone.
func (c *conditions) checkLeaf(leaf *x509.Certificate) []fault {
	var all []fault
	add := func(f fault) { all = append(all, f) }
	switch pub, ok := leaf.PublicKey.(*rsa.PublicKey); {
	case !ok:
		add(faultf(codePolicy, "its key is %s, and the security policies want RSA: make a new one at the server", keyType(leaf)))
	case pub.N.BitLen() < minKeyBits:
		add(faultf(codePolicy, "its RSA key has %d bits and is too short, at least %d are wanted: make a new one at the server", pub.N.BitLen(), minKeyBits))
	case pub.N.BitLen() > mostKeyBits:
		add(faultf(codePolicy, "its RSA key has %d bits, the security policies know at most %d: make a new one at the server", pub.N.BitLen(), mostKeyBits))
	case pub.E < 3 || pub.E%2 == 0:
		add(faultf(codePolicy, "its RSA key has the exponent %d, which protects nothing: make a new one at the server", pub.E))
	}
	if f, bad := c.checkHash(leaf, "it"); bad {
		add(f)
	}
	switch {
	case leaf.NotAfter.Before(leaf.NotBefore):
		add(faultf(codeTime, "it ends on %s, before it begins on %s: make a new one at the server", date(leaf.NotAfter), date(leaf.NotBefore)))
	case c.now.Before(leaf.NotBefore):
		add(faultf(codeTime, "it is valid from %s on only, and now it is %s: set the clock that is wrong", date(leaf.NotBefore), date(c.now)))
	case c.now.After(leaf.NotAfter):
		add(faultf(codeTime, "it was valid from %s to %s and has expired: renew it at the server", date(leaf.NotBefore), date(leaf.NotAfter)))
	}
	if c.host != "" && !namesHost(leaf, c.host) {
		add(faultf(codeHost, "it is for the hosts %s and not for %q of the url: reach the server by such a name, or renew its certificate with this one", hosts(leaf), c.host))
	}
	switch uris := leaf.URIs; {
	case len(uris) == 0:
		add(faultf(codeURI, "it names no application; the server says it is %q: make a new one with this URI at the server", c.applURI))
	case !slices.ContainsFunc(uris, func(u *url.URL) bool { return u.String() == c.applURI }):
		add(faultf(codeURI, "it is for the application %q and not for the application %q that the server says it is: make a new one with this URI at the server", uris[0], c.applURI))
	}
	return append(all, checkUse(leaf)...)
}

// checkUse holds a certificate against OPC 10000-6, 6.2.2.
func checkUse(leaf *x509.Certificate) []fault {
	var all []fault
	if leaf.KeyUsage == 0 {
		all = append(all, faultf(codeUse, "it does not say what its key may be used for (key usage): make a new one at the server"))
	} else {
		for _, u := range []struct {
			bit  x509.KeyUsage
			what string
		}{
			{x509.KeyUsageDigitalSignature, "for signatures (digitalSignature)"},
			{x509.KeyUsageKeyEncipherment, "to encrypt keys (keyEncipherment)"},
			{x509.KeyUsageDataEncipherment, "to encrypt data (dataEncipherment)"},
		} {
			if leaf.KeyUsage&u.bit == 0 {
				all = append(all, faultf(codeUse, "its key may not be used %s: make a new one at the server", u.what))
			}
		}
	}
	switch {
	case len(leaf.ExtKeyUsage)+len(leaf.UnknownExtKeyUsage) == 0:
		all = append(all, faultf(codeUse, "it does not say that it is a server's (extended key usage serverAuth): make a new one at the server"))
	case !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageServerAuth) && !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageAny):
		all = append(all, faultf(codeUse, "it is not a server's: its extended key usage has no serverAuth: make a new one at the server"))
	}
	if leaf.IsCA && !selfIssued(leaf) {
		all = append(all, faultf(codeUse, "it is an issuer's certificate and not an application's: give the server one of its own"))
	}
	return append(all, checkExtensions(leaf, "it", codeInvalid)...)
}

func checkExtensions(cert *x509.Certificate, who, code string) []fault {
	if len(cert.UnhandledCriticalExtensions) == 0 {
		return nil
	}
	return []fault{faultf(code, "%s has the critical extension %s, which is not understood here: make a new one without it", who, cert.UnhandledCriticalExtensions[0])}
}

// checkHash refuses signatures that can be forged, or that the policies do not
// know. The signature of a root is no part of it: it protects nothing.
func (c *conditions) checkHash(cert *x509.Certificate, who string) (fault, bool) {
	switch cert.SignatureAlgorithm {
	case x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA, x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS:
		return fault{}, false
	case x509.SHA1WithRSA:
		if c.sha1 {
			return fault{}, false
		}
		return faultf(codePolicy, "%s is signed with SHA-1, which can be forged: make a new one with SHA-256", who), true
	}
	return wrongHash(cert, who), true
}

func wrongHash(cert *x509.Certificate, who string) fault {
	return faultf(codePolicy, "%s is signed with %v, SHA-256, SHA-384 or SHA-512 with RSA is wanted: make a new one", who, cert.SignatureAlgorithm)
}

// checkIssuer looks at a certificate of the chain that issued another one;
// below is how many issuers stand between it and the server's.
func (c *conditions) checkIssuer(ca *x509.Certificate, below int) []fault {
	who := fmt.Sprintf("its issuer %q", ca.Subject)
	var all []fault
	add := func(f fault) { all = append(all, f) }
	switch pub, ok := ca.PublicKey.(*rsa.PublicKey); {
	case !ok:
		add(faultf(codePolicy, "the key of %s is %s, RSA is wanted: use another issuer", who, keyType(ca)))
	case pub.N.BitLen() < minKeyBits:
		add(faultf(codePolicy, "the RSA key of %s has %d bits and is too short, at least %d are wanted: use another issuer", who, pub.N.BitLen(), minKeyBits))
	case pub.N.BitLen() > mostKeyBits:
		add(faultf(codePolicy, "the RSA key of %s has %d bits, the security policies know at most %d: use another issuer", who, pub.N.BitLen(), mostKeyBits))
	}
	if !selfIssued(ca) {
		if f, bad := c.checkHash(ca, who); bad {
			add(f)
		}
	}
	switch {
	case c.now.Before(ca.NotBefore):
		add(faultf(codeIssuerTime, "%s is valid from %s on only, and now it is %s: set the clock that is wrong", who, date(ca.NotBefore), date(c.now)))
	case c.now.After(ca.NotAfter):
		add(faultf(codeIssuerTime, "%s expired on %s: renew it and what it issued", who, date(ca.NotAfter)))
	}
	switch {
	case !ca.BasicConstraintsValid || !ca.IsCA:
		add(faultf(codeIssuerUse, "%s is no certificate authority (basic constraints) and may issue nothing: use a real issuer", who))
	case ca.KeyUsage&x509.KeyUsageCertSign == 0:
		add(faultf(codeIssuerUse, "the key of %s may not sign certificates (keyCertSign): use a real issuer", who))
	case (ca.MaxPathLen > 0 || ca.MaxPathLenZero) && below > ca.MaxPathLen:
		add(faultf(codeIssuerUse, "%s may have at most %d issuers below it, here are %d (path length): use an issuer nearer to it", who, ca.MaxPathLen, below))
	}
	return append(all, checkExtensions(ca, who, codeInvalid)...)
}

// namesHost is strict: no wildcards, and no name that merely leads to the same
// address. Servers write addresses as names, too.
func namesHost(leaf *x509.Certificate, host string) bool {
	if ip := net.ParseIP(host); ip != nil {
		if slices.ContainsFunc(leaf.IPAddresses, ip.Equal) {
			return true
		}
	}
	host = strings.TrimSuffix(host, ".")
	return slices.ContainsFunc(leaf.DNSNames, func(n string) bool { return strings.EqualFold(strings.TrimSuffix(n, "."), host) })
}

func hosts(leaf *x509.Certificate) string {
	all := slices.Clone(leaf.DNSNames)
	for _, ip := range leaf.IPAddresses {
		all = append(all, ip.String())
	}
	if len(all) == 0 {
		return "(none)"
	}
	return strings.Join(all, ", ")
}

func keyType(c *x509.Certificate) string {
	if c.PublicKeyAlgorithm == x509.UnknownPublicKeyAlgorithm {
		return "of an unknown kind"
	}
	return c.PublicKeyAlgorithm.String()
}

func selfIssued(c *x509.Certificate) bool { return bytes.Equal(c.RawSubject, c.RawIssuer) }

func date(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
