package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	_ "time/tzdata"
)

func TestNotify(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "plant.toml")
	put("plant.toml", `
[historian]
broker = "mqtt://127.0.0.1:1883"

[notify]
public_url = "http://plant.works.local:8080/"
zone = "Asia/Karachi"

[notify.mail]
server = "smtp://mail.works.local:587"
from = "Millwright <millwright@works.example>"
user = "millwright"
password_file = "mail.password"
ca = "ca.pem"

[notify.sms]
spool = "sms"
replies = true

[notify.ntfy]
url = "https://ntfy.works.local"
token_file = "ntfy.token"

[[notify.webhook]]
name = "cmms"
url = "https://cmms.works.local/hook"
secret_file = "cmms.secret"

[[notify.webhook]]
name = "chat"
url = "http://chat.works.local"
`, 0o600)
	put("mail.password", "pass word\n", 0o600)
	put("ntfy.token", "tk_1", 0o640)
	put("cmms.secret", "s3cret\r\n", 0o600)
	put("ca.pem", "read when it is needed", 0o644)
	c, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	n := c.Notify
	if n.Zone.String() != "Asia/Karachi" {
		t.Error(n.Zone)
	}
	n.Zone = nil
	want := &Notify{
		PublicURL: "http://plant.works.local:8080",
		Mail: &Mail{Server: "smtp://mail.works.local:587", From: "Millwright <millwright@works.example>", User: "millwright", Password: "pass word",
			CA: filepath.Join(dir, "ca.pem"), StartTLS: "require"},
		SMS:  &SMS{Spool: filepath.Join(dir, "sms"), Replies: true},
		Ntfy: &Ntfy{URL: "https://ntfy.works.local", Token: "tk_1"},
		Webhooks: []Webhook{
			{Name: "cmms", URL: "https://cmms.works.local/hook", Secret: "s3cret"},
			{Name: "chat", URL: "http://chat.works.local"},
		},
	}
	if !reflect.DeepEqual(n, want) {
		t.Errorf("%+v\nwant\n%+v", n, want)
	}

	// A secret that everybody can read is none.
	if err := os.Chmod(filepath.Join(dir, "cmms.secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = Load(file)
	if err == nil || !strings.Contains(err.Error(), "plant.toml:27: notify.webhook[0].secret_file: "+filepath.Join(dir, "cmms.secret")+" can be read by everybody") {
		t.Error(err)
	}
	if strings.Contains(err.Error(), "s3cret") {
		t.Error("the fault tells the secret")
	}
}
