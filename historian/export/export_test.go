package export_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"millwright/historian/export"
	"millwright/historian/store/storetest"
	"millwright/plant"
)

func sha(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// The same query over the same data gives the same bytes: at once, after a
// restart, and after the store has laid its data out anew.
func TestSameBytes(t *testing.T) {
	w := mill(t)
	tags := storetest.Tags(12)
	ids := w.intern(tags...)
	mix := storetest.NewMix(ids, at(0), second/10, 4)
	for range 3 {
		var b plant.Batch
		for range 600 {
			b.Samples = mix.Next(b.Samples)
		}
		rand.New(rand.NewPCG(1, 1)).Shuffle(len(b.Samples), func(i, j int) { b.Samples[i], b.Samples[j] = b.Samples[j], b.Samples[i] })
		w.append(b)
	}
	type file struct {
		format export.Format
		shape  export.Shape
	}
	hashes := map[file]string{}
	look := func(when string) {
		for _, format := range []export.Format{export.Parquet, export.Arrow, export.CSV} {
			for _, shape := range []export.Shape{export.Long, export.Wide} {
				q := export.Query{Tags: []string{"*"}, From: at(0), To: at(500), Format: format, Shape: shape}
				text, m := w.export(q)
				got := sha([]byte(text))
				if m.File.SHA256 != got || m.File.Size != int64(len(text)) {
					t.Errorf("%s %s: %+v of %d bytes with hash %s", format, shape, m.File, len(text), got)
				}
				if before, ok := hashes[file{format, shape}]; ok && before != got {
					t.Errorf("%s: %s %s: other bytes than before", when, format, shape)
				}
				hashes[file{format, shape}] = got
			}
		}
	}
	look("first")
	look("again")
	w.close()
	w.open()
	look("after a restart")
	if err := w.st.Compact(context.Background()); err != nil {
		t.Fatal(err)
	}
	look("after compaction")

	// Globs in another order are the same query.
	a := export.Query{Tags: []string{"MIX/*", "SIM/*"}, From: at(0), To: at(9)}
	b := export.Query{Tags: []string{"SIM/*", "MIX/*", "SIM/*"}, From: at(0), To: at(9), Format: export.Parquet, Keep: export.KeepAll}
	x, _ := w.export(a)
	y, _ := w.export(b)
	if x != y {
		t.Error("the order of globs changes the file")
	}
}

func TestQuality(t *testing.T) {
	w := mill(t)
	for keep, want := range map[export.Keep]int64{export.KeepAll: 10, export.KeepUncertain: 9, export.KeepGood: 8} {
		q := span()
		q.Tags, q.Keep = []string{gearbox + "/VIB_H"}, keep
		if _, m := w.export(q); m.Rows != want {
			t.Errorf("%s: %d rows, want %d", keep, m.Rows, want)
		}
	}
}

// A query that is wrong is told all that is wrong with it.
func TestQueryFaults(t *testing.T) {
	now := time.Unix(0, at(0))
	f := func(query string, want ...string) {
		t.Helper()
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		_, err = export.Parse(values, now)
		var e *export.QueryError
		if len(want) == 0 && err == nil {
			return
		}
		if !errors.As(err, &e) {
			t.Fatalf("%s: %v", query, err)
		}
		got := e.Faults()
		if len(got) != len(want) {
			t.Errorf("%s: got %q", query, got)
			return
		}
		for i := range want {
			if !strings.HasPrefix(got[i], want[i]) {
				t.Errorf("%s: fault %d is %q, want %q", query, i, got[i], want[i])
			}
		}
	}
	f("tags=A,B/*&from=-7d&to=2026-03-01&format=arrow&shape=wide&grid=100ms&fill=mean&hold=5&quality=uncertain")
	f("asset=A")
	f("", "tags: missing; name tags")
	f("asset=A&from=2026-03-02&to=2026-03-01", "from: not before to")
	f("asset=A&from=yesterday&to=2263-01-01T00:00:00Z&colour=red", "colour: unknown parameter; allowed are tags, asset",
		`to: "2263-01-01T00:00:00Z" is out of range`, `from: "yesterday" is not a time; a time as 2026-`)
	f("tags=A,,B%00&format=xls&shape=tall&quality=bad&fill=spline",
		`tags: "" is not a path`, `tags: "B\x00" is not a path`, `format: "xls" is not allowed; parquet, csv, arrow`, `shape: "tall" is not allowed; long, wide`,
		`quality: "bad" is not allowed; good, uncertain, all`, `fill: "spline" is not allowed; step, linear, mean`, "fill: goes with shape wide only")
	f("asset=A&shape=wide&grid=0s&hold=0", `grid: "0s" is not allowed`, `hold: "0" is not allowed; 1 to 100000 steps`)
	f("asset=A&shape=wide&grid=1us", "grid: 1µs is not allowed; whole milliseconds")
	f("asset=A&shape=wide&grid=25h&hold=x", `hold: "x" is not allowed`, "grid: 25h0m0s is not allowed")
	f("asset=A&shape=wide&grid=24h&hold=1000", "hold: 1000 steps of 24h0m0s are too long; at most 366 days")
	f("asset=A&shape=wide&grid=1ms&from=2020-01-01", "grid: 1ms makes more than 2147483647 rows; choose a coarser grid")
	f("asset=A&shape=wide&grid=24h&from=1700-01-01&to=2261-01-01", "from: too long before to; a span of at most 200 years")
	f("asset=A&shape=wide&grid=24h&from=1800-01-01&to=2000-01-01")
	f("asset=A&grid=1s&hold=3", "grid: goes with shape wide only", "hold: goes with shape wide only")
	f("asset=A&asset=B", "asset: given more than once")

	w := mill(t)
	g := func(q export.Query, want string) {
		t.Helper()
		q.From, q.To = at(0), at(1)
		var out bytes.Buffer
		_, err := w.job().Write(t.Context(), q, &out)
		if err == nil || !strings.Contains(err.Error(), want) || out.Len() != 0 {
			t.Errorf("got %v and %d bytes, want %q", err, out.Len(), want)
		}
	}
	g(export.Query{Asset: "HSM/FM/F3/GBZ"}, `asset: "HSM/FM/F3/GBZ" is unknown`)
	g(export.Query{Tags: []string{"*/VIB_H", "*/VIB_X", "A?"}}, "tags: \"*/VIB_X\" matches no tag; paths such as HSM/FM/F3/GBX/VIB_H, with * and ? as wild cards\ntags: \"A?\" matches no tag")
	g(export.Query{Tags: []string{"*/VIB_H"}, Asset: "HSM/DSC"}, `tags: "*/VIB_H" matches no tag`)
}

// All of an asset are its tags without what its model says of itself, and the tags
// of others that its modes are told by.
func TestPick(t *testing.T) {
	w := mill(t)
	f := func(asset string, shape export.Shape, want ...string) {
		t.Helper()
		_, m := w.export(export.Query{Asset: asset, From: at(0), To: at(21), Shape: shape})
		var got []string
		for _, tag := range m.Tags {
			got = append(got, tag.Path)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s %s: %q", asset, shape, got)
		}
	}
	box := []string{gearbox + "/$SCORE", gearbox + "/COIL", gearbox + "/SPEED_REF", gearbox + "/VIB_H"}
	f(gearbox, export.Long, box...)
	f("HSM/FM", export.Long, box...)
	f("HSM/DSC/P1", export.Long, "HSM/DSC/P1/FLOW", gearbox+"/SPEED_REF")
	f("HSM/DSC/P1", export.Wide, "HSM/DSC/P1/FLOW")
	f("HSM", export.Wide, append([]string{"HSM/DSC/P1/FLOW"}, box...)...)
}

func TestParseTime(t *testing.T) {
	now := time.Date(2026, 3, 29, 12, 0, 0, 999_999, time.UTC)
	f := func(text, want string) {
		t.Helper()
		got, err := export.ParseTime(text, now)
		if want == "" {
			if err == nil {
				t.Errorf("%q was read", text)
			}
			return
		}
		if s := time.Unix(0, got).UTC().Format(time.RFC3339Nano); err != nil || s != want {
			t.Errorf("%q: %s, %v, want %s", text, s, err, want)
		}
	}
	f("2026-03-29T01:30:00+05:00", "2026-03-28T20:30:00Z")
	f("2026-03-29T01:30:00.1239Z", "2026-03-29T01:30:00.123Z")
	f("2026-03-29", "2026-03-29T00:00:00Z")
	f("-7d", "2026-03-22T12:00:00Z") // summer time begins in between; days have 24 h
	f("90m", "2026-03-29T10:30:00Z")
	f("-2w", "2026-03-15T12:00:00Z")
	f("-0s", "2026-03-29T12:00:00Z")
	for _, bad := range []string{"", "-", "d", "-d", "--7d", "7", "7y", "1.5h", "-99999999999w", "2026-02-30", "now"} {
		f(bad, "")
	}
}

// A file that is there stays as it is until the new one is whole, and a part is
// nowhere to be seen.
func TestWholeOrNot(t *testing.T) {
	w := mill(t)
	dir := t.TempDir()
	name := filepath.Join(dir, "x.parquet")
	if _, err := w.job().WriteFile(t.Context(), span(), name); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	job := w.job()
	job.Progress = func(export.Progress) { cancel() }
	q := span()
	q.Tags = []string{"*"}
	if _, err := job.WriteFile(ctx, q, name); !errors.Is(err, context.Canceled) {
		t.Error("cancelled:", err)
	}
	if _, err := w.job().WriteFile(t.Context(), export.Query{}, filepath.Join(dir, "y")); err == nil {
		t.Error("a query without tags was answered")
	}
	after, err := os.ReadFile(name)
	if err != nil || !bytes.Equal(before, after) {
		t.Error("the old file is gone:", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 2 {
		t.Error("left behind:", left)
	}
	if _, err := w.job().WriteFile(t.Context(), span(), filepath.Join(name, "below")); err == nil {
		t.Error("written below a file")
	}
}

// TestKilled kills processes with -9 while they export: the file's name never
// stands for a part.
func TestKilled(t *testing.T) {
	if name := os.Getenv("MILLWRIGHT_EXPORT_TO"); name != "" {
		rows := 2_000_000
		if raceEnabled {
			rows = 300_000
		}
		job := &export.Job{Source: made{rows: rows}, Version: "test"}
		if _, err := job.WriteFile(t.Context(), madeQuery, name); err != nil {
			t.Fatal(err)
		}
		return
	}
	dir := t.TempDir()
	name := filepath.Join(dir, "big.parquet")
	cut := 0
	for i := range 4 {
		cmd := exec.Command(os.Args[0], "-test.run", "^TestKilled$")
		cmd.Env = append(os.Environ(), "MILLWRIGHT_EXPORT_TO="+name)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
			if st, err := os.Stat(name + ".part"); err == nil && st.Size() > 0 {
				break
			}
		}
		time.Sleep(time.Duration(i) * 20 * time.Millisecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed
		if _, err := os.Stat(name); err == nil {
			f, err := export.Open(name)
			if err != nil {
				t.Fatal("a part stands there:", err)
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		} else {
			cut++
		}
	}
	if cut == 0 {
		t.Error("all were ready before they were killed: kill sooner")
	}
	job := &export.Job{Source: made{rows: 1000}, Version: "test"}
	if _, err := job.WriteFile(t.Context(), madeQuery, name); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 2 {
		t.Error("left behind:", left)
	}
}

// What an export allocates does not grow with its rows beyond what the file's own
// pages need.
func TestMemory(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector lets pools forget")
	}
	const rows = 5_000_000
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	job := &export.Job{Source: made{rows: rows}, Version: "test"}
	m, err := job.Write(t.Context(), madeQuery, io.Discard)
	if err != nil || m.Rows != rows {
		t.Fatal(m, err)
	}
	runtime.ReadMemStats(&after)
	n := after.TotalAlloc - before.TotalAlloc
	t.Logf("%d MB allocated in all", n>>20)
	if n > 200<<20 {
		t.Errorf("%d MB allocated for %d rows", n>>20, rows)
	}
}
