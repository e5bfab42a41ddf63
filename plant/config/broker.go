package config

import (
	"slices"
	"strings"
	"time"
)

// Broker is the embedded MQTT broker, section [broker].
type Broker struct {
	Listen         string // HOST:PORT
	Data           string // folder
	UsersFile      string // accounts, which the broker reads itself; empty: everybody, on loopback only
	TLSCertificate string // PEM files
	TLSKey         string
	ClientCA       string // PEM file of the authority that signed the certificates of clients; empty: none are asked for
	ClientRequired bool   // who shows none does not come in
}

// Access is how a broker is reached and what it is shown, keys of [edge] and
// [historian]. Whoever uses it reads the files again when they change.
type Access struct {
	Brokers      []string // URLs; none: the [broker] of this file
	User         string
	PasswordFile string
	CA           string // PEM file; empty: the system's
	Certificate  string // PEM files of the client's own; empty: none
	Key          string
}

const mostBrokers = 8

func (root *table) broker() *Broker {
	t := root.table("broker")
	if t == nil {
		return nil
	}
	defer t.close()
	b := &Broker{
		Listen: t.checked("listen", "127.0.0.1:1883", checkListen),
		Data:   t.folder("data", "millwright-data/broker"),

		UsersFile: t.guarded("users"),
		ClientCA:  t.readable("client_ca"),
	}
	b.TLSCertificate, b.TLSKey = t.tlsPair("tls_certificate", "tls_key")
	b.ClientRequired = t.oneOf("client_certificates", "required", "required", "optional") == "required" && b.ClientCA != ""
	switch {
	case t.has("client_ca") && !t.has("tls_certificate"):
		t.fault("client_ca", "is of no use without tls_certificate")
	case t.has("client_ca") && !t.has("users"):
		t.fault("client_ca", "is of no use without users, which say who has which certificate")
	case t.has("client_certificates") && !t.has("client_ca"):
		t.fault("client_certificates", "is of no use without client_ca")
	}
	if !loopback(b.Listen) && b.UsersFile == "" && checkListen(b.Listen) == nil {
		t.fault("users", "is missing, a broker that listens on %s needs users (only on 127.0.0.1 it may go without)", b.Listen)
	}
	return b
}

// access reads the keys that name MQTT brokers.
func (t *table) access(local bool) Access {
	a := Access{Brokers: t.brokers(), User: t.text("broker_user", ""), CA: t.readable("broker_ca")}
	if len(a.Brokers) == 0 && !local && !t.has("broker") {
		t.fault("broker", "is missing, for example broker = \"mqtts://plant:8883\" (only beside a [broker] it may be left out)")
	}
	if t.secret("broker_password_file") != "" {
		a.PasswordFile = t.at(t.text("broker_password_file", ""))
	}
	a.Certificate, a.Key = t.tlsPair("broker_certificate", "broker_key")
	if t.has("broker_password_file") && !t.has("broker_user") {
		t.fault("broker_user", "is missing, broker_password_file needs it")
	}
	if t.has("broker_user") && !t.has("broker_password_file") && !t.has("broker_certificate") {
		t.fault("broker_password_file", "is missing, broker_user needs the file of its password, or broker_certificate")
	}
	plain := func(u string) bool { return strings.HasPrefix(u, "mqtt:") || strings.HasPrefix(u, "tcp:") }
	if t.has("broker_certificate") && slices.ContainsFunc(a.Brokers, plain) {
		t.fault("broker_certificate", "is of no use with a broker that speaks no TLS, allowed is mqtts://HOST:8883")
	}
	return a
}

// brokers are a URL, or a list of them.
func (t *table) brokers() (urls []string) {
	if _, list := t.m["broker"].([]any); list {
		urls = t.texts("broker")
	} else if u := t.text("broker", ""); u != "" {
		urls = []string{u}
	}
	for i, u := range urls {
		if err := checkURL(u, "mqtt", "mqtts", "tcp", "ssl"); err != nil {
			t.fault("broker", "%v", err)
		} else if slices.Contains(urls[:i], u) {
			t.fault("broker", "names %s twice", u)
		}
	}
	if len(urls) > mostBrokers {
		t.fault("broker", "names %d brokers, allowed are at most %d", len(urls), mostBrokers)
	}
	return urls
}

// Deliveries of an edge.
const (
	DeliverAcknowledged = "acknowledged"
	DeliverState        = "state"
)

// delivery reads how an edge hands over what it has.
func (e *Edge) delivery(t *table, local bool) {
	e.Access = t.access(local)
	e.Delivery = t.oneOf("delivery", DeliverAcknowledged, DeliverAcknowledged, DeliverState)
	e.PrimaryKeepAlive = t.duration("primary_keepalive", 30*time.Second, time.Second, 10*time.Minute)
	if t.has("primary_keepalive") && e.Delivery != DeliverState {
		t.fault("primary_keepalive", "is of no use without delivery = \"state\"")
	}
	e.NewestFirst = t.oneOf("replay", "oldest", "oldest", "newest") == "newest"
	e.LinkKbit = int(t.integer("link_kbit", 0, 8, 10_000_000))
}
