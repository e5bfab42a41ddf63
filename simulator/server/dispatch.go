package server

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

// decodeService decodes a message body. The codec is not written for hostile
// bytes; a panic in it is the client's fault and ends the client only.
func decodeService(body []byte) (svc any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("decode: %v: %w", p, ua.StatusBadDecodingError)
		}
	}()
	if _, svc, err = ua.DecodeService(body); err != nil && !errors.Is(err, ua.StatusBadServiceUnsupported) {
		err = fmt.Errorf("decode: %w: %w", err, ua.StatusBadDecodingError)
	}
	return svc, err
}

// requestHandle reads what all requests begin with.
func requestHandle(body []byte) (service uint16, handle uint32, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("decode: %v: %w", p, ua.StatusBadDecodingError)
		}
	}()
	var typeID ua.ExpandedNodeID
	n, err := typeID.Decode(body)
	if err != nil {
		return 0, 0, fmt.Errorf("decode: %w: %w", err, ua.StatusBadDecodingError)
	}
	var h ua.RequestHeader
	if _, err := ua.Decode(body[n:], &h); err != nil {
		return 0, 0, fmt.Errorf("decode: %w: %w", err, ua.StatusBadDecodingError)
	}
	if typeID.NodeID.Namespace() != 0 {
		return 0, h.RequestHandle, nil
	}
	return uint16(typeID.NodeID.IntID()), h.RequestHandle, nil
}

// refusedService names the services that are refused. They are not decoded: a
// reader needs none of what they carry.
func refusedService(service uint16) string {
	switch service {
	case id.WriteRequest_Encoding_DefaultBinary:
		return "Write"
	case id.CallRequest_Encoding_DefaultBinary:
		return "Call"
	case id.HistoryUpdateRequest_Encoding_DefaultBinary:
		return "HistoryUpdate"
	case id.AddNodesRequest_Encoding_DefaultBinary:
		return "AddNodes"
	case id.AddReferencesRequest_Encoding_DefaultBinary:
		return "AddReferences"
	case id.DeleteNodesRequest_Encoding_DefaultBinary:
		return "DeleteNodes"
	case id.DeleteReferencesRequest_Encoding_DefaultBinary:
		return "DeleteReferences"
	case id.QueryFirstRequest_Encoding_DefaultBinary:
		return "QueryFirst"
	case id.QueryNextRequest_Encoding_DefaultBinary:
		return "QueryNext"
	case id.SetTriggeringRequest_Encoding_DefaultBinary:
		return "SetTriggering"
	case id.RegisterServerRequest_Encoding_DefaultBinary:
		return "RegisterServer"
	case id.RegisterServer2Request_Encoding_DefaultBinary:
		return "RegisterServer2"
	case id.FindServersOnNetworkRequest_Encoding_DefaultBinary:
		return "FindServersOnNetwork"
	}
	return ""
}

// serve answers one request. An error cuts the connection.
func (s *Server) serve(c *conn, reqID uint32, body []byte) error {
	service, handle, err := requestHandle(body)
	if err != nil {
		return err
	}
	if name := refusedService(service); name != "" {
		if name == "Call" {
			name = callName(body)
		}
		s.count(name)
		c.fault(reqID, handle, ua.StatusBadServiceUnsupported)
		return nil
	}
	svc, err := decodeService(body)
	if errors.Is(err, ua.StatusBadServiceUnsupported) {
		s.count("unknown")
		c.fault(reqID, handle, ua.StatusBadServiceUnsupported)
		return nil
	}
	if err != nil {
		return err
	}
	req, ok := svc.(ua.Request)
	if !ok {
		return fmt.Errorf("client sent %T: %w", svc, ua.StatusBadTCPMessageTypeInvalid)
	}
	s.count(strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%T", req), "*ua."), "Request"))
	resp, code := s.answer(c, reqID, req)
	switch {
	case code != ua.StatusOK:
		c.fault(reqID, handle, code)
	case resp != nil:
		resp.SetHeader(responseHeader(handle, ua.StatusOK))
		c.send(outgoing{id: reqID, handle: handle, resp: resp})
	}
	return nil
}

// answer returns the response without its header, a fault, or neither where the
// answer was sent or waits.
func (s *Server) answer(c *conn, id uint32, req ua.Request) (ua.Response, ua.StatusCode) {
	switch r := req.(type) {
	case *ua.FindServersRequest:
		return s.findServers(r), ua.StatusOK
	case *ua.GetEndpointsRequest:
		return s.getEndpoints(r), ua.StatusOK
	case *ua.CreateSessionRequest:
		return s.createSession(c, r)
	case *ua.ActivateSessionRequest:
		return s.activateSession(c, r)
	}
	e := s.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	ses, code := e.sessionOf(c, req)
	if code != ua.StatusOK {
		return nil, code
	}
	// Answers are queued before the lock is released, so that nothing about a
	// subscription overtakes the answer that creates it.
	resp, code := s.answerSession(c, ses, id, req)
	if resp != nil && code == ua.StatusOK {
		handle := req.Header().RequestHandle
		resp.SetHeader(responseHeader(handle, ua.StatusOK))
		c.send(outgoing{id: id, handle: handle, resp: resp})
		return nil, ua.StatusOK
	}
	return nil, code
}

// sessionOf finds the request's session and checks that this connection may use
// it.
func (e *engine) sessionOf(c *conn, req ua.Request) (*session, ua.StatusCode) {
	ses := e.sessions[req.Header().AuthenticationToken.String()]
	if ses == nil {
		return nil, ua.StatusBadSessionIDInvalid
	}
	if ses.conn != c {
		return nil, ua.StatusBadSecureChannelIDInvalid
	}
	if _, closing := req.(*ua.CloseSessionRequest); ses.user == "" && !closing {
		e.closeSession(ses, true) // OPC 10000-4, 5.7.3
		return nil, ua.StatusBadSessionNotActivated
	}
	ses.active = time.Now()
	return ses, ua.StatusOK
}

func (s *Server) answerSession(c *conn, ses *session, id uint32, req ua.Request) (ua.Response, ua.StatusCode) {
	e := s.engine
	switch r := req.(type) {
	case *ua.PublishRequest:
		e.publishRequest(c, ses, id, r)
		return nil, ua.StatusOK
	case *ua.RepublishRequest:
		e.republish(c, ses, id, r)
		return nil, ua.StatusOK
	case *ua.ReadRequest:
		return s.read(r)
	case *ua.HistoryReadRequest:
		return s.historyRead(ses, r)
	case *ua.BrowseRequest:
		return s.browse(ses, r)
	case *ua.BrowseNextRequest:
		return s.browseNext(ses, r)
	case *ua.TranslateBrowsePathsToNodeIDsRequest:
		return s.translate(r)
	case *ua.RegisterNodesRequest:
		if len(r.NodesToRegister) > s.limits.MaxNodesPerBrowse {
			return nil, ua.StatusBadTooManyOperations
		}
		return &ua.RegisterNodesResponse{RegisteredNodeIDs: r.NodesToRegister}, ua.StatusOK
	case *ua.UnregisterNodesRequest:
		return &ua.UnregisterNodesResponse{}, ua.StatusOK
	case *ua.CreateSubscriptionRequest:
		return e.createSubscription(ses, r)
	case *ua.ModifySubscriptionRequest:
		return e.modifySubscription(ses, r)
	case *ua.SetPublishingModeRequest:
		return e.setPublishingMode(ses, r)
	case *ua.DeleteSubscriptionsRequest:
		return e.deleteSubscriptions(ses, r)
	case *ua.TransferSubscriptionsRequest:
		return e.transfer(ses, r)
	case *ua.CreateMonitoredItemsRequest:
		return s.createItems(ses, r)
	case *ua.ModifyMonitoredItemsRequest:
		return s.modifyItems(ses, r)
	case *ua.SetMonitoringModeRequest:
		return e.setMonitoringMode(ses, r)
	case *ua.DeleteMonitoredItemsRequest:
		return e.deleteItems(ses, r)
	case *ua.CloseSessionRequest:
		e.closeSession(ses, r.DeleteSubscriptions)
		return &ua.CloseSessionResponse{}, ua.StatusOK
	case *ua.CancelRequest:
		return e.cancel(ses, r), ua.StatusOK
	}
	return nil, ua.StatusBadServiceUnsupported
}

// cancel gives up waiting PublishRequests; nothing else of a session can be
// outstanding.
func (e *engine) cancel(s *session, r *ua.CancelRequest) *ua.CancelResponse {
	kept, n := s.waiting[:0], uint32(0)
	for _, p := range s.waiting {
		if p.handle == r.RequestHandle {
			p.conn.fault(p.id, p.handle, ua.StatusBadRequestCancelledByClient)
			n++
			continue
		}
		kept = append(kept, p)
	}
	clear(s.waiting[len(kept):])
	s.waiting = kept
	return &ua.CancelResponse{CancelCount: n}
}
