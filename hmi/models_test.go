package hmi

import (
	"strings"
	"testing"

	"millwright/plant"
)

func TestModels(t *testing.T) {
	s := run(t, nil)
	s.is(s.get("models"), `{"ready":false,"assets":[],"bundles":[],"history":[]}`)
	s.shelf().rollout = fullRollout()
	s.is(s.get("models"), `{"ready":true,"assets":[
		{"asset":"HSM/FM/F3/GBX","name":"F3 gearbox","edge":"demo","wanted":"GBX-1","shadow":"GBX-2","previous":"learned",
		 "status":{"asset":"HSM/FM/F3/GBX","running":"GBX-1","shadow":"GBX-2","fallback":"nan","refused":null,"since":"2026-11-22T00:05:00.000Z"},
		 "drift":{"psi":0.12,"rows":5000,"state":"watch"},
		 "compare":{"from":"2026-11-22T00:05:00.000Z","to":"2026-11-22T00:05:01.000Z","both":3,"only_active":1,"only_shadow":2,"per_week":0.7}},
		{"asset":"NEW/X","name":null,"edge":"demo","wanted":"learned","shadow":null,"previous":null,"status":null,"drift":null,"compare":null}],
		"bundles":[{"id":"GBX-1","version":1,"kind":"autoencoder","asset":"HSM/FM/F3/GBX","class":"gearbox","tags":["HSM/FM/F3/GBX/VIB_H"],"modes":["rolling"],"window":60,
		 "from":"2026-11-22T00:05:00.000Z","to":"2026-11-22T00:05:01.000Z","rows":10,"hash":"ab","author":"anna","created":"2026-11-22T00:05:00.000Z","size":5,"sha256":"cd","budget":1,
		 "metrics":{"found":0.9,"lead_h":null}}],
		"history":[{"at":"2026-11-22T00:05:00.000Z","who":"anna","action":"push","bundle":"GBX-1","assets":[],"reason":null}]}`)
	s.is(s.get("models/GBX-1/report"), `{"id":"GBX-1","markdown":"# Report\n"}`)
	s.refused(s.get("models/GBX-9/report"), 404, "bundle GBX-9: there is none")

	for _, c := range [][2]string{{"shadow", `{"id":"","assets":["HSM/FM/F3/GBX"],"reason":"enough seen"}`}, {"promote", `{"id":"learned","assets":["HSM/FM/F3/GBX"],"reason":"enough seen"}`},
		{"rollback", `{"assets":["HSM/FM/F3/GBX"],"reason":"enough seen"}`}} {
		a := s.send("POST", "models/"+c[0], c[1])
		if a.status != 200 || !strings.Contains(a.body, `"history":[{"at":"2026-11-22T00:05:00.000Z","who":"demo","action":"`+c[0]+`"`) || !strings.Contains(a.body, `"reason":"enough seen"`) {
			t.Errorf("%s: %d %s", c[0], a.status, a.body)
		}
		s.refused(s.send("POST", "models/"+c[0], `{"id":"x","assets":[],"reason":"r"}`), 400, "assets: 0 of them; paths of 1 to 1000 assets")
		s.refused(s.send("POST", "models/"+c[0], `{"id":"x","assets":["a"]}`), 400, "reason: missing")
		s.refused(s.send("POST", "models/"+c[0], `{"id":"x","assets":["a"],"reason":"`+strings.Repeat("x", 1001)+`"}`), 400, "reason: 1001 characters")
		s.refused(s.send("POST", "models/"+c[0], `{"id":"x","assets":["a"`+strings.Repeat(`,"a"`, 1000)+`],"reason":"r"}`), 400, "assets: 1001 of them")
		s.refused(s.send("POST", "models/"+c[0], `{"force":true}`), 400, `body: unknown field "force"`)
	}
	s.refused(s.send("POST", "models/promote", `{"assets":["a"],"reason":"r"}`), 400, "id: missing; a bundle's id, or "+plant.LearnedModel)
	s.refused(s.send("POST", "models/rollback", `{"id":"x","assets":["a"],"reason":"r"}`), 400, "id: not of a roll-back")
	s.refused(s.send("POST", "models/promote", `{"id":"x","assets":["BOF/FAN"],"reason":"r"}`), 409, "promote: the bundle does not fit the asset")
}

// TestModelFiles holds that edges fetch without login, and only fetch.
func TestModelFiles(t *testing.T) {
	s := guarded(t)
	if a := s.ask("GET", "/tuf/metadata/root.json", ""); a.status != 200 || a.body != `{"signed":{}}` {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := s.ask("HEAD", "/tuf/metadata/root.json", ""); a.status != 200 || a.body != "" {
		t.Errorf("HEAD: %d %s", a.status, a.body)
	}
	if a := s.ask("GET", "/tuf/metadata/9.root.json", ""); a.status != 404 {
		t.Errorf("a file that is not there: %d", a.status)
	}
	for _, method := range []string{"POST", "PUT", "DELETE"} {
		if a := s.ask(method, "/tuf/metadata/root.json", ""); a.status != 405 || a.header.Get("Allow") != "GET" {
			t.Errorf("%s: %d %s", method, a.status, a.header.Get("Allow"))
		}
	}
}
