package main

import (
	"io"
	"log/slog"
	"os"
	"reflect"
	"strings"
	"testing"

	"millwright/collector"
	"millwright/plant"
	"millwright/plant/config"
	"millwright/simulator/server"
)

// TestFoundBefore: after a night without power an edge may be up before its PLC. With
// discover = true it goes on with the tags that it found when the PLC was there.
func TestFoundBefore(t *testing.T) {
	t.Parallel()
	srv := &server.Server{Log: slog.New(slog.DiscardHandler), Variables: []server.Variable{
		{Path: "A/M/T", Unit: "°C", Low: -20, High: 150, Description: "Bearing, \"drive\" end"},
		{Path: "A/M/RUN", Kind: plant.Discrete}, {Path: "A/M/COIL", Kind: plant.Text},
	}}
	if err := srv.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	dir, log := t.TempDir(), slog.New(slog.NewTextHandler(io.Discard, nil))
	p := &config.PLC{Name: "hsm", Discover: true}
	at := func(url string) *collector.Discovery {
		return &collector.Discovery{URL: url, Security: collector.Security{Policy: "None", Mode: "None"}}
	}
	const nobody = "opc.tcp://127.0.0.1:1"
	if _, err := find(t.Context(), at(nobody), p, dir, log); err == nil || !strings.Contains(err.Error(), "plc hsm: ") {
		t.Errorf("never found: %v", err)
	}
	there, err := find(t.Context(), at(srv.URL()), p, dir, log)
	if err != nil || len(there) != 3 {
		t.Fatalf("%+v %v", there, err)
	}
	away, err := find(t.Context(), at(nobody), p, dir, log)
	if err != nil || !reflect.DeepEqual(away, there) {
		t.Errorf("%v\nthere %+v\naway  %+v", err, there, away)
	}
	if err := os.WriteFile(foundFile(dir, "hsm"), []byte("path,nod"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := find(t.Context(), at(nobody), p, dir, log); err == nil || !strings.Contains(err.Error(), "hsm.found.csv") {
		t.Errorf("damaged: %v", err)
	}
	if again, err := find(t.Context(), at(srv.URL()), p, dir, log); err != nil || len(again) != 3 {
		t.Errorf("%+v %v", again, err)
	}
}
