package server

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"time"

	"github.com/gopcua/opcua/ua"
	"github.com/gopcua/opcua/uapolicy"
)

const defaultSession = time.Minute

// createSession is OPC 10000-4, 5.7.2.
func (s *Server) createSession(c *conn, r *ua.CreateSessionRequest) (ua.Response, ua.StatusCode) {
	if !s.offersExactly(c.ch) {
		return nil, ua.StatusBadSecurityModeRejected
	}
	ses := &session{
		id:       ua.NewByteStringNodeID(1, newNonce()),
		name:     r.SessionName,
		appURI:   r.ClientDescription.ApplicationURI,
		cert:     c.ch.cert,
		policy:   c.ch.policy,
		mode:     c.ch.mode,
		nonce:    newNonce(),
		timeout:  defaultSession,
		active:   time.Now(),
		conn:     c,
		maxReply: int(min(r.MaxResponseMessageSize, maxAnswer)),
		subs:     map[uint32]*subscription{},
		cursors:  map[string]*browseCursor{},
	}
	token := ua.NewByteStringNodeID(0, newNonce())
	ses.token = token.String()
	if r.RequestedSessionTimeout > 0 {
		ses.timeout = revise(r.RequestedSessionTimeout, s.limits.MinSession, s.limits.MaxSession)
	}
	signature := &ua.SignatureData{}
	if c.ch.signed() {
		if !bytes.Equal(r.ClientCertificate, c.ch.cert) {
			return nil, ua.StatusBadCertificateInvalid
		}
		certs, err := x509.ParseCertificates(r.ClientCertificate)
		if err != nil || len(certs) == 0 {
			return nil, ua.StatusBadCertificateInvalid
		}
		if !namesURI(certs[0], ses.appURI) {
			return nil, ua.StatusBadCertificateURIInvalid
		}
		if len(r.ClientNonce) < nonceSize {
			return nil, ua.StatusBadNonceInvalid
		}
		signature, err = s.sign(certs[0], r.ClientCertificate, r.ClientNonce)
		if err != nil {
			return nil, ua.StatusBadInternalError
		}
	}
	e := s.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.sessions) >= s.limits.MaxSessions {
		return nil, ua.StatusBadTooManySessions
	}
	e.sessions[ses.token] = ses
	return &ua.CreateSessionResponse{
		SessionID:             ses.id,
		AuthenticationToken:   token,
		RevisedSessionTimeout: millis(ses.timeout),
		ServerNonce:           ses.nonce,
		ServerCertificate:     s.own.cert,
		ServerEndpoints:       s.endpoints(s.reached(r.EndpointURL)),
		ServerSignature:       signature,
		MaxRequestMessageSize: maxMessage,
	}, ua.StatusOK
}

// offersExactly reports whether sessions are allowed on this channel: None is
// opened for discovery even where it is no endpoint.
func (s *Server) offersExactly(ch *channel) bool {
	for _, m := range s.modes() {
		if securityMode(m) == ch.mode {
			return true
		}
	}
	return false
}

func namesURI(c *x509.Certificate, uri string) bool {
	for _, u := range c.URIs {
		if u.String() == uri {
			return true
		}
	}
	return false
}

// sign proves that the server holds its key: the signature covers the client's
// certificate and nonce.
func (s *Server) sign(remote *x509.Certificate, cert, nonce []byte) (*ua.SignatureData, error) {
	keys, err := uapolicy.Asymmetric(ua.SecurityPolicyURIBasic256Sha256, s.own.key, remote.PublicKey.(*rsa.PublicKey))
	if err != nil {
		return nil, err
	}
	sig, err := keys.Signature(bytes.Join([][]byte{cert, nonce}, nil))
	return &ua.SignatureData{Algorithm: keys.SignatureURI(), Signature: sig}, err
}

// signedBy checks a signature over the server's certificate and last nonce.
func (s *Server) signedBy(c *x509.Certificate, nonce []byte, sig *ua.SignatureData) bool {
	k, ok := c.PublicKey.(*rsa.PublicKey)
	if !ok || s.own.key == nil {
		return false
	}
	keys, err := uapolicy.Asymmetric(ua.SecurityPolicyURIBasic256Sha256, s.own.key, k)
	if err != nil || sig.Algorithm != keys.SignatureURI() {
		return false
	}
	return keys.VerifySignature(bytes.Join([][]byte{s.own.cert, nonce}, nil), sig.Signature) == nil
}

// activateSession is OPC 10000-4, 5.7.3. It also moves a session to a new secure
// channel, which must have the same security, certificate and user.
func (s *Server) activateSession(c *conn, r *ua.ActivateSessionRequest) (ua.Response, ua.StatusCode) {
	e := s.engine
	e.mu.Lock()
	ses := e.sessions[r.RequestHeader.AuthenticationToken.String()]
	if ses == nil {
		e.mu.Unlock()
		return nil, ua.StatusBadSessionIDInvalid
	}
	nonce, user, conn := ses.nonce, ses.user, ses.conn
	e.mu.Unlock()

	// The slow part, RSA, runs without the lock.
	if c.ch.policy != ses.policy || c.ch.mode != ses.mode || !bytes.Equal(c.ch.cert, ses.cert) {
		return nil, ua.StatusBadSecurityChecksFailed
	}
	if conn != c && user == "" {
		return nil, ua.StatusBadSecureChannelIDInvalid // the first activation belongs to the creator
	}
	if c.ch.signed() {
		certs, err := x509.ParseCertificates(c.ch.cert)
		if err != nil || len(certs) == 0 || !s.signedBy(certs[0], nonce, r.ClientSignature) {
			return nil, ua.StatusBadApplicationSignatureInvalid
		}
	}
	who, code := s.identify(r, nonce)
	if code != ua.StatusOK {
		s.log().Info("opc ua login refused", "client", c.net.RemoteAddr(), "why", code)
		return nil, code
	}
	if conn != c && who != user {
		return nil, ua.StatusBadIdentityChangeNotSupported
	}

	e.mu.Lock()
	defer e.mu.Unlock()
	if e.sessions[ses.token] != ses || !bytes.Equal(ses.nonce, nonce) {
		return nil, ua.StatusBadSessionIDInvalid // closed, or activated by another meanwhile
	}
	if ses.conn != nil && ses.conn != c {
		e.failWaiting(ses, ua.StatusBadSecureChannelClosed)
	}
	ses.nonce = newNonce()
	ses.conn, ses.user, ses.active = c, who, time.Now()
	c.loggedIn = true
	return &ua.ActivateSessionResponse{ServerNonce: ses.nonce}, ua.StatusOK
}
