package broker

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"millwright/plant/disk"
)

// papers is what the broker shows and believes. The files are read again when they
// change; connections that stand stay as they are.
type papers struct {
	certificate, key string // files
	clientCA         string // file; empty: clients are asked for nothing
	required         bool

	content []byte // of the files, as last used
	config  atomic.Pointer[tls.Config]

	floor time.Time // a time that has been: no certificate is judged at an earlier one
}

// renew reads the files and uses them where they are others.
func (p *papers) renew() (changed bool, err error) {
	var content []byte
	var errs []error
	for _, f := range []string{p.certificate, p.key, p.clientCA} {
		if f == "" {
			continue
		}
		b, err := os.ReadFile(f)
		content, errs = append(append(content, b...), 0), append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return false, fmt.Errorf("TLS: %w", err)
	}
	if bytes.Equal(content, p.content) {
		return false, nil
	}
	own, err := tls.LoadX509KeyPair(p.certificate, p.key)
	if err != nil {
		return false, fmt.Errorf("TLS: %w", err)
	}
	c := &tls.Config{Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS12, Time: func() time.Time { return disk.NotBefore(p.floor) }}
	if p.clientCA != "" {
		pem, err := os.ReadFile(p.clientCA)
		if err != nil {
			return false, fmt.Errorf("TLS: %w", err)
		}
		c.ClientCAs = x509.NewCertPool()
		if !c.ClientCAs.AppendCertsFromPEM(pem) {
			return false, fmt.Errorf("TLS: %s holds no certificate", p.clientCA)
		}
		c.ClientAuth = tls.VerifyClientCertIfGiven
		if p.required {
			c.ClientAuth = tls.RequireAndVerifyClientCert
		}
	}
	p.config.Store(c)
	p.content = content
	return true, nil
}

// server is the configuration that a listener keeps: it asks for the present one at
// every connection.
func (p *papers) server() *tls.Config {
	c := p.config.Load().Clone()
	c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return p.config.Load(), nil }
	return c
}
