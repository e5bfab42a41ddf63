package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestInflux(t *testing.T) {
	dir := t.TempDir()
	secret := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	secret("token", "abc==\n")
	secret("password", "hidden\n")
	secret("blank", "two words\n")
	load := func(text string) (*Config, error) {
		file := filepath.Join(dir, "plant.toml")
		if err := os.WriteFile(file, []byte("[broker]\n[historian]\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
		return Load(file)
	}
	good := func(text string, want *Influx) {
		t.Helper()
		c, err := load(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			return
		}
		h := c.Historian
		if (want == nil) != (h.Influx == nil) || want != nil && *h.Influx != *want || (h.Store == StoreInflux) != (want != nil) {
			t.Errorf("%s: store %s, %+v, want %+v", text, h.Store, h.Influx, want)
		}
	}
	good("", nil)
	good("store = \"pebble\"", nil)
	good("store = \"influx\"\n[historian.influx]\nurl = \"http://127.0.0.1:8086\"",
		&Influx{URL: "http://127.0.0.1:8086", Database: "plant_raw/autogen", Timeout: 30 * time.Second})
	good("store = \"influx\"\n[historian.influx]\nurl = \"https://influx.works.local:8086\"\ndatabase = \"mill\"\norg = \"works\"\ntoken_file = \"token\"\ntimeout = \"5s\"",
		&Influx{URL: "https://influx.works.local:8086", Database: "mill", Org: "works", Token: "abc==", Timeout: 5 * time.Second})
	good("store = \"influx\"\n[historian.influx]\nurl = \"http://10.0.0.9:8086\"\nuser = \"mill\"\npassword_file = \"password\"",
		&Influx{URL: "http://10.0.0.9:8086", Database: "plant_raw/autogen", Token: "mill:hidden", Timeout: 30 * time.Second})

	bad := func(text string, want ...string) {
		t.Helper()
		_, err := load(text)
		if err == nil {
			t.Errorf("%s: accepted", text)
			return
		}
		if lines := strings.Count(err.Error(), "\n") + 1; lines != len(want) {
			t.Errorf("%s: %d faults, want %d:\n%v", text, lines, len(want), err)
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %q is not in %v", text, w, err)
			}
		}
	}
	const influx = "store = \"influx\"\n[historian.influx]\nurl = \"http://127.0.0.1:8086\"\n"
	bad("store = \"postgres\"", "allowed are pebble, influx")
	bad("store = \"influx\"", "no [historian.influx]")
	bad("store = \"influx\"\ninflux = 3", "historian.influx")
	bad("[historian.influx]\nurl = \"http://127.0.0.1:8086\"", "of no use without")
	bad("store = \"influx\"\n[historian.influx]", "for example url")
	bad("store = \"influx\"\n[historian.influx]\nurl = \"tcp://127.0.0.1:8086\"", "historian.influx.url")
	bad(influx+"database = \"\"", "is empty")
	bad(influx+"user = \"mill\"", "needs the file of its password")
	bad(influx+"user = \"mill\"\npassword_file = \"password\"\ntoken_file = \"token\"", "one of them")
	bad(influx+"user = \"mi:ll\"\npassword_file = \"password\"", "a colon")
	bad(influx+"user = \"mill\"\npassword_file = \"blank\"", "a blank")
	bad(influx+"token_file = \"nowhere\"\nca = \"nowhere\"", "token_file", "historian.influx.ca")
	bad(influx+"timeout = \"1ms\"\nbucket = \"x\"", "timeout", "unknown key")
}
