package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestException(t *testing.T) {
	file := filepath.Join(t.TempDir(), "edge.toml")
	err := os.WriteFile(file, []byte(`
[[plc]]
name = "old"
url = "opc.tcp://192.168.10.20:4840"
discover = true
[plc.exception]
approver = "M. Weber"
until = 2027-06-30
reason = "it knows no other"
[[plc]]
name = "here"
url = "opc.tcp://127.0.0.1:4840"
discover = true
[[plc]]
name = "signed"
url = "opc.tcp://192.168.10.21:4840"
discover = true
security_policy = "Basic256Sha256"
security_mode = "Sign"
[plc.exception]
approver = "M. Weber"
until = 2027-06-30
reason = "its processor is too slow"
[edge]
name = "e1"
broker = "mqtt://127.0.0.1:1883"
`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	c, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	x := c.PLCs[0].Exception
	if x == nil || c.PLCs[1].Exception != nil {
		t.Fatalf("%+v", c.PLCs)
	}
	if x.Over(time.Date(2027, 6, 30, 23, 0, 0, 0, time.Local)) || !x.Over(time.Date(2027, 7, 1, 0, 0, 0, 0, time.Local)) {
		t.Error(x.Until)
	}
	if text := c.PLCs[2].Exception.Text(&c.PLCs[2]); !strings.Contains(text, "Basic256Sha256 and security mode Sign") {
		t.Error(text)
	}
	text := x.Text(&c.PLCs[0])
	for _, part := range []string{"opc.tcp://192.168.10.20:4840", "None", "M. Weber", "2027-06-30", "it knows no other"} {
		if !strings.Contains(text, part) {
			t.Errorf("%q lacks %q", text, part)
		}
	}
}
