// Package dial connects to an MQTT broker, for nodes and hosts alike: TCP or TLS
// with a small send buffer, no proxy from the environment, an end when ctx ends
// (Dial), and on it one MQTT connection that never reconnects by itself (Link).
package dial

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"syscall"
	"time"
)

// SendBuffer is asked of the system for a connection that wants no other: what is
// waiting in front of an urgent message is at most about twice this.
const SendBuffer = 64 << 10

const timeout = 5 * time.Second

// Check says what is wrong with a broker's URL or the files of an access before
// anything is dialled.
func Check(broker string, a Access) error {
	if _, _, err := parse(broker, a); err != nil {
		return err
	}
	return a.check()
}

// Dial connects to a broker's URL: tcp:// or mqtt:// plain, ssl://, tls:// or
// mqtts:// with TLS, with this send buffer in bytes (0: SendBuffer).
func Dial(ctx context.Context, broker string, a Access, buffer int) (net.Conn, error) {
	u, config, err := parse(broker, a)
	if err != nil {
		return nil, err
	}
	if buffer <= 0 {
		buffer = SendBuffer
	}
	d := net.Dialer{Timeout: timeout, Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		cerr := c.Control(func(fd uintptr) {
			err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, buffer)
		})
		return errors.Join(cerr, err)
	}}
	conn, err := d.DialContext(ctx, "tcp", u.Host)
	if err != nil || config == nil {
		return conn, err
	}
	secure := tls.Client(conn, config)
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("TLS with %s: %w%s", u.Host, err, next(err)), conn.Close())
	}
	return secure, nil
}

// next says what to do about a handshake that failed, where that is known.
func next(err error) string {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return ": is broker_ca the authority that signed the broker's certificate?"
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return ": name the broker as its certificate does"
	}
	return ""
}

// parse reads a broker's URL. The TLS configuration is nil where none is spoken.
func parse(broker string, a Access) (*url.URL, *tls.Config, error) {
	u, err := url.Parse(broker)
	if err != nil {
		return nil, nil, fmt.Errorf("broker %q: %w", broker, err)
	}
	secure, port := false, "1883"
	switch u.Scheme {
	case "tcp", "mqtt":
	case "ssl", "tls", "mqtts":
		secure, port = true, "8883"
	default:
		return nil, nil, fmt.Errorf("broker %q: must begin with tcp:// or ssl://", broker)
	}
	if u.Hostname() == "" {
		return nil, nil, fmt.Errorf("broker %q: names no host", broker)
	}
	if u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), port)
	}
	if !secure {
		return u, nil, nil
	}
	config, err := a.config(u.Hostname())
	return u, config, err
}
