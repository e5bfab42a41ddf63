package server

import (
	"net"
	"net/url"

	"github.com/gopcua/opcua/ua"
	"github.com/gopcua/opcua/uapolicy"
)

const transportProfile = "http://opcfoundation.org/UA-Profile/Transport/uatcp-uasc-uabinary"

// Ids of the user token policies.
const (
	policyAnonymous   = "anonymous"
	policyUserName    = "username"
	policyCertificate = "certificate"
)

func (s *Server) findServers(r *ua.FindServersRequest) *ua.FindServersResponse {
	if len(r.ServerURIs) > 0 {
		found := false
		for _, u := range r.ServerURIs {
			found = found || u == s.applicationURI()
		}
		if !found {
			return &ua.FindServersResponse{}
		}
	}
	return &ua.FindServersResponse{Servers: []*ua.ApplicationDescription{s.description(s.reached(r.EndpointURL))}}
}

func (s *Server) getEndpoints(r *ua.GetEndpointsRequest) *ua.GetEndpointsResponse {
	if len(r.ProfileURIs) > 0 {
		found := false
		for _, u := range r.ProfileURIs {
			found = found || u == transportProfile
		}
		if !found {
			return &ua.GetEndpointsResponse{}
		}
	}
	return &ua.GetEndpointsResponse{Endpoints: s.endpoints(s.reached(r.EndpointURL))}
}

// reached is the server's URL with the host by which the client came: it may
// know this server by another name than the one that it listens on.
func (s *Server) reached(clientURL string) string {
	u, err := url.Parse(clientURL)
	if err != nil || u.Hostname() == "" {
		return s.URL()
	}
	own, err := url.Parse(s.URL())
	if err != nil {
		return s.URL()
	}
	port := u.Port()
	if port == "" {
		port = own.Port()
	}
	return "opc.tcp://" + net.JoinHostPort(u.Hostname(), port)
}

func (s *Server) description(at string) *ua.ApplicationDescription {
	return &ua.ApplicationDescription{
		ApplicationURI:  s.applicationURI(),
		ProductURI:      "urn:millwright",
		ApplicationName: text(s.name()),
		ApplicationType: ua.ApplicationTypeServer,
		DiscoveryURLs:   []string{at},
	}
}

func (s *Server) endpoints(at string) []*ua.EndpointDescription {
	var all []*ua.EndpointDescription
	for _, m := range s.modes() {
		policy := ua.SecurityPolicyURIBasic256Sha256
		if m == None {
			policy = ua.SecurityPolicyURINone
		}
		all = append(all, &ua.EndpointDescription{
			EndpointURL:         at,
			Server:              s.description(at),
			ServerCertificate:   s.own.cert,
			SecurityMode:        securityMode(m),
			SecurityPolicyURI:   policy,
			UserIdentityTokens:  s.userPolicies(),
			TransportProfileURI: transportProfile,
			SecurityLevel:       uapolicy.SecurityLevel(policy, securityMode(m)),
		})
	}
	return all
}

// userPolicies never lets a password travel in the clear: its policy encrypts
// even where the channel does not.
func (s *Server) userPolicies() []*ua.UserTokenPolicy {
	var all []*ua.UserTokenPolicy
	if !s.NoAnonymous {
		all = append(all, &ua.UserTokenPolicy{PolicyID: policyAnonymous, TokenType: ua.UserTokenTypeAnonymous})
	}
	if len(s.Users) > 0 {
		all = append(all, &ua.UserTokenPolicy{
			PolicyID: policyUserName, TokenType: ua.UserTokenTypeUserName,
			SecurityPolicyURI: ua.SecurityPolicyURIBasic256Sha256,
		})
	}
	if s.PKI != "" {
		all = append(all, &ua.UserTokenPolicy{
			PolicyID: policyCertificate, TokenType: ua.UserTokenTypeCertificate,
			SecurityPolicyURI: ua.SecurityPolicyURIBasic256Sha256,
		})
	}
	return all
}

func text(s string) *ua.LocalizedText {
	if s == "" {
		return &ua.LocalizedText{}
	}
	return &ua.LocalizedText{EncodingMask: ua.LocalizedTextText, Text: s}
}
