package bundle

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// Time that a file may take: a fixed part, and what a slow line needs.
const (
	patience  = 20 * time.Second
	slowestBS = 32 << 10 // bytes a second
)

// fetcher reads files of a repository and remembers what it read. It is go-tuf's
// Fetcher.
type fetcher struct {
	ctx  context.Context
	http *http.Client // nil: folder
	base *url.URL

	files map[string][]byte // by name below base
	name  string            // of what was asked for last
	last  []byte            // what came of it, whole or not
}

// newFetcher reads from http://, https:// or file:// URLs. It asks no proxy and
// follows no redirect to another host.
func newFetcher(ctx context.Context, base *url.URL, ca string, now func() time.Time) (*fetcher, error) {
	f := &fetcher{ctx: ctx, base: base, files: map[string][]byte{}}
	switch base.Scheme {
	case "file":
		return f, nil
	case "http", "https":
	default:
		return nil, fmt.Errorf("models: %q: a URL that begins with http://, https:// or file:// is needed", base.Redacted())
	}
	secure := &tls.Config{MinVersion: tls.VersionTLS12, Time: now}
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return nil, fmt.Errorf("models: %w", err)
		}
		secure.RootCAs = x509.NewCertPool()
		if !secure.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("models: %s holds no certificate", ca)
		}
	}
	f.http = &http.Client{
		Transport: &http.Transport{
			Proxy:                 nil,
			DialContext:           (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
			TLSClientConfig:       secure,
			TLSHandshakeTimeout:   10 * time.Second,
			ResponseHeaderTimeout: patience,
			DisableCompression:    true, // lengths count on the wire
			ForceAttemptHTTP2:     true,
		},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if r.URL.Host != base.Host || r.URL.Scheme != base.Scheme || len(via) > 3 {
				return fmt.Errorf("redirected to %s", r.URL.Redacted())
			}
			return nil
		},
	}
	return f, nil
}

func (f *fetcher) close() {
	if f.http != nil {
		f.http.CloseIdleConnections()
	}
}

// DownloadFile reads up to limit bytes. What says nothing about the repository's
// content, such as a broken line, is ErrUnreachable.
func (f *fetcher) DownloadFile(name string, limit int64, _ time.Duration) ([]byte, error) {
	b, err := f.read(name, limit)
	f.name, f.last = name, b
	if err != nil {
		return nil, err
	}
	f.files[strings.TrimPrefix(name, f.base.String())] = b
	return b, nil
}

func (f *fetcher) read(name string, limit int64) ([]byte, error) {
	limit = min(limit, MaxSize)
	if f.http == nil {
		return f.open(name, limit)
	}
	ctx, cancel := context.WithTimeout(f.ctx, patience+time.Duration(limit)*time.Second/slowestBS)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, name, nil)
	if err != nil {
		return nil, err
	}
	res, err := f.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode == http.StatusNotFound:
		return nil, &metadata.ErrDownloadHTTP{StatusCode: res.StatusCode, URL: name}
	case res.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%w: %s: %s", ErrUnreachable, name, res.Status)
	}
	return limited(res.Body, name, limit)
}

func (f *fetcher) open(name string, limit int64) ([]byte, error) {
	u, err := url.Parse(name)
	if err != nil {
		return nil, err
	}
	file, err := os.Open(filepath.FromSlash(u.Path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &metadata.ErrDownloadHTTP{StatusCode: http.StatusNotFound, URL: name}
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	defer file.Close()
	return limited(file, name, limit)
}

// limited also returns what is beyond the limit by a byte.
func limited(r io.Reader, name string, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	if int64(len(b)) > limit {
		return b, &metadata.ErrDownloadLengthMismatch{Msg: fmt.Sprintf("%s has more than %d bytes", name, limit)}
	}
	return b, nil
}
