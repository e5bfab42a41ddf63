package hmi

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"millwright/hmi/account"
	"millwright/plant"
)

const password = "correct horse battery"

// guarded is a server with accounts; one of each role is made.
func guarded(t *testing.T) *site {
	t.Helper()
	s := run(t, func(s *Server) { s.NoLogin = false })
	for _, role := range account.Roles() {
		if err := s.accounts.Add(t.Context(), string(role), role, password); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// form posts a form.
func (s *site) postForm(path string, v url.Values, headers ...string) answer {
	s.t.Helper()
	return s.ask("POST", path, v.Encode(), append([]string{"Content-Type", "application/x-www-form-urlencoded"}, headers...)...)
}

func (s *site) login(name, password string, headers ...string) answer {
	s.t.Helper()
	return s.postForm("/login", url.Values{"name": {name}, "password": {password}, "next": {"/a/x?y=1"}}, headers...)
}

// cookie is the pair to send back.
func cookie(a answer) string {
	c, _, _ := strings.Cut(a.header.Get("Set-Cookie"), ";")
	return c
}

func TestLogin(t *testing.T) {
	s := guarded(t)
	// Pages lead to the login, the interface says 401.
	a := s.ask("GET", "/a/x?y=1", "", "Accept", "text/html")
	if a.status != 303 || a.header.Get("Location") != "/login?next=%2Fa%2Fx%3Fy%3D1" {
		t.Errorf("%d %s", a.status, a.header.Get("Location"))
	}
	a = s.ask("GET", a.header.Get("Location"), "")
	if a.status != 200 || !strings.Contains(a.body, `name="next" value="/a/x?y=1"`) || strings.Contains(a.body, "<script") || strings.Contains(a.body, "style=") {
		t.Errorf("%d %s", a.status, a.body)
	}
	a = s.get("tags")
	s.refused(a, 401, "log in at /login")
	if !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer") {
		t.Error("no WWW-Authenticate")
	}
	s.is(s.get("health"), `{"status":"ok","version":"1.2.3","roles":[]}`)

	a = s.login("operator", "wrong")
	if a.status != 401 || !strings.Contains(a.body, "Name or password is wrong") || !strings.Contains(a.body, `value="operator"`) || a.header.Get("Set-Cookie") != "" {
		t.Errorf("wrong password: %d %s %s", a.status, a.header, a.body)
	}
	a = s.login("operator", password)
	if a.status != 303 || a.header.Get("Location") != "/a/x?y=1" {
		t.Errorf("%d %s", a.status, a.header.Get("Location"))
	}
	if set := a.header.Get("Set-Cookie"); !strings.HasPrefix(set, "millwright=") || !strings.Contains(set, "HttpOnly") || !strings.Contains(set, "SameSite=Strict") ||
		!strings.Contains(set, "Path=/;") || strings.Contains(set, "Domain") {
		t.Errorf("cookie %s", set)
	}
	session := cookie(a)
	s.is(s.get("me", "Cookie", session), `{"name":"operator","role":"operator","login":true,"can":["read","ack","label"]}`)
	if a := s.get("health", "Cookie", session); !strings.Contains(a.body, `"name":"edge"`) {
		t.Errorf("roles for users: %s", a.body)
	}
	if a := s.ask("GET", "/login?next=/edges", "", "Cookie", session); a.status != 303 || a.header.Get("Location") != "/edges" {
		t.Errorf("login page of somebody logged in: %d %s", a.status, a.header.Get("Location"))
	}
	// Who acknowledges is written down.
	s.works.enter(alarmAt(1, plant.Unacked, plant.Advisory, 2))
	if a := s.ask("POST", "/api/v1/alarms/1/ack", "", "Cookie", session); !strings.Contains(a.body, `"acked_by":"operator"`) {
		t.Errorf("ack: %s", a.body)
	}
	// A new login ends the session before it.
	fresh := cookie(s.login("operator", password, "Cookie", session))
	s.refused(s.get("me", "Cookie", session), 401, "log in")
	// Logout ends it for good.
	a = s.postForm("/logout", nil, "Cookie", fresh)
	if a.status != 303 || a.header.Get("Location") != "/login" || !strings.Contains(a.header.Get("Set-Cookie"), "millwright=;") {
		t.Errorf("logout: %d %s", a.status, a.header)
	}
	s.refused(s.get("me", "Cookie", fresh), 401, "log in")
	if a := s.ask("GET", "/logout", ""); a.status != 405 {
		t.Errorf("GET /logout: %d", a.status)
	}
	if strings.Contains(s.logged(), password) {
		t.Error("a password is in the log")
	}
}

func TestLoginFromElsewhere(t *testing.T) {
	s := guarded(t)
	s.refused(s.login("viewer", password, "Sec-Fetch-Site", "cross-site"), 403, "the request comes from another site")
	s.refused(s.login("viewer", password, "Origin", "https://evil.example"), 403, "the request comes from another site")
	s.refused(s.postForm("/logout", nil, "Sec-Fetch-Site", "same-site"), 403, "the request comes from another site")
	if a := s.login("viewer", password, "Sec-Fetch-Site", "same-origin", "Origin", s.url); a.status != 303 {
		t.Errorf("own page: %d", a.status)
	}
	a := s.postForm("/login", url.Values{"name": {strings.Repeat("x", maxBody)}})
	s.refused(a, 413, "the body is larger")
	if a := s.postForm("/login", nil, "Content-Type", "multipart/form-data; boundary=x"); a.status != 401 {
		t.Errorf("another kind of form: %d", a.status)
	}
}

func TestNext(t *testing.T) {
	for next, want := range map[string]string{
		"/a/x?y=1#z": "/a/x?y=1#z", "": "/", "/": "/", "a": "/a", "/a/../b": "/b",
		"//evil.example": "/", "https://evil.example/": "/", "/\\evil.example": "/", "\\\\evil.example": "/", "/%2Fevil.example": "/evil.example",
		"javascript:alert(1)": "/", "/login?next=/login": "/", "/logout": "/", "/setup": "/", "/\n/evil": "/", "/a%20b": "/a%20b", "%zz": "/",
	} {
		if got := local(next); got != want {
			t.Errorf("local(%q) = %q, want %q", next, got, want)
		}
	}
}

func FuzzNext(f *testing.F) {
	f.Add("/a/x?y=1#z")
	f.Add("//evil.example/x")
	f.Add("/%5c/evil.example")
	f.Fuzz(func(t *testing.T, next string) {
		got := local(next)
		u, err := url.Parse("http://127.0.0.1:8080/")
		if err != nil {
			t.Fatal(err)
		}
		to, err := u.Parse(got)
		if err != nil {
			t.Fatalf("local(%q) = %q: %v", next, got, err)
		}
		if to.Host != u.Host || to.Scheme != "http" || !strings.HasPrefix(got, "/") || strings.HasPrefix(got, "//") || strings.HasPrefix(got, "/\\") {
			t.Errorf("local(%q) = %q leaves the server", next, got)
		}
	})
}

// TestTooManyLogins holds the brake on guessing, by name and by source.
func TestTooManyLogins(t *testing.T) {
	s := guarded(t)
	for i := range 5 {
		if a := s.login("operator", "guess"); a.status != 401 {
			t.Fatalf("attempt %d: %d", i, a.status)
		}
	}
	a := s.login("operator", password)
	if a.status != 429 || a.header.Get("Retry-After") != "30" || !strings.Contains(a.body, "Too many attempts") {
		t.Errorf("the right password while closed: %d %s", a.status, a.header)
	}
	// The source has used up its attempts too.
	if a := s.login("viewer", password); a.status != 429 {
		t.Errorf("another name: %d", a.status)
	}
	// Who is logged in already is not touched.
	if a := s.get("me", "Authorization", "Bearer "+s.token("viewer")); a.status != 200 {
		t.Errorf("token: %d", a.status)
	}
}

func (s *site) token(name string) string {
	s.t.Helper()
	token, err := s.accounts.Token(context.Background(), name)
	if err != nil {
		s.t.Fatal(err)
	}
	return token
}

// TestPermissions asks every route as every role, and as nobody.
func TestPermissions(t *testing.T) {
	s := guarded(t)
	s.works.enter(alarmAt(1, plant.Unacked, plant.Advisory, 2))
	tokens := map[account.Role]string{}
	for _, role := range account.Roles() {
		tokens[role] = s.token(string(role))
	}
	// The rule again, apart from the table of routes.
	least := func(rt route) account.Role {
		switch {
		case rt.path == "/api/v1/health", strings.HasPrefix(rt.path, "/tuf/"):
			return ""
		case rt.method == "GET":
			return account.Viewer
		case strings.HasSuffix(rt.path, "/ack"), strings.HasSuffix(rt.path, "/label"), strings.HasSuffix(rt.path, "/retry"), rt.method == "DELETE":
			return account.Operator
		case strings.HasPrefix(rt.path, "/api/v1/models/"), strings.HasSuffix(rt.path, "/test"), rt.path == "/api/v1/roster", rt.path == "/api/v1/orders", strings.HasSuffix(rt.path, "/explain"):
			return account.Engineer
		}
		t.Fatalf("%s %s: who may do this?", rt.method, rt.path)
		return ""
	}
	order := map[account.Role]int{"": 0, account.Viewer: 1, account.Operator: 2, account.Engineer: 3, account.Admin: 4}
	n := 0
	for _, rt := range s.routes() {
		if strings.HasPrefix(rt.path, apiBase+"/boxes/") {
			continue // those of machines: see TestBoxesMayDoWhatIsTheirs
		}
		path := strings.NewReplacer("{id}", "1", "{name}", "mail", "{path...}", "metadata/root.json").Replace(rt.path)
		for role, level := range order {
			var h []string
			if role != "" {
				h = []string{"Authorization", "Bearer " + tokens[role]}
			}
			if strings.HasSuffix(path, "/events") {
				h = append(h, "Last-Event-ID", "x") // refused after the guard, instead of a stream without end
			}
			a := s.ask(rt.method, path, "", h...)
			want := http.StatusOK
			switch {
			case level == 0 && order[least(rt)] > 0:
				want = 401
			case level < order[least(rt)]:
				want = 403
			case strings.HasSuffix(path, "/live"):
				want = 426
			case rt.method == "DELETE", strings.HasSuffix(path, "/retry"), strings.HasPrefix(path, "/api/v1/roster/revisions/"), strings.HasSuffix(path, "/report"), strings.HasSuffix(path, "/{tag...}"):
				want = 404 // admitted: there is none
			case rt.method != "GET" && !strings.HasSuffix(path, "/ack"), strings.HasSuffix(path, "/export"):
				want = 400 // admitted: the body or the parameters are missing
			case strings.HasSuffix(path, "/events"), strings.HasSuffix(path, "/samples"), strings.HasSuffix(path, "/trend"), strings.HasSuffix(path, "/states"), strings.HasSuffix(path, "/gaps"),
				strings.HasSuffix(path, "/waveforms"), strings.HasSuffix(path, "/machine"):
				want = 400 // admitted: the parameters are missing
			}
			if a.status != want {
				t.Errorf("%s %s as %q: %d, want %d", rt.method, path, role, a.status, want)
			}
			n++
		}
	}
	if want := 43 * 5; n != want {
		t.Errorf("%d combinations, want %d: a new route needs a line in this test", n, want)
	}
	for _, h := range []string{"Bearer ", "Bearer x", "Basic dmlld2VyOnB3", "bearer", "Bearer " + tokens["viewer"] + "x"} {
		if a := s.get("tags", "Authorization", h); a.status != 401 {
			t.Errorf("%q: %d", h, a.status)
		}
	}
	if a := s.get("tags", "Authorization", "bearer "+tokens["viewer"]); a.status != 200 {
		t.Errorf("the scheme is case-insensitive: %d", a.status)
	}
	for _, c := range []string{"millwright=", "millwright=x", "other=" + tokens["viewer"], "millwright=" + tokens["viewer"]} {
		if a := s.get("tags", "Cookie", c); a.status != 401 {
			t.Errorf("%q: %d", c, a.status)
		}
	}
}

func TestSetup(t *testing.T) {
	s := run(t, func(s *Server) { s.NoLogin = false })
	code := s.SetupCode()
	if len(code) != 19 {
		t.Fatalf("code %q", code)
	}
	for _, path := range []string{"/", "/a/x"} {
		if a := s.ask("GET", path, "", "Accept", "text/html"); a.status != 303 || a.header.Get("Location") != "/setup" {
			t.Errorf("%s: %d %s", path, a.status, a.header.Get("Location"))
		}
	}
	if a := s.ask("GET", "/login", ""); a.status != 303 || a.header.Get("Location") != "/setup" {
		t.Errorf("/login: %d", a.status)
	}
	s.refused(s.get("tags"), 401, "log in")
	if a := s.ask("GET", "/setup", ""); a.status != 200 || !strings.Contains(a.body, "Make the first account") || strings.Contains(a.body, code) {
		t.Errorf("/setup: %d %s", a.status, a.body)
	}
	try := func(code, name, pw, again string, status int, says string) {
		t.Helper()
		a := s.postForm("/setup", url.Values{"code": {code}, "name": {name}, "password": {pw}, "repeat": {again}})
		if a.status != status || !strings.Contains(a.body, says) || strings.Contains(a.body, password) {
			t.Errorf("%d %s\nwant %d %q", a.status, a.body, status, says)
		}
	}
	try("", "anna", password, password, 403, "The code is wrong")
	try("AAAA-AAAA-AAAA-AAAA", "anna", password, password, 403, "The code is wrong")
	try(code, "anna b", password, password, 400, "The name may have")
	try(code, "anna", "short", "short", 400, "too short")
	try(code, "anna", password, password+"x", 400, "differ")
	if empty, err := s.accounts.Empty(t.Context()); err != nil || !empty {
		t.Fatal("a refused setup made an account", err)
	}
	typed := strings.ToLower(strings.ReplaceAll(code, "-", " "))
	a := s.postForm("/setup", url.Values{"code": {typed}, "name": {"anna"}, "password": {password}, "repeat": {password}})
	if a.status != 303 || a.header.Get("Location") != "/" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	s.is(s.get("me", "Cookie", cookie(a)), `{"name":"anna","role":"admin","login":true,"can":["read","ack","label","roster","models","orders"]}`)
	// Once.
	if s.SetupCode() != "" {
		t.Error("the code is still there")
	}
	a = s.postForm("/setup", url.Values{"code": {code}, "name": {"eve"}, "password": {password}, "repeat": {password}})
	if a.status != 303 || a.header.Get("Location") != "/login" || a.header.Get("Set-Cookie") != "" {
		t.Errorf("second setup: %d %s", a.status, a.header)
	}
	if a := s.ask("GET", "/setup", ""); a.status != 303 || a.header.Get("Location") != "/login" {
		t.Errorf("second setup page: %d", a.status)
	}
}

func TestSetupGuessing(t *testing.T) {
	s := run(t, func(s *Server) { s.NoLogin = false })
	for range 5 {
		s.postForm("/setup", url.Values{"code": {"guess"}})
	}
	a := s.postForm("/setup", url.Values{"code": {s.SetupCode()}, "name": {"anna"}, "password": {password}, "repeat": {password}})
	if a.status != 429 || a.header.Get("Retry-After") == "" {
		t.Errorf("%d", a.status)
	}
}

// TestNoLogin holds that a server without login is for this machine only.
func TestNoLogin(t *testing.T) {
	w := newWorks()
	for _, listen := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:80", "example.com:80"} {
		s := &Server{Listen: listen, NoLogin: true, History: w, Alarms: book{w}, Plant: w, Hub: &Hub{}}
		if err := s.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "no_login is allowed on loopback only") {
			t.Errorf("%s: %v", listen, err)
		}
	}
	s := run(t, nil)
	s.refused(s.get("tags", "Host", "evil.example"), 403, "without login this server answers as")
	s.refused(s.get("tags", "Host", "127.0.0.1.evil.example:8080"), 403, "without login")
	for _, host := range []string{"127.0.0.1:9", "localhost:9", "[::1]:9"} {
		if a := s.get("tags", "Host", host); a.status != 200 {
			t.Errorf("%s: %d", host, a.status)
		}
	}
	for _, path := range []string{"/login", "/setup"} {
		if a := s.ask("GET", path, ""); a.status == 200 {
			t.Errorf("%s shows a form", path)
		}
	}
}

// TestSessionEndsStreams holds that who is logged out hears no more.
func TestSessionEndsStreams(t *testing.T) {
	s := guarded(t)
	a := s.login("viewer", password)
	secret := strings.TrimPrefix(cookie(a), "millwright=")
	r, err := http.NewRequest("GET", s.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Cookie", cookie(a))
	if !s.stillIn(r) {
		t.Error("not in")
	}
	b := s.browser("Cookie", cookie(a))
	b.say(`{"tags":[]}`)
	b.next()
	if err := s.accounts.EndSession(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	if s.stillIn(r) {
		t.Error("still in")
	}
	if testing.Short() {
		return
	}
	if got := b.closedWithin(sessionLook + 3*time.Second); got.Code != websocket.StatusPolicyViolation || got.Reason != "login" {
		t.Errorf("closed with %v", got)
	}
}

// TestTLS holds what changes under TLS: the cookie's name and Secure, and HSTS.
func TestTLS(t *testing.T) {
	dir := t.TempDir()
	cert, key, pool := certificate(t, dir)
	s := run(t, func(s *Server) { s.NoLogin, s.TLSCertificate, s.TLSKey = false, cert, key })
	if !strings.HasPrefix(s.url, "https://127.0.0.1:") {
		t.Fatal(s.url)
	}
	if err := s.accounts.Add(t.Context(), "anna", account.Viewer, password); err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.PostForm(s.url+"/login", url.Values{"name": {"anna"}, "password": {password}})
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, res.Body)
	res.Body.Close()
	set := res.Header.Get("Set-Cookie")
	if res.ProtoMajor != 2 || !strings.HasPrefix(set, "__Host-millwright=") || !strings.Contains(set, "Secure") || res.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("%s %s %s", res.Proto, set, res.Header)
	}
	for _, bad := range []struct{ cert, key string }{{cert, ""}, {"", key}, {cert, cert}, {filepath.Join(dir, "no"), key}} {
		b := &Server{Listen: "127.0.0.1:0", NoLogin: true, TLSCertificate: bad.cert, TLSKey: bad.key, History: s.works, Alarms: book{s.works}, Plant: s.works, Hub: &Hub{}}
		if err := b.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "tls_certificate and tls_key") {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

func certificate(t *testing.T, dir string) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "hmi"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	kder, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AddCert(c)
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: kder}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key, pool
}

func TestRunRefuses(t *testing.T) {
	w := newWorks()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		s    *Server
		want string
	}{
		{"port in use", &Server{Listen: l.Addr().String(), NoLogin: true, History: w, Alarms: book{w}, Plant: w, Hub: &Hub{}}, l.Addr().String() + " is in use: stop the other program"},
		{"no such port", &Server{Listen: "127.0.0.1:99999", NoLogin: true, History: w, Alarms: book{w}, Plant: w, Hub: &Hub{}}, "cannot listen on"},
		{"nothing to show", &Server{Listen: "127.0.0.1:0"}, "must be set"},
		{"accounts", &Server{Listen: "127.0.0.1:0", Data: file, History: w, Alarms: book{w}, Plant: w, Hub: &Hub{}}, "accounts: "},
	} {
		err := c.s.Run(t.Context())
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}
