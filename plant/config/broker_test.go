package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Every key about brokers is read, and what is wrong with it is said at its line.
func TestBrokerKeys(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) string {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	put("password", "secret\n")
	put("ca.pem", "an authority")
	put("tags.csv", "path,node\nA/T,ns=1;s=T\n")
	const plc = "[[plc]]\nname = \"p\"\nurl = \"opc.tcp://127.0.0.1:4840\"\ntags = \"tags.csv\"\n"

	c, err := Load(put("edge.toml", plc+`[edge]
name = "e"
broker = ["mqtts://a", "mqtts://b:8883"]
broker_user = "e"
broker_password_file = "password"
broker_ca = "ca.pem"
delivery = "state"
primary_keepalive = "45s"
primary_host = "ignition"
link_kbit = 256
replay = "newest"
`))
	if err != nil {
		t.Fatal(err)
	}
	e := c.Edge
	if a := e.Access; len(a.Brokers) != 2 || a.Brokers[1] != "mqtts://b:8883" || a.PasswordFile != filepath.Join(dir, "password") || a.CA != filepath.Join(dir, "ca.pem") {
		t.Errorf("%+v", a)
	}
	if e.Delivery != DeliverState || e.PrimaryKeepAlive != 45*time.Second || e.LinkKbit != 256 || !e.NewestFirst {
		t.Errorf("%+v", e)
	}
	c, err = Load(put("plant.toml", "[historian]\nbroker = [\"mqtts://a\", \"mqtts://b\"]\nbroker_list = \"cluster\"\n"))
	if err != nil || !c.Historian.Cluster {
		t.Errorf("%+v, %v", c.Historian, err)
	}

	_, err = Load(put("bad.toml", plc+`[edge]
name = "e"
broker = ["mqtts://a", "http://b", "mqtts://a"]
broker_certificate = "ca.pem"
delivery = "perhaps"
primary_keepalive = "45s"
link_kbit = 1
[broker]
client_ca = "ca.pem"
[historian]
broker = "mqtt://a"
broker_list = "cluster"
broker_password_file = "password"
`))
	for _, want := range []string{
		`bad.toml:7: edge.broker: "http://b" is no usable URL`,
		"bad.toml:7: edge.broker: names mqtts://a twice",
		"bad.toml:5: edge.broker_key: is missing",
		`bad.toml:9: edge.delivery: "perhaps", allowed are acknowledged, state`,
		"bad.toml:10: edge.primary_keepalive: is of no use",
		"bad.toml:11: edge.link_kbit: 1, allowed is 8 to",
		"bad.toml:13: broker.client_ca: is of no use without tls_certificate",
		"bad.toml:16: historian.broker_list: is of no use with one broker",
		"bad.toml:14: historian.broker_user: is missing",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("lacks %q:\n%v", want, err)
		}
	}
}
