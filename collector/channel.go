package collector

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gopcua/opcua/ua"
	"github.com/gopcua/opcua/uacp"
	"github.com/gopcua/opcua/uapolicy"
	"github.com/gopcua/opcua/uasc"
)

const (
	dialTimeout    = 3 * time.Second  // TCP, and Hello/Acknowledge
	requestTimeout = 10 * time.Second // small PLCs need seconds for RSA
	channelLife    = time.Hour
)

// channel is one TCP connection with one secure channel (OPC 10000-6, 6.7).
type channel struct {
	conn *uacp.Conn
	sc   *uasc.SecureChannel
	cfg  *uasc.Config
	once sync.Once

	errs  chan error // first fault of the connection, as the codec saw it
	mu    sync.Mutex
	cause error // guarded by mu; what the server said before it hung up
	pace  *pace // nil: none
}

// openChannel connects and opens the secure channel for e as p says. Without p
// it is unprotected and good for GetEndpoints only.
func openChannel(ctx context.Context, p *security, e *endpoint) (*channel, error) {
	cfg := &uasc.Config{
		SecurityPolicyURI: ua.SecurityPolicyURINone,
		SecurityMode:      ua.MessageSecurityModeNone,
		Lifetime:          uint32(channelLife / time.Millisecond),
		RequestTimeout:    requestTimeout,
	}
	if p != nil && p.mode != ua.MessageSecurityModeNone {
		cfg.SecurityPolicyURI, cfg.SecurityMode = p.policy, p.mode
		cfg.RemoteCertificate = slices.Clip(slices.Clone(e.certificate))
		cfg.Thumbprint = uapolicy.Thumbprint(e.certificate)
	}
	if p != nil && p.own != nil {
		cfg.LocalKey = p.own.key
		if p.mode != ua.MessageSecurityModeNone { // else it must not be shown (OPC 10000-6, 6.7.2.3), and strict servers refuse one that they do not know
			cfg.Certificate = slices.Clip(slices.Clone(p.own.der))
		}
	}
	if p != nil && p.person != nil {
		cfg.UserKey = p.person.key
	}
	hello, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	d := &uacp.Dialer{Dialer: &net.Dialer{
		Timeout:         dialTimeout,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 2 * time.Second, Count: 3},
	}}
	conn, err := d.Dial(hello, e.url)
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", e.url, explainDial(err))
	}
	errs := make(chan error, 1)
	sc, err := uasc.NewSecureChannel(e.url, conn, cfg, errs)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	c := &channel{conn: conn, sc: sc, cfg: cfg, errs: errs}
	policy := cfg.SecurityPolicyURI
	if err := c.open(ctx); err != nil {
		c.drop()
		if policy != ua.SecurityPolicyURINone {
			err = explainOpen(err, p)
		} else if errors.Is(err, io.EOF) {
			err = errHangUp
		}
		return nil, fmt.Errorf("opening the secure channel to %s: %w", e.url, err)
	}
	// The codec takes policy and certificate from the answer. Ours are the ones
	// that were verified.
	if cfg.SecurityPolicyURI != policy || (policy != ua.SecurityPolicyURINone && !sameLeaf(cfg.RemoteCertificate, e.certificate)) {
		c.drop()
		return nil, fmt.Errorf("opening the secure channel to %s: the server answered with another certificate or policy than its endpoint says", e.url)
	}
	return c, nil
}

// open opens the secure channel. The codec's own ways to give up leave its reader
// behind, which then looks at what the opener is clearing away; so giving up is cutting
// the connection, upon which the reader ends first.
func (c *channel) open(ctx context.Context) error {
	limited, cancel := context.WithTimeoutCause(ctx, requestTimeout, ua.StatusBadTimeout)
	defer cancel()
	kept := context.AfterFunc(limited, func() { _ = c.conn.Close() })
	err := c.sc.Open(context.WithoutCancel(ctx))
	if !kept() {
		return context.Cause(limited)
	}
	return err
}

// explainDial says what to look at when nobody answers.
func explainDial(err error) error {
	var late interface{ Timeout() bool }
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("nobody listens at this port: is the OPC UA server running? (%w)", err)
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return fmt.Errorf("there is no way to this host: is it switched on, is the network plugged in? (%w)", err)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &late) && late.Timeout():
		return fmt.Errorf("no answer within %v: is the host switched on, does a firewall stand between? (%w)", dialTimeout, err)
	}
	return err
}

// explainOpen says what to do about a refusal. Servers give no reason for it,
// on purpose; nearly always it is that they do not know us.
func explainOpen(err error, p *security) error {
	if errors.Is(err, io.EOF) {
		err = errHangUp
	} else if code := ua.StatusCode(0); !errors.As(err, &code) || code == ua.StatusBadTimeout {
		return err
	}
	return fmt.Errorf("%w: %w; trust SHA-256 %s at the server", err, errStranger, fingerprint(p.own.leaf()))
}

var errStranger = errors.New("most likely the server does not trust our certificate yet")

// close ends the secure channel in order; drop only cuts the connection. Both
// are safe twice and end every request on the channel.
func (c *channel) close() {
	c.once.Do(func() {
		// A dead peer must not hold us up.
		t := time.AfterFunc(time.Second, func() { _ = c.conn.Close() })
		defer t.Stop()
		_ = c.sc.Close()
		_ = c.conn.Close()
	})
}

func (c *channel) drop() {
	c.once.Do(func() {
		_ = c.conn.Close()
		_ = c.sc.Close()
	})
}

// send makes one service call. A status other than Good of the whole call is
// the error.
func send[T ua.Response](ctx context.Context, c *channel, token *ua.NodeID, req ua.Request, timeout time.Duration) (T, error) {
	c.pace.count(req)
	var res T
	err := c.sc.SendRequestWithTimeout(ctx, req, token, timeout, func(v ua.Response) error {
		r, ok := v.(T)
		if !ok {
			return fmt.Errorf("the server answered %T with %T", req, v)
		}
		res = r
		return nil
	})
	switch {
	case errors.Is(err, io.EOF):
		err = c.hangUp()
	case err != nil && (strings.Contains(err.Error(), "message too large") || strings.Contains(err.Error(), "too many chunks")):
		err = fmt.Errorf("%w: %w", ua.StatusBadResponseTooLarge, err) // the codec has no error of its own for it
	}
	return res, err
}

// hangUp is the end of the connection with what the server said of it (OPC
// 10000-6, 7.1.2.5), which the codec hands to nobody.
func (c *channel) hangUp() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case err := <-c.errs:
		if said := (*uacp.Error)(nil); errors.As(err, &said) {
			c.cause = said
		}
	default:
	}
	if c.cause != nil {
		return fmt.Errorf("%w: %w", errHangUp, c.cause)
	}
	return errHangUp
}

var errHangUp = errors.New("connection closed by the server")

// getEndpoints asks for the offers of the server, on a connection of its own.
func getEndpoints(ctx context.Context, url string) ([]*ua.EndpointDescription, error) {
	c, err := openChannel(ctx, nil, &endpoint{url: url})
	if err != nil {
		return nil, err
	}
	defer c.close()
	res, err := send[*ua.GetEndpointsResponse](ctx, c, nil, &ua.GetEndpointsRequest{EndpointURL: url}, requestTimeout)
	if err != nil {
		return nil, fmt.Errorf("asking %s for its endpoints: %w", url, err)
	}
	return res.Endpoints, nil
}

// sameLeaf compares the first certificates of two chains.
func sameLeaf(a, b []byte) bool {
	return bytes.Equal(uapolicy.Thumbprint(a), uapolicy.Thumbprint(b))
}
