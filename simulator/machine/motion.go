package machine

import (
	"math/rand/v2"
	"strings"

	"millwright/plant"
)

// moves says how the value of a tag moves and what its sensor adds, by name and
// unit alone. Where a quantity has no figure of its own, a machine at its rated
// load stands at six tenths of the tag's range: instruments are chosen so.
func moves(t *plant.Tag, name string, rng *rand.Rand) (motion, Sensor) {
	own := 1 + 0.06*(2*rng.Float64()-1) // no two machines are alike
	span := t.High - t.Low
	rated := t.Low + 0.6*span*own
	m := motion{base: rated, sigma: 0.004 * span, slow: 900, tau: 5}
	s := Sensor{Tau: 0.5, Sigma: 0.001 * span}
	is := func(prefixes ...string) bool {
		for _, p := range prefixes {
			if strings.HasPrefix(name, p) {
				return true
			}
		}
		return false
	}
	// What falls to nothing when the machine stops.
	follows := func(d drive, share, tau, wander float64) {
		m.base, m.gain, m.drive, m.tau = max(0, t.Low), (rated-max(0, t.Low))*share, d, tau
		m.sigma, m.factor = wander, true
		s.Sigma, s.Rel = 0.0003*span, 0.004
	}
	switch t.Unit {
	case "°C":
		m, s = temperature(t, is, own, rated, m)
	case "A", "kW", "MW", "kVA", "MVA", "Mvar":
		follows(withLoad, 1, 2, 0.008)
	case "r/min":
		m.base, m.gain, m.drive, m.tau = 0, t.Low+0.8*span, withSpeed, 4
		m.sigma, m.factor = 0.0005, true
		s.Sigma = 0.0002 * span
	case "mm/s":
		m.base, m.gain, m.drive, m.tau = 0.05, (0.9+0.7*rng.Float64())*own, withLoad, 3
		m.sigma, m.factor = 0.04, true
		s.Tau, s.Sigma, s.Rel = 1, 0.01, 0.02
	case "m/s²":
		m.base, m.gain, m.drive, m.tau = 0.02, 1.2+rng.Float64(), withLoad, 3
		m.sigma, m.factor = 0.03, true
		s.Tau, s.Sigma, s.Rel = 1, 0.003, 0.015
	case "dB":
		m.base, m.sigma, m.slow = 3, 0.3, 60
		s.Sigma = 0.5
	case "µm":
		m.base, m.gain, m.drive = 1, 30*own, withSpeed
		m.sigma, m.factor = 0.05, true
		s.Sigma, s.Rel = 0.3, 0.01
	case "bar", "mbar", "kPa", "Pa":
		m.sigma = 0.006 * span
		if is("FILT", "STR_") { // a clean filter
			m.base, m.slow = t.Low+0.2*span*own, 7200
		} else if !is("P_SUC", "P_HDR", "P_IN", "P_N2", "P_GAS", "P_FCE") {
			follows(withSpeed, 1, 3, 0.008)
		}
	case "m³/h", "m³/min", "Nm³/h", "kNm³/h", "t/h", "t/d", "l/min", "kg/h", "kg/s":
		follows(withLoad, 1, 6, 0.012)
		s.Rel = 0.007
	case "kN", "MN", "kN·m", "N·m", "t", "m/s", "m/min", "1/min":
		follows(withDemand, 1, 1, 0.015)
	case "kV", "V":
		m.sigma, m.air, m.tau = 0.0005*span, volts, 0
		m.base = t.Low + 0.6*span
	case "Hz":
		m.base, m.sigma, m.slow = 50, 0.02, 120
		s.Sigma = 0.003
	case "%":
		m.sigma, m.slow = 0.012*span, 600
		if is("VANE", "IGV", "VALVE", "DAMPER") {
			m.base, m.gain, m.drive, m.tau = t.Low+0.1*span, 0.55*span*own, withLoad, 15
		}
		if is("LEVEL") {
			m.sigma, m.slow = 0.03*span, 2400
		}
	case "mm", "m":
		m.sigma, m.slow = 0.01*span, 1800
	case "mg/Nm³", "ppm", "g/l", "µS/cm":
		m.sigma, m.slow = 0.03*span, 3600
	}
	switch t.Kind {
	case plant.Discrete: // it runs
		m = motion{gain: 1, drive: withSpeed, slow: 1}
		s = Sensor{}
		m.tau = 0
	case plant.SetPoint:
		m.sigma, s = 0, Sensor{}
	}
	return m, s
}

// temperature is that of a bearing, a winding, oil, water, air, or of the process.
func temperature(t *plant.Tag, is func(...string) bool, own, rated float64, m motion) (motion, Sensor) {
	s := Sensor{Tau: 30, Sigma: 0.06}
	m.sigma, m.slow = 0.3, 1200
	span := t.High - t.Low
	switch {
	case is("BRG_T", "THRUST_T"):
		m.base, m.gain, m.drive, m.air, m.tau = 2, 20*own, withLoad, hall, 2400
	case is("MOT_T_W", "GEN_T_W", "WIND_T"):
		m.base, m.gain, m.drive, m.air, m.tau = 3, 46*own, withHeat, hall, 1800
		s.Tau, s.Sigma, s.Hum = 40, 0.08, windingHum
	case is("OIL_T", "LUBE_T"):
		m.base, m.gain, m.drive, m.tau = 36, 9*own, withLoad, 1800 // the cooler's thermostat holds it
	case is("T_CW_IN", "T_W_IN"):
		m.base, m.air, m.tau = 0.5*own, water, 300
	case is("T_CW_OUT", "T_W_OUT", "T_SKID"):
		m.base, m.gain, m.drive, m.air, m.tau = 0.5, 9*own, withLoad, water, 120
	case is("T_SEA_IN"):
		m.base, m.air, m.tau = 0, sea, 300
	case is("T_SEA_OUT"):
		m.base, m.gain, m.drive, m.air, m.tau = 0, 8*own, withLoad, sea, 120
	case is("T_SUC", "T_AIR_IN", "T_AMB"):
		m.base, m.air, m.tau = 2*own, outdoors, 300
	case is("T_SHELL", "T_CASING"):
		m.base, m.gain, m.drive, m.air, m.tau = 15, 45*own, fixed, outdoors, 7200
	default: // of the process: it cools by a third of its range when that stops
		m.base, m.gain, m.drive, m.tau = rated-0.3*span, 0.3*span, withSpeed, 900
		m.sigma = 0.006 * span
		s.Tau, s.Sigma = 10, 0.0008*span
	}
	return m, s
}
