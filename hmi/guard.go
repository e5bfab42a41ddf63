package hmi

import (
	"context"
	"errors"
	"net"
	"net/http"
	"runtime/debug"
	"strings"

	"millwright/hmi/account"
	"millwright/plant/checkpoint"
)

// contentPolicy lets the page load from this server only, and nothing inline.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
	"connect-src 'self'; manifest-src 'self'; worker-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"

// guard is what every request passes first.
func (s *Server) guard(next http.Handler) http.Handler {
	sameOrigin := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if v := recover(); v != nil {
				if v == http.ErrAbortHandler {
					panic(v)
				}
				s.log().Error("request panicked", "path", pathOf(r), "panic", v, "stack", string(debug.Stack()))
				s.answer(w, r, refuse(http.StatusInternalServerError, "the server could not do this; its log says why"))
			}
		}()
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		// With no-referrer browsers send Origin: null with forms, which looks like
		// another site where they do not send Sec-Fetch-Site: over plain HTTP.
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
		if r.TLS != nil {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		// Without login the name in the address bar is all that keeps another
		// site from pointing its own name at this machine and reading along.
		if s.NoLogin && !loopback(r.Host) {
			s.answer(w, r, refuse(http.StatusForbidden, "without login this server answers as 127.0.0.1 or localhost only"))
			return
		}
		if err := sameOrigin.Check(r); err != nil {
			s.answer(w, r, refuse(http.StatusForbidden, "the request comes from another site"))
			return
		}
		limit := int64(maxBody)
		if r.URL.Path == rosterPath {
			limit = maxRoster
		}
		if strings.HasPrefix(r.URL.Path, boxesPath) && strings.HasSuffix(r.URL.Path, "/checkpoint") {
			limit = checkpoint.MaxSize
		}
		if r.ContentLength > limit {
			h.Set("Connection", "close")
			s.answer(w, r, &http.MaxBytesError{Limit: limit})
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, limit)
		next.ServeHTTP(w, r)
	})
}

type userKey struct{}

// userOf is who asks; the zero User when nobody is logged in.
func userOf(r *http.Request) account.User {
	u, _ := r.Context().Value(userKey{}).(account.User)
	return u
}

// admit finds out who asks and whether the role may do what need may. The request
// that it returns knows the user, also of one that is refused.
func (s *Server) admit(r *http.Request, need account.Role) (*http.Request, error) {
	u, err := s.who(r)
	if errors.Is(err, account.ErrNone) {
		u, err = account.User{}, nil
	}
	if err != nil {
		return r, err
	}
	r = r.WithContext(context.WithValue(r.Context(), userKey{}, u))
	if need != "" && u.Name == "" {
		p := refuse(http.StatusUnauthorized, "log in at /login, or send Authorization: Bearer TOKEN (millwright users token NAME)")
		p.header.Set("WWW-Authenticate", `Bearer realm="millwright"`)
		return r, p
	}
	if need != "" && !u.Role.Covers(need) {
		return r, refuse(http.StatusForbidden, "this needs the role %s; %s is %s", need, u.Name, u.Role)
	}
	return r, nil
}

// who finds the user of a request; account.ErrNone when there is none.
func (s *Server) who(r *http.Request) (account.User, error) {
	if s.NoLogin {
		return account.User{Name: "demo", Role: account.Admin}, nil
	}
	if h := r.Header.Get("Authorization"); h != "" {
		scheme, token, _ := strings.Cut(h, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return account.User{}, account.ErrNone
		}
		return s.accounts.Bearer(r.Context(), strings.TrimSpace(token))
	}
	c, err := r.Cookie(cookieName(r))
	if err != nil {
		return account.User{}, account.ErrNone
	}
	return s.accounts.Session(r.Context(), c.Value)
}

// stillIn reports whether the user of a stream may still read. A fault of the
// accounts file does not end streams.
func (s *Server) stillIn(r *http.Request) bool {
	u, err := s.who(r)
	if errors.Is(err, account.ErrNone) {
		return false
	}
	return err != nil || u.Role.Covers(account.Viewer)
}

// cookieName has the prefix that browsers hold to Secure, host-only and Path=/.
func cookieName(r *http.Request) string {
	if r.TLS != nil {
		return "__Host-millwright"
	}
	return "millwright"
}

// source is the address that failed logins are counted by.
func source(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
