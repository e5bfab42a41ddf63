package machine

import (
	"math"
	"testing"

	"millwright/simulator/production"
)

func servedExhauster(seed uint64) *served {
	w, s := production.NewWorldAt(seed, production.Setting{Weak: true}), production.NewSinter(seed)
	f := NewExhauster(seed, w, s)
	return &served{f, w, s, &f.mode}
}

// At its usual point the fan lifts some 195 m³/s of gas at 130 °C by 117 mbar with
// 3 MW and 310 A.
func TestExhausterRated(t *testing.T) {
	w, s := production.NewWorld(1), &production.Sinter{Mode: production.Sintering, Speed: 1, Permeability: 1, Running: true}
	f := NewExhauster(1, w, s)
	for range 4 * 3600 {
		f.Step(1)
	}
	within(t, "flow", f.flow, 194, 0.03)
	within(t, "lift", f.dp, 117, 0.03)
	within(t, "power", f.power, 3000, 0.06)
	within(t, "current", f.current, 312, 0.06)
	within(t, "speed", f.speed, 992, 0.003)
	within(t, "winding", f.winding, 93, 0.06)
	hydraulic := f.flow * f.dp * 100 / 1000
	if eta := hydraulic / f.power; eta < 0.7 || eta > 0.8 {
		t.Errorf("efficiency from wire to gas %.2f", eta)
	}
}

// Lift goes with the density, and cold gas takes more power: the law of fans.
func TestExhausterGas(t *testing.T) {
	at := func(through float64) *Exhauster {
		w, s := production.NewWorld(1), &production.Sinter{Mode: production.Sintering, Speed: 1, Permeability: 1, Running: true, Through: through}
		f := NewExhauster(1, w, s)
		f.noise.draught.Sigma = 0
		for range 4 * 3600 {
			f.Step(1)
		}
		return f
	}
	cold, hot := at(-40), at(30)
	ratio := (273 + hot.gas) / (273 + cold.gas)
	within(t, "lift", cold.dp/hot.dp, ratio, 0.01)
	within(t, "power", (cold.power*0.957-60)/(hot.power*0.957-60), ratio, 0.02)
}

// Running up, the pedestal passes its resonances; the motor draws more than its
// rated current, and reaches its speed within two minutes.
func TestExhausterRunsUp(t *testing.T) {
	w, s := production.NewWorld(1), &production.Sinter{Mode: production.Standstill, Permeability: 1}
	f := NewExhauster(1, w, s)
	for range 3600 {
		f.Step(1)
	}
	if f.speed != 0 || f.power != 0 || f.mode != production.Standstill || f.vibH > 0.1 {
		t.Fatalf("stands at %v r/min with %v kW in mode %s, %v mm/s", f.speed, f.power, f.mode, f.vibH)
	}
	s.Running, s.Mode = true, production.Sintering
	peak, at, current := 0.0, 0.0, 0.0
	for range 1200 {
		f.Step(0.1)
		if f.vibH > peak {
			peak, at = f.vibH, f.speed
		}
		current = max(current, f.current)
	}
	if f.mode != production.Sintering || f.speed < 980 {
		t.Errorf("%v r/min after two minutes, mode %s", f.speed, f.mode)
	}
	within(t, "speed at the resonance", at, 0.77*exhaustRPM, 0.05)
	if peak < 2*f.vibH || peak > 12 {
		t.Errorf("%.1f mm/s at the resonance, %.1f at speed", peak, f.vibH)
	}
	if current < 1.5*exhaustAmps || current > 3*exhaustAmps {
		t.Errorf("%.0f A running up", current)
	}
}

// While the grid sheds its load the fan stands, and starts again afterwards.
func TestExhausterWithoutPower(t *testing.T) {
	w, s := production.NewWorld(1), &production.Sinter{Mode: production.Sintering, Speed: 1, Permeability: 1, Running: true}
	f := NewExhauster(1, w, s)
	w.Shed = 1
	for range 1800 {
		f.Step(1)
	}
	if f.mode != production.Standstill || f.power != 0 || f.gas > 110 {
		t.Errorf("without power: mode %s, %v kW, gas of %.0f °C", f.mode, f.power, f.gas)
	}
	w.Shed = 0
	for range 1800 {
		f.Step(1)
	}
	if f.mode != production.Sintering || f.power < 2500 {
		t.Errorf("with power again: mode %s, %v kW", f.mode, f.power)
	}
}

// Envelope lines see a spall long before velocity does.
func TestExhausterEarlySpall(t *testing.T) {
	run := func(severity float64) *Exhauster {
		s := servedExhauster(3)
		s.fault("bearing-outer", severity)
		s.run(3600, 1)
		return s.Machine.(*Exhauster)
	}
	well, ill := run(0), run(0.05)
	if ill.bpfo < well.bpfo+10 {
		t.Errorf("envelope line %.1f → %.1f dB", well.bpfo, ill.bpfo)
	}
	within(t, "velocity", ill.vibH, well.vibH, 0.01)
}

func TestExhausterSignatures(t *testing.T) {
	long(t)
	build := func() (*served, func() bool) {
		s := servedExhauster(5)
		return s, func() bool { return *s.mode == production.Sintering }
	}
	signatures(t, build,
		"bearing-outer:0.5 VIB_BPFO+ VIB_HF+ VIB_H0 VIB_BPFI0 VIB_BSF0 VIB_FTF0 P_EL0",
		"bearing-outer VIB_BPFO+ VIB_HF+ VIB_KURT+ BRG_T_DE+ VIB_BPFI0 BRG_T_NDE0",
		"bearing-inner VIB_BPFI+ VIB_HF+ BRG_T_DE+ VIB_BPFO0 VIB_BSF0 VIB_1X0",
		"bearing-roller VIB_BSF+ VIB_HF+ BRG_T_DE+ VIB_BPFO0 VIB_BPFI0",
		"bearing-cage VIB_FTF+ VIB_KURT+ VIB_BPFO0 VIB_BPFI0 VIB_1X0",
		"dust VIB_1X+ VIB_H+ VIB_V+ VIB_2X0 VIB_BPFO0 VIB_HF0 DP0",
		"misalignment VIB_2X+ VIB_A+ BRG_T_DE+ MOT_BRG_T+ BRG_T_NDE0 VIB_1X0 VIB_HF0",
		"looseness VIB_V+ VIB_HARM+ VIB_1X0 VIB_2X0 VIB_BPFO0 BRG_T_DE0",
		"lubrication VIB_HF+ BRG_T_DE+ BRG_T_NDE0 VIB_1X0 VIB_BPFO0",
		"rotor-bar I_SIDEBANDS+ VIB_1X0 BRG_T_DE0 DP0",
		"false-air STACK_O2+ T_GAS- FLOW+ VIB_1X0 MOT_BRG_T0 I_SIDEBANDS0",
	)
}

// Broken bars make the current beat at twice the slip.
func TestRotorBarBeats(t *testing.T) {
	swing := func(severity float64) float64 {
		w, s := production.NewWorld(1), &production.Sinter{Mode: production.Sintering, Speed: 1, Permeability: 1, Running: true}
		f := NewExhauster(1, w, s)
		f.noise.draught.Sigma = 0
		f.bar.Severity = severity
		low, high := math.Inf(1), 0.0
		for i := range 1200 {
			f.Step(0.05)
			if i > 900 {
				low, high = min(low, f.current), max(high, f.current)
			}
		}
		return (high - low) / (high + low)
	}
	if well, ill := swing(0), swing(1); well > 0.01 || ill < 0.025 || ill > 0.06 {
		t.Errorf("the current swings by %.3f, broken %.3f", well, ill)
	}
}
