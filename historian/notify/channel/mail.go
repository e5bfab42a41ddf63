package channel

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"millwright/plant"
)

// Mail sends through the plant's SMTP server, a connection for each message.
type Mail struct {
	Server   string // "smtp://HOST:25", or "smtps://HOST:465" for TLS from the first byte on
	From     string // "Millwright <millwright@works.example>"
	User     string // empty: the server takes it without
	Password string
	CA       string        // PEM file of the authority that signed the server; empty: the system's
	StartTLS string        // "require" (where empty), "opportunistic", "none"; of no meaning with smtps
	Timeout  time.Duration // of a step of the conversation; 15 s where zero
}

// Name is the kind of channel.
func (m *Mail) Name() string { return "mail" }

// Target is the server.
func (m *Mail) Target() string { return m.Server }

// Send hands a message to the server. What the server refuses for good (5xx) is
// permanent; that it does not know us may be mended there, so that is not.
func (m *Mail) Send(ctx context.Context, msg plant.Message) error {
	letter, err := m.letter(msg)
	if err != nil {
		return Permanent(err)
	}
	client, hangUp, err := m.client(ctx)
	if err != nil {
		return err
	}
	defer hangUp()
	err = client.DialAndSendWithContext(ctx, letter)
	if letter.IsDelivered() {
		return nil // whatever went wrong in saying goodbye
	}
	if err == nil {
		return errors.New("the mail server did not say that it took the message")
	}
	if ctx.Err() != nil {
		err = errors.Join(ctx.Err(), err)
	}
	err = fmt.Errorf("%s: %w", m.Server, err)
	if refused, ok := errors.AsType[*mail.SendError](err); ok && final(refused) {
		return Permanent(err)
	}
	return err
}

// final reports a refusal of this message, not of us.
func final(e *mail.SendError) bool {
	switch code := e.ErrorCode(); code {
	case 530, 534, 535, 538: // RFC 4954: authentication
		return false
	default:
		return code >= 500 && code <= 599
	}
}

// client is ready to dial; hangUp ends its connection, as does the context.
func (m *Mail) client(ctx context.Context) (client *mail.Client, hangUp func(), err error) {
	u, err := url.Parse(m.Server)
	if err != nil {
		return nil, nil, err
	}
	conf := &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}
	if m.CA != "" {
		pem, err := os.ReadFile(m.CA)
		if err != nil {
			return nil, nil, err
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(pem) {
			return nil, nil, fmt.Errorf("%s: holds no certificate in PEM", m.CA)
		}
	}
	policy, port := mail.TLSMandatory, 25
	switch {
	case u.Scheme == "smtps":
		policy, port = mail.TLSOpportunistic, 465 // the connection is TLS already: nothing is offered
	case m.StartTLS == "opportunistic":
		policy = mail.TLSOpportunistic
	case m.StartTLS == "none":
		policy = mail.NoTLS
	}
	if p := u.Port(); p != "" {
		if port, err = strconv.Atoi(p); err != nil {
			return nil, nil, err
		}
	}
	timeout := m.Timeout
	if timeout == 0 {
		timeout = 15 * time.Second
	}
	// The library looks at the context only while it dials: a connection of ours
	// can be cut at any time.
	stop := func() bool { return true }
	dial := func(ctx2 context.Context, network, address string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx2, network, address)
		if err != nil {
			return nil, err
		}
		stop = context.AfterFunc(ctx, func() { c.Close() })
		if u.Scheme != "smtps" {
			return c, nil
		}
		secure := tls.Client(c, conf)
		if err := secure.HandshakeContext(ctx2); err != nil {
			return nil, errors.Join(err, c.Close())
		}
		return secure, nil
	}
	options := []mail.Option{mail.WithPort(port), mail.WithTLSPolicy(policy), mail.WithTLSConfig(conf), mail.WithTimeout(timeout), mail.WithDialContextFunc(dial)}
	if m.User != "" {
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(m.User), mail.WithPassword(m.Password))
	}
	client, err = mail.NewClient(u.Hostname(), options...)
	if err != nil {
		return nil, nil, err
	}
	return client, func() { stop() }, nil
}

// letter makes the mail. Its id follows from the key, so that a server or a
// reader that sees it twice can tell.
func (m *Mail) letter(msg plant.Message) (*mail.Msg, error) {
	l := mail.NewMsg()
	if err := l.From(m.From); err != nil {
		return nil, fmt.Errorf("from %q: %w", m.From, err)
	}
	if msg.Address != oneLine(msg.Address) {
		return nil, fmt.Errorf("address %q: more than one line", msg.Address)
	}
	if err := l.To(msg.Address); err != nil {
		return nil, fmt.Errorf("address %q: %w", msg.Address, err)
	}
	sum := sha256.Sum256([]byte(msg.Key))
	l.SetMessageIDWithValue(hex.EncodeToString(sum[:]) + "@millwright")
	l.SetDate()
	l.Subject(oneLine(msg.Subject))
	l.SetGenHeader("Auto-Submitted", "auto-generated")
	l.SetGenHeader("X-Auto-Response-Suppress", "All")
	l.SetGenHeader("X-Millwright-Key", oneLine(msg.Key))
	if msg.Priority == 1 {
		l.SetImportance(mail.ImportanceHigh)
	}
	l.SetBodyString(mail.TypeTextPlain, msg.Text)
	page, err := html(msg)
	if err != nil {
		return nil, err
	}
	l.AddAlternativeString(mail.TypeTextHTML, page)
	return l, nil
}

// A mail reader must not need more than this: no picture, no script, no style
// from elsewhere.
var letterPage = template.Must(template.New("letter").Parse(`<!DOCTYPE html>
<html lang="{{.Lang}}" dir="{{.Dir}}"><head><meta charset="utf-8"><title>{{.Subject}}</title></head>
<body style="font-family: sans-serif; font-size: 16px; line-height: 1.5; color: #1a1a1a; background: #ffffff">
{{range .Lines}}<p style="margin: 0 0 4px" dir="{{$.Dir}}">{{if .}}{{.}}{{else}}&nbsp;{{end}}</p>
{{end}}{{if .Link}}<p style="margin: 16px 0"><a href="{{.Link}}" style="display: inline-block; padding: 12px 24px; background: #1f3a5f; color: #ffffff; text-decoration: none; border-radius: 4px">{{.Label}}</a></p>
{{end}}</body></html>
`))

func html(msg plant.Message) (string, error) {
	rest, label, target := link(msg.Text)
	if label == "" {
		label = target
	}
	dir, lang := "ltr", msg.Language
	if lang == plant.Urdu {
		dir = "rtl"
	}
	if lang == "" {
		lang = plant.English
	}
	var b strings.Builder
	err := letterPage.Execute(&b, struct {
		Lang, Dir, Subject, Label, Link string
		Lines                           []string
	}{lang, dir, oneLine(msg.Subject), label, target, strings.Split(rest, "\n")})
	return b.String(), err
}
