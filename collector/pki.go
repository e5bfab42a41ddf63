package collector

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"millwright/plant/disk"
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
	minKeyBits   = 2048
	maxRejected  = 100 // files in rejected/: strangers shall not fill the disk
	folderMode   = 0o700
	secretMode   = 0o600
	publicMode   = 0o644
	ownName      = "millwright"
	trustedDir   = "trusted"
	rejectedDir  = "rejected"
	issuersDir   = "issuers"
	ownDir       = "own"
	readableSize = 1 << 20
)

// ownIdentity loads the application certificate of the PKI folder and makes it
// at first use. Its SAN URI is the application URI (OPC 10000-4, 5.4.1).
func ownIdentity(pki, uri string) (*identity, error) {
	dir := filepath.Join(pki, ownDir)
	cert, key := filepath.Join(dir, ownName+".der"), filepath.Join(dir, ownName+".key.pem")
	if _, err := os.Stat(cert); err == nil {
		return loadIdentity(cert, key)
	}
	for _, d := range []string{ownDir, trustedDir, rejectedDir, issuersDir} {
		if err := os.MkdirAll(filepath.Join(pki, d), folderMode); err != nil {
			return nil, err
		}
	}
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	if uri == "" {
		uri = "urn:" + host + ":millwright:edge"
	}
	id, err := newIdentity(uri, host)
	if err != nil {
		return nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(id.key)
	if err != nil {
		return nil, err
	}
	// The key first: a certificate without its key would be taken for finished.
	if err := disk.Replace(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), secretMode); err != nil {
		return nil, err
	}
	if err := disk.Replace(cert, id.der, publicMode); err != nil {
		return nil, err
	}
	return id, nil
}

func newIdentity(uri, host string) (*identity, error) {
	u, err := url.Parse(uri)
	if err != nil {
		return nil, fmt.Errorf("application URI %q: %w", uri, err)
	}
	key, err := rsa.GenerateKey(rand.Reader, minKeyBits)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "Millwright edge", Organization: []string{host}},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(ownValid),
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
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	return &identity{der: der, key: key, uri: uri}, nil
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
	der := b
	if block, rest := pem.Decode(b); block != nil {
		der = nil
		for ; block != nil; block, rest = pem.Decode(rest) {
			if block.Type == "CERTIFICATE" {
				der = append(der, block.Bytes...)
			}
		}
	}
	certs, err := x509.ParseCertificates(der)
	if err != nil || len(certs) == 0 {
		return nil, fmt.Errorf("%s: no certificate in PEM or DER (%v)", name, err)
	}
	return certs, nil
}

func readKey(name string) (*rsa.PrivateKey, error) {
	b, err := readSmall(name)
	if err != nil {
		return nil, err
	}
	if block, _ := pem.Decode(b); block != nil {
		b = block.Bytes
	}
	if k, err := x509.ParsePKCS1PrivateKey(b); err == nil {
		return k, nil
	}
	any, err := x509.ParsePKCS8PrivateKey(b)
	if err != nil {
		return nil, fmt.Errorf("%s: no RSA key in PEM or DER, PKCS#1 or PKCS#8", name)
	}
	k, ok := any.(*rsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s: not an RSA key", name)
	}
	return k, nil
}

func readSmall(name string) ([]byte, error) {
	st, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if st.Size() > readableSize {
		return nil, fmt.Errorf("%s: %d bytes is too large for a certificate or key", name, st.Size())
	}
	return os.ReadFile(name)
}
