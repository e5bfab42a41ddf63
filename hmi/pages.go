package hmi

import (
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"millwright/hmi/account"
	"millwright/plant"
)

// The pages that must work before any script has run: login, first account.
//
//go:embed pages
var pageFiles embed.FS

var pageTemplates = template.Must(template.ParseFS(pageFiles, "pages/*.html"))

// pageBody is what the templates show. T is the catalogue of the page's language,
// which is Lang, or the browser's.
type pageBody struct {
	T     map[string]string
	Lang  string
	Dir   string
	Fault string // key of the catalogue, or "" for none
	Arg   string // completes the fault
	Name  string
	Next  string
	Code  string
	Min   int
	Link  linkView
}

// addPages adds everything that is not the interface.
func (s *Server) addPages(mux *http.ServeMux) {
	mux.HandleFunc("/login", s.form(http.MethodGet, s.loginPage, s.login))
	mux.HandleFunc("/logout", s.form("", nil, s.logout))
	mux.HandleFunc("/setup", s.form(http.MethodGet, s.setupPage, s.setUp))
	mux.HandleFunc(linkBase+"{token}", s.form(http.MethodGet, s.linkPage, s.useLink))
	mux.HandleFunc("/page.css", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-cache")
		http.ServeFileFS(w, r, pageFiles, "pages/page.css")
	})
	mux.Handle("/", s.web(webFiles()))
}

// form serves a page and takes its answer.
func (s *Server) form(get string, show, take handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(requestTime))
		var err error
		switch {
		case get != "" && (r.Method == http.MethodGet || r.Method == http.MethodHead):
			err = show(w, r)
		case r.Method == http.MethodPost:
			if err = r.ParseForm(); err == nil {
				err = take(w, r)
			} else if tooLarge := new(http.MaxBytesError); !errors.As(err, &tooLarge) {
				err = wrong("body", "not a form", "name=value pairs, URL-encoded")
			}
		default:
			p := refuse(http.StatusMethodNotAllowed, "%s is not allowed here", r.Method)
			p.header.Set("Allow", strings.TrimPrefix(get+", POST", ", "))
			err = p
		}
		if err != nil {
			s.answer(w, r, err)
		}
	}
}

func (s *Server) render(w http.ResponseWriter, r *http.Request, name string, status int, b pageBody) error {
	if b.Lang == "" {
		b.Lang = preferred(r.Header.Get("Accept-Language"))
		w.Header().Set("Vary", "Accept-Language")
	}
	b.T, b.Dir, b.Min = catalogue(b.Lang), "ltr", account.MinPassword
	if b.Lang == plant.Urdu {
		b.Dir = "rtl"
	}
	var out strings.Builder
	if err := pageTemplates.ExecuteTemplate(&out, name, b); err != nil {
		return fmt.Errorf("page %s: %w", name, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(out.String()))
	return nil
}

func redirect(w http.ResponseWriter, r *http.Request, to string) error {
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// local is where to go after the login: a page of this server, whatever the
// link said.
func local(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || strings.ContainsAny(next, "\\\r\n\t") {
		return "/"
	}
	p := path.Clean("/" + u.Path)
	for _, own := range []string{"/login", "/logout", "/setup"} {
		if p == own {
			return "/"
		}
	}
	return (&url.URL{Path: p, RawQuery: u.RawQuery, Fragment: u.Fragment}).String()
}

func (s *Server) loginPage(w http.ResponseWriter, r *http.Request) error {
	if s.NoLogin {
		return redirect(w, r, "/")
	}
	if first, err := s.accounts.Empty(r.Context()); err != nil {
		return err
	} else if first {
		return redirect(w, r, "/setup")
	}
	if _, err := s.who(r); err == nil {
		return redirect(w, r, local(r.URL.Query().Get("next")))
	}
	return s.render(w, r, "login.html", http.StatusOK, pageBody{Next: local(r.URL.Query().Get("next"))})
}

// login checks a password and begins a session.
func (s *Server) login(w http.ResponseWriter, r *http.Request) error {
	if s.NoLogin {
		return redirect(w, r, "/")
	}
	name, next := r.PostForm.Get("name"), local(r.PostForm.Get("next"))
	again := pageBody{Name: name, Next: next}
	who, from := "name "+strings.ToLower(name), "source "+source(r)
	if wait := s.attempts.Begin(time.Now(), who, from); wait > 0 {
		return s.tooMany(w, r, "login.html", wait, again)
	}
	u, err := s.accounts.Login(r.Context(), name, r.PostForm.Get("password"))
	if errors.Is(err, account.ErrWrong) {
		s.log().Warn("login failed", "name", name, "source", source(r))
		again.Fault = "login.wrong"
		return s.render(w, r, "login.html", http.StatusUnauthorized, again)
	}
	if err != nil {
		return err
	}
	s.attempts.Succeeded(who, from)
	return s.enter(w, r, u.Name, next)
}

// enter begins a session and sends the browser to next. A session that the
// browser had before ends.
func (s *Server) enter(w http.ResponseWriter, r *http.Request, name, next string) error {
	if c, err := r.Cookie(cookieName(r)); err == nil {
		if err := s.accounts.EndSession(r.Context(), c.Value); err != nil {
			return err
		}
	}
	secret, ends, err := s.accounts.NewSession(r.Context(), name)
	if err != nil {
		return err
	}
	http.SetCookie(w, sessionCookie(r, secret, ends))
	s.log().Info("logged in", "name", name, "source", source(r))
	return redirect(w, r, next)
}

func sessionCookie(r *http.Request, secret string, ends time.Time) *http.Cookie {
	return &http.Cookie{Name: cookieName(r), Value: secret, Path: "/", Expires: ends,
		HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode}
}

func (s *Server) tooMany(w http.ResponseWriter, r *http.Request, name string, wait time.Duration, b pageBody) error {
	seconds := max(1, int64((wait+time.Second-1)/time.Second))
	w.Header().Set("Retry-After", fmt.Sprint(seconds))
	b.Fault, b.Arg = "login.wait", fmt.Sprint(seconds)
	return s.render(w, r, name, http.StatusTooManyRequests, b)
}

func (s *Server) logout(w http.ResponseWriter, r *http.Request) error {
	if s.NoLogin {
		return redirect(w, r, "/")
	}
	if c, err := r.Cookie(cookieName(r)); err == nil {
		if err := s.accounts.EndSession(r.Context(), c.Value); err != nil {
			return err
		}
	}
	http.SetCookie(w, sessionCookie(r, "", time.Unix(0, 0)))
	return redirect(w, r, "/login")
}

func (s *Server) setupPage(w http.ResponseWriter, r *http.Request) error {
	if open, err := s.settingUp(r); err != nil {
		return err
	} else if !open {
		return redirect(w, r, "/login")
	}
	return s.render(w, r, "setup.html", http.StatusOK, pageBody{})
}

// settingUp reports whether the first account is still to be made.
func (s *Server) settingUp(r *http.Request) (bool, error) {
	if s.NoLogin {
		return false, nil
	}
	return s.accounts.Empty(r.Context())
}

// setUp makes the first account.
func (s *Server) setUp(w http.ResponseWriter, r *http.Request) error {
	if open, err := s.settingUp(r); err != nil {
		return err
	} else if !open {
		return redirect(w, r, "/login")
	}
	name, password := r.PostForm.Get("name"), r.PostForm.Get("password")
	again := pageBody{Name: name, Code: r.PostForm.Get("code")}
	from := "setup " + source(r)
	if wait := s.attempts.Begin(time.Now(), from); wait > 0 {
		return s.tooMany(w, r, "setup.html", wait, again)
	}
	if s.setup == nil || !s.setup.matches(again.Code) {
		again.Fault = "setup.code"
		return s.render(w, r, "setup.html", http.StatusForbidden, again)
	}
	s.attempts.Succeeded(from)
	switch {
	case account.CheckName(name) != nil:
		again.Fault = "setup.name"
	case account.CheckPassword(password) != nil:
		again.Fault = "setup.password"
	case password != r.PostForm.Get("repeat"):
		again.Fault = "setup.repeat"
	}
	if again.Fault != "" {
		return s.render(w, r, "setup.html", http.StatusBadRequest, again)
	}
	err := s.accounts.First(r.Context(), name, password)
	if errors.Is(err, account.ErrNotFirst) {
		return redirect(w, r, "/login")
	}
	if err != nil {
		return err
	}
	s.setup.use()
	s.log().Info("first account made", "name", name, "source", source(r))
	return s.enter(w, r, name, "/")
}
