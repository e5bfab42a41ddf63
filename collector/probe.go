package collector

import (
	"context"
	"time"

	"github.com/gopcua/opcua/ua"
)

// Report is what Probe found out about a server.
type Report struct {
	URL       string
	Endpoints []EndpointReport
	// Chosen is the index in Endpoints of the one that the security settings
	// mean, -1 if there is none.
	Chosen  int
	Trusted error // nil: the certificate is trusted or not needed
	// Certificates are ours, and the server's where it is trusted.
	Certificates               CertificatesStatus
	Login                      error  // nil: a session was activated
	Server                     string // name, application and product as the endpoints say them
	ApplicationURI, ProductURI string
	Namespaces                 []string
	RoundTrip                  time.Duration
	// ClockOffset is the server's clock minus ours.
	ClockOffset              time.Duration
	MaxMonitoredItemsPerCall uint32 // limits: 0 where the server names none
	MaxNodesPerRead          uint32
	MaxNodesPerBrowse        uint32
}

// EndpointReport is one offer of the server.
type EndpointReport struct {
	Policy, Mode string
	Users        []string
	Fingerprint  string // SHA-256 of the certificate
	Expires      time.Time
}

// Probe connects to a server as the settings say and reports how far it got.
// The error is of the connection itself; what the server refuses is in the
// report.
func Probe(ctx context.Context, url string, sec Security) (Report, error) {
	r, l, _, err := meet(ctx, url, sec)
	if l != nil {
		l.leave(ctx)
	}
	return r, err
}

// meet is Probe, and gives the session where it got that far.
func meet(ctx context.Context, url string, sec Security) (Report, *link, peer, error) {
	r := Report{URL: url, Chosen: -1}
	p, err := sec.open()
	if err != nil {
		return r, nil, peer{}, err
	}
	offers, err := getEndpoints(ctx, url)
	if err != nil {
		return r, nil, peer{}, err
	}
	for i, o := range offers {
		r.Endpoints = append(r.Endpoints, describeOffer(o))
		if o.SecurityPolicyURI == p.policy && o.SecurityMode == p.mode && r.Chosen < 0 {
			r.Chosen = i
		}
		if o.Server != nil && o.Server.ApplicationName != nil {
			r.Server, r.ApplicationURI, r.ProductURI = o.Server.ApplicationName.Text, o.Server.ApplicationURI, o.Server.ProductURI
		}
	}
	e := &engine{src: &Source{URL: url, Name: "doctor", life: visitLife}, sec: p}
	end, err := p.choose(url, offers)
	if err != nil {
		r.Login = choiceError{err}
		return r, nil, peer{}, nil
	}
	r.Trusted = e.trust(end)
	r.Certificates = e.src.Certificates(time.Now())
	if r.Trusted != nil {
		r.Login = r.Trusted
		return r, nil, peer{}, nil
	}
	l, _, err := e.reach(ctx)
	if err != nil {
		r.Login = err
		return r, nil, peer{}, nil
	}
	before := time.Now()
	srv, err := l.describe(ctx)
	if err != nil {
		l.leave(ctx)
		r.Login = err
		return r, nil, peer{}, nil
	}
	r.Namespaces, r.RoundTrip = srv.namespaces, srv.rtt
	if srv.now != 0 {
		r.ClockOffset = time.Duration(srv.now - before.Add(srv.rtt/2).UnixNano())
	}
	r.MaxMonitoredItemsPerCall, r.MaxNodesPerRead, r.MaxNodesPerBrowse = srv.batch, srv.perRead, srv.perBrowse
	return r, l, srv, nil
}

// choiceError: no endpoint fits the settings. It says itself what to do.
type choiceError struct{ error }

func (e choiceError) Unwrap() error { return e.error }

func describeOffer(o *ua.EndpointDescription) EndpointReport {
	e := EndpointReport{Policy: policyName(o.SecurityPolicyURI), Mode: modeName(o.SecurityMode)}
	for _, t := range o.UserIdentityTokens {
		if t != nil {
			e.Users = append(e.Users, tokenName(t.TokenType))
		}
	}
	e.Users = dedupe(e.Users)
	if len(o.ServerCertificate) > 0 {
		e.Fingerprint = fingerprint(o.ServerCertificate)
		if leaf, err := leafOf(o.ServerCertificate); err == nil {
			e.Fingerprint, e.Expires = fingerprint(leaf.Raw), leaf.NotAfter
		}
	}
	return e
}
