package collector

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// round is one disturbance and what came of it.
type round struct {
	server, name  string
	noticed, back time.Duration // after it began; after data could flow again, or notApplicable: does not apply
	silent        int           // values that were neither stored nor declared
}

// notApplicable stands for a time that does not apply.
const notApplicable = -time.Second

// rounds are those of one test. MILLWRIGHT_SOAK names a file to which each is
// added, so that many runs make one account.
type rounds struct {
	mu     sync.Mutex
	list   []round
	silent int // in the final account of each lane
}

func (r *rounds) add(t *testing.T, x round) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, x)
	name := os.Getenv("MILLWRIGHT_SOAK")
	if name == "" {
		return
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := fmt.Fprintln(f, time.Now().UTC().Format(time.RFC3339)+"|"+x.String()); err != nil {
		t.Fatal(err)
	}
}

func (r *rounds) reckoned(silent int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.silent += silent
}

// String is the row of the file: seconds, −1 where they do not apply.
func (x round) String() string {
	return fmt.Sprintf("%s|%s|%.3f|%.3f|%d", x.server, x.name, x.noticed.Seconds(), x.back.Seconds(), x.silent)
}

func parseRound(line string) (round, bool) {
	f := strings.Split(line, "|")
	if len(f) != 6 {
		return round{}, false
	}
	seconds := func(s string) time.Duration {
		v, _ := strconv.ParseFloat(s, 64)
		return time.Duration(v * float64(time.Second))
	}
	n, err := strconv.Atoi(f[5])
	return round{server: f[1], name: f[2], noticed: seconds(f[3]), back: seconds(f[4]), silent: n}, err == nil
}

// tell logs what the rounds came to.
func (r *rounds) tell(t *testing.T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	done, silent, noticed, back := sum(r.list)
	t.Logf("disturbances %d, followed by silent gaps %d, values missing in the end %d, noticed p95 %v, back p95 %v", done, silent, r.silent, noticed, back)
}

// sum counts rounds, and those of them that values were silently missing after.
func sum(list []round) (done, silent int, noticed, back time.Duration) {
	var n, b []time.Duration
	for _, x := range list {
		if x.noticed >= 0 {
			n = append(n, x.noticed)
		}
		if x.back >= 0 {
			b = append(b, x.back)
		}
		if x.silent > 0 {
			silent++
		}
	}
	return len(list), silent, p95(n), p95(b)
}

// TestFigureDisturbances prints what all rounds in the file of MILLWRIGHT_SOAK
// came to.
func TestFigureDisturbances(t *testing.T) {
	name := os.Getenv("MILLWRIGHT_SOAK")
	if name == "" {
		t.Skip("the account of make soak-collector")
	}
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var all []round
	kinds := map[string]int{}
	for line := range strings.Lines(string(raw)) {
		if x, ok := parseRound(strings.TrimSpace(line)); ok {
			all = append(all, x)
			kinds[x.server+": "+x.name]++
		}
	}
	for _, k := range slices.Sorted(maps.Keys(kinds)) {
		fmt.Printf("%4d  %s\n", kinds[k], k)
	}
	done, silent, noticed, back := sum(all)
	figure("detect_s", noticed.Seconds(), "s")
	figure("recover_s", back.Seconds(), "s")
	figure("silent_gaps", float64(silent), fmt.Sprintf("of %d disturbances", done))
	if silent > 0 {
		t.Errorf("%d silent gaps", silent)
	}
}

func p95(d []time.Duration) time.Duration {
	if len(d) == 0 {
		return 0
	}
	d = slices.Sorted(slices.Values(d))
	return d[(len(d)*95+99)/100-1].Round(time.Millisecond)
}
