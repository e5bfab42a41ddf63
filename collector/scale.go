package collector

import (
	"github.com/gopcua/opcua/ua"

	"millwright/plant"
)

// scaled is the number f of v in the unit of its tag. A boolean is none.
func scaled(t *plant.Tag, v *ua.Variant, f float64) float64 {
	if v == nil || v.Type() == ua.TypeIDBoolean {
		return f
	}
	return t.Scaled(f)
}
