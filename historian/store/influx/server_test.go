package influx_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"millwright/historian/store"
	"millwright/historian/store/influx"
	"millwright/historian/store/influx/influxtest"
	"millwright/plant"
)

var base = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixNano()

const second = int64(time.Second)

func intern(t testing.TB, s *influx.Store, tags ...plant.Tag) []plant.TagID {
	t.Helper()
	if err := s.Intern(tags); err != nil {
		t.Fatal(err)
	}
	ids := make([]plant.TagID, len(tags))
	for i := range tags {
		ids[i] = tags[i].ID
	}
	return ids
}

func appendAll(t testing.TB, s *influx.Store, b plant.Batch, marks ...store.Mark) {
	t.Helper()
	if err := s.Append(context.Background(), b, marks); err != nil {
		t.Fatal(err)
	}
}

// scan reads what is there from an hour before base on.
func scan(t testing.TB, s *influx.Store, id plant.TagID) (out []plant.Sample) {
	t.Helper()
	for b, err := range s.Scan(context.Background(), plant.Range{Tag: id, From: base - 3600*second, To: math.MaxInt64}) {
		if err != nil {
			t.Fatal(err)
		}
		for i := range b.Times {
			out = append(out, plant.Sample{Tag: id, Time: b.Times[i], Value: b.Values[i], Quality: b.Quality[i]})
		}
	}
	return out
}

// What stands in the database is what docs/influx.md shows to those who read it
// with other programs.
func testSchema(t *testing.T, server *influxtest.Server) {
	dir := t.TempDir()
	s := open(t, server.URL, dir, nil)
	defer s.Close()
	ids := intern(t, s,
		plant.Tag{Path: "HSM/FM/F3/GBX/VIB_H", Asset: "HSM/FM/F3/GBX", Unit: "mm/s"},
		plant.Tag{Path: "HSM/FM/F3/GBX/$MODE", Asset: "HSM/FM/F3/GBX", Kind: plant.Text})
	appendAll(t, s, plant.Batch{
		Samples: []plant.Sample{
			{Tag: ids[0], Time: base, Value: 1.5}, {Tag: ids[0], Time: base + second, Value: 2, Quality: plant.BadSensorFailure},
			{Tag: ids[0], Time: base + 2*second, Value: math.NaN(), Quality: plant.Bad},
		},
		States: []plant.State{{Tag: ids[1], Time: base, Value: "rolling"}},
		Gaps:   []plant.Gap{{Tag: ids[0], From: base + 3*second, To: base + 9*second, Reason: "link-down"}},
	}, store.Mark{Edge: "mill/e1", Epoch: 7, Number: 41}, store.Mark{Edge: "mill/e1", Epoch: 7, Number: 42})
	f := func(q string, want ...string) {
		t.Helper()
		var got []string
		for _, row := range server.Query(t, database(dir), q) {
			got = append(got, strings.Join(row, " "))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s:\n%s\nwant\n%s", q, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	at := func(sec int64) string { return fmt.Sprint((base + sec*second) / ms) }
	const series = "HSM HSM/FM/F3/GBX FM HSM/FM/F3/GBX/"
	f("SELECT area, asset, line, point, unit, v FROM sensor WHERE q = 0", at(0)+" "+series+"VIB_H mm/s 1.5")
	f("SELECT v, q FROM sensor WHERE q >= 0 AND q < 4294967296 AND point = 'HSM/FM/F3/GBX/VIB_H'",
		at(0)+" 1.5 0", at(1)+" 2 2156658688")
	f("SELECT v, q FROM sensor WHERE q >= 4294967296", at(2)+" <nil> 5188146777173262336")
	f("SELECT area, asset, line, point, q, v FROM sensor_str", at(0)+" "+series+"$MODE 0 rolling")
	f(`SELECT point, reason, "to" FROM gap`, at(3)+" HSM/FM/F3/GBX/VIB_H link-down "+at(9))
	f("SELECT edge, epoch, last FROM mark", "41 mill/e1 7 42")
}

// Programs of the plant write into the measurements too: q is optional for them.
func testForeign(t *testing.T, server *influxtest.Server) {
	dir := t.TempDir()
	s := open(t, server.URL, dir, nil)
	id := intern(t, s, plant.Tag{Path: "A"})[0]
	appendAll(t, s, plant.Batch{Samples: []plant.Sample{{Tag: id, Time: base, Value: 1}}})
	write(t, server, dir, fmt.Sprintf("sensor,point=A v=7 %d", (base+second)/ms))
	write(t, server, dir, fmt.Sprintf("sensor,point=B v=9,q=0i %d", (base+second)/ms))
	want := []plant.Sample{{Tag: id, Time: base, Value: 1}, {Tag: id, Time: base + second, Value: 7}}
	if got := scan(t, s, id); !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, server.URL, dir, nil)
	defer s.Close()
	if got, err := s.Last(context.Background(), []plant.TagID{id}); err != nil || !slices.Equal(got, want[1:]) {
		t.Errorf("last %+v %v", got, err)
	}
	// The same point in a series with other tags makes two values of one key.
	write(t, server, dir, fmt.Sprintf("sensor,point=A,src=x v=8 %d", base/ms))
	for _, err := range s.Scan(context.Background(), plant.Range{Tag: id, To: math.MaxInt64}) {
		if err != nil && strings.Contains(err.Error(), "two series") {
			return
		}
	}
	t.Error("two series of one point were taken for one")
}

func write(t testing.TB, server *influxtest.Server, dir, lines string) {
	t.Helper()
	r, err := http.Post(server.URL+"/api/v2/write?precision=ms&bucket="+database(dir)+"/autogen", "", strings.NewReader(lines))
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Body.Close()
	if r.StatusCode != http.StatusNoContent {
		t.Fatal(r.Status, r.Header.Get("X-Influxdb-Error"))
	}
}

// quarantined returns the points in the folder's files.
func quarantined(t testing.TB, dir string) (points []string) {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(dir, "quarantine", "*.lp"))
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				points = append(points, line)
			}
		}
	}
	return points
}

// A point that the server refuses for ever holds nothing up and is not lost.
func testPoison(t *testing.T, server *influxtest.Server) {
	dir := t.TempDir()
	s := open(t, server.URL, dir, nil)
	ids := intern(t, s, plant.Tag{Path: "A"}, plant.Tag{Path: "B"})
	// Somebody's program has made the field of one week another type.
	foreign := base - 60*24*3600*second
	write(t, server, dir, fmt.Sprintf("sensor,point=x v=\"text\" %d", foreign/ms))
	var in []plant.Sample
	for i := range 12_000 {
		in = append(in, plant.Sample{Tag: ids[i%2], Time: base + int64(i/2)*ms, Value: float64(i)})
	}
	good := slices.Clone(in)
	in[77] = plant.Sample{Tag: ids[1], Time: foreign, Value: 1}
	in[11_000] = plant.Sample{Tag: ids[0], Time: math.MaxInt64, Value: 2} // no time of InfluxDB
	in[11_003] = plant.Sample{Tag: ids[1], Time: foreign + ms, Value: 3}
	for _, i := range []int{11_003, 11_000, 77} {
		good = slices.Delete(good, i, i+1)
	}
	mark := store.Mark{Edge: "e", Epoch: 1, Number: 1}
	appendAll(t, s, plant.Batch{Samples: in}, mark)
	var want [2][]plant.Sample
	for _, x := range good {
		want[x.Tag-ids[0]] = append(want[x.Tag-ids[0]], x)
	}
	for i, id := range ids {
		if got := scan(t, s, id); !slices.Equal(got, want[i]) {
			t.Errorf("%d samples of %d are there", len(got), len(want[i]))
		}
		if got, _ := s.Last(context.Background(), []plant.TagID{id}); len(got) != 1 || got[0] != want[i][len(want[i])-1] {
			t.Errorf("last %+v", got)
		}
	}
	// A look into the time of the other type is no empty one, and no short one.
	for _, err := range s.Scan(context.Background(), plant.Range{Tag: ids[0], From: foreign, To: math.MaxInt64}) {
		if err == nil || !strings.Contains(err.Error(), "two types") {
			t.Errorf("a scan over two types: %v", err)
		}
	}
	points := quarantined(t, dir)
	slices.Sort(points)
	wantPoints := []string{
		fmt.Sprintf("sensor,point=A q=0i,v=2 %d", int64(math.MaxInt64)/ms),
		fmt.Sprintf("sensor,point=B q=0i,v=1 %d", foreign/ms), fmt.Sprintf("sensor,point=B q=0i,v=3 %d", foreign/ms+1),
	}
	if !slices.Equal(points, wantPoints) || s.Quarantined() != 3 {
		t.Errorf("%d in quarantine: %q, want %q", s.Quarantined(), points, wantPoints)
	}
	if spans, err := s.Committed("e", 1); err != nil || len(spans) != 1 {
		t.Errorf("record numbers %v %v", spans, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, server.URL, dir, nil)
	defer s.Close()
	if s.Quarantined() != 3 {
		t.Errorf("%d in quarantine after a restart", s.Quarantined())
	}
	// Texts too, one alone.
	write(t, server, dir, fmt.Sprintf("sensor_str,point=x v=1 %d", foreign/ms))
	appendAll(t, s, plant.Batch{States: []plant.State{{Tag: ids[0], Time: foreign, Value: "lost"}}})
	if s.Quarantined() != 4 {
		t.Errorf("%d in quarantine", s.Quarantined())
	}
}

// Where all is refused, the points are not to blame: the edges keep them.
func testSetUpFault(t *testing.T, server *influxtest.Server) {
	dir := t.TempDir()
	s := open(t, server.URL, dir, nil)
	defer s.Close()
	id := intern(t, s, plant.Tag{Path: "A"})[0]
	write(t, server, dir, fmt.Sprintf("sensor,point=x v=\"text\" %d", base/ms))
	var in []plant.Sample
	for i := range 200 {
		in = append(in, plant.Sample{Tag: id, Time: base + int64(i)*ms, Value: 1})
	}
	mark := store.Mark{Edge: "e", Epoch: 1, Number: 1}
	err := s.Append(context.Background(), plant.Batch{Samples: in}, []store.Mark{mark})
	if err == nil || !strings.Contains(err.Error(), "field type conflict") || !strings.Contains(err.Error(), "docs/influx.md") {
		t.Errorf("got %v", err)
	}
	if got := quarantined(t, dir); len(got) != 0 {
		t.Errorf("%d points in quarantine", len(got))
	}
	if spans, _ := s.Committed("e", 1); len(spans) != 0 {
		t.Errorf("acknowledged: %v", spans)
	}
	// But not for ever.
	s.HoldFaults(0)
	appendAll(t, s, plant.Batch{Samples: in}, mark)
	if got := quarantined(t, dir); len(got) != len(in) {
		t.Errorf("%d points in quarantine, want %d", len(got), len(in))
	}
	appendAll(t, s, plant.Batch{Samples: in}) // given again
	if s.Quarantined() != uint64(len(in)) {
		t.Errorf("%d points in quarantine after they came again", s.Quarantined())
	}
	// The same where a proxy answers for the server.
	p := newProxy(t, server.URL)
	s2 := open(t, p.URL, t.TempDir(), nil)
	defer s2.Close()
	id = intern(t, s2, plant.Tag{Path: "A"})[0]
	p.make(refuse(http.StatusBadRequest, "Bad Request"))
	for range 2 {
		if err := s2.Append(context.Background(), plant.Batch{Samples: in}, nil); err == nil || s2.Quarantined() != 0 {
			t.Errorf("got %v, %d in quarantine", err, s2.Quarantined())
		}
		s2.HoldFaults(0) // it refuses also what it took before
	}
	p.heal()
	appendAll(t, s2, plant.Batch{Samples: in})
	if got := scan(t, s2, id); len(got) != len(in) {
		t.Errorf("%d samples, want %d", len(got), len(in))
	}
}

// A database that forgets would forget tags and record numbers.
func testForgets(t *testing.T, server *influxtest.Server) {
	dir := t.TempDir()
	server.Query(t, "", `CREATE DATABASE "`+database(dir)+`" WITH DURATION 52w NAME "autogen"`)
	_, err := influx.Open(config(t, server.URL, dir, nil))
	if err == nil || !strings.Contains(err.Error(), "without limit of time") {
		t.Errorf("got %v", err)
	}
}

func testNewer(t *testing.T, server *influxtest.Server) {
	dir := t.TempDir()
	s := open(t, server.URL, dir, nil)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	write(t, server, dir, "meta,kind=format version=99i 0")
	if _, err := influx.Open(config(t, server.URL, dir, nil)); !errors.Is(err, store.ErrNewer) {
		t.Errorf("got %v", err)
	}
}

func testOpenRefused(t *testing.T, server *influxtest.Server) {
	f := func(want string, change func(*influx.Config)) {
		t.Helper()
		s, err := influx.Open(config(t, server.URL, t.TempDir(), change))
		if err == nil {
			_ = s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	f("no database", func(c *influx.Config) { c.Database = "" })
	f("no folder", func(c *influx.Config) { c.Dir = "" })
	f("no address", func(c *influx.Config) { c.URL = "127.0.0.1:8086" })
	f("no such file", func(c *influx.Config) { c.CA = filepath.Join(t.TempDir(), "ca.pem") })
	f("no certificate", func(c *influx.Config) {
		c.CA = filepath.Join(t.TempDir(), "ca.pem")
		_ = os.WriteFile(c.CA, []byte("x"), 0o600)
	})
	f("see that it runs", func(c *influx.Config) { c.URL = "http://127.0.0.1:9" })
}

// A server that takes the connection and says nothing is left alone after a time,
// also in the middle of an answer.
func testHangs(t *testing.T, server *influxtest.Server) {
	p := newProxy(t, server.URL)
	s := open(t, p.URL, t.TempDir(), func(c *influx.Config) { c.Timeout = time.Second })
	defer s.Close()
	id := intern(t, s, plant.Tag{Path: "A"})[0]
	f := func(what string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), "no answer within") || errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v", what, err)
		}
	}
	ctx := context.Background()
	p.make(hang)
	f("append", s.Append(ctx, plant.Batch{Samples: []plant.Sample{{Tag: id, Time: base}}}, nil))
	f("intern", s.Intern([]plant.Tag{{Path: "B"}}))
	f("delete", s.Delete(ctx, plant.Range{Tag: id, To: base}))
	p.make(func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		_, _ = w.Write([]byte(",result,table,_time,_value\r\n"))
		_ = http.NewResponseController(w).Flush()
		hang(w, r, nil)
	})
	_, err := s.States(ctx, plant.Range{Tag: id, To: base})
	f("states", err)
	_, err = s.Trend(ctx, plant.TrendQuery{Tag: id, To: base, Buckets: 1})
	f("trend", err)
	// An answer that breaks off is not a short answer.
	p.make(func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		_, _ = w.Write([]byte(",result,table,_time,_value\r\n,_result,0,2026-03-01T12:00:00Z,1\r\n"))
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	if _, err := s.States(ctx, plant.Range{Tag: id, To: math.MaxInt64}); err == nil {
		t.Error("half an answer was taken for all")
	}
	// And closing ends what hangs.
	p.make(hang)
	done := make(chan error)
	go func() { done <- s.Append(ctx, plant.Batch{Samples: []plant.Sample{{Tag: id, Time: base}}}, nil) }()
	eventually(t, "the append hangs", patience, func() bool { return p.met.Load() > 0 })
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; !errors.Is(err, store.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func testCanceled(t *testing.T, server *influxtest.Server) {
	p := newProxy(t, server.URL)
	s := open(t, p.URL, t.TempDir(), nil)
	defer s.Close()
	id := intern(t, s, plant.Tag{Path: "A"})[0]
	p.make(hang)
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(50*time.Millisecond, cancel)
	if err := s.Append(ctx, plant.Batch{Samples: []plant.Sample{{Tag: id, Time: base}}}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("append: %v", err)
	}
	for _, err := range s.Scan(ctx, plant.Range{Tag: id, To: base}) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("scan: %v", err)
		}
	}
}

// Descriptions and texts of any size, more tags than one query names.
func testLarge(t *testing.T, server *influxtest.Server) {
	dir := t.TempDir()
	s := open(t, server.URL, dir, nil)
	var tags []plant.Tag
	for i := range 3*200 + 1 {
		tags = append(tags, plant.Tag{Path: fmt.Sprintf("P/%04d", i), Description: strings.Repeat("и", i%50)})
	}
	ids := intern(t, s, tags...)
	var assets []plant.Asset
	for i := range 500 {
		assets = append(assets, plant.Asset{Path: fmt.Sprintf("P/%04d", i), Name: strings.Repeat("й\"\\", 100)})
	}
	for range 3 { // each one replaces the last one
		assets = assets[1:]
		if err := s.SetAssets("e", assets); err != nil {
			t.Fatal(err)
		}
	}
	var b plant.Batch
	for i, id := range ids {
		b.Samples = append(b.Samples, plant.Sample{Tag: id, Time: base - int64(i)*int64(i)*second*50, Value: float64(i)}) // over half a year
	}
	long := strings.Repeat("x\"\\\n", 1<<18)
	b.States = append(b.States, plant.State{Tag: ids[0], Time: base, Value: long})
	appendAll(t, s, b, store.Mark{Edge: "e", Epoch: 1, Number: 1})
	for range 2 {
		got, err := s.Last(context.Background(), ids)
		if err != nil || !slices.Equal(got, b.Samples) {
			t.Fatalf("%d last values, %v", len(got), err)
		}
		if got, err := s.States(context.Background(), plant.Range{Tag: ids[0], To: math.MaxInt64}); err != nil || len(got) != 1 || got[0].Value != long {
			t.Fatal("a long text", err)
		}
		if got := s.Assets(); !reflect.DeepEqual(got, assets) {
			t.Fatalf("%d assets, want %d", len(got), len(assets))
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, server.URL, dir, nil)
	}
	_ = s.Close()
}
