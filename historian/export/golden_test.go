package export_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/parquet-go/parquet-go"

	"millwright/historian/export"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	name = filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

// All formats hold the same cells: the text of the CSV file is the golden one, the
// others are read by their libraries and written as such a text.
func TestGolden(t *testing.T) {
	w := mill(t)
	all := span()
	all.Tags = []string{"*"}
	wide := func(fill export.Fill) export.Query {
		q := span()
		q.Shape, q.Fill, q.Tags = export.Wide, fill, []string{gearbox + "/VIB_H", gearbox + "/SPEED_REF", gearbox + "/COIL"}
		return q
	}
	both := wide(export.FillStep)
	both.Tags, both.Grid, both.Keep = []string{"*/VIB_H", "*/FLOW", "SIM/*"}, 5*time.Second, export.KeepAll
	for name, q := range map[string]export.Query{
		"long": all, "wide-step": wide(export.FillStep), "wide-linear": wide(export.FillLinear), "wide-mean": wide(export.FillMean), "wide-two": both,
	} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			q.Format = export.CSV
			text, m := w.export(q)
			golden(t, name+".csv", text)
			if n := int64(strings.Count(text, "\n")) - 1; m.Rows != n {
				t.Errorf("the manifest says %d rows, the file has %d", m.Rows, n)
			}
			q.Format = export.Parquet
			file, _ := w.export(q)
			if got := parquetText(t, file); got != text {
				t.Errorf("Parquet: got\n%s\nwant\n%s", got, text)
			}
			q.Format = export.Arrow
			file, _ = w.export(q)
			if got := arrowText(t, file); got != text {
				t.Errorf("Arrow: got\n%s\nwant\n%s", got, text)
			}
		})
	}
}

var givenAt = regexp.MustCompile(`("at": )"[^"]*"`)

func TestManifest(t *testing.T) {
	w := mill(t)
	q := span()
	q.Asset, q.Tags = gearbox, nil
	name := filepath.Join(t.TempDir(), "gearbox.parquet")
	m, err := w.job().WriteFile(t.Context(), q, name)
	if err != nil {
		t.Fatal(err)
	}
	beside, err := os.ReadFile(export.ManifestName(name))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(beside), m.File.SHA256, "SHA256", 1)
	text = strings.Replace(text, strconv.FormatInt(m.File.Size, 10), "0", 1)
	golden(t, "manifest.json", givenAt.ReplaceAllString(text, `$1"AT"`))

	// Inside the file it is the same but for the file's own size and hash.
	file, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(file)) != m.File.Size || sha(file) != m.File.SHA256 {
		t.Errorf("%d bytes with hash %s, the manifest says %+v", len(file), sha(file), m.File)
	}
	p, err := parquet.OpenFile(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	inside, _ := p.Lookup("millwright.manifest")
	m.File = nil
	want, err := json.Marshal(m)
	if err != nil || inside != string(want) {
		t.Errorf("inside: %s\nwant %s, %v", inside, want, err)
	}

	// An Arrow file begins with it, so nothing is counted in it.
	q.Format = export.Arrow
	text, m = w.export(q)
	r, err := ipc.NewFileReader(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	about := r.Schema().Metadata()
	i := about.FindKey("millwright.manifest")
	if i < 0 {
		t.Fatal("no manifest in the Arrow file")
	}
	var head export.Manifest
	if err := json.Unmarshal([]byte(about.Values()[i]), &head); err != nil {
		t.Fatal(err)
	}
	if head.Counted || head.Rows != 0 || !m.Counted || m.Rows == 0 || len(head.Tags) != len(m.Tags) || len(head.Alarms) != 3 {
		t.Errorf("inside the Arrow file: %+v", head)
	}
}

func parquetText(t *testing.T, file string) string {
	t.Helper()
	p, err := parquet.OpenFile(strings.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]string
	var head []string
	fields := p.Schema().Fields()
	for _, f := range fields {
		head = append(head, quoted(f.Name()))
	}
	rows = append(rows, head)
	for _, g := range p.RowGroups() {
		first := len(rows)
		for range g.NumRows() {
			rows = append(rows, make([]string, len(head)))
		}
		for c, chunk := range g.ColumnChunks() {
			pages := chunk.Pages()
			row := first
			for {
				page, err := pages.ReadPage()
				if err != nil {
					break
				}
				values := make([]parquet.Value, page.NumValues())
				n, _ := page.Values().ReadValues(values)
				for _, v := range values[:n] {
					rows[row][c] = parquetCell(fields[c].Name(), v)
					row++
				}
			}
			if row != len(rows) {
				t.Fatalf("column %s has %d of %d rows", fields[c].Name(), row-first, len(rows)-first)
			}
			if err := pages.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	return lines(rows)
}

func parquetCell(name string, v parquet.Value) string {
	switch {
	case v.IsNull():
		return ""
	case v.Kind() == parquet.Int64 && name == "time":
		return stamped(v.Int64())
	case v.Kind() == parquet.Double:
		return strconv.FormatFloat(v.Double(), 'g', -1, 64)
	case v.Kind() == parquet.Int32:
		return strconv.FormatUint(uint64(v.Uint32()), 10)
	case v.Kind() == parquet.Boolean:
		return strconv.FormatBool(v.Boolean())
	}
	return quoted(string(v.ByteArray()))
}

func arrowText(t *testing.T, file string) string {
	t.Helper()
	r, err := ipc.NewFileReader(strings.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var head []string
	for _, f := range r.Schema().Fields() {
		head = append(head, quoted(f.Name))
	}
	rows := [][]string{head}
	for i := range r.NumRecords() {
		rec, err := r.RecordBatch(i)
		if err != nil {
			t.Fatal(err)
		}
		for k := range int(rec.NumRows()) {
			row := make([]string, len(head))
			for c, col := range rec.Columns() {
				row[c] = arrowCell(t, col, k)
			}
			rows = append(rows, row)
		}
	}
	return lines(rows)
}

func arrowCell(t *testing.T, col arrow.Array, k int) string {
	if col.IsNull(k) {
		return ""
	}
	switch c := col.(type) {
	case *array.Timestamp:
		return stamped(int64(c.Value(k)))
	case *array.Float64:
		return strconv.FormatFloat(c.Value(k), 'g', -1, 64)
	case *array.Uint32:
		return strconv.FormatUint(uint64(c.Value(k)), 10)
	case *array.Boolean:
		return strconv.FormatBool(c.Value(k))
	case *array.String:
		return quoted(c.Value(k))
	case *array.Dictionary:
		return quoted(c.Dictionary().(*array.String).Value(c.GetValueIndex(k)))
	}
	t.Fatalf("a column of type %v", col.DataType())
	return ""
}

func stamped(ms int64) string {
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z")
}

func quoted(s string) string {
	if s == "" || strings.ContainsAny(s, "\",\n") {
		return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
	}
	return s
}

func lines(rows [][]string) string {
	var b strings.Builder
	for _, r := range rows {
		fmt.Fprintln(&b, strings.Join(r, ","))
	}
	return b.String()
}
