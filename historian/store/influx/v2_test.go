package influx_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"millwright/historian/store/influx"
	"millwright/historian/store/influx/influxtest"
	"millwright/plant"
)

// A 2.x server is known by its bucket interface, has its database made by nobody
// and deletes by a request of its own. The rest is what 1.8 is asked too.
func testV2(t *testing.T, server *influxtest.Server) {
	dir := t.TempDir()
	server.Query(t, "", `CREATE DATABASE "`+database(dir)+`"`)
	p := newProxy(t, server.URL)
	type deletion struct{ Start, Stop, Predicate, Org, Bucket string }
	var got []deletion
	made := false
	p.make(func(w http.ResponseWriter, r *http.Request, forward http.Handler) {
		switch r.URL.Path {
		case "/api/v2/buckets":
			_, _ = w.Write([]byte(`{"buckets":[]}`))
		case "/api/v2/delete":
			d := deletion{Org: r.URL.Query().Get("org"), Bucket: r.URL.Query().Get("bucket")}
			if err := json.NewDecoder(r.Body).Decode(&d); err != nil {
				t.Error(err)
			}
			if !strings.HasPrefix(r.Header.Get("Authorization"), "Token ") {
				t.Error("a deletion without the token")
			}
			got = append(got, d)
			w.WriteHeader(http.StatusNoContent)
		case "/query":
			made = true
		default:
			forward.ServeHTTP(w, r)
		}
	})
	s := open(t, p.URL, dir, func(c *influx.Config) { c.Org, c.Token = "works", "abc==" })
	defer s.Close()
	id := intern(t, s, plant.Tag{Path: `A"\b`})[0]
	appendAll(t, s, plant.Batch{Samples: []plant.Sample{{Tag: id, Time: base, Value: 1}}})
	if err := s.Delete(context.Background(), plant.Range{Tag: id, From: base - second, To: base + second}); err != nil {
		t.Fatal(err)
	}
	at := func(ns int64) string { return time.Unix(0, ns).UTC().Format(time.RFC3339Nano) }
	want := deletion{at(base - second), at(base + second - 1), `_measurement="sensor" AND point="A\"\\b"`, "works", database(dir) + "/autogen"}
	text := want
	text.Predicate = `_measurement="sensor_str" AND point="A\"\\b"`
	if !slices.Equal(got, []deletion{want, text}) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if made {
		t.Error("a 2.x server was asked in InfluxQL")
	}
}

func testTLS(t *testing.T, server *influxtest.Server) {
	p := newProxy(t, server.URL)
	secure := httptest.NewTLSServer(p.Config.Handler)
	defer secure.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, secure.URL, t.TempDir(), func(c *influx.Config) { c.CA = ca })
	id := intern(t, s, plant.Tag{Path: "A"})[0]
	appendAll(t, s, plant.Batch{Samples: []plant.Sample{{Tag: id, Time: base, Value: 1}}})
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := influx.Open(config(t, secure.URL, t.TempDir(), nil)); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an unknown authority: %v", err)
	}
}
