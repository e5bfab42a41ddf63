package conform

import (
	"bufio"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// prefix is that of the assertions' ids, in the specification and in the names of
// the tests.
const prefix = "tck-id-"

// checks are all assertions that are tested.
func checks() map[string]check {
	list := edgeChecks()
	for _, more := range []map[string]check{hostChecks(), severalChecks(), brokerChecks()} {
		for id, f := range more {
			if list[id] != nil {
				panic(id + " twice")
			}
			list[id] = f
		}
	}
	return list
}

// TestSparkplug judges an edge and a host by the assertions of Sparkplug 3.0.0, one
// subtest for each id and, in it, one for each broker:
//
//	go test -run 'TestSparkplug/tck-id-payloads-ndeath-seq' ./e2e/conform
func TestSparkplug(t *testing.T) {
	found := map[string]*evidence{}
	var wait sync.WaitGroup
	brokers := map[string]func(testing.TB) string{"embedded": startEmbedded}
	if _, ok := mosquitto(t); ok {
		brokers["mosquitto"] = startMosquitto
	}
	for name, start := range brokers {
		ev := &evidence{}
		found[name] = ev
		wait.Go(func() { live(t, start(t), ev) })
		wait.Go(func() { ev.strangers = meet(t, start(t)) })
		wait.Go(func() { ev.twins = rival(t, start(t)) })
		wait.Go(func() { ev.several = walkOn(t, start) })
		if name == "embedded" {
			wait.Go(func() { ev.aware = askBroker(t, start(t)) })
		}
	}
	wait.Wait()
	if t.Failed() {
		t.FailNow()
	}
	t.Run("judge", func(t *testing.T) { judged(t, found["embedded"]) })
	t.Run("not applicable", func(t *testing.T) {
		for _, ev := range found {
			reasons(t, ev)
		}
	})
	list := checks()
	for _, a := range assertions(t) {
		f := list[a.id]
		if f == nil {
			continue // TestAssertions has it
		}
		t.Run(prefix+a.id, func(t *testing.T) {
			for broker, ev := range found {
				if a.part == "broker" && ev.aware == nil {
					continue // the broker is not ours
				}
				t.Run(broker, func(t *testing.T) { f(t, ev) })
			}
		})
	}
}

// reasons holds what docs/sparkplug.md gives as reasons for ids that do not apply.
func reasons(t judge, ev *evidence) {
	for _, s := range slices.Concat(ev.edge, ev.second, ev.host, ev.strangers.host) {
		if s.connect != nil && s.connect.ProtocolVersion != 4 {
			t.Errorf("MQTT protocol level %d", s.connect.ProtocolVersion)
		}
		for _, x := range s.subscribed {
			if strings.Contains(x.filter, "/DCMD/") {
				t.Errorf("subscription of %s", x.filter)
			}
		}
		for _, m := range s.messages {
			if !m.up {
				continue
			}
			if m.kind == "DCMD" {
				t.Error(m)
			}
			for _, x := range m.payload.metrics {
				if x.value == 17 || x.value == 18 || x.datatype != nil && (*x.datatype == 16 || *x.datatype == 19) {
					t.Errorf("%v: a data set or a template", m)
				}
				if m.kind == "NCMD" && x.time != nil {
					t.Errorf("%v: a metric with a time", m)
				}
			}
		}
	}
}

// assertion is a line of testdata/assertions.tsv.
type assertion struct {
	id, group, part string // group: the first of its groups; part: edge, host, broker
}

func assertions(t *testing.T) (list []assertion) {
	f, err := os.Open("testdata/assertions.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		c := strings.Split(lines.Text(), "\t")
		if len(c) != 3 {
			t.Fatalf("%q", lines.Text())
		}
		if c[0] == "id" {
			continue
		}
		first, _, _ := strings.Cut(c[1], ",")
		list = append(list, assertion{c[0], first, c[2]})
	}
	return list
}

var row = regexp.MustCompile("(?m)^\\| `([a-zA-Z0-9-]+)`(?:, `[a-zA-Z0-9-]+`)* \\|.*$")

// TestAssertions holds the list of ids to the tests and to docs/sparkplug.md: each
// one is tested, or stands in the table of those that do not apply, and never both.
// The table of counts is right.
func TestAssertions(t *testing.T) {
	list := assertions(t)
	if len(list) != 299 {
		t.Errorf("%d ids, Sparkplug 3.0.0 has 299", len(list))
	}
	page, err := os.ReadFile("../../docs/sparkplug.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok := strings.Cut(string(page), "\n## Not applicable\n")
	if !ok {
		t.Fatal("docs/sparkplug.md has no section Not applicable")
	}
	text, _, _ = strings.Cut(text, "\n## ")
	excused := map[string]bool{}
	for _, m := range row.FindAllString(text, -1) {
		ids, _, _ := strings.Cut(m[2:], " |")
		for id := range strings.SplitSeq(ids, ", ") {
			if id = strings.Trim(id, "`"); excused[id] {
				t.Errorf("%s stands twice under Not applicable", id)
			}
			excused[id] = true
		}
	}
	tested := checks()
	seen := map[string]bool{}
	counts := map[string][2]int{} // by group: tested, not applicable
	for _, a := range list {
		if seen[a.id] {
			t.Errorf("%s stands twice in assertions.tsv", a.id)
		}
		seen[a.id] = true
		n := counts[a.group]
		switch {
		case tested[a.id] != nil && excused[a.id]:
			t.Errorf("%s is tested and called not applicable", a.id)
		case tested[a.id] != nil:
			n[0]++
		case excused[a.id]:
			n[1]++
		default:
			t.Errorf("%s is neither tested nor called not applicable", a.id)
		}
		counts[a.group] = n
	}
	for id := range tested {
		if !seen[id] {
			t.Errorf("%s is tested and no id of the specification", id)
		}
	}
	for id := range excused {
		if !seen[id] {
			t.Errorf("%s is called not applicable and no id of the specification", id)
		}
	}
	checkCounts(t, string(page), counts)
}

// checkCounts compares the table of groups with what is counted.
func checkCounts(t *testing.T, page string, counts map[string][2]int) {
	t.Helper()
	total := [2]int{}
	for group, n := range counts {
		total[0], total[1] = total[0]+n[0], total[1]+n[1]
		if want := fmt.Sprintf("\n| %s | %d | %d |", group, n[0], n[1]); !strings.Contains(page, want) {
			t.Errorf("docs/sparkplug.md has no line %q", want[1:])
		}
	}
	if want := fmt.Sprintf("\n| all | %d | %d |", total[0], total[1]); !strings.Contains(page, want) {
		t.Errorf("docs/sparkplug.md has no line %q", want[1:])
	}
}
