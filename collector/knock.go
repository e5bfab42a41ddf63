package collector

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/gopcua/opcua/ua"
	"github.com/gopcua/opcua/uacp"
)

const (
	defaultPort = "4840"
	mostAnswer  = 4096 // bytes of an answer to Hello
)

// Transport is what a server acknowledges of a connection (OPC 10000-6, 7.1.2.4).
// Message size and chunks are 0 where it names no bound.
type Transport struct {
	ReceiveBuffer uint32 `json:"receive_buffer"` // bytes of a chunk that it takes
	SendBuffer    uint32 `json:"send_buffer"`    // bytes of a chunk that it sends
	MessageSize   uint32 `json:"message_size"`   // bytes of a message that it takes
	Chunks        uint32 `json:"chunks"`
}

// address is HOST and PORT of an endpoint's URL.
func address(endpoint string) (host, port string, err error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "opc.tcp" || u.Hostname() == "" {
		return "", "", fmt.Errorf("%q is no address of a server: want opc.tcp://HOST:PORT", endpoint)
	}
	if port = u.Port(); port == "" {
		port = defaultPort
	}
	return u.Hostname(), port, nil
}

// reachable looks for the host, for somebody who listens at the port, and whether
// he speaks OPC UA.
func (d *Diagnosis) reachable(ctx context.Context, endpoint string) bool {
	host, port, err := address(endpoint)
	if err != nil {
		return d.fail("address", err.Error(), "write the address as the server's maker or its settings give it, such as opc.tcp://192.168.10.20:4840")
	}
	if net.ParseIP(host) == nil {
		look, cancel := context.WithTimeout(ctx, dialTimeout)
		defer cancel()
		found, err := net.DefaultResolver.LookupHost(look, host)
		if err != nil {
			return d.fail("name", fmt.Sprintf("the name %s is not found: %v", host, err),
				"write the IP address in its place, or have the name added to the DNS of the plant or to this machine's hosts file")
		}
		d.ok("name", fmt.Sprintf("%s is %s", host, strings.Join(found, ", ")))
	}
	said, err := knock(ctx, net.JoinHostPort(host, port), endpoint)
	var dial *net.OpError
	switch {
	case err == nil:
		d.ok("port", fmt.Sprintf("%s:%s accepts connections", host, port))
	case errors.Is(err, syscall.ECONNREFUSED):
		return d.fail("port", fmt.Sprintf("the machine %s is there, and nobody listens at port %s (connection refused)", host, port),
			"look whether the OPC UA server is turned on and licensed, and at which port: most use 4840, Kepware 49320, Prosys 53530, Ignition 62541")
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return d.fail("port", fmt.Sprintf("there is no way to %s (%v)", host, err),
			"look at the cable, the address and mask of this machine and at the gateway between the networks")
	case errors.As(err, &dial) && dial.Op == "dial" && dial.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return d.fail("port", fmt.Sprintf("no answer from %s:%s within %v: neither yes nor no", host, port, dialTimeout),
			"a firewall that drops packets, a wrong address or a machine that is off: let port "+port+" through in both directions, and ping the address")
	case errors.As(err, &dial) && dial.Op == "dial":
		return d.fail("port", fmt.Sprintf("connecting to %s:%s: %v", host, port, err), "look at the address and at this machine's network")
	default:
		d.ok("port", fmt.Sprintf("%s:%s accepts connections", host, port))
		return d.fail("protocol", err.Error(), "give the port of the OPC UA server: what answers here is something else, or hangs")
	}
	t, err := parseAnswer(said)
	if err != nil {
		next := "give the port of the OPC UA server: what answers here is something else"
		if errors.As(err, new(*uacp.Error)) {
			next = "look at host and path of the address: some servers take only the one that they announce"
		}
		return d.fail("protocol", err.Error(), next)
	}
	d.Transport = t
	d.ok("protocol", fmt.Sprintf("OPC UA, chunks of %d bytes, messages up to %s", t.SendBuffer, orUnbounded(t.MessageSize)))
	return true
}

func orUnbounded(n uint32) string {
	if n == 0 {
		return "any size"
	}
	return fmt.Sprintf("%d bytes", n)
}

// knock says Hello as every OPC UA client does and returns the first bytes of the
// answer. Who does not answer to that is asked as a web server would be.
func knock(ctx context.Context, hostPort, endpoint string) ([]byte, error) {
	hello, err := (&uacp.Hello{ReceiveBufSize: uacp.DefaultReceiveBufSize, SendBufSize: uacp.DefaultSendBufSize, EndpointURL: endpoint}).Encode()
	if err != nil {
		return nil, err
	}
	message := binary.LittleEndian.AppendUint32([]byte("HELF"), uint32(8+len(hello)))
	said, err := hail(ctx, hostPort, append(message, hello...))
	if errors.Is(err, errSilent) {
		if other, err := hail(ctx, hostPort, []byte("HEAD / HTTP/1.0\r\n\r\n")); err == nil {
			return other, nil
		}
	}
	return said, err
}

// errSilent: somebody accepts the connection and gives no answer.
var errSilent = errors.New("it accepts the connection and")

// hail connects, says something and returns the first bytes of the answer. It is
// the only place that writes to a connection past the codec.
func hail(ctx context.Context, hostPort string, words []byte) ([]byte, error) {
	dialer := net.Dialer{Timeout: dialTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", hostPort)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	if err := conn.SetDeadline(time.Now().Add(dialTimeout)); err != nil {
		return nil, err
	}
	if _, err := conn.Write(words); err != nil {
		return nil, fmt.Errorf("%w breaks it off: %w", errSilent, err)
	}
	said := make([]byte, mostAnswer)
	n, err := io.ReadAtLeast(conn, said, 28) // an acknowledgement; others say less and hang up
	switch {
	case n > 0:
		return said[:n], nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, fmt.Errorf("%w says nothing for %v", errSilent, dialTimeout)
	}
	return nil, fmt.Errorf("%w closes it without a word", errSilent)
}

// parseAnswer reads the answer to Hello. An error says who answered instead.
func parseAnswer(b []byte) (*Transport, error) {
	switch {
	case bytes.HasPrefix(b, []byte("HTTP/")):
		status, _, _ := strings.Cut(string(b), "\r\n")
		return nil, fmt.Errorf("a web server answers (%s)", line(status, mostText))
	case len(b) >= 3 && (b[0] == 0x15 || b[0] == 0x16) && b[1] == 3: // an alert or a handshake
		return nil, errors.New("a server that speaks TLS answers, such as https")
	case bytes.HasPrefix(b, []byte("SSH-")):
		return nil, errors.New("an SSH server answers")
	case len(b) >= 16 && bytes.HasPrefix(b, []byte("ERRF")):
		e := new(uacp.Error)
		if _, err := e.Decode(b[8:]); err != nil {
			return nil, fmt.Errorf("the server refuses the connection in a way that makes no sense: %w", err)
		}
		return nil, fmt.Errorf("the server refuses the connection (%s, %s): %w", statusText(ua.StatusCode(e.ErrorCode)), line(e.Reason, mostText), e)
	case len(b) >= 28 && bytes.HasPrefix(b, []byte("ACKF")):
		a := new(uacp.Acknowledge)
		if _, err := a.Decode(b[8:28]); err != nil {
			return nil, fmt.Errorf("the server's acknowledgement makes no sense: %w", err)
		}
		return &Transport{a.ReceiveBufSize, a.SendBufSize, a.MaxMessageSize, a.MaxChunkCount}, nil
	}
	return nil, fmt.Errorf("something that is no OPC UA server answers: %q", b[:min(len(b), 40)])
}
