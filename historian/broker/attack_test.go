package broker

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"millwright/sparkplug/dial"
)

// guarded is a broker that knows its users: ours, or a real Mosquitto with the files
// that we write for it.
type guarded struct {
	t      *testing.T
	dir    string
	url    string
	roster *Roster
	ca     *Authority
	pool   *x509.CertPool
	renew  func()            // takes the users file as it is now
	cards  map[string]*badge // by user
}

// badge is what a user was given.
type badge struct {
	name, password string
	certificate    tls.Certificate
}

// brokers runs a test against both.
func brokers(t *testing.T, f func(*guarded)) {
	for _, kind := range []string{"nats", "mosquitto"} {
		t.Run(kind, func(t *testing.T) {
			g := newGuarded(t)
			if kind == "nats" {
				g.runOurs()
			} else {
				g.runMosquitto()
			}
			f(g)
		})
	}
}

// newGuarded makes an authority and the users of a works: two edges, the historian,
// a reader.
func newGuarded(t *testing.T) *guarded {
	t.Helper()
	g := &guarded{t: t, dir: t.TempDir(), cards: map[string]*badge{}}
	a, own, err := NewAuthority("works")
	if err != nil {
		t.Fatal(err)
	}
	g.ca, g.pool = a, x509.NewCertPool()
	g.pool.AppendCertsFromPEM(own.Certificate)
	pair, err := a.Broker([]string{"localhost", "127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{own.Write(g.file("ca.pem"), g.file("ca.key")), pair.Write(g.file("broker.pem"), g.file("broker.key"))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	g.roster = NewRoster(g.file("users.csv"))
	g.add(User{Name: "e1", Role: Edge, Group: "mill", Node: "e1"})
	g.add(User{Name: "e2", Role: Edge, Group: "mill", Node: "e2"})
	g.add(User{Name: "plant", Role: Host, Node: "plant"})
	g.add(User{Name: "scada", Role: Reader}) // it only hears
	g.add(User{Name: "mes", Role: Reader, Node: "mes"})
	return g
}

func (g *guarded) file(name string) string { return filepath.Join(g.dir, name) }

// add makes the credentials of a user and writes the users file.
func (g *guarded) add(u User) {
	g.t.Helper()
	password, hashed, err := NewPassword()
	if err != nil {
		g.t.Fatal(err)
	}
	pair, err := g.ca.Client(u.Name)
	if err != nil {
		g.t.Fatal(err)
	}
	c, err := tls.X509KeyPair(pair.Certificate, pair.Key)
	if err != nil {
		g.t.Fatal(err)
	}
	u.Password, u.Certificates = hashed, []string{pair.Fingerprint}
	if err := g.roster.Add(u); err != nil {
		g.t.Fatal(err)
	}
	if err := g.roster.Save(); err != nil {
		g.t.Fatal(err)
	}
	g.cards[u.Name] = &badge{u.Name, password, c}
}

func (g *guarded) runOurs() {
	b := &Broker{
		Listen: "127.0.0.1:0", Dir: g.file("broker"), UsersFile: g.file("users.csv"),
		TLSCertificate: g.file("broker.pem"), TLSKey: g.file("broker.key"), ClientCA: g.file("ca.pem"), ClientRequired: true,
	}
	start(g.t, b)
	g.url, g.renew = b.URL(), func() {} // it looks by itself
}

// runMosquitto starts Mosquitto with the configuration that docs/brokers.md shows.
func (g *guarded) runMosquitto() {
	exe, err := exec.LookPath("mosquitto")
	if err != nil {
		exe = "/usr/sbin/mosquitto" // not in everybody's path
	}
	if _, err := os.Stat(exe); err != nil {
		if os.Getenv("CI") != "" {
			g.t.Fatal("mosquitto is not installed: make tools")
		}
		g.t.Skip("mosquitto is not installed")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		g.t.Fatal(err)
	}
	address := l.Addr().String()
	_, port, _ := net.SplitHostPort(address)
	if err := l.Close(); err != nil {
		g.t.Fatal(err)
	}
	write := func() {
		m, err := ForMosquitto(g.roster.Users())
		if err != nil {
			g.t.Fatal(err)
		}
		conf := fmt.Sprintf("listener %s 127.0.0.1\ncafile %s\ncertfile %s\nkeyfile %s\nrequire_certificate true\nuse_username_as_clientid true\n"+
			"allow_anonymous false\npassword_file %s\nacl_file %s\n",
			port, g.file("ca.pem"), g.file("broker.pem"), g.file("broker.key"), g.file("passwd"), g.file("acl"))
		for name, b := range map[string][]byte{"passwd": m.Passwords, "acl": m.ACL, "mosquitto.conf": []byte(conf)} {
			// Mosquitto gives its rights up to an account of its own when it is root.
			if err := os.WriteFile(g.file(name), b, 0o644); err != nil {
				g.t.Fatal(err)
			}
		}
	}
	write()
	if err := os.Chmod(g.file("broker.key"), 0o644); err != nil {
		g.t.Fatal(err)
	}
	for dir := g.dir; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			g.t.Fatal(err)
		}
	}
	cmd := exec.Command(exe, "-c", g.file("mosquitto.conf"))
	var log strings.Builder
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	g.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		if g.t.Failed() {
			g.t.Log(log.String())
		}
	})
	g.url = "ssl://" + address
	g.renew = func() {
		write()
		if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
			g.t.Fatal(err)
		}
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
			return
		}
		select {
		case <-ended:
			ended <- nil
			g.t.Fatal("mosquitto ended: ", log.String())
		default:
		}
		if time.Now().After(end) {
			g.t.Fatal(err)
		}
	}
}

// visit is a client that a badge let in, or the error of the attempt.
func (g *guarded) visit(b *badge, change func(*mqtt.ClientOptions)) (mqtt.Client, error) {
	g.t.Helper()
	return client(g.t, g.url, b.name, b.password, func(o *mqtt.ClientOptions) {
		o.SetTLSConfig(&tls.Config{RootCAs: g.pool, Certificates: []tls.Certificate{b.certificate}})
		if change != nil {
			change(o)
		}
	})
}

func (g *guarded) must(user string, change func(*mqtt.ClientOptions)) mqtt.Client {
	g.t.Helper()
	c, err := g.visit(g.cards[user], change)
	if err != nil {
		g.t.Fatal(user, ": ", err)
	}
	return c
}

// ear notes what a client hears.
type ear struct {
	mu   sync.Mutex // guards what follows
	list []string
}

func (g *guarded) ear(c mqtt.Client, filter string) *ear {
	g.t.Helper()
	e := &ear{}
	tok := c.Subscribe(filter, 1, func(_ mqtt.Client, m mqtt.Message) {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.list = append(e.list, m.Topic()+" "+string(m.Payload()))
	})
	if !tok.WaitTimeout(10 * time.Second) {
		g.t.Fatal("subscribing hangs")
	}
	return e
}

func (e *ear) heard() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.list)
}

// await waits until something was heard.
func (g *guarded) await(e *ear, want string) {
	g.t.Helper()
	for end := time.Now().Add(30 * time.Second); !slices.Contains(e.heard(), want); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			g.t.Fatalf("%q did not come, but %q", want, e.heard())
		}
	}
}

// awaitWhile waits until something was heard, or the client was thrown out.
func (g *guarded) awaitWhile(c mqtt.Client, e *ear, want string) {
	g.t.Helper()
	for end := time.Now().Add(30 * time.Second); c.IsConnected() && !slices.Contains(e.heard(), want); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			g.t.Fatalf("%q did not come, but %q", want, e.heard())
		}
	}
}

// TestStolenEdge is what a thief can do with the box of e2, its files and all: speak
// for e2, and nothing else.
func TestStolenEdge(t *testing.T) {
	brokers(t, func(g *guarded) {
		plant := g.must("plant", nil)
		all := g.ear(plant, "spBv1.0/#")
		victim := g.must("e1", nil)
		commands := g.ear(victim, "spBv1.0/mill/NCMD/e1")

		// What is right works.
		for _, topic := range []string{"spBv1.0/mill/NBIRTH/e2", "spBv1.0/mill/DBIRTH/e2/plc", "spBv1.0/mill/DDATA/e2/plc"} {
			if err := publish(t, g.must("e2", nil), topic, 0, false, "own"); err != nil {
				t.Fatal(err)
			}
			g.await(all, topic+" own")
		}
		if err := publish(t, plant, "spBv1.0/STATE/plant", 1, true, "online"); err != nil {
			t.Fatal(err)
		}
		if err := publish(t, plant, "spBv1.0/mill/NCMD/e1", 0, false, "acknowledged"); err != nil {
			t.Fatal(err)
		}
		g.await(commands, "spBv1.0/mill/NCMD/e1 acknowledged")

		// It cannot read what is others': neither values, nor commands, nor what the
		// broker delivers to others.
		var spied []*ear
		for i, filter := range []string{"#", "+/#", "spBv1.0/#", "spBv1.0/mill/+/e1", "spBv1.0/mill/DDATA/e1/+", "spBv1.0/mill/NCMD/e1",
			"$MQTT/#", "$MQTT/sub/#", "$MQTT/msgs/#", "$JS/#", "$SYS/#", "$sparkplug/certificates/#"} {
			// One connection for each: a broker may end that of who asks for such a thing,
			// and Mosquitto lets a user be there once.
			thief := g.must("e2", nil)
			spied = append(spied, g.ear(thief, filter))
			secret := fmt.Sprint("secret ", i)
			for _, topic := range []string{"spBv1.0/mill/NBIRTH/e1", "spBv1.0/mill/DDATA/e1/plc"} {
				if err := publish(t, victim, topic, 0, false, secret); err != nil {
					t.Fatal(err)
				}
				g.await(all, topic+" "+secret)
			}
			if err := publish(t, victim, "spBv1.0/mill/NDEATH/e1", 1, false, secret); err != nil {
				t.Fatal(err)
			}
			g.await(all, "spBv1.0/mill/NDEATH/e1 "+secret)
			if err := publish(t, plant, "spBv1.0/mill/NCMD/e1", 0, false, secret); err != nil {
				t.Fatal(err)
			}
			g.await(commands, "spBv1.0/mill/NCMD/e1 "+secret)
			// What the thief would hear has been on its way since before this one, which
			// it may hear.
			if own := g.ear(thief, "spBv1.0/mill/NCMD/e2"); thief.IsConnected() {
				if err := publish(t, plant, "spBv1.0/mill/NCMD/e2", 0, false, secret); err != nil {
					t.Fatal(err)
				}
				g.awaitWhile(thief, own, "spBv1.0/mill/NCMD/e2 "+secret)
			}
		}

		// It cannot speak for others: data, deaths, births of e1, acknowledgements and
		// commands, the host's STATE, what the broker keeps for itself. Retained or not,
		// as a message or as a Will.
		for _, topic := range []string{
			"spBv1.0/mill/NBIRTH/e1", "spBv1.0/mill/NDATA/e1", "spBv1.0/mill/NDEATH/e1", "spBv1.0/mill/DBIRTH/e1/plc", "spBv1.0/mill/DDATA/e1/plc",
			"spBv1.0/mill/DDEATH/e1/plc", "spBv1.0/mill/NCMD/e1", "spBv1.0/mill/NCMD/e2", "spBv1.0/mill/DCMD/e1/plc", "spBv1.0/STATE/plant", "spBv1.0/STATE/e2",
			"spBv1.0/other/NDATA/e2", "spBv1.0/mill/DDATA/e2", "spBv1.0/mill/DDATA/e2/plc/more", "spBv1.0/mill/NDATA/e2/plc", "spBv1.0/x",
			"$MQTT/msgs/spBv1.0/mill/NDATA/e1", "$sparkplug/certificates/spBv1.0/mill/NBIRTH/e1",
		} {
			for _, qos := range []byte{0, 1} {
				for _, retain := range []bool{false, true} {
					_ = publish(t, g.must("e2", nil), topic, qos, retain, "forged")
				}
			}
		}
		for _, topic := range []string{"spBv1.0/mill/NDEATH/e1", "spBv1.0/STATE/plant", "spBv1.0/mill/NCMD/e1"} {
			var conn net.Conn
			c := g.must("e2", func(o *mqtt.ClientOptions) {
				o.SetBinaryWill(topic, []byte("forged"), 1, true)
				o.SetCustomOpenConnectionFn(keepTLS(&conn, g, "e2"))
			})
			conn.Close()
			c.Disconnect(0)
		}

		// It cannot come as another, with what it has and with what it can guess.
		e2 := g.cards["e2"]
		for what, b := range map[string]*badge{
			"another's name":                  {"plant", e2.password, e2.certificate},
			"another's name, no password":     {"plant", "", e2.certificate},
			"another's certificate":           {"e2", e2.password, tls.Certificate{}},
			"no name":                         {"", "", e2.certificate},
			"a wrong password":                {"e2", "guess", e2.certificate},
			"a certificate of its own making": {"e2", e2.password, ownMade(t)},
		} {
			if c, err := g.visit(b, nil); err == nil {
				t.Errorf("%s: came in", what)
				c.Disconnect(0)
			}
		}

		// It cannot throw another out by its client id.
		lost := make(chan struct{}, 1)
		stays := g.must("e1", func(o *mqtt.ClientOptions) {
			o.SetClientID(dial.ClientID("edge", "mill/e1"))
			o.SetConnectionLostHandler(func(mqtt.Client, error) { lost <- struct{}{} })
		})
		if c, err := g.visit(e2, func(o *mqtt.ClientOptions) { o.SetClientID(dial.ClientID("edge", "mill/e1")) }); err == nil {
			c.Disconnect(0) // Mosquitto calls it e2, whatever it says
		}
		if err := publish(t, stays, "spBv1.0/mill/NDATA/e1", 1, false, "still here"); err != nil {
			t.Errorf("thrown out by a client id: %v", err)
		}
		g.await(all, "spBv1.0/mill/NDATA/e1 still here")
		select {
		case <-lost:
			t.Error("thrown out by a client id")
		default:
		}

		if err := publish(t, plant, "spBv1.0/mill/NCMD/e1", 0, false, "last"); err != nil {
			t.Fatal(err)
		}
		g.await(all, "spBv1.0/mill/NCMD/e1 last")
		for _, s := range append(all.heard(), commands.heard()...) {
			if strings.Contains(s, "forged") {
				t.Errorf("heard %q", s)
			}
		}
		for _, e := range spied {
			for _, s := range e.heard() {
				if !strings.HasPrefix(s, "spBv1.0/STATE/") && !strings.HasPrefix(s, "spBv1.0/mill/NCMD/e2 ") {
					t.Errorf("spied %.80q", s)
				}
			}
		}
		// Whoever comes later finds the host's STATE as the host said it.
		late := g.ear(g.must("scada", nil), "spBv1.0/#")
		g.await(late, "spBv1.0/STATE/plant online")
	})
}

// keepTLS opens TLS connections as a user and keeps the last one.
func keepTLS(conn *net.Conn, g *guarded, user string) mqtt.OpenConnectionFunc {
	return func(uri *url.URL, _ mqtt.ClientOptions) (net.Conn, error) {
		c, err := tls.Dial("tcp", uri.Host, &tls.Config{RootCAs: g.pool, Certificates: []tls.Certificate{g.cards[user].certificate}})
		*conn = c
		return c, err
	}
}

// ownMade is a certificate for e2 of an authority that nobody believes.
func ownMade(t *testing.T) tls.Certificate {
	t.Helper()
	a, _, err := NewAuthority("works")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := a.Client("e2")
	if err != nil {
		t.Fatal(err)
	}
	c, err := tls.X509KeyPair(pair.Certificate, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A reader hears all and may say nothing of the works.
func TestReader(t *testing.T) {
	brokers(t, func(g *guarded) {
		all := g.ear(g.must("plant", nil), "spBv1.0/#")
		heard := g.ear(g.must("scada", nil), "spBv1.0/#")
		for _, topic := range []string{"spBv1.0/mill/NCMD/e1", "spBv1.0/mill/DCMD/e1/plc", "spBv1.0/mill/NDATA/e1", "spBv1.0/STATE/plant", "spBv1.0/STATE/scada"} {
			_ = publish(t, g.must("mes", nil), topic, 1, true, "forged")
		}
		if err := publish(t, g.must("mes", nil), "spBv1.0/STATE/mes", 1, true, "here"); err != nil {
			t.Fatal(err)
		}
		if err := publish(t, g.must("e1", nil), "spBv1.0/mill/NDATA/e1", 0, false, "x"); err != nil {
			t.Fatal(err)
		}
		for _, e := range []*ear{all, heard} {
			g.await(e, "spBv1.0/STATE/mes here")
			g.await(e, "spBv1.0/mill/NDATA/e1 x")
			for _, s := range e.heard() {
				if strings.Contains(s, "forged") {
					t.Errorf("heard %q", s)
				}
			}
		}
	})
}

// Devices come and go while the broker runs: a new one comes in within seconds, a
// revoked one is cut off within 60 s and does not come back, and nobody else notices.
func TestAddAndRevoke(t *testing.T) {
	brokers(t, func(g *guarded) {
		others := make(chan error, 1)
		lost := func(ch chan error) func(*mqtt.ClientOptions) {
			return func(o *mqtt.ClientOptions) {
				o.SetConnectionLostHandler(func(_ mqtt.Client, err error) { ch <- err })
			}
		}
		all := g.ear(g.must("plant", lost(others)), "spBv1.0/#")
		revoked := make(chan error, 1)
		g.must("e2", lost(revoked))

		g.add(User{Name: "e3", Role: Edge, Group: "mill", Node: "e3"})
		g.renew()
		var e3 mqtt.Client
		for end := time.Now().Add(30 * time.Second); e3 == nil; time.Sleep(100 * time.Millisecond) {
			c, err := g.visit(g.cards["e3"], nil)
			if err == nil {
				e3 = c
			} else if time.Now().After(end) {
				t.Fatal("a new device is not let in: ", err)
			}
		}
		if err := publish(t, e3, "spBv1.0/mill/NBIRTH/e3", 0, false, "new"); err != nil {
			t.Fatal(err)
		}
		g.await(all, "spBv1.0/mill/NBIRTH/e3 new")

		if err := g.roster.Remove("e2"); err != nil {
			t.Fatal(err)
		}
		if err := g.roster.Save(); err != nil {
			t.Fatal(err)
		}
		g.renew()
		at := time.Now()
		select {
		case <-revoked:
			t.Logf("cut off after %v", time.Since(at).Round(time.Millisecond))
		case <-time.After(time.Minute):
			t.Error("not cut off within 60 s")
		}
		if _, err := g.visit(g.cards["e2"], nil); err == nil {
			t.Error("came back")
		}
		select {
		case err := <-others:
			t.Error("another one was cut off: ", err)
		default:
		}
	})
}
