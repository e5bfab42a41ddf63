package collector

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gopcua/opcua/ua"
)

// Security says how a server is met. The endpoint must offer exactly this
// policy and mode; there is no falling back to a weaker one.
type Security struct {
	Policy string // "None" (also where empty), "Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss"
	Mode   string // "None", "Sign", "SignAndEncrypt"; where empty: None with policy None, else SignAndEncrypt

	User     string // user name; with Password
	Password string
	// AllowPlainPassword lets a password travel readable to everyone on the
	// network, where the server offers no encryption. Off by default.
	AllowPlainPassword bool
	UserCertificate    string // file (PEM or DER) of a certificate user; with UserKey
	UserKey            string

	// PKI is the folder with own/, trusted/, issuers/ and rejected/. The own
	// certificate is made there at first use unless Certificate and Key name
	// one. Needed for every policy but None.
	PKI            string
	Certificate    string
	Key            string
	ApplicationURI string // of our own certificate when it is made; default urn:HOST:millwright:edge
}

// security is Security checked and parsed.
type security struct {
	Security
	policy string // URI
	mode   ua.MessageSecurityMode
	user   ua.UserTokenType
	own    *identity // nil with policy None and no PKI
	person *identity // of a certificate user
}

var policies = []string{"None", "Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss"}

// open checks s and loads its certificates. An error is one that no retry mends.
func (s Security) open() (*security, error) {
	p := &security{Security: s}
	if s.Policy == "" {
		s.Policy = "None"
	}
	if !slices.Contains(policies, s.Policy) {
		return nil, fmt.Errorf("security policy %q: allowed are %s", s.Policy, strings.Join(policies, ", "))
	}
	p.policy = ua.FormatSecurityPolicyURI(s.Policy)
	switch s.Mode {
	case "":
		p.mode = ua.MessageSecurityModeNone
		if s.Policy != "None" {
			p.mode = ua.MessageSecurityModeSignAndEncrypt
		}
	case "None", "Sign", "SignAndEncrypt":
		p.mode = ua.MessageSecurityModeFromString(s.Mode)
	default:
		return nil, fmt.Errorf("security mode %q: allowed are None, Sign, SignAndEncrypt", s.Mode)
	}
	if (s.Policy == "None") != (p.mode == ua.MessageSecurityModeNone) {
		return nil, fmt.Errorf("security policy %s with mode %s: None goes with None only", s.Policy, p.mode)
	}
	p.user = ua.UserTokenTypeAnonymous
	switch {
	case s.User != "" && s.UserCertificate != "":
		return nil, errors.New("both a user name and a user certificate are given: choose one")
	case s.User != "":
		p.user = ua.UserTokenTypeUserName
	case s.UserCertificate != "":
		p.user = ua.UserTokenTypeCertificate
		var err error
		if p.person, err = loadIdentity(s.UserCertificate, s.UserKey); err != nil {
			return nil, fmt.Errorf("user certificate: %w", err)
		}
	}
	if s.Policy == "None" && s.PKI == "" {
		return p, nil
	}
	if s.PKI == "" {
		return nil, fmt.Errorf("security policy %s needs a folder for certificates", s.Policy)
	}
	var err error
	if s.Certificate != "" {
		p.own, err = loadIdentity(s.Certificate, s.Key)
	} else {
		p.own, err = ownIdentity(s.PKI, s.ApplicationURI)
	}
	if err != nil {
		return nil, fmt.Errorf("own certificate: %w", err)
	}
	return p, nil
}

func (p *security) applicationURI() string {
	if p.own != nil && p.own.uri != "" {
		return p.own.uri
	}
	return "urn:millwright:edge"
}

// endpoint is what was chosen of a server's offers.
type endpoint struct {
	url         string // where the TCP connection goes
	applURI     string
	certificate []byte // DER, as the server offers it; first of a chain
	tokenID     string // policy id of the user token
	tokenPolicy string // security policy that protects the token
}

// choose picks the endpoint that matches exactly.
func (p *security) choose(url string, offers []*ua.EndpointDescription) (*endpoint, error) {
	var seen []string
	for _, o := range offers {
		if o == nil || o.Server == nil || strings.Contains(o.TransportProfileURI, "https") || strings.Contains(o.TransportProfileURI, "wss") {
			continue
		}
		seen = append(seen, policyName(o.SecurityPolicyURI)+"/"+modeName(o.SecurityMode))
		if o.SecurityPolicyURI != p.policy || o.SecurityMode != p.mode {
			continue
		}
		e := &endpoint{url: url, applURI: o.Server.ApplicationURI, certificate: slices.Clone(o.ServerCertificate)}
		return e, p.chooseToken(e, o)
	}
	return nil, fmt.Errorf("the server offers no endpoint %s/%s; it offers %s: change security_policy and security_mode, or the server",
		policyName(p.policy), modeName(p.mode), strings.Join(dedupe(seen), ", "))
}

// chooseToken picks the user token policy, the best protected one first. A
// password goes only where it is encrypted: by the token's own policy or by the
// channel's mode.
func (p *security) chooseToken(e *endpoint, o *ua.EndpointDescription) error {
	encrypted := o.SecurityMode == ua.MessageSecurityModeSignAndEncrypt
	plain := false
	for _, t := range o.UserIdentityTokens {
		if t == nil || t.TokenType != p.user {
			continue
		}
		policy := t.SecurityPolicyURI
		if policy == "" {
			policy = o.SecurityPolicyURI
		}
		if p.user == ua.UserTokenTypeUserName && policy == ua.SecurityPolicyURINone && !encrypted {
			plain = true
			continue
		}
		if p.user == ua.UserTokenTypeCertificate && policy == ua.SecurityPolicyURINone {
			continue // nothing to sign with
		}
		if !slices.Contains(policies, policyName(policy)) && policy != ua.SecurityPolicyURINone {
			continue
		}
		e.tokenID, e.tokenPolicy = t.PolicyID, policy
		return nil
	}
	if plain {
		if !p.AllowPlainPassword {
			return errors.New("the server takes the password unencrypted only: use security policy Basic256Sha256, or allow it with allow_plain_password")
		}
		for _, t := range o.UserIdentityTokens {
			if t != nil && t.TokenType == p.user {
				e.tokenID, e.tokenPolicy = t.PolicyID, ua.SecurityPolicyURINone
				return nil
			}
		}
	}
	var types []string
	for _, t := range o.UserIdentityTokens {
		if t != nil {
			types = append(types, tokenName(t.TokenType))
		}
	}
	return fmt.Errorf("the endpoint does not take %s users; it takes: %s", tokenName(p.user), strings.Join(dedupe(types), ", "))
}

// needsTrust reports whether the server's certificate protects anything.
func (p *security) needsTrust(e *endpoint) bool {
	if p.mode != ua.MessageSecurityModeNone {
		return true
	}
	return p.user != ua.UserTokenTypeAnonymous && e.tokenPolicy != ua.SecurityPolicyURINone
}

func policyName(uri string) string {
	if i := strings.LastIndexByte(uri, '#'); i >= 0 {
		return uri[i+1:]
	}
	return uri
}

func modeName(m ua.MessageSecurityMode) string {
	return strings.TrimPrefix(m.String(), "MessageSecurityMode")
}

func tokenName(t ua.UserTokenType) string {
	switch t {
	case ua.UserTokenTypeAnonymous:
		return "anonymous"
	case ua.UserTokenTypeUserName:
		return "user name"
	case ua.UserTokenTypeCertificate:
		return "certificate"
	}
	return "issued token"
}

func dedupe(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}
