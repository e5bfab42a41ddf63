package collector

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Figures are printed by `make bench-collector`, each with the load of the
// machine at its time; the assertions are in the other tests.

func figures(t testing.TB) {
	t.Helper()
	if os.Getenv("MILLWRIGHT_FIGURES") == "" {
		t.Skip("figures are printed by make bench-collector")
	}
}

func figure(name string, value float64, unit string) {
	load, _, _ := strings.Cut(readFile("/proc/loadavg"), " ")
	fmt.Printf("FIGURE collector.%s %s %s (load %s)\n", name, strconv.FormatFloat(value, 'g', 5, 64), unit, load)
}

func readFile(name string) string {
	b, _ := os.ReadFile(name)
	return string(b)
}

// cpuOf is the user and system time of a process so far.
func cpuOf(t testing.TB, pid int) time.Duration {
	t.Helper()
	raw := readFile(fmt.Sprintf("/proc/%d/stat", pid))
	f := strings.Fields(raw[strings.LastIndexByte(raw, ')')+1:])
	if len(f) < 13 {
		t.Fatalf("/proc/%d/stat: %q", pid, raw)
	}
	user, _ := strconv.ParseInt(f[11], 10, 64)
	system, _ := strconv.ParseInt(f[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond
}

// memoryOf is a line of a process's status in MB: "VmHWM:" is the peak of its
// resident set, "VmRSS:" the present one.
func memoryOf(t testing.TB, pid int, what string) float64 {
	t.Helper()
	for line := range strings.Lines(readFile(fmt.Sprintf("/proc/%d/status", pid))) {
		if v, ok := strings.CutPrefix(line, what); ok {
			kb, _ := strconv.ParseFloat(strings.Fields(v)[0], 64)
			return kb / 1000
		}
	}
	t.Fatalf("no %s of process %d", what, pid)
	return 0
}

// securedPair is our own server with a user, and the settings of a reader that
// it lets in, SignAndEncrypt.
func securedPair(t testing.TB, set map[string]any) (*foreign, readerSet) {
	t.Helper()
	pki := t.TempDir()
	if _, err := ownIdentity(pki, ""); err != nil {
		t.Fatal(err)
	}
	set["secure"], set["users"] = true, map[string]string{"op": "secret"}
	set["trust"] = []string{filepath.Join(pki, ownDir, ownName+certSuffix)}
	srv := newMillServer(t, set)
	accept(t, pki, srv)
	return srv, readerSet{URL: srv.url(), Namespace: srv.ns, Tags: set["nodes"].(int),
		Security: Security{Policy: "Basic256Sha256", Mode: "SignAndEncrypt", PKI: pki, User: "op", Password: "secret"}}
}

// load is what a reader went through in a time.
type load struct {
	wall, cpu         time.Duration
	values            uint64
	bytes, objects    float64 // allocated per value
	lost              int64   // neither received nor declared
	offered, declared uint64
	peak              float64 // MB
}

// carry lets our server offer the tags every `every` ms to a reader of its own
// process, and measures it for a time after a warm-up.
func carry(t *testing.T, tags, every int, warm, window time.Duration) load {
	t.Helper()
	srv, set := securedPair(t, map[string]any{"nodes": tags, "every": every, "parts": every / 10, "quiet": true, "wholeValues": true})
	set.Kept = true
	r := newReader(t, set)
	eventually(t, time.Minute, "all monitored", func() bool { return srv.number("monitored") == uint64(tags) })
	srv.say("run")
	time.Sleep(warm)
	pid := r.cmd.Process.Pid
	before, cpu, begin := r.stats(), cpuOf(t, pid), time.Now()
	time.Sleep(window)
	after, used, wall := r.stats(), cpuOf(t, pid)-cpu, time.Since(begin)
	srv.say("halt")
	offered := srv.number("count")
	var end readerStats
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		if end = r.stats(); end.Received+end.Declared+end.Undeclared >= offered {
			break
		}
	}
	values := after.Received - before.Received
	l := load{wall: wall, cpu: used, values: values, offered: offered, declared: end.Declared, peak: memoryOf(t, pid, "VmHWM:"),
		bytes: float64(after.Bytes-before.Bytes) / float64(values), objects: float64(after.Objects-before.Objects) / float64(values),
		lost: int64(offered) - int64(end.Received) - int64(end.Declared)}
	t.Logf("offered %d, received %d, again %d, declared %d, UNDECLARED %d, gaps %d; %.1f s of CPU for %d values in %.1f s", offered, end.Received, end.Again, end.Declared, l.lost, end.Gaps,
		used.Seconds(), values, wall.Seconds())
	if l.lost != 0 || end.Undeclared != 0 || end.Again != 0 {
		t.Errorf("undeclared loss, or values told twice: %d, %+v", l.lost, end)
	}
	return l
}

func (l load) rate() float64  { return float64(l.values) / l.wall.Seconds() }
func (l load) core() float64  { return 100 * l.cpu.Seconds() / l.wall.Seconds() }
func (l load) each() float64  { return float64(l.cpu.Nanoseconds()) / 1000 / float64(l.values) }
func (l load) share() float64 { return 100 * float64(l.declared) / float64(l.offered) }

// TestFigureSustained: 10,000 tags at 5 Hz, then at 10 Hz.
func TestFigureSustained(t *testing.T) {
	figures(t)
	t.Run("sustained", func(t *testing.T) {
		l := carry(t, 10_000, 200, 15*time.Second, time.Minute)
		figure("sustained_values_s", l.rate(), "values/s")
		figure("sustained_lost", float64(l.lost), "values")
		figure("sustained_core_pct", l.core(), "%")
		figure("sustained_rss_mb", l.peak, "MB")
		figure("cpu_us_per_value", l.each(), "us")
		figure("garbage_bytes_per_value", l.bytes, "B")
		figure("garbage_objects_per_value", l.objects, "")
	})
	t.Run("burst", func(t *testing.T) {
		l := carry(t, 10_000, 100, 5*time.Second, time.Minute)
		figure("burst_values_s", l.rate(), "values/s")
		figure("burst_lost", float64(l.lost), "values")
		figure("burst_declared_pct", l.share(), "%")
		figure("burst_core_pct", l.core(), "%")
	})
}

// TestCarries is the same for a few seconds: nothing is lost, declared or told
// twice.
func TestCarries(t *testing.T) {
	t.Parallel()
	if l := carry(t, 2000, 200, 500*time.Millisecond, 2*time.Second); l.declared != 0 {
		t.Errorf("%+v", l)
	}
}
