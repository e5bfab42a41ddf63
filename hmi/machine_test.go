package hmi

import "testing"

// What the asset file says reaches the page; what nobody has said is told from zero.
func TestMachine(t *testing.T) {
	s := run(t, nil)
	s.is(s.get("machine?asset="+gearbox), `{"path":"HSM/FM/F3/GBX","number":"20-G-3",
		"nameplate":{"maker":"Flender","model":"","serial":"","power_kw":7000,"speed_min":null,"speed_max":null,"support":"rigid","group":1,
			"redundancy":"","lubricant":"ISO VG 320","origin":{"source":"nameplate","author":"A. Khan","date":"2026-03-31"}},
		"bearings":[{"position":"DE","designation":"","rollers":null,"orders":{"bpfo":3.585,"bpfi":5.415,"bsf":2.357,"ftf":0.398},"origin":{"source":"","author":"","date":""}},
			{"position":"NDE","designation":"","rollers":null,"orders":null,"origin":{"source":"unknown","author":"","date":""}}],
		"gears":[{"stage":"1","pinion":23,"wheel":71,"origin":{"source":"","author":"","date":""}}],
		"limits":[{"tag":"HSM/FM/F3/GBX/VIB_H","kind":"high","value":7.1,"unit":"mm/s","priority":2,"modes":["rolling"],"basis":"ISO 20816-3","origin":{"source":"","author":"","date":""}}],
		"sensors":[{"tag":"HSM/FM/F3/GBX/VIB_H","mounting":"stud","direction":"H","calibrated":"2026-03-31"}],
		"spares":[{"part":"pinion","number":"","stock":0,"lead_days":200,"place":""},{"part":"seal","number":"M-7","stock":null,"lead_days":null,"place":""}],
		"drawings":[{"title":"section","number":"","link":"http://drawings.plant/4711.pdf"}]}`)
	s.is(s.get("machine?asset=BOF/FAN"), `{"path":"BOF/FAN","number":"","nameplate":null,"bearings":[],"gears":[],"limits":[],"sensors":[],"spares":[],"drawings":[]}`)
	if a := s.get("machine?asset=BOF"); a.status != 404 {
		t.Errorf("%d %s", a.status, a.body)
	}
}
