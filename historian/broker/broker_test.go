package broker

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"go.uber.org/goleak"
	"golang.org/x/crypto/bcrypt"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs b until the test ends and returns a function that stops it earlier.
func start(t *testing.T, b *Broker) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	select {
	case <-b.Started():
	case err := <-done:
		t.Fatal(err)
	}
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return stop
}

// client connects, or returns the error of the attempt.
func client(t *testing.T, url, user, password string, change func(*mqtt.ClientOptions)) (mqtt.Client, error) {
	t.Helper()
	o := mqtt.NewClientOptions().AddBroker(url).SetClientID("c" + rand.Text()).SetProtocolVersion(4).
		SetUsername(user).SetPassword(password).SetAutoReconnect(false).SetConnectTimeout(3 * time.Second)
	if change != nil {
		change(o)
	}
	c := mqtt.NewClient(o)
	tok := c.Connect()
	if !tok.WaitTimeout(5 * time.Second) {
		t.Fatal("connecting hangs")
	}
	if tok.Error() == nil {
		t.Cleanup(func() { c.Disconnect(50) })
	}
	return c, tok.Error()
}

func mustClient(t *testing.T, url, user, password string, change func(*mqtt.ClientOptions)) mqtt.Client {
	t.Helper()
	c, err := client(t, url, user, password, change)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// listen subscribes and returns what arrives as "topic payload".
func listen(t *testing.T, c mqtt.Client, filter string) <-chan string {
	t.Helper()
	got := make(chan string, 100)
	tok := c.Subscribe(filter, 1, func(_ mqtt.Client, m mqtt.Message) { got <- m.Topic() + " " + string(m.Payload()) })
	if !tok.WaitTimeout(5*time.Second) || tok.Error() != nil {
		t.Fatal("subscribe ", filter, ": ", tok.Error())
	}
	if code := tok.(*mqtt.SubscribeToken).Result()[filter]; code == 0x80 {
		close(got)
	}
	return got
}

func expect(t *testing.T, got <-chan string, want string) {
	t.Helper()
	select {
	case s := <-got:
		if s != want {
			t.Fatalf("got %q, want %q", s, want)
		}
	case <-time.After(8 * time.Second):
		t.Fatalf("nothing came, want %q", want)
	}
}

func publish(t *testing.T, c mqtt.Client, topic string, qos byte, retained bool, payload string) error {
	t.Helper()
	tok := c.Publish(topic, qos, retained, payload)
	if !tok.WaitTimeout(2 * time.Second) {
		return context.DeadlineExceeded
	}
	return tok.Error()
}

func TestRetainedWillAndRestart(t *testing.T) {
	b := &Broker{Listen: "127.0.0.1:0", Dir: filepath.Join(t.TempDir(), "broker")}
	before := time.Now()
	stop := start(t, b)
	if d := time.Since(before); d > 10*time.Second {
		t.Errorf("started in %v, must be below 10 s", d)
	}
	host := mustClient(t, b.URL(), "", "", nil)
	got := listen(t, host, "spBv1.0/#")
	if err := publish(t, host, "spBv1.0/STATE/plant", 1, true, "online"); err != nil {
		t.Fatal(err)
	}
	expect(t, got, "spBv1.0/STATE/plant online")

	edge, err := client(t, b.URL(), "", "", func(o *mqtt.ClientOptions) {
		o.SetBinaryWill("spBv1.0/mill/NDEATH/e1", []byte("dead"), 1, false)
	})
	if err != nil {
		t.Fatal(err)
	}
	big := strings.Repeat("x", 6<<20)
	if err := publish(t, edge, "spBv1.0/mill/NBIRTH/e1", 0, false, big); err != nil {
		t.Fatal(err)
	}
	expect(t, got, "spBv1.0/mill/NBIRTH/e1 "+big)

	late := mustClient(t, b.URL(), "", "", nil)
	expect(t, listen(t, late, "spBv1.0/STATE/plant"), "spBv1.0/STATE/plant online")

	before = time.Now()
	stop()
	if d := time.Since(before); d > 10*time.Second {
		t.Errorf("stopped in %v, must be below 10 s", d)
	}

	// What was retained is still there after a clean restart.
	again := &Broker{Listen: "127.0.0.1:0", Dir: b.Dir}
	start(t, again)
	// nats-server reads its retained messages while it listens already: who
	// subscribes meanwhile gets none, and asks again, as edge/uplink does.
	c := mustClient(t, again.URL(), "", "", nil)
	for try := 1; ; try++ {
		select {
		case s := <-listen(t, c, "spBv1.0/STATE/plant"):
			if s != "spBv1.0/STATE/plant online" {
				t.Fatalf("got %q", s)
			}
			return
		case <-time.After(2 * time.Second):
			if try == 5 {
				t.Fatal("what was retained is gone")
			}
		}
	}
}

func TestWillIsDelivered(t *testing.T) {
	b := &Broker{Listen: "127.0.0.1:0", Dir: t.TempDir()}
	start(t, b)
	host := mustClient(t, b.URL(), "", "", nil)
	got := listen(t, host, "spBv1.0/#")
	var conn net.Conn
	mustClient(t, b.URL(), "", "", func(o *mqtt.ClientOptions) {
		o.SetBinaryWill("spBv1.0/mill/NDEATH/e1", []byte("dead"), 1, false)
		o.SetCustomOpenConnectionFn(keepConn(&conn))
	})
	conn.Close()
	expect(t, got, "spBv1.0/mill/NDEATH/e1 dead")
}

func TestUsers(t *testing.T) {
	hash, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	b := &Broker{Listen: "127.0.0.1:0", Dir: t.TempDir(), Users: []User{
		{Name: "edge1", Role: Edge, Group: "mill.a", Node: "e1", Password: string(hash)},
		{Name: "edge2", Role: Edge, Group: "mill.a", Node: "e2", Password: "plain"},
		{Name: "plant", Role: Host, Node: "plant", Password: "plain"},
		{Name: "scada", Role: Reader, Node: "scada", Password: "plain"},
	}}
	start(t, b)
	if _, err := client(t, b.URL(), "", "", nil); err == nil {
		t.Error("anonymous got in")
	}
	if _, err := client(t, b.URL(), "edge1", "wrong", nil); err == nil {
		t.Error("a wrong password got in")
	}
	plant := mustClient(t, b.URL(), "plant", "plain", nil)
	all := listen(t, plant, "spBv1.0/#")
	reader := listen(t, mustClient(t, b.URL(), "scada", "plain", nil), "spBv1.0/#")
	edge := mustClient(t, b.URL(), "edge1", "secret", nil)
	commands := listen(t, edge, "spBv1.0/mill.a/NCMD/e1")
	state := listen(t, edge, "spBv1.0/STATE/plant")

	if err := publish(t, plant, "spBv1.0/STATE/plant", 1, true, "online"); err != nil {
		t.Fatal(err)
	}
	expect(t, all, "spBv1.0/STATE/plant online")
	expect(t, reader, "spBv1.0/STATE/plant online")
	expect(t, state, "spBv1.0/STATE/plant online")
	for _, topic := range []string{"spBv1.0/mill.a/NBIRTH/e1", "spBv1.0/mill.a/DDATA/e1/plc"} {
		if err := publish(t, edge, topic, 0, false, "x"); err != nil {
			t.Fatal(err)
		}
		expect(t, all, topic+" x")
		expect(t, reader, topic+" x")
	}
	if err := publish(t, edge, "spBv1.0/mill.a/NDEATH/e1", 1, false, "x"); err != nil {
		t.Fatal(err)
	}
	expect(t, all, "spBv1.0/mill.a/NDEATH/e1 x")
	if err := publish(t, plant, "spBv1.0/mill.a/NCMD/e1", 0, false, "do"); err != nil {
		t.Fatal(err)
	}
	expect(t, commands, "spBv1.0/mill.a/NCMD/e1 do")
	expect(t, all, "spBv1.0/mill.a/NCMD/e1 do")

	// Whatever is forbidden must not arrive, whether the broker says so or not.
	forbidden := func(user, password, topic string, qos byte) {
		t.Helper()
		c := mustClient(t, b.URL(), user, password, nil)
		_ = publish(t, c, topic, qos, false, "forged")
	}
	forbidden("edge2", "plain", "spBv1.0/mill.a/NCMD/e1", 0)
	forbidden("edge2", "plain", "spBv1.0/mill.a/NCMD/e1", 1)
	forbidden("edge2", "plain", "spBv1.0/mill.a/DDATA/e1/plc", 0)
	forbidden("edge2", "plain", "spBv1.0/mill.a/NDEATH/e1", 1)
	forbidden("edge2", "plain", "spBv1.0/mill.b/NDATA/e2", 0)
	forbidden("edge2", "plain", "spBv1.0/STATE/plant", 1)
	forbidden("scada", "plain", "spBv1.0/mill.a/NCMD/e1", 0)
	forbidden("scada", "plain", "spBv1.0/STATE/plant", 1)
	forbidden("plant", "plain", "spBv1.0/mill.a/NDATA/e1", 0)
	forbidden("plant", "plain", "spBv1.0/STATE/other", 1)
	mustClient(t, b.URL(), "edge2", "plain", func(o *mqtt.ClientOptions) {
		o.SetBinaryWill("spBv1.0/mill.a/NDEATH/e1", []byte("forged"), 1, false)
		var conn net.Conn
		o.SetCustomOpenConnectionFn(keepConn(&conn))
		o.OnConnect = func(mqtt.Client) { conn.Close() }
	})
	if err := publish(t, plant, "spBv1.0/STATE/plant", 1, true, "last"); err != nil {
		t.Fatal(err)
	}
	expect(t, all, "spBv1.0/STATE/plant last")
	expect(t, state, "spBv1.0/STATE/plant last")
	select {
	case s := <-commands:
		t.Errorf("the edge got %q", s)
	case s := <-all:
		t.Errorf("the host got %q", s)
	case <-time.After(500 * time.Millisecond):
	}

	// An edge may not listen to others.
	spy := listen(t, mustClient(t, b.URL(), "edge2", "plain", nil), "spBv1.0/#")
	if err := publish(t, mustClient(t, b.URL(), "edge1", "secret", nil), "spBv1.0/mill.a/NDATA/e1", 0, false, "x"); err != nil {
		t.Fatal(err)
	}
	expect(t, all, "spBv1.0/mill.a/NDATA/e1 x")
	select {
	case s, open := <-spy:
		if open && !strings.HasPrefix(s, "spBv1.0/STATE/") {
			t.Errorf("an edge overheard %q", s)
		}
	case <-time.After(300 * time.Millisecond):
	}
}

func keepConn(conn *net.Conn) mqtt.OpenConnectionFunc {
	return func(uri *url.URL, _ mqtt.ClientOptions) (net.Conn, error) {
		c, err := net.Dial("tcp", uri.Host)
		*conn = c
		return c, err
	}
}

func TestTLS(t *testing.T) {
	dir := t.TempDir()
	cert, key := selfSigned(t, dir)
	b := &Broker{Listen: "127.0.0.1:0", Dir: filepath.Join(dir, "b"), TLSCertificate: cert, TLSKey: key}
	start(t, b)
	if !strings.HasPrefix(b.URL(), "ssl://") {
		t.Error(b.URL())
	}
	pemBytes, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pemBytes)
	c := mustClient(t, b.URL(), "", "", func(o *mqtt.ClientOptions) { o.SetTLSConfig(&tls.Config{RootCAs: pool}) })
	got := listen(t, c, "spBv1.0/#")
	if err := publish(t, c, "spBv1.0/STATE/plant", 1, true, "x"); err != nil {
		t.Fatal(err)
	}
	expect(t, got, "spBv1.0/STATE/plant x")
	if _, err := client(t, b.URL(), "", "", nil); err == nil {
		t.Error("a client that does not know the certificate got in")
	}
}

func TestRefusals(t *testing.T) {
	refused := func(b *Broker, want string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		err := b.Run(ctx)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q, want one line with %q", err, want)
		}
		if b.URL() != "" {
			t.Error("refused and yet it has a URL")
		}
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	refused(&Broker{Listen: taken.Addr().String(), Dir: t.TempDir()}, "cannot listen on "+taken.Addr().String())
	refused(&Broker{Listen: "0.0.0.0:0", Dir: t.TempDir()}, "without users only a loopback address")
	refused(&Broker{Listen: "nonsense", Dir: t.TempDir()}, "not host:port")
	refused(&Broker{Listen: "127.0.0.1:99999", Dir: t.TempDir()}, "port must be")
	refused(&Broker{Listen: "127.0.0.1:0"}, "no data folder")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refused(&Broker{Listen: "127.0.0.1:0", Dir: file}, "data folder")
	inUse := t.TempDir()
	start(t, &Broker{Listen: "127.0.0.1:0", Dir: inUse})
	refused(&Broker{Listen: "127.0.0.1:0", Dir: inUse}, "in use by another broker")
	refused(&Broker{Listen: "127.0.0.1:0", Dir: t.TempDir(), TLSCertificate: file, TLSKey: file}, "TLS")
	refused(&Broker{Listen: "127.0.0.1:0", Dir: t.TempDir(), Users: []User{{Name: "x", Role: "king", Password: "p"}}}, "role")
	refused(&Broker{Listen: "127.0.0.1:0", Dir: t.TempDir(), Users: []User{{Name: "x", Role: Edge, Group: "*", Node: "n", Password: "p"}}}, "no * or >")
}

func TestLoadUsers(t *testing.T) {
	dir := t.TempDir()
	hash, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	write("pw", "from a file\n")
	good := write("users.csv", "name,role,group,node,password\n# the finishing mill\nedge1,edge,mill,e1,"+string(hash)+"\nplant,host,,plant,file:pw\n")
	users, err := LoadUsers(good)
	if err != nil || len(users) != 2 || users[1].Password != "from a file" || !reflect.DeepEqual(users[0], User{Name: "edge1", Role: Edge, Group: "mill", Node: "e1", Password: string(hash)}) {
		t.Errorf("%+v, %v", users, err)
	}
	bad := write("bad.csv", "name,role,group,node,password\na,king,,n,file:pw\nb,edge,g g,n,file:pw\nc,host,,n,plain\nd,host,,n\ne,host,,n,file:none\nf,host,,n,file:pw\nf,host,,n,file:pw\n")
	_, err = LoadUsers(bad)
	for _, want := range []string{"bad.csv:2: role", "bad.csv:3: group", "bad.csv:4: password", "bad.csv:5: 4 columns", "bad.csv:6: password", `bad.csv:8: name: "f" is there twice`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nlacks %q", err, want)
		}
	}
	for _, text := range []string{"", "user,pw\n", "name,role,group,node,password\n", "name,role,group,node,password\n\"x"} {
		if _, err := LoadUsers(write("x.csv", text)); err == nil {
			t.Errorf("%q was read", text)
		}
	}
	if err := os.Chmod(filepath.Join(dir, "pw"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadUsers(good); err == nil || !strings.Contains(err.Error(), "users.csv:4: password: "+filepath.Join(dir, "pw")+" can be read by everybody (mode 0644)") {
		t.Errorf("a password that everybody can read: %v", err)
	}
	if _, err := LoadUsers(filepath.Join(dir, "absent")); err == nil {
		t.Error("an absent file was read")
	}
}

// A client that tries again every second does not fill the log.
func TestLogOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		l := &logger{log: slog.New(slog.NewTextHandler(&out, nil))}
		for i := range 65 {
			l.Errorf("127.0.0.1:%d - authentication error - User %q", 1000+i, "e1")
			time.Sleep(time.Second)
		}
		l.Warnf("something else")
		if got := strings.Count(out.String(), "authentication error"); got != 2 || !strings.Contains(out.String(), "level=WARN msg=\"broker: something else\"") {
			t.Errorf("said %d times in 65 s, want 2:\n%s", got, &out)
		}
	})
}

func FuzzUsers(f *testing.F) {
	f.Add([]byte("name,role,group,node,password\nedge1,edge,mill,e1,$2a$04$abcdefghijklmnopqrstuuMXkzbZ1b0gk3mQpQJ7bK9jZ0m1l5c9W\n"))
	f.Add([]byte("name,role,group,node,password\n#x\na,host,,p,file:pw\n"))
	f.Add([]byte("name,role,group,node,password,certificate\ne1,edge,mill,e1,,AB:CD " + strings.Repeat("0a", 32) + "\nr,reader,,,$7$101$AAAAAAAAAAAAAAAA$" + strings.Repeat("A", 86) + "==,\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		users, err := parseUsers("users.csv", b)
		if err != nil {
			return
		}
		if _, err := newAccounts(users, nil); err != nil {
			t.Fatalf("users that were read are refused: %v", err)
		}
	})
}

// selfSigned writes a certificate for 127.0.0.1 and its key.
func selfSigned(t *testing.T, dir string) (cert, key string) {
	t.Helper()
	priv, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, &tmpl, &tmpl, &priv.PublicKey, priv)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(priv)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, b []byte) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}), 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	return write("cert.pem", "CERTIFICATE", der), write("key.pem", "EC PRIVATE KEY", keyDER)
}
