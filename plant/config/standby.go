package config

import "slices"

const mostStandby = 3 // servers beside the first

// standby reads what is kept ready beside the server of url.
func (p *PLC) standby(t *table) {
	p.Standby = t.texts("standby")
	for i, u := range p.Standby {
		if err := checkURL(u, "opc.tcp"); err != nil {
			t.fault("standby", "%v", err)
		} else if u == p.URL || slices.Contains(p.Standby[:i], u) {
			t.fault("standby", "names %s twice, allowed are other servers than that of url", u)
		}
	}
	if n := len(p.Standby); n > mostStandby {
		t.fault("standby", "names %d servers, allowed are at most %d", n, mostStandby)
	}
	p.StandbyMode = t.oneOf("standby_mode", "", "cold", "warm", "hot")
	if p.StandbyMode != "" && len(p.Standby) == 0 {
		t.fault("standby_mode", "is of no use without standby")
	}
}

// urls are the servers of a PLC.
func (p *PLC) urls() []string { return append([]string{p.URL}, p.Standby...) }
