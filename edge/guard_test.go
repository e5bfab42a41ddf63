package edge

import (
	"context"
	"testing"
	"time"

	"millwright/plant"
)

// A certificate of the connection to the plant that runs out is told as a finding of
// the edge.
func TestBrokerCertificateIsTold(t *testing.T) {
	a, up := newAgent(t, &script{})
	a.Connection = func() plant.BrokerStatus {
		return plant.BrokerStatus{URL: "mqtts://plant", State: plant.BrokerLive, Certificates: []plant.CertificateStatus{
			{Who: "own", Subject: "e1", Days: 12, State: plant.CertificateExpiring},
			{Who: "server", Subject: "plant", Days: 300, State: plant.CertificateTrusted},
		}}
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { a.guard(ctx); close(done) }()
	find := func() *plant.Finding {
		up.mu.Lock()
		defer up.mu.Unlock()
		for _, r := range up.records {
			for _, f := range r.Batch.Findings {
				if f.Phase == plant.Raise {
					return &f
				}
			}
		}
		return nil
	}
	for end := time.Now().Add(30 * time.Second); find() == nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nothing was told")
		}
	}
	if f := find(); f.Asset != "edge" || f.Key != "certificate/own" || f.Kind != plant.KindCertificate || f.Value != 12 {
		t.Errorf("%+v", f)
	}
	cancel()
	<-done
}

// On a thin link a record has an eighth of what it has elsewhere.
func TestSmallRecords(t *testing.T) {
	b := plant.Batch{Samples: make([]plant.Sample, 4000), States: make([]plant.State, 100), Gaps: make([]plant.Gap, 400)}
	records := func(small bool) (n, most int) {
		g := groups{small: small}
		for _, d := range g.split(nil, b, map[plant.TagID]string{}) {
			n, most = n+1, max(most, len(d.Batch.Samples))
		}
		return n, most
	}
	if n, most := records(false); n != 4 || most != samplesPerRecord {
		t.Errorf("%d records of up to %d samples", n, most)
	}
	// 250 samples of 24 bytes are 6 KB: below 8 KiB with all that stands around them.
	if n, most := records(true); n != 16+4+3 || most != 250 {
		t.Errorf("%d small records of up to %d samples", n, most)
	}
}
