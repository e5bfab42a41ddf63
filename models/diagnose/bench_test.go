package diagnose_test

import (
	"testing"

	"millwright/models/diagnose"
	"millwright/plant"
)

func BenchmarkRank(b *testing.B) {
	c := class(b, "descaling-pump")
	f := plant.Finding{Class: plant.Advisory}
	for _, n := range []string{"VIB_HF", "VIB_A", "P_SUC", "ACC_RMS", "VIB_H", "FLOW", "P_DIS", "CURRENT", "POWER", "LEAK_F", "LEAK_T", "BRG_T_DE", "BRG_T_NDE", "MOT_T_W", "VIB_ENV", "VIB_KURT", "SPEED", "T_WATER"} {
		f.Contributions = append(f.Contributions, plant.Contribution{Tag: "HSM/DSC/P1/" + n, Share: 1.0 / 18, Direction: "high"})
	}
	a := &plant.Asset{Path: "HSM/DSC/P1"}
	b.ReportAllocs()
	for b.Loop() {
		diagnose.Rank(c, a, f)
	}
}
