package recording

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "r.csv")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func all(t *testing.T, r *Recording) []Row {
	t.Helper()
	var out []Row
	for {
		var row Row
		err := r.Next(&row)
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, row)
	}
}

func same(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }

func TestBench(t *testing.T) {
	text := "\xEF\xBB\xBFdatetime;Current;Volume Flow RateRMS;anomaly;Note;Spare\r\n" +
		"2020-03-09 10:34:33;0.871339;32.0;0.0;on;\r\n" +
		"2020-03-09 10:34:34;NaN;null;1.0;1;\r\n" +
		"\r\n" +
		"2020-03-09 10:34:34.25; 1e-3 ;-4;;2;\r\n"
	read := func(r *Recording, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		want := []Column{{"Current", Numeric, ""}, {"Volume Flow RateRMS", Numeric, ""}, {"anomaly", Label, ""},
			{"Note", NonNumeric, `line 2: "on" is not a number`}, {"Spare", NonNumeric, "has no values"}}
		for i, c := range want {
			if r.Columns[i] != c {
				t.Errorf("column %d is %+v, want %+v", i, r.Columns[i], c)
			}
		}
		if len(r.Numeric()) != 2 || len(r.Labels()) != 1 || len(r.Left()) != 2 {
			t.Errorf("classes: %v %v %v", r.Numeric(), r.Labels(), r.Left())
		}
		rows := all(t, r)
		if len(rows) != 3 {
			t.Fatalf("%d rows, want 3", len(rows))
		}
		nan := math.NaN()
		cells := [][]float64{{0.871339, 32, 0, nan, nan}, {nan, nan, 1, nan, nan}, {0.001, -4, nan, nan, nan}}
		for i, row := range rows {
			for j, v := range row.Cells {
				if !same(v, cells[i][j]) {
					t.Errorf("row %d cell %d is %v, want %v", i, j, v, cells[i][j])
				}
			}
		}
		if rows[2].Line != 5 || rows[2].Stamp != "2020-03-09 10:34:34.25" {
			t.Errorf("last row is line %d, %q", rows[2].Line, rows[2].Stamp)
		}
		if d := time.Duration(rows[2].Time - rows[0].Time); d != 1250*time.Millisecond {
			t.Errorf("span %v", d)
		}
	}
	read(Open(write(t, text)))
	read(New("r.csv", strings.NewReader(text)))
}

func TestDelimiterAndQuotes(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		r, err := New("r.csv", strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range r.Columns {
			got = append(got, c.Name)
		}
		if strings.Join(got, "|") != strings.Join(want, "|") {
			t.Errorf("columns %q, want %q", got, want)
		}
		if rows := all(t, r); len(rows) != 1 || len(rows[0].Cells) != len(want) {
			t.Errorf("rows %+v", rows)
		}
	}
	f("t,a,b\n1,2,3\n", "a", "b")
	f("t,a,b\n1,2,3", "a", "b")
	f("t\ta,x,y,z\n1\t2\n", "a,x,y,z")
	f("t;Flow, l/min;b\n1;2;3\n", "Flow, l/min", "b")
	f("t,\"Flow, l/min\",\"say \"\"b\"\"\"\n1,\"2\",3\n", "Flow, l/min", `say "b"`)
	f(",a, b \n1,2,3\n", "a", " b ")
}

func TestFaults(t *testing.T) {
	long := strings.Repeat("7", 10<<20)
	f := func(text, want string) {
		t.Helper()
		path := write(t, text)
		_, err := Open(path)
		if err == nil || err.Error() != path+want {
			t.Errorf("open: %v, want %q", err, path+want)
		}
		r, err := New("r.csv", strings.NewReader(text))
		for row := (Row{}); err == nil; {
			err = r.Next(&row)
		}
		if err.Error() != "r.csv"+want {
			t.Errorf("stream: %v, want %q", err, "r.csv"+want)
		}
	}
	f("", ": empty file, expected a header line")
	f("t,a\n", ": no rows after the header")
	f("t\n1\n", ":1: the header has one column, expected a time and at least one quantity, divided by comma, semicolon or tab")
	f("\x7fELF\x00\x01\x02\n", ":1: the file is binary, expected delimited text")
	f("\xFF\xFEt\x00,\x00a\x00\n\x00", ":1: the text is UTF-16, expected UTF-8")
	f("t,a\n1,\xE4\n", ":2: the text is not UTF-8")
	f("t,a,b\n1,2,3\n2,3\n", ":3: 2 cells, the header has 3 columns")
	f("t,a,b\n1,2,3,\n", ":2: 4 cells, the header has 3 columns")
	f("t,a,b,a\n1,2,3,4\n", `:1: columns 2 and 4 have the same name "a"`)
	f("t,a,,b\n1,2,3,4\n", ":1: column 3 has no name")
	f("t,a\n2,1\n1,1\n", `:3: time "1" goes backwards, the row before has "2"`)
	f("t,a\n"+long+",1\n", ":2: line is longer than 1 MiB")
	f(long, ":1: line is longer than 1 MiB")
	f("t,a,label\n1,on,1\n2,off,0\n", `: no numeric column: "a" line 2: "on" is not a number; "label" holds labels`)
	f("t,a\n1,NaN\n2,\n", `: no numeric column: "a" has no values`)
	f("t,a\n,1\n", ":2: the time is missing")
	f("t,a\n1/1/2018 0:15,1\n", `:2: time "1/1/2018 0:15" is not RFC 3339, YYYY-MM-DD hh:mm:ss[.ffffff] or Unix seconds`)
	f("t,a\n1583750073000,1\n", `:2: time "1583750073000" is out of range, Unix times are in seconds`)
	f("t,a\n1,\"2\n", ":2: a quote is not closed on its line, or stands inside a cell")
}

func TestOpenOther(t *testing.T) {
	if _, err := Open(filepath.Join(t.TempDir(), "none.csv")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	dir := t.TempDir()
	if _, err := Open(dir); err == nil || err.Error() != dir+": is a folder, expected a recording" {
		t.Errorf("folder: %v", err)
	}
	r, err := Open(write(t, "t,a\n1,2\n"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(r.Close(), r.Close()); err != nil {
		t.Errorf("closing twice: %v", err)
	}
}

// A stream classes its columns by its beginning, so a text far on is a fault of
// its line; a file is classed by all of it.
func TestLateText(t *testing.T) {
	var b strings.Builder
	b.WriteString("t,a,b\n")
	for i := range 40_000 {
		b.WriteString(strconv.Itoa(i) + ",1," + strings.Repeat("2", 60) + "\n")
	}
	b.WriteString("40000,1,open\n")
	r, err := New("r.csv", strings.NewReader(b.String()))
	for row := (Row{}); err == nil; {
		err = r.Next(&row)
	}
	if want := `r.csv:40002: column "b": "open" is not a number`; err.Error() != want {
		t.Errorf("stream: %v", err)
	}
	r, err = Open(write(t, b.String()))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if r.Columns[1].Class != NonNumeric || r.Columns[0].Class != Numeric {
		t.Errorf("file: %+v", r.Columns)
	}
}

func TestParseStamp(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		ns, err := ParseStamp([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := time.Unix(0, ns).UTC().Format(time.RFC3339Nano); got != want {
			t.Errorf("%s read as %s, want %s", text, got, want)
		}
	}
	f("2020-03-09 10:34:33", "2020-03-09T10:34:33Z")
	f("2020-03-09 10:34:33.123456", "2020-03-09T10:34:33.123456Z")
	f("2020-03-09T10:34:33", "2020-03-09T10:34:33Z")
	f("2020-03-09T10:34:33.5Z", "2020-03-09T10:34:33.5Z")
	f("2020-03-09T10:34:33+05:30", "2020-03-09T05:04:33Z")
	f("2020-03-09 10:34:33.000000000999-01:00", "2020-03-09T11:34:33Z")
	f("2024-02-29 00:00:00", "2024-02-29T00:00:00Z")
	f("0", "1970-01-01T00:00:00Z")
	f("1583750073.123456789", "2020-03-09T10:34:33.123456789Z")
	f("-1.5", "1969-12-31T23:59:58.5Z")
	f("1.583750073e9", "2020-03-09T10:34:33Z")
	for _, bad := range []string{"2020-02-30 00:00:00", "2020-13-01 00:00:00", "2020-03-09 24:00:00", "2020-03-09 10:34",
		"2020-03-09 10:34:33 PKT", "2020-03-09 10:34:33.", "2020-03-09T10:34:33+5", "nan", "1.", ".5", "--1", "9300000000", "1e300", "0600-01-01 00:00:00"} {
		if ns, err := ParseStamp([]byte(bad)); err == nil {
			t.Errorf("%s read as %d", bad, ns)
		}
	}
}

func TestNextAllocs(t *testing.T) {
	text := "t,a,b,c,d\n" + strings.Repeat("2020-03-09 10:34:33,1.5,-0.0270797,3e5,\n", 3000)
	r, err := New("r.csv", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	var row Row
	if err := r.Next(&row); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(1000, func() {
		if err := r.Next(&row); err != nil {
			t.Fatal(err)
		}
	}); n > 1 { // the stamp
		t.Errorf("%v allocations a row", n)
	}
}

func FuzzRecording(f *testing.F) {
	for _, s := range []string{"t,a\n1,2\n", "t;a;label\r\n2020-03-09 10:34:33;1;0\r\n", "t\ta\n1.5\tnan\n2.5\t\"3\"\n",
		"\xEF\xBB\xBFt,\"a\"\"b\"\n1,2\n", "t,a\n1,x\n", ",a\n1,2", "t,a\n2020-03-09T10:34:33.5+05:00,inf\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := New("r", bytes.NewReader(data))
		if err != nil {
			if strings.ContainsAny(err.Error(), "\r\n") {
				t.Fatalf("a fault of several lines: %q", err)
			}
			return
		}
		last, lines := int64(math.MinInt64), 1
		for row := (Row{}); ; {
			err := r.Next(&row)
			if err != nil {
				if errors.Is(err, io.EOF) && lines == 1 {
					t.Fatal("no rows, and no fault")
				}
				return
			}
			if row.Time < last || row.Line <= lines || len(row.Cells) != len(r.Columns) {
				t.Fatalf("row %+v after line %d at %d", row, lines, last)
			}
			last, lines = row.Time, row.Line
		}
	})
}

func BenchmarkNext(b *testing.B) {
	line := "2020-03-09 10:34:33;0.0270797;0.039615;0.871339;0.054711;75.4955;25.8338;244.091;32.0;0.0;0.0\n"
	text := "t;1;2;3;4;5;6;7;8;9;10\n" + strings.Repeat(line, 10_000)
	r, err := New("r", strings.NewReader(text))
	if err != nil {
		b.Fatal(err)
	}
	var row Row
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		if err := r.Next(&row); errors.Is(err, io.EOF) {
			if r, err = New("r", strings.NewReader(text)); err != nil {
				b.Fatal(err)
			}
		}
	}
}
