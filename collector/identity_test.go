package collector

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"millwright/plant"
)

// variable of a PLC program, as testdata/program_server.mjs takes it. Its values
// are base … base+99, so that one of another variable is seen.
type programVariable struct {
	Tag   int      `json:"tag"` // whose it is in the log
	ID    string   `json:"id"`
	At    []string `json:"at"`
	Name  string   `json:"name"`
	Type  string   `json:"type,omitempty"`
	Unit  string   `json:"unit,omitempty"`
	Low   float64  `json:"low,omitempty"`
	High  float64  `json:"high,omitempty"`
	Base  float64  `json:"base"`
	Text  string   `json:"text,omitempty"`
	Still bool     `json:"still,omitempty"`
}

const programSize = 6

// program is a small one: two machines with the same quantities.
func program(form string) []programVariable {
	var list []programVariable
	for i := range programSize {
		at, name := []string{"F3", "GBX"}, fmt.Sprintf("V%d", i)
		if i >= programSize/2 {
			at, name = []string{"F4", "GBX"}, fmt.Sprintf("V%d", i-programSize/2)
		}
		list = append(list, programVariable{Tag: i + 1, ID: fmt.Sprintf(form, 50001+i), At: at, Name: name, Unit: "C", High: 200, Base: float64(1000 * (i + 1))})
	}
	return list
}

func programTags(list []programVariable) []plant.Tag {
	tags := make([]plant.Tag, len(list))
	for i, v := range list {
		tags[i] = plant.Tag{ID: plant.TagID(v.Tag), Path: fmt.Sprintf("A/T%d", v.Tag), Node: "nsu=urn:test:mill;" + v.ID}
	}
	return tags
}

func newProgramServer(t testing.TB, list []programVariable, set map[string]any) *foreign {
	t.Helper()
	if set == nil {
		set = map[string]any{}
	}
	set["modules"], set["program"] = modules(t), list
	if set["spaces"] == nil {
		set["spaces"] = []string{"urn:test:mill"}
	}
	return newForeign(t, []string{"node", "testdata/program_server.mjs"}, set)
}

func (s *foreign) command(word string, arg any) {
	s.t.Helper()
	j, err := json.Marshal(arg)
	if err != nil {
		s.t.Fatal(err)
	}
	s.say(word + " " + string(j))
}

// strangersIn lists samples that are of another variable than their tag's.
func (s *store) strangersIn(list []programVariable) (wrong []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, f := range s.facts {
		for _, v := range list {
			if plant.TagID(v.Tag) == k.tag && !(f.value >= v.Base && f.value < v.Base+100) {
				wrong = append(wrong, fmt.Sprintf("tag %d: %v", k.tag, f.value))
			}
		}
	}
	return wrong
}

// since counts the values of a tag after a moment.
func (s *store) since(tag plant.TagID, at time.Time) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range s.facts {
		if k.tag == tag && k.ms > at.UnixMilli() {
			n++
		}
	}
	return n
}

// knows waits until the source has looked at all its tags.
func knows(t testing.TB, s *Source, n int) {
	t.Helper()
	knowsWithin(t, 20*time.Second, s, n)
}

func names(list []plant.QuarantinedTag) string {
	var b []string
	for _, q := range list {
		b = append(b, q.Tag+" "+strings.Join(q.What, "+"))
	}
	return strings.Join(b, ", ")
}

// TestProgramDownload: a program with other node ids, of which old ones now belong
// to other variables. Each tag is found again at its browse path, and no value of
// another variable is ever taken.
func TestProgramDownload(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		set     map[string]any
		restart bool
	}{
		{name: "restart", restart: true},
		{name: "running"},
		{name: "forward browse", set: map[string]any{"noTranslate": true}, restart: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			list := program("i=%d")
			srv := newProgramServer(t, list, c.set)
			s := &Source{Name: "PLC", URL: srv.url(), Tags: programTags(list), StateFile: filepath.Join(t.TempDir(), "plc")}
			out := newStore(s)
			start(t, s, out)
			eventually(t, 20*time.Second, "live", live(s))
			knows(t, s, programSize)

			next := program("i=%d")
			for i := range next {
				// Every number is another variable's now, and two are new.
				next[i].ID = fmt.Sprintf("i=%d", 50001+(i+2))
			}
			if c.restart {
				srv.kill()
				srv.set["program"], srv.set["tick"] = next, 50
				srv.start()
			} else {
				srv.command("load", next)
			}
			at := time.Now()
			took := eventually(t, 40*time.Second, "all tags have values again", func() bool {
				for i := range list {
					if out.since(plant.TagID(i+1), at) == 0 {
						return false
					}
				}
				return true
			})
			t.Logf("values of all tags %v after the download", took)
			time.Sleep(time.Second)
			if wrong := out.strangersIn(list); len(wrong) > 0 {
				t.Errorf("values of other variables: %v", wrong[:min(5, len(wrong))])
			}
			if st := s.Status(); len(st.Quarantined) > 0 || len(st.Rejected) > 0 {
				t.Errorf("quarantined %+v, rejected %v", st.Quarantined, st.Rejected)
			}
			srv.kill()
			eventually(t, 10*time.Second, "down", func() bool { return s.Status().State != plant.Live })
			t.Logf("gaps %v", out.gapReasons())
			a := out.reckon(t, arrivedOf(offeredBy(t, srv.logFile()), out))
			a.check(t)
		})
	}
}

// arrivedOf leaves out what was offered after the last stored value of each tag: the
// server was ended before it came.
func arrivedOf(offered map[key]fact, s *store) map[key]fact {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := map[plant.TagID]int64{}
	for k := range s.facts {
		last[k.tag] = max(last[k.tag], k.ms)
	}
	for k := range offered {
		if k.ms > last[k.tag] {
			delete(offered, k)
		}
	}
	return offered
}

// TestNamespaceOrder: a server started anew with its namespaces in another order.
func TestNamespaceOrder(t *testing.T) {
	t.Parallel()
	list := program("i=%d")
	srv := newProgramServer(t, list, map[string]any{"spaces": []string{"urn:test:mill", "urn:test:a", "urn:test:b"}})
	s := &Source{Name: "PLC", URL: srv.url(), Tags: programTags(list), StateFile: filepath.Join(t.TempDir(), "plc")}
	out := newStore(s)
	start(t, s, out)
	eventually(t, 20*time.Second, "live", live(s))
	knows(t, s, programSize)
	srv.kill()
	srv.set["spaces"], srv.set["tick"] = []string{"urn:test:b", "urn:test:a", "urn:test:mill"}, 50
	srv.start()
	fresh := out.mark()
	eventually(t, 20*time.Second, "all tags have values again", func() bool { return fresh() == programSize })
	time.Sleep(time.Second)
	srv.kill()
	if wrong := out.strangersIn(list); len(wrong) > 0 {
		t.Errorf("values of other variables: %v", wrong)
	}
	if st := s.Status(); len(st.Quarantined) > 0 {
		t.Errorf("quarantined: %v", st.Quarantined)
	}
	out.reckon(t, arrivedOf(offeredBy(t, srv.logFile()), out)).check(t)
}

// TestQuarantine: what a node measures changes with a new program. Nothing of it
// is taken, also not after a restart of the edge, until an engineer has said what
// it is.
func TestQuarantine(t *testing.T) {
	t.Parallel()
	list := program("s=V%d")
	srv := newProgramServer(t, list, nil)
	file := filepath.Join(t.TempDir(), "plc")
	s := &Source{Name: "PLC", URL: srv.url(), Tags: programTags(list), StateFile: file}
	out := newStore(s)
	stop := start(t, s, out)
	eventually(t, 20*time.Second, "live", live(s))
	knows(t, s, programSize)

	next := program("s=V%d")
	next[0].Unit, next[0].Base = "bar", 91000
	next[1].High, next[1].Base = 400, 92000
	next[2].Type, next[2].Base = "Int32", 93000
	next[3].At, next[3].Base = []string{"Elsewhere"}, 94000
	next[4].Text = "another description"
	srv.kill()
	srv.set["program"], srv.set["tick"] = next, 50
	srv.start()
	const want = "A/T1 unit, A/T2 range, A/T3 type, A/T4 path"
	eventually(t, 20*time.Second, "quarantine", func() bool { return names(s.Status().Quarantined) == want })
	time.Sleep(time.Second)
	for i, is := range []string{"Double, °C, 0 to 200 → Double, bar, 0 to 200", "Double, °C, 0 to 200 → Double, °C, 0 to 400", "Double, °C, 0 to 200 → Int32, °C, 0 to 200",
		"Double, °C, 0 to 200 at nsu=urn:test:mill;F4/GBX/V0 → Double, °C, 0 to 200 at nsu=urn:test:mill;Elsewhere/V0"} {
		if q := s.Status().Quarantined[i]; q.Was+" → "+q.Is != is {
			t.Errorf("%s: %s → %s", q.Tag, q.Was, q.Is)
		}
	}

	// A process after this one knows.
	stop()
	again := &Source{Name: "PLC", URL: srv.url(), Tags: s.Tags, StateFile: file}
	out.source, out.writes = again, 0
	start(t, again, out)
	if got := names(mustQuarantined(t, file)); got != want {
		t.Errorf("in the file: %s", got)
	}
	eventually(t, 20*time.Second, "live", live(again))
	fresh := out.mark()
	eventually(t, 10*time.Second, "the others have values", func() bool { return fresh() == programSize-4 })
	time.Sleep(time.Second)
	if got := names(again.Status().Quarantined); got != want {
		t.Errorf("after a restart: %s", got)
	}
	if wrong := out.strangersIn(list); len(wrong) > 0 {
		t.Fatalf("values from quarantine: %v", wrong)
	}
	if r := out.gapReasons(); r[plant.GapQuarantined] < 4 {
		t.Errorf("gaps %v", r)
	}

	// The engineer.
	for _, bad := range []error{again.Release("A/T1", "worse", "eva"), again.Release("A/T5", plant.ReleaseSame, "eva"),
		again.Release("A/T9", plant.ReleaseSame, "eva"), again.Release("A/T1", plant.ReleaseSame, "")} {
		if bad == nil {
			t.Error("a wrong release is taken")
		}
	}
	for tag, as := range map[string]plant.Release{"A/T1": plant.ReleaseRescaled, "A/T2": plant.ReleaseSame, "A/T3": plant.ReleaseNew, "A/T4": plant.ReleaseSame} {
		if err := again.Release(tag, as, "eva"); err != nil {
			t.Error(err)
		}
	}
	fresh = out.mark()
	eventually(t, 10*time.Second, "all have values", func() bool { return fresh() == programSize })
	if got := names(again.Status().Quarantined); got != "" {
		t.Errorf("after the release: %s", got)
	}
	r := out.gapReasons()
	if r[plant.GapRescaled] != 1 || r[plant.GapReplaced] != 1 {
		t.Errorf("gaps %v", r)
	}
	if wrong := out.strangersIn(next[:4]); len(wrong) == 0 {
		t.Error("the test sees nothing")
	}
	srv.kill()
	out.reckon(t, arrivedOf(offeredBy(t, srv.logFile()), out)).check(t)
}

func mustQuarantined(t *testing.T, stateFile string) []plant.QuarantinedTag {
	t.Helper()
	list, err := quarantinedIn(stateFile + identitySuffix)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestRangeChangesWhileLive: the server marks the value with SemanticsChanged, and
// that one is not taken already. When the range is as before, so is the tag.
func TestRangeChangesWhileLive(t *testing.T) {
	t.Parallel()
	list := program("s=V%d")
	srv := newProgramServer(t, list, nil)
	s := &Source{Name: "PLC", URL: srv.url(), Tags: programTags(list)}
	out := newStore(s)
	start(t, s, out)
	eventually(t, 20*time.Second, "live", live(s))
	knows(t, s, programSize)
	srv.command("range", map[string]any{"tag": 2, "low": 0, "high": 20})
	at := time.Now()
	eventually(t, 10*time.Second, "quarantine", func() bool { return names(s.Status().Quarantined) == "A/T2 range" })
	t.Logf("in quarantine after %v", time.Since(at))
	time.Sleep(500 * time.Millisecond)
	if n := out.since(2, at); n > 0 {
		t.Errorf("%d values after the change", n)
	}
	srv.command("range", map[string]any{"tag": 2, "low": 0, "high": 200})
	eventually(t, 10*time.Second, "as before", func() bool { return len(s.Status().Quarantined) == 0 })
	fresh := out.mark()
	eventually(t, 10*time.Second, "values", func() bool { return fresh() == programSize })
	srv.kill()
	out.reckon(t, arrivedOf(offeredBy(t, srv.logFile()), out)).check(t)
}

// TestBrowseColumn: a tag list with browse paths finds nodes whose ids are wrong
// from the first start on.
func TestBrowseColumn(t *testing.T) {
	t.Parallel()
	list := program("i=%d")
	srv := newProgramServer(t, list, nil)
	tags := programTags(list)
	for i, v := range list {
		tags[i].Browse = "nsu=urn:test:mill;" + strings.Join(v.At, "/") + "/" + v.Name
	}
	tags[0].Node = "nsu=urn:test:mill;s=Gone"        // unknown
	tags[1].Node = "nsu=urn:test:mill;i=50005"       // another's
	tags[2].Browse = "nsu=urn:test:mill;F3/GBX/Gone" // no such place
	tags[3].Node, tags[3].Browse = "nsu=urn:nobody;i=1", "nsu=urn:nobody;F3/GBX"
	s := &Source{Name: "PLC", URL: srv.url(), Tags: tags}
	out := newStore(s)
	start(t, s, out)
	fresh := out.mark()
	eventually(t, 30*time.Second, "values", func() bool { return fresh() == programSize-2 })
	eventually(t, 20*time.Second, "quarantine", func() bool { return names(s.Status().Quarantined) == "A/T3 path" })
	eventually(t, 20*time.Second, "the refused one is named", func() bool {
		return slices.ContainsFunc(s.Status().Rejected, func(r string) bool {
			return strings.HasPrefix(r, "A/T4: ") && strings.Contains(r, "nothing is at its browse path nsu=urn:nobody;F3/GBX either")
		})
	})
	if wrong := out.strangersIn(list); len(wrong) > 0 {
		t.Errorf("values of other variables: %v", wrong)
	}
}

// TestProgramDownloadAsyncua does both to another server at once: all numbers are
// handed out afresh, and one node measures something else.
func TestProgramDownloadAsyncua(t *testing.T) {
	t.Parallel()
	list := program("i=%d")
	srv := newPython(t, "testdata/program_server.py", map[string]any{"program": list, "spaces": []string{"urn:test:a", "urn:test:mill"}})
	s := &Source{Name: "PLC", URL: srv.url(), Tags: programTags(list), StateFile: filepath.Join(t.TempDir(), "plc")}
	out := newStore(s)
	start(t, s, out)
	eventually(t, 20*time.Second, "live", live(s))
	knows(t, s, programSize)

	next := program("i=%d")
	for i := range next {
		next[i].ID = fmt.Sprintf("i=%d", 50001+(i+2))
	}
	next[5].High, next[5].Base = 50, 96000
	srv.kill()
	srv.set["program"], srv.set["tick"], srv.set["spaces"] = next, 50, []string{"urn:test:mill", "urn:test:b", "urn:test:a"}
	srv.start()
	fresh := out.mark()
	eventually(t, 30*time.Second, "all but one have values", func() bool { return fresh() == programSize-1 })
	time.Sleep(time.Second)
	if got := names(s.Status().Quarantined); got != "A/T6 range" {
		t.Errorf("quarantine: %s", got)
	}
	if wrong := out.strangersIn(list); len(wrong) > 0 {
		t.Errorf("values of other variables: %v", wrong)
	}
	if err := s.Release("A/T6", plant.ReleaseRescaled, "eva"); err != nil {
		t.Error(err)
	}
	fresh = out.mark()
	eventually(t, 10*time.Second, "all have values", func() bool { return fresh() == programSize })
	srv.kill()
	out.reckon(t, arrivedOf(offeredBy(t, srv.logFile()), out)).check(t)
}
