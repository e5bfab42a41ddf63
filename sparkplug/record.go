package sparkplug

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"millwright/plant"
)

// NamedGap is a gap as it travels: the tag by its path, times in milliseconds.
type NamedGap struct {
	Tag    string `json:"tag"`
	From   int64  `json:"from"`
	To     int64  `json:"to"`
	Reason string `json:"reason"`
}

// Gap returns the gap in the vocabulary of the receiving process.
func (g NamedGap) Gap(id plant.TagID) plant.Gap {
	return plant.Gap{Tag: id, From: g.From * millisecond, To: g.To * millisecond, Reason: g.Reason}
}

// FormatGaps writes gaps as the text of MetricGaps. Gaps whose tag has no path
// are left out; their number is returned.
func FormatGaps(gaps []plant.Gap, path func(plant.TagID) string) (text string, nameless int) {
	list := make([]NamedGap, 0, len(gaps))
	for _, g := range gaps {
		name := path(g.Tag)
		if name == "" {
			nameless++
			continue
		}
		list = append(list, NamedGap{Tag: name, From: plant.Millis(g.From) / millisecond,
			To: plant.Millis(g.To) / millisecond, Reason: g.Reason})
	}
	b, err := json.Marshal(list)
	if err != nil { // strings and integers only
		panic(err)
	}
	return string(b), nameless
}

var (
	errGaps     = errors.New("gaps")
	errFindings = errors.New("findings")
)

// ParseGaps reads the text of MetricGaps.
func ParseGaps(text string) ([]NamedGap, error) {
	var list []NamedGap
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, fmt.Errorf("%w: %w", errGaps, err)
	}
	for _, g := range list {
		const end = math.MaxInt64 / millisecond
		if g.Tag == "" || g.To < g.From || g.From < -end || g.To > end {
			return nil, fmt.Errorf("%w: %.80q from %d to %d", errGaps, g.Tag, g.From, g.To)
		}
	}
	return list, nil
}

// FormatFindings writes findings as the text of MetricFinding. It fails where a
// number is not finite, which JSON cannot say.
func FormatFindings(f []plant.Finding) (string, error) {
	b, err := json.Marshal(f)
	if err != nil {
		return "", fmt.Errorf("%w: %w", errFindings, err)
	}
	return string(b), nil
}

// ParseFindings reads the text of MetricFinding.
func ParseFindings(text string) ([]plant.Finding, error) {
	var list []plant.Finding
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, fmt.Errorf("%w: %w", errFindings, err)
	}
	for i := range list {
		f := &list[i]
		if f.Key == "" || f.Phase != plant.Raise && f.Phase != plant.Update && f.Phase != plant.Clear {
			return nil, fmt.Errorf("%w: key %.80q, phase %.20q", errFindings, f.Key, f.Phase)
		}
	}
	return list, nil
}
