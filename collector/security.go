package collector

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gopcua/opcua/ua"
)

// Security says how a server is met. The endpoint must offer exactly this
// policy and mode; there is no falling back to a weaker one.
type Security struct {
	Policy string // "None" (also where empty), "Basic256" (weak), "Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss"
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

	// What a server's certificate may lack. All that is not named here is
	// demanded as OPC 10000-4, 6.1.3 says.
	AnyHost    bool   // it need not name the host of the URL, as behind an address translation
	AllowSHA1  bool   // it, or what issued it, may be signed with SHA-1
	Revocation string // RevocationRequired (also where empty) or RevocationIfPresent

	box timekeeping // boxTime where nil
}

// Values of Security.Revocation. A certificate that signs itself has no
// revocation list; taking it out of trusted/ revokes it.
const (
	RevocationRequired  = "required"   // each issuer's list must be there and in its time
	RevocationIfPresent = "if-present" // a list counts where it is there
)

// security is Security checked and parsed.
type security struct {
	Security
	policy string // URI
	mode   ua.MessageSecurityMode
	user   ua.UserTokenType
	own    *identity // nil with policy None and no PKI
	person *identity // of a certificate user
	clock  *clock    // nil without PKI
	notes  []string  // for the log
}

var policies = []string{"None", "Basic256", "Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss"}

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
	if !slices.Contains([]string{"", RevocationRequired, RevocationIfPresent}, s.Revocation) {
		return nil, fmt.Errorf("revocation %q: allowed are %s, %s", s.Revocation, RevocationRequired, RevocationIfPresent)
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
		if p.person, err = p.loadPerson(); err != nil {
			return nil, err
		}
	}
	if s.Policy == "None" && s.PKI == "" {
		return p, nil
	}
	if s.PKI == "" {
		return nil, fmt.Errorf("security policy %s needs a folder for certificates", s.Policy)
	}
	var err error
	if p.own, err = p.loadOwn(); err != nil {
		return nil, err
	}
	p.clock = openClock(s.PKI, s.box, p.note)
	for _, key := range []string{s.Key, s.UserKey, filepath.Join(s.PKI, ownDir, ownName+keySuffix)} {
		if st, err := os.Stat(key); err == nil && st.Mode().Perm()&0o077 != 0 {
			p.note(fmt.Sprintf("the key %s can be read by others: chmod 600 %s", key, key))
		}
	}
	return p, nil
}

func (p *security) note(text string) { p.notes = append(p.notes, text) }

func (p *security) loadPerson() (*identity, error) {
	id, err := loadIdentity(p.UserCertificate, p.UserKey)
	if err != nil {
		return nil, fmt.Errorf("user certificate: %w", err)
	}
	return id, nil
}

func (p *security) loadOwn() (id *identity, err error) {
	if p.Certificate != "" {
		id, err = loadIdentity(p.Certificate, p.Key)
	} else {
		id, err = ownIdentity(p.PKI, p.ApplicationURI)
	}
	if err != nil {
		return nil, fmt.Errorf("own certificate: %w", err)
	}
	return id, nil
}

// renewed reads our own certificates again and reports whether they are others
// than before. What cannot be read, or does not fit together because somebody
// is about to copy it, leaves the present ones in use.
func (p *security) renewed() (own, person *identity, changed bool) {
	own, person = p.own, p.person
	if p.own != nil {
		if id, err := p.loadOwn(); err == nil {
			changed, own = !bytes.Equal(id.der, p.own.der), id
		}
	}
	if p.person != nil {
		if id, err := p.loadPerson(); err == nil {
			changed, person = changed || !bytes.Equal(id.der, p.person.der), id
		}
	}
	return own, person, changed
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
	offered     string // all that the server offered, see offered
}

// offered is what of a list of endpoints must be the same before and after the
// session is created (OPC 10000-4, 5.7.2), whatever their order. Anybody can
// have answered GetEndpoints; the answer to CreateSession is protected. The
// hosts are not compared: we dial the one of the configuration.
func offered(list []*ua.EndpointDescription) string {
	var all []string
	for _, o := range list {
		if !dialable(o) {
			continue
		}
		var tokens []string
		for _, t := range o.UserIdentityTokens {
			if t != nil {
				tokens = append(tokens, fmt.Sprintf("%q %d %q %q %q", t.PolicyID, t.TokenType, t.IssuedTokenType, t.IssuerEndpointURL, t.SecurityPolicyURI))
			}
		}
		slices.Sort(tokens)
		all = append(all, fmt.Sprintf("%q %d %q %q %d %q", o.Server.ApplicationURI, o.SecurityMode, o.SecurityPolicyURI, o.TransportProfileURI, o.SecurityLevel, tokens))
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}

// dialable reports whether an endpoint is one that we could dial.
func dialable(o *ua.EndpointDescription) bool {
	return o != nil && o.Server != nil && !strings.Contains(o.TransportProfileURI, "https") && !strings.Contains(o.TransportProfileURI, "wss")
}

// checkOffers holds the endpoints that the session names against those that
// were announced before it.
func (p *security) checkOffers(e *endpoint, now []*ua.EndpointDescription) error {
	if p.mode == ua.MessageSecurityModeNone {
		return nil // either list may be anybody's
	}
	if len(now) == 0 {
		return errors.New("the server does not repeat its endpoints, so nobody can tell whether those announced before were real (BadSecurityChecksFailed)")
	}
	if offered(now) != e.offered {
		return errors.New("the endpoints differ from those announced before: somebody on the way may have changed them (BadSecurityChecksFailed)")
	}
	return nil
}

// choose picks the endpoint that matches exactly.
func (p *security) choose(url string, offers []*ua.EndpointDescription) (*endpoint, error) {
	var seen []string
	for _, o := range offers {
		if !dialable(o) {
			continue
		}
		seen = append(seen, policyName(o.SecurityPolicyURI)+"/"+modeName(o.SecurityMode))
		if o.SecurityPolicyURI != p.policy || o.SecurityMode != p.mode {
			continue
		}
		e := &endpoint{url: url, applURI: o.Server.ApplicationURI, certificate: slices.Clone(o.ServerCertificate), offered: offered(offers)}
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
			return errors.New("the server takes the password unencrypted only: use security mode SignAndEncrypt with policy Basic256Sha256 or better, or let the server take passwords encrypted")
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
