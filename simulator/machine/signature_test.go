package machine

import (
	"math"
	"testing"
)

// rig is a machine with the production that it serves, and when it is looked at.
type rig struct {
	Machine
	step func(dt float64)
	look func() bool
}

// watch runs a rig and gives mean and standard deviation of its sensors while it
// is looked at, the noise of the transmitters in the latter.
func (r *rig) watch(seconds int) (mean, sd map[string]float64) {
	type sum struct{ n, x, xx float64 }
	sums := map[string]*sum{}
	for range seconds {
		r.step(1)
		if !r.look() {
			continue
		}
		for _, s := range r.Sensors() {
			if s.Value == nil {
				continue
			}
			if sums[s.Name] == nil {
				sums[s.Name] = &sum{}
			}
			x := sums[s.Name]
			x.n, x.x, x.xx = x.n+1, x.x+*s.Value, x.xx+*s.Value**s.Value
		}
	}
	mean, sd = map[string]float64{}, map[string]float64{}
	for _, s := range r.Sensors() {
		if x := sums[s.Name]; x != nil {
			m := x.x / x.n
			mean[s.Name] = m
			sd[s.Name] = math.Sqrt(math.Max(0, x.xx/x.n-m*m) + s.Sigma*s.Sigma + sq(s.Rel*m))
		}
	}
	return mean, sd
}

// signature says by how many healthy standard deviations a fault at a severity
// moves what it should: +4 is at least four up, -4 four down, 0 less than one
// either way.
func signature(t *testing.T, make func() *rig, warm, seconds int, fault string, severity float64, want map[string]float64) {
	t.Helper()
	well, ill := make(), make()
	found := false
	for _, f := range ill.Faults() {
		if f.Name == fault {
			f.Severity, found = severity, true
		}
	}
	if !found {
		t.Fatalf("no fault %s", fault)
	}
	for range warm {
		well.step(1)
		ill.step(1)
	}
	mean, sd := well.watch(seconds)
	broken, _ := ill.watch(seconds)
	for name, by := range want {
		if _, ok := mean[name]; !ok {
			t.Errorf("%s: no sensor %s", fault, name)
			continue
		}
		z := (broken[name] - mean[name]) / math.Max(sd[name], 1e-9)
		if by == 0 && math.Abs(z) > 1 || by > 0 && !(z >= by) || by < 0 && !(z <= by) {
			t.Errorf("%s at %v moves %s by %.1f standard deviations (%.4g to %.4g), want %+v", fault, severity, name, z, mean[name], broken[name], by)
		}
	}
}
