package collector

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	mostChain = 6   // certificates, the server's included
	mostTries = 100 // signatures looked at while a chain is sought
	mostFiles = 1000
)

// stock is what the PKI folder holds about others.
type stock struct {
	pki        string
	trusted    []*x509.Certificate
	issuers    []*x509.Certificate
	lists      []*x509.RevocationList
	unreadable []string // files, with the reason
}

// readStock reads trusted/ and issuers/. It is read for each connection, so
// that what a person moves there counts at once. Both may have the subfolders
// certs/ and crl/ that other OPC UA software makes.
func readStock(pki string) (*stock, error) {
	s := &stock{pki: pki}
	for _, f := range []struct {
		dir  string
		into *[]*x509.Certificate
	}{{trustedDir, &s.trusted}, {issuersDir, &s.issuers}} {
		for _, sub := range []string{"", "certs", "crl"} {
			if err := s.readFolder(filepath.Join(pki, f.dir, sub), f.into); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

// readFolder reads the certificates and revocation lists of a folder. Files
// that hold neither are noted, a missing folder is empty.
func (s *stock) readFolder(dir string, into *[]*x509.Certificate) error {
	files, unreadable, err := readCertificateFiles(dir)
	if err != nil {
		return err
	}
	s.unreadable = append(s.unreadable, unreadable...)
	for _, f := range files {
		*into = append(*into, f.certs...)
		s.lists = append(s.lists, f.lists...)
	}
	return nil
}

// certificateFile is what a file of a folder holds.
type certificateFile struct {
	name  string
	certs []*x509.Certificate
	lists []*x509.RevocationList
}

// readCertificateFiles reads the certificates and revocation lists of a folder,
// and says of which files that failed.
func readCertificateFiles(dir string) (files []certificateFile, unreadable []string, err error) {
	names, err := certificateFiles(dir)
	if err != nil {
		return nil, nil, err
	}
	for _, name := range names {
		f := certificateFile{name: name}
		b, err := readSmall(name)
		if err == nil {
			f.certs, f.lists, err = parseCertificates(b)
		}
		if err != nil {
			unreadable = append(unreadable, fmt.Sprintf("%s: %v", name, err))
			continue
		}
		files = append(files, f)
	}
	return files, unreadable, nil
}

// certificateFiles names the files of a folder that may hold certificates or
// revocation lists; none where there is no folder.
func certificateFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if len(entries) > mostFiles {
		return nil, fmt.Errorf("%s holds %d files, at most %d are read: remove what is not needed", dir, len(entries), mostFiles)
	}
	var names []string
	for _, e := range entries {
		if slices.Contains([]string{".der", ".pem", ".crt", ".cer", ".crl"}, strings.ToLower(filepath.Ext(e.Name()))) {
			names = append(names, filepath.Join(dir, e.Name()))
		}
	}
	return names, nil
}

// parseCertificates reads certificates and revocation lists, PEM or DER.
func parseCertificates(b []byte) (certs []*x509.Certificate, lists []*x509.RevocationList, err error) {
	block, rest := pem.Decode(b)
	if block == nil {
		if certs, err = x509.ParseCertificates(b); err == nil && len(certs) > 0 {
			return certs, nil, nil
		}
		list, other := x509.ParseRevocationList(b)
		if other != nil {
			return nil, nil, fmt.Errorf("no certificate (%v) and no revocation list", err)
		}
		return nil, []*x509.RevocationList{list}, nil
	}
	for ; block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE":
			c, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, nil, fmt.Errorf("no certificate: %w", err)
			}
			certs = append(certs, c)
		case "X509 CRL":
			l, err := x509.ParseRevocationList(block.Bytes)
			if err != nil {
				return nil, nil, fmt.Errorf("no revocation list: %w", err)
			}
			lists = append(lists, l)
		}
	}
	if len(certs)+len(lists) == 0 {
		return nil, nil, errors.New("no certificate and no revocation list in PEM or DER")
	}
	return certs, lists, nil
}

func has(list []*x509.Certificate, c *x509.Certificate) bool {
	return slices.ContainsFunc(list, c.Equal)
}

// paths is the search for chains from a certificate up to a root.
type paths struct {
	*stock
	pool     []*x509.Certificate
	tries    int
	complete [][]*x509.Certificate
	// Of the longest one that did not get to a root: the chain, and why.
	longest []*x509.Certificate
	why     fault
}

// chains finds the ways from leaf up to a root, through what is trusted first,
// then known issuers, then what the server itself sends: a sent certificate can
// be a step on the way, never what is trusted.
func (s *stock) chains(leaf *x509.Certificate, sent []*x509.Certificate) *paths {
	p := &paths{stock: s}
	for _, c := range slices.Concat(s.trusted, s.issuers, sent) {
		if !has(p.pool, c) {
			p.pool = append(p.pool, c)
		}
	}
	p.walk([]*x509.Certificate{leaf})
	return p
}

func (p *paths) walk(chain []*x509.Certificate) {
	last := chain[len(chain)-1]
	who, unknown := "it", false
	if len(chain) > 1 {
		who = fmt.Sprintf("its issuer %q", last.Subject)
	}
	forged := false
	if selfIssued(last) {
		err := signedBy(last, last)
		if err == nil {
			p.complete = append(p.complete, chain)
			return
		}
		forged = true
		unknown = unverifiable(err)
	}
	if len(chain) == mostChain {
		p.fail(chain, faultf(codeIncomplete, "its chain has more than %d certificates: use an issuer nearer to the root", mostChain))
		return
	}
	found := false
	for _, c := range p.pool {
		if !bytes.Equal(c.RawSubject, last.RawIssuer) || has(chain, c) {
			continue
		}
		if p.tries++; p.tries > mostTries {
			break
		}
		if err := signedBy(last, c); err != nil {
			forged = true
			unknown = unverifiable(err)
			continue
		}
		found = true
		p.walk(append(slices.Clip(chain), c))
	}
	switch {
	case found:
	case unknown:
		p.fail(chain, wrongHash(last, who))
	case forged:
		p.fail(chain, faultf(codeInvalid, "%s was not signed by %q as it says, it is forged or damaged: make a new one, and find out where this one comes from", who, last.Issuer))
	default:
		p.fail(chain, faultf(codeIncomplete, "the certificate of the issuer %q is missing: get it from whoever runs that issuer and put it into %s", last.Issuer, filepath.Join(p.pki, issuersDir)))
	}
}

func (p *paths) fail(chain []*x509.Certificate, why fault) {
	if len(chain) > len(p.longest) {
		p.longest, p.why = chain, why
	}
}

// signedBy only looks at the signature. Which algorithms and issuers are good
// enough is another question, with other answers.
func signedBy(c, by *x509.Certificate) error {
	return by.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature)
}

// unverifiable reports whether signedBy failed for the algorithm.
func unverifiable(err error) bool {
	var insecure x509.InsecureAlgorithmError
	return errors.As(err, &insecure) || errors.Is(err, x509.ErrUnsupportedAlgorithm)
}

// checkChain says what is wrong with a complete chain, in the order of
// OPC 10000-4, 6.1.3. What is not in trusted/ is left to the caller.
func (s *stock) checkChain(c *conditions, chain []*x509.Certificate) []fault {
	all := c.checkLeaf(chain[0])
	for i, ca := range chain[1:] {
		all = append(all, c.checkIssuer(ca, i)...)
	}
	if len(all) == 0 && len(chain) > 1 {
		all = checkNames(c, chain)
	}
	for i := range chain[1:] {
		if f, bad := s.checkRevocation(c, chain[i], chain[i+1], i > 0); bad {
			all = append(all, f)
		}
	}
	return all
}

// checkNames lets the library walk the chain again, for the names that an
// issuer is confined to.
func checkNames(c *conditions, chain []*x509.Certificate) []fault {
	roots, middle := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(chain[len(chain)-1])
	for _, ca := range chain[1 : len(chain)-1] {
		middle.AddCert(ca)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: middle, CurrentTime: c.now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	if err == nil {
		return nil
	}
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) && invalid.Reason == x509.CANotAuthorizedForThisName {
		return []fault{faultf(codeIssuerUse, "an issuer of it may not issue for its names (name constraints: %s): use another issuer", invalid.Detail)}
	}
	if c.sha1 && slices.ContainsFunc(chain, func(c *x509.Certificate) bool { return c.SignatureAlgorithm == x509.SHA1WithRSA }) {
		if !slices.ContainsFunc(chain, confines) {
			return nil // the library verifies no SHA-1; the signatures were verified here
		}
		return []fault{faultf(codeIssuerUse, "name constraints cannot be checked in a chain with SHA-1: make new certificates with SHA-256")}
	}
	return []fault{faultf(codeInvalid, "its chain is not valid: %v", err)}
}

func confines(c *x509.Certificate) bool {
	return len(c.PermittedDNSDomains)+len(c.ExcludedDNSDomains)+len(c.PermittedIPRanges)+len(c.ExcludedIPRanges)+
		len(c.PermittedURIDomains)+len(c.ExcludedURIDomains)+len(c.PermittedEmailAddresses)+len(c.ExcludedEmailAddresses) > 0
}
