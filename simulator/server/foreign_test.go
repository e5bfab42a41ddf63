package server

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"millwright/plant"
)

// seen is what a foreign client reports.
type seen struct {
	WrongPassword  string      `json:"wrongPassword"`
	Tree           []string    `json:"tree"`
	Namespaces     []string    `json:"namespaces"`
	Value          float64     `json:"value"`
	SourceTime     int64       `json:"sourceTime"` // ms
	Type           string      `json:"type"`
	Description    string      `json:"description"`
	Unit           string      `json:"unit"`
	High           float64     `json:"high"`
	State          int         `json:"state"`
	Translated     string      `json:"translated"`
	Write          string      `json:"write"`
	History        [][]float64 `json:"history"` // in answers
	Monitored      string      `json:"monitored"`
	PercentOnPlain string      `json:"percentOnPlain"`
	Values         int         `json:"values"`
	Jumps          int         `json:"jumps"`
	Overflow       int         `json:"overflow"`
}

// missing fails in CI, where the foreign stacks are installed, and skips
// elsewhere.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing: the Makefile installs it", what)
	}
	t.Skipf("%s is missing: see testdata/foreign in the repository's root", what)
}

func fromEnv(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}

func TestNodeOPCUA(t *testing.T) {
	modules, err := filepath.Abs(fromEnv("MILLWRIGHT_NODE_MODULES", "../../.ci/node/node_modules"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(modules, "node-opcua")); err != nil {
		missing(t, "node-opcua")
	}
	got := foreign(t, t.TempDir(), []string{"NODE_PATH=" + modules}, "node", "testdata/foreign/client.cjs")
	if !reflect.DeepEqual(got.History, [][]float64{{2, 3, 4}, {5, 6}}) {
		t.Errorf("history %v", got.History)
	}
	if !strings.Contains(got.WrongPassword, "BadUserAccessDenied") || !strings.Contains(got.PercentOnPlain, "BadMonitoredItemFilterUnsupported") ||
		!strings.Contains(got.Write, "BadServiceUnsupported") {
		t.Errorf("wrong password: %q, percent deadband: %q, write: %q", got.WrongPassword, got.PercentOnPlain, got.Write)
	}
}

func TestAsyncua(t *testing.T) {
	python, err := filepath.Abs(fromEnv("MILLWRIGHT_PYTHON", "../../.ci/venv/bin/python"))
	if err != nil {
		t.Fatal(err)
	}
	if exec.Command(python, "-c", "import asyncua").Run() != nil {
		missing(t, "asyncua")
	}
	dir, own := t.TempDir(), clientIdentity(t)
	key, err := x509.MarshalPKCS8PrivateKey(own.key)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"cert.der": own.cert, "key.pem": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got := foreign(t, dir, nil, python, "testdata/foreign/client.py")
	if got.WrongPassword != "BadUserAccessDenied" || got.PercentOnPlain != "BadMonitoredItemFilterUnsupported" || got.Write != "BadServiceUnsupported" {
		t.Errorf("wrong password: %q, percent deadband: %q, write: %q", got.WrongPassword, got.PercentOnPlain, got.Write)
	}
}

// foreign runs a client of another stack over SignAndEncrypt with a user, long
// enough for node-opcua to renew its keys, while a ramp is written.
func foreign(t *testing.T, dir string, env []string, command ...string) seen {
	t.Helper()
	const values = 5000
	s := start(t, &Server{
		Modes: []Mode{None, SignAndEncrypt}, NoAnonymous: true, Users: map[string]string{"fitter": "geheim"},
		Variables: []Variable{
			{Path: "MILL/VIB", Unit: "mm/s", Description: "gearbox vibration", Low: 0, High: 20},
			{Path: "MILL/RAMP"},
			{Path: "MILL/MODE", Kind: plant.Text},
			{Path: "MILL/PAST", History: 5},
		},
	}, 0)
	s.Write([]Value{{Var: 0, Time: stamp(123), Number: 1.25}, {Var: 1, Time: stamp(0), Number: 0}})
	for i := range 6 {
		s.Write([]Value{{Var: 3, Time: time.Now().UnixNano() + int64(i)*1e6, Number: float64(i + 1)}})
	}
	args := append(command[1:], s.URL(), dir, "fitter", "geheim", strconv.Itoa(values))
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], args...)
	cmd.Env = append(os.Environ(), env...)
	var out bytes.Buffer
	cmd.Stdout = &out
	errs, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	subscribed, quiet := make(chan struct{}), make(chan string)
	go func() {
		var text strings.Builder
		b := make([]byte, 4096)
		told := false
		for {
			n, err := errs.Read(b)
			text.Write(b[:n])
			if !told && strings.Contains(text.String(), "subscribed") {
				told = true
				close(subscribed)
			}
			if err != nil {
				if !told {
					close(subscribed)
				}
				quiet <- text.String()
				return
			}
		}
	}()
	<-subscribed
	for i := 1; i < values; i++ {
		s.Write([]Value{{Var: 1, Time: stamp(int64(i)), Number: float64(i)}})
		time.Sleep(time.Millisecond)
	}
	errText := <-quiet
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v, %v\n%s", err, s.Counts(), errText)
	}
	var got seen
	line := ""
	for l := range strings.Lines(out.String() + errText) { // the libraries print too: what they complain of
		switch l = strings.TrimSpace(l); {
		case strings.HasPrefix(l, "{"):
			line = l
		case strings.Contains(l, "Creating default certificate"), strings.Contains(l, ":verify_pcks1 "): // of node itself
		case l != "" && l != "subscribed":
			t.Errorf("the client complains: %s", l)
		}
	}
	if err := json.Unmarshal([]byte(line), &got); err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	common := got
	common.WrongPassword, common.PercentOnPlain, common.Write, common.History = "", "", "", nil
	wantTree := map[string]bool{"/MILL": true, "/MILL/VIB": true, "/MILL/RAMP": true, "/MILL/MODE": true, "/MILL/PAST": true}
	for _, p := range common.Tree {
		delete(wantTree, p)
	}
	if len(wantTree) > 0 {
		t.Errorf("not found by browsing: %v in %v", wantTree, common.Tree)
	}
	common.Tree = nil
	want := seen{
		Namespaces: []string{"http://opcfoundation.org/UA/", Namespace}, Value: 1.25, SourceTime: stamp(123) / 1e6,
		Type: got.Type, Description: "gearbox vibration", Unit: "mm/s", High: 20, Translated: "ns=1;s=MILL/VIB",
		Monitored: "Good", Values: values,
	}
	if !strings.HasSuffix(got.Type, "i=11") {
		t.Errorf("data type %q", got.Type)
	}
	if !reflect.DeepEqual(common, want) {
		t.Errorf("saw  %+v\nwant %+v", common, want)
	}
	t.Logf("OpenSecureChannel %d, Publish %d", s.Counts()["OpenSecureChannel"], s.Counts()["Publish"])
	return got
}
