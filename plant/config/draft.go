package config

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"

	"millwright/plant"
)

// draftColumns are what a draft fills in.
var draftColumns = []string{"path", "asset", "node", "unit", "low", "high", "kind", "description"}

// WriteTags writes a tag list as ParseTags reads it; comments stand at its end,
// a line each.
func WriteTags(w io.Writer, tags []plant.Tag, comments []string) error {
	out := csv.NewWriter(w)
	_ = out.Write(draftColumns)
	for i := range tags {
		_ = out.Write(draftRecord(&tags[i], draftColumns))
	}
	out.Flush()
	err := out.Error()
	for _, c := range comments {
		if err == nil {
			_, err = fmt.Fprintf(w, "# %s\n", printable(c))
		}
	}
	return err
}

func draftRecord(t *plant.Tag, columns []string) []string {
	record := make([]string, len(columns))
	for i, c := range columns {
		switch c {
		case "path":
			record[i] = t.Path
		case "asset":
			record[i] = t.Asset
		case "node":
			record[i] = t.Node
		case "unit":
			record[i] = t.Unit
		case "low", "high":
			if t.Low < t.High {
				record[i] = strconv.FormatFloat(map[string]float64{"low": t.Low, "high": t.High}[c], 'g', -1, 64)
			}
		case "kind":
			record[i] = string(t.Kind)
		case "description":
			record[i] = t.Description
		}
	}
	return record
}

// AppendTags puts tags at the end of the tag list in src, in its own columns,
// below a comment. What stands in src stays as it is. The tags' assets are left to
// Assign, and a path that the list has already gets a number.
func AppendTags(name string, src []byte, tags []plant.Tag, comment string) ([]byte, error) {
	old, err := ParseTags(name, bytes.NewReader(src))
	if err != nil {
		return nil, err
	}
	used := map[string]bool{}
	for _, t := range old {
		used[t.Path] = true
	}
	body := bytes.TrimPrefix(src, []byte("\xEF\xBB\xBF"))
	comma := ','
	if semicolons(body) {
		comma = ';'
	}
	r := csv.NewReader(bytes.NewReader(body))
	r.Comment, r.Comma, r.FieldsPerRecord = '#', comma, -1
	columns, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	for i, c := range columns {
		columns[i] = strings.ToLower(strings.TrimSpace(c))
	}
	end := "\n"
	if bytes.Contains(src, []byte("\r\n")) {
		end = "\r\n"
	}
	var out bytes.Buffer
	out.Write(src)
	if len(src) > 0 && src[len(src)-1] != '\n' {
		out.WriteString(end)
	}
	out.WriteString("# " + printable(comment) + end)
	w := csv.NewWriter(&out)
	w.Comma, w.UseCRLF = comma, end == "\r\n"
	for _, t := range tags {
		t.Asset = ""
		for n, path := 2, t.Path; used[t.Path]; n++ {
			t.Path = fmt.Sprintf("%s_%d", path, n)
		}
		used[t.Path] = true
		_ = w.Write(draftRecord(&t, columns))
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return nil, err
	}
	// What nobody could read again is not written.
	if _, err := ParseTags(name, bytes.NewReader(out.Bytes())); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// WriteAssets writes an asset file as ParseAssets reads it, with notes for people
// above each asset.
func WriteAssets(w io.Writer, assets []plant.Asset, notes func(i int) []string) error {
	if len(assets) == 0 {
		return errors.New("no asset to write: no tag lies below an object")
	}
	for i, a := range assets {
		var b strings.Builder
		if i > 0 {
			b.WriteByte('\n')
		}
		for _, n := range notes(i) {
			fmt.Fprintf(&b, "# %s\n", printable(n))
		}
		fmt.Fprintf(&b, "[[asset]]\npath = %s\nname = %s\nclass = %s\n", tomlText(a.Path), tomlText(a.Name), tomlText(a.Class))
		if _, err := io.WriteString(w, b.String()); err != nil {
			return err
		}
	}
	return nil
}

// printable is a text as one line of a comment.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}

// tomlText is a basic string of TOML.
func tomlText(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range strings.ToValidUTF8(s, "?") {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case unicode.IsControl(r):
			fmt.Fprintf(&b, "\\u%04X", r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
