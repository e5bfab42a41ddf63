package config

import "time"

// Beacon is the lamp or siren that an edge switches while the plant is away,
// section [edge.beacon].
type Beacon struct {
	After   time.Duration
	On, Off []string // program and arguments
}

func (edge *table) beacon() *Beacon {
	t := edge.table("beacon")
	if t == nil {
		return nil
	}
	defer t.close()
	b := &Beacon{
		After: t.duration("after", 2*time.Minute, 5*time.Second, 24*time.Hour),
		On:    t.texts("on"),
		Off:   t.texts("off"),
	}
	t.command("on", b.On)
	t.command("off", b.Off)
	return b
}

func (t *table) command(key string, words []string) {
	if len(words) == 0 || words[0] == "" {
		t.fault(key, "is missing, allowed is a command such as %s = [\"/usr/local/bin/beacon\", \"%s\"]", key, key)
	}
}
