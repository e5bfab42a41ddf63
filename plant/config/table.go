package config

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/BurntSushi/toml"
)

// document is a decoded TOML file and the lines of its keys.
type document struct {
	file   string
	lines  map[string]int
	faults *Faults
	named  []File // files that were asked for
}

// File is a file that a configuration names.
type File struct {
	Key  string // "plc[0].tags"
	Text string // as the configuration has it: a path, or a pattern
	Path string
	Own  bool // a password, a key or the certificate of a key: of this machine alone
}

// name notes a file that a key names.
func (t *table) name(key, text, path string) {
	t.named = append(t.named, File{Key: join(t.path, key), Text: text, Path: path})
}

// own marks the file of a key as one of this machine alone.
func (t *table) own(key string) {
	for i := range t.named {
		if t.named[i].Key == join(t.path, key) {
			t.named[i].Own = true
		}
	}
}

// table reads typed values out of a TOML table. Every key that is asked for is
// an allowed one; close names the others as faults.
type table struct {
	*document
	path string // empty for the root
	m    map[string]any
	ask  []string
}

// parse decodes src; a syntax error becomes a fault and nil is returned.
func parse(file, src string, faults *Faults) *table {
	if !utf8.ValidString(src) {
		faults.add(file, 1, "", "not TOML: the text is not UTF-8")
		return nil
	}
	m := map[string]any{}
	if _, err := toml.Decode(src, &m); err != nil {
		line, what := 1, err.Error()
		if p, ok := errors.AsType[toml.ParseError](err); ok {
			line, what = max(p.Position.Line, 1), p.Message
			if what == "" {
				what = strings.TrimPrefix(p.Error(), "toml: ")
			}
		}
		faults.add(file, line, "", "not TOML: %s", oneLine(what))
		return nil
	}
	return &table{document: &document{file: file, lines: keys(src), faults: faults}, m: m}
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// fault adds a fault at a key of the table, or at the table's own line where
// the key is not there.
func (t *table) fault(key, format string, args ...any) {
	full := key
	if t.path != "" {
		full = t.path + "." + key
	}
	line, ok := t.lines[full]
	if !ok {
		line = max(t.lines[t.path], 1)
	}
	t.faults.add(t.file, line, full, format, args...)
}

func (t *table) has(key string) bool {
	_, ok := t.m[key]
	return ok
}

func (t *table) get(key string) (any, bool) {
	if !slices.Contains(t.ask, key) {
		t.ask = append(t.ask, key)
	}
	v, ok := t.m[key]
	return v, ok
}

// close makes faults of the keys that nobody asked for.
func (t *table) close() {
	for _, k := range slices.Sorted(maps.Keys(t.m)) {
		if slices.Contains(t.ask, k) {
			continue
		}
		allowed := slices.Sorted(slices.Values(t.ask))
		t.fault(join("", k), "unknown key, allowed are %s", strings.Join(allowed, ", "))
	}
}

func (t *table) text(key, fallback string) string {
	v, ok := t.get(key)
	if !ok {
		return fallback
	}
	s, ok := v.(string)
	if !ok {
		t.fault(key, "is %s, allowed is a text in quotes", kindOf(v))
		return fallback
	}
	return s
}

// need is a text that must be there.
func (t *table) need(key, example string) string {
	s := t.text(key, "")
	if _, isText := t.m[key].(string); s == "" && (isText || !t.has(key)) {
		t.fault(key, "is missing, for example %s = %q", key, example)
	}
	return s
}

// checked is a text that check accepts; the fallback is not checked.
func (t *table) checked(key, fallback string, check func(string) error) string {
	s := t.text(key, fallback)
	if s == "" || s == fallback {
		return s
	}
	if err := check(s); err != nil {
		t.fault(key, "%v", err)
	}
	return s
}

func (t *table) oneOf(key, fallback string, allowed ...string) string {
	s := t.text(key, fallback)
	if s != fallback && !slices.Contains(allowed, s) {
		t.fault(key, "%q, allowed are %s", s, strings.Join(allowed, ", "))
		return fallback
	}
	return s
}

func (t *table) texts(key string) []string {
	v, ok := t.get(key)
	if !ok {
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		t.fault(key, "is %s, allowed is a list of texts", kindOf(v))
		return nil
	}
	out := make([]string, 0, len(list))
	for _, e := range list {
		s, ok := e.(string)
		if !ok {
			t.fault(key, "holds %s, allowed is a list of texts", kindOf(e))
			return nil
		}
		out = append(out, s)
	}
	return out
}

func (t *table) flag(key string) bool {
	v, ok := t.get(key)
	if !ok {
		return false
	}
	b, ok := v.(bool)
	if !ok {
		t.fault(key, "is %s, allowed are true and false", kindOf(v))
	}
	return b
}

// number is a finite number within [low, high].
func (t *table) number(key string, fallback, low, high float64) float64 {
	v, ok := t.get(key)
	if !ok {
		return fallback
	}
	var f float64
	switch v := v.(type) {
	case int64:
		f = float64(v)
	case float64:
		f = v
	default:
		t.fault(key, "is %s, allowed is a number", kindOf(v))
		return fallback
	}
	if !(f >= low && f <= high) {
		t.fault(key, "%v, allowed is %v to %v", f, low, high)
		return fallback
	}
	return f
}

func (t *table) integer(key string, fallback, low, high int64) int64 {
	v, ok := t.get(key)
	if !ok {
		return fallback
	}
	n, ok := v.(int64)
	if !ok {
		t.fault(key, "is %s, allowed is a whole number", kindOf(v))
		return fallback
	}
	if n < low || n > high {
		t.fault(key, "%d, allowed is %d to %d", n, low, high)
		return fallback
	}
	return n
}

func (t *table) duration(key string, fallback, low, high time.Duration) time.Duration {
	if !t.has(key) {
		t.get(key)
		return fallback
	}
	s := t.text(key, "")
	if _, ok := t.m[key].(string); !ok {
		return fallback
	}
	d, err := ParseDuration(s)
	if err != nil {
		t.fault(key, "%v", err)
		return fallback
	}
	if d < low || d > high {
		t.fault(key, "%v, allowed is %v to %v", d, low, high)
		return fallback
	}
	return d
}

func (t *table) size(key string, fallback, low int64) int64 {
	v, ok := t.get(key)
	if !ok {
		return fallback
	}
	n, isInt := v.(int64)
	if !isInt {
		s, ok := v.(string)
		if !ok {
			t.fault(key, "is %s, allowed are sizes such as \"4GB\"", kindOf(v))
			return fallback
		}
		var err error
		if n, err = ParseSize(s); err != nil {
			t.fault(key, "%v", err)
			return fallback
		}
	}
	if n < low {
		t.fault(key, "%d bytes, allowed is %d or more", n, low)
		return fallback
	}
	return n
}

// table is a sub-table, nil where it is absent.
func (t *table) table(key string) *table {
	v, ok := t.get(key)
	if !ok {
		return nil
	}
	m, ok := v.(map[string]any)
	if !ok {
		t.fault(key, "is %s, allowed is a section [%s]", kindOf(v), join(t.path, key))
		return nil
	}
	return &table{document: t.document, path: join(t.path, key), m: m}
}

// tables is an array of tables.
func (t *table) tables(key string) []*table {
	v, ok := t.get(key)
	if !ok {
		return nil
	}
	var list []map[string]any
	switch v := v.(type) {
	case []map[string]any:
		list = v
	case []any:
		for _, e := range v {
			m, ok := e.(map[string]any)
			if !ok {
				t.fault(key, "holds %s, allowed are sections [[%s]]", kindOf(e), key)
				return nil
			}
			list = append(list, m)
		}
	default:
		t.fault(key, "is %s, allowed are sections [[%s]]", kindOf(v), key)
		return nil
	}
	out := make([]*table, len(list))
	for i, m := range list {
		out[i] = &table{document: t.document, path: index(join(t.path, key), i), m: m}
	}
	return out
}

// at makes a path of the document relative to its file absolute or leaves it as
// it is.
func (t *table) at(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(t.file), path)
}

// folder is a path that need not be there yet.
func (t *table) folder(key, fallback string) string {
	s := t.at(t.text(key, fallback))
	if info, err := os.Stat(s); s != "" && err == nil && !info.IsDir() {
		t.fault(key, "%s is a file, allowed is a folder", s)
	}
	return s
}

// readable is a path of a file that must be there.
func (t *table) readable(key string) string {
	text := t.text(key, "")
	s := t.at(text)
	if s != "" && t.opens(key, s) {
		t.name(key, text, s)
	}
	return s
}

// opens makes a fault of what is no file that can be read.
func (t *table) opens(key, path string) bool {
	f, err := os.Open(path)
	if err != nil {
		t.fault(key, "%v", reason(err))
		return false
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		t.fault(key, "%s is a folder, allowed is a file", path)
		return false
	}
	return true
}

// creatable is a path of a file that need not be there yet, in a folder that must.
func (t *table) creatable(key string) string {
	s := t.at(t.text(key, ""))
	dir := filepath.Dir(s)
	if info, err := os.Stat(dir); s != "" && (err != nil || !info.IsDir()) {
		t.fault(key, "%s is no folder, allowed is a file in one that is there", dir)
	}
	return s
}

// guarded is a path of a file that must be there and that not everybody may read.
func (t *table) guarded(key string) string {
	path := t.readable(key)
	t.own(key)
	if info, err := os.Stat(path); path != "" && err == nil && !info.IsDir() && info.Mode().Perm()&0o004 != 0 {
		t.fault(key, "%s can be read by everybody (mode %04o), allowed is mode 0600 or 0640", path, info.Mode().Perm())
	}
	return path
}

// secret reads the password in a guarded file.
func (t *table) secret(key string) string {
	path := t.guarded(key)
	if path == "" {
		return ""
	}
	b, err := ReadFile(path)
	if err != nil {
		return "" // said by guarded
	}
	s := strings.TrimRight(string(b), "\r\n")
	if s == "" {
		t.fault(key, "%s is empty, expected a password", path)
	}
	return s
}

// pair is a certificate and its key, both or neither.
func (t *table) pair(certificate, key string) (string, string) {
	c, k := t.readable(certificate), t.readable(key)
	t.own(certificate)
	t.own(key)
	switch {
	case c != "" && k == "":
		t.fault(key, "is missing, %s needs it", certificate)
	case c == "" && k != "":
		t.fault(certificate, "is missing, %s needs it", key)
	}
	return c, k
}

// tlsPair is a pair of PEM files that fit each other.
func (t *table) tlsPair(certificate, key string) (string, string) {
	before := len(*t.faults)
	c, k := t.pair(certificate, key)
	if c == "" || k == "" || len(*t.faults) > before {
		return c, k
	}
	if _, err := tls.LoadX509KeyPair(c, k); err != nil {
		t.fault(certificate, "%v, allowed is a PEM certificate that fits %s", err, key)
	}
	return c, k
}

// reason drops the name of the system call from an error of a file.
func reason(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("%s: %w", p.Path, p.Err)
	}
	return err
}

// kindOf names the type of a TOML value for people.
func kindOf(v any) string {
	switch v.(type) {
	case string:
		return "a text"
	case int64:
		return "a whole number"
	case float64:
		return "a number"
	case bool:
		return "true or false"
	case time.Time:
		return "a date"
	case []any, []map[string]any:
		return "a list"
	}
	return "a section"
}
