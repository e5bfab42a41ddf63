package plant

import (
	"fmt"
	"strconv"
	"strings"
)

// FieldStep is one step of the way into a structured value: to a field by its name,
// or to an element of an array by its index where Name is empty.
type FieldStep struct {
	Name  string
	Index int
}

const (
	mostSteps = 32
	mostIndex = 1 << 20
)

// ParseField reads the way to a field of a structure: "Bearing.Temperature",
// "Phase[2]", "Stands[0].Force", "[3].Force" where the value is an array of
// structures. Arrays of several dimensions count as one list, the last index
// first. A name that holds a dot or a bracket cannot be written.
func ParseField(s string) ([]FieldStep, error) {
	var steps []FieldStep
	for i, part := range strings.Split(s, ".") {
		name, rest, indexed := strings.Cut(part, "[")
		if strings.Contains(name, "]") || name == "" && (i > 0 || !indexed) {
			return nil, fmt.Errorf("%q: want a way of names and indexes such as Bearing.Temperature or Phase[2]", s)
		}
		if name != "" {
			steps = append(steps, FieldStep{Name: name})
		}
		for indexed {
			var digits string
			digits, rest, indexed = strings.Cut(rest, "]")
			n, err := strconv.ParseUint(digits, 10, 32)
			if !indexed || err != nil || n >= mostIndex {
				return nil, fmt.Errorf("%q: want an index such as [2], counted from 0, below %d", s, mostIndex)
			}
			steps = append(steps, FieldStep{Index: int(n)})
			if rest == "" {
				break
			}
			if rest[0] != '[' {
				return nil, fmt.Errorf("%q: after an index want a dot, another index or nothing", s)
			}
			rest = rest[1:]
		}
	}
	if len(steps) > mostSteps {
		return nil, fmt.Errorf("%q: %d steps, allowed are %d", s, len(steps), mostSteps)
	}
	return steps, nil
}
