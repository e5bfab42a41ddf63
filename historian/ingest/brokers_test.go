package ingest_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"millwright/historian/broker"
	"millwright/historian/ingest"
	"millwright/sparkplug/dial"
)

// A host with several brokers is on all of them at once, and an edge that walks from
// one to the next is answered wherever it is: nothing is lost, nothing stored twice.
func TestSeveralBrokers(t *testing.T) {
	urls := make([]string, 2)
	stops := make([]func(), 2)
	for i := range urls {
		b := &broker.Broker{Listen: "127.0.0.1:0", Dir: filepath.Join(t.TempDir(), "broker"), Log: quiet(t)}
		stops[i] = run(t, b.Run)
		<-b.Started()
		urls[i] = b.URL()
	}
	m := newMemory()
	startHost(t, urls[0], m, nil, func(g *ingest.Ingest) { g.Others = urls[1:] })
	e := closedBox(t, t.TempDir(), two(20))
	e.standby = urls[1:]
	e.open(urls[0])
	stop := load(e, 5*time.Millisecond)
	eventually(t, "samples are stored by way of the first broker", 30*time.Second, func() bool { return m.count.Load() > 100 })
	stops[0]()
	n := m.count.Load()
	eventually(t, "samples are stored by way of the second one", 30*time.Second, func() bool { return m.count.Load() > n+100 })
	if at := e.up.Connection().URL; at != urls[1] {
		t.Errorf("the edge is at %s", at)
	}
	stop()
	e.empty(30 * time.Second)
	complete(t, m, e)
}

// Certificates and passwords of edge, historian and broker are replaced while values
// flow. Each takes them up by a new connection; nothing is lost.
func TestRenewedWithoutLoss(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	check := func(errs ...error) {
		t.Helper()
		for _, err := range errs {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	ca, own, err := broker.NewAuthority("works")
	check(err, own.Write(file("ca.pem"), file("ca.key")))
	pair, err := ca.Broker([]string{"127.0.0.1"})
	check(err, pair.Write(file("broker.pem"), file("broker.key")))
	roster := broker.NewRoster(file("users.csv"))
	for _, u := range []broker.User{{Name: "edge", Role: broker.Edge, Group: "mill", Node: "e1"}, {Name: "plant", Role: broker.Host, Node: "plant"}} {
		password, hashed, err := broker.NewPassword()
		check(err)
		pair, err := ca.Client(u.Name)
		check(err, pair.Write(file(u.Name+".pem"), file(u.Name+".key")), os.WriteFile(file(u.Name+".password"), []byte(password), 0o600))
		u.Password, u.Certificates = hashed, []string{pair.Fingerprint}
		check(roster.Add(u))
	}
	check(roster.Save())
	access := func(user string) dial.Access {
		return dial.Access{User: user, PasswordFile: file(user + ".password"), CA: file("ca.pem"), Certificate: file(user + ".pem"), Key: file(user + ".key")}
	}
	b := &broker.Broker{
		Listen: "127.0.0.1:0", Dir: file("broker"), UsersFile: file("users.csv"), Log: quiet(t),
		TLSCertificate: file("broker.pem"), TLSKey: file("broker.key"), ClientCA: file("ca.pem"), ClientRequired: true,
	}
	run(t, b.Run)
	<-b.Started()
	m := newMemory()
	h := startHost(t, b.URL(), m, nil, func(g *ingest.Ingest) { g.Access = access("plant") })
	e := closedBox(t, t.TempDir(), two(20))
	e.access = access("edge")
	e.open(b.URL())
	stop := load(e, 5*time.Millisecond)
	flows := func(what string) {
		t.Helper()
		n := m.count.Load()
		eventually(t, "samples are stored "+what, 30*time.Second, func() bool { return m.count.Load() > n+100 })
	}
	flows("at first")
	for range 2 {
		for _, user := range []string{"edge", "plant"} {
			births := e.up.Counts().Births
			next, err := ca.Client(user)
			check(err)
			u, err := roster.Find(user)
			check(err, roster.Certify(user, []string{next.Fingerprint, u.Certificates[0]}), roster.Save(), next.Replace(file(user+".pem"), file(user+".key")))
			// A new edge is born, a new historian has every edge born.
			eventually(t, "the new certificate of "+user+" is in use", 30*time.Second, func() bool { return e.up.Counts().Births > births })
			flows("with a new certificate of " + user)
		}
		next, err := ca.Broker([]string{"127.0.0.1"})
		check(err, next.Replace(file("broker.pem"), file("broker.key")))
	}
	stop()
	e.empty(30 * time.Second)
	complete(t, m, e)
	if n := e.up.Counts().SetAside + h.Counts().Unreadable; n > 0 {
		t.Errorf("%d records set aside or not readable", n)
	}
}
