package broker

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"time"

	"millwright/plant"
	"millwright/plant/disk"
)

// How long certificates are good. A device's end is told a month before.
const (
	authorityLife = 20 * 365 * 24 * time.Hour
	deviceLife    = 2 * 365 * 24 * time.Hour
	clockSlack    = 24 * time.Hour // a box without a clock of its own starts behind
)

// Authority signs the certificates of a plant's brokers and of those that connect
// to them. Whoever has its key can make more of them, so the key belongs on the
// machine of whoever makes devices, and its password-less file in nobody else's
// hands.
type Authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// Pair is a certificate and its key as PEM files hold them.
type Pair struct {
	Certificate, Key []byte
	Fingerprint      string // SHA-256
	Until            time.Time
}

// Write puts the pair into two files that are not there yet.
func (p Pair) Write(certificate, key string) error {
	for _, f := range []string{certificate, key} {
		if _, err := os.Stat(f); !errors.Is(err, os.ErrNotExist) {
			return errors.Join(err, fmt.Errorf("%s is there already: move it away first", f))
		}
	}
	return p.Replace(certificate, key)
}

// Replace puts the pair into two files in place of what they hold. The key goes
// first: whoever reads in between finds two that do not fit, and waits.
func (p Pair) Replace(certificate, key string) error {
	if err := disk.Replace(key, p.Key, 0o600); err != nil {
		return err
	}
	return disk.Replace(certificate, p.Certificate, 0o644)
}

// NewAuthority makes an authority with a new key.
func NewAuthority(name string) (*Authority, Pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, Pair{}, err
	}
	t := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	a := &Authority{certificate: t, key: key}
	p, err := a.sign(t, key, authorityLife)
	if err != nil {
		return nil, Pair{}, err
	}
	block, _ := pem.Decode(p.Certificate)
	a.certificate, err = x509.ParseCertificate(block.Bytes)
	return a, p, err
}

// OpenAuthority reads an authority from its two PEM files.
func OpenAuthority(certificate, key string) (*Authority, error) {
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		return nil, fmt.Errorf("authority: %w", err)
	}
	private, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok || !pair.Leaf.IsCA {
		return nil, fmt.Errorf("authority: %s is none that millwright broker init made", certificate)
	}
	return &Authority{certificate: pair.Leaf, key: private}, nil
}

// Broker makes the certificate of a broker that clients call by these names and
// addresses.
func (a *Authority) Broker(hosts []string) (Pair, error) {
	t := &x509.Certificate{
		Subject: pkix.Name{CommonName: hosts[0]}, KeyUsage: x509.KeyUsageDigitalSignature,
		// Nodes of a cluster are each other's clients.
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, h)
		}
	}
	return a.issue(t)
}

// Client makes the certificate of a user.
func (a *Authority) Client(name string) (Pair, error) {
	return a.issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
}

func (a *Authority) issue(t *x509.Certificate) (Pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Pair{}, err
	}
	return a.sign(t, key, deviceLife)
}

func (a *Authority) sign(t *x509.Certificate, key *ecdsa.PrivateKey, life time.Duration) (Pair, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return Pair{}, err
	}
	t.SerialNumber, t.NotBefore, t.NotAfter = serial, time.Now().Add(-clockSlack), time.Now().Add(life)
	if !t.IsCA && t.NotAfter.After(a.certificate.NotAfter) {
		t.NotAfter = a.certificate.NotAfter
	}
	der, err := x509.CreateCertificate(rand.Reader, t, a.certificate, &key.PublicKey, a.key)
	if err != nil {
		return Pair{}, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Pair{}, err
	}
	return Pair{
		Certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		Key:         pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
		Fingerprint: plant.Fingerprint(der), Until: t.NotAfter,
	}, nil
}
