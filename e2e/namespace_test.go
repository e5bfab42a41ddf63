package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestR09Namespace puts mill and edge into a network of their own, behind a link of
// 256 kbit/s that loses 30 % of the packets either way, and a proxy that takes 300 ms
// for the way there and back (R9). It counts how often the edge had to connect, and
// how long alarms take.
func TestR09Namespace(t *testing.T) {
	seconds := 10 * times(t, 0)
	name := fmt.Sprintf("mw%d", os.Getpid())
	sh := func(line string) {
		t.Helper()
		if out, err := exec.Command("sh", "-c", line).CombinedOutput(); err != nil {
			t.Skipf("no network namespace can be made here (%s: %v %s): run as root with iproute2 and iptables", line, err, out)
		}
	}
	sh("ip netns add " + name)
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", name).Run() })
	in := "ip netns exec " + name + " "
	sh(fmt.Sprintf("ip link add %[1]sa type veth peer name %[1]sb netns %[1]s", name))
	sh(fmt.Sprintf("ip addr add 10.213.7.1/30 dev %[1]sa && ip link set %[1]sa up && tc qdisc add dev %[1]sa root tbf rate 256kbit burst 4kb latency 1s", name))
	sh(in + "ip link set lo up")
	sh(fmt.Sprintf("%[2]sip addr add 10.213.7.2/30 dev %[1]sb && %[2]sip link set %[1]sb up && %[2]stc qdisc add dev %[1]sb root tbf rate 256kbit burst 4kb latency 1s", name, in))

	l := newLine(t)
	wire := newProxyAt(t, "10.213.7.1:0", strings.TrimPrefix(l.host, "tcp://"))
	wire.roughen(rough{delay: 150 * time.Millisecond})
	l.broker = "tcp://" + wire.addr()
	l.configure()
	inside := func(what string, args ...string) *process {
		return run(t, what, exec.Command("ip", append([]string{"netns", "exec", name, binary}, args...)...))
	}
	l.startBroker()
	l.startPlant()
	log := filepath.Join(l.dir, "samples.log")
	l.samples = append(l.samples, log)
	l.mill = inside("mill", "sim", "--listen", fmt.Sprintf("opc.tcp://127.0.0.1:%d", l.opc), "--samples", log, "--seed", "7",
		"--fault", "HSM/FM/F3/GBX:lubrication:1@30s+60s")
	l.works.edge = inside("edge", "run", "-c", filepath.Join(l.dir, "edge.toml"))
	l.waitLive(60 * time.Second)

	sh(in + "iptables -A INPUT ! -i lo -m statistic --mode random --probability 0.3 -j DROP")
	sh(in + "iptables -A OUTPUT ! -o lo -m statistic --mode random --probability 0.3 -j DROP")
	before := l.edge.lines("connected to the plant")
	slowest, alarms := l.slowestAlarm(time.Duration(seconds) * time.Second)
	t.Logf("%d alarms, the slowest of them %v late", alarms, slowest.Round(time.Millisecond))
	if slowest > 10*time.Second {
		t.Errorf("an alarm took %v", slowest)
	}
	connects := l.edge.lines("connected to the plant") - before
	t.Logf("connected %d times in %d s", connects, seconds)
	if connects > seconds/10 {
		t.Errorf("%d connections in %d s are a storm", connects, seconds)
	}
	sh(in + "iptables -F")
	l.well(1, 120*time.Second)
}

// slowestAlarm watches for a while how late alarms of machines are shown.
func (w *works) slowestAlarm(during time.Duration) (slowest time.Duration, n int) {
	known := map[int64]bool{}
	for end := time.Now().Add(during); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		for _, a := range w.api.alarms() {
			if !known[a.ID] && strings.HasPrefix(a.Asset, "HSM/") {
				known[a.ID] = true
				slowest = max(slowest, time.Since(a.Raised))
			}
		}
	}
	return slowest, len(known)
}

// group is a control group that bounds the memory of a process.
type group struct{ dir string }

// newGroup makes one of at most limit bytes until the test ends.
func newGroup(t *testing.T, limit int64) group {
	t.Helper()
	for _, root := range []struct{ dir, limit string }{
		{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"}, // version 1
		{"/sys/fs/cgroup", "memory.max"},
	} {
		g := group{filepath.Join(root.dir, fmt.Sprintf("mw%d", os.Getpid()))}
		if os.Mkdir(g.dir, 0o700) != nil {
			continue
		}
		t.Cleanup(func() { _ = syscall.Rmdir(g.dir) })
		if os.WriteFile(filepath.Join(g.dir, root.limit), fmt.Append(nil, limit), 0o600) == nil {
			return g
		}
	}
	t.Skip("no control group of memory can be made here: run as root")
	return group{}
}

// command is a command that runs in the group from its first page on.
func (g group) command(args ...string) *exec.Cmd {
	return exec.Command("sh", append([]string{"-c", "echo $$ > " + filepath.Join(g.dir, "cgroup.procs") + ` && exec "$@"`, "sh"}, args...)...)
}
