package server

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"path/filepath"

	"github.com/gopcua/opcua/ua"
	"github.com/gopcua/opcua/uapolicy"
)

// anonymousUser is the identity of everybody without a name.
const anonymousUser = "anonymous"

// identify checks the user token (OPC 10000-4, 7.40) and returns who it is. The
// name is never empty and differs between kinds of tokens.
func (s *Server) identify(r *ua.ActivateSessionRequest, nonce []byte) (string, ua.StatusCode) {
	switch t := r.UserIdentityToken.Value.(type) {
	case nil:
		// Null is anonymous; a token that the codec does not know is not.
		if r.UserIdentityToken.EncodingMask != ua.ExtensionObjectEmpty {
			return "", ua.StatusBadIdentityTokenInvalid
		}
		return s.anonymous()
	case *ua.AnonymousIdentityToken:
		if t.PolicyID != policyAnonymous && t.PolicyID != "" {
			return "", ua.StatusBadIdentityTokenInvalid
		}
		return s.anonymous()
	case *ua.UserNameIdentityToken:
		return s.userName(t, nonce)
	case *ua.X509IdentityToken:
		return s.userCertificate(t, r.UserTokenSignature, nonce)
	}
	return "", ua.StatusBadIdentityTokenInvalid
}

func (s *Server) anonymous() (string, ua.StatusCode) {
	if s.NoAnonymous {
		return "", ua.StatusBadIdentityTokenInvalid
	}
	return anonymousUser, ua.StatusOK
}

// userName decrypts and compares a password. The secret carries the server's
// last nonce, so that it cannot be replayed.
func (s *Server) userName(t *ua.UserNameIdentityToken, nonce []byte) (string, ua.StatusCode) {
	if len(s.Users) == 0 || t.PolicyID != policyUserName {
		return "", ua.StatusBadIdentityTokenInvalid
	}
	keys, err := uapolicy.Asymmetric(ua.SecurityPolicyURIBasic256Sha256, s.own.key, nil)
	if err != nil || t.EncryptionAlgorithm != keys.EncryptionURI() {
		return "", ua.StatusBadIdentityTokenInvalid
	}
	secret, err := keys.Decrypt(t.Password)
	if err != nil || len(secret) < 4+len(nonce) {
		return "", ua.StatusBadIdentityTokenInvalid
	}
	size := binary.LittleEndian.Uint32(secret)
	if uint64(size)+4 != uint64(len(secret)) {
		return "", ua.StatusBadIdentityTokenInvalid
	}
	split := len(secret) - len(nonce)
	password, echoed := secret[4:split], secret[split:]
	if subtle.ConstantTimeCompare(echoed, nonce) != 1 {
		return "", ua.StatusBadIdentityTokenInvalid
	}
	want, known := s.Users[t.UserName]
	a, b := sha256.Sum256([]byte(want)), sha256.Sum256(password)
	if subtle.ConstantTimeCompare(a[:], b[:]) != 1 || !known {
		return "", ua.StatusBadUserAccessDenied
	}
	return "user:" + t.UserName, ua.StatusOK
}

// userCertificate wants a trusted certificate and proof of its key.
func (s *Server) userCertificate(t *ua.X509IdentityToken, sig *ua.SignatureData, nonce []byte) (string, ua.StatusCode) {
	if s.PKI == "" || t.PolicyID != policyCertificate {
		return "", ua.StatusBadIdentityTokenInvalid
	}
	certs, err := x509.ParseCertificates(t.CertificateData)
	if err != nil || len(certs) == 0 || checkLeaf(certs[0]) != nil {
		return "", ua.StatusBadIdentityTokenInvalid
	}
	if !s.signedBy(certs[0], nonce, sig) {
		return "", ua.StatusBadUserSignatureInvalid
	}
	if !trusted(filepath.Join(s.PKI, usersFolder), certs) {
		return "", ua.StatusBadIdentityTokenRejected
	}
	return "cert:" + hex.EncodeToString(thumbprint(certs[0].Raw)), ua.StatusOK
}
