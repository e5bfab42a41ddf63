package collector

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
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
)

// identity is a certificate with its private key.
type identity struct {
	der []byte // the certificate, then its chain
	key *rsa.PrivateKey
	uri string // application URI in the certificate
}

// leaf is the certificate without its chain.
func (id *identity) leaf() []byte {
	c, err := leafOf(id.der)
	if err != nil {
		return id.der
	}
	return c.Raw
}

const (
	ownValid     = 5 * 365 * 24 * time.Hour
	ownKeyBits   = 2048 // more is dear to a small PLC at each connection
	maxRejected  = 100  // files in rejected/: strangers shall not fill the disk
	folderMode   = 0o700
	secretMode   = 0o600
	publicMode   = 0o644
	ownName      = "millwright"
	nextName     = "millwright.next"
	trustedDir   = "trusted"
	rejectedDir  = "rejected"
	issuersDir   = "issuers"
	ownDir       = "own"
	readableSize = 1 << 20
	certSuffix   = ".der"
	keySuffix    = ".key.pem"
)

// ownIdentity loads the application certificate of the PKI folder and makes it
// at first use. Several readers of one folder may come here at the same time,
// and each step may be the last before a power cut: the key is made once and
// never replaced, and a certificate is made for the key that is there.
func ownIdentity(pki, uri string) (*identity, error) {
	dir := filepath.Join(pki, ownDir)
	cert, key := filepath.Join(dir, ownName+certSuffix), filepath.Join(dir, ownName+keySuffix)
	if _, err := os.Stat(cert); err == nil {
		return loadOwn(cert, key, filepath.Join(dir, nextName+keySuffix))
	}
	for _, d := range []string{ownDir, trustedDir, rejectedDir, issuersDir} {
		if err := os.MkdirAll(filepath.Join(pki, d), folderMode); err != nil {
			return nil, err
		}
	}
	if err := makeOwn(cert, key, uri); err != nil {
		return nil, err
	}
	return loadIdentity(cert, key)
}

// loadOwn loads the certificate with whichever of the keys is its own: Renew
// may have been cut off between putting the one and the other in place.
func loadOwn(cert string, keys ...string) (*identity, error) {
	id, err := loadIdentity(cert, keys[0])
	for _, key := range keys[1:] {
		if err == nil {
			break
		}
		if other, wrong := loadIdentity(cert, key); wrong == nil {
			id, err = other, nil
		}
	}
	return id, err
}

// makeOwn makes a key and a certificate for it, or what is missing of them.
func makeOwn(cert, key, uri string) error {
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	if uri == "" {
		uri = "urn:" + host + ":millwright:edge"
	}
	if _, err := os.Stat(key); errors.Is(err, fs.ErrNotExist) {
		k, err := rsa.GenerateKey(rand.Reader, ownKeyBits)
		if err != nil {
			return err
		}
		pkcs8, err := x509.MarshalPKCS8PrivateKey(k)
		if err != nil {
			return err
		}
		if err := writeNew(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), secretMode); err != nil {
			return err
		}
	}
	k, err := readKey(key)
	if err != nil {
		return err
	}
	der, err := ownCertificate(k, uri, host)
	if err != nil {
		return err
	}
	return writeNew(cert, der, publicMode)
}

func newIdentity(uri, host string) (*identity, error) {
	key, err := rsa.GenerateKey(rand.Reader, ownKeyBits)
	if err != nil {
		return nil, err
	}
	der, err := ownCertificate(key, uri, host)
	if err != nil {
		return nil, err
	}
	return &identity{der: der, key: key, uri: uri}, nil
}

// ownCertificate makes an application certificate: its SAN has the application
// URI and the host (OPC 10000-6, 6.2.2).
func ownCertificate(key *rsa.PrivateKey, uri, host string) ([]byte, error) {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme == "" {
		return nil, fmt.Errorf("application URI %q: want a URI such as urn:HOST:millwright:edge (%v)", uri, err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	t := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "Millwright edge", Organization: []string{host}},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(ownValid),
		// Part 6, 6.2.2 asks for all of these uses of an application certificate.
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment |
			x509.KeyUsageKeyEncipherment | x509.KeyUsageDataEncipherment | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		URIs:                  []*url.URL{u},
		SignatureAlgorithm:    x509.SHA256WithRSA,
	}
	if ip := net.ParseIP(host); ip != nil {
		t.IPAddresses = []net.IP{ip}
	} else {
		t.DNSNames = []string{host}
	}
	return x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
}

// Renew makes a new own certificate with a new key beside the present one, or
// finds the one that it made before, and returns its file and SHA-256: let the
// servers trust it, then call UseNew. The present one goes on working.
func Renew(pki, uri, by string) (file, sha256 string, err error) {
	id, err := ownIdentity(pki, uri)
	if err != nil {
		return "", "", err
	}
	dir := filepath.Join(pki, ownDir)
	cert, key := filepath.Join(dir, nextName+certSuffix), filepath.Join(dir, nextName+keySuffix)
	if _, err := os.Stat(cert); errors.Is(err, fs.ErrNotExist) {
		// A key that is left of a switch that was cut off is the present one's.
		if k, err := readKey(key); err == nil && k.Equal(id.key) {
			if err := os.Rename(key, filepath.Join(dir, ownName+keySuffix)); err != nil {
				return "", "", err
			}
		}
		if err := audit(pki, by, "renew", fingerprint(id.leaf()), "the present one"); err != nil {
			return "", "", err
		}
		if err := makeOwn(cert, key, id.uri); err != nil {
			return "", "", err
		}
	}
	next, err := loadIdentity(cert, key)
	if err != nil {
		return "", "", err
	}
	return cert, fingerprint(next.leaf()), nil
}

// UseNew puts what Renew made in the place of the present certificate. A
// collector that is running connects anew with it within a minute.
func UseNew(pki, by string) error {
	dir := filepath.Join(pki, ownDir)
	next, err := loadIdentity(filepath.Join(dir, nextName+certSuffix), filepath.Join(dir, nextName+keySuffix))
	if err != nil {
		return fmt.Errorf("no new certificate to use: %w", err)
	}
	if err := audit(pki, by, "use-new", fingerprint(next.leaf()), "own"); err != nil {
		return err
	}
	for _, suffix := range []string{certSuffix, keySuffix} { // in this order: see loadOwn
		if err := os.Rename(filepath.Join(dir, nextName+suffix), filepath.Join(dir, ownName+suffix)); err != nil {
			return err
		}
	}
	return syncFolder(dir)
}

// writeNew writes a file that is not there yet; one that somebody else has made
// meanwhile stays.
func writeNew(name string, b []byte, mode fs.FileMode) error {
	return write(name, b, mode, func(tmp, name string) error {
		if err := os.Link(tmp, name); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		return os.Remove(tmp)
	})
}

// writeOwn replaces a file whole, also where several write it at once.
func writeOwn(name string, b []byte, mode fs.FileMode) error {
	return write(name, b, mode, os.Rename)
}

func write(name string, b []byte, mode fs.FileMode, place func(tmp, name string) error) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".new-")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = place(f.Name(), name)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return err
	}
	return syncFolder(filepath.Dir(name))
}

func syncFolder(name string) error {
	dir, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// loadIdentity reads a certificate (PEM or DER, a chain allowed) and its RSA
// key (PKCS#1 or PKCS#8, PEM or DER).
func loadIdentity(cert, key string) (*identity, error) {
	certs, err := readCertificates(cert)
	if err != nil {
		return nil, err
	}
	if key == "" {
		return nil, fmt.Errorf("%s: no key file is given for it", cert)
	}
	k, err := readKey(key)
	if err != nil {
		return nil, err
	}
	leaf := certs[0]
	pub, ok := leaf.PublicKey.(*rsa.PublicKey)
	if !ok || !pub.Equal(&k.PublicKey) {
		return nil, fmt.Errorf("%s does not belong to the key %s", cert, key)
	}
	id := &identity{key: k}
	for _, c := range certs {
		id.der = append(id.der, c.Raw...)
	}
	if len(leaf.URIs) > 0 {
		id.uri = leaf.URIs[0].String()
	}
	return id, nil
}

func readCertificates(name string) ([]*x509.Certificate, error) {
	b, err := readSmall(name)
	if err != nil {
		return nil, err
	}
	certs, _, err := parseCertificates(b)
	if err == nil && len(certs) == 0 {
		err = errors.New("no certificate")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return certs, nil
}

func readKey(name string) (*rsa.PrivateKey, error) {
	b, err := readSmall(name)
	if err != nil {
		return nil, err
	}
	k, err := parseKey(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return k, nil
}

func parseKey(b []byte) (*rsa.PrivateKey, error) {
	if block, _ := pem.Decode(b); block != nil {
		b = block.Bytes
	}
	if k, err := x509.ParsePKCS1PrivateKey(b); err == nil {
		return k, nil
	}
	any, err := x509.ParsePKCS8PrivateKey(b)
	if err != nil {
		return nil, errors.New("no RSA key in PEM or DER, PKCS#1 or PKCS#8")
	}
	k, ok := any.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("not an RSA key")
	}
	return k, nil
}

func readSmall(name string) ([]byte, error) {
	st, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file", name)
	}
	if st.Size() > readableSize {
		return nil, fmt.Errorf("%s: %d bytes is too large for a certificate or key", name, st.Size())
	}
	return os.ReadFile(name)
}
