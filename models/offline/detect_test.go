package offline

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// lab makes recordings of a small machine whose column "b, wide" is off from
// row fault on, and reads results back.
type lab struct {
	*testing.T
	dir string
}

func newLab(t *testing.T) lab { return lab{t, t.TempDir()} }

func (l lab) path(name string) string { return filepath.Join(l.dir, name) }

func (l lab) write(name, text string) string {
	l.Helper()
	if err := os.WriteFile(l.path(name), []byte(text), 0o644); err != nil {
		l.Fatal(err)
	}
	return l.path(name)
}

// machine is the recording's text; label is the content of the label column, or
// nil for none.
func machine(rows, fault int, label func(int) string) string {
	var b strings.Builder
	b.WriteString(`time,a,"b, wide",c,d`)
	if label != nil {
		b.WriteString(",Anomaly")
	}
	b.WriteString("\n")
	rng := rand.New(rand.NewPCG(5, 6))
	load := 0.0
	for i := range rows {
		load += 0.3 * (rng.NormFloat64() - load)
		x := [4]float64{}
		for j := range x {
			x[j] = 10 + load + 0.5*rng.NormFloat64()
		}
		if i >= fault && i < fault+150 {
			x[1] += 3
		}
		fmt.Fprintf(&b, "2024-05-01 %02d:%02d:%02d", 10+i/3600, i/60%60, i%60)
		for j, v := range x {
			if i%71 == 5 && j == 2 {
				b.WriteString(",")
				continue
			}
			fmt.Fprintf(&b, ",%.4f", v)
		}
		if label != nil {
			b.WriteString("," + label(i))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func (l lab) detect(o Options) []byte {
	l.Helper()
	o.Log = quiet()
	if o.Out == "" {
		o.Out = l.path("out.csv")
	}
	if err := Detect(context.Background(), o); err != nil {
		l.Fatal(err)
	}
	b, err := os.ReadFile(o.Out)
	if err != nil {
		l.Fatal(err)
	}
	return b
}

func (l lab) rows(b []byte) [][]string {
	l.Helper()
	all, err := csv.NewReader(strings.NewReader(string(b))).ReadAll()
	if err != nil {
		l.Fatal(err)
	}
	if got := strings.Join(all[0], ","); got != "timestamp,score,alarm,changepoint,top" {
		l.Fatalf("header %q", got)
	}
	return all[1:]
}

func TestDetect(t *testing.T) {
	l := newLab(t)
	in := l.write("in.csv", machine(1000, 600, nil))
	rows := l.rows(l.detect(Options{In: in, TrainRows: 400, Report: l.path("rep.json")}))
	if len(rows) != 1000 {
		t.Fatalf("%d rows, want 1000", len(rows))
	}
	first, changes, before := -1, 0, "0"
	for i, r := range rows {
		if want := fmt.Sprintf("2024-05-01 %02d:%02d:%02d", 10+i/3600, i/60%60, i%60); r[0] != want {
			t.Fatalf("row %d: stamp %q, want %q", i, r[0], want)
		}
		scored := i >= 400+19
		if (r[1] != "") != scored || (r[4] != "") != scored {
			t.Fatalf("row %d: score %q, top %q", i, r[1], r[4])
		}
		if scored {
			if s, err := strconv.ParseFloat(r[1], 64); err != nil || s < 0 || s > 1 {
				t.Fatalf("row %d: score %q", i, r[1])
			}
			if n := strings.Count(r[4], ";"); n > 2 {
				t.Fatalf("row %d: top %q", i, r[4])
			}
		}
		if want := map[bool]string{true: "1", false: "0"}[r[2] != before]; r[3] != want {
			t.Fatalf("row %d: changepoint %q", i, r[3])
		}
		if r[3] == "1" {
			changes++
		}
		if r[2] == "1" && first < 0 {
			first = i
		}
		before = r[2]
	}
	if first < 600 || first > 640 || changes != 2 {
		t.Errorf("alarm from row %d, %d changes; the fault begins at 600", first, changes)
	}
	if top := rows[first][4]; !strings.HasPrefix(top, "b, wide=") {
		t.Errorf("top %q", top)
	}
	var rep Report
	b, err := os.ReadFile(l.path("rep.json"))
	if err == nil {
		err = json.Unmarshal(b, &rep)
	}
	if err != nil || rep.Rows != 1000 || rep.TrainRows != 400 || rep.Alarms != 1 || len(rep.Tags) != 4 || !rep.Extrapolated || rep.Limit <= 0 {
		t.Errorf("report %+v, %v", rep, err)
	}
}

func TestOutputDoesNotDependOnTheFuture(t *testing.T) {
	l := newLab(t)
	text := machine(900, 600, nil)
	all := string(l.detect(Options{In: l.write("all.csv", text), TrainRows: 300}))
	lines := strings.SplitAfter(text, "\n")
	for _, n := range []int{300, 301, 355, 620, 650, 899} {
		part := string(l.detect(Options{In: l.write("part.csv", strings.Join(lines[:n+1], "")), TrainRows: 300}))
		if !strings.HasPrefix(all, part) {
			t.Errorf("the first %d rows give another output alone", n)
		}
	}
}

func TestLabelsAreNeverSeen(t *testing.T) {
	l := newLab(t)
	o := Options{TrainRows: 300}
	o.In = l.write("none.csv", machine(800, 500, nil))
	want := string(l.detect(o))
	rng := rand.New(rand.NewPCG(9, 9))
	for i, label := range []func(int) string{
		func(i int) string { return map[bool]string{true: "1", false: "0"}[i >= 500] },
		func(int) string { return strconv.Itoa(rng.IntN(2)) },
		func(int) string { return "" },
	} {
		o.In = l.write("labelled.csv", machine(800, 500, label))
		if string(l.detect(o)) != want {
			t.Errorf("label %d: another output", i)
		}
	}
	if string(l.detect(o)) != want {
		t.Error("a second run gives another output")
	}
}

func TestTrainFileInOtherColumnOrder(t *testing.T) {
	l := newLab(t)
	text := machine(900, 600, nil)
	lines := strings.SplitAfter(strings.TrimSpace(text), "\n")
	train := strings.Join(lines[:401], "")
	rest := lines[0] + strings.Join(lines[401:], "")
	var turned strings.Builder
	r := csv.NewReader(strings.NewReader(train))
	w := csv.NewWriter(&turned)
	for {
		rec, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write([]string{rec[0], rec[4], rec[2], rec[1], rec[3]}); err != nil {
			t.Fatal(err)
		}
	}
	w.Flush()
	want := l.rows(l.detect(Options{In: l.write("all.csv", text), TrainRows: 400}))[400:]
	got := l.rows(l.detect(Options{In: l.write("rest.csv", rest), Train: l.write("turned.csv", turned.String())}))
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Error("training in another file gives another result than in the same one")
	}
}

func TestRefusedInputLeavesNothing(t *testing.T) {
	l := newLab(t)
	good := machine(400, 300, nil)
	f := func(want string, o Options, isUsage bool) {
		t.Helper()
		o.Log = quiet()
		if o.Out == "" {
			o.Out = l.path("none.csv")
		}
		err := Detect(context.Background(), o)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(strings.TrimSpace(err.Error()), "\n") {
			t.Errorf("error %v, want one line with %q", err, want)
		}
		var u *UsageError
		if errors.As(err, &u) != isUsage {
			t.Errorf("%v: usage error %v", err, !isUsage)
		}
		if left, _ := filepath.Glob(l.path("*none.csv*")); len(left) > 0 {
			t.Errorf("%q left behind by: %v", left, err)
		}
	}
	in := l.write("in.csv", good)
	f("--in and --out", Options{TrainRows: 300}, true)
	f("exactly one", Options{In: in}, true)
	f("exactly one", Options{In: in, TrainRows: 300, Train: in}, true)
	f("at least 120", Options{In: in, TrainRows: 20}, true)
	f("written over", Options{In: in, TrainRows: 300, Out: in}, true)
	f("budget", Options{In: in, TrainRows: 300, Budget: -1}, true)
	f("no such file", Options{In: l.path("absent.csv"), TrainRows: 300}, false)
	f("fewer than --train-rows 500", Options{In: in, TrainRows: 500}, false)
	f("no such column", Options{In: in, TrainRows: 300, Ignore: []string{"zz"}}, false)
	f("empty", Options{In: l.write("empty.csv", ""), TrainRows: 300}, false)
	f("backwards", Options{In: l.write("back.csv", good+"2024-05-01 09:00:00,1,2,3,4\n"), TrainRows: 300}, false)
	f("ragged.csv:402", Options{In: l.write("ragged.csv", good+"2024-05-01 11:00:00,1,2\n"), TrainRows: 300}, false)
	f(`column "d" is not numeric`, Options{In: l.write("text.csv", good+"2024-05-01 11:00:00,1,2,3,on\n"), TrainRows: 300}, false)
	f("is missing", Options{In: in, Train: l.write("less.csv", strings.ReplaceAll(good, `"b, wide"`, "other"))}, false)
	flat := "t,a\n" + strings.Repeat("5,1\n", 300)
	f("no tag moved", Options{In: l.write("flat.csv", flat), TrainRows: 200}, false)
	f("none", Options{In: in, TrainRows: 300, Out: l.path("no/such/folder/none.csv")}, false)
}

func TestIgnoredColumns(t *testing.T) {
	l := newLab(t)
	text := strings.ReplaceAll(machine(700, 400, nil), "\n", ",on\n")
	text = strings.Replace(text, "time,a,\"b, wide\",c,d,on", "time,a,\"b, wide\",c,d,state", 1)
	rows := l.rows(l.detect(Options{In: l.write("in.csv", text), TrainRows: 300, Ignore: []string{"state", "d"}}))
	for _, r := range rows {
		if strings.Contains(r[4], "d=") && !strings.Contains(r[4], "wide=") {
			t.Fatalf("an ignored column contributes: %q", r[4])
		}
	}
}

func TestEmptyRowsKeepTheirPlace(t *testing.T) {
	l := newLab(t)
	lines := strings.SplitAfter(machine(700, 600, nil), "\n")
	for _, i := range []int{50, 350, 351, 500} {
		stamp, _, _ := strings.Cut(lines[i], ",")
		lines[i] = stamp + ",,NaN,null,\n"
	}
	rows := l.rows(l.detect(Options{In: l.write("in.csv", strings.Join(lines, "")), TrainRows: 300}))
	if len(rows) != 700 {
		t.Fatalf("%d rows, want 700", len(rows))
	}
}

// TestMemoryDoesNotGrowWithTheFile compares the live heap at the end of a short
// and of a long file.
func TestMemoryDoesNotGrowWithTheFile(t *testing.T) {
	l := newLab(t)
	use := func(rows int) uint64 {
		in := l.write("in.csv", machine(rows, rows, nil))
		var top uint64
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		base := m.HeapAlloc
		r := &watcher{at: func() {
			runtime.GC()
			runtime.ReadMemStats(&m)
			if m.HeapAlloc > base {
				top = max(top, m.HeapAlloc-base)
			}
		}}
		if err := Detect(r, Options{In: in, TrainRows: 300, Out: l.path("out.csv"), Log: quiet()}); err != nil {
			t.Fatal(err)
		}
		return top
	}
	short, long := use(2_000), use(30_000)
	if long > short+1<<20 {
		t.Errorf("live heap %d kB at 2,000 rows, %d kB at 30,000", short>>10, long>>10)
	}
}

// watcher is a context that looks around each time it is asked for its error.
type watcher struct {
	context.Context
	at func()
}

func (w *watcher) Err() error { w.at(); return nil }

func TestCancelledRunLeavesNothing(t *testing.T) {
	l := newLab(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := Detect(ctx, Options{In: l.write("in.csv", machine(500, 400, nil)), TrainRows: 300, Out: l.path("none.csv"), Log: quiet()})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if left, _ := filepath.Glob(l.path("*none*")); len(left) > 0 {
		t.Errorf("%q left behind", left)
	}
}
