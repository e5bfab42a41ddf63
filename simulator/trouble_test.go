package simulator

import (
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"millwright/plant"
	"millwright/simulator/server"
)

func TestParseTrouble(t *testing.T) {
	for text, want := range map[string]Trouble{
		"restart@10m":        {"restart", 10 * time.Minute, 5 * time.Second},
		"nan@0s":             {"nan", 0, time.Minute},
		"renumber@1h30m+20s": {"renumber", 90 * time.Minute, 20 * time.Second},
	} {
		got, err := ParseTrouble(text)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
		if again, err := ParseTrouble(got.String()); err != nil || again != got {
			t.Errorf("%s reads as %+v, %v", got, again, err)
		}
	}
	for text, want := range map[string]string{
		"restart":          "has no @OFFSET",
		"flood@1s":         `there is no trouble "flood", allowed are restart, renumber, limits,`,
		"restart@-1s":      `offset "-1s"`,
		"restart@1s+0s":    `duration "0s"`,
		"restart@1s+later": `duration "later"`,
	} {
		if _, err := ParseTrouble(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func FuzzParseTrouble(f *testing.F) {
	f.Add("restart@10m+5s")
	f.Add("nan@")
	f.Fuzz(func(t *testing.T, text string) {
		if got, err := ParseTrouble(text); err == nil {
			if again, err := ParseTrouble(got.String()); err != nil || again != got {
				t.Errorf("%s reads as %+v, %v", got, again, err)
			}
		}
	})
}

// All troubles begin and end, overlapping, and leave a server as it was before.
func TestDisturber(t *testing.T) {
	srv := &server.Server{Log: slog.New(slog.DiscardHandler)}
	for i := range 30 {
		srv.Variables = append(srv.Variables, server.Variable{Path: string(rune('A' + i)), Kind: plant.Analog})
	}
	if err := srv.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	url := srv.URL()
	var list []Trouble
	for i, k := range Troubles() {
		list = append(list, Trouble{k.Name, time.Duration(i) * time.Second, 3500 * time.Millisecond})
	}
	d := newDisturber(srv, list, slog.New(slog.DiscardHandler))
	at := func(now time.Duration) {
		t.Helper()
		if err := d.at(t.Context(), now); err != nil {
			t.Fatal(err)
		}
		srv.Write([]server.Value{{Var: 9, Time: 1, Number: 1}})
	}
	at(0)
	if err := srv.Reopen(t.Context(), nil); err != nil {
		t.Errorf("restart leaves the server open: %v", err)
	}
	at(time.Second)
	if !slices.Equal(srv.Namespaces, []string{"urn:millwright:other"}) {
		t.Errorf("renumbered: %v", srv.Namespaces)
	}
	at(2 * time.Second)
	if srv.Limits.MaxNodesPerRead != fewerCalls {
		t.Errorf("limits: %+v", srv.Limits)
	}
	at(4 * time.Second)
	if srv.Variables[9].Type != server.String || srv.Variables[8].Type != server.Default {
		t.Errorf("retyped: %v, %v", srv.Variables[9].Type, srv.Variables[8].Type)
	}
	for now := 5 * time.Second; now < 20*time.Second; now += time.Second {
		at(now)
	}
	if len(srv.Namespaces) > 0 || srv.Limits != (server.Limits{}) || srv.Variables[9].Type != server.Default || srv.URL() != url {
		t.Errorf("afterwards: %v, %+v, %v at %s", srv.Namespaces, srv.Limits, srv.Variables[9].Type, srv.URL())
	}
	for _, p := range d.plan {
		if !p.over {
			t.Errorf("%s is not over", p.Trouble)
		}
	}
}
