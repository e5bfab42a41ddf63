package server

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"millwright/plant/disk"
)

// Folders below Server.PKI.
const (
	ownFolder      = "own"      // cert.der, key.pem
	trustedFolder  = "trusted"  // clients' certificates or their issuers', DER or PEM
	rejectedFolder = "rejected" // <thumbprint>.der of clients that were turned away
	usersFolder    = "users"    // certificates of X.509 users or their issuers'
)

const (
	keyBits      = 2048
	certLifetime = 10 * 365 * 24 * time.Hour
	maxRejected  = 200 // files; a scanner must not fill the disk
)

// identity is the server's own certificate and key.
type identity struct {
	cert []byte // DER
	key  *rsa.PrivateKey
}

// loadIdentity reads the server's certificate, or makes it on the first start.
// With no folder it lives in memory only.
func loadIdentity(dir, uri, name string, hosts []string) (identity, error) {
	if dir == "" {
		return newIdentity(uri, name, hosts)
	}
	for _, d := range []string{ownFolder, trustedFolder, rejectedFolder, usersFolder} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			return identity{}, fmt.Errorf("pki: %w", err)
		}
	}
	certFile, keyFile := filepath.Join(dir, ownFolder, "cert.der"), filepath.Join(dir, ownFolder, "key.pem")
	own, err := readIdentity(certFile, keyFile)
	if !errors.Is(err, fs.ErrNotExist) {
		return own, err
	}
	if own, err = newIdentity(uri, name, hosts); err != nil {
		return own, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(own.key)
	if err != nil {
		return own, fmt.Errorf("pki: %w", err)
	}
	// The key goes first: a certificate without its key would not be replaced.
	err = disk.Replace(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
	if err == nil {
		err = disk.Replace(certFile, own.cert, 0o600)
	}
	if err != nil {
		return own, fmt.Errorf("pki: %w", err)
	}
	return own, nil
}

func readIdentity(certFile, keyFile string) (identity, error) {
	cert, err := os.ReadFile(certFile)
	if err != nil {
		return identity{}, fmt.Errorf("pki: %w", err)
	}
	c, err := x509.ParseCertificate(cert)
	if err != nil {
		return identity{}, fmt.Errorf("pki: %s: %w", certFile, err)
	}
	text, err := os.ReadFile(keyFile)
	if err != nil {
		return identity{}, fmt.Errorf("pki: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return identity{}, fmt.Errorf("pki: %s: no PEM block", keyFile)
	}
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return identity{}, fmt.Errorf("pki: %s: %w", keyFile, err)
	}
	key, ok := k.(*rsa.PrivateKey)
	if !ok || !key.PublicKey.Equal(c.PublicKey) {
		return identity{}, fmt.Errorf("pki: %s is not the RSA key of %s", keyFile, certFile)
	}
	return identity{cert: cert, key: key}, nil
}

// newIdentity makes a self-signed application instance certificate
// (OPC 10000-6, 6.2.2).
func newIdentity(uri, name string, hosts []string) (identity, error) {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return identity{}, fmt.Errorf("pki: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return identity{}, fmt.Errorf("pki: %w", err)
	}
	u, err := url.Parse(uri)
	if err != nil {
		return identity{}, fmt.Errorf("application URI: %w", err)
	}
	t := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name, Organization: []string{"Millwright"}},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(certLifetime),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment |
			x509.KeyUsageKeyEncipherment | x509.KeyUsageDataEncipherment | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
		URIs:                  []*url.URL{u},
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else if h != "" {
			t.DNSNames = append(t.DNSNames, h)
		}
	}
	cert, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return identity{}, fmt.Errorf("pki: %w", err)
	}
	return identity{cert: cert, key: key}, nil
}

// trustClient checks the certificate of a client application. What comes is the
// leaf, perhaps with its issuers behind it.
func (s *Server) trustClient(der []byte) (*x509.Certificate, error) {
	certs, err := x509.ParseCertificates(der)
	if err != nil || len(certs) == 0 {
		return nil, fmt.Errorf("client certificate: %w", errSecurity)
	}
	leaf := certs[0]
	if err := checkLeaf(leaf); err != nil {
		return nil, err
	}
	if !s.RequireTrusted {
		return leaf, nil
	}
	if trusted(filepath.Join(s.PKI, trustedFolder), certs) {
		return leaf, nil
	}
	s.reject(leaf)
	return nil, fmt.Errorf("client certificate %s is not trusted: %w", leaf.Subject.CommonName, errSecurity)
}

func checkLeaf(leaf *x509.Certificate) error {
	k, ok := leaf.PublicKey.(*rsa.PublicKey)
	if !ok || k.Size() < 256 || k.Size() > 512 {
		return fmt.Errorf("certificate %s: RSA with 2048 to 4096 bits is allowed: %w", leaf.Subject.CommonName, errSecurity)
	}
	if now := time.Now(); now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
		return fmt.Errorf("certificate %s: valid from %s to %s: %w", leaf.Subject.CommonName,
			leaf.NotBefore.Format(time.DateTime), leaf.NotAfter.Format(time.DateTime), errSecurity)
	}
	return nil
}

// trusted reports whether the folder holds the leaf itself or an issuer of it.
// It is read at each check, so that an operator needs no restart.
func trusted(dir string, certs []*x509.Certificate) bool {
	roots := x509.NewCertPool()
	for _, c := range readCerts(dir) {
		if c.Equal(certs[0]) {
			return true
		}
		if c.IsCA {
			roots.AddCert(c)
		}
	}
	others := x509.NewCertPool()
	for _, c := range certs[1:] {
		others.AddCert(c)
	}
	_, err := certs[0].Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: others, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	return err == nil
}

// readCerts reads the certificates of a folder and of its subfolder certs, DER
// or PEM. Other files are passed over.
func readCerts(dir string) []*x509.Certificate {
	var all []*x509.Certificate
	for _, pattern := range []string{"*", "certs/*"} {
		names, _ := filepath.Glob(filepath.Join(dir, pattern)) // the patterns are well formed
		for _, n := range names {
			b, err := os.ReadFile(n)
			if err != nil {
				continue
			}
			if block, _ := pem.Decode(b); block != nil {
				b = block.Bytes
			}
			if c, err := x509.ParseCertificates(b); err == nil {
				all = append(all, c...)
			}
		}
	}
	return all
}

// reject keeps the certificate for an operator to look at and move.
func (s *Server) reject(leaf *x509.Certificate) {
	if s.PKI == "" {
		return
	}
	dir := filepath.Join(s.PKI, rejectedFolder)
	name := filepath.Join(dir, hex.EncodeToString(thumbprint(leaf.Raw))+".der")
	if names, err := os.ReadDir(dir); err != nil || len(names) >= maxRejected {
		return
	}
	if err := disk.Replace(name, leaf.Raw, 0o600); err != nil {
		s.log().Warn("rejected certificate not kept", "err", err)
	}
}

// thumbprint is the SHA-1 of the leaf certificate, as OPC UA wants it.
func thumbprint(der []byte) []byte {
	if certs, err := x509.ParseCertificates(der); err == nil && len(certs) > 0 {
		der = certs[0].Raw
	}
	t := sha1.Sum(der)
	return t[:]
}
