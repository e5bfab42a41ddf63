package collector

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

const (
	sessionLife = 10 * time.Minute // asked of the server; a session must outlive an outage
	visitLife   = time.Minute      // of one that nobody takes up again
)

// session is what it takes to activate a session, on this channel or a later
// one, in this process or a later one (OPC 10000-4, 5.7.3).
type session struct {
	token *ua.NodeID
	nonce []byte // the server's last one
	life  time.Duration
	// offered is what the server offers, checked when the session was made; empty
	// for one of an earlier process.
	offered string
	stay    *stay // at the server; nil: it is not counted
}

// link is a channel with an active session.
type link struct {
	*channel
	session *session
	limits  *limits       // of this server
	rtt     time.Duration // as its description took, 0 unknown
}

// createSession opens a session and checks that the server is the one whose
// certificate was verified, and that it offered before what it offers now. A
// session with an error stands at the server and is to be left.
func createSession(ctx context.Context, c *channel, p *security, e *endpoint, name string, life time.Duration) (*session, error) {
	nonce := make([]byte, 32)
	if _, err := rand.Read(nonce); err != nil {
		return nil, err
	}
	res, err := send[*ua.CreateSessionResponse](ctx, c, nil, &ua.CreateSessionRequest{
		ClientDescription: &ua.ApplicationDescription{
			ApplicationURI:  p.applicationURI(),
			ProductURI:      "urn:millwright",
			ApplicationName: ua.NewLocalizedText("Millwright edge"),
			ApplicationType: ua.ApplicationTypeClient,
		},
		EndpointURL:             e.url,
		SessionName:             name,
		ClientNonce:             nonce,
		ClientCertificate:       c.cfg.Certificate,
		RequestedSessionTimeout: float64(life / time.Millisecond),
	}, requestTimeout)
	if err != nil {
		return nil, fmt.Errorf("creating a session: %w", err)
	}
	if res.AuthenticationToken == nil {
		return nil, errors.New("creating a session: the server sent no token")
	}
	s := &session{token: res.AuthenticationToken, nonce: slices.Clone(res.ServerNonce), life: millis(res.RevisedSessionTimeout), offered: e.offered}
	if p.needsTrust(e) && !sameLeaf(res.ServerCertificate, e.certificate) {
		return s, errors.New("creating a session: the server shows another certificate than its endpoint")
	}
	if p.mode != ua.MessageSecurityModeNone {
		if res.ServerSignature == nil || len(res.ServerNonce) < 32 {
			return s, errors.New("creating a session: the server sent no signature or too short a nonce")
		}
		if err := c.sc.VerifySessionSignature(e.certificate, nonce, res.ServerSignature.Signature); err != nil {
			return s, fmt.Errorf("creating a session: the server's signature is wrong: %w", err)
		}
	}
	if err := p.checkOffers(e, res.ServerEndpoints); err != nil {
		return s, fmt.Errorf("creating a session: %w", err)
	}
	return s, nil
}

// activate binds s to the channel c, first time or again.
func activate(ctx context.Context, c *channel, p *security, e *endpoint, s *session) (*link, error) {
	cert := slices.Clip(slices.Clone(e.certificate)) // the codec appends to it
	sig, alg, err := c.sc.NewSessionSignature(cert, s.nonce)
	if err != nil {
		return nil, fmt.Errorf("signing for the session: %w", err)
	}
	req := &ua.ActivateSessionRequest{
		ClientSignature:    &ua.SignatureData{Algorithm: alg, Signature: sig},
		LocaleIDs:          []string{"en"},
		UserTokenSignature: &ua.SignatureData{},
	}
	switch p.user {
	case ua.UserTokenTypeUserName:
		pass, alg, err := c.sc.EncryptUserPassword(e.tokenPolicy, p.Password, cert, s.nonce)
		if err != nil {
			return nil, fmt.Errorf("encrypting the password: %w", err)
		}
		req.UserIdentityToken = ua.NewExtensionObject(&ua.UserNameIdentityToken{
			PolicyID: e.tokenID, UserName: p.User, Password: pass, EncryptionAlgorithm: alg})
	case ua.UserTokenTypeCertificate:
		sig, alg, err := c.sc.NewUserTokenSignature(e.tokenPolicy, cert, s.nonce)
		if err != nil {
			return nil, fmt.Errorf("signing for the user: %w", err)
		}
		req.UserIdentityToken = ua.NewExtensionObject(&ua.X509IdentityToken{PolicyID: e.tokenID, CertificateData: p.person.der})
		req.UserTokenSignature = &ua.SignatureData{Algorithm: alg, Signature: sig}
	default:
		req.UserIdentityToken = ua.NewExtensionObject(&ua.AnonymousIdentityToken{PolicyID: e.tokenID})
	}
	res, err := send[*ua.ActivateSessionResponse](ctx, c, s.token, req, requestTimeout)
	if err != nil {
		return nil, fmt.Errorf("activating the session: %w", explainLogin(err, p))
	}
	s.nonce = slices.Clone(res.ServerNonce)
	return &link{channel: c, session: s, limits: new(limits)}, nil
}

// errLogin marks a refusal that a quick retry does not mend.
var errLogin = errors.New("login refused")

func explainLogin(err error, p *security) error {
	switch {
	case errors.Is(err, ua.StatusBadUserAccessDenied), errors.Is(err, ua.StatusBadIdentityTokenRejected):
		who := "an anonymous user"
		if p.user == ua.UserTokenTypeUserName {
			who = fmt.Sprintf("user %q with this password", p.User)
		} else if p.user == ua.UserTokenTypeCertificate {
			who = "the user certificate SHA-256 " + fingerprint(p.person.leaf())
		}
		return fmt.Errorf("%w: the server does not let in %s: %w", errLogin, who, err)
	case errors.Is(err, ua.StatusBadIdentityTokenInvalid):
		return fmt.Errorf("%w: the server does not take %s users here: %w", errLogin, tokenName(p.user), err)
	}
	return err
}

// refusedService reports whether err is the server's word on a request, and not
// a fault of the way to it.
func refusedService(err error) bool {
	var code ua.StatusCode
	return errors.As(err, &code) && code != ua.StatusBadTimeout && !errors.Is(err, errHangUp)
}

// sessionGone reports whether err says that the server has forgotten the session.
func sessionGone(err error) bool {
	return errors.Is(err, ua.StatusBadSessionIDInvalid) || errors.Is(err, ua.StatusBadSessionClosed) ||
		errors.Is(err, ua.StatusBadSessionNotActivated)
}

// subscriptionGone reports whether err says that the subscription is no more.
func subscriptionGone(err error) bool {
	return errors.Is(err, ua.StatusBadSubscriptionIDInvalid) || errors.Is(err, ua.StatusBadNoSubscription)
}

// call sends a request within the session as soon as the budget of the PLC has
// room for it. (Publish, which waits at the server, the heartbeat and the last
// word of a session are sent at once; those that open it are bound by the budget
// of connections.)
func call[T ua.Response](ctx context.Context, l *link, req ua.Request, timeout time.Duration) (T, error) {
	end, err := l.pace.begin(ctx)
	if err != nil {
		var none T
		return none, err
	}
	defer end()
	return send[T](ctx, l.channel, l.session.token, req, timeout)
}

// leave ends the session together with its subscriptions, and the channel, also
// when ctx has ended.
func (l *link) leave(ctx context.Context) {
	bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	// A server that does not hear this lets the session run out.
	if _, err := send[*ua.CloseSessionResponse](bye, l.channel, l.session.token, &ua.CloseSessionRequest{DeleteSubscriptions: true}, time.Second); err == nil {
		l.session.stay.end()
	} else {
		l.session.told(err)
	}
	l.close()
}

// read returns one result for each id, in order, in as many calls as the server
// needs. What it answers only with a fault of the whole call gets that as status.
func (l *link) read(ctx context.Context, timeout time.Duration, attribute ua.AttributeID, ids ...*ua.NodeID) ([]*ua.DataValue, error) {
	nodes := make([]*ua.ReadValueID, len(ids))
	for i, n := range ids {
		nodes[i] = &ua.ReadValueID{NodeID: n, AttributeID: attribute, DataEncoding: &ua.QualifiedName{}}
	}
	return l.readNodes(ctx, timeout, nodes)
}

// readNodes is read for any attributes.
func (l *link) readNodes(ctx context.Context, timeout time.Duration, nodes []*ua.ReadValueID) ([]*ua.DataValue, error) {
	values := make([]*ua.DataValue, len(nodes))
	err := l.limits.read.each(len(nodes), func(from, to int) error {
		res, err := call[*ua.ReadResponse](ctx, l, &ua.ReadRequest{TimestampsToReturn: ua.TimestampsToReturnNeither, NodesToRead: nodes[from:to]}, timeout)
		if err != nil {
			return err
		}
		if len(res.Results) != to-from {
			return fmt.Errorf("read %d nodes, got %d results", to-from, len(res.Results))
		}
		copy(values[from:to], res.Results)
		return nil
	}, func(i int, err error, _ bool) {
		code := ua.StatusBadUnexpectedError
		_ = errors.As(err, &code)
		values[i] = &ua.DataValue{EncodingMask: ua.DataValueStatusCode, Status: code}
	})
	if err != nil {
		return nil, err
	}
	return values, nil
}

// peer is what a connection needs to know of the server. A zero field was
// not offered.
type peer struct {
	namespaces   []string
	started      int64 // ns UTC: changes with every restart of the server
	now          int64 // ns UTC on the server's clock at the read
	batch        uint32
	perRead      uint32
	perBrowse    uint32
	perHistory   uint32
	perTranslate uint32
	rtt          time.Duration
}

func (l *link) describe(ctx context.Context) (peer, error) {
	var s peer
	begin := time.Now()
	v, err := l.read(ctx, requestTimeout, ua.AttributeIDValue,
		ua.NewNumericNodeID(0, id.Server_NamespaceArray),
		ua.NewNumericNodeID(0, id.Server_ServerStatus_StartTime),
		ua.NewNumericNodeID(0, id.Server_ServerStatus_CurrentTime),
		ua.NewNumericNodeID(0, id.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall),
		ua.NewNumericNodeID(0, id.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead),
		ua.NewNumericNodeID(0, id.Server_ServerCapabilities_OperationLimits_MaxNodesPerBrowse),
		ua.NewNumericNodeID(0, id.Server_ServerCapabilities_OperationLimits_MaxNodesPerHistoryReadData),
		ua.NewNumericNodeID(0, id.Server_ServerCapabilities_OperationLimits_MaxNodesPerTranslateBrowsePathsToNodeIDs))
	if err != nil {
		return s, fmt.Errorf("reading the server's namespaces and limits: %w", err)
	}
	calls := (len(v) + l.limits.read.size() - 1) / l.limits.read.size()
	s.rtt = time.Since(begin) / time.Duration(max(1, calls))
	l.rtt = s.rtt
	s.namespaces, _ = good[[]string](v[0])
	if t, ok := good[time.Time](v[1]); ok {
		s.started = instant(t)
	}
	if t, ok := good[time.Time](v[2]); ok {
		s.now = instant(t)
	}
	s.batch, _ = good[uint32](v[3])
	s.perRead, _ = good[uint32](v[4])
	s.perBrowse, _ = good[uint32](v[5])
	s.perHistory, _ = good[uint32](v[6])
	s.perTranslate, _ = good[uint32](v[7])
	if len(s.namespaces) == 0 {
		return s, errors.New("the server has no NamespaceArray")
	}
	l.limits.declare(&s)
	l.pace.held().meet(s.started)
	return s, nil
}

// good is the value of a result that is good and of the type wanted.
func good[T any](v *ua.DataValue) (T, bool) {
	var none T
	if v == nil || v.Status != ua.StatusOK || v.Value == nil {
		return none, false
	}
	t, ok := v.Value.Value().(T)
	return t, ok
}

// millis is a duration from OPC UA's Duration, kept within reason.
func millis(ms float64) time.Duration {
	const most = float64(math.MaxInt64/int64(time.Millisecond)) / 2
	if !(ms > 0) {
		return 0
	}
	return time.Duration(min(ms, most) * float64(time.Millisecond))
}
