package edge

import (
	"context"
	"time"

	"millwright/plant"
)

const (
	certificateDays = 30 // before its end a certificate is told
	certificateLate = 7  // and is told as urgent
	sayAgain        = 24 * time.Hour
)

// security is what was told about the protection of one PLC's connection.
type security struct {
	known bool // whether anything was told since the start; what a Run before this one told may still be open
	told  map[string]told
}

type told struct {
	priority int
	at       time.Time
}

// judge gives the findings about certificates that run out, and about an
// exception from security. What is urgent is raised anew at every start and every
// day: an acknowledgement must not end the matter.
func (s *security) judge(asset string, p plant.PLCStatus, now time.Time) []plant.Finding {
	if len(p.Certificates) == 0 && p.Exception == "" {
		return nil // not connected yet, or nothing to protect
	}
	if s.told == nil {
		s.told = map[string]told{}
	}
	open := map[string]plant.Finding{}
	for _, c := range p.Certificates {
		if c.State != plant.CertificateExpiring && c.State != plant.CertificateExpired {
			continue
		}
		f := plant.Finding{Key: "certificate/" + c.Who, Kind: plant.KindCertificate, Priority: 3, Value: float64(c.Days), Limit: certificateDays, Unit: "d"}
		if c.Days <= certificateLate {
			f.Priority = 2
		}
		if other, ok := open[f.Key]; !ok || f.Value < other.Value {
			open[f.Key] = f
		}
	}
	if p.Exception != "" {
		f := plant.Finding{Key: "exception", Kind: plant.KindException, Priority: 3}
		if p.ExceptionOver {
			f.Priority = 2
		}
		open[f.Key] = f
	}
	var out []plant.Finding
	tell := func(f plant.Finding, phase plant.Phase, at time.Time) {
		f.Asset, f.Class, f.Phase, f.Detector, f.Time = asset, plant.SystemFault, phase, "edge", plant.Millis(at.UnixNano())
		out = append(out, f)
	}
	for _, key := range []string{"certificate/own", "certificate/user", "certificate/server", "certificate/issuer", "certificate/list", "exception"} {
		f, is := open[key]
		was, before := s.told[key]
		if !is {
			if before || !s.known {
				tell(plant.Finding{Key: key, Kind: kindOf(key), Priority: 3}, plant.Clear, now)
				delete(s.told, key)
			}
			continue
		}
		again := f.Priority == 2 && (!before || was.priority != 2 || now.Sub(was.at) >= sayAgain)
		if again {
			tell(f, plant.Clear, now.Add(-time.Millisecond)) // a raise must come after it
		}
		if again || !before || was.priority != f.Priority {
			tell(f, plant.Raise, now)
			s.told[key] = told{f.Priority, now}
		}
	}
	s.known = true
	return out
}

func kindOf(key string) string {
	if key == "exception" {
		return plant.KindException
	}
	return plant.KindCertificate
}

// guardEvery is how often the certificates of the connection to the plant are
// judged.
const guardEvery = 10 * time.Second

// guard tells of certificates of the connection to the plant that run out, as is
// done for those of the PLCs.
func (a *Agent) guard(ctx context.Context) {
	var s security
	tick := time.NewTicker(guardEvery)
	defer tick.Stop()
	for {
		for _, f := range s.judge(a.Name, plant.PLCStatus{Certificates: a.Connection().Certificates}, time.Now()) {
			a.Tell(f)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
