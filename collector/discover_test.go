package collector

import (
	"strings"
	"testing"
	"time"

	"millwright/plant"
)

func TestDiscover(t *testing.T) {
	t.Parallel()
	srv := newNodeServer(t, map[string]any{"nodes": 230, "run": true, "text": []int{3}})
	tags, err := Discover(t.Context(), srv.url(), Security{}, "")
	if err != nil {
		t.Fatal(err)
	}
	byPath := map[string]plant.Tag{}
	for _, x := range tags {
		byPath[x.Path] = x
	}
	if len(tags) != 231 || len(byPath) != len(tags) {
		t.Errorf("%d tags, %d paths", len(tags), len(byPath))
	}
	want := []plant.Tag{
		{Path: "Mill/T7", Asset: "Mill", Node: "nsu=urn:test:mill;s=T7", Unit: "°C", Description: "test tag 7", Kind: plant.Analog, High: 107},
		{Path: "Mill/T3", Asset: "Mill", Node: "nsu=urn:test:mill;s=T3", Description: "test tag 3", Kind: plant.Text},
		{Path: "Mill/Count", Asset: "Mill", Node: "nsu=urn:test:mill;s=Count", Kind: plant.Discrete},
	}
	for _, w := range want {
		if got := byPath[w.Path]; got != w {
			t.Errorf("got  %+v\nwant %+v", got, w)
		}
	}
	if _, ok := byPath["Mill/Array"]; ok {
		t.Error("an array became a tag")
	}
	if _, err := Discover(t.Context(), srv.url(), Security{}, "nsu=urn:nobody;s=x"); err == nil || !strings.Contains(err.Error(), "urn:nobody") {
		t.Errorf("a root that is not there: %v", err)
	}
	if _, err := Discover(t.Context(), "opc.tcp://127.0.0.1:1", Security{}, ""); err == nil {
		t.Error("discovered a server that is not there")
	}
}

func TestProbe(t *testing.T) {
	t.Parallel()
	pki, srv := trustedPair(t, map[string]any{"nodes": 1, "run": true, "perCall": 123, "users": map[string]string{"op": "secret"}})
	secure := Security{Policy: "Basic256Sha256", PKI: pki, User: "op", Password: "secret"}
	r, err := Probe(t.Context(), srv.url(), secure)
	if err != nil || r.Trusted == nil || r.Chosen < 0 || len(r.Endpoints) != 3 || len(r.Endpoints[r.Chosen].Fingerprint) != 95 {
		t.Fatalf("%+v, %v", r, err)
	}
	if err := Trust(pki, r.Endpoints[r.Chosen].Fingerprint, "test"); err != nil {
		t.Fatal(err)
	}
	r, err = Probe(t.Context(), srv.url(), secure)
	if err != nil || r.Trusted != nil || r.Login != nil || r.MaxMonitoredItemsPerCall != 123 || r.ClockOffset.Abs() > time.Second ||
		r.RoundTrip <= 0 || len(r.Namespaces) < 3 {
		t.Errorf("%+v, %v", r, err)
	}
	secure.Password = "wrong"
	if r, err = Probe(t.Context(), srv.url(), secure); err != nil || r.Login == nil {
		t.Errorf("wrong password: %+v, %v", r, err)
	}
	r, err = Probe(t.Context(), srv.url(), Security{})
	if err != nil || r.Login != nil || r.Endpoints[r.Chosen].Policy != "None" {
		t.Errorf("unsecured: %+v, %v", r, err)
	}
	if _, err = Probe(t.Context(), "opc.tcp://127.0.0.1:1", Security{}); err == nil {
		t.Error("probed a server that is not there")
	}
}
