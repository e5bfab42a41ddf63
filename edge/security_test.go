package edge

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"millwright/plant"
)

// TestSecurityIsTold: certificates that run out and exceptions become findings,
// end as such, and urgent ones are not forgotten by an acknowledgement.
func TestSecurityIsTold(t *testing.T) {
	var s security
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	cert := func(who string, days int) plant.CertificateStatus {
		state := plant.CertificateTrusted
		switch {
		case days < 0:
			state = plant.CertificateExpired
		case days <= 30:
			state = plant.CertificateExpiring
		}
		return plant.CertificateStatus{Who: who, Days: days, State: state}
	}
	f := func(after time.Duration, p plant.PLCStatus, want ...string) {
		t.Helper()
		now = now.Add(after)
		var got []string
		key, last := "", int64(0)
		for _, x := range s.judge("e/plc", p, now) {
			if x.Asset != "e/plc" || x.Class != plant.SystemFault || x.Detector == "" || x.Title() == x.Kind {
				t.Errorf("%+v", x)
			}
			if key == x.Key && x.Time <= last {
				t.Error("a raise at the time of the clear before it is none")
			}
			key, last = x.Key, x.Time
			got = append(got, fmt.Sprintf("%s %s %d", x.Key, x.Phase, x.Priority))
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	with := func(c ...plant.CertificateStatus) plant.PLCStatus { return plant.PLCStatus{Certificates: c} }
	f(0, plant.PLCStatus{})
	f(0, with(cert("own", 31), cert("server", 30)),
		"certificate/own clear 3", "certificate/user clear 3", "certificate/server raise 3", "certificate/issuer clear 3", "certificate/list clear 3", "exception clear 3")
	f(time.Minute, with(cert("own", 31), cert("server", 30)))
	f(25*time.Hour, with(cert("own", 30), cert("server", 29)), "certificate/own raise 3")
	f(0, with(cert("own", 30), cert("own", 7)), "certificate/own clear 2", "certificate/own raise 2", "certificate/server clear 3")
	f(time.Hour, with(cert("own", 7)))
	f(24*time.Hour, with(cert("own", 6)), "certificate/own clear 2", "certificate/own raise 2")
	f(0, with(cert("own", -1)))
	f(0, plant.PLCStatus{}) // not connected: nothing is known
	f(0, with(cert("own", 900)), "certificate/own clear 3")
	x := plant.PLCStatus{Exception: "None"}
	f(0, x, "exception raise 3")
	f(25*time.Hour, x)
	x.ExceptionOver = true
	f(0, x, "exception clear 2", "exception raise 2")
	f(time.Hour, x)
	f(24*time.Hour, x, "exception clear 2", "exception raise 2")

	s = security{} // the edge was started again
	f(0, x, "certificate/own clear 3", "certificate/user clear 3", "certificate/server clear 3", "certificate/issuer clear 3", "certificate/list clear 3",
		"exception clear 2", "exception raise 2")
}
