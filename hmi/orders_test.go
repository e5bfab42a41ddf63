package hmi

import (
	"context"
	"strings"
	"testing"

	"millwright/plant"
)

// orderBook is where orders lie for the edges, in memory.
type orderBook struct {
	given []plant.Order
}

func (b *orderBook) Orders(context.Context) ([]plant.Order, error) { return b.given, nil }

func (b *orderBook) Give(_ context.Context, o plant.Order) error {
	o.Number, o.At = int64(len(b.given)+5), epoch
	b.given = append(b.given, o)
	return nil
}

// follows is an edge that takes orders, and has looked at those up to done.
func follows(done int64, refused ...plant.OrderRefusal) plant.EdgeStatus {
	return plant.EdgeStatus{Name: "demo", State: "live", PLCs: []plant.PLCStatus{{Name: "plc1",
		Quarantined:  []plant.QuarantinedTag{{Tag: "HSM/T"}},
		Certificates: []plant.CertificateStatus{{Who: "server", State: plant.CertificateRejected, Fingerprint: strings.Repeat("AB:", 31) + "AB"}}}}, Orders: &plant.OrderStatus{Done: done, Refused: refused}}
}

func TestOrders(t *testing.T) {
	s := run(t, nil)
	s.works.edges = []plant.EdgeStatus{follows(0)}
	print := strings.Repeat("ab", 32)
	s.is(s.get("orders"), `{"orders":[]}`)
	trust := `{"edge":"demo","plc":"plc1","trust":"` + print + `","reason":"compared on site"}`
	s.is(s.send("POST", "orders", trust), `{"orders":[{"number":5,"at":"2026-11-22T00:05:00.000Z","who":"demo","reason":"compared on site",
		"edge":"demo","plc":"plc1","trust":"`+print+`","tag":null,"as":null,"state":"waiting","why":null}]}`)
	if a := s.send("POST", "orders", `{"edge":"demo","plc":"plc1","tag":"HSM/T","as":"rescaled","reason":"bar now"}`); a.status != 200 {
		t.Fatal(a.status, a.body)
	}
	s.works.edges = []plant.EdgeStatus{follows(6, plant.OrderRefusal{Number: 6, Why: "the tag is not in quarantine"})}
	s.is(s.get("orders"), `{"orders":[{"number":6,"at":"2026-11-22T00:05:00.000Z","who":"demo","reason":"bar now",
		"edge":"demo","plc":"plc1","trust":null,"tag":"HSM/T","as":"rescaled","state":"refused","why":"the tag is not in quarantine"},
		{"number":5,"at":"2026-11-22T00:05:00.000Z","who":"demo","reason":"compared on site",
		"edge":"demo","plc":"plc1","trust":"`+print+`","tag":null,"as":null,"state":"done","why":null}]}`)

	s.refused(s.send("POST", "orders", strings.Replace(trust, "compared on site", "", 1)), 400, "reason: missing")
	s.refused(s.send("POST", "orders", strings.Replace(trust, print, "abcd", 1)), 400, "order: the fingerprint of a certificate has 64 hex digits")
	s.refused(s.send("POST", "orders", `{"edge":"demo","plc":"plc1","tag":"HSM/T","as":"write","reason":"x"}`), 400, "order: release \"write\", allowed are same, rescaled and new")
	s.refused(s.send("POST", "orders", `{"edge":"demo","plc":"plc1","reason":"x"}`), 400, "order: want a certificate to trust or a tag to release")
	s.refused(s.send("POST", "orders", `{"edge":"demo","plc":"plc1","write":1}`), 400, `body: unknown field "write"`)
	s.refused(s.send("POST", "orders", strings.Replace(trust, "abab", "cdcd", 1)), 409, "the PLC plc1 shows no certificate of this fingerprint")
	s.refused(s.send("POST", "orders", `{"edge":"demo","plc":"plc1","tag":"HSM/U","as":"same","reason":"x"}`), 409, "the tag HSM/U is not in quarantine")
	s.refused(s.send("POST", "orders", strings.Replace(trust, `"plc1"`, `"plc9"`, 1)), 404, `no edge "demo" with a PLC "plc9"`)
	s.refused(s.send("POST", "orders", strings.Replace(trust, `"demo"`, `"gone"`, 1)), 404, `no edge "gone"`)
	s.works.edges[0].Orders = nil
	s.refused(s.send("POST", "orders", trust), 409, "the edge demo takes no orders from here")
}
