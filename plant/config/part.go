package config

import (
	"fmt"
	"math"
	"net/url"
	"time"

	"millwright/plant"
)

// sensor reads how the sensor of a tag is mounted.
func (t *assetTable) sensor(m *table) plant.Mount {
	defer m.close()
	out := plant.Mount{
		Mounting:   plant.Mounting(m.oneOf("mounting", "", plant.Mountings()...)),
		Direction:  plant.Direction(m.oneOf("direction", "", plant.Directions()...)),
		Calibrated: m.checked("calibrated", "", checkPast),
	}
	if name := m.need("tag", "VIB_H"); name != "" {
		out.Tag = t.sensorTag(m, name)
	}
	return out
}

// sensorTag resolves the name of a tag that is measured, waveforms too.
func (t *assetTable) sensorTag(m *table, name string) string {
	path := t.asset.Path + "/" + name
	tag, ok := t.tags[path]
	if !ok {
		if tag, ok = t.tags[name]; ok {
			path = name
		}
	}
	switch {
	case !ok && t.scope == listed:
		m.fault("tag", "%q is no tag, neither as %s nor as it stands%s", name, path, t.hint())
	case ok && tag.Kind == plant.Text:
		m.fault("tag", "%s is a text tag, allowed is one that is measured", path)
	}
	return path
}

// checkPast checks the date of something that has been done.
func checkPast(s string) error {
	if err := checkDate(s); err != nil {
		return err
	}
	if d, _ := time.Parse(time.DateOnly, s); time.Until(d) > 48*time.Hour { // the clock of an edge may be off
		return fmt.Errorf("%s is to come, allowed is the day on which it was done", s)
	}
	return nil
}

func (*assetTable) spare(m *table) plant.Spare {
	defer m.close()
	out := plant.Spare{Part: m.need("part", "bearing DE"), Number: m.text("number", ""), LeadDays: int(m.integer("lead_days", 0, 1, 3650)), Place: m.text("place", "")}
	if m.has("stock") {
		n := int(m.integer("stock", 0, 0, math.MaxInt32))
		out.Stock = &n
	}
	return out
}

// spareKey tells spare parts apart: two makers may have the same part.
func spareKey(s plant.Spare) string {
	if s.Part == "" || s.Number == "" {
		return s.Part
	}
	return s.Part + " " + s.Number
}

func (*assetTable) drawing(m *table) plant.Drawing {
	defer m.close()
	d := plant.Drawing{Title: m.need("title", "general arrangement"), Number: m.text("number", ""), Link: m.checked("link", "", checkLink)}
	if d.Number == "" && !m.has("link") {
		m.fault("number", "is missing, allowed is a drawing with its number or its link")
	}
	return d
}

// checkLink accepts what a page may lead to.
func checkLink(s string) error {
	if u, err := url.Parse(s); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("%q, allowed is an address such as http://drawings.plant/4711.pdf", s)
	}
	return nil
}
