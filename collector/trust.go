package collector

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"millwright/plant/disk"
)

// ErrUntrusted is the reason of a server certificate that nobody has trusted.
var ErrUntrusted = errors.New("not trusted")

// verifyServer says whether the server's certificate may be relied on: trusted
// by us (itself, or by an issuer in trusted/), in its time, for the
// application that the endpoint names. What is unknown is kept in rejected/.
// Revocation lists are not read.
func verifyServer(pki string, der []byte, applURI string, now time.Time) error {
	certs, err := x509.ParseCertificates(der)
	if err != nil || len(certs) == 0 {
		return fmt.Errorf("the server shows no readable certificate (%v)", err)
	}
	leaf := certs[0]
	if err := checkLeaf(leaf, applURI, now); err != nil {
		return err
	}
	trusted, err := readFolder(filepath.Join(pki, trustedDir))
	if err != nil {
		return err
	}
	issuers, err := readFolder(filepath.Join(pki, issuersDir))
	if err != nil {
		return err
	}
	for _, c := range trusted {
		if bytes.Equal(c.Raw, leaf.Raw) {
			return nil
		}
	}
	roots, middle := x509.NewCertPool(), x509.NewCertPool()
	for _, c := range trusted {
		if c.IsCA {
			roots.AddCert(c)
		}
	}
	for _, c := range append(issuers, certs[1:]...) {
		middle.AddCert(c)
	}
	_, err = leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: middle, CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	if err == nil {
		return nil
	}
	file, saved := keepRejected(pki, leaf)
	if saved != nil {
		return fmt.Errorf("server certificate %q %w (SHA-256 %s); it could not be kept for approval: %v",
			leaf.Subject.CommonName, ErrUntrusted, fingerprint(leaf.Raw), saved)
	}
	return fmt.Errorf("server certificate %q %w: compare SHA-256 %s with what the server itself shows, then move %s to %s",
		leaf.Subject.CommonName, ErrUntrusted, fingerprint(leaf.Raw), file, filepath.Join(pki, trustedDir))
}

func leafOf(der []byte) (*x509.Certificate, error) {
	certs, err := x509.ParseCertificates(der)
	if err != nil || len(certs) == 0 {
		return nil, fmt.Errorf("no readable certificate (%v)", err)
	}
	return certs[0], nil
}

func checkLeaf(leaf *x509.Certificate, applURI string, now time.Time) error {
	name := leaf.Subject.CommonName
	if now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
		return fmt.Errorf("server certificate %q is valid from %s to %s only: renew it at the server, or set the clock",
			name, leaf.NotBefore.UTC().Format(time.DateOnly), leaf.NotAfter.UTC().Format(time.DateOnly))
	}
	pub, ok := leaf.PublicKey.(*rsa.PublicKey)
	if !ok || pub.N.BitLen() < minKeyBits {
		return fmt.Errorf("server certificate %q: want an RSA key of at least %d bits", name, minKeyBits)
	}
	for _, u := range leaf.URIs {
		if u.String() == applURI {
			return nil
		}
	}
	return fmt.Errorf("server certificate %q is not for the application %q that the server says it is", name, applURI)
}

// readFolder reads the certificates of a folder; files that hold none are
// skipped, a missing folder is empty.
func readFolder(dir string) ([]*x509.Certificate, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var all []*x509.Certificate
	for _, e := range entries {
		if !e.Type().IsRegular() || !slices.Contains([]string{".der", ".pem", ".crt", ".cer"}, strings.ToLower(filepath.Ext(e.Name()))) {
			continue
		}
		if certs, err := readCertificates(filepath.Join(dir, e.Name())); err == nil {
			all = append(all, certs...)
		}
	}
	return all, nil
}

func keepRejected(pki string, leaf *x509.Certificate) (string, error) {
	dir := filepath.Join(pki, rejectedDir)
	if err := os.MkdirAll(dir, folderMode); err != nil {
		return "", err
	}
	sum := sha256.Sum256(leaf.Raw)
	name := filepath.Join(dir, hex.EncodeToString(sum[:])+".der")
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
	return name, disk.Replace(name, leaf.Raw, publicMode)
}

// fingerprint is the SHA-256 of a certificate as people compare it.
func fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	h := strings.ToUpper(hex.EncodeToString(sum[:]))
	var b strings.Builder
	for i := 0; i < len(h); i += 2 {
		if i > 0 {
			b.WriteByte(':')
		}
		b.WriteString(h[i : i+2])
	}
	return b.String()
}

// Trust moves a certificate that was rejected into the trusted folder of a PKI
// folder; want is its SHA-256 as the error and the report show it.
func Trust(pki, want string) error {
	certs, err := os.ReadDir(filepath.Join(pki, rejectedDir))
	if err != nil {
		return err
	}
	for _, c := range certs {
		from := filepath.Join(pki, rejectedDir, c.Name())
		list, err := readCertificates(from)
		if err != nil || fingerprint(list[0].Raw) != want {
			continue
		}
		if err := os.MkdirAll(filepath.Join(pki, trustedDir), folderMode); err != nil {
			return err
		}
		return os.Rename(from, filepath.Join(pki, trustedDir, c.Name()))
	}
	return fmt.Errorf("%s holds no certificate with SHA-256 %s", filepath.Join(pki, rejectedDir), want)
}
