package main

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/rogpeppe/go-internal/testscript"

	"millwright/e2e/port"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"millwright": main})
}

// TestScript runs the command-line sessions of testdata/script. Besides the
// usual commands they have:
//
//	status N command...         it ends with exit code N
//	line PATTERN                stderr of the last command is one line that matches
//	freeport NAME               $NAME is a port of 127.0.0.1 that nobody listens on
//	occupy NAME                 $NAME is a port that somebody listens on
//	reach HOST:PORT             somebody accepts there, within 20 s
//	appears FILE                it is there within 20 s
//	expand FILE                 $NAME in it becomes the value
//	fetch URL PATTERN           the page there matches, within 20 s
//	recording FILE ROWS [FROM]  a bench of three sensors; from row FROM on one is wrong
//	binary FILE                 4 KiB that are no text
//	longline FILE               a recording whose second line has 10 MB
//	layout KIND DIR N           format number of a store, queue, alarms or accounts folder
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"status":    cmdStatus,
			"line":      cmdLine,
			"freeport":  cmdFreePort,
			"occupy":    cmdOccupy,
			"reach":     cmdReach,
			"appears":   cmdAppears,
			"expand":    cmdExpand,
			"fetch":     cmdFetch,
			"recording": cmdRecording,
			"binary":    cmdBinary,
			"longline":  cmdLongLine,
			"layout":    cmdLayout,
		},
	})
}

// need fails on a command that is not written as its usage says.
func need(ts *testscript.TestScript, neg bool, ok bool, usage string) {
	if neg || !ok {
		ts.Fatalf("usage: %s", usage)
	}
}

func cmdStatus(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, len(args) >= 2, "status N command...")
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func cmdLine(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, len(args) == 1, "line PATTERN")
	text := ts.ReadFile("stderr")
	one, rest, ended := strings.Cut(text, "\n")
	if !ended || rest != "" {
		ts.Fatalf("stderr is not one line:\n%s", text)
	}
	if !regexp.MustCompile(args[0]).MatchString(one) {
		ts.Fatalf("%q does not match %q", one, args[0])
	}
}

func cmdFreePort(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, len(args) == 1, "freeport NAME")
	ts.Setenv(args[0], strconv.Itoa(port.Free(ts)))
}

func cmdOccupy(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, len(args) == 1, "occupy NAME")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { _ = l.Close() })
	ts.Setenv(args[0], strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
}

func cmdReach(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, len(args) == 1, "reach HOST:PORT")
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", args[0])
		if err == nil {
			_ = c.Close()
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("%v", err)
		}
	}
}

func cmdAppears(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, len(args) == 1, "appears FILE")
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(ts.MkAbs(args[0])); err == nil {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("%s does not appear", args[0])
		}
	}
}

func cmdExpand(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, len(args) == 1, "expand FILE")
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(os.Expand(ts.ReadFile(args[0]), ts.Getenv)), 0o644))
}

func cmdFetch(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, len(args) == 2, "fetch URL PATTERN")
	want := regexp.MustCompile(args[1])
	client := http.Client{Timeout: 10 * time.Second}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		res, err := client.Get(args[0])
		ts.Check(err)
		body, err := io.ReadAll(res.Body)
		ts.Check(errors.Join(err, res.Body.Close()))
		if res.StatusCode == http.StatusOK && want.Match(body) {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("%s without %q: %.2000s", res.Status, args[1], body)
		}
	}
}

// cmdRecording makes three sensors that move together; from row FROM on the
// third no longer does.
func cmdRecording(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, len(args) == 2 || len(args) == 3, "recording FILE ROWS [FROM]")
	rows, err := strconv.Atoi(args[1])
	ts.Check(err)
	from := rows
	if len(args) == 3 {
		from, err = strconv.Atoi(args[2])
		ts.Check(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	var b bytes.Buffer
	b.WriteString("time;flow;pressure;current;anomaly\n")
	begin := time.Date(2024, 3, 1, 6, 0, 0, 0, time.UTC)
	for i := range rows {
		load := math.Sin(float64(i)/9) + 0.3*rng.NormFloat64()
		current, wrong := 12+3*load, 0
		if i >= from {
			current, wrong = 12-3*load+4, 1
		}
		fmt.Fprintf(&b, "%s;%.3f;%.3f;%.3f;%d\n", begin.Add(time.Duration(i)*time.Second).Format("2006-01-02 15:04:05"),
			80+10*load+0.2*rng.NormFloat64(), 4+load+0.02*rng.NormFloat64(), current+0.1*rng.NormFloat64(), wrong)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b.Bytes(), 0o644))
}

func cmdBinary(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, len(args) == 1, "binary FILE")
	rng := rand.New(rand.NewPCG(3, 4))
	b := make([]byte, 4096)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o644))
}

func cmdLongLine(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, len(args) == 1, "longline FILE")
	text := "time,flow\n2024-03-01 06:00:00," + strings.Repeat("1", 10_000_000) + "\n"
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o644))
}

// cmdLayout writes the format number of a folder as its FORMAT.md or schema
// says.
func cmdLayout(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, len(args) == 3, "layout store|queue|alarms|accounts DIR N")
	kind, dir := args[0], ts.MkAbs(args[1])
	n, err := strconv.Atoi(args[2])
	ts.Check(err)
	switch kind {
	case "store":
		setKey(ts, dir, "!", []byte(args[2]))
	case "queue":
		setKey(ts, dir, "mformat", []byte{byte(n)})
	case "alarms":
		setVersion(ts, dir+"/alarms.db", n)
	case "accounts":
		setVersion(ts, dir+"/accounts.sqlite", n)
	default:
		ts.Fatalf("layout: unknown kind %s", kind)
	}
}

func setKey(ts *testscript.TestScript, dir, key string, value []byte) {
	db, err := pebble.Open(dir, &pebble.Options{ErrorIfNotExists: true, Logger: quiet{}})
	ts.Check(err)
	ts.Check(errors.Join(db.Set([]byte(key), value, pebble.Sync), db.Close()))
}

func setVersion(ts *testscript.TestScript, file string, n int) {
	_, err := os.Stat(file)
	ts.Check(err)
	db, err := sql.Open("sqlite", file)
	ts.Check(err)
	_, err = db.Exec(fmt.Sprintf("PRAGMA user_version = %d", n))
	ts.Check(errors.Join(err, db.Close()))
}

// quiet keeps what Pebble tells of its files out of the test's output.
type quiet struct{}

func (quiet) Infof(string, ...any)              {}
func (quiet) Errorf(string, ...any)             {}
func (quiet) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
