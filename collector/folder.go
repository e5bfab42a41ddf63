package collector

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Held is a certificate or a revocation list in a PKI folder.
type Held struct {
	Place       string // "own", "next" (made by Renew), "trusted", "issuers", "rejected"
	File        string
	Subject     string
	URI         string // of the application; empty: it names none
	Fingerprint string // SHA-256; empty for a revocation list
	NotBefore   time.Time
	NotAfter    time.Time // of a revocation list, when the next one is due; may be zero
	Revokes     int       // entries of a revocation list, which Subject issued
}

// ListPKI tells what a PKI folder holds, in the order of Held.Place, and which
// files cannot be read. A folder that is not there holds nothing.
func ListPKI(pki string) (all []Held, unreadable []string, err error) {
	for _, own := range []struct{ place, name string }{{"own", ownName}, {"next", nextName}} {
		file := filepath.Join(pki, ownDir, own.name+certSuffix)
		list, err := readCertificates(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			unreadable = append(unreadable, err.Error())
			continue
		}
		all = append(all, held(own.place, file, list[0]))
	}
	for _, dir := range []string{trustedDir, issuersDir, rejectedDir} {
		for _, sub := range []string{"", "certs", "crl"} {
			here, wrong, err := listFolder(dir, filepath.Join(pki, dir, sub))
			if err != nil {
				return nil, nil, err
			}
			all, unreadable = append(all, here...), append(unreadable, wrong...)
		}
	}
	return all, unreadable, nil
}

func listFolder(place, dir string) (all []Held, unreadable []string, err error) {
	files, unreadable, err := readCertificateFiles(dir)
	for _, f := range files {
		for _, c := range f.certs {
			all = append(all, held(place, f.name, c))
		}
		for _, l := range f.lists {
			all = append(all, Held{Place: place, File: f.name, Subject: oneLine(l.Issuer.String()), NotBefore: l.ThisUpdate, NotAfter: l.NextUpdate, Revokes: len(l.RevokedCertificateEntries)})
		}
	}
	return all, unreadable, err
}

func held(place, file string, c *x509.Certificate) Held {
	h := Held{Place: place, File: file, Subject: oneLine(c.Subject.String()), Fingerprint: fingerprint(c.Raw), NotBefore: c.NotBefore, NotAfter: c.NotAfter}
	if len(c.URIs) > 0 {
		h.URI = oneLine(c.URIs[0].String())
	}
	return h
}

// find gives the certificate with a SHA-256 and the files of a part of the
// folder that hold it.
func find(pki, dir, want string) (*x509.Certificate, []string, error) {
	var found *x509.Certificate
	var files []string
	for _, sub := range []string{"", "certs"} {
		names, err := certificateFiles(filepath.Join(pki, dir, sub))
		if err != nil {
			return nil, nil, err
		}
		for _, name := range names {
			list, err := readCertificates(name)
			if err != nil {
				continue
			}
			for _, c := range list {
				if !SameFingerprint(fingerprint(c.Raw), want) {
					continue
				}
				if len(list) > 1 {
					return nil, nil, fmt.Errorf("%s holds %d certificates: take out the one with SHA-256 %s by hand", name, len(list), fingerprint(c.Raw))
				}
				found, files = c, append(files, name)
			}
		}
	}
	if found == nil {
		return nil, nil, fmt.Errorf("%s holds no certificate with SHA-256 %s: millwright pki list shows what there is", filepath.Join(pki, dir), oneLine(want))
	}
	return found, files, nil
}

// SameFingerprint compares fingerprints as people write them.
func SameFingerprint(a, b string) bool { return plainHex(a) == plainHex(b) }

// plainHex is a fingerprint without what people put in between.
func plainHex(s string) string {
	return strings.ToUpper(strings.NewReplacer(":", "", " ", "", "-", "").Replace(s))
}

// fileName is that of a certificate which we put into a folder.
func fileName(c *x509.Certificate) string {
	return strings.ToLower(plainHex(fingerprint(c.Raw))) + certSuffix
}

// Trust moves a certificate that was rejected into the trusted part of a PKI
// folder; want is its SHA-256. It counts for a collector that runs within a
// minute.
func Trust(pki, want, by string) error {
	return move(pki, want, by, "trust", rejectedDir, trustedDir)
}

// Untrust takes a certificate out of the trusted part, which ends the
// connections that depend on it within a minute.
func Untrust(pki, want, by string) error {
	return move(pki, want, by, "untrust", trustedDir, rejectedDir)
}

func move(pki, want, by, what, from, to string) error {
	c, files, err := find(pki, from, want)
	if err != nil {
		return err
	}
	dir := filepath.Join(pki, to)
	if err := os.MkdirAll(dir, folderMode); err != nil {
		return err
	}
	if err := audit(pki, by, what, fingerprint(c.Raw), c.Subject.String()); err != nil {
		return fmt.Errorf("nothing was changed, because it cannot be recorded: %w", err)
	}
	// First there, then gone here: a power cut in between leaves it in both, and
	// doing it again finishes it.
	if err := writeOwn(filepath.Join(dir, fileName(c)), c.Raw, publicMode); err != nil {
		return err
	}
	for _, f := range files {
		if err := os.Remove(f); err != nil {
			return err
		}
	}
	return syncFolder(filepath.Join(pki, from))
}

// Remaining judges a certificate of the trusted or rejected part as that of the
// server at url, and says what speaks against it besides that nobody trusts it.
// Its application URI is held against the server's word only when connecting.
func Remaining(pki, want, url string, sec Security) ([]string, error) {
	c, _, err := find(pki, trustedDir, want)
	if err != nil {
		if c, _, err = find(pki, rejectedDir, want); err != nil {
			return nil, err
		}
	}
	var all []string
	k := openClock(pki, sec.box, func(s string) { all = append(all, s) })
	now := time.Now()
	at, unknown := k.judge(now)
	if unknown != "" && !at.Equal(now) { // one that nothing has set is in nobody's way
		all = append(all, unknown)
	}
	m := &conditions{now: at, sha1: sec.AllowSHA1, missing: sec.Revocation == RevocationIfPresent}
	if !sec.AnyHost {
		m.host = hostOf(url)
	}
	if len(c.URIs) > 0 {
		m.applURI = c.URIs[0].String()
	}
	s, err := readStock(pki)
	if err != nil {
		return nil, err
	}
	_, faults := s.best(m, c, nil)
	for _, f := range faults {
		if f.code != codeUntrusted {
			all = append(all, f.text+" ("+f.code+")")
		}
	}
	return all, nil
}

// OwnCertificate is the edge's certificate of a PKI folder, or with next the
// one that Renew made, in DER and PEM, for the people who run the server.
func OwnCertificate(pki string, next bool) (der, text []byte, err error) {
	name := ownName
	if next {
		name = nextName
	}
	list, err := readCertificates(filepath.Join(pki, ownDir, name+certSuffix))
	if err != nil {
		return nil, nil, err
	}
	return list[0].Raw, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: list[0].Raw}), nil
}
