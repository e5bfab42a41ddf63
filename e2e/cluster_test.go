package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"millwright/e2e/port"
)

// cluster is a works whose edge talks to the leaf of its area, the leaf to a cluster
// of three nats-servers, and the historian to one of the three:
//
//	mill ── edge ── leaf ── node, node, node ── plant
//
// The servers run with the files of firmware-configs/brokers, but for addresses and
// folders; the credentials are those that millwright broker makes.
type cluster struct {
	*works
	server  string     // program
	names   []string   // node1, node2, node3, leaf-hsm
	servers []*process // by the same index
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{works: newWorks(t), names: []string{"node1", "node2", "node3", "leaf-hsm"}}
	c.server = filepath.Join(c.dir, "nats-server")
	if out, err := exec.Command("go", "build", "-o", c.server, "github.com/nats-io/nats-server/v2").CombinedOutput(); err != nil {
		t.Fatalf("nats-server: %v\n%s", err, out)
	}
	users := c.file("users.csv")
	c.millwright("broker", "init", "--dir", c.dir, "--host-id", "historian", "localhost")
	c.millwright("broker", "add", "hsm", "--group", "Works", "--node", "hsm", "--users", users, "-o", c.dir)
	c.millwright("broker", "acl", "--for", "nats", "--users", users, "-o", c.dir)
	for _, n := range c.names {
		c.millwright("broker", "node", n, "localhost", "127.0.0.1", "--users", users, "-o", c.dir)
	}
	c.configureServers()
	return c
}

func (c *cluster) file(name string) string { return filepath.Join(c.dir, name) }

func (c *cluster) millwright(args ...string) {
	c.t.Helper()
	if out, err := exec.Command(binary, args...).CombinedOutput(); err != nil {
		c.t.Fatalf("millwright %v: %v\n%s", args, err, out)
	}
}

// configureServers writes a file for each server, and those of edge and plant.
func (c *cluster) configureServers() {
	c.t.Helper()
	shipped := func(name string) string {
		b, err := os.ReadFile(filepath.Join("../firmware-configs/brokers", name))
		if err != nil {
			c.t.Fatal(err)
		}
		return string(b)
	}
	type ports struct{ client, mqtt, route, leaf int }
	all := make([]ports, len(c.names))
	var places []string // of the shipped files, and what they are here
	for i := range all {
		all[i] = ports{port.Free(c.t), port.Free(c.t), port.Free(c.t), port.Free(c.t)}
		places = append(places,
			fmt.Sprintf("node%d.works.local:6222", i+1), fmt.Sprintf("localhost:%d", all[i].route),
			fmt.Sprintf("node%d.works.local:7422", i+1), fmt.Sprintf("localhost:%d", all[i].leaf))
	}
	for i, name := range c.names {
		text := shipped("node.conf")
		if name == "leaf-hsm" {
			text = shipped("leaf.conf")
		}
		for _, old := range []string{"server_name: node1", "server_name: leaf-hsm", "127.0.0.1:4222", "0.0.0.0:8883"} {
			if n := strings.Count(shipped("node.conf")+shipped("leaf.conf"), old); n == 0 {
				c.t.Fatalf("the shipped files say nowhere %q", old)
			}
		}
		r := strings.NewReplacer(append(places,
			"server_name: node1", "server_name: "+name,
			"127.0.0.1:4222", fmt.Sprintf("127.0.0.1:%d", all[i].client),
			"0.0.0.0:8883", fmt.Sprintf("127.0.0.1:%d", all[i].mqtt),
			"0.0.0.0:6222", fmt.Sprintf("127.0.0.1:%d", all[i].route),
			"0.0.0.0:7422", fmt.Sprintf("127.0.0.1:%d", all[i].leaf),
			"/var/lib/nats", c.file("data-"+name),
			"/etc/nats/node.", c.file(name+"."), "/etc/nats/leaf.", c.file(name+"."), "/etc/nats/", c.dir+"/",
		)...)
		writeFile(c.t, c.file(name+".conf"), r.Replace(text))
	}
	access := func(user string) string {
		return fmt.Sprintf("broker_user = %q\nbroker_password_file = \"%[1]s.password\"\nbroker_ca = \"ca.pem\"\nbroker_certificate = \"%[1]s.pem\"\nbroker_key = \"%[1]s.key\"\n", user)
	}
	c.broker = fmt.Sprintf("mqtts://localhost:%d", all[3].mqtt)
	c.edgeKeys = access("hsm")
	c.configure()
	// The plant has three brokers that are one.
	file := c.file("plant.toml")
	b, err := os.ReadFile(file)
	if err != nil {
		c.t.Fatal(err)
	}
	nodes := fmt.Sprintf("broker = [\"mqtts://localhost:%d\", \"mqtts://localhost:%d\", \"mqtts://localhost:%d\"]\nbroker_list = \"cluster\"\n%s",
		all[0].mqtt, all[1].mqtt, all[2].mqtt, access("plant"))
	writeFile(c.t, file, strings.Replace(string(b), fmt.Sprintf("broker = %q\n", c.broker), nodes, 1))
	c.servers = make([]*process, len(c.names))
}

func (c *cluster) startServer(i int) {
	c.t.Helper()
	c.servers[i] = start(c.t, c.names[i], c.server, "-c", c.file(c.names[i]+".conf"))
}

// TestCluster kills the servers of a cluster and the leaf in turns, each
// MILLWRIGHT_CLUSTER times, while values flow.
func TestCluster(t *testing.T) {
	kills := number(t, "MILLWRIGHT_CLUSTER", 0)
	if kills == 0 {
		t.Skip("MILLWRIGHT_CLUSTER is not set: make soak-cluster plays this")
	}
	c := newCluster(t)
	for i := range c.names {
		c.startServer(i)
	}
	c.startMill("--fault", "HSM/FM/F3/GBX:lubrication:1@5s+60s", "--speed", "10")
	c.startPlant()
	c.startEdge()
	c.waitLive(2 * time.Minute)
	for k := range kills {
		for i := range c.names {
			c.servers[i].kill()
			time.Sleep(time.Duration(k%3) * time.Second) // now and then it is back before anybody noticed
			c.startServer(i)
			eventually(t, 3*time.Minute, "normal service is back after "+c.names[i]+" was killed", c.normal)
		}
	}
	c.well(kills*len(c.names), 3*time.Minute)
}
