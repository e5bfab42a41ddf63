package hmi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/coder/websocket"

	"millwright/plant"
)

const (
	maxSubscribe  = 10_000  // tags
	maxMessage    = 1 << 20 // bytes of a subscription
	framePause    = 50 * time.Millisecond
	frameBeat     = 450 * time.Millisecond // so that a second never passes without a frame
	sessionLook   = 10 * time.Second
	pingInterval  = 20 * time.Second
	goodbyePeriod = 300 * time.Millisecond
)

// subscription is what a browser wants to see.
type subscription struct {
	Tags  []string `json:"tags"`
	Texts bool     `json:"texts"`
}

// parseSubscription reads a client's message. A tag named twice counts once.
func parseSubscription(message []byte) (subscription, error) {
	var raw struct {
		Tags  *[]string `json:"tags"`
		Texts bool      `json:"texts"`
	}
	if err := json.Unmarshal(message, &raw); err != nil {
		return subscription{}, errors.New(`not {"tags":["…"]}`)
	}
	if raw.Tags == nil {
		return subscription{}, errors.New("tags: missing; a list of tag paths")
	}
	seen := make(map[string]bool, len(*raw.Tags))
	sub := subscription{Texts: raw.Texts}
	for _, t := range *raw.Tags {
		if !seen[t] {
			seen[t] = true
			sub.Tags = append(sub.Tags, t)
		}
	}
	if len(sub.Tags) > maxSubscribe {
		return subscription{}, fmt.Errorf("tags: %d; at most %d are allowed", len(sub.Tags), maxSubscribe)
	}
	return sub, nil
}

// live is the socket of live values.
func (s *Server) live(w http.ResponseWriter, r *http.Request) error {
	if q := newQuery(r.URL.RawQuery); q.err != nil {
		return q.err
	}
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		p := refuse(http.StatusUpgradeRequired, "this is a WebSocket")
		p.header.Set("Upgrade", "websocket")
		p.header.Set("Connection", "Upgrade")
		return p
	}
	// Browsers send cookies with a socket opened by any page.
	if o := r.Header.Get("Origin"); o != "" {
		if u, err := url.Parse(o); err != nil || !strings.EqualFold(u.Host, r.Host) {
			return refuse(http.StatusForbidden, "the request comes from another site")
		}
	}
	if !s.streams.enter("live") {
		return refuse(http.StatusServiceUnavailable, "there are %d live connections already", maxStreams).later(5 * time.Second)
	}
	defer s.streams.leave("live")
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		return nil // it has answered already
	}
	conn.SetReadLimit(maxMessage)
	v := &viewer{server: s, conn: conn, wanted: make(chan subscription, 1)}
	v.serve(func() bool { return s.stillIn(r) })
	return nil
}

// viewer is one open socket.
type viewer struct {
	server *Server
	conn   *websocket.Conn
	wanted chan subscription // the newest one that has not been taken up

	tags  []plant.TagID // wire id - 1 → tag
	texts bool
	since int64  // version of the hub that the browser has
	frame []byte // reused
	buf   []textChange
}

// serve sends values until the browser goes, the server stops or the session
// has ended.
func (v *viewer) serve(stillIn func() bool) {
	// Cancelling the context of a Read cuts the connection, so it outlives the
	// goodbye.
	ctx, cut := context.WithCancel(context.Background())
	reading, read := make(chan error, 1), make(chan struct{})
	go func() { defer close(read); reading <- v.read(ctx) }()
	pinging := make(chan struct{})
	go func() { defer close(pinging); v.ping(ctx) }()

	code, reason := v.send(ctx, reading, stillIn)

	closed := make(chan struct{})
	go func() { defer close(closed); _ = v.conn.Close(code, reason) }()
	select {
	case <-closed:
	case <-time.After(goodbyePeriod):
	}
	cut()
	<-closed
	<-pinging
	<-read
}

// refused is a message that cannot be taken.
type refused struct{ error }

// read takes subscriptions until the connection ends.
func (v *viewer) read(ctx context.Context) error {
	for {
		kind, message, err := v.conn.Read(ctx)
		if err != nil {
			return err
		}
		if kind != websocket.MessageText {
			return refused{errors.New("binary message; send text")}
		}
		sub, err := parseSubscription(message)
		if err != nil {
			return refused{err}
		}
		select {
		case <-v.wanted: // an older one that nobody has taken up
		default:
		}
		v.wanted <- sub
	}
}

// ping finds out about a browser that has silently gone.
func (v *viewer) ping(ctx context.Context) {
	tick := time.NewTicker(pingInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		wait, cancel := context.WithTimeout(ctx, writeTime)
		err := v.conn.Ping(wait)
		cancel()
		if err != nil {
			_ = v.conn.CloseNow()
			return
		}
	}
}

// send sends what the browser wants until something ends it, and says how to
// close.
func (v *viewer) send(ctx context.Context, reading <-chan error, stillIn func() bool) (websocket.StatusCode, string) {
	watch := v.server.Hub.watch()
	defer v.server.Hub.unwatch(watch)
	beat := time.NewTicker(frameBeat)
	defer beat.Stop()
	look := time.NewTicker(sessionLook)
	defer look.Stop()
	pause := time.NewTimer(0)
	defer pause.Stop()
	subscribed, rested, news, sent := false, true, false, false
	for {
		var err error
		select {
		case sub := <-v.wanted:
			subscribed, news = true, false
			err = v.subscribe(ctx, sub)
			sent = true
		case <-watch.woken:
			news = true
		case <-pause.C:
			rested = true
		case <-beat.C:
			if subscribed && !sent {
				err = v.write(ctx, websocket.MessageBinary, []byte{0, 0})
			}
			sent = false
		case <-look.C:
			if !stillIn() {
				return websocket.StatusPolicyViolation, "login"
			}
		case err := <-reading:
			var r refused
			if errors.As(err, &r) {
				return websocket.StatusPolicyViolation, fmt.Sprintf("%.110s", r.Error())
			}
			return websocket.StatusNormalClosure, ""
		case <-v.server.stopping.Done():
			return websocket.StatusGoingAway, "the server stops"
		}
		if err == nil && subscribed && news && rested {
			var any bool
			any, err = v.update(ctx)
			sent = sent || any
			news, rested = false, false
			pause.Reset(framePause)
		}
		if err != nil {
			// It took nothing for writeTime, or it has gone.
			return websocket.StatusInternalError, "too slow"
		}
	}
}

// subscribe takes up a new list and sends its ids and all values.
func (v *viewer) subscribe(ctx context.Context, sub subscription) error {
	ids, unknown := map[string]int{}, []string{}
	v.tags, v.texts, v.since = v.tags[:0], sub.Texts, everything
	for _, path := range sub.Tags {
		t, ok := v.server.directory.tag(path)
		if !ok {
			unknown = append(unknown, path)
			continue
		}
		v.tags = append(v.tags, t.ID)
		ids[path] = len(v.tags)
	}
	// Brings into the hub what only the store knows.
	if _, err := v.server.latest(ctx, v.tags); err != nil {
		v.server.log().Error("last values for a live view", "error", err)
	}
	answer, err := json.Marshal(struct {
		IDs     map[string]int `json:"ids"`
		Unknown []string       `json:"unknown"`
	}{ids, unknown})
	if err != nil {
		return err
	}
	if err := v.write(ctx, websocket.MessageText, answer); err != nil {
		return err
	}
	_, err = v.update(ctx)
	return err
}

// update sends what has changed since the last update, if anything has.
func (v *viewer) update(ctx context.Context) (sent bool, err error) {
	hub, since := v.server.Hub, v.since
	v.frame, v.since = hub.frame(v.frame[:0], v.tags, since, time.Now().UnixNano())
	if len(v.frame) > frameHead || since == everything {
		if err := v.write(ctx, websocket.MessageBinary, v.frame); err != nil {
			return true, err
		}
		sent = true
	}
	if !v.texts {
		return sent, nil
	}
	// A text that changes between the frame and this look is sent twice, which
	// does no harm.
	if v.buf = hub.texts(v.buf[:0], v.tags, since); len(v.buf) == 0 {
		return sent, nil
	}
	b, err := json.Marshal(struct {
		Texts []textChange `json:"texts"`
	}{v.buf})
	if err != nil {
		return sent, err
	}
	return true, v.write(ctx, websocket.MessageText, b)
}

func (v *viewer) write(ctx context.Context, kind websocket.MessageType, b []byte) error {
	ctx, cancel := context.WithTimeout(ctx, writeTime)
	defer cancel()
	return v.conn.Write(ctx, kind, b)
}
