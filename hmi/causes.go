package hmi

import (
	"slices"
	"strings"

	"millwright/plant"
)

// alarmDetail is an alarm by itself, with what is known of its kind of machine.
type alarmDetail struct {
	alarmBody
	Causes []causeBody `json:"causes"` // null: there is nothing to compare; empty: none fits
	Basis  *string     `json:"basis"`  // of the limit
}

type causeBody struct {
	Mode    string   `json:"mode"`
	Name    string   `json:"name"`
	Score   number   `json:"score"`
	Present []string `json:"present"`
	Absent  []string `json:"absent"`
}

// mostCauses are shown: what comes behind is guesswork.
const mostCauses = 3

func (s *Server) detail(a *plant.Alarm) alarmDetail {
	d := alarmDetail{alarmBody: newAlarmBody(a)}
	assets := s.directory.now().assets
	i := slices.IndexFunc(assets, func(x plant.Asset) bool { return x.Path == a.Finding.Asset })
	if i < 0 {
		return d
	}
	d.Basis = optional(basisOf(&assets[i], &a.Finding))
	if s.Causes == nil {
		return d
	}
	causes := s.Causes(&assets[i], a.Finding)
	if causes == nil {
		return d
	}
	d.Causes = []causeBody{}
	for _, c := range causes[:min(len(causes), mostCauses)] {
		d.Causes = append(d.Causes, causeBody{c.Mode, c.Name, number(c.Score), c.Present, c.Absent})
	}
	return d
}

// basisOf says where the limit of a finding comes from, by whom and when; empty
// where nobody has said so.
func basisOf(a *plant.Asset, f *plant.Finding) string {
	kind, ok := strings.CutPrefix(f.Kind, "limit.")
	if !ok {
		return ""
	}
	for _, l := range a.Limits {
		if l.Tag != f.Tag || string(l.Kind) != kind {
			continue
		}
		said := []string{l.Basis, string(l.Source), l.Author, l.Date}
		return strings.Join(slices.DeleteFunc(said, func(s string) bool { return s == "" }), ", ")
	}
	return ""
}
