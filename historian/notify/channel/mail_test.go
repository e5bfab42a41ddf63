package channel

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"millwright/plant"
)

// postOffice is a mail server and what it got.
type postOffice struct {
	users  map[string]string // empty: everybody may send
	refuse func(to string) error
	data   error // after the text

	mu   sync.Mutex
	got  []letter
	auth []string // mechanisms that were used
}

type letter struct {
	from, to string
	secure   bool
	raw      []byte
}

func (p *postOffice) NewSession(c *smtp.Conn) (smtp.Session, error) {
	return &counter{office: p, conn: c}, nil
}

type counter struct {
	office *postOffice
	conn   *smtp.Conn
	letter letter
	known  bool
}

func (c *counter) AuthMechanisms() []string { return []string{sasl.Plain} }
func (c *counter) Auth(mech string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if c.office.users[user] != password || password == "" {
			return smtp.ErrAuthFailed
		}
		c.office.mu.Lock()
		defer c.office.mu.Unlock()
		c.office.auth = append(c.office.auth, mech)
		c.known = true
		return nil
	}), nil
}
func (c *counter) Reset()        { c.letter = letter{} }
func (c *counter) Logout() error { return nil }
func (c *counter) Mail(from string, _ *smtp.MailOptions) error {
	if len(c.office.users) > 0 && !c.known {
		return &smtp.SMTPError{Code: 530, EnhancedCode: smtp.EnhancedCode{5, 7, 0}, Message: "Authentication required"}
	}
	c.letter.from = from
	return nil
}
func (c *counter) Rcpt(to string, _ *smtp.RcptOptions) error {
	c.letter.to = to
	if c.office.refuse != nil {
		return c.office.refuse(to)
	}
	return nil
}
func (c *counter) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if c.office.data != nil {
		return c.office.data
	}
	c.letter.raw = b
	_, c.letter.secure = c.conn.TLSConnectionState()
	c.office.mu.Lock()
	defer c.office.mu.Unlock()
	c.office.got = append(c.office.got, c.letter)
	return nil
}

// open serves the office on loopback; conf nil: without STARTTLS.
func (p *postOffice) open(t *testing.T, conf *tls.Config, implicit bool) (hostPort string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	hostPort = l.Addr().String()
	srv := smtp.NewServer(p)
	srv.Domain = "mail.works.test"
	srv.ErrorLog = quiet{}
	srv.AllowInsecureAuth = false
	if implicit {
		l = tls.NewListener(l, conf)
	} else {
		srv.TLSConfig = conf
	}
	done := make(chan struct{})
	go func() { defer close(done); srv.Serve(l) }()
	t.Cleanup(func() { srv.Close(); <-done })
	return hostPort
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

// authority makes a certificate for 127.0.0.1 and the file of who signed it.
func authority(t *testing.T) (conf *tls.Config, ca string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "works"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	ca = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, ca
}

const urduText = "\u200fP1 – فوراً کارروائی کریں\n\u200fکیا: قدر بہت زیادہ: \u2066VIB_H\u2069 \u20666.21 mm/s\u2069 <b>&\n\n\u200fالارم قبول کریں:\nhttp://plant:8080/ack/abc?x=1&y=2"

func message() plant.Message {
	return plant.Message{ID: 7, Key: "alarm/12/0/ali", Alarm: 12, Purpose: plant.PurposeAlarm, Person: "ali", Channel: "mail", Address: "ali@works.test",
		Language: plant.Urdu, Priority: 1, Subject: "\u200fP1 \u2066HSM/FM/F3/GBX\u2069 – قدر بہت زیادہ", Text: urduText, Created: 1_800_000_000_000_000_000}
}

// read takes a letter apart.
func read(t *testing.T, raw []byte) (h mail.Header, plain, page string) {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatal(kind, err)
	}
	r := multipart.NewReader(m.Body, params["boundary"])
	for {
		p, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return m.Header, plain, page
		}
		if err != nil {
			t.Fatal(err)
		}
		if p.Header.Get("Content-Transfer-Encoding") != "quoted-printable" {
			t.Fatal(p.Header)
		}
		b, err := io.ReadAll(quotedprintable.NewReader(p))
		if err != nil {
			t.Fatal(err)
		}
		switch kind, params, _ := mime.ParseMediaType(p.Header.Get("Content-Type")); {
		case params["charset"] != "UTF-8":
			t.Error(params)
		case kind == "text/plain":
			plain = strings.ReplaceAll(string(b), "\r\n", "\n")
		case kind == "text/html":
			page = string(b)
		}
	}
}

func TestMail(t *testing.T) {
	conf, ca := authority(t)
	f := func(name string, implicit bool, serverTLS *tls.Config, m Mail, users map[string]string, wantSecure bool) {
		t.Helper()
		office := &postOffice{users: users}
		scheme := "smtp://"
		if implicit {
			scheme = "smtps://"
		}
		m.Server = scheme + office.open(t, serverTLS, implicit)
		m.From = "Millwright <millwright@works.test>"
		for range 2 { // the same message again is the same letter
			if err := m.Send(t.Context(), message()); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		office.mu.Lock()
		defer office.mu.Unlock()
		if len(office.got) != 2 {
			t.Fatalf("%s: %d letters", name, len(office.got))
		}
		first, second := office.got[0], office.got[1]
		if first.from != "millwright@works.test" || first.to != "ali@works.test" || first.secure != wantSecure || len(office.auth) > 0 != (len(users) > 0) {
			t.Errorf("%s: from %s to %s, TLS %v, auth %v", name, first.from, first.to, first.secure, office.auth)
		}
		h, plain, page := read(t, first.raw)
		again, _, _ := read(t, second.raw)
		if id := h.Get("Message-Id"); id != again.Get("Message-Id") || !strings.HasSuffix(id, "@millwright>") || len(id) != 1+64+11+1 {
			t.Errorf("%s: id %s and %s", name, id, again.Get("Message-Id"))
		}
		subject, err := new(mime.WordDecoder).DecodeHeader(h.Get("Subject"))
		if err != nil || subject != message().Subject {
			t.Errorf("%s: subject %q, %v", name, subject, err)
		}
		if h.Get("X-Millwright-Key") != "alarm/12/0/ali" || h.Get("Auto-Submitted") != "auto-generated" || h.Get("Importance") != "high" {
			t.Errorf("%s: %v", name, h)
		}
		if when, err := h.Date(); err != nil || time.Since(when).Abs() > time.Minute {
			t.Errorf("%s: date %v, %v", name, when, err)
		}
		if plain != urduText {
			t.Errorf("%s: %q", name, plain)
		}
		for _, want := range []string{`lang="ur" dir="rtl"`, `<a href="http://plant:8080/ack/abc?x=1&amp;y=2"`, ">الارم قبول کریں</a>", "&lt;b&gt;&amp;"} {
			if !strings.Contains(page, want) {
				t.Errorf("%s: the page lacks %s:\n%s", name, want, page)
			}
		}
		if strings.Contains(page, "<b>") || strings.Contains(page, "src=") {
			t.Errorf("%s: %s", name, page)
		}
	}
	account := map[string]string{"millwright": "s3cret"}
	f("plain", false, nil, Mail{StartTLS: "none"}, nil, false)
	f("opportunistic without", false, nil, Mail{StartTLS: "opportunistic"}, nil, false)
	f("opportunistic with", false, conf, Mail{StartTLS: "opportunistic", CA: ca}, nil, true)
	f("required, account", false, conf, Mail{CA: ca, User: "millwright", Password: "s3cret"}, account, true)
	f("implicit", true, conf, Mail{CA: ca}, nil, true)
	f("implicit, account", true, conf, Mail{CA: ca, User: "millwright", Password: "s3cret"}, account, true)
}

func TestMailRefused(t *testing.T) {
	conf, ca := authority(t)
	smtpError := func(code int) error { return &smtp.SMTPError{Code: code, Message: "No. Try elsewhere"} }
	f := func(name string, office *postOffice, serverTLS *tls.Config, m Mail, msg plant.Message, wantPermanent bool, want string) {
		t.Helper()
		m.Server, m.From = "smtp://"+office.open(t, serverTLS, false), "millwright@works.test"
		err := m.Send(t.Context(), msg)
		if err == nil || errors.Is(err, ErrPermanent) != wantPermanent || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: permanent %v: %v", name, errors.Is(err, ErrPermanent), err)
		}
		if len(office.got) != 0 {
			t.Errorf("%s: was delivered", name)
		}
	}
	with := func(change func(*plant.Message)) plant.Message { m := message(); change(&m); return m }
	none := Mail{StartTLS: "none"}
	f("no such person", &postOffice{refuse: func(string) error { return smtpError(550) }}, nil, none, message(), true, "550")
	f("greylisted", &postOffice{refuse: func(string) error { return smtpError(451) }}, nil, none, message(), false, "451")
	f("spam", &postOffice{data: smtpError(554)}, nil, none, message(), true, "554")
	f("disk full", &postOffice{data: smtpError(452)}, nil, none, message(), false, "452")
	f("no STARTTLS", &postOffice{}, nil, Mail{}, message(), false, "STARTTLS")
	f("unknown authority", &postOffice{}, conf, Mail{}, message(), false, "certificate")
	f("wrong password", &postOffice{users: map[string]string{"a": "b"}}, conf, Mail{CA: ca, User: "a", Password: "c"}, message(), false, "535")
	f("no account", &postOffice{users: map[string]string{"a": "b"}}, conf, Mail{CA: ca}, message(), false, "530")
	f("no address", &postOffice{}, nil, none, with(func(m *plant.Message) { m.Address = "ali" }), true, `"ali"`)
	f("two addresses", &postOffice{}, nil, none, with(func(m *plant.Message) { m.Address = "a@b.test, c@d.test" }), true, "address")
	f("injected address", &postOffice{}, nil, none, with(func(m *plant.Message) { m.Address = "a@b.test\r\nBcc: c@d.test" }), true, "address")
	f("no CA file", &postOffice{}, nil, Mail{CA: filepath.Join(t.TempDir(), "none")}, message(), false, "no such file")

	m := Mail{Server: "smtp://127.0.0.1:1", From: "a@b.test", StartTLS: "none"}
	if err := m.Send(t.Context(), message()); err == nil || errors.Is(err, ErrPermanent) {
		t.Errorf("nobody there: %v", err)
	}
}

// Whatever stands in a subject or a key, the header stays ours.
func TestMailInjection(t *testing.T) {
	office := &postOffice{}
	m := Mail{Server: "smtp://" + office.open(t, nil, false), From: "millwright@works.test", StartTLS: "none"}
	msg := message()
	msg.Subject = "P1\r\nBcc: all@works.test\r\n\r\nbody\u2028x\x00"
	msg.Key = "key\nX-Evil: 1\r\n.\r\n"
	msg.Text = "line\r\n.\r\nMAIL FROM:<evil@works.test>\n.\n..dots"
	if err := m.Send(t.Context(), msg); err != nil {
		t.Fatal(err)
	}
	if len(office.got) != 1 || office.got[0].to != "ali@works.test" {
		t.Fatalf("%+v", office.got)
	}
	h, plain, _ := read(t, office.got[0].raw)
	if subject, err := new(mime.WordDecoder).DecodeHeader(h.Get("Subject")); err != nil || subject != "P1 Bcc: all@works.test body x" {
		t.Errorf("%q, %v", subject, err)
	}
	if h.Get("Bcc") != "" || h.Get("X-Evil") != "" || h.Get("X-Millwright-Key") != "key X-Evil: 1 ." {
		t.Error(h)
	}
	if !strings.Contains(plain, "MAIL FROM:<evil@works.test>") || !strings.HasSuffix(plain, "..dots") {
		t.Errorf("%q", plain)
	}
}

// A server that takes the connection and says nothing costs the timeout, or
// ends with the context.
func TestMailHangs(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	stop := make(chan struct{})
	defer close(stop)
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { <-stop; c.Close() })
		}
	})
	defer l.Close()
	for _, scheme := range []string{"smtp://", "smtps://"} {
		m := Mail{Server: scheme + l.Addr().String(), From: "a@b.test", StartTLS: "none", Timeout: 100 * time.Millisecond}
		begin := time.Now()
		if err := m.Send(t.Context(), message()); err == nil || errors.Is(err, ErrPermanent) || time.Since(begin) > 5*time.Second {
			t.Errorf("%s: %v after %v", scheme, err, time.Since(begin))
		}
		m.Timeout = time.Minute
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		begin = time.Now()
		if err := m.Send(ctx, message()); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrPermanent) || time.Since(begin) > 5*time.Second {
			t.Errorf("%s, context: %v after %v", scheme, err, time.Since(begin))
		}
		cancel()
	}
}
