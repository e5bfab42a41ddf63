package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestFigureDeliveryPeer gives Telegraf the load of TestFigureDeliveryEdge: its OPC UA
// listener in, its MQTT output out, with no durable queue and no acknowledgement.
// MILLWRIGHT_TELEGRAF is the program, which make bench-delivery builds.
func TestFigureDeliveryPeer(t *testing.T) {
	figures(t)
	telegraf := os.Getenv("MILLWRIGHT_TELEGRAF")
	if _, err := os.Stat(telegraf); err != nil {
		t.Skip("MILLWRIGHT_TELEGRAF is no program: make bench-delivery builds it")
	}
	l := newLine(t)
	o := startOffer(t, l.works, offerSet{Tags: 10_000, Every: 200, Parts: 20, PKI: filepath.Join(l.dir, "pki")}, false)
	var c strings.Builder
	fmt.Fprintf(&c, `[agent]
interval = "1s"
flush_interval = "200ms"
metric_batch_size = 5000
metric_buffer_limit = 100000
omit_hostname = true
[[outputs.mqtt]]
servers = ["tcp://127.0.0.1:%d"]
topic = "peer"
qos = 0
layout = "batch"
data_format = "influx"
`, l.mqtt)
	const each = 400 // one request of Telegraf creates all items of a listener; with 2,000 it found its connection closed
	for first := 0; first < o.set.Tags; first += each {
		fmt.Fprintf(&c, `[[inputs.opcua_listener]]
name = "mill"
endpoint = "opc.tcp://127.0.0.1:%d"
subscription_interval = "100ms"
security_policy = "Basic256Sha256"
security_mode = "SignAndEncrypt"
certificate = ""
private_key = ""
auth_method = "UserName"
username = "op"
password = "secret"
timestamp = "source"
[[inputs.opcua_listener.group]]
name = "mill"
namespace = "1"
identifier_type = "s"
nodes = [
`, l.opc)
		for i := first; i < min(first+each, o.set.Tags); i++ {
			fmt.Fprintf(&c, "{name=%q, identifier=%q},\n", fmt.Sprintf("T%d", i), offerPath(i))
		}
		c.WriteString("]\n")
	}
	file := filepath.Join(l.dir, "telegraf.conf")
	writeFile(t, file, c.String())
	l.startBroker()
	p := start(t, "telegraf", telegraf, file)
	eventually(t, 60*time.Second, "all is monitored", func() bool { return o.ask("monitored") == fmt.Sprint(o.set.Tags) })
	o.ask("run")
	time.Sleep(15 * time.Second)
	values := func() float64 { n, _ := strconv.ParseFloat(o.ask("count"), 64); return n }
	n, cpu := values(), cpuSeconds(t, p.cmd.Process.Pid)
	time.Sleep(30 * time.Second)
	n, cpu = values()-n, cpuSeconds(t, p.cmd.Process.Pid)-cpu
	o.ask("halt")
	if p.ended() || n == 0 {
		t.Fatal("telegraf has ended, or nothing was offered")
	}
	t.Logf("%.0f values/s, %.1f s of CPU", n/30, cpu)
	fmt.Printf("PEER telegraf delivery.edge_us_per_value %.2f us\n", 1e6*cpu/n)
	fmt.Printf("PEER telegraf delivery.edge_rss_mb %.1f MB\n", peakMB(t, p.cmd.Process.Pid))
}
