package server

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/gopcua/opcua/ua"
	"github.com/gopcua/opcua/uapolicy"
)

// Sizes of the parts of a chunk (OPC 10000-6, 6.7.2).
const (
	chunkHeader    = 12 // type, final flag, size, channel id
	tokenHeader    = 4
	sequenceHeader = 8
)

// channel is the server's end of a secure channel (OPC 10000-6, 6.7). The
// reader opens chunks, the writer seals them; mu guards what both touch.
type channel struct {
	id     uint32
	policy string
	mode   ua.MessageSecurityMode
	cert   []byte // client's application certificate, DER, nil with None

	mu      sync.Mutex
	tokens  []*token // newest last; the older one lives until the client uses the newer
	sending *token
	lastSeq uint32
}

// token is one set of keys.
type token struct {
	id      uint32
	keys    *uapolicy.EncryptionAlgorithm
	until   time.Time // the client may use it 25 % longer than granted
	lastSeq uint32    // sequence number of the last chunk under it
	used    bool
}

var errSecurity = errors.New("security checks failed")

func (c *channel) encrypted() bool { return c.mode == ua.MessageSecurityModeSignAndEncrypt }
func (c *channel) signed() bool    { return c.mode != ua.MessageSecurityModeNone }

func (c *channel) nextSeq() uint32 {
	if c.lastSeq++; c.lastSeq > math.MaxUint32-1024 {
		c.lastSeq = 1
	}
	return c.lastSeq
}

// addToken makes new keys the newest. The first is used at once, a renewed one
// when the client has used it (OPC 10000-4, 5.6.2).
func (c *channel) addToken(t *token) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.tokens) > 1 {
		c.tokens = c.tokens[len(c.tokens)-1:]
	}
	c.tokens = append(c.tokens, t)
	if c.sending == nil {
		c.sending = t
	}
}

// open verifies a symmetric chunk in place and returns its request id and body.
func (c *channel) open(chunk []byte) (request uint32, body []byte, err error) {
	if len(chunk) < chunkHeader+tokenHeader+sequenceHeader {
		return 0, nil, fmt.Errorf("chunk of %d bytes", len(chunk))
	}
	tokenID := binary.LittleEndian.Uint32(chunk[chunkHeader:])
	c.mu.Lock()
	defer c.mu.Unlock()
	var t *token
	for _, x := range c.tokens {
		if x.id == tokenID {
			t = x
		}
	}
	if t == nil || time.Now().After(t.until) {
		return 0, nil, ua.StatusBadSecureChannelTokenUnknown
	}
	const start = chunkHeader + tokenHeader
	body = chunk[start:]
	if c.encrypted() {
		plain, err := t.keys.Decrypt(body)
		if err != nil {
			return 0, nil, errSecurity
		}
		copy(body, plain)
	}
	if c.signed() {
		end := len(chunk) - t.keys.RemoteSignatureLength()
		if end < start+sequenceHeader || t.keys.VerifySignature(chunk[:end], chunk[end:]) != nil {
			return 0, nil, errSecurity
		}
		body = chunk[start:end]
	}
	if c.encrypted() {
		pad := int(body[len(body)-1]) + 1
		if pad > len(body)-sequenceHeader {
			return 0, nil, errSecurity
		}
		body = body[:len(body)-pad]
	}
	seq := binary.LittleEndian.Uint32(body)
	// A number seen before is a replay. Only a wrap may go backwards
	// (OPC 10000-6, 6.7.2.4).
	if t.used && seq <= t.lastSeq && !(t.lastSeq > math.MaxUint32-1024 && seq < 1024) {
		return 0, nil, ua.StatusBadSequenceNumberInvalid
	}
	t.lastSeq, t.used = seq, true
	if t == c.tokens[len(c.tokens)-1] {
		c.sending = t
	}
	return binary.LittleEndian.Uint32(body[4:]), body[sequenceHeader:], nil
}

// maxBody is how much of a message fits into a chunk of the given size.
func (c *channel) maxBody(chunk int) int {
	room := chunk - chunkHeader - tokenHeader
	if !c.signed() {
		return room - sequenceHeader
	}
	c.mu.Lock()
	t := c.sending
	c.mu.Unlock()
	sig := t.keys.SignatureLength()
	if !c.encrypted() {
		return room - sequenceHeader - sig
	}
	block := t.keys.PlaintextBlockSize()
	return room/block*block - sequenceHeader - sig - 1
}

// seal appends one chunk to dst, which must be empty.
func (c *channel) seal(dst []byte, kind string, final byte, request uint32, body []byte) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.sending
	dst = append(dst, kind...)
	dst = append(dst, final)
	dst = appendUint32(dst, 0)
	dst = appendUint32(dst, c.id)
	dst = appendUint32(dst, t.id)
	dst = appendUint32(dst, c.nextSeq())
	dst = appendUint32(dst, request)
	dst = append(dst, body...)
	if !c.signed() {
		binary.LittleEndian.PutUint32(dst[4:], uint32(len(dst)))
		return dst, nil
	}
	const start = chunkHeader + tokenHeader
	sig := t.keys.SignatureLength()
	if c.encrypted() {
		block := t.keys.PlaintextBlockSize()
		pad := (block - (len(dst)-start+1+sig)%block) % block
		for range pad + 1 {
			dst = append(dst, byte(pad))
		}
	}
	binary.LittleEndian.PutUint32(dst[4:], uint32(len(dst)+sig))
	s, err := t.keys.Signature(dst)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	dst = append(dst, s...)
	if c.encrypted() {
		p, err := t.keys.Encrypt(dst[start:])
		if err != nil {
			return nil, fmt.Errorf("encrypt: %w", err)
		}
		copy(dst[start:], p)
	}
	return dst, nil
}

// openHeader is the asymmetric security header of an OpenSecureChannel chunk.
type openHeader struct {
	policy     string
	cert       []byte // of the sender
	thumbprint []byte // of the receiver's certificate
	end        int    // offset of the sequence header
}

func parseOpenHeader(chunk []byte) (openHeader, error) {
	b := ua.NewBuffer(chunk[chunkHeader:])
	h := openHeader{policy: b.ReadString(), cert: b.ReadBytes(), thumbprint: b.ReadBytes()}
	h.end = chunkHeader + b.Pos()
	if b.Error() != nil {
		return h, fmt.Errorf("open secure channel: %w", b.Error())
	}
	return h, nil
}

// openAsymmetric returns the request id, sequence number and body of an
// OpenSecureChannel chunk.
func openAsymmetric(chunk []byte, h openHeader, keys *uapolicy.EncryptionAlgorithm, key *rsa.PrivateKey, remote *x509.Certificate) (request uint32, body []byte, err error) {
	plain := chunk[h.end:]
	if h.policy != ua.SecurityPolicyURINone {
		if len(plain) == 0 || len(plain)%key.Size() != 0 {
			return 0, nil, errSecurity
		}
		plain, err = keys.Decrypt(plain)
		if err != nil {
			return 0, nil, errSecurity
		}
		end := len(plain) - keys.RemoteSignatureLength()
		if end < sequenceHeader+1 {
			return 0, nil, errSecurity
		}
		signed := append(append([]byte(nil), chunk[:h.end]...), plain[:end]...)
		if keys.VerifySignature(signed, plain[end:]) != nil {
			return 0, nil, errSecurity
		}
		// Keys above 2048 bits have two bytes of padding size.
		pad := int(plain[end-1]) + 1
		if key.Size() > 256 {
			pad = int(plain[end-1])<<8 + int(plain[end-2]) + 2
		}
		if pad > end-sequenceHeader {
			return 0, nil, errSecurity
		}
		plain = plain[:end-pad]
	}
	if len(plain) < sequenceHeader {
		return 0, nil, fmt.Errorf("open secure channel: %d bytes", len(plain))
	}
	return binary.LittleEndian.Uint32(plain[4:]), plain[sequenceHeader:], nil
}

// sealAsymmetric makes the chunk of an OpenSecureChannel response.
func (c *channel) sealAsymmetric(request uint32, ownCert []byte, o *openReply) ([]byte, error) {
	c.mu.Lock()
	seq := c.nextSeq()
	c.mu.Unlock()
	b := append(make([]byte, 0, 2048), "OPNF"...)
	b = appendUint32(b, 0)
	b = appendUint32(b, c.id)
	b = appendString(b, c.policy)
	secure := c.policy != ua.SecurityPolicyURINone
	if secure {
		b = appendString(b, string(ownCert))
		b = appendString(b, string(o.thumbprint))
	} else {
		b = appendUint32(b, noLength)
		b = appendUint32(b, noLength)
	}
	start := len(b)
	b = appendUint32(b, seq)
	b = appendUint32(b, request)
	b = append(b, o.body...)
	if !secure {
		binary.LittleEndian.PutUint32(b[4:], uint32(len(b)))
		return b, nil
	}
	sig, block := o.keys.SignatureLength(), o.keys.PlaintextBlockSize()
	sizeBytes := 1
	if o.keySize > 256 {
		sizeBytes = 2
	}
	pad := (block - (len(b)-start+sizeBytes+sig)%block) % block
	for range pad + 1 {
		b = append(b, byte(pad))
	}
	if sizeBytes == 2 {
		b = append(b, byte(pad>>8))
	}
	blocks := (len(b) - start + sig) / block
	binary.LittleEndian.PutUint32(b[4:], uint32(start+blocks*o.keySize))
	s, err := o.keys.Signature(b)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	p, err := o.keys.Encrypt(append(b[start:], s...))
	if err != nil {
		return nil, fmt.Errorf("encrypt: %w", err)
	}
	return append(b[:start:start], p...), nil
}
