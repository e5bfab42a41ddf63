package dial

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"millwright/plant/disk"
)

// Access is what a client shows to be let in, and whom it believes. The files are
// read at every connection, and a connection says when they have changed (see
// Link.Renewed), so that a new certificate or password needs no restart.
type Access struct {
	User         string
	Password     string // in place of PasswordFile
	PasswordFile string // holds the password and nothing else
	CA           string // PEM file with the authorities of brokers; empty: those of the system
	Certificate  string // PEM files of the client's own certificate, with its chain, and key; empty: none
	Key          string

	// Floor is a time that has been: certificates are not judged at an earlier one,
	// which a clock without a battery shows at a start.
	Floor time.Time
}

// renewEvery is how often a connection looks at the files.
const renewEvery = 2 * time.Second

// maxFile bounds what is read of a certificate or a password.
const maxFile = 1 << 20

// password is the password to be shown.
func (a Access) password() (string, error) {
	if a.PasswordFile == "" {
		return a.Password, nil
	}
	b, err := read(a.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("broker password: %w", err)
	}
	if s := strings.TrimRight(string(b), "\r\n"); s != "" {
		return s, nil
	}
	return "", fmt.Errorf("broker password: %s is empty", a.PasswordFile)
}

// config is how TLS is spoken with a broker of this name.
func (a Access) config(host string) (*tls.Config, error) {
	c := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12, Time: func() time.Time { return disk.NotBefore(a.Floor) }}
	if a.CA != "" {
		pem, err := read(a.CA)
		if err != nil {
			return nil, fmt.Errorf("broker CA: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("broker CA: %s holds no certificate", a.CA)
		}
	}
	if a.Certificate != "" {
		own, err := a.own()
		if err != nil {
			return nil, err
		}
		c.Certificates = []tls.Certificate{own}
	}
	return c, nil
}

// own is the client's certificate with its key.
func (a Access) own() (tls.Certificate, error) {
	c, err := tls.LoadX509KeyPair(a.Certificate, a.Key)
	if err != nil {
		return c, fmt.Errorf("own certificate: %w", err)
	}
	return c, nil
}

// check reads everything once. What it finds wrong a connection would.
func (a Access) check() error {
	_, err := a.password()
	_, errTLS := a.config("")
	return errors.Join(err, errTLS)
}

func (a Access) files() (list []string) {
	for _, f := range []string{a.PasswordFile, a.CA, a.Certificate, a.Key} {
		if f != "" {
			list = append(list, f)
		}
	}
	return list
}

// content is a fingerprint of all files. One that cannot be read counts as empty:
// whoever replaces a file may take it away first.
func (a Access) content() (sum [sha256.Size]byte) {
	h := sha256.New()
	for _, f := range a.files() {
		b, _ := read(f)
		fmt.Fprintf(h, "%d ", len(b))
		h.Write(b)
	}
	h.Sum(sum[:0])
	return sum
}

// look is what tells a file that was touched without reading it.
func (a Access) look() string {
	var s strings.Builder
	for _, f := range a.files() {
		if info, err := os.Stat(f); err == nil {
			fmt.Fprintf(&s, "%d %d ", info.Size(), info.ModTime().UnixNano())
		}
		s.WriteByte('|')
	}
	return s.String()
}

// watch sends on renewed, until stop is closed, nil when the files have other
// content than was and can be used, and an error, once for each content, when
// they cannot.
func (a Access) watch(was [sha256.Size]byte, renewed chan<- error, stop <-chan struct{}) {
	tick := time.NewTicker(renewEvery)
	defer tick.Stop()
	seen, refused := "", was
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		look := a.look()
		if look == seen {
			continue
		}
		seen = look
		now := a.content()
		if now == was || now == refused {
			continue
		}
		err := a.check()
		if err != nil {
			refused = now
		}
		select {
		case renewed <- err:
		case <-stop:
			return
		}
		if err == nil {
			was, refused = now, now
		}
	}
}

func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		if p, ok := errors.AsType[*fs.PathError](err); ok {
			err = fmt.Errorf("%s: %w", p.Path, p.Err)
		}
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = fmt.Errorf("%s is larger than 1 MiB", path)
	}
	return b, err
}
