package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// mayImport says which parts of the house a part may use, besides its own
// subpackages. A new folder needs a line here.
var mayImport = map[string][]string{
	"plant":            {"firmware-configs"}, // the profiles of PLCs, the classes of assets
	"sparkplug":        {"plant"},
	"models":           {"plant"},
	"collector":        {"plant"},
	"simulator":        {"plant", "firmware-configs"},
	"edge":             {"plant", "collector", "models", "sparkplug"},
	"historian":        {"plant", "sparkplug", "models/bundle"},
	"hmi":              {"plant"},
	"firmware-configs": {},
	"e2e":              {"plant", "simulator"}, // tests only
}

// users says which packages may import an outside module. A module that is not
// here is not a dependency of the product.
var users = map[string][]string{
	"github.com/BurntSushi/toml":                  {"plant/config"},
	"github.com/alecthomas/kong":                  {""},
	"github.com/apache/arrow-go/v18":              {"historian/export"},
	"github.com/cockroachdb/pebble/v2":            {"edge/queue", "historian/store"},
	"github.com/coder/websocket":                  {"hmi"},
	"github.com/eclipse/paho.mqtt.golang":         {"sparkplug/dial"},
	"github.com/evanw/esbuild":                    {"hmi/web/build"},
	"github.com/gopcua/opcua":                     {"collector", "simulator/server"},
	"github.com/influxdata/influxdb-client-go/v2": {"historian/store/influx"},
	"github.com/nats-io/nats-server/v2":           {"historian/broker"},
	"github.com/parquet-go/parquet-go":            {"historian/export"},
	"github.com/prometheus/client_golang":         {""},
	"github.com/theupdateframework/go-tuf/v2":     {"models/bundle"},
	"github.com/sigstore/sigstore":                {"models/bundle"}, // the keys of go-tuf
	"github.com/wneessen/go-mail":                 {"historian/notify/channel"},
	"gonum.org/v1/gonum":                          {"models/detect", "models/autoencoder"},
	"gorgonia.org/gorgonia":                       {"models/train"},
	"gorgonia.org/tensor":                         {"models/train"},
	"modernc.org/sqlite":                          {"plant/sqlite"},
}

type goPackage struct {
	ImportPath string
	Imports    []string
}

// TestImports holds the arrows of ARCHITECTURE.md. Run it with -count=1: it
// looks at packages that the test cache does not see.
func TestImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	const module = "millwright"
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		part, _, _ := strings.Cut(name, "/")
		may, known := mayImport[part]
		if !known && part != "" {
			t.Errorf("%s: a new part of the house needs a line in mayImport", name)
		}
		for _, imp := range p.Imports {
			if imp == module {
				t.Errorf("%s must not import main: main only wires", name)
				continue
			}
			if inner, ok := strings.CutPrefix(imp, module+"/"); ok {
				to, _, _ := strings.Cut(inner, "/")
				if part != "" && to != part && !slices.Contains(may, to) && !slices.Contains(may, inner) {
					t.Errorf("%s must not import %s", name, inner)
				}
				continue
			}
			if first, _, _ := strings.Cut(imp, "/"); !strings.Contains(first, ".") || strings.HasPrefix(imp, "golang.org/x/") {
				continue // the standard library and its x repositories
			}
			allowed := false
			for mod, who := range users {
				if imp == mod || strings.HasPrefix(imp, mod+"/") {
					allowed = slices.Contains(who, name)
				}
			}
			if !allowed {
				t.Errorf("%s must not import %s: see the table of users in imports_test.go", name, imp)
			}
		}
	}
}
