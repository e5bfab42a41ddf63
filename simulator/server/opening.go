package server

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/gopcua/opcua/ua"
	"github.com/gopcua/opcua/uapolicy"
)

// nonceSize is the length of nonces of Basic256Sha256 (OPC 10000-7) and of
// session nonces (OPC 10000-4, 5.7.2: at least 32 bytes).
const nonceSize = 32

// openChannel serves an OpenSecureChannel chunk: issue or renewal
// (OPC 10000-4, 5.6.2).
func (c *conn) openChannel(chunk []byte) error {
	if chunk[3] != 'F' {
		return fmt.Errorf("open secure channel in chunks: %w", ua.StatusBadTCPMessageTooLarge)
	}
	h, err := parseOpenHeader(chunk)
	if err != nil {
		return err
	}
	if c.ch != nil && (h.policy != c.ch.policy || binary.LittleEndian.Uint32(chunk[8:]) != c.ch.id) {
		return fmt.Errorf("renewal of another channel: %w", ua.StatusBadTCPSecureChannelUnknown)
	}
	remote, err := c.srv.admit(h)
	if err != nil {
		return err
	}
	var remoteKey *rsa.PublicKey
	var key *rsa.PrivateKey
	if remote != nil {
		remoteKey, key = remote.PublicKey.(*rsa.PublicKey), c.srv.own.key
	}
	keys, err := uapolicy.Asymmetric(h.policy, key, remoteKey)
	if err != nil {
		return fmt.Errorf("%w: %w", errSecurity, err)
	}
	id, body, err := openAsymmetric(chunk, h, keys, key, remote)
	if err != nil {
		return err
	}
	svc, err := decodeService(body)
	if err != nil {
		return err
	}
	req, ok := svc.(*ua.OpenSecureChannelRequest)
	if !ok {
		return fmt.Errorf("open secure channel carries %T: %w", svc, ua.StatusBadTCPMessageTypeInvalid)
	}
	token, nonce, err := c.issue(h, req)
	if err != nil {
		return err
	}
	resp := &ua.OpenSecureChannelResponse{
		ResponseHeader: responseHeader(req.RequestHeader.RequestHandle, ua.StatusOK),
		SecurityToken: &ua.ChannelSecurityToken{
			ChannelID: c.ch.id, TokenID: token.id, CreatedAt: time.Now(),
			RevisedLifetime: uint32(c.srv.tokenLife(req.RequestedLifetime) / time.Millisecond),
		},
		ServerNonce: nonce,
	}
	b, err := encodeService(resp)
	if err != nil {
		return err
	}
	open := &openReply{body: b, keys: keys, thumbprint: thumbprint(h.cert)}
	if remoteKey != nil {
		open.keySize = remoteKey.Size()
	}
	c.net.SetReadDeadline(token.until)
	c.srv.count("OpenSecureChannel")
	c.send(outgoing{id: id, open: open})
	c.ch.addToken(token)
	return nil
}

// openReply is an OpenSecureChannel response. The writer seals it in its turn:
// sequence numbers must go up in the order of sending.
type openReply struct {
	body       []byte
	keys       *uapolicy.EncryptionAlgorithm
	thumbprint []byte // of the client's certificate
	keySize    int    // of the client's key, bytes; 0 with None
}

// issue makes the keys of a new channel or of a renewal.
func (c *conn) issue(h openHeader, req *ua.OpenSecureChannelRequest) (*token, []byte, error) {
	switch req.RequestType {
	case ua.SecurityTokenRequestTypeIssue:
		if c.ch != nil {
			return nil, nil, ua.StatusBadRequestTypeInvalid
		}
		if !c.srv.offers(h.policy, req.SecurityMode) {
			return nil, nil, ua.StatusBadSecurityModeRejected
		}
		c.ch = &channel{id: c.srv.nextChannel(), policy: h.policy, mode: req.SecurityMode}
		if h.policy != ua.SecurityPolicyURINone {
			c.ch.cert = h.cert
		}
	case ua.SecurityTokenRequestTypeRenew:
		if c.ch == nil {
			return nil, nil, ua.StatusBadTCPSecureChannelUnknown
		}
		if req.SecurityMode != c.ch.mode || !bytes.Equal(h.cert, c.ch.cert) && c.ch.signed() {
			return nil, nil, errSecurity
		}
	default:
		return nil, nil, ua.StatusBadRequestTypeInvalid
	}
	var nonce []byte
	if c.ch.signed() {
		if len(req.ClientNonce) != nonceSize {
			return nil, nil, ua.StatusBadNonceInvalid
		}
		nonce = newNonce()
	}
	keys, err := uapolicy.Symmetric(h.policy, nonce, req.ClientNonce)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errSecurity, err)
	}
	life := c.srv.tokenLife(req.RequestedLifetime)
	return &token{id: c.srv.nextToken(), keys: keys, until: time.Now().Add(life + life/4)}, nonce, nil
}

func (s *Server) tokenLife(requested uint32) time.Duration {
	if requested == 0 {
		return s.limits.MaxTokenLife
	}
	return revise(float64(requested), s.limits.MinTokenLife, s.limits.MaxTokenLife)
}

// admit checks the policy and the certificates of an OpenSecureChannel request.
// The certificate is nil with None.
func (s *Server) admit(h openHeader) (*x509.Certificate, error) {
	switch h.policy {
	case ua.SecurityPolicyURINone:
		// A server without a None endpoint still opens channels for discovery
		// (OPC 10000-4, 5.5.4); sessions on them are refused.
		return nil, nil
	case ua.SecurityPolicyURIBasic256Sha256:
	default:
		return nil, ua.StatusBadSecurityPolicyRejected
	}
	if s.own.cert == nil {
		return nil, ua.StatusBadSecurityPolicyRejected
	}
	if !bytes.Equal(h.thumbprint, thumbprint(s.own.cert)) {
		return nil, fmt.Errorf("request is for another certificate: %w", errSecurity)
	}
	return s.trustClient(h.cert)
}

func newNonce() []byte {
	b := make([]byte, nonceSize)
	rand.Read(b) // never fails (crypto/rand)
	return b
}
