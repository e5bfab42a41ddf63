package export_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"millwright/historian/export"
)

var pythonBlock = regexp.MustCompile("(?ms)^```python\n(.*?)^```$")

// TestSciencePage runs every block of Python in docs/science.md over fresh exports
// and compares what they print with what is known here. MILLWRIGHT_PYTHON is the
// interpreter.
func TestSciencePage(t *testing.T) {
	python := os.Getenv("MILLWRIGHT_PYTHON")
	if python == "" {
		python = "../../.ci/venv/bin/python"
	}
	python, err := filepath.Abs(python)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(python, "-c", "import pandas, polars, duckdb, pyarrow").CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s: %v\n%s", python, err, out)
		}
		t.Skipf("%s has not the packages of testdata/science/requirements.txt (make tools installs them): %v", python, err)
	}
	w := mill(t)
	dir := t.TempDir()
	write := func(name string, format export.Format, shape export.Shape) *export.Manifest {
		q := span()
		q.Tags, q.Asset, q.Format, q.Shape = nil, gearbox, format, shape
		m, err := w.job().WriteFile(t.Context(), q, filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	long := write("gearbox.parquet", export.Parquet, export.Long)
	write("gearbox.arrow", export.Arrow, export.Long)
	wide := write("gearbox-wide.parquet", export.Parquet, export.Wide)

	// What is known here, from the samples of the mill.
	values := []float64{1, 1.25, 2, 5, 6.5, 7, 10.5, 20, 50, 450, 0.1}
	total := 0.0
	for _, v := range values {
		total += v
	}
	cells := int64(0)
	for _, tag := range wide.Tags {
		cells += tag.Rows
	}
	if long.Rows != 16 || cells == 0 {
		t.Fatal(long.Rows, cells)
	}
	sum := func(name string) []string { return []string{name, "16", strconv.FormatFloat(total, 'g', -1, 64)} }
	want := map[string][]string{
		"pandas": sum("pandas"), "polars": sum("polars"), "duckdb": sum("duckdb"), "arrow": sum("arrow"),
		"normal":   {"normal", "2", "2"}, // VIB_H and SPEED_REF at 0 s: all else is labelled, found, or no number
		"wide":     {"wide", "21", fmt.Sprint(cells)},
		"rolling":  {"rolling", "13"}, // 2 s to 14 s
		"manifest": {"manifest", "16", "4"},
		"units":    {"units", "4", "16"},
		"labels":   {"labels", "2", "confirmed", "not_a_fault"},
	}
	page, err := os.ReadFile("../../docs/science.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := pythonBlock.FindAllSubmatch(page, -1)
	if strings.Count(string(page), "```python") != len(blocks) {
		t.Error("a block of Python has no end")
	}
	// One interpreter runs them all, each in a world of its own.
	var texts []string
	for _, block := range blocks {
		texts = append(texts, string(block[1]))
	}
	input, err := json.Marshal(texts)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "-W", "error", "-c", `
import json, sys
for i, text in enumerate(json.load(sys.stdin)):
    exec(compile(text, f"block {i} of docs/science.md", "exec"), {"__name__": "__main__"})`)
	cmd.Dir = dir
	cmd.Stdin = bytes.NewReader(input)
	cmd.Env = append(os.Environ(), "TZ=Asia/Karachi") // times are UTC wherever they are read
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		got := strings.Fields(line)
		if len(got) == 0 || !agree(got, want[got[0]]) {
			t.Errorf("printed %q", line)
			continue
		}
		delete(want, got[0])
	}
	for name := range want {
		t.Errorf("no block printed %q", want[name])
	}
}

// agree compares words, numbers to the last digit but one.
func agree(got, want []string) bool {
	if len(got) != len(want) {
		return false
	}
	for i := range got {
		a, err1 := strconv.ParseFloat(got[i], 64)
		b, err2 := strconv.ParseFloat(want[i], 64)
		if err1 == nil && err2 == nil && math.Abs(a-b) <= 1e-12*math.Abs(b) {
			continue
		}
		if got[i] != want[i] {
			return false
		}
	}
	return true
}
