package main

import (
	"fmt"

	"millwright/collector"
	"millwright/plant"
)

// obey carries out what an engineer at the plant has decided about a PLC of this
// edge.
func obey(sources []*collector.Source) func(plant.Order) error {
	return func(o plant.Order) error {
		for _, s := range sources {
			if s.Name != o.PLC {
				continue
			}
			if o.Trust != "" {
				return s.Trust(o.Trust, o.Who)
			}
			return s.Release(o.Tag, o.As, o.Who)
		}
		return fmt.Errorf("this edge reads no PLC %q", o.PLC)
	}
}
