package channel

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	postTimeout = 15 * time.Second
	mostAnswer  = 64 << 10 // bytes read of an answer
	mostWait    = time.Hour
)

// post sends a body and judges the answer: what another try may mend is
// temporary (no connection, 5xx, 408, 409, 425, 429), every other refusal is
// permanent. A redirect is one: the message is for whom the plant named.
func post(ctx context.Context, target, ca string, body io.Reader, header http.Header) error {
	ctx, cancel := context.WithTimeout(ctx, postTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, body)
	if err != nil {
		return Permanent(err)
	}
	req.Header = header
	transport := &http.Transport{DisableKeepAlives: true}
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return err
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return fmt.Errorf("%s: holds no certificate in PEM", ca)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	client := http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, mostAnswer))
	if res.StatusCode/100 == 2 {
		return nil // taken, whatever it says
	}
	says := ""
	if words := first(answer, 200); words != "" {
		says = fmt.Sprintf(" %q", words)
	}
	err = errors.Join(fmt.Errorf("%s: %s%s", target, res.Status, says), err)
	switch {
	case res.StatusCode == http.StatusTooManyRequests || res.StatusCode == http.StatusServiceUnavailable:
		if after := retryAfter(res.Header.Get("Retry-After"), time.Now()); after > 0 {
			return &RetryError{After: after, Err: err}
		}
		return err
	case res.StatusCode >= 500, res.StatusCode == http.StatusRequestTimeout,
		res.StatusCode == http.StatusConflict, res.StatusCode == http.StatusTooEarly:
		return err
	}
	return Permanent(err)
}

// retryAfter reads the header: seconds, or a date. 0 where it says nothing.
func retryAfter(s string, now time.Time) time.Duration {
	d := time.Duration(0)
	if n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 32); err == nil {
		d = time.Duration(n) * time.Second
	} else if t, err := http.ParseTime(s); err == nil {
		d = t.Sub(now)
	}
	return min(max(d, 0), mostWait)
}

func first(b []byte, n int) string {
	return oneLine(strings.ToValidUTF8(string(b[:min(n, len(b))]), ""))
}
