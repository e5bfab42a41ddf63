package server

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/gopcua/opcua/ua"
	"github.com/gopcua/opcua/uacp"
)

// Sizes of the transport (OPC 10000-6, 7.1.2). What is taken is small because
// gopcua's decoder recurses without limit: a request of nothing but nested values
// takes about 1 kB of stack per byte, and a stack beyond 512 MB is fatal. Whoever
// has not logged in gets one chunk. What is sent is large: a client that reckons
// with arrays of 65,536 values asks for as few in a message as fit by its own count.
const (
	maxChunk       = 0xffff
	minChunk       = 8192
	maxMessage     = 256 << 10
	maxAnswer      = 64 << 20
	maxChunks      = maxAnswer/minChunk + 1 // of the smallest chunks
	opcTCPHeader   = 8
	opening        = 10 * time.Second // for Hello and OpenSecureChannel
	maxQueuedReply = 64               // answers a client may leave unread before its requests wait
)

// conn is one TCP connection with its secure channel: one goroutine reads and
// serves requests, one writes answers. Nobody else waits for the client.
type conn struct {
	srv *Server
	net net.Conn
	ch  *channel // nil until OpenSecureChannel

	sendChunk  int  // chunk size that the client takes
	maxMessage int  // message size that the client takes
	mostChunks int  // of a message, in either direction
	loggedIn   bool // a session was activated here; the reader's own

	mu      sync.Mutex
	more    sync.Cond // out has something, or closed
	fewer   sync.Cond // out has become short, or closed
	out     []outgoing
	closed  bool
	parts   []byte // chunks of an unfinished request
	partsOf uint32
	chunks  int
}

// outgoing is an answer: a response to be encoded, or encoded parts.
type outgoing struct {
	id     uint32 // request id
	handle uint32
	resp   ua.Response
	parts  [3][]byte
	open   *openReply
}

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{srv: s, net: nc}
	c.more.L, c.fewer.L = &c.mu, &c.mu
	return c
}

// close cuts the connection; both goroutines end.
func (c *conn) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.more.Broadcast()
	c.fewer.Broadcast()
	c.net.Close()
}

// send queues an answer. It never waits: what a client can have outstanding is
// bounded by its waiting PublishRequests.
func (c *conn) send(o outgoing) {
	c.mu.Lock()
	if !c.closed {
		c.out = append(c.out, o)
	}
	c.mu.Unlock()
	c.more.Signal()
}

func (c *conn) fault(id, handle uint32, code ua.StatusCode) {
	c.send(outgoing{id: id, handle: handle, resp: &ua.ServiceFault{ResponseHeader: responseHeader(handle, code)}})
}

func responseHeader(handle uint32, code ua.StatusCode) *ua.ResponseHeader {
	return &ua.ResponseHeader{
		Timestamp:          time.Now(),
		RequestHandle:      handle,
		ServiceResult:      code,
		ServiceDiagnostics: &ua.DiagnosticInfo{},
		AdditionalHeader:   ua.NewExtensionObject(nil),
	}
}

// waitForRoom holds the reader back while its client does not read.
func (c *conn) waitForRoom() {
	c.mu.Lock()
	for len(c.out) > maxQueuedReply && !c.closed {
		c.fewer.Wait()
	}
	c.mu.Unlock()
}

// read serves requests until the connection ends and says why it ended.
func (c *conn) read() error {
	c.net.SetDeadline(time.Now().Add(opening))
	if err := c.hello(); err != nil {
		return err
	}
	for {
		chunk, err := c.readChunk()
		if err != nil {
			return err
		}
		switch kind := string(chunk[:3]); {
		case kind == "CLO":
			return nil
		case kind == "OPN":
			err = c.openChannel(chunk)
		case kind == "MSG" && c.ch != nil:
			err = c.message(chunk)
		default:
			err = fmt.Errorf("message type %q: %w", kind, ua.StatusBadTCPMessageTypeInvalid)
		}
		if err != nil {
			c.tell(err)
			return err
		}
		c.waitForRoom()
	}
}

// tell sends the Error message that goes before a cut (OPC 10000-6, 7.1.5). The
// writer is left out: it may be stuck.
func (c *conn) tell(err error) {
	code := ua.StatusBadTCPInternalError
	var status ua.StatusCode
	switch {
	case errors.Is(err, errSecurity):
		code = ua.StatusBadSecurityChecksFailed
	case errors.As(err, &status):
		code = status
	}
	b := append(make([]byte, 0, 16), "ERRF"...)
	b = appendUint32(b, 16)
	b = appendUint32(b, uint32(code))
	b = appendUint32(b, noLength)
	c.net.SetWriteDeadline(time.Now().Add(time.Second))
	c.net.Write(b)
}

func (c *conn) hello() error {
	var head [opcTCPHeader]byte
	if _, err := io.ReadFull(c.net, head[:]); err != nil {
		return err
	}
	size := binary.LittleEndian.Uint32(head[4:])
	if string(head[:4]) != "HELF" || size < opcTCPHeader || size > minChunk {
		err := fmt.Errorf("hello: %w", ua.StatusBadTCPMessageTypeInvalid)
		c.tell(err)
		return err
	}
	body := make([]byte, size-opcTCPHeader)
	if _, err := io.ReadFull(c.net, body); err != nil {
		return err
	}
	var h uacp.Hello
	if _, err := h.Decode(body); err != nil {
		c.tell(ua.StatusBadDecodingError)
		return fmt.Errorf("hello: %w", err)
	}
	if h.ReceiveBufSize < minChunk || h.SendBufSize < minChunk {
		c.tell(ua.StatusBadConnectionRejected)
		return fmt.Errorf("hello: buffers of %d and %d bytes", h.ReceiveBufSize, h.SendBufSize)
	}
	c.sendChunk = int(min(h.ReceiveBufSize, maxChunk))
	c.maxMessage = maxAnswer
	if h.MaxMessageSize > 0 {
		c.maxMessage = int(min(h.MaxMessageSize, maxAnswer))
	}
	if h.MaxChunkCount > 0 {
		// Leave room for what security adds to each chunk.
		c.maxMessage = min(c.maxMessage, int(min(h.MaxChunkCount, maxChunks))*(c.sendChunk-128))
	}
	receive := min(h.SendBufSize, maxChunk)
	// As many chunks as the largest message has: node-opcua complains of fewer.
	c.mostChunks = maxAnswer/min(int(receive), c.sendChunk) + 1
	ack := uacp.Acknowledge{
		ReceiveBufSize: receive,
		SendBufSize:    uint32(c.sendChunk),
		MaxMessageSize: maxAnswer, // of requests, but gopcua's client holds answers to it too
		MaxChunkCount:  uint32(c.mostChunks),
	}
	b, err := ack.Encode()
	if err != nil {
		return fmt.Errorf("acknowledge: %w", err)
	}
	msg := append(make([]byte, 0, 32), "ACKF"...)
	msg = appendUint32(msg, uint32(opcTCPHeader+len(b)))
	_, err = c.net.Write(append(msg, b...))
	return err
}

// readChunk reads one chunk of a secure channel.
func (c *conn) readChunk() ([]byte, error) {
	var head [chunkHeader]byte
	if _, err := io.ReadFull(c.net, head[:]); err != nil {
		return nil, err
	}
	size := binary.LittleEndian.Uint32(head[4:])
	if size < chunkHeader || size > maxChunk {
		err := fmt.Errorf("chunk of %d bytes: %w", size, ua.StatusBadTCPMessageTooLarge)
		c.tell(err)
		return nil, err
	}
	chunk := make([]byte, size)
	copy(chunk, head[:])
	_, err := io.ReadFull(c.net, chunk[chunkHeader:])
	return chunk, err
}

// message takes one chunk and serves the request when it is whole.
func (c *conn) message(chunk []byte) error {
	if binary.LittleEndian.Uint32(chunk[8:]) != c.ch.id {
		return ua.StatusBadTCPSecureChannelUnknown
	}
	id, body, err := c.ch.open(chunk)
	if err != nil {
		return err
	}
	switch chunk[3] {
	case 'A':
		c.parts, c.chunks = nil, 0
		return nil
	case 'C', 'F':
	default:
		return fmt.Errorf("chunk type %q: %w", chunk[3], ua.StatusBadTCPMessageTypeInvalid)
	}
	if c.chunks > 0 && c.partsOf != id {
		return fmt.Errorf("chunks of two requests mixed: %w", ua.StatusBadTCPInternalError)
	}
	c.partsOf = id
	c.chunks++
	limit := maxMessage
	if !c.loggedIn {
		limit = maxChunk
	}
	if c.chunks > c.mostChunks || len(c.parts)+len(body) > limit {
		return ua.StatusBadTCPMessageTooLarge
	}
	if chunk[3] == 'C' {
		c.parts = append(c.parts, body...)
		return nil
	}
	if c.chunks > 1 {
		body = append(c.parts, body...)
	}
	c.parts, c.chunks = nil, 0
	return c.srv.serve(c, id, body)
}

// write sends queued answers until the connection closes.
func (c *conn) write() {
	var scratch, chunk []byte
	for {
		c.mu.Lock()
		for len(c.out) == 0 && !c.closed {
			c.more.Wait()
		}
		if c.closed {
			c.mu.Unlock()
			return
		}
		queue := c.out
		c.out = nil
		c.mu.Unlock()
		c.fewer.Signal()
		for i := range queue {
			c.net.SetWriteDeadline(time.Now().Add(c.srv.limits.MaxWriteSilence))
			var err error
			scratch, chunk, err = c.writeOne(&queue[i], scratch, chunk)
			if err != nil {
				c.srv.log().Debug("opc ua connection cut", "client", c.net.RemoteAddr(), "why", err)
				c.close()
				return
			}
			queue[i] = outgoing{}
		}
	}
}

// writeOne encodes, cuts into chunks, seals and sends. The two buffers are kept
// for the next call.
func (c *conn) writeOne(o *outgoing, scratch, chunk []byte) ([]byte, []byte, error) {
	if o.open != nil {
		b, err := c.ch.sealAsymmetric(o.id, c.srv.own.cert, o.open)
		if err == nil {
			_, err = c.net.Write(b)
		}
		return scratch, chunk, err
	}
	body := scratch[:0]
	if o.resp != nil {
		b, err := encodeService(o.resp)
		if err != nil {
			return scratch, chunk, err
		}
		body = b
	} else {
		for _, p := range o.parts {
			body = append(body, p...)
		}
		scratch = body
	}
	if len(body) > c.maxMessage {
		b, err := encodeService(&ua.ServiceFault{ResponseHeader: responseHeader(o.handle, ua.StatusBadResponseTooLarge)})
		if err != nil {
			return scratch, chunk, err
		}
		body = b
	}
	limit := c.ch.maxBody(c.sendChunk)
	for {
		part, final := body, byte('F')
		if len(part) > limit {
			part, final = body[:limit], 'C'
		}
		body = body[len(part):]
		var err error
		if chunk, err = c.ch.seal(chunk[:0], "MSG", final, o.id, part); err != nil {
			return scratch, chunk, err
		}
		if _, err = c.net.Write(chunk); err != nil {
			return scratch, chunk, err
		}
		if final == 'F' {
			return scratch, chunk, nil
		}
	}
}

func encodeService(resp ua.Response) ([]byte, error) {
	typeID := ua.ServiceTypeID(resp)
	b, err := ua.Encode(resp)
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", resp, err)
	}
	return append(appendTypeID(make([]byte, 0, len(b)+4), typeID), b...), nil
}
