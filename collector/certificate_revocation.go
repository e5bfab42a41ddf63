package collector

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
)

// checkRevocation asks the issuer's revocation list about cert; above says that
// cert is itself an issuer. A list that names cert always counts, however old.
func (s *stock) checkRevocation(c *conditions, cert, ca *x509.Certificate, above bool) (fault, bool) {
	who, revoked, unknown := "it", codeRevoked, codeRevocation
	if above {
		who, revoked, unknown = fmt.Sprintf("its issuer %q", cert.Subject), codeIssuerRevoked, codeIssuerRevocation
	}
	list, entry, why := s.listOf(c, cert, ca)
	if entry != nil {
		return faultf(revoked, "%s was revoked by its issuer on %s%s: make a new one, and find out why", who, date(entry.RevocationTime), reasonText(entry.ReasonCode)), true
	}
	if list != nil {
		why = staleList(c, list)
	}
	if why == "" || c.missing {
		return fault{}, false
	}
	return faultf(unknown, "whether %s was revoked is not known: the revocation list of %q %s: put a present one beside the issuer's certificate", who, ca.Subject, why), true
}

// listOf is the newest whole list of an issuer, and the entry of cert in it or
// in a list of part of what was revoked. Where there is no list that can be
// relied on, why says what is wrong with what there is.
func (s *stock) listOf(c *conditions, cert, ca *x509.Certificate) (newest *x509.RevocationList, entry *x509.RevocationListEntry, why string) {
	why = "is missing"
	for _, l := range s.lists {
		if !bytes.Equal(l.RawIssuer, ca.RawSubject) {
			continue
		}
		if l.CheckSignatureFrom(ca) != nil {
			why = "was not signed by it, or it may not sign lists (cRLSign)"
			continue
		}
		if id := partial(l); id != nil {
			why = fmt.Sprintf("is only a part of one, or has an extension that is not understood here (%s)", id)
			if e := entryOf(l, cert); e != nil {
				entry = e
			}
			continue
		}
		if newest == nil || l.ThisUpdate.After(newest.ThisUpdate) {
			newest = l
		}
	}
	if newest == nil {
		return nil, entry, why
	}
	if e := entryOf(newest, cert); e != nil {
		entry = e
	}
	if newest.SignatureAlgorithm == x509.SHA1WithRSA && !c.sha1 {
		return nil, entry, "is signed with SHA-1, which can be forged"
	}
	return newest, entry, ""
}

func entryOf(l *x509.RevocationList, cert *x509.Certificate) *x509.RevocationListEntry {
	for i := range l.RevokedCertificateEntries {
		if e := &l.RevokedCertificateEntries[i]; e.SerialNumber.Cmp(cert.SerialNumber) == 0 {
			return e
		}
	}
	return nil
}

// staleList says why a list no longer, or not yet, tells the present.
func staleList(c *conditions, l *x509.RevocationList) string {
	switch {
	case c.now.Before(l.ThisUpdate):
		return fmt.Sprintf("is of %s, and now it is %s", date(l.ThisUpdate), date(c.now))
	case l.NextUpdate.IsZero():
		return "does not say until when it holds"
	case c.now.After(l.NextUpdate):
		return "is out of date since " + date(l.NextUpdate)
	}
	return ""
}

// partial is a critical extension that keeps a list, or an entry, from meaning
// what it seems to (RFC 5280, 5.2): lists of changes, of some certificates or
// reasons only, of other issuers.
func partial(l *x509.RevocationList) asn1.ObjectIdentifier {
	first := func(all []pkix.Extension) asn1.ObjectIdentifier {
		for _, x := range all {
			if x.Critical {
				return x.Id
			}
		}
		return nil
	}
	if id := first(l.Extensions); id != nil {
		return id
	}
	for _, e := range l.RevokedCertificateEntries {
		if id := first(e.Extensions); id != nil {
			return id
		}
	}
	return nil
}

func reasonText(code int) string {
	reasons := map[int]string{1: "the key was stolen", 2: "the issuer's key was stolen", 3: "its owner has changed", 4: "it was replaced",
		5: "it is no longer used", 6: "it is on hold", 9: "a privilege was withdrawn"}
	if r, ok := reasons[code]; ok {
		return " because " + r
	}
	return ""
}
