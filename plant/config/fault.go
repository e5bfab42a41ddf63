package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Fault is one thing wrong in a configuration file.
type Fault struct {
	File string
	Line int    // 1 is the first; 0 where the file could not be read
	Key  string // TOML key or CSV column, empty where the whole line is meant
	What string // what is wrong, what is allowed
}

func (f Fault) String() string {
	var b strings.Builder
	b.WriteString(f.File)
	if f.Line > 0 {
		fmt.Fprintf(&b, ":%d", f.Line)
	}
	if f.Key != "" {
		b.WriteString(": " + f.Key)
	}
	return b.String() + ": " + f.What
}

// Faults is every fault of a configuration, one on a line.
type Faults []Fault

func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, one := range f {
		lines[i] = one.String()
	}
	return strings.Join(lines, "\n")
}

// err is f in reading order as an error, nil where there are none.
func (f Faults) err() error {
	if len(f) == 0 {
		return nil
	}
	files := map[string]int{}
	for _, one := range f {
		if _, ok := files[one.File]; !ok {
			files[one.File] = len(files)
		}
	}
	slices.SortStableFunc(f, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(files[a.File], files[b.File]), cmp.Compare(a.Line, b.Line))
	})
	return f
}

func (f *Faults) add(file string, line int, key, format string, args ...any) {
	*f = append(*f, Fault{File: file, Line: line, Key: key, What: fmt.Sprintf(format, args...)})
}
