package collector

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"millwright/plant"
)

// ErrUntrusted is the reason of a server certificate that nobody has trusted.
var ErrUntrusted = errors.New("not trusted")

const mostShown = 64 << 10 // bytes of certificates that a server may show

// trust checks the server's certificate where something depends on it, before
// any secret is sent, and notes how long the connection's certificates last.
func (e *engine) trust(end *endpoint) error {
	e.judged = end
	p := e.sec
	for _, n := range p.notes {
		e.note(n)
	}
	p.notes = nil
	own := p.ownStatus()
	if !p.needsTrust(end) {
		e.src.certs.set(own, nil, "")
		e.expiry()
		return nil
	}
	if p.PKI == "" {
		return errors.New("a password or user certificate needs a trusted server certificate: give a folder for certificates")
	}
	at, unknown := p.clock.judge(time.Now())
	e.clockTurns(at, unknown)
	c := &conditions{now: at, applURI: end.applURI, sha1: p.AllowSHA1, missing: p.Revocation == RevocationIfPresent}
	if !p.AnyHost {
		c.host = hostOf(end.url)
	}
	chain, err := verifyServer(p.PKI, end.certificate, c)
	var server []CertificateStatus
	for i, x := range chain {
		role := "issuer"
		if i == 0 {
			role = "server"
		}
		server = append(server, statusOf(role, x))
	}
	if refused, ok := errors.AsType[*certificateError](err); ok {
		x := statusOf("server", refused.leaf)
		x.Refused = refused.why()
		server = append(server, x)
	}
	server = append(server, listsOf(p.PKI, chain)...)
	e.src.certs.set(own, server, unknown)
	e.expiry()
	if err != nil {
		return err
	}
	if err := p.clock.passed(at); err != nil {
		e.note(err.Error())
	}
	return nil
}

// clockTurns tells and records when the clock becomes unknown, and when it is
// known again.
func (e *engine) clockTurns(at time.Time, unknown string) {
	was := e.unknown
	e.unknown = unknown
	if (was == "") == (unknown == "") {
		return
	}
	turn, told := "clock-unknown", unknown
	if unknown == "" {
		turn, told = "clock-known", "the clock is known again"
	}
	e.note(told)
	if err := audit(e.sec.PKI, "clock", turn, "", "certificates are judged at "+at.UTC().Format(time.RFC3339)); err != nil {
		e.note("that the clock has become known or unknown could not be recorded: " + err.Error())
	}
}

const recheckTime = time.Minute // where Source.recheck is 0

// recheck judges the certificates of a connection that lives, now and then: a
// certificate may expire, be revoked or be taken out of trusted/, and our own
// may be renewed. An error ends the connection; the next one says why.
func (e *engine) recheck() error {
	if e.judged == nil || time.Since(e.checked) < cmp.Or(e.src.recheck, recheckTime) {
		return nil
	}
	e.checked = time.Now()
	if _, _, changed := e.sec.renewed(); changed {
		return errRenewed
	}
	return e.trust(e.judged)
}

var errRenewed = errors.New("our certificate was renewed: connecting with the new one")

// takeRenewed puts renewed certificates of ours into use for the next channel.
// A session goes only with the certificate that it was made with (OPC 10000-4,
// 5.7.3); its subscription is transferred to the next one.
func (e *engine) takeRenewed() {
	e.checked = time.Now()
	own, person, changed := e.sec.renewed()
	if !changed {
		return
	}
	e.sec.own, e.sec.person = own, person
	e.session = nil
	e.note("our certificate was renewed and is taken into use")
}

func (e *engine) note(text string) {
	if e.log != nil { // nobody reads a probe's log
		e.log.Warn(text)
	}
}

func (e *engine) expiry() {
	if e.log != nil {
		at := time.Now()
		if e.sec.clock != nil {
			at, _ = e.sec.clock.judge(at)
		}
		e.src.certs.warn(at, e.log)
	}
}

func (p *security) ownStatus() []CertificateStatus {
	var all []CertificateStatus
	for _, x := range []struct {
		role string
		id   *identity
	}{{"own", p.own}, {"user", p.person}} {
		if x.id == nil {
			continue
		}
		if c, err := leafOf(x.id.der); err == nil {
			all = append(all, statusOf(x.role, c))
		}
	}
	return all
}

// verifyServer says whether the server's certificate may be relied on, in all
// that OPC 10000-4, 6.1.3 asks for, and returns it with its issuers. An error
// names each condition that fails. Trusted is what is in trusted/, or what was
// issued by what is there; nothing is trusted because it was there first. What
// is unknown is kept in rejected/ for a person to judge.
func verifyServer(pki string, der []byte, c *conditions) ([]*x509.Certificate, error) {
	if len(der) > mostShown {
		return nil, fmt.Errorf("the server shows a certificate of %d bytes, at most %d are read (%s)", len(der), mostShown, codeInvalid)
	}
	certs, err := x509.ParseCertificates(der)
	if err == nil && len(certs) == 0 {
		err = errors.New("it is empty")
	}
	if err != nil {
		return nil, fmt.Errorf("the server shows no readable certificate (%s): %w", codeInvalid, err)
	}
	if len(certs) > mostSent {
		return nil, fmt.Errorf("the server shows a chain of %d certificates, at most %d are read (%s)", len(certs), mostSent, codeInvalid)
	}
	s, err := readStock(pki)
	if err != nil {
		return nil, err
	}
	leaf := certs[0]
	chain, faults := s.best(c, leaf, certs[1:])
	if len(faults) == 0 {
		return chain, nil
	}
	for i := range faults {
		if faults[i].code == codeUntrusted {
			faults[i].text += s.approval(pki, leaf)
		}
	}
	return nil, &certificateError{leaf, faults}
}

// best is the chain with the fewest faults, and these.
func (s *stock) best(c *conditions, leaf *x509.Certificate, sent []*x509.Certificate) (best []*x509.Certificate, faults []fault) {
	p := s.chains(leaf, sent)
	for _, chain := range p.complete {
		f := s.checkChain(c, chain)
		if !s.trusts(chain) {
			f = append([]fault{{codeUntrusted, ErrUntrusted.Error()}}, f...)
		}
		if best == nil || len(f) < len(faults) {
			best, faults = chain, f
		}
	}
	if best != nil {
		return best, faults
	}
	// Without a way to a root, what there is of it.
	if !s.trusts(p.longest) {
		faults = append(faults, fault{codeUntrusted, ErrUntrusted.Error()})
	}
	faults = append(faults, c.checkLeaf(leaf)...)
	if !slices.Contains(faults, p.why) {
		faults = append(faults, p.why)
	}
	return p.longest, faults
}

// trusts reports whether a person has put one of the chain into trusted/.
func (s *stock) trusts(chain []*x509.Certificate) bool {
	for _, c := range chain {
		if has(s.trusted, c) {
			return true
		}
	}
	return false
}

// approval keeps an unknown certificate and is the next step with it.
func (s *stock) approval(pki string, leaf *x509.Certificate) string {
	var b strings.Builder
	file, err := keepRejected(pki, leaf)
	if err != nil {
		fmt.Fprintf(&b, " (and it could not be kept for approval: %v)", err)
	} else {
		fmt.Fprintf(&b, ": compare the SHA-256 with what the server itself shows, then trust it: millwright pki trust --pki %s %s, or move %s to %s", pki, fingerprint(leaf.Raw)[:14], file, filepath.Join(pki, trustedDir))
	}
	if !selfIssued(leaf) {
		fmt.Fprintf(&b, ", or put the certificate of its issuer %q there", leaf.Issuer)
	}
	if len(s.unreadable) > 0 {
		fmt.Fprintf(&b, "; not read: %s", strings.Join(s.unreadable, ", "))
	}
	return b.String()
}

// hostOf is the host of an endpoint's URL.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address // names nothing, so nothing is for it
	}
	return u.Hostname()
}

func leafOf(der []byte) (*x509.Certificate, error) {
	certs, err := x509.ParseCertificates(der)
	if err != nil || len(certs) == 0 {
		return nil, fmt.Errorf("no readable certificate (%v)", err)
	}
	return certs[0], nil
}

func keepRejected(pki string, leaf *x509.Certificate) (string, error) {
	dir := filepath.Join(pki, rejectedDir)
	if err := os.MkdirAll(dir, folderMode); err != nil {
		return "", err
	}
	name := filepath.Join(dir, fileName(leaf))
	if _, err := os.Stat(name); err == nil {
		return name, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	if len(entries) >= maxRejected {
		return "", fmt.Errorf("%s holds %d files already: delete them", dir, len(entries))
	}
	return name, writeOwn(name, leaf.Raw, publicMode)
}

// fingerprint is the SHA-256 of a certificate as people compare it.
func fingerprint(der []byte) string { return plant.Fingerprint(der) }
